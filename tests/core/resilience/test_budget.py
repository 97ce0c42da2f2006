"""A budget before the calls of a verifier."""

import contextlib
import copy
import logging
import pickle
import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import attrs
import pytest
from kit.attempts import KEY, NOW, ending, entry, later, passage, sums
from kit.fakes import FakeBackend, match_result, picture

from facematch_core import (
    Billing,
    BudgetExceeded,
    Charged,
    ConfigurationError,
    Environment,
    FaceVerifier,
    Operation,
    OutcomeUnknown,
    RateLimited,
    UnexpectedResponse,
    VendorError,
    VendorUnavailable,
)
from facematch_core.errors import FATAL
from facematch_core.resilience import Budget, Period, Policy, Retry
from facematch_core.store import MemoryStore

A, B = picture(), picture((10, 20, 30))
PRICES = {Operation.MATCH: Decimal("0.05"), Operation.LIVENESS: Decimal("0.03")}


@pytest.fixture
def store():
    """Where the budgets of a test are remembered."""
    return MemoryStore()


@pytest.fixture
def limited(backend, clock, store):
    """A verifier with a budget; arguments are those of `Budget`."""

    def make(cap, *more, **given):
        options = {"name": "shop", "store": store, "clock": clock} | given
        retries = options.pop("retries", None)
        gates = (Budget(cap, **options), *more)
        return FaceVerifier(backend, policies=gates, retry=retries, clock=clock)

    return make


def exceeded(verifier, match=None):
    """The refusal of a comparison."""
    with pytest.raises(BudgetExceeded, match=match) as caught:
        verifier.verify(A, B)
    return caught.value


def test_refused_before_the_first_byte(limited, backend, store):
    """The vendor hears nothing of the call that is one too many."""
    verifier = limited(2)
    verifier.verify(A, B)
    verifier.check_liveness(A)
    error = exceeded(
        verifier,
        r"The budget 'shop' of 2 calls has no room for 1 more \(2 spent, 0 reserved, 0 unknown\): "
        r"nothing was sent\.$",
    )
    assert len(backend.calls) == 2
    assert sums(store) == (2, 0, 0)
    assert (error.budget, error.unit, error.cap, error.frees_at) == ("shop", "calls", 2, None)
    assert (error.spent, error.reserved, error.unknown) == (2, 0, 0)


def test_the_refusal_can_be_copied(limited):
    """With all that it tells."""
    error = exceeded(limited(0, per=Period.DAY))
    for other in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert other.message == error.message
        assert vars(other) == vars(error)


@pytest.mark.parametrize(
    ("step", "after"),
    [
        (None, (1, 0, 0)),
        (UnexpectedResponse("Odd."), (1, 0, 0)),
        (match_result(billing=Billing(Charged.NO)), (0, 0, 0)),
        (match_result(billing=Billing(Charged.UNKNOWN)), (0, 0, 1)),
        (RateLimited("Slower."), (0, 0, 0)),
        (VendorUnavailable("Down."), (0, 0, 0)),
        (OutcomeUnknown("Lost."), (0, 0, 1)),
        (RuntimeError("a bug"), (0, 0, 1)),
    ],
    ids=str,
)
def test_settled_by_what_is_known(limited, backend, store, step, after):
    """Charged, not charged, or not known: as the answer or the error says."""
    backend.script = [step]
    verifier = limited(5)
    with contextlib.suppress(VendorError):
        verifier.verify(A, B)
    assert sums(store) == after


@pytest.mark.parametrize("sent", [True, False])
def test_broken_off(backend, clock, store, sent):
    """Ctrl-C after the first byte leaves the charge open; before it, nothing."""
    backend.match = lambda call: stop(call, sent)

    def stop(call, sent):
        if sent:
            call.on_sent()
        raise KeyboardInterrupt

    verifier = FaceVerifier(backend, policies=[Budget(5, name="shop", store=store)], clock=clock)
    with pytest.raises(KeyboardInterrupt):
        verifier.verify(A, B)
    assert sums(store) == (0, 0, int(sent))


