"""Collections over a store, against plain dictionaries, through restarts and broken units."""

import datetime as dt
import tempfile
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from facematch_mock_server.sqlite import SqliteStore
from facematch_mock_server.state import Collection

LIMIT = 4
KEYS = st.sampled_from(["", "a", "b", "c", "d", "e", "é", "\ud800", "a'b"])
KINDS = st.sampled_from(["things", "others"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
TIMES = st.datetimes(timezones=st.just(dt.UTC))


@attrs.frozen
class Thing:
    """A record."""

    amount: Decimal
    at: dt.datetime
    said: Mapping[str, Any] | None = None


THINGS = st.builds(
    Thing,
    amount=st.decimals(allow_nan=False, allow_infinity=False, places=4),
    at=TIMES,
    said=st.none() | st.dictionaries(st.text(), JSON, max_size=3),
)
VERBS = st.sampled_from(["put", "put", "remove", "change", "clear"])
#: One change, in one of two collections, of which one has a limit.
CHANGES = st.tuples(VERBS, KINDS, KEYS, THINGS)


class Aborted(Exception):
    """Ends a unit of work."""


class Model:
    """What a collection is meant to be."""

    def __init__(self, records=(), limit=None):
        self.records = dict(records)
        self.limit = limit

    def apply(self, verb, key, thing):
        """Carry out one change; the changes that the store is told."""
        if verb == "put" or (verb == "change" and key in self.records):
            self.records[key] = thing
            told = [(key, thing)]
            if self.limit is not None and len(self.records) > self.limit:
                oldest = next(iter(self.records))
                del self.records[oldest]
                told.append((oldest, None))
            return told
        if verb == "remove" and key in self.records:
            del self.records[key]
            return [(key, None)]
        if verb == "clear":
            gone = [(one, None) for one in self.records]
            self.records.clear()
            return gone
        return []


class StoreMachine(RuleBasedStateMachine):
    """What is in memory is as the model; what is in the file is what was not aborted."""

    @initialize()
    def begin(self):
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "mock.db"
        self.kept = {"things": {}, "others": {}}
        self.store = None
        self.reopen()

    @rule()
    def reopen(self):
        """As after a restart: only what is in the file is known."""
        if self.store is not None:
            self.store.close()
        self.store = SqliteStore(self.path)
        self.gather()

    @rule()
    def reset(self):
        """Everything is forgotten, and new collections begin; the old ones write no more."""
        old = self.all["things"]
        with self.store.together():
            self.store.clear()
            self.kept = {"things": {}, "others": {}}
            self.gather()
        old.put("late", Thing(Decimal(1), dt.datetime(2026, 1, 1, tzinfo=dt.UTC)))

    def gather(self):
        self.all = {
            "things": Collection(self.store, "things", Thing, limit=LIMIT),
            "others": Collection(self.store, "others", Thing),
        }
        # More may be in the file, if the change that made room was aborted.
        things = list(self.kept["things"].items())
        self.models = {"things": Model(things, LIMIT), "others": Model(self.kept["others"])}

    def carry_out(self, change):
        verb, kind, key, thing = change
        kept, self.done = self.all[kind], [*self.done, change]
        if verb == "put":
            kept.put(key, thing)
        elif verb == "change":
            kept.change(key, lambda _: thing)
        elif verb == "remove":
            kept.remove(key)
        else:
            kept.clear()
        return [(kind, *told) for told in self.models[kind].apply(verb, key, thing)]

    def keep(self, told):
        for kind, key, thing in told:
            if thing is None:
                self.kept[kind].pop(key, None)
            else:
                self.kept[kind][key] = thing

    @rule(change=CHANGES)
    def alone(self, change):
        """A change outside of a unit is written at once."""
        self.done = []
        self.keep(self.carry_out(change))

    @rule(changes=st.lists(CHANGES, max_size=6), nested=st.integers(0, 6))
    def in_a_unit(self, changes, nested):
        """Changes that are written together; some of them in a block within."""
        self.done, told = [], []
        with self.store.together():
            for change in changes[:nested]:
                told += self.carry_out(change)
            with self.store.together():
                for change in changes[nested:]:
                    told += self.carry_out(change)
        self.keep(told)

    @rule(changes=st.lists(CHANGES, max_size=6))
    def in_a_broken_unit(self, changes):
        """Nothing of them is written; memory stays as it is."""
        self.done = []
        try:
            with self.store.together():
                for change in changes:
                    self.carry_out(change)
                raise Aborted
        except Aborted:
            pass

    @invariant()
    def memory_is_as_the_model(self):
        """In the same order."""
        for kind, model in self.models.items():
            kept = self.all[kind]
            assert kept.all() == tuple(model.records.values())
            assert kept.last_key() == next(reversed(model.records), None)
            assert all(kept.find(key) == thing for key, thing in model.records.items())

    @invariant()
    def the_file_is_as_what_was_kept(self):
        """In the same order, too."""
        for kind, records in self.kept.items():
            fresh = Collection(self.store, kind, Thing)
            assert fresh.all() == tuple(records.values())
            assert [fresh.find(key) for key in records] == list(records.values())

    def teardown(self):
        if hasattr(self, "store"):
            self.store.close()
            self.folder.cleanup()


TestStoreMachine = StoreMachine.TestCase
TestStoreMachine.settings = settings(
    max_examples=settings().max_examples // 3, stateful_step_count=30
)
