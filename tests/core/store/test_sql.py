"""The store in a file: who may read it, what is in it, and what it says when it cannot be used."""

import contextlib
import sqlite3
import stat
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import attrs
import pytest
import sqlalchemy
from kit.attempts import KEY, NOW, ONE, entry, later, sums

from facematch_core import Charged, ConfigurationError
from facematch_core.resilience import Period
from facematch_core.store import MemoryStore, SqlStore, _steps, expire_reservations
from facematch_core.store._steps import ATTEMPTS, BUDGETS

#: As facematch 0.1 wrote it.
STORE_01 = Path(__file__).with_name("store-0.1.sql")


def test_it_outlives_its_store(sql, address):
    """What one process wrote another one reads."""
    one = entry()
    sql.reserve(one, ONE)
    sql.close()
    again = SqlStore(address)
    assert again.open_reservations() == (one,)
    assert again.reserve(entry(), ONE) is not None
    again.close()


def test_its_owner_alone_may_read_it(sql, tmp_path):
    """The file, and those beside it that hold what was written last."""
    sql.reserve(entry(), ONE)
    files = list(tmp_path.glob("attempts*"))
    assert len(files) == 3
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_a_file_that_is_there_keeps_its_mode(tmp_path):
    """Whoever made it knows who is to read it."""
    file = tmp_path / "a.sqlite3"
    file.touch(mode=0o640)
    SqlStore(f"sqlite:///{file}").close()
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


def test_readers_and_a_writer_go_side_by_side(sql, tmp_path):
    """The mode stays with the file."""
    with sqlite3.connect(tmp_path / "attempts.sqlite3") as file:
        assert file.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    file.close()


def test_what_is_written(sql, tmp_path):
    """One line per try: facts about the call, and nothing of the caller's."""
    one = entry(caller_ref="case-17")
    sql.reserve(one, ONE)
    sql.finalize(one, Charged.UNKNOWN, at=NOW, error="OutcomeUnknown")
    with sql._database.engine.connect() as connection:
        (row,) = connection.execute(ATTEMPTS.select()).mappings().all()
        (total,) = connection.execute(BUDGETS.select()).mappings().all()
    assert row["attempt_id"] == one.call.id
    assert (row["state"], row["billed"], row["error"]) == ("unknown", "unknown", "OutcomeUnknown")
    assert (row["amount"], row["currency"], row["try_number"]) == (1, None, 1)
    assert row["started_at"] == row["ended_at"] == NOW.isoformat(timespec="microseconds")
    assert (total["name"], total["unknown"], total["cap"]) == ("shop", 1, 1)
    assert not any(b"case-17" in file.read_bytes() for file in tmp_path.glob("attempts*"))


def test_caller_ref_is_kept_if_asked(address):
    """It makes looking for a call shorter."""
    store = SqlStore(address, keep_caller_ref=True)
    store.reserve(entry(caller_ref="case-17"), ONE)
    assert store.open_reservations()[0].call.caller_ref == "case-17"
    store.close()


def test_another_version_is_left_alone(sql, address):
    """One sentence, and the file stays as it is."""
    with sql._database.engine.begin() as connection:
        connection.execute(sqlalchemy.text("UPDATE facematch_store SET version = 3"))
    sql.close()
    with pytest.raises(ConfigurationError, match="of version 3, and this facematch has version 2"):
        SqlStore(address)


def test_an_engine_of_somebody_else(tmp_path):
    """It is used as it is, beside other tables, and left open."""
    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path}/shop.sqlite3")
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("CREATE TABLE orders (id INTEGER)"))
    pool = engine.pool
    store = SqlStore(engine)
    assert store.reserve(entry(), ONE) is None
    assert store.reserve(entry(), ONE) is not None
    store.close()
    assert engine.pool is pool
    engine.dispose()


def test_a_step_that_fails_leaves_nothing(sql, monkeypatch):
    """Neither a sum nor an attempt of it is kept."""
    sql.reserve(entry(), Decimal(5))

    def broken(*_):
        raise sqlalchemy.exc.OperationalError(
            "INSERT", {}, sqlite3.OperationalError("disk is full")
        )

    monkeypatch.setattr(_steps, "_set_aside", lambda *given: REAL(*given) and broken())
    with pytest.raises(ConfigurationError, match=r"failed \(disk is full\): check") as caught:
        sql.reserve(entry(), Decimal(5))
    assert caught.value.__context__ is None
    monkeypatch.undo()
    assert sums(sql) == (0, 1, 0)


