"""Tables and progress bars, with the extra `cli` and without it."""

import importlib.util
import sys

import pytest

from facematch_core.cli import text

LONG = "a sentence that is longer than the terminal of forty columns is wide"


@pytest.fixture
def without_rich(monkeypatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "rich" else find_spec(name)
    )
    monkeypatch.setitem(sys.modules, "rich", None)


def printed(capsys):
    return capsys.readouterr().out.splitlines()


def test_table_without_the_extra_has_the_same_cells_on_one_line(without_rich, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    text.print_table(("name", "says"), [("didit", LONG), ("a", "b\nc")], prose=("says",))
    assert printed(capsys) == ["name   says", f"didit  {LONG}", "a      b c"]


def test_table_with_the_extra_wraps_prose_at_the_terminal(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    text.print_table(("name", "says"), [("didit", LONG)], prose=("says",))
    lines = printed(capsys)
    assert len(lines) > 2
    assert all(len(line) <= 40 for line in lines)
    assert " ".join(" ".join(lines).split()) == f"name says didit {LONG}"


def test_count_without_the_extra_is_shown_only_on_a_terminal(without_rich, capsys, monkeypatch):
    with text.progress_bars("compared", {"": 2}) as advance:
        advance("")
    assert capsys.readouterr().err == ""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with text.progress_bars("asked", {"didit": 2, "azure": 1}) as advance:
        advance("didit")
        advance("azure")
    shown = capsys.readouterr().err.split("\r")
    assert [part.strip() for part in shown] == ["", "1/3 asked", "2/3 asked", "", ""]
