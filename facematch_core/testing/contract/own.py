"""R19, R28, R30, R31: what the core sees to for a backend on `HttpBackend`, asked of all others.

They are about engines, vendors' libraries, and plug-ins that send or sign in by code of their own.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import socket
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest import mock

import facematch_core as fm
from facematch_core import Operation, models
from facematch_core.backend import Secret
from facematch_core.base.deadline import Deadline
from facematch_core.config.settings import declared_settings
from facematch_core.http import HttpBackend
from facematch_core.testing import bench as benches
from facematch_core.testing.bench import FAIL, PASS, Bench, Result, application_call
from facematch_core.testing.leaks import capture_log, files_written, find_leaks
from facematch_core.testing.pictures import noise
from facematch_core.testing.simulator import BAD, GOOD, STALLS, SimulatorReply, Situation

from ._frame import Rules, rule
from .money import judge
from .privacy import secrets_of

#: Seconds that a call is given where the answer has no end, and how many times as long it may take.
#: It is tried with more where it was late: the machine may have been busy.
DEADLINES_S, LATE = (0.1, 0.3, 0.6), 3
#: Threads that start at the same moment, how often each asks, and how long one waits for another.
THREADS, CALLS, MEET_S = 8, 4, 1.0
#: A text that is no setting's value; it must not be seen again.
ODD = "kit0odd5d41402abc4b2a76"


class OwnSenderRules(Rules):
    """Deadlines, threads, the end and settings of a plug-in that sends by code of its own."""

    @rule("R51")
    def test_r19_deadline_holds(self, bench: Bench) -> None:
        """`deadline_s` ends a call that would never end, and the next call is not affected.

        A door that waits for minutes is broken; one that reads the last visitor's answer is worse.
        """
        _need_own_sender(bench)
        can, cannot = bench.simulator.situations, bench.simulator.cannot_happen
        stalls = [stall for stall in STALLS if stall in can or stall not in cannot]
        bench.need(*(stalls or STALLS))
        for operation in bench.operations:
            for stall in stalls:
                steps = bench.each_step(operation, stall)
                # Before any wait, and after all of them; how it has no end is the same at both.
                for step in {steps[0], steps[-1]} if stall is Situation.SLOW else steps[-1:]:
                    for deadline_s in DEADLINES_S:
                        if Situation.UNREACHABLE in can:
                            # A request that an earlier call sent too late is not counted here.
                            bench.prepare(Situation.UNREACHABLE)
                        at = time.monotonic()
                        outcome = bench.ask(operation, stall, step=step, deadline_s=deadline_s)
                        taken_s = time.monotonic() - at
                        if taken_s < LATE * deadline_s and outcome.requests >= (step or 1):
                            break
                    assert taken_s < LATE * deadline_s, (
                        f"{operation}, {stall.name}: a call with {deadline_s:g} s to go took "
                        f"{taken_s:.2f} s, and gave {outcome.summary}"
                    )
                    judge(bench, operation, stall, step, outcome)
                for table, due in ((BAD, FAIL[operation]), (GOOD, PASS[operation])):
                    decision = bench.ask(operation, table[operation]).answer.decision
                    after = f"{operation}: the result after a call that was given up"
                    assert decision is due, f"{after} is {decision}, not {due}: is it that call's?"

    @rule("R51")
    def test_r28_calls_do_not_mix_or_pile_up(self, bench: Bench) -> None:
        """Threads that share one verifier each get their own answer, and every call is counted.

        A web server verifies two visitors at once. An answer that reaches the other one lets a
        stranger in.
        """
        _need_own_sender(bench)
        for operation in bench.operations:
            _judge_threads(bench, operation)

    @rule("R51")
    def test_r30_closing_is_final_and_only_ones_own(self, bench: Bench) -> None:
        """Closing twice is harmless, closes no other backend, and a new one works with its own key.

        A service closes in more than one place; what is shared in secret breaks its neighbour.
        """
        _need_own_sender(bench)
        environment = dict(os.environ)
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
        _judge_keys(bench)
        assert dict(os.environ) == environment, "a call changed the environment of the program"

    @rule()
    def test_r31_settings_are_held(self, bench: Bench) -> None:
        """A setting that does not exist is refused without its value being shown, `diagnose` sends
        nothing, and no call writes a file.

        A misspelt `threshold` that is ignored changes who comes in. The value may be a key in the
        wrong place. A file outlives the program, and is in a backup before it is deleted.
        """
        _need_own_sender(bench)
        cls = type(bench.backend)
        for unknown in (f"{name}x" for name in (*declared_settings(cls), "surely_not_a_setting")):
            try:
                backend = bench.simulator.backend(**{unknown: ODD})
            except Exception as error:  # noqa: BLE001 - whatever it raises is judged
                text = f"{error} {error!r} {error.__cause__ or error.__context__!r}"
                told = any(secret in text for secret in (ODD, *bench.simulator.secrets))
                kind = type(error).__name__
                assert not told, f"opened with {unknown}, its {kind} shows a value"
            else:
                backend.close()
                raise AssertionError(f"it can be opened with {unknown}, which is no setting")
        _judge_redirects(bench)
        before = bench.simulator.requests_seen
        with capture_log() as log, files_written() as files:
            # `facematch doctor --json` prints it like this.
            shown = json.dumps(dict(bench.backend.diagnose()), allow_nan=False)
            seen = bench.simulator.requests_seen
            for case in bench.cases((*GOOD.values(), *BAD.values(), Situation.OUTAGE)):
                bench.ask(*case)
        assert seen == before, "`diagnose` calls the vendor"
        found = any(find_leaks(secret, shown, log.getvalue()) for _, secret in secrets_of(bench))
        assert not found, "`diagnose` returns or logs a secret"
        assert not files, f"a call writes a file: {files[0]}"


def _need_own_sender(bench: Bench) -> None:
    if not bench.sends_itself:
        benches.does_not_apply(f"The core sees to this for {bench.backend.name}, an HttpBackend.")


def _judge_threads(bench: Bench, operation: Operation) -> None:
    """Assert that threads with pictures and thresholds of their own are answered as each alone."""
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
    if bench.scale(operation) and bench.can.threshold_rule is not models.ThresholdRule.VENDOR:
        situation, setting, score = bench.find_score(operation)
        wishes = [{"threshold": score - 1}, {"threshold": score + 1}]
    bench.ask(operation, situation, score=setting)
    pairs = [simulator.pictures_for(shown) for shown in (situation, BAD[operation])]
    if operation is Operation.MATCH:
        pairs[1] = pairs[1][::-1]  # so that both pictures are others
    alone = [application_call(verifier, operation, pair, {})().decision for pair in pairs]
    scripted = alone[0] is alone[1]
    if scripted:
        # The vendor answers whatever they show: then they are seen as they arrive.
        pairs = [(noise(2 * number), noise(2 * number + 1)) for number in range(THREADS)]
    calls = [
        application_call(verifier, operation, pairs[n % len(pairs)], wishes[n // 2 % 2])
        for n in range(THREADS)
    ]
    # Four kinds of calls: a scripted answer is the same for any pictures.
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
            f"{others.pop()}: does it share something with them?"
        )
    seen, counted = simulator.requests_seen - before[0], simulator.charges - before[1]
    due = THREADS * CALLS * bench.steps(operation)
    paid = sum(result.billing.charges or 0 for results in every for result in results)
    assert (seen, counted) == (due, paid), (
        f"{THREADS * CALLS} {operation} calls are {due} requests and {paid} charges, and the "
        f"vendor counted {seen} and {counted}"
    )
    if scripted and operation is Operation.MATCH and bench.steps(operation) == 1:
        files = [(n, i.data) for n, pair in enumerate(pairs) for i in bench.fit(pair)]
        arrived = Counter(
            frozenset(n for n, f in files if f in r.body or base64.b64encode(f) in r.body)
            for r in requests
        )
        # Pictures are recognised if they are sent raw or as base64.
        apart = {frozenset({number}): CALLS for number in range(THREADS)}
        right = arrived.keys() <= {frozenset()} or arrived == apart
        assert right, f"{operation}: calls were sent with the pictures of another thread"


def _gist(result: Result) -> tuple[str, float | None]:
    return str(result.decision), None if result.threshold is None else result.threshold.value


def _judge_works(
    bench: Bench, operation: Operation, which: str, verifier: fm.FaceVerifier | None = None
) -> None:
    outcome = bench.ask(operation, GOOD[operation], verifier=verifier)
    passes = outcome.result is not None and outcome.result.decision is PASS[operation]
    assert passes, f"{operation} of a backend that was {which} gave {outcome.summary}"


def _judge_redirects(bench: Bench) -> None:
    """Assert that an answer with another address does not lead key and faces there."""
    sends = bench.simulator.takes_replies and not isinstance(bench.backend, HttpBackend)
    for operation in bench.operations if sends else ():
        with socket.create_server(("127.0.0.1", 0)) as elsewhere:
            elsewhere.settimeout(0)
            headers = {"Location": f"http://127.0.0.1:{elsewhere.getsockname()[1]}/elsewhere"}
            for status in (302, 307):
                reply = SimulatorReply(status=status, body={}, headers=headers)
                bench.simulator.set_reply(reply)
                deadline = Deadline.after(benches.DEADLINE_S, bench.clock)
                bench.make_call(bench.call(operation, GOOD[operation], deadline=deadline))
                with contextlib.suppress(BlockingIOError):
                    elsewhere.accept()[0].close()
                    where = f"{operation}, answered {status} with another address"
                    raise AssertionError(f"{where}: its library follows with key and faces")


def _judge_keys(bench: Bench) -> None:
    """Assert that a backend with another key sends that key."""
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
                f"with another {name} the answer is the same: the first key was used, or the "
                "simulator does not look at it"
            )