REAL = _steps._set_aside


@pytest.mark.parametrize(
    "address",
    ["", "nonsense", "postgresql+nodriver://u:canary@h/d", "sqlite://", "sqlite:///:memory:"],
)
def test_addresses_that_cannot_be_used(address):
    """One sentence that holds no password."""
    with pytest.raises(ConfigurationError, match="cannot be used") as caught:
        SqlStore(address)
    assert "canary" not in str(caught.value)
    assert caught.value.__context__ is None


def test_a_folder_that_is_not_there(tmp_path):
    """The system's own word for it."""
    with pytest.raises(ConfigurationError, match=r"missing/a.sqlite3', cannot .*: No such file or"):
        SqlStore(f"sqlite:///{tmp_path}/missing/a.sqlite3")


def test_a_file_of_another_kind(tmp_path):
    """It stays as it was."""
    file = tmp_path / "photo.jpg"
    file.write_bytes(b"\xff\xd8\xff" * 500)
    with pytest.raises(ConfigurationError, match="file is not a database"):
        SqlStore(f"sqlite:///{file}")
    assert file.read_bytes() == b"\xff\xd8\xff" * 500


def test_other_databases_are_refused():
    """Whether their statements do the same was never tried."""
    engine = SimpleNamespace(dialect=SimpleNamespace(name="mysql"))
    with pytest.raises(ConfigurationError, match="SQLite and PostgreSQL, not mysql"):
        SqlStore(engine)


def test_without_sqlalchemy(monkeypatch):
    """The one line that installs it."""
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    with pytest.raises(ConfigurationError, match=r'pip install "facematch-core\[store\]"'):
        SqlStore("sqlite:///a.sqlite3")


def test_importing_it_loads_no_sqlalchemy():
    """Only opening a store does."""
    modules = "sys, facematch_core.resilience, facematch_core.store"
    code = f"import {modules}; print('sqlalchemy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_reserving_is_one_statement(sql):
    """To compare and to add cannot come apart."""
    sql.reserve(entry(), Decimal(5))
    said = []
    sqlalchemy.event.listen(
        sql._database.engine, "before_cursor_execute", lambda *event: said.append(event[2])
    )
    sql.reserve(entry(), Decimal(5))
    begin, update, insert, commit = said
    assert (begin, commit) == ("BEGIN IMMEDIATE", "COMMIT")
    assert "SET cap=?, reserved=(facematch_budgets.reserved + ?)" in update
    assert "<= ?" in update
    assert insert.startswith("INSERT INTO facematch_attempts")
    assert KEY.name not in update


def test_a_full_disk_is_told_as_that(sql):
    """SQLite takes the step back by itself; what comes of taking it back again is not told."""
    database = sql._database
    database.run(lambda file: file.exec_driver_sql("CREATE TABLE filler (x)"))
    (pages,) = database.run(lambda file: file.exec_driver_sql("PRAGMA page_count").one())
    database.run(lambda file: file.exec_driver_sql(f"PRAGMA max_page_count = {pages + 1}"))
    with pytest.raises(ConfigurationError, match=r"failed \(database or disk is full\)"):
        database.run(
            lambda file: file.exec_driver_sql("INSERT INTO filler VALUES (zeroblob(1000000))")
        )
    assert database.run(lambda file: file.exec_driver_sql("SELECT * FROM filler").all()) == []


