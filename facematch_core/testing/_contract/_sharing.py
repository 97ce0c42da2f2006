"""R28-R30, R35: many threads, other processes, and the end."""

from __future__ import annotations

import copy
import functools
import pickle
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from facematch_core import Charged, ConfigurationError, Operation, ThresholdRule
from facematch_core.testing._situations import ANSWERS, FAILURES, GOOD, Situation

from ._bench import Bench, call, does_not_apply
from ._fork import can_fork, forked
from ._midway import Midway
from ._outcome import FAIL, PASS, REVIEW, Result
from ._rules import Rules

T = TypeVar("T")

#: Threads that start at the same moment, and how often each of them asks.
THREADS, CALLS = 8, 4

#: Seconds that a forked child may take: at least, per second of its parent's first call, and for an
#: engine on this machine, which may have to be loaded again.
CHILD_S, CHILD_PER_S, CHILD_ENGINE_S = 5.0, 30.0, 90.0


def _together(asks: Sequence[Callable[[], Result]]) -> list[list[Result]]:
    """Run each of `asks` in a thread of its own, `CALLS` times, all from one moment on."""
    start = threading.Barrier(len(asks))

    def repeat(ask: Callable[[], Result]) -> list[Result]:
        start.wait(timeout=30)
        return [ask() for _ in range(CALLS)]

    with ThreadPoolExecutor(len(asks)) as pool:
        return list(pool.map(repeat, asks))


def _apart(
    bench: Bench, operation: Operation
) -> tuple[Situation, float | None, tuple[float | None, float | None]]:
    """A situation, what to prepare it with, and two thresholds: one that passes, one that does not.

    Both are None where no score is held against them.
    """
    if bench.scale(operation) is None or bench.can.threshold_rule is ThresholdRule.VENDOR:
        return GOOD[operation], None, (None, None)
    situation, told, score = bench.scored(operation)
    return situation, told, (score - 1, score + 1)


def _through_pickle(value: T) -> T:
    again: T = pickle.loads(pickle.dumps(value))  # noqa: S301 - what was pickled just now
    return again


def _several(ask: Callable[[], Result]) -> list[tuple[Any, ...]]:
    """Decision, attempt id and threshold of `CALLS` answers: what a forked child tells of them."""
    answers = [ask() for _ in range(CALLS)]
    return [(a.decision, a.ids.call, a.threshold and a.threshold.value) for a in answers]


def _on_both_sides(
    bench: Bench, ours: Callable[[], Result], theirs: Callable[[], Result], midway: Midway
) -> tuple[list[Result], list[tuple[Any, ...]]]:
    """The answers of this process, and what its child tells: forked in the middle of a call."""
    started = time.monotonic()
    results = [ours()]
    patience_s = max(CHILD_S, CHILD_PER_S * (time.monotonic() - started))
    if not bench.can.billed_operations:
        patience_s = max(CHILD_ENGINE_S, patience_s)
    with ThreadPoolExecutor(1) as pool:
        made = pool.submit(midway.make, ours)
        try:
            midway.wait(bench, made)
            with forked(functools.partial(_several, theirs)) as child:
                midway.go_on()
                results += [ours() for _ in range(CALLS)]
                told = child.answer(patience_s)
        finally:
            midway.go_on()
    return [*results, made.result(), ours()], told


