import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit import mock_didit as didit
from kit.mock_didit import MATCH_PATH, control_request, didit_request, match_request

from facematch_mock_server.world.services import Rates

WORDS = "{} rate limit exceeded. You can make up to {} requests per minute."


def headers(response):
    names = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "Retry-After")
    return [response.header(name) for name in names]


@pytest.mark.parametrize(
    ("method", "limit", "words"),
    [("POST", 300, "Write request"), ("GET", 600, "GET request")],
)
def test_one_more_than_the_limit_in_a_minute_is_refused_in_the_words_of_its_scope(
    method, limit, words
):
    engine = didit.new_engine()
    sent = didit_request(MATCH_PATH, method=method)
    first = engine.handle(sent)
    assert first.status != 429
    assert headers(first) == [None] * 4
    for _ in range(limit - 1):
        assert engine.handle(sent).status != 429
    refused = engine.handle(sent)
    assert refused.status == 429
    assert refused.json() == {"detail": WORDS.format(words, limit)}
    assert headers(refused) == [str(limit), "0", "1782983788", "60"]


def test_post_patch_and_delete_share_a_window_and_get_has_its_own(ask):
    steps = [control_request("limits", {"write": 2, "get": 1})]
    steps += [didit_request(MATCH_PATH, method=method) for method in ("PATCH", "DELETE", "GET")]
    assert ask(*steps)[0] == 405
    assert ask(*steps, match_request())[0] == 429


def test_a_place_is_free_again_a_minute_after_it_was_taken_and_not_before():
    engine = didit.new_engine(switches={"write_limit": 2})
    for wait, status, retry in (
        (0, 200, None),
        (40, 200, None),
        (19.5, 429, "1"),
        (0.5, 200, None),
    ):
        engine.world.clock.advance(wait)
        response = engine.handle(match_request())
        assert (response.status, response.header("Retry-After")) == (status, retry)
    assert engine.handle(match_request()).header("Retry-After") == "40"


def test_each_key_is_counted_by_itself_and_without_one_the_first_hop():
    engine = didit.new_engine(switches={"write_limit": 1})
    first = {"x_forwarded_for": "198.51.100.1, 10.0.0.1"}
    for more, key, status in (
        ({}, "mock-live-key", 400),
        ({}, "mock-live-key", 429),
        (first, "mock-live-key", 429),
        ({}, "mock-sandbox-key", 400),
        ({}, "wrong", 401),
        ({}, "wrong", 429),
        (first, None, 403),
        ({"x_forwarded_for": "198.51.100.1"}, None, 429),
        ({"x_forwarded_for": "198.51.100.2"}, None, 403),
        ({}, None, 403),
        ({}, None, 429),
    ):
        assert engine.handle(didit_request(MATCH_PATH, key=key, **more)).status == status


@pytest.mark.parametrize(
    "step",
    [
        match_request(),
        didit_request("/v3/billing/balance/", method="GET"),
        didit_request("/v3/nothing/"),
    ],
    ids=["200", "balance", "404"],
)
def test_only_a_429_has_headers_of_limits(ask, step):
    names = [name.lower() for name, _ in ask(step)[2].headers]
    assert not [name for name in names if "ratelimit" in name or name == "retry-after"]


@given(
    limit=st.integers(0, 5),
    gaps=st.lists(st.floats(0, 90, allow_nan=False), max_size=30),
)
def test_no_60_seconds_hold_more_than_the_limit(limit, gaps):
    rates, now, taken = Rates({"write": limit}), 0.0, []
    for gap in gaps:
        now += gap
        refused = rates.take({"write": 60}, "me", now=now)
        recent = [at for at in taken if at > now - 60]
        assert (refused is not None) is (len(recent) == limit)
        if refused is None:
            taken.append(now)
        else:
            assert refused[1].retry_after >= 1
