"""A part of a store: its own records, one unit of work with the others."""

import attrs
from hypothesis import given
from hypothesis import strategies as st

from facematch_mock_server.sqlite import SqliteStore
from facematch_mock_server.state import Collection, Memory, Section


@attrs.frozen
class Record:
    """Some record."""

    text: str


@given(
    puts=st.lists(
        st.tuples(st.sampled_from(["", "one/", "two/"]), st.sampled_from("abc"), st.text()),
        max_size=8,
    )
)
def test_each_part_finds_its_own(tmp_path_factory, puts):
    """Under the same kind and key, in one file."""
    file = tmp_path_factory.mktemp("store") / "mock.db"
    expected = {"": {}, "one/": {}, "two/": {}}
    store = SqliteStore(file)
    parts = {name: Collection(Section(store, name), "kind", Record) for name in expected}
    for name, key, text in puts:
        parts[name].put(key, Record(text))
        expected[name][key] = Record(text)
    store.close()
    store = SqliteStore(file)
    for name, known in expected.items():
        assert dict(Collection(Section(store, name), "kind", Record).items()) == known
    Section(store, "one/").clear()
    assert Collection(Section(store, ""), "kind", Record).all() == ()
    Section(store, "two/").close()


def test_it_is_as_the_whole(tmp_path):
    """What it keeps, its era and its units of work are those of the whole store."""
    assert Section(Memory(), "x/").keeps is False
    store = SqliteStore(tmp_path / "mock.db")
    part = Section(store, "x/")
    part.check()
    assert (part.keeps, part.era) == (True, store.era)
    with part.together():
        part.put("kind", "a", lambda: {"text": "1"})
        store.put("kind", "a", lambda: {"text": "2"})
    part.clear()
    assert part.era == store.era == 1
    store.close()
