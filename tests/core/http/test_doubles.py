"""Test doubles of others (responses, adapters of requests) in place of the network."""

import pytest
import requests
import responses
from urllib3.exceptions import MaxRetryError, NewConnectionError

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
