"""R28-R30: many threads, other processes, and the end."""

from __future__ import annotations

import copy
import pickle
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from facematch_core import Billed, ConfigurationError, Operation, ThresholdRule
from facematch_core.testing._situations import ANSWERS, FAILURES, GOOD, Situation

from ._bench import Bench, call
from ._outcome import FAIL, PASS, REVIEW, Result
from ._rules import Rules

T = TypeVar("T")

#: Threads that start at the same moment, and how often each of them asks.
THREADS, CALLS = 8, 4


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
            assert len({result.attempt_id for result in flat}) == len(flat)
            assert bench.double.requests_seen - before[0] == len(flat)
            paid = sum(result.billed is Billed.YES for result in flat)
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
        for operation, situation in bench.cases(FAILURES):
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
