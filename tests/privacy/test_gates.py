"""Gates and failover: what they refuse, repeat, pass on and write down holds no canary."""

import contextlib
import sqlite3
from typing import Any

import attrs
import pytest
from kit import canaries, traces
from kit.watched import CALLERS, CALLERS_DATA, VENDORS, echo, hits, tokens

from facematch_core import FaceVerifier, Failover, MatchResult, errors
from facematch_core.resilience import Budget, CircuitBreaker, RateLimiter, RateWindow, Retry
from facematch_core.store import SqlStore
from facematch_mock_server import Fault, Kind, Stage

pytest.importorskip("sqlalchemy")


@pytest.fixture
def store(tmp_path, at_end):
    path = tmp_path / "attempts.sqlite3"
    opened = SqlStore(f"sqlite:///{path}")
    at_end.callback(opened.close)
    return opened, path


def fault(vendor, *, times=None, status=503, kind=Kind.JSON):
    body = echo(vendor) if kind is Kind.JSON else None
    path = vendor.paths[0]
    return Fault(stage=Stage.ANSWER, kind=kind, status=status, times=times, body=body, path=path)


@attrs.frozen
class Gate:
    """What two calls meet, and how they end."""

    ends: list
    #: What the vendor's fault is made of; None if there is none.
    fault: dict | None = None
    cap: int = 9
    make_policy: Any = None
    retry: Retry | None = None


GATES = {
    "a budget that is spent": Gate([MatchResult, errors.BudgetExceeded], cap=1),
    "a budget with unknowns": Gate([errors.VendorError, errors.VendorError], fault={}),
    "the same in markup": Gate(
        [errors.OutcomeUnknown, errors.OutcomeUnknown], fault={"kind": Kind.HTML}
    ),
    "a breaker that opens": Gate(
        [errors.OutcomeUnknown, errors.BreakerOpen],
        fault={"kind": Kind.HTML},
        make_policy=lambda: CircuitBreaker(failures=1),
    ),
    "a breaker that opens, and repeats the error": Gate(
        [errors.VendorError, errors.BreakerOpen],
        fault={},
        make_policy=lambda: CircuitBreaker(failures=1),
    ),
    "a window that is full": Gate(
        [MatchResult, errors.RateLimited],
        make_policy=lambda: RateLimiter(RateWindow(1, 86400.0), max_wait_s=0.0),
    ),
    "what is repeated": Gate(
        [MatchResult, MatchResult],
        fault={"status": 429, "times": 1},
        retry=Retry(times=1, first_s=0.01, longest_s=0.02),
    ),
}


@pytest.mark.parametrize("name", GATES)
def test_refusals_and_records_of_policies_leak_nothing(world, watch_call, store, each_vendor, name):
    store, path = store
    gate = GATES[name]
    if gate.fault is not None:
        world.control.add_fault(fault(each_vendor, **gate.fault))
    events = []
    policies = [Budget(gate.cap, name=each_vendor.name, store=store)]
    if gate.make_policy is not None:
        policies.append(gate.make_policy())
    backend = each_vendor.backend(world.url)
    settings = {"policies": policies, "retry": gate.retry}
    with FaceVerifier(backend, on_event=events.append, **settings) as verifier:
        for kind in gate.ends:
            end, texts = watch_call(verifier, events, **CALLERS_DATA)
            texts |= traces.of_objects(*policies, *store.budgets(), *store.open_reservations())
            assert hits(texts, backend=backend) == {}
            assert isinstance(end, kind)
    written = traces.of_sqlite(path)
    assert canaries.leaks(written, canaries.canaries() | tokens(backend) | CALLERS) == {}
    assert canaries.leaks(written, {"an id": (events[0].call_id.encode(),)})


def test_a_failing_store_leaks_nothing(world, watch_call, store):
    store, path = store
    events = []
    backend = VENDORS["didit"].backend(world.url)
    gate = Budget(9, name="didit", store=store)
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("DROP TABLE facematch_attempts")
    with FaceVerifier(backend, on_event=events.append, policies=[gate]) as verifier:
        ended, texts = watch_call(verifier, events, **CALLERS_DATA)
    assert isinstance(ended, errors.ConfigurationError)
    assert hits(texts, backend=backend) == {}


@pytest.mark.parametrize("status", [402, 429, 503])
@pytest.mark.parametrize("order", [("didit", "deepvue"), ("deepvue", "didit")], ids="-".join)
@pytest.mark.parametrize("both", [False, True], ids=["one", "both"])
def test_failover_does_not_repeat_the_first_members_echo(world, watch_call, order, status, both):
    events = []
    members = {}
    for name in order:
        backend = VENDORS[name].backend(world.url)
        members[name] = FaceVerifier(backend, on_event=events.append)
        if both or name == order[0]:
            world.control.add_fault(fault(VENDORS[name], status=status))
    with Failover(members) as failover:
        ended, texts = watch_call(failover, events, **CALLERS_DATA)
        for verifier in members.values():
            assert hits(texts, backend=verifier.backend) == {}
    assert isinstance(ended, Exception) or ended.route.skipped
