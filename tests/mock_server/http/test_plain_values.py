"""What a header may hold: the quick looks say what the pattern and the parser say."""

from __future__ import annotations

import httptools
from hypothesis import example, given
from hypothesis import strategies as st

from facematch_mock_server.http import client as prepared
from facematch_mock_server.http import exchange
from facematch_mock_server.messages import HEADER_VALUE, Head

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
    taken = HEADER_VALUE.fullmatch(value) is not None
    assert exchange._is_value(value) is taken


@given(VALUES.filter(lambda value: all(ord(character) < 256 for character in value)))
@example("")
@example(" ")
@example(" a")
@example("a ")
def test_a_request_has_the_values_that_the_server_takes(value: str) -> None:
    """In process a head is refused exactly where the server's parser refuses its value."""
    head = Head(method="GET", target="/", headers=(("x", value),))
    # A line may be folded, and then begins another header; within a process there are no lines.
    lines = b"GET / HTTP/1.1\r\nx: " + value.encode("latin-1") + b"\r\n\r\n"
    try:
        httptools.HttpRequestParser(object()).feed_data(lines)
        taken = "\n" not in value
    except httptools.HttpParserError:
        taken = False
    assert prepared.refused_head(head) == (None if taken else 400)
