"""The first calls of every vendor with Sentry's defaults: print what Sentry would send of each.

Run as a program, because Sentry patches a whole process:
`python sentry_vendors_program.py [--without-urls] NAME...`.
"""

import json
import os
import sys

import sentry_sdk
from kit.vendors import AWS_KEYS, NEEDED, PAID
from sentry_sdk.integrations.stdlib import StdlibIntegration
from sentry_sdk.transport import Transport

import facematch_core as fm
from facematch_core.config.plugins import backend_class
from facematch_mock_server import MockServer, make_card
from facematch_mock_server.vendors import vendor_named

SENT = []
P1 = make_card("p1")


class Recorder(Transport):
    def capture_envelope(self, envelope):
        SENT.extend(item.payload.get_bytes().decode() for item in envelope)


def ways_of(name):
    """Return the mock's keys by variable, for each way to sign in that the backend has."""
    if name == "rekognition":
        return [{"AWS_ACCESS_KEY_ID": "mock-access-key", "AWS_SECRET_ACCESS_KEY": "mock-live-key"}]
    variables = set(backend_class(name).environment_variables.values())
    ways = vendor_named(name).variables.keys or ({},)
    return [way for way in ways if variables.issuperset(way)]


def settings_of(name):
    """Return what the backend needs beside its keys."""
    variables = backend_class(name).environment_variables
    names_of_keys = {variable for way in ways_of(name) for variable in way}
    needed = {
        setting: value
        for setting, value in NEEDED[name].items()
        if setting not in AWS_KEYS and variables.get(setting) not in names_of_keys
    }
    return {**needed, "level_name": "some-level"} if name == "sumsub" else needed


def call(name, address):
    """Make a vendor's first call: a comparison, or else the start of a session."""
    settings = {**settings_of(name), "base_url": address, "require_environment": "mock"}
    if name in PAID:
        with fm.open_verifier(name, **settings) as verifier:
            verifier.verify(P1, P1)
        return
    checks = {"compared_with": "document", "expects": ["match"]}
    with fm.open_sessions(name, **checks, **settings) as sessions:
        sessions.start(sessions.plan("customer-17", purpose="payout", any_document=True))


def run(name, address):
    """Make the call as an application does whose frames hold no key."""
    with sentry_sdk.isolation_scope(), sentry_sdk.start_transaction(name=name):
        try:
            call(name, address)
        except fm.FaceMatchError as error:
            sentry_sdk.capture_exception(error)
        sentry_sdk.capture_message("the call has ended")


if __name__ == "__main__":
    arguments = sys.argv[1:]
    settings = {}
    if "--without-urls" in arguments:
        arguments.remove("--without-urls")
        settings["disabled_integrations"] = [StdlibIntegration()]
        # All others are tested beside it, without this option; they take seconds to import.
        settings["auto_enabling_integrations"] = False
    sentry_sdk.init(
        dsn="https://key@sentry.example/1", transport=Recorder, traces_sample_rate=1.0, **settings
    )
    first_calls = []
    for vendor in arguments:
        for way in ways_of(vendor):
            os.environ.update(way)
            with MockServer(vendor=vendor) as server:
                SENT.clear()
                run(vendor, server.url)
                labels = {str(entry.key) for entry in server.control.journal()}
            for variable in way:
                del os.environ[variable]
            first_calls.append(
                {
                    "vendor": vendor,
                    "keys": way,
                    "sent": "\n".join(SENT),
                    "labels": sorted(labels),
                }
            )
    sys.stdout.write(json.dumps(first_calls))
