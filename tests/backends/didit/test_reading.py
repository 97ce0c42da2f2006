"""Values out of a body: each function takes its type, and says of another where it stood."""

import datetime as dt
import math
import time

import pytest

from facematch_didit import words

UTC = dt.UTC

AT = dt.datetime(2026, 7, 2, 9, 15, 27, tzinfo=UTC)
#: Each reader, what it takes with what comes of it, and what it does not take. Those that may be
#: missing give None for null.
READERS = {
    "read_object": ([({"a": 1}, {"a": 1}), ({}, {})], [[], None]),
    "read_list": ([([1], [1]), ([], [])], [{}, "[]"]),
    "read_text": ([("a", "a"), ("", "")], [1, None]),
    "text_or_none": ([("a", "a"), (None, None)], [False]),
    "read_number": ([(1, 1.0), (-0.5, -0.5)], [True, "1", None, math.nan, -math.inf, 10**400]),
    "number_or_none": ([(0, 0.0), (None, None)], [False]),
    "percentage_or_none": ([(0, 0.0), (100, 100.0), (None, None)], [-0.01, 100.01, "50"]),
    "read_whole_number": ([(7, 7), (0, 0)], [True, 7.0, None]),
    "flag_or_none": ([(True, True), (False, False), (None, None)], [1, "yes"]),
    "time_or_none": (
        [
            (None, None),
            ("2026-07-02T11:15:27.5+02:00", AT.replace(microsecond=500_000)),
            ("2026-07-02T09:15:27Z", AT),
            ("2026-07-02T09:15:27", AT),
        ],
        # The last one is before the year 1, once it is in UTC.
        [1782983727, "yesterday", "0001-01-01T00:00:00+23:00"],
    ),
}


@pytest.mark.parametrize("name", READERS)
def test_what_is_documented_is_read_and_nothing_turned_into_another_type(name):
    read, (taken, refused) = getattr(words, name), READERS[name]
    for value, expected in taken:
        value_read = read(value, "here")
        assert (type(value_read), value_read) == (type(expected), expected)
        assert not isinstance(value_read, dt.datetime) or value_read.tzinfo is UTC
    for value in refused:
        with pytest.raises(ValueError) as caught:
            read(value, "here")
        # Place and type, and never the value, which may be private.
        assert str(caught.value).startswith("here is ")
        assert str(value) not in str(caught.value).split()
        assert caught.value.__cause__ is None


def test_a_time_without_an_offset_is_utc(monkeypatch):
    monkeypatch.setenv("TZ", "JST-9")
    time.tzset()
    try:
        at = words.time_or_none("2026-07-02T09:15:27", "here")
    finally:
        monkeypatch.undo()
        time.tzset()
    assert (at.hour, at.tzinfo) == (9, UTC)
