"""Gates and failover: what they refuse, repeat, pass on and write down holds no canary."""

import time

import pytest
from kit import canaries, traces
from kit.watched import CALLERS, VENDORS, WITH_REF, echo, hits, tokens

from facematch_core import FaceVerifier, Failover, errors
from facematch_core.resilience import Budget, CircuitBreaker, RateLimiter, RateWindow, Retry
from facematch_core.store import SqlStore
from facematch_mock_server import Fault, Kind, Stage

pytest.importorskip("sqlalchemy")

ONE_A_DAY = [RateWindow(1, 86400.0)]


@pytest.fixture
def store(tmp_path):
    """Attempts in a file."""
    opened = SqlStore(f"sqlite:///{tmp_path / 'attempts.sqlite3'}")
    yield opened
    opened.close()


@pytest.fixture
def calls(world, said, store, tmp_path):
    """Makes calls through a budget, searches each, and then the store: how they ended."""
    opened = []

    def make(vendor, policies=(), times=2, retry=None, cap=9, **options):
        events, ended = [], []
        policies = [Budget(cap, name=vendor.name, store=store), *policies]
        backend = vendor.backend(world.url)
        verifier = FaceVerifier(backend, on_event=events.append, policies=policies, retry=retry)
        opened.append(verifier)
        for _ in range(times):
            end, texts = said(verifier, events, **WITH_REF | options)
            texts |= traces.of_objects(*policies, *store.budgets(), *store.open_reservations())
            assert hits(texts, backend=backend) == {}
            ended.append(end)
        written = traces.of_sqlite(tmp_path / "attempts.sqlite3")
        secrets = canaries.canaries() | tokens(backend) | CALLERS
        assert canaries.leaks(written, secrets) == {}
        assert canaries.leaks(written, {"an id": (events[0].call_id.encode(),)})
        return ended

    yield make
    for verifier in opened:
        verifier.close()


def fault(vendor, *, times=None, status=503, kind=Kind.JSON):
    """An outage in the words of a careless vendor."""
    body = echo(vendor) if kind is Kind.JSON else None
    path = vendor.paths[0]
    return Fault(stage=Stage.ANSWER, kind=kind, status=status, times=times, body=body, path=path)


@pytest.mark.parametrize("vendor", VENDORS.values(), ids=lambda vendor: vendor.name)
def test_a_budget_that_is_spent(calls, vendor):
    """One call is answered, the next one is refused; the store holds ids, sums and times."""
    ended = calls(vendor, cap=1)
    assert type(ended[1]) is errors.BudgetExceeded


@pytest.mark.parametrize("vendor", VENDORS.values(), ids=lambda vendor: vendor.name)
@pytest.mark.parametrize("kind", [Kind.JSON, Kind.HTML])
def test_a_budget_with_unknowns(world, calls, vendor, kind):
    """What stays set aside is written down with its attempt, not with what the caller gave."""
    world.control.add_fault(fault(vendor, kind=kind))
    calls(vendor, deadline_s=5.0)


def test_a_store_that_fails(world, said, store):
    """The error of a database may hold a whole row; ours does not."""
    vendor, events = VENDORS["didit"], []
    with store._database.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE facematch_attempts")
    backend = vendor.backend(world.url)
    gate = Budget(9, name="didit", store=store)
    with FaceVerifier(backend, on_event=events.append, policies=[gate]) as verifier:
        ended, texts = said(verifier, events, **WITH_REF)
    assert isinstance(ended, errors.ConfigurationError)
    assert hits(texts, backend=backend) == {}


@pytest.mark.parametrize("vendor", VENDORS.values(), ids=lambda vendor: vendor.name)
def test_a_breaker_that_opens(world, calls, vendor):
    """After an outage nobody is asked, and its words are not repeated."""
    world.control.add_fault(fault(vendor, kind=Kind.HTML))
    ended = calls(vendor, [CircuitBreaker(failures=1, name=vendor.name)])
    assert type(ended[1]) is errors.BreakerOpen


@pytest.mark.parametrize("vendor", VENDORS.values(), ids=lambda vendor: vendor.name)
def test_no_credit(world, calls, vendor):
    """The latch says its own sentence."""
    world.control.add_fault(fault(vendor, status=402, times=1))
    ended = calls(vendor, [CircuitBreaker(name=vendor.name)])
    assert [type(end) for end in ended] == [errors.InsufficientCredit] * 2


@pytest.mark.parametrize("vendor", VENDORS.values(), ids=lambda vendor: vendor.name)
def test_a_window_that_is_full(calls, vendor):
    """It is refused rather than waited for."""
    ended = calls(vendor, [RateLimiter(ONE_A_DAY, max_wait_s=0.0)])
    assert type(ended[1]) is errors.RateLimited


@pytest.mark.parametrize("vendor", VENDORS.values(), ids=lambda vendor: vendor.name)
def test_what_is_repeated(world, calls, vendor):
    """The events of a repetition name the error, not its words."""
    world.control.add_fault(fault(vendor, status=429, times=1))
    begun = time.monotonic()
    (ended,) = calls(vendor, times=1, retry=Retry(times=1, first_s=0.01, longest_s=0.02))
    assert time.monotonic() - begun < 5
    assert not isinstance(ended, Exception)


@pytest.mark.parametrize("status", [402, 429, 500, 503])
@pytest.mark.parametrize("order", [("didit", "deepvue"), ("deepvue", "didit")])
@pytest.mark.parametrize("both", [False, True], ids=["one", "both"])
def test_a_failover(world, said, order, status, both):
    """What the first one said stands in the result, or in the error, without its echo."""
    events, members = [], {}
    for name in order:
        backend = VENDORS[name].backend(world.url)
        members[name] = FaceVerifier(backend, on_event=events.append)
        if both or name == order[0]:
            world.control.add_fault(fault(VENDORS[name], status=status))
    with Failover(members) as failover:
        ended, texts = said(failover, events, **WITH_REF)
        for verifier in members.values():
            assert hits(texts, backend=verifier.backend) == {}
    skipped = ended.route.skipped
    assert isinstance(ended, Exception) or skipped
