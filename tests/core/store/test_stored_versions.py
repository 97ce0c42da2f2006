"""Each later version opens the budgets, call logs and sessions that this one has written."""

import contextlib
import datetime as dt
import sqlite3
from decimal import Decimal
from pathlib import Path

import attrs
import pytest
import sqlalchemy
from core.sessions.vendor import ManySessions, VendorSession
from kit.attempts import BUDGET_KEY, NOW, UNIT, entry, sums
from kit.fakes import picture
from kit.stored_versions import columns, dump, read_or_write, restore

import facematch_core as fm
from facematch_core.call_log import tables as log_tables
from facematch_core.call_log.rows import LoggedCall, NotAsked, Side
from facematch_core.sessions import rows as session_rows
from facematch_core.store import State, transactions
from facematch_core.testing import ManualClock

GOLDEN = Path(__file__).parent / "golden"
KEY = "the key of a log"
MONEY = attrs.evolve(BUDGET_KEY, name="money", currency="USD")
PAYOUT = {"purpose": "payout", "about": "payout 8841"}


# Budgets


def make_budgets(address):
    with fm.SqlStore(address) as store:
        for number, charged in enumerate((fm.Charged.YES, fm.Charged.NO, fm.Charged.UNKNOWN, None)):
            reservation = entry(id=f"call-{number}")
            store.reserve(reservation, Decimal(10))
            if charged is not None:
                store.finalize(reservation, charged, at=NOW, error="RateLimited")
        store.reserve(attrs.evolve(entry(MONEY, id="call-4"), amount=Decimal("0.25")), UNIT)


def check_budgets(address):
    with fm.SqlStore(address) as store:
        assert sums(store) == (1, 1, 1)
        money = store.budget(MONEY)
        assert (money.cap, money.reserved, money.free) == (1, Decimal("0.25"), Decimal("0.75"))
        open_calls = {each.call.id: each.state for each in store.open_reservations()}
        assert open_calls == {
            "call-2": State.UNKNOWN,
            "call-3": State.RESERVED,
            "call-4": State.RESERVED,
        }
        charges = store.charges([f"call-{number}" for number in range(4)])
        assert [charge.value for charge in charges.values()] == ["yes", "no", "unknown", "unknown"]
        for reservation in store.open_reservations():
            assert store.finalize(reservation, fm.Charged.YES, at=NOW)
        assert store.reserve(entry(), Decimal(4)) is None
        assert store.reserve(entry(), Decimal(4)) is not None


# Call logs

CALLS = [
    LoggedCall(
        call_id="call-1",
        side=Side.ANSWERED,
        at=NOW,
        operation=fm.Operation.MATCH,
        system="didit",
        person="0" * 32,
        environment=fm.Environment.PRODUCTION,
        decision="match",
        score=91.5,
        scale="didit/face-match/v3",
        threshold=60.0,
        model="model-1",
        warnings="several_faces",
        charged=fm.Charged.YES,
        charges=1,
        elapsed_s=0.25,
    ),
    LoggedCall(
        call_id="call-1",
        side=Side.SHADOW,
        at=NOW,
        operation=fm.Operation.MATCH,
        not_asked=NotAsked.QUEUE_FULL,
    ),
    LoggedCall(
        call_id="call-2",
        side=Side.ANSWERED,
        at=NOW,
        operation=fm.Operation.LIVENESS,
        error="RateLimited",
    ),
]


def make_log(address):
    with fm.CallLog(address, key=KEY) as log:
        for call in CALLS:
            log.add(attrs.evolve(call, person=call.person and log.digest("customer-1")))


def check_log(address):
    with fm.CallLog(address, key=KEY) as log:
        person = log.digest("customer-1")
        assert log.rows() == [attrs.evolve(call, person=call.person and person) for call in CALLS]
        log.add(attrs.evolve(CALLS[0], call_id="call-3", person=person))
        assert len(log.rows()) == 4
        assert log.forget("customer-1") == 2
    with pytest.raises(fm.ConfigurationError):
        fm.CallLog(address, key="another key")


# Sessions


def open_sessions(address, vendor):
    sessions = fm.Sessions(fm.FaceVerifier(vendor, clock=ManualClock()))
    return fm.SessionStore(address, sessions)


def make_sessions(address):
    """Customer 1 has not finished, 2 has passed, 3 was let in, 4 has cancelled."""
    vendor = ManySessions()
    with open_sessions(address, vendor) as store:
        for number in range(1, 5):
            store.of(f"customer-{number}", **PAYOUT).begin(reference=picture())
        for number in (2, 3):
            vendor.finish(f"s-{number}")
            store.set_due(f"customer-{number}")
        store.look()
        assert store.of("customer-3", **PAYOUT).use(max_age_s=60)
        store.cancel("customer-4")


def check_sessions(address):
    vendor = ManySessions()
    with open_sessions(address, vendor) as store:
        cases = {number: store.of(f"customer-{number}", **PAYOUT) for number in range(1, 5)}
        found = {number: case.find() for number, case in cases.items()}
        assert found.pop(4) is None
        for number, session in found.items():
            passes = None if number == 1 else True
            vendor.sessions[f"s-{number}"] = VendorSession(
                id=f"s-{number}",
                record_id=session.record.id,
                terms=session.record.terms,
                compared_with=session.record.compared_with,
                state=fm.SessionState.DECIDED if passes else fm.SessionState.PENDING,
                passes=passes,
            )
        assert cases[2].why_not(max_age_s=60) == ()
        assert (found[1].is_open, found[3].used_at) == (True, NOW)
        begun = cases[1].begin(reference=picture())
        assert (begun.record, vendor.starts) == (found[1].record, [])
        uses = [cases[number].use(max_age_s=60) for number in (1, 2, 2, 3)]
        assert uses == [fm.Use.NO, fm.Use.FIRST, fm.Use.AGAIN, fm.Use.AGAIN]
        vendor.finish("s-1")
        store.set_due("customer-1")
        assert sorted(each.record.session_id for each in store.look()) == ["s-1", "s-2", "s-3"]
        assert [each.is_done_here for each in store.forget(0)] == [True] * 4


