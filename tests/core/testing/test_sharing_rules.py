import functools
import sys
import types
from collections import deque

import attrs
import pytest
from mutants.reference import (
    JobReference,
    JobSimulator,
    ReferenceBackend,
    ReferenceSimulator,
)

from facematch_core.testing import Status
from facematch_core.testing.conformance import run_rules
from facematch_core.testing.contract.sharing import held

KEPT = []


@functools.cache
def in_a_cache(call_id):
    return call_id


class Keeping(ReferenceBackend):
    def __init__(self, *args, **settings):
        super().__init__(*args, **settings)
        self.own, self.last = {}, deque(maxlen=100)

    def exchange(self, call):
        self.remember(call)
        return super().exchange(call)


def with_a_bound_of_its_own(me, call):
    me.own[call.call_id] = call
    while len(me.own) > 200:
        me.own.pop(next(iter(me.own)))


@pytest.mark.parametrize(
    ("keep", "where"),
    [
        (lambda me, call: KEPT.append(call.call_id), f"{__name__}.KEPT"),
        (lambda me, call: me.last.append(call), None),
        pytest.param(with_a_bound_of_its_own, None, marks=pytest.mark.slow),
        pytest.param(
            lambda me, call: in_a_cache(call.call_id),
            f"{__name__}.in_a_cache",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_what_grows_with_every_call_is_named_and_what_has_an_end_is_no_fault(keep, where):
    backend = type("Keeps", (Keeping,), {"remember": keep})
    cases = run_rules(lambda: ReferenceSimulator(backend), rules={"R28"})
    reasons = [case.reason for case in cases if case.status is Status.FAILED]
    assert len(reasons) == (where is not None)
    assert all(where in reason for reason in reasons)


def test_only_the_plug_ins_own_modules_are_looked_at(monkeypatch):
    modules = {name: types.ModuleType(name) for name in ("acme", "acme.parts", "another")}
    for name, module in modules.items():
        module.kept = [1, 2, 3]
        monkeypatch.setitem(sys.modules, name, module)
    backend = type("Acme", (ReferenceBackend,), {"__module__": "acme"})
    names = held(backend(ReferenceSimulator()))
    assert {"acme.kept": 3, "acme.parts.kept": 3}.items() <= names.items()
    assert not [name for name in names if name.startswith(("another", "facematch_core"))]


class HasReports(JobReference):
    """Its vendor has the result of a job at another address."""

    def steps(self, call):
        job = super().steps(call)
        request = next(job)
        while True:
            reply = yield request
            try:
                request = job.send(reply)
            except StopIteration:
                path = reply.json()["report"]
                return self.parse(call, (yield self.poll(f"{self.address}{path}")))


class ReportSimulator(JobSimulator):
    steps = JobSimulator.steps + 1

    def ends(self, request):
        return request.path.endswith("/report")

    def answer(self, request, situation, score):
        path = request.path.removesuffix("/report")
        reply = super().answer(attrs.evolve(request, path=path), situation, score)
        if self.ends(request) or not isinstance(reply.body, dict):
            return reply
        return attrs.evolve(reply, body=reply.body | {"report": f"{path}/report"})


def test_a_job_may_be_asked_about_at_several_addresses():
    cases = run_rules(lambda: ReportSimulator(HasReports), rules={"R28"})
    assert {case.status for case in cases} == {Status.PASSED}, [case.reason for case in cases]
