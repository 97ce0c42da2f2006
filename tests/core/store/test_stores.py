"""What every store of calls does."""

import itertools
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal, localcontext

import attrs
import pytest
from kit.attempts import KEY, NOW, ONE, entry, later, sums

from facematch_core import Charged, ConfigurationError, Environment
from facematch_core.resilience import Period
from facematch_core.store import State, expire_reservations

USD = attrs.evolve(KEY, currency="USD")


def test_reserved_until_settled(store):
    """What is set aside counts as spent once it was charged."""
    one = entry()
    assert store.budget(KEY) is None
    assert store.reserve(one, Decimal(2)) is None
    assert sums(store) == (0, 1, 0)
    assert store.finalize(one, Charged.YES, at=NOW)
    assert sums(store) == (1, 0, 0)
    assert store.open_reservations() == ()


@pytest.mark.parametrize(
    ("billed", "after"),
    [(Charged.YES, (1, 0, 0)), (Charged.NO, (0, 0, 0)), (Charged.UNKNOWN, (0, 0, 1))],
)
def test_three_ways_to_settle(store, billed, after):
    """Spent, free again, or set aside; to say it twice changes nothing."""
    one = entry()
    store.reserve(one, ONE)
    assert store.finalize(one, billed, at=NOW)
    assert not store.finalize(one, billed, at=NOW)
    assert sums(store) == after


@pytest.mark.parametrize(("billed", "after"), [(Charged.YES, (1, 0, 0)), (Charged.NO, (0, 0, 0))])
def test_unknown_is_settled_later(store, billed, after):
    """Once, and then for good."""
    one = entry()
    store.reserve(one, ONE)
    store.finalize(one, Charged.UNKNOWN, at=NOW, error="OutcomeUnknown")
    (left,) = store.open_reservations()
    assert (left.state, left.charged, left.error) == (
        State.UNKNOWN,
        "unknown",
        "OutcomeUnknown",
    )
    assert left.ended_at == NOW
    assert store.finalize(one, billed, at=later(days=2))
    assert sums(store) == after
    for again in Charged:
        assert not store.finalize(one, again, at=NOW)
    assert sums(store) == after


def test_what_was_never_reserved_is_not_settled(store):
    """A sum cannot be made smaller by a mistake."""
    store.reserve(entry(), ONE)
    assert not store.finalize(entry(), Charged.NO, at=NOW)
    assert sums(store) == (0, 1, 0)


@pytest.mark.parametrize("billed", [None, Charged.YES, Charged.UNKNOWN])
def test_no_room(store, billed):
    """Spent, reserved and unknown all take room; a refusal changes nothing and says what stands."""
    one = entry()
    store.reserve(one, ONE)
    if billed:
        store.finalize(one, billed, at=NOW)
    before = sums(store)
    full = store.reserve(entry(), ONE)
    assert (full.spent, full.reserved, full.unknown) == before
    assert full.free == 0
    assert sums(store) == before
    assert store.reserve(entry(), Decimal(2)) is None


def test_a_cap_of_nothing(store):
    """Nothing is spent, and a sum that never was is told as it is."""
    full = store.reserve(entry(), Decimal(0))
    assert (full.cap, full.spent, full.reserved, full.unknown) == (0, 0, 0, 0)
    assert store.open_reservations() == ()


def test_cap_may_change(store):
    """Each reservation is held to its own cap; the sums stay."""
    for _ in range(3):
        assert store.reserve(entry(), Decimal(3)) is None
    assert store.reserve(entry(), Decimal(2)) is not None
    assert store.reserve(entry(), Decimal(4)) is None
    assert store.budget(KEY).cap == 4


