import copy
import datetime as dt
import pickle
from decimal import Decimal

import attrs
import pytest
from kit.attempts import BUDGET_KEY, ending, entry, later, new_attempt, sums
from kit.fakes import PROBE, REFERENCE, match_result

from facematch_core import (
    Billing,
    Charged,
    Environment,
    EventKind,
    FaceVerifier,
    Operation,
    errors,
)
from facematch_core.resilience import Budget, Period, Retry
from facematch_core.store import MemoryStore

PRICES = {Operation.MATCH: Decimal("0.05"), Operation.LIVENESS: Decimal("0.03")}
USD = {"currency": "USD", "price": PRICES}
DAY = {"per": Period.DAY}


@pytest.fixture
def store():
    return MemoryStore()


@pytest.fixture
def limited(backend, clock, store):
    """A verifier with a budget; arguments are those of `Budget`."""

    def make(cap, *, retry=None, **settings):
        budget = Budget(cap, **{"name": "shop", "store": store, "clock": clock} | settings)
        return FaceVerifier(backend, policies=[budget], retry=retry, clock=clock)

    return make


def exceeded(verifier, match=None, call=FaceVerifier.verify):
    """The refusal of a comparison."""
    with pytest.raises(errors.BudgetExceeded, match=match) as caught:
        call(verifier, PROBE, REFERENCE)
    return caught.value


# --- What is counted ---


def test_exceeded_budget_refuses_before_sending(limited, backend, store):
    verifier = limited(2)
    verifier.verify(PROBE, REFERENCE)
    verifier.check_liveness(PROBE)
    error = exceeded(
        verifier,
        r"Budget 'shop' \(2 calls\) has no room for 1 more \(2 spent, 0 reserved, 0 unknown\): "
        r"nothing was sent\.$",
    )
    assert len(backend.calls) == 2
    assert sums(store) == (2, 0, 0)
    assert (error.budget, error.unit, error.cap) == ("shop", "calls", 2)
    assert (error.frees_at, error.retry_after_s) == (None, None)
    assert (error.spent, error.reserved, error.unknown) == (2, 0, 0)
    for copied in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert vars(copied) == vars(error)


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, pickle.dumps])
def test_budget_without_a_store_cannot_become_a_second_limit(again):
    for budget in (Budget(1, name="day"), Budget(1, name="day", store=MemoryStore())):
        if again is copy.copy:
            # A shallow copy has the same store, so that it is the same limit.
            assert again(budget).store is budget.store
            continue
        with pytest.raises(TypeError, match="store"):
            again(budget)


def test_open_reservation_records_the_call_and_its_error(limited, backend, store, clock):
    backend.script = [errors.OutcomeUnknown("Lost.")]
    with pytest.raises(errors.OutcomeUnknown) as caught:
        limited(5).verify(PROBE, REFERENCE, caller_ref="case-17")
    (reservation,) = store.open_reservations()
    assert reservation.call == attrs.evolve(caught.value.call, caller_ref=None)
    assert (reservation.error, reservation.ended_at) == ("OutcomeUnknown", clock.now())
    assert reservation.answered_from is None


def test_open_reservation_records_the_environment_that_answered(limited, backend, store):
    sandbox = Environment.SANDBOX
    backend.script = [match_result(billing=Billing(Charged.UNKNOWN), environment=sandbox)]
    with pytest.raises(errors.EnvironmentMismatch, match="or the setting environment"):
        limited(5).verify(PROBE, REFERENCE)
    (reservation,) = store.open_reservations()
    assert (reservation.error, reservation.answered_from) == (None, sandbox)


def test_free_operations_are_not_counted(limited, backend, store):
    backend.capabilities = attrs.evolve(
        backend.capabilities, billed_operations=frozenset({Operation.LIVENESS})
    )
    verifier = limited(0)
    verifier.verify(PROBE, REFERENCE)
    assert Budget(0, name="shop", store=store).enter(new_attempt(is_billed=False))(ending()) is None
    assert store.budgets() == ()
    with pytest.raises(errors.BudgetExceeded):
        verifier.check_liveness(PROBE)


@pytest.mark.parametrize(("minutes", "reserved", "unknown"), [(0, 1, 0), (14, 1, 0), (15, 0, 1)])
def test_full_budget_expires_old_reservations(limited, store, minutes, reserved, unknown):
    store.reserve(entry(started_at=later(minutes=-minutes)), Decimal(1))
    error = exceeded(limited(1), f"0 spent, {reserved} reserved, {unknown} unknown")
    assert (error.reserved, error.unknown) == (reserved, unknown)
    assert sums(store) == (0, reserved, unknown)


@pytest.mark.parametrize("ending", [None, errors.OutcomeUnknown("lost")], ids=["result", "error"])
def test_result_or_error_is_the_same_if_the_store_fails_and_an_event_says_so(backend, ending):
    class Failing(MemoryStore):
        def finalize(self, *_args, **_options):
            raise errors.StoreUnavailable("The store of calls is busy.")

    events = []
    backend.script = [ending]
    budget = Budget(5, name="shop", store=Failing())
    verifier = FaceVerifier(backend, policies=[budget], on_event=events.append)
    if ending is None:
        assert verifier.verify(PROBE, REFERENCE).is_match
    else:
        with pytest.raises(errors.OutcomeUnknown):
            verifier.verify(PROBE, REFERENCE)
    assert sums(budget.store, BUDGET_KEY) == (0, 1, 0)
    (postponed,) = [event for event in events if event.kind is EventKind.POSTPONED]
    assert (postponed.error, postponed.charged, postponed.ends_call) == (
        "StoreUnavailable",
        None,
        False,
    )
    last_kind = EventKind.CHARGED if ending is None else EventKind.UNKNOWN
    assert (events[-1].kind, events[-1].call_id) == (last_kind, postponed.call_id)