class SharingRules(Rules):
    """Many threads, other processes, and the end."""

    def test_r28_threads_do_not_mix(self, bench: Bench) -> None:
        """Threads that share one verifier get each its own answer, and every call is counted.

        A web server asks for two visitors at once. An answer that lands with the other one lets a
        stranger in.
        """
        verifier = bench.open_verifier()
        for operation in bench.operations:
            situation, told, thresholds = _apart(bench, operation)
            bench.double.prepare(situation, score=told)
            pictures = bench.double.pictures_for(situation)
            before = bench.double.requests_seen, bench.double.charges
            every = _together(
                [
                    call(verifier, operation, pictures, {"threshold": thresholds[number % 2]})
                    for number in range(THREADS)
                ]
            )
            for number, results in enumerate(every):
                threshold = thresholds[number % 2]
                fails = number % 2 and threshold is not None
                wanted = (FAIL[operation], REVIEW[operation]) if fails else (PASS[operation],)
                for result in results:
                    assert result.decision in wanted, "the answer of another thread"
                    if threshold is not None:
                        assert result.threshold is not None
                        assert result.threshold.value == threshold, "that of another thread"
            flat = [result for results in every for result in results]
            assert len({result.ids.call for result in flat}) == len(flat)
            assert bench.double.requests_seen - before[0] == len(flat)
            paid = sum(result.billing.charged is Charged.YES for result in flat)
            assert bench.double.charges - before[1] == paid

    def test_r29_results_and_errors_travel(self, bench: Bench) -> None:
        """Results and errors survive pickle and copy whole.

        A worker process that cannot hand back its error hangs the pool, or loses a paid call.
        """
        for operation, situation in bench.cases(ANSWERS):
            result = bench.ask(operation, situation).answer
            for again in (_through_pickle(result), copy.deepcopy(result)):
                assert again == result
                assert again.raw == result.raw
        for operation, situation in bench.cases((*FAILURES, Situation.SLOW)):
            error = bench.ask(operation, situation).error
            assert error is not None, f"{situation.name} gave a result"
            for same in (_through_pickle(error), copy.copy(error)):
                assert type(same) is type(error)
                assert str(same) == str(error)
                assert vars(same) == vars(error)

    def test_r30_closing_is_final_and_only_ones_own(self, bench: Bench) -> None:
        """Closing twice is harmless, closes nobody else, and a new backend works.

        A service closes in more than one place; what is shared in secret breaks its neighbour.
        """
        for operation in bench.operations:
            other = bench.open_backend()
            verifier = bench.open_verifier()
            situation = GOOD[operation]
            assert bench.ask(operation, situation, verifier=verifier).answer.decision
            verifier.close()
            verifier.close()
            verifier.backend.close()
            other.close()
            closed = bench.ask(operation, situation, verifier=verifier)
            assert isinstance(closed.error, ConfigurationError)
            assert closed.requests == 0
            # The bench's own backend was open all the while; the second one is opened now.
            again = bench.open_verifier()
            assert bench.ask(operation, situation).answer.decision is PASS[operation]
            reopened = bench.ask(operation, situation, verifier=again)
            assert reopened.answer.decision is PASS[operation]
        # Nobody is left who could have kept open what is shared.
        bench.close()
        for operation in bench.operations:
            reopened = bench.ask(operation, GOOD[operation], verifier=bench.open_verifier())
            assert reopened.answer.decision is PASS[operation], "closed for good"

    def test_r35_fork_keeps_answers_apart(self, bench: Bench) -> None:
        """After a fork, parent and child get each their own answers.

        A web server opens the verifier once and forks its workers. One that waits for a lock whose
        holder stayed behind waits for ever; two on one connection read each other's visitors.
        """
        if not can_fork():
            does_not_apply("A process that uses threads is not forked on this system.")
        for operation in bench.operations:
            situation, score, (passing, failing) = _apart(bench, operation)
            midway = Midway()
            verifier = bench.open_verifier(on_event=midway)
            bench.double.prepare(situation, score=score)
            pictures = bench.double.pictures_for(situation)
            ours = call(verifier, operation, pictures, {"threshold": passing})
            theirs = call(verifier, operation, pictures, {"threshold": failing})
            before = bench.double.requests_seen
            results, told = _on_both_sides(bench, ours, theirs, midway)
            for result in results:
                assert result.decision is PASS[operation], "an answer of the child's"
            fails = (FAIL[operation], REVIEW[operation])
            wanted = (PASS[operation],) if failing is None else fails
            for decision, _, threshold in told:
                assert decision in wanted, "the child has an answer of its parent's"
                assert failing is None or threshold == failing
            ids = {result.ids.call for result in results}
            ids |= {attempt_id for _, attempt_id, _ in told}
            assert len(ids) == len(results) + len(told), "parent and child share an attempt id"
            # A double in this process has a copy in the child, and does not see its calls.
            seen = bench.double.requests_seen - before
            assert seen in (len(results), len(ids)), f"{seen} requests for {len(ids)} calls"
