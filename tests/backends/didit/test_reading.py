"""Values out of a body: each function takes its type, and says of another where it stood."""

import datetime as dt
import math
import time

import pytest

from facematch_didit import words as _reading

UTC = dt.UTC

#: What each function takes: value, and what comes of it.
TAKEN = [
    (_reading.an_object, {"a": 1}, {"a": 1}),
    (_reading.an_object, {}, {}),
    (_reading.a_list, [1], [1]),
    (_reading.a_list, [], []),
    (_reading.a_text, "a", "a"),
    (_reading.a_text, "", ""),
    (_reading.text_or_none, "a", "a"),
    (_reading.text_or_none, None, None),
    (_reading.a_number, 1, 1.0),
    (_reading.a_number, -0.5, -0.5),
    (_reading.number_or_none, 0, 0.0),
    (_reading.number_or_none, None, None),
    (_reading.percentage_or_none, 0, 0.0),
    (_reading.percentage_or_none, 100, 100.0),
    (_reading.percentage_or_none, None, None),
    (_reading.whole_or_none, 7, 7),
    (_reading.whole_or_none, 0, 0),
    (_reading.whole_or_none, None, None),
    (_reading.flag_or_none, True, True),
    (_reading.flag_or_none, False, False),
    (_reading.flag_or_none, None, None),
    (_reading.time_or_none, None, None),
    (
        _reading.time_or_none,
        "2026-07-02T11:15:27.5+02:00",
        dt.datetime(2026, 7, 2, 9, 15, 27, 500000, UTC),
    ),
    (_reading.time_or_none, "2026-07-02T09:15:27Z", dt.datetime(2026, 7, 2, 9, 15, 27, 0, UTC)),
    (_reading.time_or_none, "2026-07-02T09:15:27", dt.datetime(2026, 7, 2, 9, 15, 27, 0, UTC)),
]

#: What it does not take: value, and the whole sentence.
REFUSED = [
    (_reading.an_object, [], "here is list, not an object"),
    (_reading.an_object, None, "here is NoneType, not an object"),
    (_reading.a_list, {}, "here is dict, not an array"),
    (_reading.a_list, "[]", "here is str, not an array"),
    (_reading.a_text, 1, "here is int, not a text"),
    (_reading.a_text, None, "here is NoneType, not a text"),
    (_reading.text_or_none, False, "here is bool, not a text"),
    (_reading.a_number, True, "here is bool, not a number"),
    (_reading.a_number, "1", "here is str, not a number"),
    (_reading.a_number, None, "here is NoneType, not a number"),
    (_reading.a_number, math.nan, "here is not a finite number"),
    (_reading.a_number, -math.inf, "here is not a finite number"),
    (_reading.a_number, 10**400, "here is not a finite number"),
    (_reading.number_or_none, False, "here is bool, not a number"),
    (_reading.percentage_or_none, -0.01, "here is not from 0 to 100"),
    (_reading.percentage_or_none, 100.01, "here is not from 0 to 100"),
    (_reading.percentage_or_none, "50", "here is str, not a number"),
    (_reading.whole_or_none, True, "here is bool, not a whole number"),
    (_reading.whole_or_none, 7.0, "here is float, not a whole number"),
    (_reading.flag_or_none, 1, "here is int, not true or false"),
    (_reading.flag_or_none, "true", "here is str, not true or false"),
    (_reading.time_or_none, 1782983727, "here is int, not a text"),
    (_reading.time_or_none, "yesterday", "here is not a time"),
    # Before the year 1, once it is in UTC.
    (_reading.time_or_none, "0001-01-01T00:00:00+23:00", "here is not a time"),
]


def named(row):
    """The function and the value of a row."""
    return f"{row[0].__name__} {str(row[1])[:24]!r}"


@pytest.mark.parametrize("row", TAKEN, ids=named)
def test_what_is_documented_is_read(row):
    """A whole number may stand for a float; nothing else is turned into another type."""
    read, value, wanted = row
    found = read(value, "here")
    assert (type(found), found) == (type(wanted), wanted)
    if isinstance(found, dt.datetime):
        assert found.tzinfo is UTC


def test_a_time_without_an_offset_is_utc(monkeypatch):
    """Wherever the program runs."""
    monkeypatch.setenv("TZ", "JST-9")
    time.tzset()
    try:
        at = _reading.time_or_none("2026-07-02T09:15:27", "here")
    finally:
        monkeypatch.undo()
        time.tzset()
    assert (at.hour, at.tzinfo) == (9, UTC)


@pytest.mark.parametrize("row", REFUSED, ids=named)
def test_what_is_not_is_refused_in_one_sentence(row):
    """It names place and type, and not the value, which may be private."""
    read, value, sentence = row
    with pytest.raises(ValueError) as caught:
        read(value, "here")
    assert str(caught.value) == sentence
    assert caught.value.__cause__ is None