# --- Days ---


def test_daily_budget_resets_at_midnight_utc(limited, clock):
    verifier = limited(1, **DAY)
    verifier.verify(PROBE, REFERENCE)
    midnight = exceeded(verifier, r"1 calls per day.* It resets at").frees_at
    assert (midnight.hour, midnight.utcoffset()) == (0, dt.timedelta(0))
    clock.advance((midnight - clock.now()).total_seconds() - 1)
    last = exceeded(verifier)
    assert (last.frees_at, last.retry_after_s) == (midnight, 1)
    clock.advance(1)
    verifier.verify(PROBE, REFERENCE)
    assert (exceeded(verifier).frees_at - midnight).days == 1


def test_retry_after_midnight_counts_for_the_previous_day(limited, backend, clock, store):
    day = clock.now().date()
    clock.advance(86_400 - 0.4 - clock.now().hour * 3600)
    backend.script = [errors.RateLimited("Slower.", retry_after_s=5)]
    limited(1, retry=Retry(times=1), **DAY).verify(PROBE, REFERENCE)
    assert clock.now().date() != day
    (state,) = store.budgets()
    assert (state.key.window, state.spent) == (day.isoformat(), 1)


# --- Amounts ---


def test_operation_without_a_price_is_refused_before_sending(limited, backend):
    verifier = limited(5, currency="USD", price={Operation.LIVENESS: Decimal("0.03")})
    with pytest.raises(errors.ConfigurationError, match=r"set price=\{Operation\.MATCH"):
        verifier.verify(PROBE, REFERENCE)
    assert backend.calls == []


def test_budget_states_the_price_of_an_operation():
    budget = Budget(5, name="shop", currency="USD", price={Operation.LIVENESS: Decimal("0.03")})
    assert budget.price(Operation.LIVENESS) == (Decimal("0.03"), "USD")
    assert budget.price(Operation.MATCH) is None


def test_the_same_budget_twice_is_refused(backend, store):
    budgets = [Budget(10, name="shop", store=store)] * 2
    with pytest.raises(errors.ConfigurationError, match="its own name or period"):
        FaceVerifier(backend, policies=budgets).verify(PROBE, REFERENCE)
    assert sums(store) == (0, 0, 0)


def test_verify_live_needs_room_for_both_prices(limited, backend):
    exceeded(limited(Decimal("0.07"), **USD), r"for 0\.08 more", call=FaceVerifier.verify_live)
    assert limited(Decimal("0.08"), name="both", **USD).verify_live(PROBE, REFERENCE).is_verified


def test_verify_live_needs_no_room_for_a_free_liveness_check(limited, backend):
    backend.capabilities = attrs.evolve(
        backend.capabilities, billed_operations=frozenset({Operation.MATCH})
    )
    verifier = limited(Decimal("0.05"), currency="USD", price={Operation.MATCH: Decimal("0.05")})
    assert verifier.verify_live(PROBE, REFERENCE).is_verified


WRONG = {
    "calls as a float": (1.0, {}, "whole number of calls, not float"),
    "calls as an amount": (Decimal(1), {}, "for an amount, set `currency`"),
    "true": (True, {}, "not bool"),
    "below nothing": (-1, {}, "between 0 and"),
    "a float": (0.5, USD, "not float: floats are not exact. Write Decimal"),
    "a true amount": (True, USD, "must be a Decimal, not bool"),
    "no number": (Decimal("NaN"), USD, "between 0 and"),
    "too fine": (Decimal("0.0000001"), USD, "more than six decimal places"),
    "a name that steers": (1, {"name": "a\x1b[2J"}, "name"),
    "a currency in small": (1, USD | {"currency": "usd"}, "currency"),
    "no price": (1, {"currency": "USD"}, "set price={Operation.MATCH"),
    "an empty price": (1, {"currency": "USD", "price": {}}, "'shop' counts USD, but has no prices"),
    "a price of calls": (1, {"price": PRICES}, "`price` needs a `currency`"),
    "a price as a float": (1, USD | {"price": {Operation.MATCH: 0.05}}, "price of match"),
    "a price of what": (1, USD | {"price": {"fly": Decimal(1)}}, "match, liveness"),
    "an odd period": (1, {"per": "week"}, "day, total"),
}


@pytest.mark.parametrize(("cap", "settings", "says"), WRONG.values(), ids=WRONG)
def test_invalid_budget_arguments_are_refused(cap, settings, says):
    with pytest.raises(errors.ConfigurationError) as caught:
        Budget(cap, **{"name": "shop", **settings})
    assert says in caught.value.message


def test_the_url_of_a_store_is_no_store():
    with pytest.raises(errors.ConfigurationError, match="SqlStore"):
        Budget(cap=5, name="shop", store="sqlite:///spent.sqlite3")


def test_budget_without_a_name_is_refused_with_an_example():
    with pytest.raises(errors.ConfigurationError, match='name="shop"'):
        Budget(10)
