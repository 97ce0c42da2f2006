"""Which errors of a database are temporary, so that a call may be repeated. No server is needed."""

import sqlite3

import pytest
import sqlalchemy
from kit.attempts import UNIT, before_each_statement, entry
from sqlalchemy.exc import OperationalError

from facematch_core import ConfigurationError, StoreUnavailable
from facematch_core.base.deadline import Deadline
from facematch_core.store import SqlStore

#: By the attribute in which a driver has the code: psycopg, psycopg2, sqlite3.
TEMPORARY = {
    "sqlstate": {
        "57P01": "the server shuts down",
        "57P02": "the server has crashed",
        "57P03": "the server is starting",
        "53100": "a full disk",
        "53300": "no free connection",
        "40001": "a serialization failure",
        "40P01": "a deadlock",
        "25P03": "the transaction was idle for too long",
        "25006": "the server can only be read, as after a failover",
        "08000": "a lost connection",
        "08003": "a lost connection",
        "08006": "a lost connection",
        "42P05": "a prepared statement of another client of the pooler",
        "26000": "a prepared statement that the pooler lost",
        "55P03": "a locked row",
    },
    "pgcode": {"57P01": "the server shuts down", "25006": "the server can only be read"},
    "sqlite_errorname": {
        "SQLITE_BUSY": "another process writes",
        "SQLITE_BUSY_SNAPSHOT": "another process has written",
        "SQLITE_LOCKED": "another connection writes",
        "SQLITE_LOCKED_SHAREDCACHE": "another connection writes",
        "SQLITE_FULL": "a full disk",
    },
}
PERMANENT = {
    "sqlstate": {
        "42501": "a missing permission",
        "42P01": "a missing table",
        "3D000": "a missing database",
        "28P01": "a wrong password",
        "22001": "a text that is too long",
        "25001": "a wrong state of the transaction",
        "57014": "a statement that was cancelled",
    },
    "pgcode": {"42501": "a missing permission"},
    "sqlite_errorname": {
        "SQLITE_READONLY": "a file that cannot be written",
        "SQLITE_NOTADB": "another file",
        "SQLITE_CORRUPT": "a damaged file",
    },
}


def coded(attribute, code):
    """Return an error as SQLAlchemy raises it, with a driver's code."""
    kind = sqlite3.OperationalError if attribute == "sqlite_errorname" else Exception
    cause = kind("canary-value")
    setattr(cause, attribute, code)
    return OperationalError("canary-statement", {}, cause)


def fail_with(error):
    """A step of the store fails so before its row is written."""

    def fail(statement):
        if statement.startswith("INSERT INTO facematch_attempts"):
            raise error

    return before_each_statement(fail)


def rows(table):
    return [(attribute, code) for attribute, codes in table.items() for code in codes]


@pytest.mark.parametrize(("attribute", "code"), rows(TEMPORARY))
def test_temporary_error_lets_the_call_be_repeated(sql, attribute, code):
    with fail_with(coded(attribute, code)), pytest.raises(StoreUnavailable) as caught:
        sql.reserve(entry(), UNIT, deadline=Deadline.after(0))
    assert caught.value.retryable
    assert "canary-statement" not in str(caught.value)
    assert sql.budgets() == ()
    assert sql.reserve(entry(), UNIT) is None


@pytest.mark.parametrize(("attribute", "code"), rows(PERMANENT))
def test_permanent_error_asks_for_another_configuration(sql, attribute, code):
    with fail_with(coded(attribute, code)), pytest.raises(ConfigurationError) as caught:
        sql.reserve(entry(), UNIT, deadline=Deadline.after(0))
    assert "canary-statement" not in str(caught.value)
    assert sql.budgets() == ()


@pytest.mark.parametrize(
    "error",
    [
        sqlalchemy.exc.TimeoutError("every connection of the pool is used"),
        OperationalError("", {}, Exception(), connection_invalidated=True),
        OperationalError("", {}, ConnectionRefusedError()),
        OperationalError("", {}, type("ConnectionTimeout", (Exception,), {})()),
    ],
    ids=["pool", "lost", "refused", "timed out"],
)
def test_lost_connection_is_temporary(sql, error):
    with fail_with(error), pytest.raises(StoreUnavailable):
        sql.reserve(entry(), UNIT)
    assert sql.reserve(entry(), UNIT) is None


def test_refused_connection_is_temporary_once_the_address_was_right(address):
    def refuse(_statement):
        raise OperationalError("", {}, ConnectionRefusedError())

    with before_each_statement(refuse), pytest.raises(ConfigurationError):
        SqlStore(address)


@pytest.mark.parametrize(
    ("attribute", "code"), [("sqlstate", "53100"), ("sqlite_errorname", "SQLITE_FULL")]
)
def test_full_disk_asks_for_space(sql, attribute, code):
    with fail_with(coded(attribute, code)), pytest.raises(StoreUnavailable, match="some space"):
        sql.reserve(entry(), UNIT)


def test_server_that_can_only_be_read_is_temporary(sql):
    with fail_with(coded("sqlstate", "25006")), pytest.raises(StoreUnavailable, match="primary"):
        sql.reserve(entry(), UNIT)
    assert sql.reserve(entry(), UNIT) is None
