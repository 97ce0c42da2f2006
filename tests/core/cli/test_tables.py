"""Tables and the progress bar."""

import sys

import pytest

from facematch_core.cli import text

LONG = "a sentence that is longer than the terminal of forty columns is wide"


def printed(capsys):
    return capsys.readouterr().out.splitlines()


def test_table_in_a_file_has_each_cell_on_one_line(capsys):
    text.print_table(("name", "says"), [("didit", LONG), ("a", "b\nc")], prose=("says",))
    assert printed(capsys) == ["name   says", f"didit  {LONG}", "a      b c"]


def test_table_wraps_prose_at_the_terminal(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    text.print_table(("name", "says"), [("didit", LONG)], prose=("says",))
    lines = printed(capsys)
    assert len(lines) > 2
    assert all(len(line) <= 40 for line in lines)
    assert " ".join(" ".join(lines).split()) == f"name says didit {LONG}"


def test_prose_shares_the_terminal_and_breaks_no_word(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    path = "/srv/a-path-that-is-longer-than-its-share-of-the-columns.toml"
    text.print_table(("setting", "value", "from"), [("key", LONG, "a b")], prose=("value", "from"))
    lines = printed(capsys)
    assert all(len(line) <= 40 for line in lines)
    assert lines[1].endswith("  a b")  # as narrow as it is: the rest is for the sentence
    text.print_table(("setting", "from"), [("key", f"of {path}"), ("", "")], prose=("from",))
    assert f"         {path}" in printed(capsys)


@pytest.mark.parametrize(("no_color", "is_shown"), [("", True), ("1", False)])
def test_progress_is_shown_on_a_terminal(capsys, monkeypatch, no_color, is_shown):
    with text.progress_bar("compared", 3) as advance:
        advance()
    assert capsys.readouterr().err == ""
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with text.progress_bar("compared", 3) as advance:
        advance()
        advance()
    shown = capsys.readouterr().err
    assert ("compared" in shown and "2/3" in shown) is is_shown