@pytest.mark.parametrize(
    "other",
    [
        {"name": "other"},
        {"currency": "USD"},
        {"environment": Environment.MOCK},
        {"period": Period.DAY, "window": "2026-11-20"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_sums_are_apart(store, other):
    """Whatever tells two budgets apart, neither uses up the other's."""
    key = attrs.evolve(KEY, **other)
    assert store.reserve(entry(), ONE) is None
    assert store.reserve(entry(key), ONE) is None
    assert store.reserve(entry(key), ONE) is not None
    assert [one.key for one in store.open_reservations(key)] == [key]
    assert {one.key for one in store.budgets()} == {KEY, key}


def test_amounts_are_exact(store):
    """A tenth added ten times is one; a millionth is not lost beside a million millions."""
    tenth = Decimal("0.1")
    for _ in range(10):
        one = entry(USD, tenth)
        assert store.reserve(one, ONE) is None
        store.finalize(one, Charged.YES, at=NOW)
    assert store.budget(USD).spent == 1
    assert store.reserve(entry(USD, Decimal("0.000001")), ONE) is not None
    most = Decimal(10**12)
    assert store.reserve(entry(USD, most - 1), most) is None
    assert store.reserve(entry(USD, Decimal("0.000001")), most) is not None


def test_a_program_that_rounds_early(store):
    """Its own way with decimals is not ours."""
    with localcontext(prec=2):
        for amount in ("100000.000001", "0.000001"):
            assert store.reserve(entry(USD, Decimal(amount)), Decimal("100000.000002")) is None
        full = store.reserve(entry(USD, Decimal("0.000001")), Decimal("100000.000002"))
        assert full.reserved == Decimal("100000.000002")
        assert full.free == 0


def test_one_try_is_reserved_once(store):
    """Two budgets that are one would count each call twice."""
    one = entry()
    store.reserve(one, Decimal(5))
    with pytest.raises(ConfigurationError, match="already reserved in the budget 'shop'"):
        store.reserve(one, Decimal(5))
    assert sums(store) == (0, 1, 0)
    assert store.reserve(attrs.evolve(one, number=2), Decimal(5)) is None


def test_entries_come_back_as_they_were(store):
    """Everything that looking for the call later needs; the oldest first."""
    new = entry(started_at=later(seconds=5), caller_ref="case-17", kept=True)
    old = entry(number=3)
    for one in (new, old):
        store.reserve(one, Decimal(5))
    bare = attrs.evolve(new, call=attrs.evolve(new.call, caller_ref=None))
    assert store.open_reservations() == (old, bare)


def test_nothing_of_the_caller(store):
    """Its reference may be personal data."""
    store.reserve(entry(caller_ref="case-17"), ONE)
    assert store.open_reservations()[0].call.caller_ref is None


def test_of_64_threads_exactly_the_cap_pass(store):
    """However many ask at once, and whatever becomes of those that pass."""
    ways = itertools.cycle([Charged.YES, Charged.UNKNOWN])

    def go(billed):
        one = entry()
        if store.reserve(one, Decimal(100)) is not None:
            return False
        return store.finalize(one, billed, at=NOW)

    with ThreadPoolExecutor(64) as pool:
        passed = list(pool.map(go, itertools.islice(ways, 300)))
    spent, reserved, unknown = sums(store)
    assert sum(passed) == 100
    assert (spent + unknown, reserved) == (100, 0)


def test_what_nobody_finished_in_time_is_unknown(store):
    """It may have been sent. What began later is left alone."""
    gone, here = entry(), entry(started_at=later(minutes=1))
    for one in (gone, here):
        store.reserve(one, Decimal(2))
    assert expire_reservations(store, later(minutes=14, seconds=59)) == 0
    assert expire_reservations(store, later(minutes=15), attrs.evolve(KEY, name="other")) == 0
    assert expire_reservations(store, later(minutes=15)) == 1
    assert sums(store) == (0, 1, 1)
    assert expire_reservations(store, later(minutes=15)) == 0


@pytest.mark.parametrize(("charged", "after"), [(Charged.YES, (1, 0, 0)), (Charged.NO, (0, 0, 0))])
def test_a_late_answer_counts(store, charged, after):
    """Whoever was only slow finalizes what was given up, and nobody doubts that again."""
    slow = entry()
    store.reserve(slow, ONE)
    assert expire_reservations(store, later(seconds=60), lease_s=60) == 1
    assert store.finalize(slow, charged, at=later(days=2))
    assert sums(store) == after
    assert expire_reservations(store, later(days=9)) == 0


def test_it_is_used_again_after_closing(store):
    """Who shares it need not know who else closes it."""
    store.reserve(entry(), ONE)
    store.close()
    store.close()
    assert sums(store) == (0, 1, 0)
