"""The quick looks at header values say what the patterns say."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from facematch_mock_server.http import client as prepared
from facematch_mock_server.http import exchange
from facematch_mock_server.messages import Head

#: Mostly what stands at the edges of the patterns.
VALUES = st.text(st.sampled_from("a~! \t\r\n\x00\x0b\x1f\x7f\x80\xa0\xff") | st.characters())


@given(VALUES)
@example("")
@example(" ")
@example("a b")
@example(" a")
@example("a ")
def test_an_answer_has_the_values_that_the_pattern_takes(value: str) -> None:
    """No value gets by that would break the framing, and none is held back that would not."""
    taken = exchange._VALUE.fullmatch(value) is not None
    assert exchange._is_value(value) is taken


@given(VALUES.filter(lambda value: all(ord(character) < 256 for character in value)))
@example("")
@example(" ")
@example(" a")
@example("a ")
def test_a_request_has_the_values_that_h11_takes(value: str) -> None:
    """In process a head is refused exactly where h11 refuses its value."""
    taken = prepared._VALUE.fullmatch(value.encode("latin-1"))
    head = Head(method="GET", target="/", headers=(("x", value),))
    assert prepared.refused_head(head) == (None if taken else 400)
