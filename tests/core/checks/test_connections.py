"""`use` of a check in the caller's own transaction, and Django's views of uploads."""

import contextlib
import json
import subprocess
import sys
import time

import pytest
import sqlalchemy
from core.checks.desk import *  # noqa: F403 - its fixtures
from core.checks.desk import DOCUMENT, SELFIE, Desk
from core.sessions.connections import KINDS
from kit import warm

import facematch_core as fm


@pytest.fixture(params=KINDS.values(), ids=list(KINDS))
def opened(request, monkeypatch):
    from django import apps, conf

    # Other tests have settings of their own.
    monkeypatch.setattr(apps.apps, "ready", True)
    monkeypatch.setitem(vars(conf.settings), "_wrapped", conf.empty)
    conf.settings.configure()
    return request.param


def test_check_is_used_if_the_caller_commits(desk, opened):
    desk.verify_live()
    with opened(desk.address) as (connection, _):
        assert desk.of().use(connection=connection)
        assert not desk.of().use(connection=connection)
        connection.rollback()
    assert desk.of().why_not() == ()
    with opened(desk.address) as (connection, _):
        assert desk.of().use(connection=connection)
        connection.commit()
    assert desk.of().why_not() == ("the check was used already",)
    with opened(desk.address) as (connection, _):
        assert not desk.of().use(connection=connection)


@contextlib.contextmanager
def locked(address):
    """Hold a write lock of the checks, as an open transaction of the application may."""
    engine = sqlalchemy.create_engine(address)
    lock = {
        "sqlite": "BEGIN IMMEDIATE",
        "postgresql": "LOCK TABLE facematch_checks IN EXCLUSIVE MODE",
    }
    with contextlib.closing(engine.connect()) as connection:
        connection.exec_driver_sql(lock[engine.dialect.name])
        yield
        connection.rollback()
    engine.dispose()


#: However slow the machine is; and sooner than the store's own patience, which is 30 seconds.
SOON_S = 20


def test_deadline_of_a_call_limits_its_wait_for_the_database(desk):
    began = time.monotonic()
    with locked(desk.address), pytest.raises(fm.StoreUnavailable) as caught:
        desk.verify_live(deadline_s=0.5)
    assert time.monotonic() - began < SOON_S
    assert "Nothing was sent." in str(caught.value)
    assert desk.operations == ""
    assert desk.verify_live(deadline_s=0.5).is_verified


def test_paid_verdict_is_returned_soon_although_the_database_is_locked(desk):
    with contextlib.ExitStack() as stack:
        desk.backend.script[:] = [lambda _request: stack.enter_context(locked(desk.address))]
        began = time.monotonic()
        assert desk.of().check_liveness(SELFIE, deadline_s=0.5).is_live
        assert time.monotonic() - began < SOON_S
    assert desk.of().check_liveness(SELFIE).is_live
    assert desk.operations == "l"


def test_page_tells_a_verdict_while_another_program_writes(desk):
    desk.verify_live()
    with locked(desk.address):
        assert desk.of().why_not() == ()
        assert desk.of().find().result.is_verified


def test_connection_of_another_kind_is_refused(desk):
    desk.verify_live()
    with pytest.raises(fm.InvalidRequest):
        desk.of().use(connection=desk.address)
    assert desk.of().use()


def test_open_transaction_does_not_wait_for_an_import_of_the_orm():
    program = "import sys, facematch_core.store.callers; print('sqlalchemy.orm' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout == "False\n"


def check_customers(desk):
    for number in range(100):
        desk.of(f"customer-{number}").verify_live(SELFIE, DOCUMENT)


def test_nothing_is_sent_while_the_disk_is_full(tmp_path):
    engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path}/checks.sqlite3")
    is_full = False

    @sqlalchemy.event.listens_for(engine, "checkout")
    def limit(connection, *_):
        pages = 1 if is_full else 2**30
        connection.execute(f"PRAGMA max_page_count = {pages}").fetchall()

    with contextlib.ExitStack() as stack:
        stack.callback(engine.dispose)
        desk = Desk(engine, stack)
        is_full = True
        with pytest.raises(fm.StoreUnavailable, match="full"):
            check_customers(desk)
        paid = desk.operations
        case = desk.of(f"customer-{paid.count('m')}")
        with pytest.raises(fm.StoreUnavailable):
            case.verify_live(SELFIE, DOCUMENT)
        assert desk.operations == paid
        is_full = False
        assert case.verify_live(SELFIE, DOCUMENT).is_verified
        assert case.use()


@pytest.mark.parametrize("mode", ["DEFERRED", "IMMEDIATE"])
def test_django_pays_at_once_outside_of_the_check_and_refuses_it_inside_atomic(tmp_path, mode):
    done = warm.run("core.checks.django_desk", tmp_path, mode)
    assert done.returncode == 0, done.stderr
    outcomes = json.loads(done.stdout)
    refused = {"status": 500, "payouts": 0, "charges": 0, "is_used": None}
    assert outcomes == {
        "pay": {"status": 200, "payouts": 1, "charges": 2, "is_used": True},
        "fail": {"status": 500, "payouts": 0, "charges": 2, "is_used": False},
        "in_atomic": refused,
        "in_atomic_after_write": refused,
    }
