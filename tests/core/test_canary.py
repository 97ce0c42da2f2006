import base64
import gc
import json
import logging

import attrs
import pytest
from kit.fakes import picture as small_picture
from kit.fakes import resealed
from kit.rawserver import RawServer, closed_port, http_reply, read_request, reset, send

import facematch_core as fm
from facematch_core.backend import Capabilities
from facematch_core.http import HttpBackend, HttpRequest, picture
from facematch_core.testing import find_leaks, noise, picture_samples, told_by

KEY = "canary-key-5e3f9a77c1"
BOOM = "boom"


@attrs.define(kw_only=True, eq=False, slots=False)
class Vendor(HttpBackend):
    """It takes a key and two pictures, and echoes what it should not."""

    url: str
    api_key: fm.Secret

    name = "vendor"
    capabilities = Capabilities(billed_operations=frozenset({fm.Operation.MATCH}))

    def build(self, call):
        if call.caller_ref == BOOM:
            raise KeyError(call.probe.data, self.api_key.reveal())
        return HttpRequest(
            url=self.url,
            headers={"x-api-key": self.api_key, "Authorization": fm.Secret(f"Bearer {KEY}")},
            files=[picture("probe", call.probe), picture("reference", call.reference)],
        )

    def parse(self, call, reply):
        body = reply.json()
        decision = {True: fm.Decision.MATCH, False: fm.Decision.NO_MATCH}[body["same"]]
        return fm.MatchResult(
            decision=decision, backend=self.name, billing=fm.Billing(fm.Charged.YES), raw=body
        )


def json_answer(status, body):
    return send(http_reply(status, json.dumps(body).encode()))


#: All endings of a call to a vendor of ours are looked through in tests/privacy, and those of any
#: plug-in by its contract; these are of a client that nobody has tested.
ENDINGS = {
    "match": [read_request, json_answer(200, {"same": True})],
    "refused with the key in it": [read_request, json_answer(403, {"detail": f"bad key {KEY}"})],
    "unreadable": [read_request, json_answer(200, {"same": KEY})],
    "reset during upload": [lambda connection: connection.take(100), reset],
}


def everything(backend, pictures, **options):
    events = []
    said = {}
    verifier = fm.FaceVerifier(backend, on_event=events.append)
    options = {"deadline_s": 5.0} | options
    try:
        result = verifier.verify(*pictures, **options)
    except fm.FaceMatchError as error:
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
    """Which of the texts hold the key or a piece of a picture, but for the frames of this file.

    A test's own frame holds the bytes that it gave away, as any caller's does.
    """
    frames = said.get("error", "").split('  File "')
    ours = '  File "'.join(frame for frame in frames if not frame.startswith(__file__))
    secrets = [key, *picture_samples(fm.Image.from_bytes(data))]
    return {
        name: forms
        for name, text in {**said, "error": ours}.items()
        if (forms := [form for secret in secrets for form in find_leaks(secret, text)])
    }


@pytest.mark.parametrize("ending", ENDINGS)
def test_nothing_leaks_whatever_a_call_ends_in(ending, caplog):
    """Not into results, errors with frames and locals, events, or logs at DEBUG."""
    caplog.set_level(logging.DEBUG)
    data = noise(7).data
    with RawServer(ENDINGS[ending]) as server:
        backend = Vendor(url=server.url, api_key=fm.Secret(KEY))
        said = everything(backend, (data, noise(8)))
        backend.close()
        assert server.connections, "the vendor was never asked"
    said["log"] = "\n".join(f"{r.name} {r.getMessage()} {r.args}" for r in caplog.records)
    assert leaks(said, data) == {}
    assert "facematch" in said["log"]


@pytest.mark.parametrize("ref", [None, BOOM])
def test_nothing_leaks_when_a_port_is_closed_or_a_plug_in_raises_picture_and_key(ref, caplog):
    caplog.set_level(logging.DEBUG)
    data = noise(7).data
    with closed_port() as port:
        backend = Vendor(url=f"http://127.0.0.1:{port}/", api_key=fm.Secret(KEY))
        said = everything(backend, (data, noise(8)), caller_ref=ref)
    backend.close()
    assert "error" in said
    assert leaks({**said, "log": caplog.text}, data) == {}


def test_pictures_that_are_refused_unsent_do_not_leak():
    data = noise(7).data
    for broken in (data[:-40], b"x" * 50 + data, base64.b64encode(data), data[: len(data) // 2]):
        backend = Vendor(url="http://127.0.0.1:9/", api_key=fm.Secret(KEY))
        said = everything(backend, (broken, noise(8)))
        assert "InvalidImage" in said["error"]
        assert leaks(said, data) == {}


def test_the_error_of_a_picture_that_cannot_be_decoded_holds_nothing_of_it():
    broken = bytearray(small_picture(kind="PNG", size=(400, 300)).data)
    middle = broken.index(b"IDAT") + 6
    data = resealed(bytes(broken[:middle]) + b"\x00" + bytes(broken[middle + 1 :]))
    with fm.open_verifier("local") as verifier:
        pairs = [(small_picture(), fm.Image.from_bytes(data))]
        (error,) = (outcome.error for outcome in verifier.verify_many(pairs))
    assert error.picture == "reference"
    assert (error.__cause__, error.__context__, error.__traceback__) == (None, None, None)
    assert not [thing for thing in gc.get_referents(error) if isinstance(thing, bytes)]
