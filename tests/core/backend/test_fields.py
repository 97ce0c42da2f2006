"""Readers of what decides and of what decides nothing, and the notes of a call."""

import threading

import pytest

from facematch_core import models
from facematch_core.backend import (
    UnreadableField,
    aware_time,
    boolean,
    json_object,
    nonempty_text,
    note_id,
    note_status,
    number,
    objects,
    only_object,
    pick,
    read_at,
    read_or_none,
    read_strict,
    value_at,
)
from facematch_core.backend.fields import Notes, start_notes


@pytest.fixture
def notes(at_end):
    notes = Notes()
    at_end.callback(start_notes, start_notes(notes))
    return notes


def fail(error):
    def read(value):
        raise error

    return read


@pytest.mark.parametrize(
    "error", [KeyError("x"), IndexError(), TypeError(), ValueError(), AttributeError(), OSError()]
)
def test_detail_that_cannot_be_read_is_none_and_noted_once(error, notes):
    for place in (0, 1):
        assert read_or_none(fail(error), "odd", "faces", place, "box") is None
    assert notes.unread == ("faces.box",)
    warning = notes.warning()
    assert warning.code is models.WarningCode.UNREADABLE_DETAIL
    assert not warning.severity.is_grave


def test_missing_detail_is_none_and_not_noted(notes):
    assert read_or_none(fail(ValueError()), None, "box") is None
    assert read_or_none(number, 7, "box") == 7
    assert notes.unread == ()


def test_error_of_the_program_is_no_detail(notes):
    with pytest.raises(ZeroDivisionError):
        read_or_none(lambda value: value.missing(), Divides(), "box")


class Divides:
    def missing(self):
        raise ZeroDivisionError


@pytest.mark.parametrize(
    ("read", "value", "problem"),
    [
        (number, "98.01", "score is a text, not a number"),
        (number, None, "score is missing or null, not a number"),
        (number, True, "score is a boolean, not a number"),
        (boolean, 1, "score is a number, not a boolean"),
        (json_object, [], "score is a list, not an object"),
        (nonempty_text, {}, "score is an object, not a text"),
        (nonempty_text, "", "score is empty"),
        (objects, {}, "score is an object, not a list"),
        (objects, [{}, "canary"], "score is a text, not an object"),
        (only_object, [{}, {}], "score is a list, and not as documented"),
        (float, "canary", "score is a text, and not as documented"),
    ],
)
def test_what_decides_is_refused_by_its_field_and_type(read, value, problem):
    with pytest.raises(UnreadableField) as caught:
        read_at(read, {"score": value}, "score")
    assert str(caught.value) == problem
    assert caught.value.field == "score"
    # An error of the reader may quote the value.
    assert caught.value.__context__ is None


@pytest.mark.parametrize("document", [{}, [], None, "canary", {"result": None}, {"result": []}])
def test_value_that_is_not_there_is_refused_by_its_path(document):
    with pytest.raises(UnreadableField) as caught:
        value_at(document, ("result", 0, "score"))
    assert str(caught.value) == "result.score is missing"
    assert caught.value.__context__ is None


def test_what_decides_may_be_null_if_its_reader_says_so():
    assert read_strict(lambda value: value, None, "score") is None
    assert read_at(number, [{"a": 1}], 0, "a") == 1.0


def test_notes_are_those_of_the_thread_and_call_around(notes):
    note_status("Approved")
    note_id("call-7")
    other = threading.Thread(target=lambda: read_or_none(number, "odd", "of another call"))
    other.start()
    other.join()
    inner = Notes()
    start_notes(inner)
    assert note_status("Declined") == "Declined"
    start_notes(notes)
    read_or_none(number, "odd", "box")
    assert (notes.vendor_status, notes.vendor_id, notes.unread) == ("Approved", "call-7", ("box",))
    assert (inner.vendor_status, inner.vendor_id) == ("Declined", None)


def test_without_a_call_nothing_is_noted():
    assert start_notes(None) is None
    assert read_or_none(number, "odd", "box") is None
    assert note_id(None) is None


@pytest.mark.parametrize("time", ["2026-11-30", "2026-11-30T10:00:00", "yesterday", "", 7, {}])
def test_a_time_without_a_zone_is_none(time, notes):
    assert read_or_none(aware_time, time, "created_at") is None
    assert notes.unread == ("created_at",)


def test_what_has_another_form_is_not_picked_for_raw():
    ada = {"first_name": "Ada"}
    fields = {"id": "s-1", "labels": ["a", 1, None], "at": "2026-11-30 10:00:00", "seconds": 7}
    times = ("at", "seconds")
    assert pick({**fields, "other": 1}, tuple(fields), times=times) == fields
    for value in (ada, [ada], [[1]]):
        assert pick(dict.fromkeys(fields, value), tuple(fields), times=times) == {}
    assert pick({"at": "Ada Lovelace", "seconds": ["Ada"]}, times, times=times) == {}
    assert pick([ada], ("first_name",)) == {}
