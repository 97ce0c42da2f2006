"""No key, no picture and no caller's data in any error, traceback, log record or pickle.

Of the HTTP client alone: tests/privacy has the same of verifiers and sessions.
"""

import gc
import logging
import pickle
import traceback

import pytest
from kit.acme import ACME_KEY
from kit.rawserver import (
    RawServer,
    close,
    closed_port,
    dribble,
    hold,
    http_reply,
    read_bytes,
    read_request,
    reset,
    send,
)
from kit.traces import inside
from requests import Session
from urllib3.connection import HTTPConnection

from facematch_core import Secret
from facematch_core.base.deadline import Deadline
from facematch_core.errors import FaceMatchError
from facematch_core.http import FilePart, HttpRequest
from facematch_core.testing import find_leaks

FIELD = "canary-of-a-caller-0123456789"
PIECE = bytes(range(60, 100))
PICTURE = b"\xff\xd8canary-of-a-picture-" + bytes(range(256)) * 200
CANARIES = (ACME_KEY, FIELD, b"canary-of-a-picture-", PIECE)


def hits(texts):
    """Which canaries are in texts or bytes, in whatever form."""
    pieces = []
    for text in texts:
        pieces.append(text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text)
    joined = b"\n".join(pieces)
    return [canary for canary in CANARIES if find_leaks(canary, joined)]


@pytest.fixture
def secret_request():
    """A request with a key, a picture and a caller's field."""

    def make(url, **changes):
        part = FilePart(name="probe", filename="p.jpg", content_type="image/jpeg", data=PICTURE)
        key = Secret(ACME_KEY)
        settings = {"headers": {"X-Api-Key": key}, "params": {"key": key}, "fields": {"ref": FIELD}}
        return HttpRequest(url=url, files=[part], **settings | changes)

    return make


def of_records(records):
    """What a log shows of them, and what hangs on their arguments."""
    for record in records:
        yield logging.Formatter().format(record)
        yield from inside(record.args)


def check(error, records=()):
    """Nothing in the error, what hangs on it, the variables of its frames, and what was logged."""
    assert (error.__context__, error.__cause__) == (None, None)
    lines = traceback.TracebackException.from_exception(error, capture_locals=True).format()
    assert hits([str(error), repr(error), pickle.dumps(error)]) == []
    assert hits(lines) == []
    assert hits(of_records(records)) == []
    for frame, _ in traceback.walk_tb(error.__traceback__):
        module = frame.f_globals["__name__"]
        if module == __name__:
            continue
        # No frame of requests, urllib3 or http.client is kept at all.
        assert module.startswith("facematch_core."), module
        for name, value in frame.f_locals.items():
            assert hits(inside(value)) == [], (frame.f_code.co_name, name)


OK_HEAD = b"HTTP/1.1 200 OK\r\n"
SCRIPTS = {
    "goes at once": [close],
    "resets within the upload": [read_bytes(5000), reset],
    "garbage": [read_request, send(b"garbage\r\n\r\n")],
    "cut off": [read_request, send(http_reply(200, b"{", length=9))],
    "no size": [read_request, send(OK_HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n")],
    "a bomb": [read_request, send(http_reply(200, b"x" * 2_000_000))],
    "not gzip": [read_request, send(http_reply(200, b"x", "Content-Encoding: gzip"))],
    "silence": [read_request, hold],
    "dribbling": [read_request, dribble(OK_HEAD * 99, 0.02)],
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_http_client_errors_leak_nothing(name, client, secret_request, caplog):
    caplog.set_level(logging.DEBUG)
    endless = hold in SCRIPTS[name] or name == "dribbling"
    with RawServer(SCRIPTS[name]) as server:
        request = secret_request(server.url)
        try:
            raise RuntimeError("the caller is busy with this one")
        except RuntimeError:
            with pytest.raises(FaceMatchError) as caught:
                client.send(
                    request, backend="acme", deadline=Deadline.after(0.2 if endless else None)
                )
    del request
    check(caught.value, caplog.records)


@pytest.mark.parametrize(
    "changes",
    [
        {"headers": {"X-Api-Key": Secret(FIELD + "\n")}},
        {"headers": {"X Key": Secret(FIELD)}},
        {"fields": {"ref": FIELD, "bad": object()}},
        {"params": {FIELD: "\ud800"}},
        {"params": {"key": Secret(FIELD + "\ud800")}},
    ],
)
def test_errors_before_sending_leak_nothing(changes, client, secret_request, caplog):
    caplog.set_level(logging.DEBUG)
    request = secret_request("http://127.0.0.1:1/", **changes)
    with pytest.raises(FaceMatchError) as caught:
        client.send(request, backend="acme")
    del request, changes
    check(caught.value, caplog.records)


def test_connection_errors_leak_nothing(client, secret_request, caplog, server_context):
    caplog.set_level(logging.DEBUG)
    with closed_port() as port, RawServer([hold], tls=server_context) as server:
        for url in (f"http://127.0.0.1:{port}/", "http://no-such-host.invalid/", server.url):
            with pytest.raises(FaceMatchError) as caught:
                client.send(secret_request(url), backend="acme")
            check(caught.value, caplog.records)


def test_successful_call_logs_and_retains_no_secrets(client, secret_request, caplog):
    caplog.set_level(logging.DEBUG)
    with RawServer([read_request, send(http_reply(200, b"{}")), hold]) as server:
        request = secret_request(server.url)
        reply = client.send(request, backend="acme")
        assert hits(of_records(caplog.records)) == []
        assert hits(map(repr, [reply, request, request.encoded(), request.files])) == []
        connections = [
            instance
            for instance in gc.get_objects()
            if isinstance(instance, (Session, HTTPConnection))
        ]
        assert any(
            isinstance(instance, HTTPConnection) and instance.sock for instance in connections
        )
        assert hits(inside([reply, client, connections])) == []
