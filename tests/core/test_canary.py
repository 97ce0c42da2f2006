"""Canaries: a known picture and a known key, looked for in everything that a program could print.

Whatever a call ends in, neither may be in its result, its JSON, its error, the error's frames with
their local variables, an event, or a log at DEBUG. Planted leaks of each kind show that the search
finds them.
"""

import base64
import json
import logging
import urllib.parse

import attrs
import pytest
from kit.rawserver import RawServer, answer, close, hold, read_request, refused, reset, send

from facematch_core import (
    Billing,
    Charged,
    Decision,
    FaceMatchError,
    FaceVerifier,
    Image,
    MatchResult,
    Operation,
    Secret,
)
from facematch_core.backend import Capabilities
from facematch_core.http import HttpBackend, HttpRequest, picture
from facematch_core.testing import find_leaks, noise, picture_samples, told_by

KEY = "canary-key-5e3f9a77c1"
BOOM = "boom"


@attrs.define(kw_only=True, eq=False, slots=False)
class Vendor(HttpBackend):
    """A vendor that takes a key and two pictures, and echoes what it should not."""

    url: str
    api_key: Secret

    name = "vendor"
    capabilities = Capabilities(billed_operations=frozenset({Operation.MATCH}))

    def build(self, call):
        if call.caller_ref == BOOM:
            raise KeyError(call.probe.data, self.api_key.reveal())
        return HttpRequest(
            url=self.url,
            headers={"x-api-key": self.api_key, "Authorization": Secret(f"Bearer {KEY}")},
            files=[picture("probe", call.probe), picture("reference", call.reference)],
        )

    def parse(self, call, reply):
        body = reply.json()
        decision = {True: Decision.MATCH, False: Decision.NO_MATCH}[body["same"]]
        return MatchResult(
            decision=decision, backend=self.name, billing=Billing(Charged.YES), raw=body
        )


def json_answer(status, body):
    return send(answer(status, json.dumps(body).encode()))


ENDINGS = {
    "match": [read_request, json_answer(200, {"same": True})],
    "refused with the key in it": [read_request, json_answer(403, {"detail": f"bad key {KEY}"})],
    "field errors": [read_request, json_answer(400, {"probe": ["too dark"], "error": KEY})],
    "throttled": [read_request, json_answer(429, {"detail": "slow down"})],
    "server error": [read_request, send(answer(500, f"<html>{KEY}</html>".encode()))],
    "unreadable": [read_request, json_answer(200, {"same": KEY})],
    "garbage": [read_request, send(b"\x00garbage" + KEY.encode())],
    "truncated": [read_request, send(answer(200, b'{"same": true}')[:-5]), close],
    "reset during upload": [lambda connection: connection.take(100), reset],
    "reset after upload": [read_request, reset],
    "silence": [read_request, hold],
}


def everything(backend, pictures, **options):
    """One call, and all that could be printed of it, name by name."""
    events = []
    said = {}
    verifier = FaceVerifier(backend, on_event=events.append)
    options = {"deadline_s": 5.0} | options
    try:
        result = verifier.verify(*pictures, **options)
    except FaceMatchError as error:
        said["error"] = told_by(error)
        said["context"] = repr((error.__cause__, error.__context__))
    else:
        said["result"] = repr(result)
        said["json"] = json.dumps(result.to_dict())
        said["minimal"] = json.dumps(result.to_dict(minimal=True))
    said["events"] = repr(events)
    said["objects"] = repr((verifier, backend, [attrs.asdict(event) for event in events]))
    return said


def leaks(said, data, key=KEY):
    """Which of the texts hold the key or a piece of a picture."""
    secrets = [key, *picture_samples(Image.from_bytes(data))]
    return {
        name: forms
        for name, text in said.items()
        if (forms := [form for secret in secrets for form in find_leaks(secret, text)])
    }


