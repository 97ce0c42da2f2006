"""No key, no picture and no caller's data in any error, traceback, log record or pickle."""

import base64
import gc
import io
import logging
import pickle
import traceback
import tracemalloc
import types
from urllib.parse import quote

import attrs
import pytest
from kit.fakes import picture
from kit.rawserver import (
    RawServer,
    answer,
    close,
    dribble,
    hold,
    read,
    read_request,
    refused,
    reset,
    send,
)

from facematch_core import FaceVerifier, Image, OutcomeUnknown, RequestRejected, Secret, transport
from facematch_core.backend import MatchCall
from facematch_core.errors import FaceMatchError
from facematch_core.http import FilePart, HttpClient, HttpRequest

FIELD = "canary-of-a-caller-0123456789"


def forms(canary):
    """A canary raw, in hex, URL-escaped, and as any base64 text around it would have it."""
    made = {canary, canary.hex().encode(), canary.hex().upper().encode()}
    made |= {quote(canary).encode(), repr(canary)[2:-1].encode()}
    for offset in range(3):
        # The characters at both ends depend on what stands beside the canary.
        text = base64.b64encode(b"\0" * offset + canary)
        made.add(text[4:-4] if offset else text[:-4])
    return made


@pytest.fixture
def hits(key):
    """How many canaries a text or bytes hold."""
    start = bytes(range(60, 100))
    needles = set().union(*map(forms, (key.encode(), b"canary-of-a-picture-", start)))
    needles |= forms(FIELD.encode())

    def count(data):
        if isinstance(data, str):
            data = data.encode("utf-8", "surrogateescape")
        return [needle for needle in needles if needle in data]

    return count


@pytest.fixture
def secret_request(request_to, key):
    """A request with a key, a picture and a caller's field."""
    data = b"\xff\xd8canary-of-a-picture-" + bytes(range(256)) * 200

    def make(url, **more):
        part = FilePart(name="probe", filename="p.jpg", content_type="image/jpeg", data=data)
        settings = {"headers": {"X-Api-Key": Secret(key)}, "fields": {"ref": FIELD}, **more}
        return HttpRequest(url=url, files=[part], **settings)

    return make


def inside(value, seen, depth=0):
    """Every text and every piece of bytes that can be reached from `value`, secrets left out."""
    if id(value) in seen or depth > 12:
        return
    seen[id(value)] = value
    if isinstance(value, str):
        yield value
    elif isinstance(value, (bytes, bytearray)):
        yield bytes(value)
    elif isinstance(value, memoryview):
        yield value.tobytes()
    elif isinstance(value, io.BytesIO):
        yield value.getvalue()
    elif isinstance(value, (Secret, type, types.ModuleType, types.FrameType, types.CodeType)):
        return
    elif isinstance(value, types.FunctionType):
        for cell in value.__closure__ or ():
            yield from inside(cell, seen, depth + 1)
    else:
        for child in gc.get_referents(value):
            yield from inside(child, seen, depth + 1)


def frames(error):
    """The frames of a traceback that belong to the library."""
    walked = error.__traceback__
    while walked is not None:
        name = walked.tb_frame.f_globals.get("__name__", "")
        if not name.startswith("test_") and "conftest" not in name and "tests." not in name:
            yield walked.tb_frame
        walked = walked.tb_next


def check(error, hits, records, *, deep=("",)):
    """Nothing in the error, what hangs on it, and what was logged.

    Frames of modules whose name has one of `deep` are searched through and through; the others (of
    the verifier, which holds the caller's pictures while it runs) as far as they show themselves.
    """
    assert (error.__context__, error.__cause__) == (None, None)
    assert hits(str(error)) == []
    assert hits(repr(error)) == []
    assert hits(pickle.dumps(error)) == []
    shown = "".join(
        traceback.TracebackException.from_exception(error, capture_locals=True).format()
    )
    assert hits(shown) == []
    for frame in frames(error):
        # No frame of requests, urllib3 or http.client is kept at all.
        module = frame.f_globals["__name__"]
        assert module.startswith("facematch_core."), module
        if not any(part in module for part in deep):
            continue
        for name, value in frame.f_locals.items():
            for text in inside(value, {}):
                assert hits(text) == [], (frame.f_code.co_name, name)
    formatter = logging.Formatter()
    for record in records:
        assert hits(formatter.format(record)) == []
        for text in inside(record.args, {}):
            assert hits(text) == [], record


