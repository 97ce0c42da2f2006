"""A run database that is damaged: one sentence, never a foreign exception, and nothing is sent."""

import contextlib
import os
import random
import sqlite3

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit.comparison.studies import opener, write_study
from kit.fakes import FakeBackend

from facematch_comparison.run import RunDatabase, StudyRun, read_answers, run_study
from facematch_core.errors import ConfigurationError, InvalidRequest, OutcomeUnknown

TABLES = {
    "facematch_comparison_store": ["version", "host", "pid", "since"],
    "facematch_studies": ["digest", "name", "pairs", "made_at", "content"],
    "facematch_systems": [
        *("number", "study", "name", "settings", "scale", "answered_from", "price", "currency"),
    ],
    "facematch_comparisons": [
        *("system", "pair", "state", "call_id", "call"),
        *("started_at", "ended_at", "looked_at", "elapsed_s", "decision", "score", "scale"),
        *("billed", "environment", "backend", "model", "error"),
    ],
}

#: What a cell may hold afterwards: SQLite keeps anything in any column.
junk = st.one_of(
    st.none(),
    st.integers(-(2**40), 2**40),
    st.floats(),
    st.text(max_size=8),
    st.binary(max_size=8),
    st.sampled_from(
        [
            *('{"mated": [1]}', "{}", "[]", "null", "1e999", "[" * 5000, "\ud7ff", "NaN", "free"),
            *("asked", "answered", "no response", "unresolved", "match", "yes", "unknown", "mock"),
            *("2026-11-20", "2026-11-20T10:00:00", "0.05"),
        ]
    ),
)


def told(error):
    """One sentence or two for a person, without an address or a traceback."""
    assert error.__cause__ is None
    assert len(error.message.splitlines()) == 1
    return True


def used(address, study):
    """All that a program does with a run database; what was sent, and whether it went well."""
    backend = FakeBackend()
    try:
        database = RunDatabase(address)
    except (ConfigurationError, InvalidRequest) as error:
        return backend.calls, not told(error)
    went_well = True
    try:
        for step in (
            lambda: read_answers(database, database.study()),
            lambda: [database.unresolved(s) for s in database.systems(database.study().digest)],
            lambda: opened(study, backend, database),
        ):
            try:
                step()
            except (ConfigurationError, InvalidRequest) as error:
                went_well = not told(error)
    finally:
        database.close()
    return backend.calls, went_well


def opened(study, backend, database):
    """A run; what ends a system is of our own errors, too."""
    with StudyRun(study, {"fake": opener(backend)}, database) as run:
        for one in run.run(workers=1).systems:
            assert one.error is None or (
                isinstance(one.error, (ConfigurationError, InvalidRequest, OutcomeUnknown))
                or type(one.error).__name__ == "UnexpectedResponse"
            )


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A test set, and the bytes of a run database in which each state occurs."""
    folder = tmp_path_factory.mktemp("damage")
    study = write_study(folder / "pictures")
    address = f"sqlite:///{folder}/whole.sqlite3"
    database = RunDatabase(address)

    def lose(_call):
        raise OutcomeUnknown("Lost.")

    over = []
    with StudyRun(study, {"fake": opener(FakeBackend(script=[None, lose]))}, database) as run:
        run.run(workers=1, progress=lambda *_: over.append(1), stop=lambda: len(over) > 3)
    database.close()
    with sqlite3.connect(folder / "whole.sqlite3") as file:
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        states = {state for (state,) in file.execute("SELECT state FROM facematch_comparisons")}
    file.close()
    assert states == {"answered", "unresolved", "free"}
    return study, (folder / "whole.sqlite3").read_bytes()


@pytest.fixture(scope="module")
def damaged(tmp_path_factory, whole):
    """What makes a copy, with this done to it; its address."""

    def made(change):
        file = tmp_path_factory.mktemp("damaged") / "d.sqlite3"
        file.write_bytes(whole[1])
        change(file)
        return f"sqlite:///{file}"

    return made


@settings(max_examples=settings().max_examples // 8)
@given(st.data())
def test_any_cell_may_hold_anything(whole, damaged, data):
    """Wrong JSON, words that are none, numbers that are none, half a row."""
    table = data.draw(st.sampled_from(sorted(TABLES)))
    column, value = data.draw(st.sampled_from(TABLES[table])), data.draw(junk)
    row = data.draw(st.integers(0, 3))

    def change(path):
        with sqlite3.connect(path) as file:
            place = f"(SELECT rowid FROM {table} LIMIT 1 OFFSET {row})"
            file.execute("PRAGMA ignore_check_constraints = 1")
            # What SQLite itself refuses to store.
            with contextlib.suppress(sqlite3.Error, OverflowError):
                file.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = {place}", (value,))
        file.close()

    used(damaged(change), whole[0])


@pytest.mark.parametrize("table", sorted(TABLES))
@pytest.mark.parametrize("what", ["DROP TABLE", "DELETE FROM"])
def test_a_table_that_is_missing_or_empty(whole, damaged, table, what):
    """Found before anything is sent."""

    def change(path):
        with sqlite3.connect(path) as file:
            file.execute(f"{what} {table}")
        file.close()

    calls, went_well = used(damaged(change), whole[0])
    if not went_well:
        assert calls == [] or table == "facematch_studies"


@pytest.mark.parametrize("seed", range(25))
def test_garbage_in_the_file(whole, damaged, seed):
    """Bytes overwritten, cut off, or no database at all."""
    chance = random.Random(seed)

    def change(path):
        content = bytearray(path.read_bytes())
        kind = seed % 3
        if kind == 0:
            for _ in range(chance.randint(1, 40)):
                content[chance.randrange(len(content))] = chance.randrange(256)
        elif kind == 1:
            del content[chance.randrange(len(content)) :]
        else:
            start = chance.randrange(len(content))
            content[start : start + 3000] = os.urandom(3000)
        path.write_bytes(content)

    used(damaged(change), whole[0])


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE facematch_studies SET content = '{'", "damaged"),
        ("UPDATE facematch_studies SET pairs = 7", "damaged"),
        ("UPDATE facematch_systems SET settings = '{}'", "damaged"),
        ("UPDATE facematch_comparisons SET state = 'frei' WHERE pair = 5", "damaged"),
        ("DELETE FROM facematch_comparisons WHERE pair = 5", "damaged"),
        ("UPDATE facematch_comparisons SET pair = 17 WHERE pair = 5", "damaged"),
        ("UPDATE facematch_comparisons SET billed = 'maybe' WHERE pair = 5", "damaged"),
        ("DROP TABLE facematch_comparisons", "failed .no such table"),
        ("UPDATE facematch_comparison_store SET version = 3", "of version 3"),
    ],
)
def test_what_is_damaged_is_found_before_anything_is_sent(whole, damaged, statement, words):
    """Whatever is asked later would be paid for twice, or not be found again."""

    def change(path):
        with sqlite3.connect(path) as file:
            file.execute(statement)
        file.close()

    address, backend = damaged(change), FakeBackend()
    with pytest.raises(ConfigurationError, match=words) as caught:
        database = RunDatabase(address)
        try:
            run_study(whole[0], {"fake": opener(backend)}, database)
        finally:
            database.close()
    assert told(caught.value)
    assert backend.calls == []
