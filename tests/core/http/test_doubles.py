"""Test doubles of others (responses, adapters of requests) in place of the network."""

import io

import pytest
import requests
import responses
import urllib3
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3.exceptions import MaxRetryError, NewConnectionError

from facematch_core import OutcomeUnknown, VendorUnavailable

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
