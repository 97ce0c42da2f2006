from functools import partial

import attrs
import pytest
from kit.fakes import ALL_CAPABILITIES, PROBE, REFERENCE, FakeBackend, open_profile

import facematch_core as fm
from facematch_core.resilience import CircuitBreaker, RateWindow, Retry
from facematch_core.store import MemoryStore

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


class Closing(FakeBackend):
    name = "closing"
    instances = []  # noqa: RUF012 - emptied by the test that reads it

    def __init__(self):
        super().__init__()
        self.instances.append(self)


class Broken(FakeBackend):
    name = "broken"

    def __init__(self):
        raise fm.ConfigurationError("it lacks a model")


@pytest.fixture(autouse=True)
def _backends(monkeypatch):
    plain = {name: type(name, (FakeBackend,), {"name": name}) for name in ("one", "two")}
    classes = {**plain, "keyed": Keyed, "closing": Closing, "broken": Broken}

    def find_class(name):
        if name not in classes:
            raise fm.BackendUnavailable(f"No backend is called {name!r}")
        return classes[name]

    monkeypatch.setattr(fm.config.opening, "backend_class", find_class)
    monkeypatch.setattr(fm.config.opening, "_MEMORY", MemoryStore())
    monkeypatch.setenv("FIRST_KEY", CANARY)
    monkeypatch.setenv("SECOND_KEY", "another")


@pytest.fixture
def opened(tmp_path, at_end):
    return partial(open_profile, at_end, tmp_path, "shop")


def profile(backend="one", key=None, **tables):
    key_settings = {"settings": {"api_key": {"env": key}}} if key else {}
    return {"backend": backend, **key_settings, **tables}


def tries(verifier):
    """How often a call is made that the vendor throttles for good."""
    verifier.backend.script = [fm.RateLimited("x")] * 20
    with pytest.raises(fm.RateLimited):
        verifier.verify(PROBE, REFERENCE)
    return len(verifier.backend.calls)


def test_each_configured_rate_is_a_rate_limiter(opened, clock):
    table = {"per_second": 2, "per_minute": 60, "per_day": 1000}
    limiters = opened({"shop": profile(rate_limit=table)}, clock=clock).policies
    windows = [limiter.window for limiter in limiters]
    assert windows == [RateWindow(2, 1), RateWindow(60, 60), RateWindow(1000, 86400)]
    assert [limiter.max_wait_s for limiter in limiters] == [60, 60, 60]
    assert [limiter.clock for limiter in limiters] == [clock, clock, clock]


def test_rates_that_the_vendor_publishes_are_the_default(opened):
    table = {"max_wait_s": 0}
    limiters = opened({"shop": profile("keyed", "FIRST_KEY", rate_limit=table)}).policies
    assert tuple(limiter.window for limiter in limiters) == Keyed.capabilities.rate_windows
    assert [limiter.max_wait_s for limiter in limiters] == [0, 0]


def test_policy_arguments_override_the_profile_tables(opened, clock):
    breaker = CircuitBreaker()
    profiles = {"shop": profile(budget={"cap": 1, "store": "sqlite:///x.db"}, retry={})}
    verifier = opened(profiles, policies=[breaker], clock=clock)
    assert verifier.policies == (breaker,)
    assert tries(verifier) == 3
    verifier = opened(profiles, policies=[breaker], retry=Retry(times=9), clock=clock)
    assert tries(verifier) == 10


WRONG = {
    "budget": [
        {"store": "memory"},
        {"cap": 0.5},
        {"cap": "1x"},
        {"cap": -1, "store": "memory"},
        {"cap": 5, "currency": "USD", "price": {"macth": 1}, "store": "memory"},
        {"cap": 1},
        {"cap": 1, "store": "sqlite:///no-folder/b.db"},
        {"cap": 1, "store": f"mysql://{CANARY}/x"},
    ],
    "circuit_breaker": [{"failures": 0}],
    "rate_limit": [{"per_second": 0.5}],
    "retry": [{"times": 11}],
}


def test_budget_without_a_store_is_refused_with_the_line_to_write(opened):
    with pytest.raises(fm.ConfigurationError, match="no store") as caught:
        opened({"shop": profile(budget={"cap": 1})})
    assert '[profiles.shop] store = "sqlite:///spent.sqlite3"' in str(caught.value)
    assert 'store = "memory"' in str(caught.value)


def test_budget_in_memory_is_one_of_the_process(opened):
    budget = {"cap": 1, "store": "memory"}
    profiles = {"shop": profile(budget=budget)}
    (first,), (second,) = opened(profiles).policies, opened(profiles).policies
    assert isinstance(first.store, MemoryStore)
    assert first.store is second.store


