"""R28, R30: many threads, many calls, and the end."""

from __future__ import annotations

import base64
import contextlib
import functools
import gc
import itertools
import logging
import os
import socket
import sys
import threading
import time
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from types import CodeType, FunctionType, ModuleType
from typing import Any
from unittest import mock

import facematch_core as fm
from facematch_core import Operation
from facematch_core.backend import Backend, Secret
from facematch_core.backend.engine import EngineBackend
from facematch_core.config.settings import declared_settings
from facematch_core.testing.bench import ENDS_S, PASS, Bench, Result, application_call
from facematch_core.testing.pictures import noise
from facematch_core.testing.simulator import BAD, GOOD, VendorSimulator
from facematch_core.verifier.pipeline import PICTURES

from ._frame import Rules, rule

#: Threads that start at the same moment, how often each asks, and how long one waits for another.
THREADS, CALLS, MEET_S = 8, 4, 1.0

#: Calls after which what is held is counted, and those that fill a cache which has a bound.
BATCH, FILLS = 4, 520


class SharingRules(Rules):
    """Many threads, many calls, and the end."""

    @rule("R51")
    def test_r28_calls_do_not_mix_or_pile_up(self, bench: Bench) -> None:
        """Threads that share one verifier each get their own answer, every call is counted, and
        none is kept.

        A web server verifies two visitors at once. An answer that reaches the other one lets a
        stranger in; one that is kept in memory for ever ends the server.
        """
        for operation in bench.operations:
            self._each_has_its_own(bench, operation)
            self._nothing_piles_up(bench, operation)

    def _each_has_its_own(self, bench: Bench, operation: Operation) -> None:
        """Threads with pictures and thresholds of their own are answered as each is alone."""
        simulator, place = bench.simulator, threading.Barrier(THREADS)
        place.abort()  # nobody is waited for yet

        def meet(event: fm.CallEvent) -> None:
            if event.kind in (fm.EventKind.STARTED, fm.EventKind.SENT):
                # A backend may let its calls through one by one: then nobody waits a second time.
                with contextlib.suppress(threading.BrokenBarrierError):
                    place.wait(MEET_S)

        verifier = bench.open_verifier(on_event=meet)
        situation, setting = GOOD[operation], None
        wishes: list[dict[str, Any]] = [{}, {}]
        if bench.scale(operation) and bench.can.threshold_rule is not fm.ThresholdRule.VENDOR:
            situation, setting, score = bench.find_score(operation)
            wishes = [{"threshold": score - 1}, {"threshold": score + 1}]
        bench.ask(operation, situation, score=setting)
        # They wait by one clock, on which the pauses of all add up.
        most_s = ENDS_S + THREADS * CALLS * sum(bench.waits)
        limit = {"deadline_s": most_s} if bench.waits else {}
        pairs = [simulator.pictures_for(shown) for shown in (situation, BAD[operation])]
        if operation is Operation.MATCH:
            pairs[1] = pairs[1][::-1]  # so that both pictures are others
        alone = [application_call(verifier, operation, pair, {})().decision for pair in pairs]
        scripted = alone[0] is alone[1]
        if scripted:
            # The vendor answers whatever they show: then they are seen as they arrive.
            pairs = [(noise(2 * number), noise(2 * number + 1)) for number in range(THREADS)]
        calls = [
            application_call(verifier, operation, pairs[n % len(pairs)], wishes[n // 2 % 2] | limit)
            for n in range(THREADS)
        ]
        # Of four kinds: a scripted answer is that of any pictures.
        alone_gists = [_gist(call()) for call in calls[:4]] * (THREADS // 4)
        before, simulator.overheard = (simulator.requests_seen, simulator.charges), []
        place.reset()
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-5)  # threads change places where they hardly ever do
        try:
            with ThreadPoolExecutor(THREADS) as pool:
                every = list(pool.map(lambda call: [call() for _ in range(CALLS)], calls))
        finally:
            sys.setswitchinterval(interval)
            requests, simulator.overheard = simulator.overheard, None
        for by_itself, results in zip(alone_gists, every, strict=True):
            others = {_gist(result) for result in results} - {by_itself}
            assert not others, (
                f"{operation}: a call gives {by_itself} by itself, and beside other threads "
                f"{others.pop()}: is it what belongs to another one?"
            )
        seen, counted = simulator.requests_seen - before[0], simulator.charges - before[1]
        due = THREADS * CALLS * bench.steps(operation)
        paid = sum(result.billing.charges or 0 for results in every for result in results)
        assert (seen, counted) == (due, paid), (
            f"{THREADS * CALLS} {operation} calls are {due} requests and {paid} charges, and the "
            f"vendor counted {seen} and {counted}"
        )
        keys = [(key, r.path) for r in requests if (key := r.headers["Idempotency-Key"])]
        count = len(set(keys))
        assert len(keys) == count, f"{len(keys)} requests have {count} values of Idempotency-Key"
        if scripted and operation is Operation.MATCH and bench.steps(operation) == 1:
            files = [(n, i.data) for n, pair in enumerate(pairs) for i in bench.fit(pair)]
            arrived = Counter(
                frozenset(n for n, f in files if f in r.body or base64.b64encode(f) in r.body)
                for r in requests
            )
            # In another form than raw or base64 they are not seen.
            apart = {frozenset({number}): CALLS for number in range(THREADS)}
            assert arrived.keys() <= {frozenset()} or arrived == apart, (
                f"{operation}: calls were sent with the pictures of another thread"
            )

    def _nothing_piles_up(self, bench: Bench, operation: Operation) -> None:
        """Calls about ever new people leave no more behind than the calls before them."""
        verifier = bench.open_verifier()
        bench.prepare(GOOD[operation])
        # An engine looks at each of them: they are small there.
        side = 24 if isinstance(bench.backend, EngineBackend) else 96
        limits = [bench.can.limits_for(picture) for picture in PICTURES]
        side = max(side, *(limit.min_side_px for limit in limits))
        while len(noise(0, (side, side)).data) < max(limit.min_bytes for limit in limits):
            side *= 2
        # Copies, which the cache of `noise` does not hold.
        files = (bytearray(noise(n, (side, side)).data) for n in itertools.count(100))
        people = (fm.Image.from_bytes(bytes(file)) for file in files)
        #: Bytes of pictures that somebody still holds.
        kept: list[bytes] = []

        def let_go() -> None:
            kept.append(os.urandom(9))
            *counts, free = [sys.getrefcount(picture) for picture in kept]
            kept[:] = [kept[n] for n, count in enumerate(counts) if count > free]

        def ask(calls: int) -> Counter[str]:
            for _ in range(calls):
                # As they are sent: what is written anew would not be seen again.
                probe, reference = bench.fit((next(people), next(people)))
                with contextlib.suppress(fm.FaceMatchError):  # an engine finds nobody in noise
                    application_call(verifier, operation, (probe, reference), {})()
                kept.extend((probe.data, reference.data))
                del probe, reference
                let_go()
            if kept:
                gc.collect()
                let_go()
            more = {"pictures": len(kept), "threads that run": threading.active_count()}
            return Counter(measure_held(verifier.backend) | more)

        def grow(first: Counter[str], then: Counter[str]) -> set[str]:
            return {name for name, more in (then - first).items() if more >= BATCH}

        amounts = [ask(BATCH) for _ in range(3)]
        if grow(*amounts[:2]) & grow(*amounts[1:]):
            # A cache grows no more when it is full.
            growing = grow(ask(FILLS), ask(BATCH))
            names = ", ".join(sorted(growing))
            assert not growing, f"{operation}: after {FILLS} calls, each call still adds to {names}"

    @rule("R51", "R06")
    def test_r30_closing_is_final_and_only_ones_own(self, bench: Bench) -> None:
        """Closing twice is harmless, closes no other backend, and a new one works.

        A service closes in more than one place; what is shared in secret breaks its neighbour.
        """
        environment, time_out = dict(os.environ), socket.getdefaulttimeout()

        socket.setdefaulttimeout(None)  # calls of this backend before may have changed it already
        try:
            for operation in bench.operations:
                other, verifier = bench.open_backend(), bench.open_verifier()
                _judge_works(bench, operation, "newly opened", verifier)
                for opened in (verifier, verifier, verifier.backend, other):
                    opened.close()
                _judge_works(bench, operation, "open while others were closed")
                _judge_works(bench, operation, "opened after others", bench.open_verifier())
                foreign = dict.fromkeys(other.environment_variables.values(), "nobody's-key-0000")
                with mock.patch.dict(os.environ, foreign):
                    which = "opened with its keys, beside others in the environment,"
                    _judge_works(bench, operation, which, bench.open_verifier())
            self._another_key_is_another(bench)
            self._judge_threads(bench)
            changed = "a call changed, for the whole program, the"
            assert dict(os.environ) == environment, f"{changed} environment"
            assert socket.getdefaulttimeout() is None, f"{changed} time-out of sockets"
        finally:
            socket.setdefaulttimeout(time_out)
        bench.close()
        for operation in bench.operations:
            _judge_works(bench, operation, "opened after all were closed", bench.open_verifier())

    def _judge_threads(self, bench: Bench) -> None:
        before, operation = {*threading.enumerate()}, bench.operations[0]
        for _ in range(BATCH):
            verifier = bench.open_verifier()
            _judge_works(bench, operation, "opened once more", verifier)
            verifier.close()
        ends_at = time.monotonic() + MEET_S
        while len(more := {*threading.enumerate()} - before) >= BATCH:
            names = ", ".join(sorted(thread.name for thread in more))
            assert time.monotonic() < ends_at, f"{BATCH} are closed, and there still run {names}"
            time.sleep(0.01)

    def _another_key_is_another(self, bench: Bench) -> None:
        operation, simulator = bench.operations[0], bench.simulator
        settings = declared_settings(type(bench.backend))
        for name, secret in ((n, secret) for n, secret in bench.secrets() if n in settings):
            other = secret[:-4] + ("1111" if secret.endswith("0000") else "0000")
            with contextlib.suppress(fm.ConfigurationError):  # it has a form that this one has not
                second = simulator.backend(**{name: Secret(other)})
                with contextlib.closing(fm.FaceVerifier(second, clock=bench.clock)) as verifier:
                    outcome = bench.ask(operation, GOOD[operation], verifier=verifier)
                last = getattr(simulator, "last", None)
                sent = f"{last.path} {last.headers} {last.body!r}" if last else ""
                assert outcome.result is None or other in sent, (
                    f"with another {name} the answer is the same: the first one was used, or the "
                    "simulator looks at none"
                )


def _judge_works(
    bench: Bench, operation: Operation, which: str, verifier: fm.FaceVerifier | None = None
) -> None:
    outcome = bench.ask(operation, GOOD[operation], verifier=verifier)
    passes = outcome.result is not None and outcome.result.decision is PASS[operation]
    assert passes, f"{operation} of a backend that was {which} gave {outcome.summary}"


def _gist(result: Result) -> tuple[str, float | None]:
    return str(result.decision), None if result.threshold is None else result.threshold.value


def measure_held(backend: Backend) -> dict[str, int]:
    """How much hangs on each attribute of a backend, and on each name in its package."""
    package = {cls.__module__.partition(".")[0] for cls in type(backend).__mro__}
    package -= {"facematch_core", *sys.stdlib_module_names}
    # A function leads to every name of its module, which is looked at by itself.
    seen = {id(vars(module)) for module in tuple(sys.modules.values())}
    cache = type(functools.lru_cache(len))
    ends = {*map(id, (CodeType, ModuleType, logging.Logger, VendorSimulator))}

    def is_own(thing: Any) -> bool:
        return str(getattr(thing, "__module__", "")).partition(".")[0] in package

    def leads_on(thing: Any) -> bool:
        # Not isinstance: it asks the object, which may be somebody's proxy.
        cls = thing if issubclass(type(thing), type) else type(thing)
        # By their ids: a class of a stranger's metaclass may have no hash.
        if not ends.isdisjoint(map(id, cls.__mro__)):
            return False
        if cls is thing or cls is FunctionType or cls.__module__.startswith("facematch_core."):
            return is_own(thing)
        # What says its bound stops by itself.
        is_cache = cls is cache and thing.cache_info().maxsize
        return not is_cache and not (cls is deque and thing.maxlen)

    def amount(value: Any) -> int:
        """How many references, and how many kilobytes of what has none."""
        total, waiting = 0, [value]
        while waiting:
            thing = waiting.pop()
            if id(thing) not in seen and leads_on(thing):
                seen.add(id(thing))
                things = gc.get_referents(thing)
                total += len(things) or sys.getsizeof(thing, 0) // 1024
                waiting += things
        return total

    owners: list[tuple[str, Any]] = [(type(backend).__name__, backend)]
    owners += [(cls.__name__, cls) for cls in type(backend).__mro__ if is_own(cls)]
    owners += [item for item in sys.modules.items() if item[0].partition(".")[0] in package]
    amounts = {
        f"{owner}.{name}": amount(value)
        for owner, holder in owners
        for name, value in list(getattr(holder, "__dict__", {}).items())
        if not name.startswith("__")
    }
    # What is in slots.
    return amounts | {type(backend).__name__: amount(gc.get_referents(backend))}
