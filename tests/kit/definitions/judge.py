"""A plug-in that fails a test whose mock answers what the vendor's own definition does not allow.

Definitions that come with the vendors' clients are always there. Those of repositories are there
after `make schemas`, which sets FACEMATCH_DEFINITIONS to their folder.
"""

import functools
import importlib
import os
import re
import tomllib
from pathlib import Path

import pytest

CLIENTS = ("alibaba", "azure", "rekognition", "stripe", "tencent")
#: The variable with the folder of the documents.
FOLDER = "FACEMATCH_DEFINITIONS"
#: What was answered or sent against a definition in the running test.
differences = []
#: The webhooks that are judged at the end of the running test: the vendor, the event and the body.
#: A receiver does not wait for their judge, which takes a second for some of Persona's.
sent_webhooks = {}
#: Times and ids, of which a definition says nothing but the length: those of many webhooks differ
#: in nothing else.
VARYING = re.compile(rb"(?<=T)\d\d:\d\d:\d\d\.\d+(?=Z)|(?<=_)[A-Za-z0-9]{20,}")


@functools.cache
def definition_of(vendor):
    """Return a vendor's definition, or None if it is not here."""
    if vendor in CLIENTS:
        return importlib.import_module(f"kit.definitions.{vendor}").read()
    folder = Path(os.environ.get(FOLDER, os.devnull), vendor)
    if not folder.is_dir():
        return None
    from kit.definitions import documents

    names = documents.PINS[vendor]["files"]
    return documents.read(vendor, {name: (folder / name).read_bytes() for name in names})


@functools.cache
def explained():
    return tomllib.loads(Path(__file__).with_name("explained.toml").read_text(encoding="utf-8"))


def note(vendor, what, lines):
    """Note the lines about an answer, a webhook or a request that no row explains."""
    for line in lines:
        if not any(
            re.fullmatch(row["what"], what) and re.fullmatch(row["line"], line)
            for row in explained().get(vendor, ())
        ):
            differences.append(f"{vendor}: {what}: {line}")


def judge_call(world, request, response):
    """Note what an answer has against its vendor's definition, and so has our request."""
    definition = definition_of(world.vendor_name)
    if definition is None or not is_own(world, request, response):
        return
    operation = definition.find(request)
    if operation is None:
        return
    call = f"{operation.method} {operation.path}"
    lines = definition.judge_answer(operation, response.status, response.body)
    note(world.vendor_name, f"{call} {response.status}", lines)
    is_ours = request.header("user-agent", "").startswith("facematch")
    if is_ours and response.status < 300 and request.media_type.endswith("json"):
        lines = definition.judge_request(operation, request.body)
        note(world.vendor_name, f"{call} sent", lines)


def keep_webhook(world, taken, payload):
    """Keep a webhook for `judge_webhooks`."""
    if definition_of(world.vendor_name) is not None and taken.fault is None:
        sent_webhooks[world.vendor_name, taken.delivery.event, payload.body] = True


def judge_webhooks():
    """Note what the webhooks that were sent have against their vendor's definition."""
    while sent_webhooks:
        (vendor, event, body), _ = sent_webhooks.popitem()
        like = VARYING.sub(lambda found: b"0" * len(found[0]), body)
        note(vendor, f"webhook {event}", faults_of_webhook(vendor, event, like))


@functools.lru_cache(maxsize=1000)
def faults_of_webhook(vendor, event, body):
    """Return what a webhook has against its vendor's definition; see `Definition.judge`."""
    return definition_of(vendor).judge_webhook(event, body)


def is_own(world, request, response):
    """Return whether the vendor would give the answer: no fault, own reply or missing call."""
    # No definition has a 5xx, and 501 is the mock's own, of what it does not imitate within a call.
    # Nor is what a fault's claim says the vendor's.
    is_claim_of_fault = any(
        claim.partition(".")[2].startswith("fault.") for claim in response.claims
    )
    if response.fault is not None or response.status >= 500 or is_claim_of_fault:
        return False
    entry = response.entry
    if entry is not None and (entry.reply is not None or "fault" in (entry.note or "")):
        return False
    return world.behaviour.find_missing(request) is None


@pytest.fixture(autouse=True, scope="session")
def _judged():
    from facematch_mock_server.vendors.base import MockVendor
    from facematch_mock_server.world.webhooks import Outbox

    handle = MockVendor.handle
    attempt = Outbox.attempt

    def handle_and_judge(self, request):
        response = handle(self, request)
        judge_call(self.world, request, response)
        return response

    def attempt_and_judge(self, taken, send):
        def send_and_judge(url, payload, timeout_s):
            keep_webhook(self._world, taken, payload)
            return send(url, payload, timeout_s)

        attempt(self, taken, send_and_judge)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MockVendor, "handle", handle_and_judge)
        patch.setattr(Outbox, "attempt", attempt_and_judge)
        yield


@pytest.fixture(autouse=True)
def _nothing_against_definitions(_judged):
    differences.clear()
    yield
    judge_webhooks()
    found = sorted(set(differences))
    differences.clear()
    if found:
        pytest.fail("The vendor's definition does not allow:\n" + "\n".join(found), pytrace=False)
