"""Sentences that claim no more than their intervals do."""

import copy

import pytest
from core.comparison.report.reading import document, page, read

from facematch_core.comparison.report import _words
from facematch_core.comparison.report._nodes import Node


def rate(low=None, high=None):
    interval = None if low is None else {"low": low, "high": high}
    return Node({"value": low, "interval": interval})


def text(markup):
    return read(str(markup)).text()


@pytest.mark.parametrize(
    ("low", "high", "sign"),
    [(0.0, 1e-3, "good"), (2e-3, 3e-3, "bad"), (0.0, 2e-3, "open"), (None, None, "open")],
)
def test_whether_the_required_rate_is_kept(low, high, sign):
    """Only an interval that lies on one side says so."""
    assert _words.keeping(rate(low, high), Node(1e-3))[0] == sign


@pytest.mark.parametrize(
    ("low", "high", "sentence"),
    [
        (0.0365, 0.0596, "of 1,000 genuine people, 36 to 60 are refused"),
        (0.0, 0.0019, "of 10,000 genuine people, 0 to 19 are refused"),
        (0.0, 1.0, "of 1,000 genuine people, 0 to 1,000 are refused"),
        (None, None, "nothing is known: there was no such pair"),
    ],
)
def test_a_rate_in_words(low, high, sentence):
    """Rounded away from each other, of as many people as it takes."""
    assert text(_words.refused(rate(low, high))) == sentence


@pytest.mark.parametrize(
    ("low", "high", "sentence"),
    [
        (0.0265, 0.052, "26 to 52 more than b."),
        (-0.052, -0.0265, "26 to 52 fewer than b."),
        (-0.01, 0.004, "between 10 fewer and 4 more than b: it may be no difference."),
    ],
)
def test_a_difference_in_words(low, high, sentence):
    """More, fewer, or both."""
    whole = f"Of 1,000 genuine people, a refuses {sentence}"
    for is_real in (True, False):
        ends = {"low": low, "high": high}
        pair = {"first": "a", "second": "b", "interval": ends, "is_real": is_real}
        # Whether it is real is asked of more than this interval.
        doubt = "" if is_real or low < 0 < high else " That may be chance."
        assert text(_words.difference(Node(pair))) == whole + doubt


def test_the_best_beats_everybody_by_more_than_chance():
    """Two of three are not enough, nor is a difference that may be chance."""

    def compared(*real, beyond=()):
        names = ("a", "b", "c")
        pairs = [(0, 1, 0.02), (0, 2, 0.03), (1, 2, 0.01)]
        return Node(
            {
                "required_fmr": 0.01,
                "contenders": [
                    {
                        "name": name,
                        "at_required": {
                            "fmr": {"interval": {"low": 0.02 if name in beyond else 0, "high": 0.1}}
                        },
                    }
                    for name in names
                ],
                "paired": [
                    {
                        "first": names[one],
                        "second": names[other],
                        "difference": difference,
                        "is_real": place in real,
                    }
                    for place, (one, other, difference) in enumerate(pairs)
                ],
            }
        )

    assert _words.best(compared(0, 1, 2)).raw == "c"
    assert _words.best(compared(1, 2)).raw == "c"
    assert _words.best(compared(0, 1)) is None
    assert _words.best(compared()) is None
    # Who lets in more than should be refuses fewer because of that.
    assert _words.best(compared(0, 1, 2, beyond="c")) is None
    assert _words.best(compared(0, 1, 2, beyond="a")).raw == "c"


def test_a_winner_is_named_where_the_data_names_one():
    """And nowhere else."""
    (section,) = (one for one in page("two").all("section") if one.attributes["id"] == "difference")
    assert "better refuses fewer genuine people than every other contender" in " ".join(
        section.text().split()
    )
    for name in ("three", "twenty", "undivided"):
        if _words.best(Node(document(name))) is None:
            assert "than every other contender of this study" not in page(name).text()


def test_one_contender_is_no_best_one():
    """With nobody to compare it with."""
    only = copy.deepcopy(document("decisions_only"))
    assert _words.best(Node(only)) is None


def test_a_number_cannot_be_printed_without_a_form():
    """A template that forgets one fails."""
    with pytest.raises(TypeError, match=r"a\.b"):
        str(Node(3, "a", "b"))
    with pytest.raises(TypeError, match="entries"):
        list(Node({"x": 1}))
