"""Large tables in PostgreSQL: the rows that each operation reads, and indexes made meanwhile."""

import contextlib
import json
import threading

import pytest
import sqlalchemy
from core.checks.desk import Desk
from core.sessions.shop import Shop
from core.store import growth
from kit.fakes import invoke_facematch
from system.postgres import connected

import facematch_core as fm
from facematch_core.checks import rows as check_rows
from facematch_core.sessions import rows as session_rows

LARGE = 10_000
#: An incremental sort reads so many rows at once.
FEW = 40


class RowsRead:
    """Explains each statement on facematch's tables, and counts the rows that its scans read."""

    def __init__(self, engine):
        self.count = 0
        self.nodes = []
        sqlalchemy.event.listen(engine, "before_cursor_execute", self._explain)

    def _explain(self, connection, _cursor, statement, parameters, _context, _many):
        if "facematch_" not in statement or not statement.startswith(("SELECT", "UPDATE")):
            return
        with connection.connection.cursor() as cursor:
            cursor.execute("SAVEPOINT explained")
            cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", parameters)
            (((explained,),),) = cursor.fetchall()
            cursor.execute("ROLLBACK TO explained")
        self._walk(explained["Plan"])

    def _walk(self, node):
        if "Scan" in node["Node Type"]:
            removed = node.get("Rows Removed by Filter", 0)
            self.count += (node["Actual Rows"] + removed) * node["Actual Loops"]
            self.nodes.append(node["Node Type"])
        for inner in node.get("Plans", []):
            self._walk(inner)


@pytest.fixture
def address(postgres):
    return postgres.new_database()


@pytest.fixture
def engine(address, at_end):
    engine = sqlalchemy.create_engine(address)
    at_end.callback(engine.dispose)
    return engine


@pytest.mark.parametrize(
    ("make", "add", "operations"),
    [
        (Shop, growth.add_sessions, growth.operations_on_sessions),
        (Desk, growth.add_checks, growth.operations_on_checks),
    ],
    ids=["sessions", "checks"],
)
def test_operations_read_a_few_rows_of_a_large_table(engine, at_end, make, add, operations):
    store = make(engine, at_end)
    add(store, engine, LARGE)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM ANALYZE")
    rows_read = RowsRead(engine)
    by_name = {}
    for name, operation in operations(store).items():
        rows_read.count = 0
        operation()
        by_name[name] = rows_read.count
    assert {name: count for name, count in by_name.items() if count > FEW} == {}
    assert "Index Scan" in rows_read.nodes


def test_look_reads_no_row_if_nothing_is_due(engine, at_end):
    shop = Shop(engine, at_end)
    growth.add_sessions(shop, engine, LARGE)
    shop.clock.advance(5)
    assert len(shop.store.look()) == 1
    with engine.begin() as connection:
        connection.exec_driver_sql("ANALYZE")
    rows_read = RowsRead(engine)
    for _ in range(10):
        assert shop.store.look() == ()
    assert rows_read.count == 0


# The command `facematch tidy`

LACKED = ["ix_facematch_sessions_link", "ix_facematch_sessions_unused"]
INDEXES = {
    index.name
    for metadata in (session_rows.METADATA, check_rows.METADATA)
    for table in metadata.tables.values()
    for index in table.indexes
}
#: The index that an interrupted CREATE INDEX CONCURRENTLY leaves.
INVALIDATE = (
    "UPDATE pg_index SET indisvalid = false "
    "WHERE indexrelid = 'ix_facematch_sessions_link'::regclass"
)
WAITING = (
    "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query ILIKE '% INDEX %'"
)


@pytest.fixture
def old(address, tmp_path, monkeypatch, didit_mock):
    """A database whose tables lack an index, and have an invalid one; and its configuration."""
    (tmp_path / "facematch.toml").write_text(
        f'default_profile = "shop"\n[profiles.shop]\nbackend = "didit"\n'
        f'sessions = "{address}"\nchecks = "{address}"\n'
        'settings = { workflow_id = "5d1f6e0a-1f4b-4c55-9a7e-3d1d6a2f9c10" }\n'
    )
    monkeypatch.setenv("FACEMATCH_CONFIG", str(tmp_path / "facematch.toml"))
    monkeypatch.setenv("DIDIT_API_KEY", didit_mock.live_key)
    fm.SessionStore(address, fm.open_sessions(profile="shop")).close()
    fm.CheckStore(address, fm.open_verifier(profile="shop")).close()
    with connected(address, autocommit=True) as connection:
        connection.execute("DROP INDEX ix_facematch_sessions_unused")
        connection.execute(INVALIDATE)
    return address


def tidy():
    return json.loads(invoke_facematch("tidy", "--days", "30", "--json").stdout)


def valid_indexes(address):
    query = "SELECT indexrelid::regclass::text FROM pg_index WHERE indisvalid"
    with connected(address) as connection:
        return {name for (name,) in connection.execute(query)}


def test_missing_and_invalid_indexes_are_told_and_made_while_others_write(old):
    doctor = json.loads(invoke_facematch("doctor", "--json").stdout)
    assert sorted(doctor["missing_indexes"]) == LACKED
    write = "UPDATE facematch_sessions SET lease = NULL"
    with connected(old) as writer:  # an application's transaction that stays open
        writer.execute(write)
        made = threading.Thread(target=tidy)
        made.start()
        with connected(old, autocommit=True) as other:
            while other.execute(WAITING).fetchone() is None:
                assert made.is_alive()
            other.execute("SET lock_timeout = '5s'")
            other.execute(write)
        fm.SessionStore(old, fm.open_sessions(profile="shop")).close()
    made.join()
    assert valid_indexes(old) >= INDEXES
    assert tidy()["missing_indexes"] == []


def test_role_that_does_not_own_the_tables_does_the_rest(old, tmp_path, caplog):
    role = f"clerk_{sqlalchemy.make_url(old).database}"
    with connected(old, autocommit=True) as owner:
        owner.execute(f"CREATE ROLE {role} LOGIN")
        owner.execute(
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}"
        )
        owner.execute(
            "INSERT INTO facematch_checks (id, subject_key, place, turn, kind, settings, "
            "fingerprint, begun_at, lease_until) VALUES ('1', '', 1, 1, 'match', '', '', 0, 0)"
        )
    file = tmp_path / "facematch.toml"
    file.write_text(file.read_text().replace("facematch@", f"{role}@"))
    report = tidy()
    assert sorted(report["missing_indexes"]) == LACKED
    assert "InsufficientPrivilege" in caplog.text
    with connected(old) as owner:
        assert owner.execute("SELECT count(*) FROM facematch_checks").fetchone() == (0,)


def test_indexes_are_left_to_another_process_that_makes_them(old):
    from facematch_core.store.indexes import _INDEX_LOCK

    with contextlib.closing(connected(old)) as other:
        other.execute(f"SELECT pg_advisory_xact_lock({_INDEX_LOCK})")
        assert sorted(tidy()["missing_indexes"]) == LACKED
    assert tidy()["missing_indexes"] == []
