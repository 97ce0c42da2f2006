"""Didit's rules for passwords, before a try is spent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facematch_didit.cli.accounts import fault


def test_a_good_one(person):
    """Nothing is missing."""
    assert fault(person.password) is None


@pytest.mark.parametrize(
    ("password", "lacks"),
    [
        ("Abcde1!", "at least 8 characters"),
        ("abcdefg1!", "a capital letter"),
        ("ABCDEFG1!", "a small letter"),
        ("Abcdefgh!", "a digit"),
        ("Abcdefg12", "a special character"),
        (
            "",
            "at least 8 characters, a capital letter, a small letter, a digit, a special character",
        ),
    ],
)
def test_all_that_is_missing_is_told_at_once(password, lacks):
    """Didit tells one thing at a time, and counts the tries."""
    assert fault(password) == lacks


@given(st.text(max_size=12))
def test_the_password_is_not_in_the_sentence(password):
    """Whatever it is: the sentence is made of ours."""
    told = fault(password)
    assert told is None or set(told.split(", ")) <= set(fault("").split(", "))


@given(st.text(min_size=4, max_size=12))
def test_what_has_everything_passes(more):
    """Any text that has one of each, and is long enough."""
    assert fault(f"aB1!{more}") is None
