"""Test doubles of others (responses, adapters of requests) in place of the network."""

import io

import pytest
import requests
import responses
import urllib3
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3.exceptions import MaxRetryError, NewConnectionError

from facematch_core import OutcomeUnknown, VendorUnavailable
from facematch_core.errors import DeadlineExceeded
from facematch_core.http import HttpClient

URL = "https://api.acme.example/compare"


@responses.activate
def test_responses_works(ask):
    """A canned answer; `on_sent` is called although no byte leaves."""
    responses.post(URL, json={"same": True}, headers={"X-A": "b"})
    outcome = ask(URL)
    assert (outcome.reply.status, outcome.reply.json()) == (200, {"same": True})
    assert outcome.reply.headers["x-a"] == "b"
    assert outcome.sent == 1


@responses.activate
@pytest.mark.parametrize(
    ("body", "error", "sent"),
    [
        (requests.ConnectTimeout(), VendorUnavailable, 0),
        (requests.ReadTimeout(), OutcomeUnknown, 1),
        (requests.ConnectionError("reset"), OutcomeUnknown, 1),
        (requests.exceptions.ChunkedEncodingError("cut"), OutcomeUnknown, 1),
        (RuntimeError("odd"), OutcomeUnknown, 1),
        (
            requests.ConnectionError(MaxRetryError(None, "/", NewConnectionError(None, "refused"))),
            VendorUnavailable,
            0,
        ),
    ],
)
def test_a_double_s_exception(ask, body, error, sent):
    """It cannot prove that nothing left, unless it says that there was no connection."""
    responses.post(URL, body=body)
    outcome = ask(URL)
    assert type(outcome.error) is error
    assert outcome.sent == sent


class InProcess(BaseAdapter):
    """The least that an adapter must do."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def send(self, request, **settings):
        self.seen.append((request.url, settings["timeout"]))
        raw = urllib3.HTTPResponse(body=io.BytesIO(b'{"ok": 1}'), status=200, preload_content=False)
        return HTTPAdapter().build_response(request, raw)

    def close(self):
        pass


def test_a_mounted_adapter_answers_its_addresses(client, ask):
    """Also for a session that is already open; other addresses are not touched."""
    assert type(ask("http://127.0.0.1:1/").error) is VendorUnavailable
    adapter = InProcess()
    client.mount("https://api.acme.example", adapter)
    outcome = ask(URL)
    assert (outcome.reply.json(), outcome.sent) == ({"ok": 1}, 1)
    assert adapter.seen == [(URL, (20.0, 20.0))]
    assert type(ask("http://127.0.0.1:1/").error) is VendorUnavailable


class Clock:
    """Time that passes when a double says so."""

    at = 100.0

    def monotonic(self):
        return self.at


class Slow(InProcess):
    """Answers at some time, and then a byte at a time."""

    def __init__(self, clock, *, head_s=0.0, byte_s=0.0, patient=True):
        super().__init__()
        self.clock, self.head_s, self.byte_s, self.patient = clock, head_s, byte_s, patient

    def send(self, request, **settings):
        response = super().send(request, **settings)
        patience_s = settings["timeout"][1]
        if self.patient and self.head_s >= patience_s:
            self.clock.at += patience_s
            raise requests.ReadTimeout
        self.clock.at += self.head_s
        if self.byte_s:
            response.raw = urllib3.HTTPResponse(body=Dribble(self), preload_content=False)
        return response


class Dribble(io.RawIOBase):
    """A body without an end."""

    def __init__(self, slow):
        self.slow = slow
        self.given = 0

    def readable(self):
        return True

    def readinto(self, buffer):
        self.slow.clock.at += self.slow.byte_s
        self.given += 1
        if self.given > 1000:
            raise AssertionError("nobody looks at the clock")
        buffer[:1] = b" "
        return 1


@pytest.mark.parametrize(
    ("slow", "ends_after_s"),
    [
        ({"head_s": 3600.0}, 5.0),
        ({"head_s": 9.0, "patient": False}, 9.0),
        ({"byte_s": 0.25}, 5.0),
        ({"head_s": 4.0, "byte_s": 0.75}, 5.5),
    ],
    ids=["late", "late and deaf", "dribbling", "both"],
)
def test_a_deadline_holds_for_a_double(ask, slow, ends_after_s):
    """It is given no more time than is left, and its body is not waited for byte after byte."""
    clock = Clock()
    client, adapter = HttpClient(clock=clock), Slow(clock, **slow)
    client.mount("https://api.acme.example", adapter)
    outcome = ask(URL, by=client, deadline_s=5.0)
    assert type(outcome.error) is DeadlineExceeded
    assert (outcome.sent, clock.at) == (1, 100.0 + ends_after_s)
    assert adapter.seen == [(URL, (5.0, 5.0))]


def test_a_time_out_of_a_double_is_no_deadline(ask):
    """What ends before the deadline has another reason."""
    clock = Clock()
    client = HttpClient(clock=clock, read_timeout_s=2.0)
    client.mount("https://api.acme.example", Slow(clock, head_s=3600.0))
    outcome = ask(URL, by=client, deadline_s=5.0)
    assert type(outcome.error) is OutcomeUnknown
    assert "took too long" in outcome.error.message


def test_a_double_in_time_is_heard_to_its_end(ask):
    """A deadline that has not passed changes nothing."""
    clock = Clock()
    client = HttpClient(clock=clock)
    client.mount("https://api.acme.example", Slow(clock, head_s=4.0))
    assert ask(URL, by=client, deadline_s=5.0).reply.json() == {"ok": 1}
