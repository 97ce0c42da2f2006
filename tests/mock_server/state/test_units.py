"""Units of work of several threads: which change counts, and when it is written."""

import contextlib
import json
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from facematch_mock_server.sqlite import SqliteStore
from facematch_mock_server.state import StoreError


def put(store, key, value):
    """One record; None takes it away."""
    store.put("things", key, None if value is None else lambda: {"value": value})


@pytest.fixture
def store(opened):
    """An open one."""
    return opened()


@pytest.fixture
def in_the_file(store):
    """What another process would find if this one were killed now."""

    def look():
        # The same connection: the file is locked for every other one.
        rows = store._file.records("things")
        return {key: json.loads(value)["value"] for key, value in rows}

    return look


class Beside:
    """A unit of work in a thread of its own, a step at a time."""

    def __init__(self, store):
        self.store = store
        self.thread = ThreadPoolExecutor(1)
        self.block = contextlib.ExitStack()
        self.does(lambda: self.block.enter_context(store.together()))

    def does(self, step):
        return self.thread.submit(step).result(10)

    def puts(self, key, value):
        self.does(lambda: put(self.store, key, value))

    def ends(self):
        """The end of the block has begun; the future is done when it is written."""
        return self.thread.submit(self.block.close)

    def breaks(self):
        """An exception ends the block."""

        def fail():
            with self.block:
                raise KeyError

        with pytest.raises(KeyError):
            self.does(fail)


@pytest.fixture
def beside(store, at_end):
    """Makes units beside this thread."""

    def make():
        unit = Beside(store)
        at_end.callback(unit.thread.shutdown)
        return unit

    return make


def waits(store, count):
    """Wait until so many units are over and not written."""
    end = time.monotonic() + 10
    with store._turn:
        while len(store._over) < count:
            assert time.monotonic() < end
            store._turn.wait(0.001)


def test_a_unit_is_written_at_its_end(store, in_the_file):
    """Not before, and whole; a block within ends nothing."""
    with store.together():
        put(store, "a", 1)
        with store.together():
            put(store, "b", 2)
        assert in_the_file() == {}
        assert [key for key, _ in store.load("things")] == ["a", "b"]
    assert in_the_file() == {"a": 1, "b": 2}


def test_an_exception_in_a_block_within_counts_if_it_leaves_the_outermost(store, in_the_file):
    """Caught before, it is nobody's business."""
    with store.together():
        put(store, "a", 1)
        with contextlib.suppress(KeyError), store.together():
            put(store, "b", 2)
            raise KeyError
    assert in_the_file() == {"a": 1, "b": 2}
    with contextlib.suppress(KeyError), store.together():
        put(store, "c", 3)
        raise KeyError
    assert in_the_file() == {"a": 1, "b": 2}


@pytest.mark.parametrize("first", [0, 1])
def test_of_two_threads_the_later_put_counts(store, beside, in_the_file, first):
    """Whoever ends first; and neither is there before both are."""
    units = [beside(), beside()]
    units[0].puts("same", "earlier")
    units[1].puts("same", "later")
    units[1].puts("other", 1)
    futures = [units[first].ends()]
    waits(store, 1)
    assert in_the_file() == {}
    futures.append(units[1 - first].ends())
    for future in futures:
        future.result(10)
    assert in_the_file() == {"same": "later", "other": 1}


def test_a_later_removal_counts_too(store, beside, in_the_file):
    """A record that was taken away does not come back by a slower thread."""
    slow, quick = beside(), beside()
    slow.puts("same", 1)
    quick.puts("same", None)
    ended = quick.ends()
    waits(store, 1)
    slow.ends().result(10)
    ended.result(10)
    assert in_the_file() == {}


def test_a_unit_does_not_wait_for_one_that_only_reads(store, beside, in_the_file):
    """A slow decision holds nobody up."""
    reader, writer = beside(), beside()
    writer.puts("a", 1)
    writer.ends().result(10)
    assert in_the_file() == {"a": 1}
    reader.puts("b", 2)
    reader.ends().result(10)


def test_a_unit_that_breaks_lets_the_others_be_written(store, beside, in_the_file):
    """They waited for it, and its changes are not among them."""
    broken, whole = beside(), beside()
    broken.puts("a", 1)
    whole.puts("b", 2)
    ended = whole.ends()
    waits(store, 1)
    broken.breaks()
    ended.result(10)
    assert in_the_file() == {"b": 2}


def test_nobody_begins_while_others_wait_to_be_written(store, beside, in_the_file):
    """Else units that come again and again would keep those from being written."""
    half_way, over = beside(), beside()
    half_way.puts("a", 1)
    over.puts("b", 2)
    over.ends()
    waits(store, 1)

    def begin():
        with store.together():
            return in_the_file()

    with ThreadPoolExecutor(1) as other:
        third = other.submit(begin)
        half_way.ends().result(10)
        assert third.result(10) == {"a": 1, "b": 2}


def test_a_change_outside_of_units_waits_for_nobody(store, beside, in_the_file):
    """Its caller holds a lock. Beside a unit that is half way it is written with it, in order."""
    put(store, "a", 1)
    assert in_the_file() == {"a": 1}
    unit = beside()
    unit.puts("b", "earlier")
    put(store, "b", "later")
    unit.puts("c", 3)
    unit.ends().result(10)
    assert in_the_file() == {"a": 1, "b": "later", "c": 3}


def test_many_threads_at_once_leave_every_change(store, in_the_file):
    """And none of them deadlocks."""

    def work(number):
        for turn in range(25):
            with store.together():
                put(store, "last", [number, turn])
                put(store, f"{number}-{turn}", turn)
            put(store, f"{number}", turn)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8), timeout=60))
    assert len(in_the_file()) == 8 * 25 + 8 + 1


def test_a_failure_is_told_to_all_who_wait(store, beside):
    """No unit ends well that is not written."""
    units = [beside(), beside()]
    for number, unit in enumerate(units):
        unit.puts(str(number), "x" * 50_000)
    store._file._connection.execute("PRAGMA max_page_count = 8")
    futures = [units[0].ends()]
    waits(store, 1)
    futures.append(units[1].ends())
    for future in futures:
        with pytest.raises(StoreError, match="full"):
            future.result(10)


def test_a_reset_that_breaks_half_way_ends_the_store(opened, store):
    """Its memory is neither the old nor the new one, so nothing of it is written any more."""
    put(store, "a", 1)
    with contextlib.suppress(KeyError), store.together():
        store.clear()
        raise KeyError
    with pytest.raises(StoreError, match="reset of the mock failed half way"):
        put(store, "b", 2)
    store.close()
    assert [key for key, _ in opened().load("things")] == ["a"]


def test_places_go_on_after_a_restart(opened, store):
    """What is put later stands later, in every run."""
    put(store, "b", 1)
    put(store, "a", 1)
    store.close()
    again = opened()
    put(again, "0", 1)
    put(again, "b", 2)
    again.close()
    assert [key for key, _ in opened().load("things")] == ["b", "a", "0"]


def test_it_keeps_a_log_and_does_not_wait_for_the_disk(path):
    """WAL and OFF: what a killed process wrote is there; a power cut may take it."""
    store = SqliteStore(path)
    pragma = store._file._connection.execute
    assert pragma("PRAGMA journal_mode").fetchone() == ("wal",)
    assert pragma("PRAGMA synchronous").fetchone() == (0,)
    store.close()
    with pytest.raises(sqlite3.ProgrammingError):
        pragma("PRAGMA synchronous")
