"""Gates in the configuration: what each table takes, what it sets up, and one rate an account."""

import contextlib
import gc
import os
from decimal import Decimal
from functools import partial
from pathlib import Path

import attrs
import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kit.fakes import ALL, FakeBackend, open_profile, picture, together

from facematch_core import (
    BudgetExceeded,
    Charged,
    ConfigurationError,
    Operation,
    Secret,
    VendorUnavailable,
    config,
    open_verifier,
)
from facematch_core.config import POLICY_TABLES
from facematch_core.resilience import Budget, CircuitBreaker, RateLimiter, RateWindow, Retry
from facematch_core.store import MemoryStore, SqlStore
from facematch_core.testing import ManualClock

A, B = picture(), picture((10, 20, 30))
CANARY = "sk-canary-4c1d"


@attrs.define(kw_only=True, eq=False)
class Keyed(FakeBackend):
    """A backend with an account: an address and a key."""

    api_key: Secret
    base_url: str = "https://api.example"

    name = "keyed"
    capabilities = attrs.evolve(ALL, rate_windows=(RateWindow(300, 60.0), RateWindow(9, 1.0)))

    def __attrs_post_init__(self):
        FakeBackend.__init__(self)


class Plain(FakeBackend):
    """A backend whose vendor publishes no rates."""

    name = "plain"


@pytest.fixture(autouse=True)
def _backends(monkeypatch):
    classes = {"keyed": Keyed, "plain": Plain}
    monkeypatch.setattr(config, "backend_class", classes.__getitem__)
    monkeypatch.setattr(config, "_MEMORY", MemoryStore())
    monkeypatch.setenv("FIRST_KEY", CANARY)
    monkeypatch.setenv("SECOND_KEY", "another")


@pytest.fixture
def opened(tmp_path, at_end):
    """Opens a profile of a file that holds these; everything is closed at the end."""
    return partial(open_profile, at_end, tmp_path, "shop")


def profile(backend="plain", key=None, **tables):
    """One profile; with a key if its backend wants one."""
    own = {"settings": {"api_key": {"env": key}}} if key else {}
    return {"backend": backend, **own, **tables}


def tables_of(tmp_path, tables):
    """What a file with these tables says of its policies."""
    path = tmp_path / "facematch.toml"
    path.write_text(tomli_w.dumps({"profiles": {"shop": profile(**tables)}}))
    return config.read_config(path).profiles["shop"].policies


def test_a_profile_without_tables_has_no_gates(opened):
    """And repeats nothing."""
    assert opened({"shop": profile()}).policies == ()


def test_every_gate_in_its_order(opened):
    """Budget, breaker, pacing, however the file orders them; retries around them."""
    tables = {
        "rate_limit": {"per_second": 5},
        "retry": {},
        "circuit_breaker": {},
        "budget": {"calls": 7},
    }
    verifier = opened({"shop": profile(**tables)})
    assert [type(gate) for gate in verifier.policies] == [Budget, CircuitBreaker, RateLimiter]
    assert isinstance(verifier._pipeline.retry, Retry)


def test_a_budget_of_calls(opened):
    """It ends, with the profile's name, before anything is sent; what was opened anew counts on."""
    profiles = {"shop": profile(budget={"calls": 2, "per": "day"})}
    opened(profiles).verify(A, B)
    verifier = opened(profiles)
    verifier.verify(A, B)
    with pytest.raises(BudgetExceeded) as caught:
        verifier.verify(A, B)
    assert (caught.value.budget, caught.value.unit, caught.value.cap) == (
        "profile shop",
        "calls",
        2,
    )
    assert len(verifier.backend.calls) == 1
    assert caught.value.frees_at is not None


def test_a_budget_of_money(opened):
    """Exact: an amount is text or whole, never a binary fraction."""
    budget = {"amount": "0.10", "currency": "EUR", "price": {"match": "0.05", "liveness": "0.03"}}
    verifier = opened({"shop": profile(budget=budget)})
    verifier.verify_live(A, B)
    with pytest.raises(BudgetExceeded) as caught:
        verifier.verify(A, B)
    assert (caught.value.spent, caught.value.unit) == (Decimal("0.08"), "EUR")