@pytest.mark.parametrize(
    ("name", "table", "says"),
    [
        *((name, table, "profiles.shop") for name, tables in WRONG.items() for table in tables),
        ("budget", {"cpa": 1}, "did you mean cap"),
        ("rate_limit", {}, "set per_second"),
    ],
    ids=str,
)
def test_invalid_policy_table_names_the_profile_but_not_the_value(opened, name, table, says):
    with pytest.raises(fm.ConfigurationError, match=says) as caught:
        opened({"shop": profile(**{name: table})})
    message = str(caught.value)
    assert "[profiles.shop]" in message
    assert CANARY not in message
    assert "\n" not in message


PAIR = {"shop": {"backend": "one", "threshold": 40}, "spare": {"backend": "two", "threshold": 70}}
HA = {**PAIR, "ha": {"members": ["shop", "spare"]}}


@pytest.mark.parametrize(
    ("ha", "says"),
    [
        ({"members": ["shop", 3]}, "members must be a list"),
        ({"members": []}, r"facematch\.toml \[profiles\.ha\]: members is empty"),
        ({"members": ["shop", "spare", "shop"]}, r"\[profiles\.ha\]: members .* a profile twice"),
        ({"members": ["shpo"]}, "'shpo'.*did you mean shop"),
        ({"members": ["shop", "other"]}, "'other'"),
        ({"member": ["shop"]}, "did you mean members"),
        ({"members": ["shop"], "threshold": 50}, "threshold"),
        ({"members": ["shop"], "backend": "one"}, "backend"),
        ({"members": ["shop"], "budget": {"cap": 1}}, "budget"),
        ({}, "needs backend, the name of a backend, or members"),
    ],
    ids=str,
)
def test_invalid_failover_profile_is_refused_with_the_reason(opened, ha, says):
    profiles = {**PAIR, "other": {"members": ["spare"]}, "ha": ha}
    with pytest.raises(fm.ConfigurationError, match=says):
        opened(profiles, "ha")


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"backend": "one", "api_key": "k"}, r"'api_key'.*\[profiles\.shop\.settings\]"),
        ({"backend": "one", "zebra": 1, "apple": 2, "mango": 3}, "'zebra'"),
        ({"backend": "keyed", "settings": {"zebra": 1, "apple": 2}}, "no setting 'zebra'"),
    ],
    ids=str,
)
def test_first_unknown_key_is_named_with_the_place_where_it_belongs(opened, table, says):
    with pytest.raises(fm.ConfigurationError, match=says):
        opened({"shop": table})


def test_first_unknown_argument_is_named(opened):
    with pytest.raises(fm.ConfigurationError, match="no setting 'zebra'"):
        opened({"shop": profile()}, zebra=1, apple=2)


def test_failover_takes_its_log_as_an_argument(opened, tmp_path):
    log = fm.CallLog(f"sqlite:///{tmp_path}/own.sqlite3", key="k")
    verifier = opened(HA, "ha", log=log)
    verifier.verify(PROBE, REFERENCE)
    assert [row.system for row in log.rows()] == ["shop"]


def test_arguments_and_sessions_are_refused_where_they_mean_nothing(opened, tmp_path):
    with pytest.raises(fm.ConfigurationError):
        opened(HA, "ha", threshold=50)
    with pytest.raises(fm.ConfigurationError, match=r"is a failover.*member: shop, spare"):
        fm.open_sessions(profile="ha", config=tmp_path / "facematch.toml")


def test_failed_member_raises_at_opening_and_closes_earlier_members(opened):
    Closing.instances.clear()
    profiles = {
        "shop": {"backend": "closing"},
        "spare": {"backend": "broken"},
        "ha": {"members": ["shop", "spare"]},
    }
    with pytest.raises(fm.ConfigurationError, match="it lacks a model"):
        opened(profiles, "ha")
    assert [backend.closed for backend in Closing.instances] == [1]


def test_shared_arguments_reach_every_member_and_others_are_refused(opened):
    events = []
    verifier = opened(HA, "ha", on_event=events.append, require_environment="production")
    verifier.members["shop"].backend.script.append(fm.RateLimited("x"))
    verifier.verify(PROBE, REFERENCE)
    started = [event.backend for event in events if event.kind is fm.EventKind.STARTED]
    assert started == ["one", "two"]
    for argument in ({"threshold": 50}, {"policies": []}, {"level": 1}, {"members": []}):
        with pytest.raises(fm.ConfigurationError):
            opened(HA, "ha", **argument)
