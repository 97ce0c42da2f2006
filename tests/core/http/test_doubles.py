"""Test doubles of others (responses, adapters of requests) in place of the network."""

import io

import pytest
import requests
import responses
import urllib3
from kit.rawserver import RawServer, http_reply, read_request, send, start_tls
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3.exceptions import MaxRetryError, NewConnectionError

from facematch_core.errors import DeadlineExceeded, OutcomeUnknown
from facematch_core.http import HttpRequest

FORM = "application/x-www-form-urlencoded"
URL = "https://api.acme.example/compare"


@responses.activate
@pytest.mark.parametrize(
    ("body", "may_be_sent"),
    [
        (requests.ConnectTimeout(), False),
        (
            requests.ConnectionError(MaxRetryError(None, "/", NewConnectionError(None, "refused"))),
            False,
        ),
        (requests.ReadTimeout(), True),
        (requests.ConnectionError("reset"), True),
        (requests.exceptions.ChunkedEncodingError("cut"), True),
        (RuntimeError("odd"), True),
    ],
)
def test_exception_of_a_test_double_is_unknown_unless_not_connected(ask, body, may_be_sent):
    responses.post(URL, body=body)
    outcome = ask(URL)
    assert outcome.unknown() if may_be_sent else outcome.not_sent()


class Endless(io.RawIOBase):
    """A body without an end, of which each byte takes a quarter of a second."""

    def __init__(self, clock):
        self.clock = clock

    def readable(self):
        return True

    def readinto(self, buffer):
        self.clock.advance(0.25)
        assert self.clock.monotonic() < 100, "nobody looks at the clock"
        buffer[:1] = b" "
        return 1


class Double(BaseAdapter):
    """Gives no answer within its timeout, or an endless one."""

    def __init__(self, clock, *, answers):
        super().__init__()
        self.clock = clock
        self.answers = answers
        self.timeouts = []

    def send(self, request, *, timeout, **_):
        self.timeouts.append(timeout)
        if not self.answers:
            self.clock.advance(timeout[1])
            raise requests.ReadTimeout
        raw = urllib3.HTTPResponse(body=Endless(self.clock), status=200, preload_content=False)
        return HTTPAdapter().build_response(request, raw)

    def close(self):
        pass


@pytest.mark.parametrize("raw", [None, io.BytesIO(b"read before")], ids=["none", "no stream"])
def test_response_of_a_double_needs_a_body_and_no_stream(ask, open_client, raw):
    class Handwritten(BaseAdapter):
        def send(self, request, **_):
            response = requests.Response()
            response.status_code = 429
            response.headers["Retry-After"] = "7"
            response.raw = raw
            response._content = b'{"same": true}'  # noqa: SLF001 - as other doubles do
            return response

        def close(self):
            pass

    client = open_client()
    client.mount("https://api.acme.example", Handwritten())
    reply = ask(URL, http_client=client).reply
    assert (reply.status, reply.json()) == (429, {"same": True})
    assert reply.headers["Retry-After"] == "7"


@pytest.mark.parametrize(
    ("answers", "read_timeout_s", "error", "ends_after_s"),
    [
        (False, 20.0, DeadlineExceeded, 5.0),
        (True, 20.0, DeadlineExceeded, 5.0),
        (False, 2.0, OutcomeUnknown, 2.0),
    ],
)
def test_deadline_and_timeout_apply_to_test_doubles(  # noqa: PLR0917 - fixtures and parameters
    ask, open_client, clock, answers, read_timeout_s, error, ends_after_s
):
    client = open_client(clock=clock, read_timeout_s=read_timeout_s)
    double = Double(clock, answers=answers)
    client.mount("https://api.acme.example", double)
    ask(URL, http_client=client, deadline_s=5.0).unknown(error)
    assert clock.monotonic() == ends_after_s
    assert double.timeouts == [(5.0, min(5.0, read_timeout_s))]


@pytest.mark.parametrize(
    ("parts", "sent_body"),
    [
        ({"fields": {"a": "é"}}, "a=%C3%A9"),
        ({"fields": {"a": "b"}, "headers": {"content-type": f"{FORM}; charset=utf-8"}}, "a=b"),
        ({"body": b"\xff\xfe", "headers": {"Content-Type": FORM}}, b"\xff\xfe"),
    ],
)
def test_double_receives_forms_as_text_and_raw_bodies_unchanged(ask, parts, sent_body):
    with responses.RequestsMock() as doubles:
        doubles.post(URL, json={})
        assert ask(URL, request=HttpRequest(url=URL, **parts)).error is None
        assert doubles.calls[0].request.body == sent_body


def test_wrapper_that_hides_what_it_wraps_keeps_proxy_and_certificates(
    ask, trusting, server_context, monkeypatch
):
    plain_send = requests.Session.send
    sent_urls = []

    def noting_send(session, request, **options):
        sent_urls.append(request.url)
        return plain_send(session, request, **options)

    monkeypatch.setattr(requests.Session, "send", noting_send)
    tunnel = send(b"HTTP/1.1 200 Connection established\r\n\r\n")
    answer = send(http_reply(302, b"{}", "Location: https://vendor.example/other"))
    script = [read_request, tunnel, start_tls(server_context), read_request, answer]
    with RawServer(script) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        outcome = ask("https://vendor.example/compare", http_client=trusting)
    assert (outcome.reply.status, outcome.sent) == (302, 1)
    assert sent_urls == ["https://vendor.example/compare"]
