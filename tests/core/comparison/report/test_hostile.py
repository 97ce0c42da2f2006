"""Names of contenders, groups, studies and errors are chosen by others."""

import pytest
from core.comparison.report.reading import at, document, html_of, page
from core.comparison.report.samples import HOSTILE
from hypothesis import given
from hypothesis import strategies as st

from facematch_core.comparison.report._figures import plain
from facematch_core.comparison.report._nodes import Node

#: Also what is half a letter, steers a terminal, or turns a line around.
any_text = st.text() | st.text(st.characters(categories=["Cs", "Cc", "Cf"]))


def test_a_name_is_a_text_and_nothing_else():
    """It ends no element, makes none, and is not run as a template or a formula."""
    html = html_of("hostile")
    assert "<img" not in html
    assert "</script" not in html
    assert html.count("</style>") == 1
    names = {element.name for element in page("hostile").all()}
    assert names <= {element.name for element in page("three").all()}
    assert "49" not in page("hostile").text().partition("Who was tested")[0]


def test_names_are_shown_whole():
    """Two names that differ in their last letter stay apart."""
    (title,) = page("hostile").all("h1")
    assert title.text().endswith(plain(HOSTILE))
    assert "w" * 200 in title.text()


def test_nothing_turns_the_text_around():
    """Neither a control character nor a mark that changes the direction of what follows."""
    html = html_of("hostile")
    assert not {"\u202e", "\u202c", "\x00", "\x07"} & set(html)
    assert "\ufffdturned\ufffd" in html


@given(any_text)
def test_what_is_left_of_a_name(name):
    """As many letters, all of which can be written to a file; letters of scripts stay."""
    shown = plain(name)
    assert len(shown) == len(name)
    shown.encode()
    assert all(old == new for old, new in zip(name, shown, strict=True) if old.isalnum())
    assert plain(shown) == shown


@given(any_text, any_text)
def test_a_path_can_be_taken_apart(first, second):
    """Whatever keys are called, also with a dot in them."""
    raw = {first: {second: [0, {"x": 7}]}}
    node = Node(raw)[first][second][1]["x"]
    assert at(raw, node.path) == 7


@pytest.mark.parametrize("place", [0, 1])
def test_the_document_keeps_the_name_as_it_is(place):
    """Only the page leaves something out."""
    assert document("hostile")["contenders"][place]["name"].endswith(HOSTILE)
