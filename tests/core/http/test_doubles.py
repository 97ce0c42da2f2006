"""Test doubles of others (responses, adapters of requests) in place of the network."""

import io

import pytest
import requests
import responses
import urllib3
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3.exceptions import MaxRetryError, NewConnectionError

from facematch_core.errors import DeadlineExceeded

URL = "https://api.acme.example/compare"


@responses.activate
@pytest.mark.parametrize(
    ("body", "sent"),
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
def test_a_double_s_exception_is_unknown_unless_nothing_was_reached(ask, body, sent):
    responses.post(URL, body=body)
    outcome = ask(URL)
    assert outcome.unknown() if sent else outcome.not_sent()


class Double(BaseAdapter):
    """Answers after some time, and perhaps a byte at a time without an end."""

    def __init__(self, clock, *, head_s=0.0, byte_s=0.0, patient=True):
        super().__init__()
        self.clock, self.head_s, self.byte_s, self.patient = clock, head_s, byte_s, patient
        self.seen = []

    def send(self, request, **settings):
        self.seen.append((request.url, settings["timeout"]))
        patience_s = settings["timeout"][1]
        if self.patient and self.head_s >= patience_s:
            self.clock.advance(patience_s)
            raise requests.ReadTimeout
        self.clock.advance(self.head_s)
        body = Dribble(self) if self.byte_s else io.BytesIO(b'{"ok": 1}')
        raw = urllib3.HTTPResponse(body=body, status=200, preload_content=False)
        return HTTPAdapter().build_response(request, raw)

    def close(self):
        pass


class Dribble(io.RawIOBase):
    """A body without an end."""

    def __init__(self, double):
        self.double = double
        self.count = 0

    def readable(self):
        return True

    def readinto(self, buffer):
        self.double.clock.advance(self.double.byte_s)
        self.count += 1
        assert self.count < 1000, "nobody looks at the clock"
        buffer[:1] = b" "
        return 1


@pytest.fixture
def doubled(ask, open_client, clock):
    """Asks a double that is mounted: the outcome, the double and the client."""

    def send(*, read_timeout_s=20.0, times=None, **slow):
        client, adapter = (
            open_client(clock=clock, read_timeout_s=read_timeout_s),
            Double(clock, **slow),
        )
        client.mount("https://api.acme.example", adapter)
        return ask(URL, by=client, **times or {}), adapter, client

    return send


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
def test_a_deadline_holds_for_a_double(doubled, clock, slow, ends_after_s):
    outcome, adapter, _ = doubled(times={"deadline_s": 5.0}, **slow)
    outcome.unknown(DeadlineExceeded)
    assert clock.monotonic() == ends_after_s
    assert adapter.seen == [(URL, (5.0, 5.0))]


def test_a_time_out_of_a_double_is_no_deadline(doubled):
    outcome, _, _ = doubled(times={"deadline_s": 5.0}, read_timeout_s=2.0, head_s=3600.0)
    assert "took too long" in outcome.unknown().message