def test_the_entry_says_what_happened(limited, backend, store, clock):
    """What is needed to look for the call, and nothing of the caller's."""
    backend.script = [OutcomeUnknown("Lost.")]
    with pytest.raises(OutcomeUnknown) as caught:
        limited(5).verify(A, B, caller_ref="case-17")
    (left,) = store.open_reservations()
    assert left.call == attrs.evolve(caught.value.call, caller_ref=None)
    assert (left.error, left.ended_at) == ("OutcomeUnknown", clock.now())


class Refuses(Policy):
    """A gate that lets nothing through."""

    def enter(self, passage):
        raise VendorUnavailable("Closed.")


def test_a_later_gate_that_refuses_gives_it_back(limited, backend, store):
    """Nothing was sent, so nothing stays set aside."""
    with pytest.raises(VendorUnavailable):
        limited(1, Refuses()).verify(A, B)
    assert sums(store) == (0, 0, 0)
    assert backend.calls == []


def test_each_try_is_reserved_alone(limited, backend, store):
    """A try that was not paid for is free before the next one; together they cost one."""
    seen = []

    def look(call):
        seen.append(sums(store))
        raise RateLimited("Slower.")

    backend.script = [look, look, lambda call: seen.append(sums(store))]
    limited(1, retries=Retry(times=2)).verify(A, B)
    assert seen == [(0, 1, 0)] * 3
    assert sums(store) == (1, 0, 0)
    assert len(backend.calls) == 3


def test_what_costs_nothing_is_not_counted(limited, backend, store):
    """An operation that its backend declares as free passes a budget of nothing."""
    backend.capabilities = attrs.evolve(
        backend.capabilities, billed_operations=frozenset({Operation.LIVENESS})
    )
    verifier = limited(0)
    verifier.verify(A, B)
    assert store.budgets() == ()
    with pytest.raises(BudgetExceeded):
        verifier.check_liveness(A)


def test_an_unpaid_try_ends_like_any_other(store):
    """Whoever calls a policy need not know whether the try was paid."""
    budget = Budget(0, name="shop", store=store)
    assert budget.enter(passage(paid=False))(ending()) is None
    assert store.budgets() == ()


@pytest.mark.parametrize("environment", [Environment.MOCK, Environment.SANDBOX])
def test_environments_are_counted_apart(store, environment):
    """A mock exercises the budget and uses up nothing of production."""
    budget = Budget(1, name="shop", store=store)
    real = passage()
    budget.enter(passage(environment=environment))(ending())
    with pytest.raises(BudgetExceeded, match=f"'shop' of {environment} of 1 calls"):
        budget.enter(passage(environment=environment))
    budget.enter(real)(ending())
    for either in (Environment.PRODUCTION, None):  # where nobody knows it, it is production
        with pytest.raises(BudgetExceeded, match="'shop' of 1 calls"):
            budget.enter(passage(environment=either))


def test_a_day_in_utc(limited, clock):
    """The day on which an attempt began; the next one begins at midnight."""
    verifier = limited(1, per=Period.DAY)
    verifier.verify(A, B)
    midnight = exceeded(verifier, r"of 1 calls per day .* It begins anew at").frees_at
    assert (midnight.hour, midnight.utcoffset().total_seconds()) == (0, 0)
    clock.advance((midnight - clock.now()).total_seconds() - 1)
    assert exceeded(verifier).frees_at == midnight
    clock.advance(1)
    verifier.verify(A, B)
    assert (exceeded(verifier).frees_at - midnight).days == 1


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="the zone of this system cannot be set")
def test_a_day_in_utc_whatever_the_zone_of_the_machine(store, monkeypatch):
    """Two machines that share a store begin the day together."""
    monkeypatch.setenv("TZ", "FAR-14")
    time.tzset()
    try:
        Budget(1, name="shop", per=Period.DAY, store=store).enter(
            passage(started_at=NOW.replace(hour=23))
        )
    finally:
        monkeypatch.undo()
        time.tzset()
    (one,) = store.budgets()
    assert one.key.window == NOW.date().isoformat()


