"""What is left of an erased customer in the files of SQLite, while the service runs."""

import contextlib
import sqlite3
from pathlib import Path

import pytest
import sqlalchemy
from core.sessions.shop import *  # noqa: F403 - its fixtures

LEAVER = "customer-4711-of-the-shop"


@pytest.fixture(autouse=True)
def _sqlite_without_secure_delete():
    """Be like most builds of SQLite, which leave deleted rows in the file unless they are told."""

    def turn_off(connection, _record):
        connection.execute("PRAGMA secure_delete = OFF")

    sqlalchemy.event.listen(sqlalchemy.pool.Pool, "connect", turn_off)
    yield
    sqlalchemy.event.remove(sqlalchemy.pool.Pool, "connect", turn_off)


def times_in_files(shop):
    """Return how often the customer's number is in the database and in its log."""
    file = sqlalchemy.make_url(shop.address).database
    paths = [Path(file), Path(f"{file}-wal")]
    return [path.read_bytes().count(LEAVER.encode()) for path in paths if path.exists()]


def shop_with_leaver(open_shop):
    """Open a shop in which the leaver and others have begun, finished and used sessions."""
    shop = open_shop()
    for number in range(12):
        for customer in (LEAVER, f"customer-{number}"):
            case = {"purpose": "payout", "about": f"payout {number}"}
            shop.vendor.finish(shop.begin(customer, case=case).record.session_id)
            assert shop.use(customer, case=case)
    assert sum(times_in_files(shop)) > 12
    return shop


def test_number_of_an_erased_customer_is_neither_in_the_file_nor_in_its_log(open_shop):
    shop = shop_with_leaver(open_shop)
    assert all(each.is_done_here for each in shop.store.erase(LEAVER))
    assert sum(times_in_files(shop)) == 0
    assert shop.find("customer-3") is None
    assert len(shop.rows()) == 12


def test_next_call_empties_the_log_that_somebody_was_reading(open_shop):
    shop = shop_with_leaver(open_shop)
    file = sqlalchemy.make_url(shop.address).database
    with contextlib.closing(sqlite3.connect(file)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM facematch_sessions").fetchall()
        assert shop.store.erase(LEAVER)
        assert sum(times_in_files(shop)) > 0
    assert shop.store.erase(LEAVER) == ()
    assert sum(times_in_files(shop)) == 0
