import itertools
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import attrs
import pytest
from kit.attempts import BUDGET_KEY, NOW, UNIT, entry, later, sums
from kit.fakes import Hold
from sqlalchemy import event

from facematch_core import Charged, ConfigurationError
from facematch_core.store import State, expire_reservations
from facematch_core.store.records import LEASE_S

USD = attrs.evolve(BUDGET_KEY, currency="USD")


@pytest.mark.parametrize(
    ("charged", "after"),
    [(Charged.YES, (1, 0, 0)), (Charged.NO, (0, 0, 0)), (Charged.UNKNOWN, (0, 0, 1))],
)
def test_reservation_is_finalized_once_as_spent_free_or_unknown(store, charged, after):
    reservation = entry()
    assert store.budget(BUDGET_KEY) is None
    assert store.reserve(reservation, Decimal(2)) is None
    assert sums(store) == (0, 1, 0)
    assert not store.finalize(entry(), Charged.NO, at=NOW), "it was never reserved"
    assert store.finalize(reservation, charged, at=NOW)
    assert not store.finalize(reservation, charged, at=NOW)
    assert sums(store) == after
    assert bool(store.open_reservations()) is (charged is Charged.UNKNOWN)


@pytest.mark.parametrize("billed", [None, Charged.YES, Charged.UNKNOWN])
def test_spent_reserved_and_unknown_all_count_towards_the_cap(store, billed):
    reservation = entry()
    store.reserve(reservation, UNIT)
    if billed:
        store.finalize(reservation, billed, at=NOW)
    before = sums(store)
    full = store.reserve(entry(), UNIT)
    assert (full.spent, full.reserved, full.unknown) == before
    assert full.free == 0
    assert sums(store) == before
    assert store.reserve(entry(), Decimal(2)) is None


def test_connection_in_use_is_closed_soon_after_its_store(sql):
    held = Hold()
    opened = []
    closed = []

    def transaction(connection):
        opened.append(connection.connection.dbapi_connection)
        held()

    database = sql._database  # noqa: SLF001 - no method of it can be held in the middle
    event.listen(database.engine, "close", lambda connection, _: closed.append(connection))
    with ThreadPoolExecutor(1) as pool:
        step = pool.submit(database.run, transaction)
        held.wait_for()
        sql.close()
        held.go_on.set()
        step.result(30)
    assert opened[0] in closed


def test_one_attempt_is_reserved_once(store):
    reservation = entry()
    store.reserve(reservation, Decimal(5))
    with pytest.raises(ConfigurationError):
        store.reserve(reservation, Decimal(5))
    assert sums(store) == (0, 1, 0)
    assert store.reserve(attrs.evolve(reservation, number=2), Decimal(5)) is None


def test_16_threads_reserve_exactly_the_cap(store):
    def go(billed):
        reservation = entry()
        if store.reserve(reservation, Decimal(40)) is not None:
            return False
        return store.finalize(reservation, billed, at=NOW)

    charges = itertools.cycle([Charged.YES, Charged.UNKNOWN])
    with ThreadPoolExecutor(16) as pool:
        passed = list(pool.map(go, itertools.islice(charges, 100)))
    spent, reserved, unknown = sums(store)
    assert (sum(passed), spent + unknown, reserved) == (40, 40, 0)


@pytest.mark.parametrize(("charged", "after"), [(Charged.YES, (1, 0, 0)), (Charged.NO, (0, 0, 0))])
def test_expired_reservation_is_unknown_until_finalized(store, charged, after):
    slow = entry()
    elsewhere = attrs.evolve(BUDGET_KEY, name="other")
    store.reserve(slow, UNIT)
    for key, time in (
        (BUDGET_KEY, later(seconds=LEASE_S - 1)),
        (elsewhere, later(seconds=LEASE_S)),
    ):
        assert expire_reservations(store, time, key) == 0
    assert expire_reservations(store, later(seconds=LEASE_S)) == 1
    (reservation,) = store.open_reservations()
    assert (reservation.state, reservation.charged) == (State.UNKNOWN, "unknown")
    assert sums(store) == (0, 0, 1)
    assert store.finalize(slow, charged, at=later(days=2))
    for later_charge in Charged:
        assert not store.finalize(slow, later_charge, at=NOW)
    assert sums(store) == after
    assert expire_reservations(store, later(days=9)) == 0


def test_open_reservations_can_be_filtered_by_state(store):
    reserved = entry()
    unknown = entry()
    for reservation in (reserved, unknown):
        store.reserve(reservation, Decimal(5))
    store.finalize(unknown, Charged.UNKNOWN, at=NOW)
    (found,) = store.open_reservations(BUDGET_KEY, State.RESERVED)
    assert found.call.id == reserved.call.id
    (found,) = store.open_reservations(BUDGET_KEY, State.UNKNOWN)
    assert found.call.id == unknown.call.id
    assert len(store.open_reservations(BUDGET_KEY, None)) == 2