OK_HEAD = b"HTTP/1.1 200 OK\r\n"
SCRIPTS = {
    "goes at once": [close],
    "resets within the upload": [read(5000), reset],
    "closes after the upload": [read_request, close],
    "garbage": [read_request, send(b"garbage\r\n\r\n")],
    "headers that do not parse": [read_request, send(OK_HEAD + b"no colon\r\nX: y\r\n\r\n"), reset],
    "two lengths": [read_request, send(answer(200, b"{}", "Content-Length: 7"))],
    "cut off": [read_request, send(answer(200, b"{", length=9))],
    "a chunk of no size": [
        read_request,
        send(OK_HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
    ],
    "a bomb": [read_request, send(answer(200, b"x" * 2_000_000))],
    "not gzip": [read_request, send(answer(200, b"x", "Content-Encoding: gzip"))],
    "silence": [read_request, hold],
    "dribbling": [read_request, dribble(OK_HEAD * 99, 0.02)],
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_client_s_errors_hold_nothing(name, client, secret_request, hits, caplog):
    """Wherever it breaks; also inside an except block of the caller."""
    caplog.set_level(logging.DEBUG)
    with RawServer(SCRIPTS[name]) as server:
        request = secret_request(server.url)
        try:
            raise RuntimeError("the caller is busy with this one")
        except RuntimeError:
            with pytest.raises(FaceMatchError) as caught:
                client.send(request, backend="acme", deadline_s=0.5)
    del request
    check(caught.value, hits, caplog.records)


@pytest.mark.parametrize(
    "more",
    [
        {"headers": {"X-Api-Key": Secret(FIELD + "\n")}},
        {"headers": {"X Key": Secret(FIELD)}},
        {"fields": {"ref": FIELD, "bad": object()}},
        {"params": {FIELD: "\ud800"}},
    ],
)
def test_errors_before_sending_hold_nothing(more, client, secret_request, hits, caplog):
    """A request that cannot be put into HTTP."""
    caplog.set_level(logging.DEBUG)
    request = secret_request("http://127.0.0.1:1/", **more)
    with pytest.raises(FaceMatchError) as caught:
        client.send(request, backend="acme")
    del request, more
    check(caught.value, hits, caplog.records)


def test_connection_errors_hold_nothing(client, secret_request, hits, caplog, server_context):
    """Refused, a name that is unknown, a certificate that is not trusted."""
    caplog.set_level(logging.DEBUG)
    with refused() as port, RawServer([hold], tls=server_context) as server:
        for url in (f"http://127.0.0.1:{port}/", "http://no-such-host.invalid/", server.url):
            with pytest.raises(FaceMatchError) as caught:
                client.send(secret_request(url), backend="acme")
            check(caught.value, hits, caplog.records)


def test_an_interrupt_holds_nothing(client, secret_request, hits, monkeypatch):
    """Ctrl-C in the middle of the exchange: reporters of crashes show local variables."""

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(transport, "read_body", interrupted)
    with RawServer([read_request, send(answer(200))]) as server:
        request = secret_request(server.url)
        with pytest.raises(KeyboardInterrupt) as caught:
            client.send(request, backend="acme")
    del request
    check(caught.value, hits, [])


def test_a_good_call_logs_nothing(client, secret_request, hits, caplog):
    """At DEBUG, of ours, of requests and of urllib3; and the open client holds nothing back."""
    caplog.set_level(logging.DEBUG)
    with RawServer([read_request, send(answer(200, b"{}")), hold]) as server:
        reply = client.send(secret_request(server.url), backend="acme")
        assert any(record.name.startswith("urllib3") for record in caplog.records)
        for record in caplog.records:
            assert hits(logging.Formatter().format(record)) == []
        assert hits(repr(reply)) == []
        for held in (reply, client, *client._sessions.values()):
            for text in inside(held, {}):
                assert hits(text) == []


#: Status and body; ``%s`` stands for the key.
BAD_ANSWERS = {
    "no key": (401, b'{"detail": "no"}'),
    "an echo": (400, b'{"detail": "%s"}'),
    "markup": (502, b"<html>%s</html>"),
    "not JSON": (200, b"%s"),
    "an unknown word": (200, b'{"same": "%s"}'),
    "another shape": (200, b'["%s"]'),
}


@pytest.fixture
def echo(key):
    """Makes a step that answers, with the key where the body has ``%s``."""
    return lambda status, body: send(answer(status, body.replace(b"%s", key.encode())))


@pytest.mark.parametrize("name", BAD_ANSWERS)
def test_a_backend_s_errors_hold_nothing(name, acme, hits, caplog, echo):
    """Through a verifier, with a vendor that echoes what it got."""
    caplog.set_level(logging.DEBUG)
    data = picture().data + b"canary-of-a-picture-" + bytes(range(60, 100))
    probe, reference = Image.from_bytes(data), Image.from_bytes(data)
    with RawServer([read_request, echo(*BAD_ANSWERS[name])]) as server:
        verifier = FaceVerifier(acme(server.url))
        with pytest.raises(FaceMatchError) as caught:
            verifier.verify(probe, reference)
    del probe, reference, data
    check(caught.value, hits, caplog.records, deep=("transport", ".http", "messages", "refusals"))


def test_an_error_that_parse_raises_holds_nothing(acme, hits, echo):
    """The frames of a plug-in's `parse` hold the reply."""

    class Refusing(type(acme("http://127.0.0.1:1"))):
        def parse(self, call, reply):
            body = reply.json()
            raise RequestRejected("Refused.", field_errors={"key": [body["detail"]]})

    with RawServer([read_request, echo(200, b'{"detail": "%s"}')]) as server:
        backend = acme(server.url, cls=Refusing)
        with pytest.raises(RequestRejected) as caught:
            backend.match(MatchCall(probe=picture(), reference=picture()))
    check(caught.value, hits, [], deep=("transport", ".http", "messages", "refusals"))
    assert caught.value.field_errors == {"key": ("***",)}


def test_the_request_is_freed_at_once(client):
    """A failed call keeps no copy of the pictures alive until the garbage collector comes."""
    part = FilePart(name="a", filename="a.jpg", content_type="image/jpeg", data=b"\xff" * 5_000_000)
    gc.collect()
    gc.disable()
    try:
        with RawServer([read_request, reset]) as server:
            request = HttpRequest(url=server.url, files=[part])
            tracemalloc.start()
            errors = []
            for _ in range(3):
                with pytest.raises(OutcomeUnknown) as caught:
                    client.send(request, backend="acme")
                errors.append(caught.value)
            for connection in server.connections:
                connection.received, connection.requests = b"", []
            held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        gc.enable()
    assert peak > 5_000_000
    assert held < 1_000_000


def test_the_repr_of_what_a_backend_holds(acme, hits):
    """A backend, its client, and a call show no key and no picture."""
    backend = acme("http://127.0.0.1:1")
    call = MatchCall(probe=picture(), reference=picture())
    for held in (backend, backend.client, call, backend.build(call), attrs.asdict(backend)):
        assert hits(repr(held)) == []
    assert isinstance(backend.client, HttpClient)
