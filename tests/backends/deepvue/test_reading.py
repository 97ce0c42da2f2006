"""Values out of a body: each function takes its type, and says of another where it stood."""

import math
from datetime import UTC, datetime

import pytest

from facematch_deepvue import Scale, _reading, _wire

#: What each function takes: value, and what comes of it.
TAKEN = [
    (_reading.an_object, {"a": 1}, {"a": 1}),
    (_reading.an_object, {}, {}),
    (_reading.a_flag, True, True),
    (_reading.a_flag, False, False),
    (_reading.number_or_none, None, None),
    (_reading.number_or_none, 98, 98.0),
    (_reading.number_or_none, -0.5, -0.5),
    (_reading.number_or_none, "98", 98.0),
    (_reading.number_or_none, "-0.25", -0.25),
]

#: What it does not take: value, and the whole sentence.
REFUSED = [
    (_reading.an_object, [], "here is list, not an object"),
    (_reading.an_object, None, "here is NoneType, not an object"),
    (_reading.a_flag, 1, "here is int, not true or false"),
    (_reading.a_flag, None, "here is NoneType, not true or false"),
    (_reading.number_or_none, True, "here is bool, not a number"),
    (_reading.number_or_none, [98], "here is list, not a number"),
    (_reading.number_or_none, "98%", "here is str, not a number"),
    (_reading.number_or_none, "1e2", "here is str, not a number"),
    (_reading.number_or_none, "1" * 16, "here is str, not a number"),
    (_reading.number_or_none, math.nan, "here is not a finite number"),
    (_reading.number_or_none, math.inf, "here is not a finite number"),
    (_reading.number_or_none, 10**400, "here is not a finite number"),
]


def named(row):
    """The function and the value of a row."""
    return f"{row[0].__name__} {str(row[1])[:24]!r}"


@pytest.mark.parametrize("row", TAKEN, ids=named)
def test_what_is_documented_is_read(row):
    """Digits in a text are a number, and nothing else is turned into another type."""
    read, value, wanted = row
    found = read(value, "here")
    assert (type(found), found) == (type(wanted), wanted)


@pytest.mark.parametrize("row", REFUSED, ids=named)
def test_what_is_not_is_refused_in_one_sentence(row):
    """It names place and type, and not the value, which may be private."""
    read, value, sentence = row
    with pytest.raises(ValueError) as caught:
        read(value, "here")
    assert str(caught.value) == sentence


def test_a_time_in_milliseconds():
    """In UTC; the largest that a computer's calendar has no year for is none."""
    assert _reading.milliseconds_or_none(1_500) == datetime(1970, 1, 1, 0, 0, 1, 500_000, UTC)
    assert _reading.milliseconds_or_none(-1_000) == datetime(1969, 12, 31, 23, 59, 59, 0, UTC)
    for odd in (None, True, "0", 1.5, 10**14 * 3, 10**18, 10**20, 10**30, 10**400):
        assert _reading.milliseconds_or_none(odd) is None


@pytest.mark.parametrize("raw", [-0.01, -1, 100.01])
def test_a_number_off_the_scale_is_refused(raw):
    """It is neither clamped nor read on another scale."""
    with pytest.raises(ValueError, match="here is not on the scale percent"):
        _wire.percent(raw, Scale.PERCENT, "here")
    with pytest.raises(ValueError, match="here is not on the scale fraction"):
        _wire.percent(raw / 50, Scale.FRACTION, "here")


def test_the_ends_of_a_scale_are_on_it():
    """0 and 100, or 0 and 1; of a scale that is not known there is no number at all."""
    assert _wire.percent(0, Scale.PERCENT, "here") == 0
    assert _wire.percent(100, Scale.PERCENT, "here") == 100
    assert _wire.percent(1.0, Scale.FRACTION, "here") == 100
    assert _wire.percent(None, Scale.PERCENT, "here") is None
    assert _wire.percent(50, Scale.UNKNOWN, "here") is None
