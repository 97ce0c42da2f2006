"""Records of every shape come back as they were, and one that is not known is told."""

import datetime as dt
import enum
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import attrs
import pytest

from facematch_mock_server.state import Collection, Memory, StoreError


class Word(enum.StrEnum):
    """One of two."""

    THIS = "this"
    THAT = "that"


@attrs.frozen
class Note:
    """A record within a record."""

    text: str | None
    at: dt.datetime


@attrs.frozen(kw_only=True)
class Thing:
    """A record with everything that one may hold."""

    amount: Decimal
    day: dt.date | None = None
    word: Word = Word.THIS
    notes: tuple[Note, ...] = ()
    digests: Mapping[str, str | None] = attrs.field(factory=dict)
    said: Mapping[str, Any] | None = None


NOW = dt.datetime(2026, 7, 2, 9, 15, 27, 104233, tzinfo=dt.UTC)
FULL = Thing(
    amount=Decimal("0.0500"),
    day=dt.date(2026, 7, 2),
    word=Word.THAT,
    notes=(Note("é\ud800\0", NOW), Note(None, NOW)),
    digests={"user_image": "00", "ref_image": None},
    said={"a": [1, 1.0, None, True, {"b": 2**70}], "c": "", "9": 1e300},
)


def test_a_record_comes_back_as_it_was(opened):
    """Amounts to the last place, times to the microsecond, JSON with its types."""
    store = opened()
    things = Collection(store, "things", Thing)
    things.put("full", FULL)
    things.put("bare", Thing(amount=Decimal(1)))
    store.close()
    again = Collection(opened(), "things", Thing)
    assert again.all() == (FULL, Thing(amount=Decimal(1)))
    found = again.find("full")
    assert str(found.amount) == "0.0500"
    assert type(found.word) is Word
    assert found.notes[0].at.tzinfo == dt.UTC
    assert [type(one) for one in found.said["a"][:2]] == [int, float]


def test_a_record_in_another_shape_is_told(opened):
    """One sentence that says what to do, not a trace of a converter."""
    store = opened()
    store.put("things", "a", lambda: {"amount": "none"})
    with pytest.raises(StoreError, match=r"the mock's store has things in a shape .* name another"):
        Collection(store, "things", Thing)


def test_a_new_attribute_with_a_default_reads_older_records(opened):
    """And one that is gone does no harm."""
    store = opened()
    store.put("things", "a", lambda: {"amount": "1", "former": 7})
    assert Collection(store, "things", Thing).all() == (Thing(amount=Decimal(1)),)


def test_what_cannot_be_written_is_not_remembered(opened):
    """A change that the file does not take is not made in memory."""
    store = opened()
    things = Collection(store, "things", Thing)
    things.put("a", FULL)
    store.close()
    for change in (
        lambda: things.put("b", FULL),
        lambda: things.remove("a"),
        lambda: things.change("a", lambda thing: attrs.evolve(thing, word=Word.THIS)),
        things.clear,
    ):
        with pytest.raises(StoreError):
            change()
    assert things.all() == (FULL,)


def test_a_store_in_memory_makes_no_record():
    """It costs nothing: what it is told is not even turned into JSON."""

    def never():
        raise AssertionError("nobody reads it")

    store = Memory()
    with store.together():
        store.put("things", "a", never)
    assert not list(store.load("things"))
    things = Collection(store, "things", Thing, limit=1)
    things.put("a", object())
    things.put("b", FULL)
    assert things.all() == (FULL,)