@pytest.mark.parametrize("given", ["bytes", "Image"])
@pytest.mark.parametrize("ending", ENDINGS)
def test_nothing_leaks_whatever_a_call_ends_in(ending, given, caplog):
    """Zero hits in results, errors with frames and locals, events, and logs at DEBUG."""
    caplog.set_level(logging.DEBUG)
    data = noise(7).data
    probe = data if given == "bytes" else Image.from_bytes(data)
    with RawServer(ENDINGS[ending]) as server:
        backend = Vendor(url=server.url, api_key=Secret(KEY))
        deadline = 0.3 if ending == "silence" else 5.0
        said = everything(backend, (probe, noise(8)), deadline_s=deadline)
        backend.close()
        assert server.connections, "the vendor was never asked"
    said["log"] = "\n".join(f"{r.name} {r.getMessage()} {r.args}" for r in caplog.records)
    # The test's own frame holds the bytes that it gave away; ours may not.
    ours = {name: text for name, text in said.items() if name != "error"}
    assert leaks(ours, data) == {}
    assert leaks({"error": without_test_frames(said.get("error", ""))}, data) == {}
    assert "facematch" in said["log"]


def without_test_frames(text):
    """Drop the frames of this file, which hold what a caller holds."""
    frames = text.split('  File "')
    return '  File "'.join(frame for frame in frames if not frame.startswith(__file__))


@pytest.mark.parametrize("ref", [None, BOOM])
def test_nothing_leaks_when_nothing_is_sent(ref, caplog):
    """A closed port, and a plug-in whose own exception holds picture and key."""
    caplog.set_level(logging.DEBUG)
    data = noise(7).data
    with refused() as port:
        backend = Vendor(url=f"http://127.0.0.1:{port}/", api_key=Secret(KEY))
        said = everything(backend, (data, noise(8)), caller_ref=ref)
    backend.close()
    said["log"] = caplog.text
    assert "error" in said
    said["error"] = without_test_frames(said["error"])
    assert leaks(said, data) == {}


def test_refused_pictures_do_not_leak():
    """Also a picture that is never sent stays out of the sentence and its frames."""
    data = noise(7).data
    for broken in (data[:-40], b"x" * 50 + data, base64.b64encode(data), data[: len(data) // 2]):
        backend = Vendor(url="http://127.0.0.1:9/", api_key=Secret(KEY))
        said = everything(backend, (broken, noise(8)))
        assert "InvalidImage" in said["error"]
        said["error"] = without_test_frames(said["error"])
        assert leaks(said, data) == {}


WAYS = {
    "raw": lambda b: b,
    "repr": lambda b: repr(b).encode(),
    "hex": lambda b: b.hex().encode(),
    "HEX": lambda b: b.hex().upper().encode(),
    "base64, offset 0": base64.b64encode,
    "base64, offset 1": lambda b: base64.b64encode(b"x" + b),
    "base64, offset 2": lambda b: base64.b64encode(b"xy" + b),
    "base64, URL-safe": base64.urlsafe_b64encode,
    "URL-escaped": lambda b: urllib.parse.quote_from_bytes(b).encode(),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("what", ["key", "picture"])
def test_a_planted_leak_is_found(way, what):
    """The search has teeth: each way of writing a secret down is noticed."""
    data = noise(7).data
    secret = KEY.encode() if what == "key" else data
    text = b'{"before": "' + WAYS[way](secret) + b'", "after": 1}'
    assert leaks({"planted": text}, data)


def test_a_leaking_backend_is_caught():
    """End to end: a backend that hangs the picture on its error is found by the same search."""

    class Leaky(Vendor):
        def parse(self, call, reply):
            from facematch_core import RequestRejected

            error = RequestRejected("It was this one.")
            error.seen = call.probe.data.hex()
            raise error

    data = noise(7).data
    with RawServer(ENDINGS["match"]) as server:
        backend = Leaky(url=server.url, api_key=Secret(KEY))
        said = everything(backend, (data, noise(8)))
        backend.close()
    assert leaks({"error": without_test_frames(said["error"])}, data)
