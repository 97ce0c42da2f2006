"""Rate limits: windows, words and headers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit import mock_didit as didit
from kit.mock_didit import MATCH, control, match, request

from facematch_mock_server.services import Rates

WORDS = "{} rate limit exceeded. You can make up to {} requests per minute."


def headers(response):
    """The rate headers of an answer."""
    names = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "Retry-After")
    return [response.header(name) for name in names]


@pytest.mark.parametrize(
    ("edition", "method", "limit", "words"),
    [
        ("2026-07", "POST", 300, "Write request"),
        ("2026-07", "DELETE", 300, "Write request"),
        ("2026-07", "GET", 600, "GET request"),
        ("2026-03", "GET", 300, "GET request"),
    ],
)
def test_the_limit(edition, method, limit, words):
    """One more than the limit in a minute is refused, in the words of its scope."""
    engine = didit.new_engine(edition=edition)
    sent = request(MATCH, method=method)
    first = engine.handle(sent)
    assert first.status != 429
    assert headers(first) == [None] * 4
    for _ in range(limit - 1):
        assert engine.handle(sent).status != 429
    refused = engine.handle(sent)
    assert refused.status == 429
    assert refused.json() == {"detail": WORDS.format(words, limit)}
    assert headers(refused) == [str(limit), "0", "1782983788", "60"]


def test_writes_share_a_window(ask):
    """POST, PATCH and DELETE count together, GET apart."""
    steps = [control("limits", {"write": 2, "get": 1})]
    steps += [request(MATCH, method=method) for method in ("PATCH", "DELETE", "GET")]
    assert ask(*steps)[0] == 405
    assert ask(*steps, match())[0] == 429


def test_the_window_slides():
    """A place is free again a minute after it was taken, and not before."""
    engine = didit.new_engine(switches={"write_limit": 2})
    for wait, status, retry in (
        (0, 200, None),
        (40, 200, None),
        (19.5, 429, "1"),
        (0.5, 200, None),
    ):
        engine.world.clock.advance(wait)
        response = engine.handle(match())
        assert (response.status, response.header("Retry-After")) == (status, retry)
    assert engine.handle(match()).header("Retry-After") == "40"


def test_who_is_counted():
    """Each key by itself; without one the first hop, else the address."""
    engine = didit.new_engine(switches={"write_limit": 1})
    first = {"x_forwarded_for": "198.51.100.1, 10.0.0.1"}
    for more, key, status in (
        ({}, "mock-live-key", 400),
        ({}, "mock-live-key", 429),
        (first, "mock-live-key", 429),
        ({}, "mock-sandbox-key", 400),
        ({}, "wrong", 403),
        ({}, "wrong", 429),
        (first, None, 403),
        ({"x_forwarded_for": "198.51.100.1"}, None, 429),
        ({"x_forwarded_for": "198.51.100.2"}, None, 403),
        ({}, None, 403),
        ({}, None, 429),
    ):
        assert engine.handle(request(MATCH, key=key, **more)).status == status


def test_no_limit(ask):
    """Without a limit there are no headers."""
    assert headers(ask(match(), switches={"write_limit": None})[2]) == [None] * 4


@given(
    limit=st.integers(0, 5),
    gaps=st.lists(st.floats(0, 90, allow_nan=False), max_size=30),
)
def test_never_more_than_the_limit_in_a_window(limit, gaps):
    """Whatever the rhythm, no 60 seconds hold more than the limit."""
    rates, now, taken = Rates({"write": limit}), 0.0, []
    for gap in gaps:
        now += gap
        window = rates.take("write", "me", now=now, window_s=60)
        assert window.retry_after >= 1
        if not window.refused:
            taken.append(now)
        recent = [at for at in taken if at > now - 60]
        assert len(recent) <= limit
        assert window.remaining == limit - len(recent)


def test_strangers_are_forgotten():
    """However many clients come, what is remembered stays bounded."""
    rates = Rates({"write": 1})
    for number in range(10_050):
        rates.take("write", str(number), now=0.0, window_s=60)
    assert len(rates._seen) == 10_000