DAMAGES = [
    "UPDATE facematch_budgets SET budget = '[1, 2'",
    'UPDATE facematch_budgets SET budget = \'["shop", null, "elsewhere", "total", ""]\'',
    "UPDATE facematch_budgets SET budget = 'null'",
    "UPDATE facematch_budgets SET budget = CAST(x'ff' AS TEXT)",
    "UPDATE facematch_budgets SET spent = 'many'",
    "UPDATE facematch_budgets SET spent = -5",
    "UPDATE facematch_budgets SET spent = 0.5",
    "UPDATE facematch_budgets SET budget = x'ff'",
    "UPDATE facematch_attempts SET attempt = '{'",
    "UPDATE facematch_attempts SET attempt = '[]'",
    "UPDATE facematch_attempts SET attempt = '{}'",
    "UPDATE facematch_attempts SET attempt = CAST(x'7bff' AS TEXT)",
    "UPDATE facematch_attempts SET state = 'reserved', billed = 'perhaps'",
    "UPDATE facematch_attempts SET state = 'unknown', ended_at = 'yesterday'",
    "UPDATE facematch_attempts SET amount = 'all'",
    "UPDATE facematch_attempts SET amount = -1",
    "DROP TABLE facematch_attempts",
    "ALTER TABLE facematch_budgets DROP COLUMN spent",
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_store(sql, tmp_path, damage):
    """One sentence of ours for whoever reads it, and nobody may spend more than the cap."""
    one = entry()
    sql.reserve(one, ONE)
    with sqlite3.connect(tmp_path / "attempts.sqlite3") as file:
        file.execute(damage)
    file.close()
    errors = []
    for ask in (
        sql.budgets,
        sql.open_reservations,
        lambda: sql.budget(KEY),
        lambda: sql.reserve(entry(), ONE),
        lambda: sql.finalize(one, Charged.NO, at=NOW),
    ):
        try:
            ask()
        except ConfigurationError as error:
            errors.append(error)
    assert errors
    if "SET spent" in damage:
        with pytest.raises(ConfigurationError):
            sql.reserve(entry(), Decimal(9))
    assert all(str(error).startswith("The store of calls ") for error in errors)
    assert all(error.__context__ is None for error in errors)


def upgraded(address):
    """What becomes of a store of 0.1 and 0.2; for PostgreSQL as well."""
    with contextlib.closing(SqlStore(address)) as store:
        assert sums(store) == (1, 1, 1)
        calls = store.open_reservations()
        assert [(one.call.kept, one.state.value) for one in calls] == [
            (True, "unknown"),
            (False, "reserved"),
            (False, "reserved"),
        ]
        assert {one.key.period for one in store.budgets()} == {Period.TOTAL, Period.DAY}
        assert expire_reservations(store, later(minutes=15)) == 2
        assert store.finalize(calls[0], Charged.YES, at=NOW)
        assert store.reserve(entry(), Decimal(9)) is None
        assert sums(store) == (2, 1, 1)
    with contextlib.closing(SqlStore(address)) as again:
        assert sums(again) == (2, 1, 1)


def test_a_store_of_01_is_brought_up(tmp_path):
    """Its sums count on, and its calls are found; runs are over."""
    file = tmp_path / "old.sqlite3"
    with sqlite3.connect(file) as old:
        old.executescript(STORE_01.read_text())
    upgraded(f"sqlite:///{file}")
    columns = {row[1] for row in old.execute("PRAGMA table_info(facematch_attempts)")}
    old.close()
    assert columns == {column.name for column in ATTEMPTS.columns}


def test_the_last_day_has_no_end():
    """There is no day after it."""
    day = attrs.evolve(KEY, period=Period.DAY, window="9999-12-31")
    assert day.ends_at is None
    store = MemoryStore()
    store.reserve(entry(day), ONE)
    assert store.reserve(entry(day), ONE).key.ends_at is None


def test_a_store_that_cannot_be_opened_leaves_no_connection(tmp_path, monkeypatch):
    """Nobody has anything to close, and newer Pythons warn of what is left."""
    opened, connect = [], sqlite3.dbapi2.connect

    class Counted(sqlite3.Connection):
        def close(self):
            opened.remove(self)
            super().close()

    def counted(*args, **more):
        opened.append(connect(*args, **{**more, "factory": Counted}))
        return opened[-1]

    monkeypatch.setattr(sqlite3.dbapi2, "connect", counted)
    (tmp_path / "store").write_bytes(b"garbage" * 1000)
    with pytest.raises(ConfigurationError):
        SqlStore(f"sqlite:///{tmp_path}/store")
    assert opened == []
