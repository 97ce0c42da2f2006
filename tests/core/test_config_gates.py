import contextlib
from decimal import Decimal
from functools import partial

import attrs
import pytest
from kit.fakes import ALL_CAPABILITIES, FakeBackend, open_profile, picture

import facematch_core as fm
from facematch_core.resilience import Budget, CircuitBreaker, RateLimiter, RateWindow, Retry
from facematch_core.store import MemoryStore, SqlStore
from facematch_core.testing import ManualClock

A, B = picture(), picture((10, 20, 30))
CANARY = "sk-canary-4c1d"


@attrs.define(kw_only=True, eq=False)
class Keyed(FakeBackend):
    api_key: fm.Secret
    base_url: str = "https://api.example"

    name = "keyed"
    capabilities = attrs.evolve(
        ALL_CAPABILITIES, rate_windows=(RateWindow(300, 60.0), RateWindow(9, 1.0))
    )

    def __attrs_post_init__(self):
        FakeBackend.__init__(self)


class Plain(FakeBackend):
    name = "plain"


@pytest.fixture(autouse=True)
def _backends(monkeypatch):
    classes = {"keyed": Keyed, "plain": Plain}
    monkeypatch.setattr(fm.config.opening, "backend_class", classes.__getitem__)
    monkeypatch.setattr(fm.config.opening, "_MEMORY", MemoryStore())
    monkeypatch.setenv("FIRST_KEY", CANARY)
    monkeypatch.setenv("SECOND_KEY", "another")


@pytest.fixture
def opened(tmp_path, at_end):
    return partial(open_profile, at_end, tmp_path, "shop")


def profile(backend="plain", key=None, **tables):
    key_settings = {"settings": {"api_key": {"env": key}}} if key else {}
    return {"backend": backend, **key_settings, **tables}


def tries(verifier):
    """How often a call is made that the vendor throttles for good."""
    verifier.backend.script = [fm.RateLimited("x")] * 20
    with pytest.raises(fm.RateLimited):
        verifier.verify(A, B)
    return len(verifier.backend.calls)


def test_gates_are_in_the_order_of_the_library_however_the_file_orders_them(opened):
    tables = {"rate_limit": {"per_second": 5}, "retry": {}}
    tables |= {"circuit_breaker": {}, "budget": {"cap": 7}}
    verifier = opened({"shop": profile(**tables)}, clock=ManualClock())
    assert [type(gate) for gate in verifier.policies] == [Budget, RateLimiter, CircuitBreaker]
    assert tries(verifier) == 1 + Retry().times
    assert opened({"shop": profile()}).policies == ()


def test_a_budget_of_calls_ends_before_anything_is_sent_and_counts_on_when_opened_anew(opened):
    profiles = {"shop": profile(budget={"cap": 2, "per": "day"})}
    opened(profiles).verify(A, B)
    verifier = opened(profiles)
    verifier.verify(A, B)
    with pytest.raises(fm.BudgetExceeded) as caught:
        verifier.verify(A, B)
    error = caught.value
    assert (error.budget, error.unit, error.cap) == ("profile shop", "calls", 2)
    assert len(verifier.backend.calls) == 1
    assert error.frees_at is not None


def test_a_budget_of_money_is_exact(opened):
    budget = {"cap": "0.10", "currency": "EUR", "price": {"match": "0.05", "liveness": "0.03"}}
    verifier = opened({"shop": profile(budget=budget)})
    verifier.verify_live(A, B)
    with pytest.raises(fm.BudgetExceeded) as caught:
        verifier.verify(A, B)
    assert (caught.value.spent, caught.value.unit) == (Decimal("0.08"), "EUR")


@pytest.mark.parametrize(("named", "calls"), [({"name": "vendor"}, 0), ({}, 1)])
def test_profiles_share_a_budget_of_one_name(opened, named, calls):
    profiles = {name: profile(budget={"cap": 1, **named}) for name in ("shop", "desk")}
    opened(profiles, "shop").verify(A, B)
    desk = opened(profiles, "desk")
    with contextlib.suppress(fm.BudgetExceeded):
        desk.verify(A, B)
    assert len(desk.backend.calls) == calls


