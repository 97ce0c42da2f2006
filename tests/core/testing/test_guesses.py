"""A guess about a person is found wherever it is told, and nowhere by chance."""

import pytest

from facematch_core.testing._contract._privacy import _stands_in


@pytest.mark.parametrize(
    ("guess", "told"),
    [
        (41.75, 41.75),
        (41.75, "looks 41.75 years old"),
        (47.0, "looks 47."),
        (47.0, "47.0"),
        (34, "age: 34"),
        ("female", "FEMALE"),
        ("female", "(female, 34)"),
    ],
)
def test_it_is_found(guess, told):
    """As a value of its own, and as a word or a number in a text."""
    assert _stands_in(guess, ["-", None, told])


@pytest.mark.parametrize(
    ("guess", "told"),
    [
        (41.75, 41.7),
        (41.75, "141.75"),
        (47.0, 47.5),
        (47.0, "47.5"),
        (47.0, "2026-11-20T09:47:47.470+00:00"),
        (47.0, "0000-4700-47-0000"),
        (47.0, "https://host/47/a47"),
        (1.0, True),
        ("male", "female"),
    ],
)
def test_chance_is_no_guess(guess, told):
    """Not in a time, an id, an address or a longer number."""
    assert not _stands_in(guess, [told])
