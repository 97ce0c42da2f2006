"""Reasons: one line that tells what a rule saw, and nothing that is private."""

import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facematch_core.testing.running import LONGEST, in_one_line, masked


def told(error):
    """The line for an exception that was raised here."""
    with pytest.raises(BaseException) as caught:
        raise error
    return in_one_line(caught)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (AssertionError("told yes, charged twice\nassert 2 == 1"), "told yes, charged twice"),
        (
            AssertionError("assert False\n +  where False = isinstance(1, str)"),
            "assert False, where False = isinstance(1, str)",
        ),
        (KeyError("score"), "KeyError: 'score'"),
        (OSError(), "OSError"),
        (pytest.fail.Exception("DID NOT RAISE TypeError"), "DID NOT RAISE TypeError"),
        (ValueError("one\n  two\tthree"), "ValueError: one two three"),
        (AssertionError(), "raise error"),
    ],
    ids=repr,
)
def test_one_line(error, line):
    """An assertion's own words, else what stood where, else class and message.

    An assertion that pytest met too late to rewrite says nothing: then its source is shown.
    """
    assert told(error) == line


def test_a_long_reason_is_cut():
    """A card is no log."""
    line = told(ValueError("x" * 5000))
    assert len(line) == LONGEST
    assert line.endswith(" ...")


@pytest.mark.parametrize(
    "folder",
    [
        Path.cwd(),
        Path(tempfile.gettempdir()) / "made",
        Path(sys.prefix),
        Path("/home/somebody/else"),
        Path("/Users/somebody"),
    ],
    ids=str,
)
def test_folders_are_masked(folder):
    """The name of a file may help, where somebody keeps it may not be told."""
    line = masked(f"No such file: '{folder / 'deep' / 'one.pem'}'.", ())
    assert str(folder) not in line
    assert line.endswith("one.pem'.")


@pytest.mark.parametrize("text", ["POST /v3/face-match/ was sent", "50/50 and/or 3 / 4", "a: b"])
def test_other_slashes_stay(text):
    """Paths of a vendor's API are what a reason may be about."""
    assert masked(text, ()) == text


@given(st.text("0123456789abcdef", min_size=6), st.text(), st.text())
def test_secrets_are_masked(secret, before, after):
    """Wherever they stand."""
    assert secret not in masked(f"{before}{secret}{after}", [secret])


def test_the_longer_secret_first():
    """One that holds another one leaves no rest."""
    assert masked("is secret-1-more", ["secret-1", "secret-1-more"]) == "is ***"
