"""What becomes of a request, decided once for every front, and how its answer leaves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facematch_mock_server.base.messages import HEADER_VALUE, Request, Response
from facematch_mock_server.http import exchange


def post():
    return Request(method="POST", target="/x", body=b"abc")


@pytest.mark.parametrize("name", ["begin", "handle", "too_large"])
def test_engine_exception_is_logged_and_becomes_a_500_without_details(
    make_engine, make_fault, name, caplog
):
    engine = make_engine(make_fault("answer.html"))

    def fail(*_):
        raise KeyError("secret-key")

    setattr(engine, name, fail)
    answers = {
        "begin": lambda: exchange.ask(engine.begin, post()),
        "handle": lambda: exchange.carry_out(engine, post()).response,
        "too_large": lambda: exchange.ask(engine.too_large, post()),
    }
    response = answers[name]()
    assert response.status == 500
    assert b"secret-key" not in response.body
    assert "KeyError" in caplog.text


#: Mostly what is at the edges of the patterns.
VALUES = st.text(st.sampled_from("a~! \t\r\n\x00\x0b\x1f\x7f\x80\xa0\xff") | st.characters())
EDGES = ("", " ", "a b", " a", "a ")


@given(VALUES)
def test_only_responses_with_valid_header_values_are_sent(make_engine, value):
    """No value gets by that would break the framing, and none is held back that would not."""
    for sent in (value, *EDGES):
        engine = make_engine()
        engine.handle = lambda _, sent=sent: Response(status=200, headers=(("X", sent),))
        status = exchange.carry_out(engine, post()).response.status
        assert status == (500 if HEADER_VALUE.fullmatch(sent) is None else 200)
