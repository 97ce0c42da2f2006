"""R19, R28, R30, R31: what the core sees to for a backend on `HttpBackend`, asked of all others.

They are about engines, vendors' libraries, and plug-ins that send or sign in by code of their own.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import Any
from unittest import mock

import facematch_core as fm
from facematch_core import Operation, models
from facematch_core.backend import Secret
from facematch_core.config.settings import declared_settings
from facematch_core.testing import bench as benches
from facematch_core.testing.bench import FAIL, PASS, Bench, Result, Rules, rule, same
from facematch_core.testing.leaks import capture_log, files_written, find_leaks
from facematch_core.testing.simulator import BAD, GOOD, STALLS, Situation

from .money import judge
from .options import secrets_of

#: Seconds that a call is given where the answer has no end, and how many times as long it may take.
#: It is tried with more where it was late: the machine may have been busy.
DEADLINES_S, LATE = (0.1, 0.3, 0.6), 3
#: Threads that ask at the same time, and how often each does.
THREADS, CALLS = 8, 4

#: Why the rules are not about a plug-in on `HttpBackend`.
CORE = "is an HttpBackend: the core sees to this"
#: A text that is no setting's value; it must not be seen again.
ODD = "kit0odd5d41402abc4b2a76"


class OwnSenderRules(Rules):
    """Deadlines, threads, the end and settings of a plug-in that sends by code of its own."""

    @rule("R51")
    def test_r19_deadline_holds(self, bench: Bench) -> None:
        """`deadline_s` ends a call that would never end, and the next call is not affected.

        A door that waits for minutes is broken; one that reads the last visitor's answer is worse.
        """
        bench.applies_if(bench.sends_itself, CORE)
        can, cannot = bench.simulator.situations, bench.simulator.cannot_happen
        stalls = [stall for stall in STALLS if stall in can or stall not in cannot]
        bench.need(*(stalls or STALLS))
        for operation, stall in product(bench.operations, stalls):
            _judge_stall(bench, operation, stall)
            for table, due in ((BAD, FAIL[operation]), (GOOD, PASS[operation])):
                decision = bench.ask(operation, table[operation]).answer.decision
                same("the decision after a call that was given up", decision, due)

    @rule("R51")
    def test_r28_calls_do_not_mix_or_pile_up(self, bench: Bench) -> None:
        """Threads that share one verifier each get their own answer, and every call is counted.

        A web server verifies two visitors at once. An answer that reaches the other one lets a
        stranger in.
        """
        bench.applies_if(bench.sends_itself, CORE)
        for operation in bench.operations:
            _judge_threads(bench, operation)

    @rule("R51")
    def test_r30_closing_is_final_and_only_ones_own(self, bench: Bench) -> None:
        """Closing twice is harmless, closes no other backend, and a new one works with its own key.

        A service closes in more than one place; what is shared in secret breaks its neighbour.
        """
        bench.applies_if(bench.sends_itself, CORE)
        environment = dict(os.environ)
        for operation in bench.operations:
            other, verifier = bench.open_backend(), bench.open_verifier()
            _judge_works(bench, operation, "newly opened", verifier)
            for opened in (verifier, verifier, verifier.backend, other):
                opened.close()
            _judge_works(bench, operation, "open while others were closed")
            settings = declared_settings(type(bench.backend))
            for name, secret in ((n, text) for n, text in bench.secrets() if n in settings):
                key = secret[:-4] + ("1111" if secret.endswith("0000") else "0000")
                # Another key may have a form that the setting refuses.
                with contextlib.suppress(fm.ConfigurationError):
                    other = bench.open_backend(**{name: Secret(key)})
                    stranger = fm.FaceVerifier(other, clock=bench.clock)
                    bench.ask(operation, GOOD[operation], verifier=stranger)
            _judge_works(bench, operation, "open while others had other keys")
            foreign = dict.fromkeys(other.environment_variables.values(), "nobody's-key-0000")
            with mock.patch.dict(os.environ, foreign):
                which = "opened with its keys, beside others in the environment,"
                _judge_works(bench, operation, which, bench.open_verifier())
        assert dict(os.environ) == environment, "a call changed the environment of the program"

    @rule()
    def test_r31_settings_are_held(self, bench: Bench) -> None:
        """A setting that does not exist is refused without its value being shown, `diagnose` sends
        nothing and shows no key, and no call writes a file.

        A misspelt `threshold` that is ignored changes who comes in. The value may be a key in the
        wrong place. A file outlives the program, and is in a backup before it is deleted.
        """
        bench.applies_if(bench.sends_itself, CORE)
        try:
            bench.simulator.backend(surely_not_a_setting=ODD).close()
        except Exception as error:  # noqa: BLE001 - whatever it raises is judged
            shown = f"{error} {error!r}"
        else:
            raise AssertionError("it can be opened with a setting that does not exist")
        assert ODD not in shown, "the error of a setting that does not exist shows its value"
        before = bench.simulator.requests_seen
        with capture_log() as log, files_written() as files:
            # `facematch doctor --json` prints it like this.
            shown = json.dumps(dict(bench.backend.diagnose()), allow_nan=False)
            same("the requests of `diagnose`", bench.simulator.requests_seen - before, 0)
            for case in bench.cases((*GOOD.values(), *BAD.values(), Situation.OUTAGE)):
                bench.ask(*case)
        found = any(find_leaks(secret, shown, log.getvalue()) for _, secret in secrets_of(bench))
        assert not found, "`diagnose` returns or logs a secret"
        assert not files, f"a call writes a file: {files[0]}"


def _judge_stall(bench: Bench, operation: Operation, stall: Situation) -> None:
    steps = bench.each_step(operation, stall)
    # Before any wait, and after all of them; how it has no end is the same at both.
    for step in {steps[0], steps[-1]} if stall is Situation.SLOW else steps[-1:]:
        for deadline_s in DEADLINES_S:
            if Situation.UNREACHABLE in bench.simulator.situations:
                # A request that an earlier call sent too late is not counted here.
                bench.simulator.set_situation(Situation.UNREACHABLE)
            at = time.monotonic()
            outcome = bench.ask(operation, stall, step=step, deadline_s=deadline_s)
            taken_s = time.monotonic() - at
            if taken_s < LATE * deadline_s and outcome.requests >= (step or 1):
                break
        took = f"a deadline of {deadline_s:g} s took {taken_s:.2f} s, and gave {outcome.summary}"
        assert taken_s < LATE * deadline_s, took
        judge(bench, operation, stall, step, outcome)


def _judge_threads(bench: Bench, operation: Operation) -> None:
    """Assert that threads with pictures and thresholds of their own are answered as each alone."""
    simulator, verifier = bench.simulator, bench.open_verifier()
    situation, score = GOOD[operation], None
    wishes: list[dict[str, Any]] = [{}, {}]
    if bench.scale(operation) and bench.can.threshold_rule is not models.ThresholdRule.VENDOR:
        situation, score, known = bench.find_score(operation)
        wishes = [{"threshold": known - 1}, {"threshold": known + 1}]
    bench.ask(operation, situation, score=score)
    pairs = [simulator.pictures_for(shown) for shown in (situation, BAD[operation])]
    calls = [
        benches.application_call(verifier, operation, pairs[n % 2], **wishes[n // 2 % 2])
        for n in range(THREADS)
    ]
    alone = [_gist(call()) for call in calls[:4]] * (THREADS // 4)
    requests, charges = simulator.requests_seen, simulator.charges
    start = threading.Barrier(THREADS)

    def ask_often(call: Callable[[], Result]) -> list[Result]:
        start.wait()
        return [call() for _ in range(CALLS)]

    with ThreadPoolExecutor(THREADS) as pool:
        together = [*pool.map(ask_often, calls)]
    for by_itself, results in zip(alone, together, strict=True):
        beside_others = {by_itself, *map(_gist, results)}
        same("what a call gives by itself and beside other threads", beside_others, {by_itself})
    due = requests + THREADS * CALLS * bench.steps(operation)
    same("the vendor's count of requests in threads", simulator.requests_seen, due)
    paid = sum(result.billing.charges or 0 for results in together for result in results)
    same("the vendor's count of charges in threads", simulator.charges, charges + paid)


def _gist(result: Result) -> tuple[str, float | None]:
    return str(result.decision), None if result.threshold is None else result.threshold.value


def _judge_works(
    bench: Bench, operation: Operation, which: str, verifier: fm.FaceVerifier | None = None
) -> None:
    outcome = bench.ask(operation, GOOD[operation], verifier=verifier)
    passed = f"the result {PASS[operation]}"
    same(f"the outcome of a backend that was {which}", outcome.summary, passed)