def test_a_retry_after_midnight_is_of_the_day_before(limited, backend, clock, store):
    """An attempt has one day, however long it takes."""
    verifier = limited(1, per=Period.DAY, retries=Retry(times=1))
    clock.advance(86_400 - 0.4 - (clock.now().hour * 3600 + clock.now().minute * 60))
    day = clock.now().date().isoformat()
    backend.script = [RateLimited("Slower.", retry_after_s=5)]
    verifier.verify(A, B)
    assert clock.now().date().isoformat() != day
    (one,) = store.budgets()
    assert (one.key.window, one.spent) == (day, 1)


def test_amounts(limited, backend, store):
    """The price of each operation, added exactly."""
    verifier = limited(Decimal("0.13"), currency="USD", price=PRICES)
    verifier.verify(A, B)
    verifier.check_liveness(A)
    verifier.verify(A, B)
    error = exceeded(
        verifier, r"of 0\.13 USD has no room for 0\.05 more \(0\.13 spent, 0 reserved, 0 unknown\)"
    )
    assert (error.unit, error.spent) == ("USD", Decimal("0.13"))
    assert len(backend.calls) == 3


def test_the_price_that_is_counted(store):
    """What one call counts for, or None where calls are counted or there is no price."""
    budget = Budget(5, name="shop", currency="USD", price={Operation.MATCH: Decimal("0.05")})
    assert budget.price(Operation.MATCH) == (Decimal("0.05"), "USD")
    assert budget.price(Operation.LIVENESS) is None
    assert Budget(5, name="shop", store=store).price(Operation.MATCH) is None


def test_no_price(limited, backend):
    """What to set, before anything is sent."""
    prices = {Operation.LIVENESS: Decimal("0.03")}
    verifier = limited(Decimal(5), currency="USD", price=prices)
    with pytest.raises(
        ConfigurationError, match=r"no price for match: set price=\{Operation\.MATCH"
    ):
        verifier.verify(A, B)
    assert backend.calls == []


def test_two_budgets_before_one_call(backend, clock, store):
    """A day and for good, calls and money, the vendor's and the profile's: all must have room."""
    gates = [
        Budget(10, name="fake", store=store),
        Budget(10, name="shop", per=Period.DAY, store=store, clock=clock),
        Budget(Decimal("0.05"), name="shop", currency="USD", price=PRICES, store=store),
    ]
    verifier = FaceVerifier(backend, policies=gates, clock=clock)
    verifier.verify(A, B)
    assert exceeded(verifier).unit == "USD"
    standings = {(one.key.name, one.key.unit): (one.spent, one.reserved) for one in store.budgets()}
    assert standings == {
        ("fake", "calls"): (1, 0),
        ("shop", "calls"): (1, 0),
        ("shop", "USD"): (Decimal("0.05"), 0),
    }


def test_the_same_budget_twice(backend, store):
    """It would count each call twice."""
    gates = [Budget(10, name="shop", store=store)] * 2
    with pytest.raises(ConfigurationError, match="a name or a period of its own"):
        FaceVerifier(backend, policies=gates).verify(A, B)
    assert sums(store) == (0, 0, 0)


def test_of_64_threads_exactly_the_cap_pass(limited, backend, store):
    """Whatever each call ends in; those that cost nothing leave their place to others."""
    odd = [RateLimited("Slower."), VendorUnavailable("Down."), OutcomeUnknown("Lost."), None]
    backend.script = [odd[number % 4] for number in range(120)]
    verifier = limited(100)

    def go(_):
        try:
            verifier.verify(A, B)
        except BudgetExceeded:
            return "refused"
        except OutcomeUnknown:
            return "unknown"
        except (RateLimited, VendorUnavailable):
            return "free"
        return "charged"

    with ThreadPoolExecutor(64) as pool:
        became = list(pool.map(go, range(600)))
    assert became.count("charged") + became.count("unknown") == 100
    assert became.count("free") == 60
    assert sums(store) == (became.count("charged"), 0, became.count("unknown"))
    assert len(backend.calls) == 160


def test_a_batch_ends(limited):
    """The next pair would be refused as well."""
    assert issubclass(BudgetExceeded, FATAL)
    outcomes = list(limited(2).verify_many([(A, B)] * 9, max_workers=1))
    assert [type(one.error).__name__ for one in outcomes[:3]] == [
        "NoneType",
        "NoneType",
        "BudgetExceeded",
    ]
    assert len(outcomes) < 9


