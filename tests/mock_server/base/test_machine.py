"""Collections against plain dictionaries."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from facematch_mock_server.base.state import Collection

LIMIT = 4
KEYS = st.sampled_from(["", "a", "b", "c", "d", "e"])
LIMITS = st.sampled_from([None, 1, LIMIT])


class CollectionMachine(RuleBasedStateMachine):
    """A collection is as a dictionary that forgets its oldest records."""

    @initialize(limit=LIMITS)
    def begin(self, limit):
        self.limit = limit
        self.records = {}
        self.all = Collection(limit=limit)

    @rule(key=KEYS, value=st.integers())
    def put(self, key, value):
        self.all.put(key, value)
        self.records[key] = value
        if self.limit is not None and len(self.records) > self.limit:
            del self.records[next(iter(self.records))]

    @rule(key=KEYS, value=st.integers())
    def change(self, key, value):
        there = key in self.records
        assert self.all.change(key, lambda _: value) == (value if there else None)
        if there:
            self.records[key] = value

    @rule(key=KEYS)
    def remove(self, key):
        assert self.all.remove(key) == self.records.pop(key, None)

    @invariant()
    def it_is_as_the_dictionary(self):
        assert self.all.items() == tuple(self.records.items())
        assert self.all.all() == tuple(self.records.values())
        assert len(self.all) == len(self.records)
        assert all(self.all.find(key) == value for key, value in self.records.items())


TestCollectionMachine = CollectionMachine.TestCase
TestCollectionMachine.settings = settings(max_examples=20)