def test_a_store_lies_beside_the_configuration_and_is_opened_once(opened, tmp_path, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    budget = {"cap": 1, "store": "sqlite:///spent.sqlite3"}
    profiles = {name: profile(budget=budget) for name in ("shop", "desk")}
    (store,) = {opened(profiles, name).policies[0].store for name in profiles}
    assert isinstance(store, SqlStore)
    assert (tmp_path / "spent.sqlite3").is_file()
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("place", ["env", "file"])
def test_an_address_with_a_password_is_named_by_variable_or_file(
    opened, tmp_path, monkeypatch, place
):
    address = f"sqlite:///{tmp_path}/named.sqlite3"
    monkeypatch.setenv("STORE", address)
    (tmp_path / "store.txt").write_text(f"{address}\n")
    named = {"env": "STORE"} if place == "env" else {"file": "store.txt"}
    verifier = opened({"shop": profile(budget={"cap": 1, "store": named})})
    assert isinstance(verifier.policies[0].store, SqlStore)
    assert (tmp_path / "named.sqlite3").is_file()
    bad = {"cap": 1, "store": {"env": "NO_SUCH_STORE"}}
    with pytest.raises(fm.ConfigurationError, match=r"\[profiles.shop\].*NO_SUCH_STORE is not set"):
        opened({"shop": profile(budget=bad)})


def test_budgets_without_a_store_share_the_memory_of_the_process(opened):
    profiles = {name: profile(budget={"cap": 3}) for name in ("shop", "desk")}
    (store,) = {opened(profiles, name).policies[0].store for name in profiles}
    assert isinstance(store, MemoryStore)


def test_policies_use_the_clock_of_the_verifier(opened):
    clock = ManualClock()
    tables = {"circuit_breaker": {"failures": 1, "open_s": 30}, "rate_limit": {"per_minute": 2}}
    verifier = opened({"shop": profile(**tables)}, clock=clock)
    verifier.backend.script.append(fm.VendorUnavailable("down", status_code=503))
    for error in (fm.VendorUnavailable, fm.errors.BreakerOpen):
        with pytest.raises(error) as caught:
            verifier.verify(A, B)
        assert caught.value.billing.charged is fm.Charged.NO
    clock.advance(31)
    assert verifier.verify(A, B).is_match
    assert clock.slept == []
    assert verifier.verify(A, B).is_match
    assert sum(clock.slept) > 20


def test_each_rate_is_a_limiter(opened):
    published = {"max_wait_s": 0}
    limiters = opened({"shop": profile("keyed", "FIRST_KEY", rate_limit=published)}).policies
    assert tuple(each.window for each in limiters) == Keyed.capabilities.rate_windows
    assert [each.max_wait_s for each in limiters] == [0, 0]
    with pytest.raises(fm.ConfigurationError, match="set per_second"):
        opened({"shop": profile(rate_limit={})})
    table = {"per_second": 2, "per_minute": 60, "per_day": 1000}
    limiters = opened({"shop": profile(rate_limit=table)}).policies
    assert [(each.window.limit, each.window.seconds, each.max_wait_s) for each in limiters] == [
        *((2, 1, 60), (60, 60, 60), (1000, 86400, 60))
    ]


def test_keys_of_a_table_are_arguments_of_its_policy(opened):
    tables = {"circuit_breaker": {"failures": 2, "open_s": 4}, "rate_limit": {"per_second": 2}}
    _, breaker = opened({"shop": profile(**tables)}).policies
    assert (breaker.failures, breaker.open_s) == (2, 4)
    (breaker,) = opened({"shop": profile(circuit_breaker={})}).policies
    assert (breaker.failures, breaker.open_s) == (5, 30)


def test_arguments_go_over_the_tables(opened):
    mine, patient = CircuitBreaker(), Retry(times=9)
    profiles = {"shop": profile(budget={"cap": 1, "store": "sqlite:///x.db"}, retry={})}
    verifier = opened(profiles, policies=[mine], clock=ManualClock())
    assert verifier.policies == (mine,)
    assert tries(verifier) == 1 + Retry().times
    verifier = opened(profiles, policies=[mine], retry=patient, clock=ManualClock())
    assert tries(verifier) == 1 + patient.times


WRONG = {
    "budget": [
        *({}, *({"cap": cap} for cap in (0.5, "100", "1x", True, -1))),
        *({"cap": 5, "currency": "USD"}, {"cap": 5, "price": {"match": 1}}),
        {"cap": "1.1234567", "currency": "USD", "price": {"match": 1}},
        {"cap": 5, "currency": "USD", "price": {"macth": 1}},
        {"cap": 5, "currency": "USD", "price": {"match": 0.1}},
        *({"cap": 1, "per": "week"}, {"cap": 1, "name": ""}),
        {"cap": 1, "store": "sqlite:///:memory:"},
        {"cap": 1, "store": f"mysql://{CANARY}/x"},
    ],
    "circuit_breaker": [
        *({"failures": 0}, {"open_s": float("nan")}),
    ],
    "rate_limit": [
        *({}, {"per_second": 0.5}),
    ],
    "retry": [{"times": 11}],
}


@pytest.mark.parametrize(
    ("name", "table", "says"),
    [
        *((name, table, "profiles.shop") for name, tables in WRONG.items() for table in tables),
        ("budget", {"cpa": 1}, "did you mean cap"),
    ],
    ids=str,
)
def test_of_a_wrong_table_the_profile_is_named_and_not_the_value(opened, name, table, says):
    with pytest.raises(fm.ConfigurationError, match=says) as caught:
        opened({"shop": profile(**{name: table})})
    message = str(caught.value)
    assert "[profiles.shop]" in message
    assert CANARY not in message
    assert "\n" not in message


def test_the_least_and_the_most_of_a_budget_may_stand_in_a_file(opened):
    for amount in ("0", 0, "0.000001", "999999999999.999999", 10**12):
        budget = {"cap": amount, "currency": "USD", "price": {"match": amount}}
        assert opened({"shop": profile(budget=budget)}).policies
