import contextlib
import sqlite3
import sys
import types
from decimal import Decimal

import pytest
import sqlalchemy
from kit.attempts import BUDGET_KEY, NOW, UNIT, before_each_statement, entry, sums

from facematch_core import Charged, ConfigurationError, StoreUnavailable
from facematch_core.store import SqlStore
from facematch_core.store.engines import create_engine


@pytest.mark.skipif(sys.platform == "win32", reason="no file that is open can be removed there")
def test_removed_database_file_is_an_error_and_a_new_one_is_used(sql, address, tmp_path):
    sql.reserve(entry(), UNIT)
    for file in tmp_path.glob("attempts*"):
        file.unlink()
    with pytest.raises(ConfigurationError):  # it would be counted where nobody reads it
        sql.reserve(entry(), UNIT)
    with contextlib.closing(SqlStore(address)) as new_store:
        assert new_store.reserve(entry(), UNIT) is None
        assert sql.reserve(entry(), UNIT) is not None


def test_other_schema_version_is_refused(sql, address, tmp_path):
    sql.close()
    with contextlib.closing(sqlite3.connect(tmp_path / "attempts.sqlite3")) as connection:
        connection.execute("UPDATE facematch_store SET version = 1")
        connection.commit()
    with pytest.raises(ConfigurationError, match="version 1 of"):
        SqlStore(address)


def test_given_engine_is_used_and_not_disposed(tmp_path):
    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path}/shop.sqlite3")
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text("CREATE TABLE orders (id INTEGER)"))
    pool = engine.pool
    store = SqlStore(engine)
    assert store.reserve(entry(), UNIT) is None
    assert store.reserve(entry(), UNIT) is not None
    store.close()
    assert engine.pool is pool
    engine.dispose()


@pytest.mark.parametrize(
    ("name", "error", "says"),
    [
        ("SQLITE_FULL", StoreUnavailable, "free some space"),
        ("SQLITE_READONLY_DBMOVED", ConfigurationError, "as SQLite says it.*folder writable"),
    ],
)
def test_failed_step_is_rolled_back(sql, name, error, says):
    sql.reserve(entry(), Decimal(5))

    def fail(statement):
        if statement.startswith("INSERT INTO facematch_attempts"):
            problem = sqlite3.OperationalError("as SQLite says it")
            problem.sqlite_errorcode = getattr(sqlite3, name)
            problem.sqlite_errorname = name
            raise sqlalchemy.exc.OperationalError("INSERT", {}, problem)

    with before_each_statement(fail), pytest.raises(error, match=says) as caught:
        sql.reserve(entry(), Decimal(5))
    assert caught.value.__context__ is None
    assert sums(sql) == (0, 1, 0)


@pytest.mark.parametrize(
    "address",
    ["", "nonsense", "postgresql+nodriver://u:canary@h/d", "sqlite:///:memory:", "sqlite:///a\0b"],
)
def test_invalid_store_url_is_refused_and_password_is_not_shown(address):
    with pytest.raises(ConfigurationError, match="Invalid store address") as caught:
        SqlStore(address)
    assert "canary" not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    "address", ["sqlite://", "sqlite:///:memory:", "sqlite:///file:a?uri=true"]
)
def test_database_without_a_plain_file_is_refused_with_a_file_as_the_remedy(address):
    with pytest.raises(ConfigurationError, match="sqlite:///FILE") as caught:
        SqlStore(address)
    assert "pip" not in str(caught.value)


def test_file_that_is_no_database_is_refused_and_unchanged(tmp_path):
    file = tmp_path / "photo.jpg"
    file.write_bytes(b"\xff\xd8\xff" * 500)
    with pytest.raises(ConfigurationError, match="file is not a database"):
        SqlStore(f"sqlite:///{file}")
    assert file.read_bytes() == b"\xff\xd8\xff" * 500


def test_budget_check_and_increment_are_one_statement(address):
    engine = sqlalchemy.create_engine(address)
    statements = []
    store = SqlStore(engine)
    store.reserve(entry(), Decimal(5))
    with before_each_statement(statements.append, engine):
        store.reserve(entry(), Decimal(5))
    store.close()
    engine.dispose()
    begin, update, insert, commit = statements
    assert (begin, commit) == ("BEGIN IMMEDIATE", "COMMIT")
    assert "SET cap=?, reserved=(facematch_budgets.reserved + ?)" in update
    assert "<= ?" in update
    assert insert.startswith("INSERT INTO facematch_attempts")
    assert BUDGET_KEY.name not in update