def test_a_liveness_check_is_not_paid_where_the_comparison_has_no_room(limited):
    """Both must fit before the first is sent."""
    verifier = limited(1)
    with pytest.raises(BudgetExceeded) as caught:
        verifier.verify_live(A, B)
    assert caught.value.liveness is None
    assert verifier.backend.calls == []
    assert limited(2).verify_live(A, B).is_verified


def test_what_was_spent_before_leaves_less_room_for_both(limited, backend):
    """One is left of two: neither is sent."""
    verifier = limited(2)
    verifier.verify(A, B)
    with pytest.raises(BudgetExceeded, match=r"no room for 2 more \(1 spent"):
        verifier.verify_live(A, B)
    assert len(backend.calls) == 1


def test_both_fit_by_their_own_prices(limited, backend):
    """Not twice the dearer one, and nothing for one that is free."""
    money = {"currency": "USD", "price": PRICES}
    with pytest.raises(BudgetExceeded, match=r"no room for 0\.08 more"):
        limited(Decimal("0.07"), **money).verify_live(A, B)
    assert limited(Decimal("0.08"), name="both", **money).verify_live(A, B).is_verified
    backend.capabilities = attrs.evolve(
        backend.capabilities, billed_operations=frozenset({Operation.MATCH})
    )
    only = {"currency": "USD", "price": {Operation.MATCH: Decimal("0.05")}}
    assert limited(Decimal("0.05"), name="one", **only).verify_live(A, B).is_verified


@pytest.mark.parametrize(("billed", "told"), [(Charged.YES, True), (Charged.NO, False)])
def test_a_charge_that_a_person_had_denied_is_reported(store, caplog, billed, told):
    """The sums may count too little, and only a person can mend that."""
    caplog.set_level(logging.ERROR, "facematch")
    leave = Budget(5, name="shop", store=store).enter(passage())
    (one,) = store.open_reservations()
    assert store.finalize(one, Charged.NO, at=later(minutes=1))
    leave(ending(billed))
    found = [record.getMessage() for record in caplog.records]
    assert bool(found) == told
    assert all(one.call.id in text and "'shop' may count too little" in text for text in found)


def test_a_charge_that_is_counted_is_no_news(store, caplog):
    """The log is for what a person must look at."""
    Budget(5, name="shop", store=store).enter(passage())(ending())
    assert caplog.records == []


@pytest.mark.parametrize(
    ("more", "minutes", "left"),
    [({}, 14, (1, 0)), ({}, 15, (0, 1)), ({"lease_s": 60}, 1, (0, 1))],
    ids=["under way", "given up", "its own lease"],
)
def test_a_full_budget_says_what_was_left_behind(limited, store, more, minutes, left):
    """What nobody finished in time may have been charged: it is unknown, not reserved."""
    store.reserve(entry(started_at=later(minutes=-minutes)), Decimal(1))
    error = exceeded(limited(1, **more), f"0 spent, {left[0]} reserved, {left[1]} unknown")
    assert (error.reserved, error.unknown) == left
    assert sums(store) == (0, *left)


def test_what_is_under_way_stays_reserved(limited, store):
    """Its process is there: it will say itself what became of it."""
    store.reserve(entry(), Decimal(1))
    assert exceeded(limited(1), "0 spent, 1 reserved, 0 unknown").reserved == 1


class Failing(MemoryStore):
    """A store whose database is gone in the middle."""

    def finalize(self, *_args, **_options):
        raise ConfigurationError("The store of calls failed.")


def test_a_result_survives_a_store_that_fails(backend):
    """It was paid for; what was set aside stays so, which errs on the safe side."""
    store = Failing()
    verifier = FaceVerifier(backend, policies=[Budget(5, name="shop", store=store)])
    assert verifier.verify(A, B).is_match
    assert sums(store, KEY) == (0, 1, 0)


def test_closing_the_verifier_closes_the_store():
    """It is opened again by whoever shares it."""
    closed = []
    store = MemoryStore()
    store.close = lambda: closed.append(1)
    FaceVerifier(FakeBackend(), policies=[Budget(5, name="shop", store=store)]).close()
    assert closed == [1]
