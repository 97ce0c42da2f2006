import pytest
from kit import mock_didit as didit
from kit.mock_didit import MATCH_PATH, didit_request

WORDS = "{} rate limit exceeded. You can make up to {} requests per minute."


def headers(response):
    names = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "Retry-After")
    return [response.header(name) for name in names]


@pytest.mark.parametrize(
    ("method", "limit", "words"), [("POST", 300, "Write request"), ("GET", 600, "GET request")]
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