DAMAGES = [
    "UPDATE facematch_budgets SET budget = '[1, 2'",
    'UPDATE facematch_budgets SET budget = \'["shop", null, "elsewhere", "total", ""]\'',
    "UPDATE facematch_budgets SET spent = 'many'",
    "UPDATE facematch_budgets SET spent = -5",
    "UPDATE facematch_attempts SET attempt = CAST(X'43414E4152598080' AS TEXT)",
    "UPDATE facematch_attempts SET attempt = '{'",
    "UPDATE facematch_attempts SET state = 'reserved', billed = 'perhaps'",
    "UPDATE facematch_attempts SET state = 'unknown', ended_at = 'yesterday'",
    "UPDATE facematch_attempts SET amount = -1",
    "DROP TABLE facematch_attempts",
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_store_raises_configuration_error_and_respects_the_cap(sql, tmp_path, damage):
    reservation = entry()
    sql.reserve(reservation, UNIT)
    with sqlite3.connect(tmp_path / "attempts.sqlite3") as file:
        file.execute(damage)
    file.close()
    errors = []
    for ask in (
        sql.budgets,
        sql.open_reservations,
        lambda: sql.budget(BUDGET_KEY),
        lambda: sql.reserve(entry(), UNIT),
        lambda: sql.finalize(reservation, Charged.NO, at=NOW),
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
    assert not any("CANARY" in str(error) for error in errors)
    assert all(error.__context__ is None for error in errors)


@pytest.mark.parametrize("damage", ["billed = 'perhaps'", "state = 'paid'"])
def test_charge_of_a_damaged_attempt_is_an_error_rather_than_free(sql, tmp_path, damage):
    """Whoever reads NO would make the call again and pay twice."""
    reservation = entry()
    sql.reserve(reservation, UNIT)
    sql.finalize(reservation, Charged.YES, at=NOW)
    call_ids = [reservation.call.id]
    assert sql.charges(call_ids) == {reservation.call.id: Charged.YES}
    with contextlib.closing(sqlite3.connect(tmp_path / "attempts.sqlite3")) as connection:
        connection.execute(f"UPDATE facematch_attempts SET {damage}")
        connection.commit()
    with pytest.raises(ConfigurationError):
        sql.charges(call_ids)


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("postgres://u:canary@h/d?schema=public", "search_path"),
        ("postgresql+asyncpg://u:canary@h/d", "asynchronous"),
        ("sqlite+aiosqlite:///canary", "asynchronous"),
    ],
)
def test_address_of_another_library_is_refused_with_ours(monkeypatch, address, problem):
    pytest.importorskip("psycopg")
    # It need not be installed to be refused.
    monkeypatch.setitem(sys.modules, "asyncpg", types.ModuleType("asyncpg"))
    with pytest.raises(ConfigurationError, match=rf"{problem}.*postgresql\+psycopg://") as caught:
        SqlStore(address)
    assert "canary" not in str(caught.value)


def test_object_that_is_no_engine_is_refused(address, tmp_path):
    engine = sqlalchemy.create_engine(address)
    with engine.connect() as connection:
        for where in (connection, engine.url, tmp_path / "calls.sqlite3", None):
            with pytest.raises(ConfigurationError, match="a SQLAlchemy engine, not"):
                SqlStore(where)
    engine.dispose()


@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
def test_address_without_a_driver_gets_ours(scheme, monkeypatch):
    pytest.importorskip("psycopg")
    address = f"{scheme}://shop@db.example/shop"
    assert create_engine(address).driver == "psycopg"
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ConfigurationError, match="driver is not installed"):
        create_engine(address)


def test_links_for_persons_are_not_in_the_log_of_statements(address, caplog):
    caplog.set_level("INFO", "sqlalchemy.engine")
    with contextlib.closing(SqlStore(address)) as store:
        store.reserve(entry(backend="canary-backend"), UNIT)
    assert "INSERT INTO facematch_attempts" in caplog.text
    assert "canary-backend" not in caplog.text


@pytest.mark.skipif(sys.platform == "win32", reason="modes do not say there who can open a file")
def test_file_that_others_can_open_is_said_once(tmp_path, caplog):
    file = tmp_path / "calls.sqlite3"
    SqlStore(f"sqlite:///{file}").close()
    file.chmod(0o660)
    SqlStore(f"sqlite:///{file}").close()
    assert caplog.messages == []
    file.chmod(0o666)
    SqlStore(f"sqlite:///{file}").close()
    SqlStore(f"sqlite:///{file}").close()
    (message,) = caplog.messages
    assert "0666" in message
    assert "chmod 600" in message


class ConnectArguments(Exception):
    """Raised in place of connecting, with the arguments that the driver would get."""


def connect_arguments(address):
    engine = create_engine(address)

    def stop(_dialect, _record, _positional, arguments):
        raise ConnectArguments(arguments)

    sqlalchemy.event.listen(engine, "do_connect", stop)
    with pytest.raises(ConnectArguments) as caught:
        engine.connect()
    engine.dispose()
    [arguments] = caught.value.args
    return arguments


def test_connections_to_postgres_are_limited_in_time_and_prepare_no_statements():
    """A dead server would hold calls for minutes; a pooler would lose prepared statements."""
    pytest.importorskip("psycopg")
    arguments = connect_arguments("postgresql+psycopg://shop@db.example/shop")
    assert arguments["connect_timeout"] == 5
    assert arguments["tcp_user_timeout"] == 30_000
    assert arguments["prepare_threshold"] is None


def test_options_of_an_address_override_ours(tmp_path):
    assert connect_arguments(f"sqlite:///{tmp_path}/calls.sqlite3")["timeout"] == 0.4
    assert connect_arguments(f"sqlite:///{tmp_path}/calls.sqlite3?timeout=7")["timeout"] == 7
