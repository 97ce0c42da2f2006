import functools
import sys
import types
from collections import deque

import attrs
import pytest
from kit.contract import Status, run
from mutants.reference import KEY, HttpReference, ReferenceBackend, ReferenceSimulator
from mutants.sharing import MATCH, ReportSimulator, only_for
from mutants.table import MUTANTS

import facematch_core as fm
from facematch_core.testing import Situation
from facematch_core.testing.contract import sharing
from facematch_core.testing.contract.sharing import measure_held

#: The plug-in's own module: of a test's, all other tests that are loaded would be measured, too.
PLUG_IN = types.ModuleType("facematch_keeping")
PLUG_IN.kept, PLUG_IN.in_a_cache = [], functools.cache(lambda call_id: call_id)


@pytest.fixture(autouse=True)
def plug_in(monkeypatch):
    monkeypatch.setitem(sys.modules, PLUG_IN.__name__, PLUG_IN)


class Keeping(ReferenceBackend):
    __module__ = PLUG_IN.__name__

    def __init__(self, *args, **settings):
        super().__init__(*args, **settings)
        self.replies, self.last = {}, deque(maxlen=100)

    def exchange(self, call):
        self.remember(call)
        return super().exchange(call)


def with_a_bound_of_its_own(me, call):
    me.replies[call.call_id] = call
    while len(me.replies) > 200:
        me.replies.pop(next(iter(me.replies)))


@pytest.mark.parametrize(
    ("keep", "where"),
    [
        (lambda me, call: PLUG_IN.kept.append(call.call_id), "facematch_keeping.kept"),
        pytest.param(lambda me, call: me.last.append(call), None, marks=pytest.mark.slow),
        pytest.param(with_a_bound_of_its_own, None, marks=pytest.mark.slow),
        pytest.param(
            lambda me, call: PLUG_IN.in_a_cache(call.call_id),
            "facematch_keeping.in_a_cache",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_what_grows_with_every_call_is_named_and_what_has_an_end_is_no_fault(
    monkeypatch, keep, where
):
    if where is not None:
        monkeypatch.setattr(sharing, "FILLS", 20)  # what never ends grows as well after a few
    backend = type("Keeps", (Keeping,), {"remember": keep, "__module__": PLUG_IN.__name__})
    cases = tuple(run(lambda: ReferenceSimulator(backend), {"R28"}))
    reasons = [case.reason for case in cases if case.status is Status.FAILED]
    assert len(reasons) == (where is not None)
    assert all(where in reason for reason in reasons)


def test_only_the_plug_ins_own_modules_are_looked_at(monkeypatch):
    modules = {name: types.ModuleType(name) for name in ("acme", "acme.parts", "another")}
    for name, module in modules.items():
        module.kept = [1, 2, 3]
        monkeypatch.setitem(sys.modules, name, module)
    backend = type("Acme", (ReferenceBackend,), {"__module__": "acme"})
    names = measure_held(backend(ReferenceSimulator()))
    assert {"acme.kept": 3, "acme.parts.kept": 3}.items() <= names.items()
    assert not [name for name in names if name.startswith(("another", "facematch_core"))]


@attrs.frozen(kw_only=True)
class Slotted(HttpReference):
    __module__ = PLUG_IN.__name__

    calls: list = attrs.field(factory=list)


def test_what_is_in_slots_is_looked_at():
    backend = Slotted(api_key=KEY)
    assert "calls" not in getattr(backend, "__dict__", {})
    before = measure_held(backend)["Slotted"]
    backend.calls.extend(range(7))
    assert measure_held(backend)["Slotted"] - before == 7


@pytest.mark.slow
def test_pictures_that_arrive_in_an_odd_form_are_not_those_of_another_thread():
    make = MUTANTS["BreaksItsLines"].make
    assert [case.status for case in run(make, {"R28"})] == [Status.PASSED]


@pytest.mark.parametrize(("situation", "rule"), [("SPOOF", "R06"), ("NO_FACE", "R11")])
def test_what_a_vendor_says_beside_a_comparison_is_asked_for(situation, rule):
    met = Situation[situation]
    unable = {"situations": ReportSimulator.situations - {met}}
    forms = {
        Status.PASSED: ReportSimulator,
        Status.OPEN: type("Silent", (ReportSimulator,), unable),
    }
    for status, simulator in forms.items():
        assert {case.status for case in run(simulator, {rule})} == {status}
    excluded = type("Excluded", (ReportSimulator,), {**unable, "cannot_happen": {met: "No word."}})
    statuses = {case.status for case in run(excluded, {rule})}
    # R06 is about more than that.
    assert statuses == {Status.PASSED if rule == "R06" else Status.DOES_NOT_APPLY}


@pytest.mark.parametrize("operation", [fm.Operation.MATCH, fm.Operation.LIVENESS])
@pytest.mark.parametrize("is_declared", [True, False])
def test_an_option_may_be_for_one_operation_alone(operation, is_declared):
    def request(me, call):
        words = ReferenceBackend.request(me, call)
        if call.operation is operation:
            return words
        return words | {"rotate": False, "retention": fm.Retention.MINIMAL, "options": None}

    how = {"request": request}
    if is_declared:
        how["capabilities"] = only_for(operation)
    backend = type("HalfOptions", (ReferenceBackend,), how)
    rules = {"R16", "R25", "R42", "R44"}
    cases = list(run(lambda: ReferenceSimulator(backend), rules))
    failed = {case.rule for case in cases if case.status is not Status.PASSED}
    assert failed == (set() if is_declared else {"R25"})


def test_a_field_of_the_options_may_be_for_one_operation_alone():
    base = MUTANTS["DropsItsOptionsOfChecks"].backend
    backend = type("NotesOfMatches", (base,), {"capabilities": only_for(MATCH, ["note"])})
    cases = tuple(run(lambda: ReferenceSimulator(backend), {"R25"}))
    assert [case.status for case in cases] == [Status.PASSED]
