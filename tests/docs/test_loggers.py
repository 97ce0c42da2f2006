"""The loggers that the documentation names are those of the code."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
CODE = ("facematch_core", "backends", "comparison", "mock_server")


def test_every_logger_that_is_told_exists():
    """Who configures a logger by a name that nobody uses hears nothing."""
    sources = [path.read_text() for top in CODE for path in (ROOT / top).rglob("*.py")]
    used = {name for text in sources for name in re.findall(r'getLogger\("([^"]+)"\)', text)}
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    told = {
        name for page in pages for name in re.findall(r"\bloggers? `([^`]+)`", page.read_text())
    }
    assert "facematch" in told
    assert told <= used


def test_no_page_speaks_of_the_logger_of_that_name():
    """A name that has to be guessed from the sentence before cannot be checked."""
    for page in (ROOT / "docs").rglob("*.md"):
        assert "logger of that name" not in page.read_text(), page.name
