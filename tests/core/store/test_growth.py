"""No operation of a store costs more in a large table: counted in steps of SQLite's machine."""

import contextlib

import pytest
import sqlalchemy
from core.checks.desk import Desk
from core.sessions.shop import Shop
from core.store import growth

SMALL, LARGE = 1000, 10_000
#: SQLite counts in tens, and a scan of so many more rows takes some ten thousand steps.
ALIKE = 50


def steps(address, make, add, operations, count):
    """Return the steps of each operation on a table of so many rows, by its name."""
    engine = sqlalchemy.create_engine(address)
    counted = dict.fromkeys(["before"], 0)
    name = "before"

    def count_ten():
        counted[name] += 10

    @sqlalchemy.event.listens_for(engine, "connect")
    def connect(connection, _record):
        connection.set_progress_handler(count_ten, 10)

    with contextlib.ExitStack() as stack:
        stack.callback(engine.dispose)
        store = make(engine, stack)
        add(store, engine, count)
        for name, operation in operations(store).items():
            counted[name] = 0
            operation()
    del counted["before"]
    return counted


@pytest.mark.parametrize(
    ("make", "add", "operations"),
    [
        (Shop, growth.add_sessions, growth.operations_on_sessions),
        (Desk, growth.add_checks, growth.operations_on_checks),
    ],
    ids=["sessions", "checks"],
)
def test_operations_cost_the_same_in_a_table_ten_times_as_large(tmp_path, make, add, operations):
    by_count = {}
    for count in (SMALL, LARGE):
        address = f"sqlite:///{tmp_path}/{count}.sqlite3"
        by_count[count] = steps(address, make, add, operations, count)
    grown = {
        name: (count, by_count[LARGE][name])
        for name, count in by_count[SMALL].items()
        if abs(by_count[LARGE][name] - count) > ALIKE
    }
    assert grown == {}
    assert min(by_count[LARGE].values()) > 0