def test_session_whose_token_an_earlier_release_did_not_store_goes_on(tmp_path):
    kept = (GOLDEN / "token_of_an_earlier_release.sql").read_text("utf-8")
    address = restore(kept, tmp_path / "kept.sqlite3")
    vendor = ManySessions(gives="token once", gives_token_once=True)
    with open_sessions(address, vendor) as store:
        case = store.of("customer-17", **PAYOUT)
        record = case.find().record
        vendor.sessions["s-1"] = VendorSession(
            id="s-1",
            record_id=record.id,
            terms=record.terms,
            compared_with=record.compared_with,
        )
        held = case.begin(reference=picture())
        assert (held.record, held.access) == (record, None)
        assert held.begin_again_at == NOW + dt.timedelta(hours=1)
        assert (vendor.starts, vendor.deleted, len(vendor.reads)) == ([], [], 1)
        vendor.finish("s-1")
        assert case.use(max_age_s=60) is fm.Use.FIRST
        # This release stores the token of the next.
        login = store.of("customer-17", purpose="login", about=None)
        begun = login.begin(reference=picture())
        assert login.begin(reference=picture()).access == begun.access


@attrs.frozen
class Kind:
    """A kind of store, its current schema version, and what its file must still do."""

    name: str
    version: int
    version_table: str
    make: object
    check: object


KINDS = [
    Kind("budgets", transactions.VERSION, "facematch_store", make_budgets, check_budgets),
    Kind("call_log", log_tables.VERSION, "facematch_call_log", make_log, check_log),
    Kind(
        "sessions", session_rows.VERSION, "facematch_session_store", make_sessions, check_sessions
    ),
]


@pytest.fixture(params=KINDS, ids=lambda kind: kind.name)
def kind(request):
    return request.param


def test_current_version_has_a_file(kind, tmp_path):
    file = GOLDEN / f"{kind.name}_{kind.version}.sql"
    assert read_or_write(file, kind.make, tmp_path / "made.sqlite3")


def test_store_of_an_earlier_release_gets_the_columns_of_this_one(kind, tmp_path):
    kind.make(f"sqlite:///{tmp_path / 'now.sqlite3'}")
    now = columns(tmp_path / "now.sqlite3")
    kept = (GOLDEN / f"{kind.name}_{kind.version}.sql").read_text("utf-8")
    address = restore(kept, tmp_path / "kept.sqlite3")
    before = columns(tmp_path / "kept.sqlite3")
    assert before.items() <= now.items(), "an earlier release still writes these columns"
    added = [now[name] for name in now.keys() - before]
    assert all(column.may_be_null for column in added), "an earlier release writes no such column"
    kind.check(address)
    assert columns(tmp_path / "kept.sqlite3") == now


def test_no_version_gives_a_column_another_type(kind, tmp_path):
    kind.make(f"sqlite:///{tmp_path / 'now.sqlite3'}")
    now = columns(tmp_path / "now.sqlite3")
    for file in GOLDEN.glob(f"{kind.name}_*.sql"):
        restore(file.read_text("utf-8"), tmp_path / file.stem)
        earlier = columns(tmp_path / file.stem)
        retyped = {name for name in earlier.keys() & now if earlier[name].type != now[name].type}
        assert retyped == set()


def test_later_release_adds_tables_and_columns_beside_this_one(tmp_path):
    address = f"sqlite:///{tmp_path / 'sessions.sqlite3'}"
    make_sessions(address)
    later = sqlalchemy.MetaData()
    for table in session_rows.METADATA.tables.values():
        table.to_metadata(later)
    later.tables["facematch_sessions"].append_column(sqlalchemy.Column("later", sqlalchemy.Text))
    sqlalchemy.Table("facematch_later", later, sqlalchemy.Column("id", sqlalchemy.Integer))
    version_table = later.tables["facematch_session_store"]
    engine = sqlalchemy.create_engine(address)
    with engine.begin() as connection:
        for _ in range(2):
            version = transactions.create_tables(connection, version_table, session_rows.VERSION)
            assert version == session_rows.VERSION
    engine.dispose()
    found = columns(tmp_path / "sessions.sqlite3")
    assert {("facematch_sessions", "later"), ("facematch_later", "id")} <= found.keys()
    check_sessions(address)


def test_store_of_another_schema_version_stays_as_it_is(kind, tmp_path):
    """Only a release that the other one could no longer read or write has another version."""
    file = tmp_path / "later.sqlite3"
    address = f"sqlite:///{file}"
    kind.make(address)
    later = kind.version + 1
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.execute(f"UPDATE {kind.version_table} SET version = {later}")
        connection.commit()
    before = dump(file)
    with pytest.raises(fm.ConfigurationError, match=f"version {later} .*newer facematch"):
        kind.make(address)
    assert dump(file) == before


def test_file_of_each_version_is_read_and_continued(kind, tmp_path):
    files = sorted(GOLDEN.glob(f"{kind.name}_*.sql"))
    assert files
    for file in files:
        kind.check(restore(file.read_text("utf-8"), tmp_path / f"{file.stem}.sqlite3"))
