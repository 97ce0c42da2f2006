"""What is held of calls: what grows, and what only fills up."""

import functools
import sys
import types
from collections import deque
from typing import ClassVar

import attrs
import pytest
from mutants.reference import (
    HttpReference,
    HttpReferenceSimulator,
    ReferenceBackend,
    ReferenceSimulator,
)

from facematch_core.backend import ImageLimits
from facematch_core.testing import Status
from facematch_core.testing.conformance import run_rules
from facematch_core.testing.contract.sharing import held

KEPT = []


@functools.cache
def in_a_cache(call_id):
    return call_id


@functools.lru_cache(64)
def in_a_small_cache(call_id):
    return call_id


class Store:
    """An object of the plug-in's own."""

    def __init__(self):
        self.by_operation = {}


class Keeping(ReferenceBackend):
    """Does something with each call."""

    everything: ClassVar = []

    def __init__(self, *args, **settings):
        super().__init__(*args, **settings)
        self.own, self.store, self.last = {}, Store(), deque(maxlen=100)

    def exchange(self, call):
        self.remember(call)
        return super().exchange(call)


def on_itself(me, call):
    me.own[call.call_id] = call


def by_picture(me, call):
    me.own[call.probe.digest] = True


def of_the_class(me, call):
    me.everything.append(call)


def in_the_module(me, call):
    KEPT.append(call.call_id)


def in_an_object(me, call):
    me.store.by_operation.setdefault(call.operation, []).append(call)


def cached(me, call):
    in_a_cache(call.call_id)


def the_last_few(me, call):
    me.last.append(call)


def cached_with_a_bound(me, call):
    in_a_small_cache(call.call_id)


def with_a_bound_of_its_own(me, call):
    me.own[call.call_id] = call
    while len(me.own) > 200:
        me.own.pop(next(iter(me.own)))


def the_operations(me, call):
    me.own.setdefault(call.operation, call)


def r28(keep):
    """Why the rule fails on a backend that keeps calls in this way, if it does."""
    backend = type("Keeps", (Keeping,), {"remember": keep})
    cases = run_rules(lambda: ReferenceSimulator(backend), rules={"R28"})
    return [case.reason for case in cases if case.status is Status.FAILED]


@pytest.mark.parametrize(
    ("keep", "where"),
    [
        (on_itself, "Keeps.own"),
        (in_the_module, f"{__name__}.KEPT"),
        pytest.param(by_picture, "Keeps.own", marks=pytest.mark.long),
        pytest.param(of_the_class, "Keeping.everything", marks=pytest.mark.long),
        pytest.param(in_an_object, "Keeps.store", marks=pytest.mark.long),
        pytest.param(cached, f"{__name__}.in_a_cache", marks=pytest.mark.long),
    ],
)
def test_what_grows_with_every_call_is_named(keep, where):
    """Wherever it is kept: by the name under which its author knows it."""
    [reason] = r28(keep)
    assert where in reason


@pytest.mark.parametrize(
    "keep",
    [
        *(the_last_few, cached_with_a_bound, the_operations),
        pytest.param(with_a_bound_of_its_own, marks=pytest.mark.long),
    ],
)
def test_what_has_an_end_is_no_fault(keep):
    """A cache that is warm, and one that fills up first."""
    assert r28(keep) == []


def test_only_the_plug_ins_own_modules_are_looked_at(monkeypatch):
    """The whole of its package, and nobody else's."""
    modules = {name: types.ModuleType(name) for name in ("acme", "acme.parts", "another")}
    for name, module in modules.items():
        module.kept = [1, 2, 3]
        monkeypatch.setitem(sys.modules, name, module)
    backend = type("Acme", (ReferenceBackend,), {"__module__": "acme"})
    names = held(backend(ReferenceSimulator()))
    assert {"acme.kept": 3, "acme.parts.kept": 3}.items() <= names.items()
    assert not [name for name in names if name.startswith(("another", "facematch_core"))]


def test_references_with_limits_of_their_own_arrive_as_they_were_sent():
    """A smaller one is not the picture of another thread."""

    class Smaller(HttpReference):
        capabilities = attrs.evolve(
            HttpReference.capabilities, reference_limits=ImageLimits(max_side_px=32)
        )

    (case,) = run_rules(lambda: HttpReferenceSimulator(Smaller), rules=["R28"])
    assert (case.status, case.reason) == (Status.PASSED, "")