@pytest.mark.parametrize(("of", "left"), [("vendor", 0), ("profile", 1)])
def test_whose_budget(opened, of, left):
    """Profiles of one vendor spend from one budget, if both say so."""
    profiles = {name: profile(budget={"calls": 1, "of": of}) for name in ("shop", "desk")}
    opened(profiles, "shop").verify(A, B)
    desk = opened(profiles, "desk")
    with contextlib.suppress(BudgetExceeded):
        desk.verify(A, B)
    assert len(desk.backend.calls) == left


def test_a_store_lies_beside_the_configuration(opened, tmp_path, monkeypatch):
    """A relative file is no matter of the current folder, now or later; it is opened once."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    budget = {"calls": 1, "store": "sqlite:///spent.sqlite3"}
    profiles = {name: profile(budget=budget) for name in ("shop", "desk")}
    (store,) = {opened(profiles, name).policies[0].store for name in profiles}
    assert isinstance(store, SqlStore)
    assert (tmp_path / "spent.sqlite3").is_file()
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("place", ["env", "file"])
def test_an_address_with_a_password_is_named(opened, tmp_path, monkeypatch, place):
    """As a key is; the address itself never shows."""
    address = f"sqlite:///{tmp_path}/named.sqlite3"
    monkeypatch.setenv("STORE", address)
    (tmp_path / "store.txt").write_text(f"{address}\n")
    named = {"env": "STORE"} if place == "env" else {"file": "store.txt"}
    verifier = opened({"shop": profile(budget={"calls": 1, "store": named})})
    assert isinstance(verifier.policies[0].store, SqlStore)
    assert (tmp_path / "named.sqlite3").is_file()
    bad = {"calls": 1, "store": {"env": "NO_SUCH_STORE"}}
    with pytest.raises(ConfigurationError, match=r"\[profiles.shop\].*NO_SUCH_STORE is not set"):
        opened({"shop": profile(budget=bad)})


@pytest.mark.parametrize(
    "address",
    ["sqlite:///C:/Users/me@work/spent.sqlite3", "postgresql://db:5432/x", "postgresql://me@db/x"],
)
def test_an_address_without_a_password_may_stand_in_the_file(tmp_path, address):
    """A path, a port and a name are no secrets."""
    read = tables_of(tmp_path, {"budget": {"calls": 1, "store": address}})
    assert read["budget"]["store"] == address


def test_the_memory_of_all_budgets_without_a_store_is_one(opened):
    """It belongs to the process."""
    profiles = {name: profile(budget={"calls": 3}) for name in ("shop", "desk")}
    (store,) = {opened(profiles, name).policies[0].store for name in profiles}
    assert isinstance(store, MemoryStore)


LIMITED = {"key": "FIRST_KEY", "rate_limit": {"published": True}}


def of_account(**settings):
    """A profile of one account, with a rate limiter."""
    of_it = profile("keyed", **LIMITED)
    of_it["settings"] |= settings
    return of_it


@pytest.mark.parametrize(
    "second",
    [
        of_account(),
        of_account(base_url="https://api.example/"),
        of_account() | {"rate_limit": {"per_second": 1}, "circuit_breaker": {}},
    ],
    ids=["same", "slash", "other rates"],
)
def test_a_second_rate_limiter_of_an_account_is_refused(opened, second):
    """Two of them add up to more than the vendor allows, whatever each says; once the first is
    closed, or forgotten, another may follow.
    """
    profiles = {"shop": of_account(), "desk": second}
    shop = opened(profiles)
    with pytest.raises(ConfigurationError, match=r"\[profiles.desk\] rate_limit: ") as caught:
        opened(profiles, "desk")
    assert CANARY not in str(caught.value)
    assert shop.verify(A, B).is_match
    shop.close()
    opened(profiles, "desk").verify(A, B)


@pytest.mark.parametrize(
    "second",
    [
        profile("keyed", **LIMITED | {"key": "SECOND_KEY"}),
        of_account(base_url="http://127.0.0.1:9"),
        profile("keyed", "FIRST_KEY", circuit_breaker={}),
        profile(rate_limit={"per_second": 1}),
    ],
    ids=["key", "address", "breaker", "backend"],
)
def test_another_account_has_rates_of_its_own(opened, second):
    """So has a verifier without a rate limiter none to clash; breakers clash never."""
    profiles = {"shop": of_account() | {"circuit_breaker": {}}, "desk": second}
    shop, desk = opened(profiles), opened(profiles, "desk")
    assert not {*shop.policies} & {*desk.policies}
    assert opened(profiles, policies=()).policies == ()


def test_an_account_is_free_again(tmp_path):
    """At the end of a `with`, and when nobody has the verifier any more."""
    path = tmp_path / "facematch.toml"
    path.write_text(tomli_w.dumps({"profiles": {"shop": of_account()}}))
    for _ in range(2):
        with open_verifier(profile="shop", config=path) as verifier:
            verifier.verify(A, B)
    for _ in range(2):
        open_verifier(profile="shop", config=path)
        gc.collect()


def test_16_threads_open_one(tmp_path):
    """As a web application may that opens a verifier in each: all others are told."""
    path = tmp_path / "facematch.toml"
    path.write_text(tomli_w.dumps({"profiles": {"shop": of_account()}}))
    ended = together(16, lambda: open_verifier(profile="shop", config=path))
    (verifier,) = (one for one in ended if not isinstance(one, ConfigurationError))
    with verifier:
        assert verifier.verify(A, B).is_match


def test_members_of_one_account_are_refused(tmp_path):
    """A vendor that throttles one throttles the other; what was opened is closed."""
    path = tmp_path / "facematch.toml"
    profiles = {name: of_account() for name in ("shop", "desk")}
    profiles["ha"] = {"members": [*profiles]}
    path.write_text(tomli_w.dumps({"profiles": profiles}))
    with pytest.raises(ConfigurationError, match=r"\[profiles.desk\] rate_limit: "):
        open_verifier(profile="ha", config=path)
    open_verifier(profile="shop", config=path).close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_child_opens_its_own(opened):
    """A fork is where a process begins: what the parent has open is not the child's."""
    opened({"shop": of_account()})
    path = opened.args[1] / "facematch.toml"
    child = os.fork()
    if child == 0:
        try:
            open_verifier(profile="shop", config=path)
        except BaseException:  # noqa: BLE001 - the child ends here, whatever happens
            os._exit(1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_the_clock_of_the_verifier_is_that_of_its_gates(opened):
    """A test that moves time moves all of it, and no other test's."""
    clock = ManualClock()
    profiles = {
        "shop": profile(circuit_breaker={"failures": 1, "open_s": 30}, rate_limit={"per_minute": 1})
    }
    verifier = opened(profiles, clock=clock)
    verifier.backend.script.append(VendorUnavailable("down", status_code=503))
    for sentence in ("down", "plain is down: nothing was sent"):
        with pytest.raises(VendorUnavailable, match=sentence) as caught:
            verifier.verify(A, B)
        assert caught.value.billing.charged is Charged.NO
    clock.advance(31)
    assert verifier.verify(A, B).is_match
    assert sum(clock.slept) > 20


def test_published_rates(opened):
    """The vendor's own windows; without any, the sentence says what to write."""
    verifier = opened(
        {"shop": profile("keyed", "FIRST_KEY", rate_limit={"published": True, "max_wait_s": 0})}
    )
    (pacing,) = verifier.policies
    assert pacing.windows == Keyed.capabilities.rate_windows
    assert pacing.max_wait_s == 0
    with pytest.raises(ConfigurationError, match="backend plain are published: set per_second"):
        opened({"shop": profile(rate_limit={"published": True})})


def test_named_rates(opened):
    """Each is a window of its own."""
    table = {"per_second": 2, "per_minute": 60, "per_day": 1000}
    (pacing,) = opened({"shop": profile(rate_limit=table)}).policies
    assert [(w.limit, w.seconds) for w in pacing.windows] == [(2, 1), (60, 60), (1000, 86400)]


def test_settings_reach_their_gates(opened):
    """Each key is an argument; without it the default of the class counts."""
    told = {"failures": 2, "within_s": 9, "slow_s": 1, "unanswered": 3, "open_s": 4}
    paced = {"per_second": 2, "count_from": "ended", "max_wait_s": 5, "max_hold_s": 6}
    tables = {"circuit_breaker": told | {"longest_open_s": 8}, "rate_limit": paced}
    breaker, pacing = opened({"shop": profile(**tables)}).policies
    assert {name: getattr(breaker, name) for name in told} == told
    assert (pacing.count_from, pacing.max_wait_s, pacing.max_hold_s) == ("ended", 5, 6)
    (breaker,) = opened({"shop": profile(circuit_breaker={})}).policies
    assert (breaker.slow_s, breaker.unanswered) == (5.0, 10)


def test_arguments_go_over_the_tables(opened):
    """Nothing is set up that goes unused; retries are an argument of their own."""
    mine, patient = CircuitBreaker(), Retry(times=9)
    profiles = {"shop": profile(budget={"calls": 1, "store": "sqlite:///x.db"}, retry={})}
    verifier = opened(profiles, policies=[mine])
    assert verifier.policies == (mine,)
    assert verifier._pipeline.retry == Retry()
    assert opened(profiles, retry=patient)._pipeline.retry is patient


@pytest.mark.parametrize(
    ("tables", "says"),
    [
        ({"budget": {}}, "needs calls or amount"),
        ({"budget": {"calls": 1, "amount": 1}}, "not both"),
        ({"budget": {"calls": "100"}}, "calls must be a whole number, not str of length"),
        ({"budget": {"calls": True}}, "not bool"),
        ({"budget": {"calls": -1}}, "cap of a budget must lie"),
        ({"budget": {"calls": 1.0}}, "not float"),
        ({"budget": {"call": 1}}, "did you mean calls"),
        ({"budget": {"calls": 1, "currency": "USD"}}, "amount and currency go together"),
        ({"budget": {"calls": 1, "currency": "USD", "price": {"match": 1}}}, "go together"),
        ({"budget": {"calls": 1, "price": {"match": 1}}}, "prices only with a currency"),
        ({"budget": {"amount": 5, "currency": "USD"}}, "needs to know what calls cost"),
        ({"budget": {"amount": 5, "price": {"match": 1}}}, "amount and currency go together"),
        ({"budget": {"amount": 0.5}}, r'written as text \("50.00"\)'),
        ({"budget": {"amount": "50,00"}}, "not str of length 5"),
        (
            {"budget": {"amount": "1.1234567", "currency": "USD", "price": {"match": 1}}},
            "six decimal places",
        ),
        ({"budget": {"amount": 5, "currency": "usd"}}, "three capital letters"),
        (
            {"budget": {"amount": 5, "currency": "USD", "price": {"macth": 1}}},
            'a table from one of "match"',
        ),
        ({"budget": {"amount": 5, "currency": "USD", "price": {"match": 0.1}}}, "price must be"),
        ({"budget": {"calls": 1, "per": "week"}}, '"day", "total"'),
        ({"budget": {"calls": 1, "of": "account"}}, '"profile", "vendor"'),
        ({"budget": {"calls": 1, "store": 5}}, "store must be text or"),
        ({"budget": {"calls": 1, "store": {"value": "x"}}}, "store must be text or"),
        ({"budget": {"calls": 1, "store": f"postgresql://me:{CANARY}@db/x"}}, "a password"),
        ({"budget": {"calls": 1, "store": f"postgresql://db/x?password={CANARY}"}}, "a password"),
        ({"budget": {"calls": 1, "store": f"postgresql://me:{CANARY}/x@db/x"}}, "a password"),
        ({"budget": {"calls": 1, "store": f"postgresql://me:{CANARY} x@db/x"}}, "a password"),
        (
            {"budget": {"calls": 1, "store": f"postgresql://db/x?sslpassword={CANARY}"}},
            "a password",
        ),
        ({"budget": {"calls": 1, "store": f"mysql://db/x?user=a&passwd={CANARY}"}}, "a password"),
        ({"budget": {"calls": 1, "store": f"mysql://{CANARY}/x"}}, "address of the store|SQLite"),
        ({"budget": {"calls": 1, "store": "sqlite:///:memory:"}}, "in memory"),
        (
            {"budget": {"calls": 1, "store": "sqlite:///~nobody-at-all/x"}},
            "home of an unknown user",
        ),
        ({"budget": [1]}, "budget must be a table, not list of length 1"),
        ({"circuit_breaker": {"failures": 0}}, "failures must be a whole number, 1 or more"),
        ({"circuit_breaker": {"within_s": 0}}, "a number of seconds above 0"),
        ({"circuit_breaker": {"open_s": float("inf")}}, "a number"),
        ({"circuit_breaker": {"open_s": float("nan")}}, "a number"),
        ({"circuit_breaker": {"opens": 5}}, "did you mean open_s"),
        ({"rate_limit": {}}, "needs published = true, or one of per_second"),
        ({"rate_limit": {"published": False}}, "needs published = true"),
        ({"rate_limit": {"published": True, "per_day": 5}}, "not both"),
        ({"rate_limit": {"published": "true"}}, "true or false, not str of length 4"),
        ({"rate_limit": {"per_second": 0.5}}, "a whole number, not float"),
        ({"rate_limit": {"per_second": 1, "max_wait_s": -1}}, "0 or more"),
        ({"rate_limit": {"per_second": 1, "count_from": "end"}}, '"sent", "ended"'),
        ({"circuit_breaker": {"unanswered": 0}}, "unanswered must be a whole number, 1 or more"),
        ({"circuit_breaker": {"slow_s": 0}}, "slow_s must be a number of seconds above 0"),
        ({"retry": {"times": 11}}, "from 1 to 10"),
        ({"retry": {"first": 1}}, "did you mean first_s"),
    ],
    ids=str,
)
def test_wrong_tables(opened, tables, says):
    """File, profile, table and key are named; the value is not."""
    with pytest.raises(ConfigurationError, match=says) as caught:
        opened({"shop": profile(**tables)})
    message = str(caught.value)
    assert "[profiles.shop]" in message
    assert CANARY not in message
    assert "\n" not in message


def test_the_amounts_a_file_takes_are_those_of_a_budget(opened):
    """From the least to the most."""
    for amount in ("0", 0, "0.000001", "999999999999.999999", 10**12):
        budget = {"amount": amount, "currency": "USD", "price": {"match": amount}}
        assert opened({"shop": profile(budget=budget)}).policies


def test_every_key_is_told():
    """Each table and each of its keys stands in the reference."""
    page = (Path(__file__).parents[2] / "docs" / "reference" / "configuration.md").read_text()
    for name, kinds in POLICY_TABLES.items():
        assert f"`[profiles.NAME.{name}]`" in page
        section = page.partition(f"`[profiles.NAME.{name}]`, ")[2].partition("`[profiles.NAME")[0]
        assert not [key for key in kinds if f"`{key}`" not in section]


anything = st.recursive(
    st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=5,
)
near = st.one_of(
    st.integers(-1, 12),
    st.sampled_from([True, "day", "vendor", "USD", "5.00", 0.5, {"match": "1"}, {"env": "X"}]),
)


@settings(suppress_health_check=list(HealthCheck))
@given(
    st.fixed_dictionaries(
        {},
        optional={
            name: st.fixed_dictionaries({}, optional=dict.fromkeys(kinds, near | anything))
            for name, kinds in POLICY_TABLES.items()
        },
    )
)
def test_any_tables_are_opened_or_refused(tmp_path, tables):
    """One error of our tree, or a verifier whose gates are those of the file."""
    path = tmp_path / "facematch.toml"
    path.write_text(tomli_w.dumps({"profiles": {"shop": profile(**tables)}}))
    try:
        verifier = open_verifier(profile="shop", config=path)
    except ConfigurationError:
        return
    with verifier:
        assert len(verifier.policies) == len(set(tables) - {"retry"})
        assert (verifier._pipeline.retry is None) is ("retry" not in tables)
        for budget in verifier.policies[: "budget" in tables]:
            prices = [price for one in Operation if (price := budget.price(one))]
            assert bool(prices) is ("amount" in tables["budget"])
