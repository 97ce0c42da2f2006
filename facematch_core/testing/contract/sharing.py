"""R28-R30, R34, R35: many threads, many pairs, other processes, and the end."""

from __future__ import annotations

import base64
import contextlib
import copy
import logging
import multiprocessing
import os
import pickle
import signal
import socket
import sys
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.connection import Connection
from typing import Any, NoReturn, TypeVar

import pytest

from facematch_core import (
    AuthenticationFailed,
    CallEvent,
    ConfigurationError,
    EventKind,
    FaceMatchError,
    FaceVerifier,
    InvalidImage,
    MatchResult,
    Operation,
    PairOutcome,
    PermissionDenied,
    ThresholdRule,
    VendorError,
)
from facematch_core.backend import Secret
from facematch_core.settings import declared_settings
from facematch_core.testing.bench import (
    FAIL,
    MIDDLE,
    PASS,
    REVIEW,
    Bench,
    Outcome,
    Result,
    Script,
    application_call,
    does_not_apply,
)
from facematch_core.testing.pictures import noise
from facematch_core.testing.simulator import (
    ANSWERS,
    FAILURES,
    GOOD,
    OPERATION_OF,
    PATIENCE_S,
    SimulatorRequest,
    Situation,
)

from ._frame import Rules

T = TypeVar("T")

#: Threads that start at the same moment, and how often each of them asks.
THREADS, CALLS = 8, 4

#: Seconds that threads wait for each other, at the most.
MEET_S = 1.0

#: Calls at a time, the default of `verify_many`; pairs of each kind, and pairs that a key which
#: is refused must not use up.
_WORKERS, _PAIRS, _MANY = 4, 4, 40

#: What ends a series, as `verify_many` documents it, or may make a client wait.
_NOT_ALONE = (Situation.BAD_KEY, Situation.NO_CREDIT, Situation.THROTTLED)

#: Seconds that a forked child may take: at least, per second of its parent's first call, and for an
#: engine on this machine, which may have to be loaded again.
CHILD_S, CHILD_PER_S, CHILD_ENGINE_S = 5.0, 30.0, 90.0


class SharingRules(Rules):
    """Many threads, many pairs, other processes, and the end."""

    def test_r28_threads_do_not_mix(self, bench: Bench) -> None:
        """Threads that share one verifier each get their own answer, and every call is counted.

        A web server verifies two visitors at once. An answer that reaches the other one lets a
        stranger in.
        """
        meeting, simulator = Meeting(), bench.simulator
        verifier = bench.open_verifier(on_event=meeting)
        for operation in bench.operations:
            situation, told, thresholds = _apart(bench, operation)
            bench.prepare(situation, told)
            pictures = simulator.pictures_for(situation)
            before = simulator.requests_seen, simulator.charges
            asks = [
                application_call(
                    verifier, operation, pictures, {"threshold": thresholds[number % 2]}
                )
                for number in range(THREADS)
            ]
            every = meeting.together(asks)
            for number, results in enumerate(every):
                threshold = thresholds[number % 2]
                fails = number % 2 and threshold is not None
                wanted = (FAIL[operation], REVIEW[operation]) if fails else (PASS[operation],)
                for result in results:
                    assert result.decision in wanted, "the answer of another thread"
                    if threshold is not None:
                        assert result.threshold is not None
                        assert result.threshold.value == threshold, (
                            "the threshold of another thread"
                        )
            flat = [result for results in every for result in results]
            assert len({result.ids.call for result in flat}) == len(flat)
            seen, due = simulator.requests_seen - before[0], len(flat) * bench.steps(operation)
            assert seen == due, f"{len(flat)} calls are {due} requests, and the vendor saw {seen}"
            paid = sum(result.billing.charges or 0 for result in flat)
            charged = simulator.charges - before[1]
            assert charged == paid, f"the results say {paid} charges, the vendor counted {charged}"
        if Operation.MATCH in bench.operations:
            self._pictures_stay_together(bench, verifier, meeting)

    def _pictures_stay_together(
        self, bench: Bench, verifier: FaceVerifier, meeting: Meeting
    ) -> None:
        """Two pairs at once: each is decided as it is alone, or arrives as it was given."""
        simulator, fine = bench.simulator, Situation.SAME_PERSON
        bench.prepare(fine)
        given = simulator.pictures_for(fine)
        # Turned round, so that both pictures are others.
        pairs = [given, simulator.pictures_for(Situation.DIFFERENT_PEOPLE)[::-1]]
        alone = [verifier.verify(*pair).decision for pair in pairs]
        seen_in_bodies = alone[0] is alone[1]
        if seen_in_bodies:
            # The vendor answers whatever they show: one pair for each thread, seen as it arrives.
            pairs = [(noise(2 * number), noise(2 * number + 1)) for number in range(THREADS)]
            alone = [verifier.verify(*pair).decision for pair in pairs]
        kinds = len(pairs)
        simulator.overheard = heard = list[SimulatorRequest]()
        every = meeting.together(
            [
                application_call(verifier, Operation.MATCH, pairs[number % kinds], {})
                for number in range(THREADS)
            ]
        )
        simulator.overheard = None
        for number, results in enumerate(every):
            decisions = {result.decision for result in results}
            assert decisions == {alone[number % kinds]}, "the pictures of another thread"
        keys = [
            (key, request.path)
            for request in heard
            if (key := request.headers.get("Idempotency-Key")) is not None
        ]
        # The second request with a key gets the answer to the first one.
        assert len(keys) == len(set(keys)), "several requests have one Idempotency-Key"
        if seen_in_bodies and bench.steps(Operation.MATCH) == 1:
            limits = bench.can.image_limits
            files = [[picture.prepared(limits).data for picture in pair] for pair in pairs]
            _each_pair_arrives([request.body for request in heard], files)

    def test_r29_results_and_errors_travel(self, bench: Bench) -> None:
        """Results and errors survive pickle and copy.

        A worker process that cannot hand back its error hangs the pool, or loses a paid call.
        """
        for operation, situation in bench.cases((*ANSWERS, *FAILURES, Situation.SLOW)):
            outcome = bench.ask(operation, situation)
            if outcome.result is not None:
                result = outcome.result
                assert situation in ANSWERS, f"{situation.name} gave a result"
                for again in (_through_pickle(result), copy.deepcopy(result)):
                    assert again == result
                    assert again.raw == result.raw
                continue
            error = outcome.error
            if situation in ANSWERS:
                assert situation is Situation.NULL_SCORE, f"{situation.name} gave {error!r}"
            for same in (_through_pickle(error), copy.copy(error)):
                assert type(same) is type(error)
                assert str(same) == str(error)
                assert vars(same) == vars(error)

    def test_r30_closing_is_final_and_only_ones_own(self, bench: Bench) -> None:
        """Closing twice is harmless, closes no other backend, and a new one works.

        A service closes in more than one place; what is shared in secret breaks its neighbour.
        """
        with _process_unchanged():
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
            self._another_key_is_another(bench)
        # Nobody is left who could have kept open what is shared.
        bench.close()
        for operation in bench.operations:
            reopened = bench.ask(operation, GOOD[operation], verifier=bench.open_verifier())
            assert reopened.answer.decision is PASS[operation], "closed for good"

    def _another_key_is_another(self, bench: Bench) -> None:
        """A second backend asks with its own key, and not with the first one's."""
        for name, secret in bench.secrets():
            if name not in declared_settings(type(bench.backend)):
                continue
            other = f"{secret[:-4]}{'0000' if secret[-4:] != '0000' else '1111'}"
            try:
                second = bench.simulator.backend(**{name: Secret(other)})
            except ConfigurationError:
                continue  # it has a form that this one has not
            with contextlib.closing(second):
                verifier = FaceVerifier(second)
                operation = bench.operations[0]
                outcome = bench.ask(operation, GOOD[operation], verifier=verifier)
            last = getattr(bench.simulator, "last", None)
            said = "" if last is None else f"{last.path} {last.headers} {last.body!r}"
            assert outcome.result is None or other in said, (
                f"with another {name} the answer is the same: the first one was used, or the "
                "simulator looks at none"
            )

    def test_r34_many_pairs_in_their_order(self, bench: Bench) -> None:
        """`verify_many` gives every pair its own outcome, in order, and an error affects only its
        own pair.

        A night's work of ten thousand pairs meets every fault once. One that leaves a trace in the
        backend changes the answer about everybody after it.
        """
        if Operation.MATCH not in bench.operations:
            does_not_apply(f"{bench.backend.name} declares no {Operation.MATCH} call.")
        self._one_after_another(bench)
        self._side_by_side(bench)
        for situation in (Situation.REJECTED, Situation.LOST_ANSWER):
            if situation in bench.simulator.situations:
                self._each_fails_for_itself(bench, situation)
        if Situation.BAD_KEY in bench.simulator.situations:
            self._a_wrong_key_ends_it(bench)

    def _one_after_another(self, bench: Bench) -> None:
        """Every situation, and after each of them one that is as if nothing had been."""
        simulator = bench.simulator
        situations = [
            situation
            for situation in (*ANSWERS, Situation.SCORE, *FAILURES)
            if situation in simulator.situations
            and situation not in _NOT_ALONE
            and OPERATION_OF.get(situation, Operation.MATCH) is Operation.MATCH
        ]
        scores = {Situation.SCORE: MIDDLE}
        # In another order, so that what is left behind there meets another one here.
        alone = {
            situation: bench.ask(Operation.MATCH, situation, score=scores.get(situation))
            for situation in reversed(situations)
        }
        series = [each for situation in situations for each in (situation, Situation.SAME_PERSON)]
        script = Script(bench)
        script.play(series)
        verifier = bench.open_verifier(on_event=script)
        pairs = [(*simulator.pictures_for(each), f"key {at}") for at, each in enumerate(series)]
        before = simulator.requests_seen
        outcomes = list(verifier.verify_many(pairs, max_workers=1))
        script.check()
        assert [outcome.index for outcome in outcomes] == list(range(len(series)))
        assert [outcome.key for outcome in outcomes] == [key for *_, key in pairs]
        for outcome, situation in zip(outcomes, series, strict=True):
            wanted = alone[situation]
            assert _gist(outcome) == _gist(wanted), f"{situation} is another one after others"
            # An engine may add up in another order.
            assert _score(outcome) == pytest.approx(_score(wanted), abs=0.01)
        assert simulator.requests_seen - before == sum(alone[each].requests for each in series)

    def _side_by_side(self, bench: Bench) -> None:
        """Pairs of two kinds, which are answered differently where pictures decide."""
        simulator = bench.simulator
        fine = Situation.SAME_PERSON
        kinds = [simulator.pictures_for(each) for each in (fine, Situation.DIFFERENT_PEOPLE)]
        alone = [
            bench.ask(Operation.MATCH, fine, images=pair, verifier=bench.open_verifier())
            for pair in kinds
        ]
        pairs: list[tuple[Any, ...]] = [(*pair, n) for n in range(_PAIRS) for pair in kinds]
        spoilt = len(pairs) // 2
        pairs.insert(spoilt, (kinds[0][0], b"no picture", "spoilt"))
        verifier = bench.open_verifier()
        bench.prepare(fine)
        before = simulator.requests_seen
        outcomes = list(verifier.verify_many(pairs, max_workers=_WORKERS))
        assert [outcome.key for outcome in outcomes] == [key for *_, key in pairs]
        assert isinstance(outcomes.pop(spoilt).error, InvalidImage)
        for outcome, wanted in zip(outcomes, alone * _PAIRS, strict=True):
            assert outcome.decision is wanted.answer.decision, f"{outcome}: another pair's"
        assert len(_ids([outcome.result for outcome in outcomes])) == len(outcomes)
        assert simulator.requests_seen - before == _PAIRS * sum(each.requests for each in alone)

    def _each_fails_for_itself(self, bench: Bench, situation: Situation) -> None:
        simulator = bench.simulator
        alone = bench.ask(Operation.MATCH, situation)
        pairs = [simulator.pictures_for(situation)] * (2 * _PAIRS)
        verifier = bench.open_verifier()
        bench.prepare(situation)
        before = simulator.requests_seen
        errors = [outcome.error for outcome in verifier.verify_many(pairs, max_workers=_WORKERS)]
        assert all(isinstance(error, VendorError) for error in errors), errors
        assert len(_ids(errors)) == len(pairs), "an error carries the id of another pair's call"
        seen = simulator.requests_seen - before
        assert seen == len(pairs) * alone.requests, "a pair was given up for another one"

    def _a_wrong_key_ends_it(self, bench: Bench) -> None:
        pairs = [bench.simulator.pictures_for(Situation.BAD_KEY)] * _MANY
        verifier = bench.open_verifier()
        bench.prepare(Situation.BAD_KEY)
        outcomes = list(verifier.verify_many(pairs, max_workers=_WORKERS))
        kinds = {type(outcome.error) for outcome in outcomes}
        assert kinds <= {AuthenticationFailed, PermissionDenied}, kinds
        assert 0 < len(outcomes) < _MANY, "a key that is refused does not end the series"

    def test_r35_fork_keeps_answers_apart(self, bench: Bench) -> None:
        """After a fork, parent and child each get their own answers.

        A web server opens the verifier once and forks its workers. One that waits for a lock whose
        holder stayed behind waits for ever; two on one connection read each other's visitors.
        """
        if not can_fork():
            does_not_apply("A process that uses threads is not forked on this system.")
        for operation in bench.operations:
            situation, score, (passing, failing) = _apart(bench, operation)
            midway = Midway()
            verifier = bench.open_verifier(on_event=midway)
            bench.prepare(situation, score)
            pictures = bench.simulator.pictures_for(situation)
            ours = application_call(verifier, operation, pictures, {"threshold": passing})
            theirs = application_call(verifier, operation, pictures, {"threshold": failing})
            before = bench.simulator.requests_seen
            results, told = _on_both_sides(bench, ours, theirs, midway)
            for result in results:
                assert result.decision is PASS[operation], "the parent got an answer of its child"
            fails = (FAIL[operation], REVIEW[operation])
            wanted = (PASS[operation],) if failing is None else fails
            for decision, _, threshold in told:
                assert decision in wanted, "the child got an answer of its parent"
                assert failing is None or threshold == failing
            ids = {result.ids.call for result in results} | {call_id for _, call_id, _ in told}
            assert len(ids) == len(results) + len(told), "parent and child share an id"
            # A simulator in this process has a copy in the child, and does not see its calls.
            seen = (bench.simulator.requests_seen - before) / bench.steps(operation)
            assert seen in (len(results), len(ids)), f"requests of {seen} calls for {len(ids)}"


def _each_pair_arrives(bodies: Sequence[bytes], pairs: Sequence[Sequence[bytes]]) -> None:
    """Assert that the two files of each pair arrived together, in one order, and equally often."""
    arrived: Counter[tuple[int, bool]] = Counter()
    for body in bodies:
        places = [
            [max(body.find(file), body.find(base64.b64encode(file))) for file in pair]
            for pair in pairs
        ]
        pair = [number for number, place in enumerate(places) if max(place) >= 0]
        if pair:  # in another form they are not seen
            first, second = places[pair[0]]
            together = len(pair) == 1 and min(first, second) >= 0
            assert together, "pictures of two threads arrived as one pair"
            arrived[pair[0], first < second] += 1
    if arrived:
        each_as_often = len(arrived) == len(pairs) and len(set(arrived.values())) == 1
        assert each_as_often, "the pictures of another thread arrived"


@contextlib.contextmanager
def _process_unchanged() -> Iterator[None]:
    """Assert that what belongs to the whole program, and to no backend, is left as it was."""

    def now() -> dict[str, Any]:
        return {
            "the environment": dict(os.environ),
            "the time-out of sockets": socket.getdefaulttimeout(),
            "the root logger": (root.level, list(root.handlers), root.manager.disable),
            "what ends a Ctrl-C": signal.getsignal(signal.SIGINT),
        }

    root = logging.getLogger()
    given = socket.getdefaulttimeout(), root.level
    # Calls of this backend before may have changed them already.
    socket.setdefaulttimeout(None)
    root.setLevel(logging.WARNING)
    before = now()
    try:
        yield
        changed = [what for what, value in now().items() if value != before[what]]
        assert not changed, f"changed for the whole program: {', '.join(changed)}"
    finally:
        socket.setdefaulttimeout(given[0])
        root.setLevel(given[1])


def _apart(
    bench: Bench, operation: Operation
) -> tuple[Situation, float | None, tuple[float | None, float | None]]:
    """A situation, what to set it with, and two thresholds: one that passes, one that does not.

    Both are None where no score is held against them.
    """
    if bench.scale(operation) is None or bench.can.threshold_rule is ThresholdRule.VENDOR:
        return GOOD[operation], None, (None, None)
    situation, told, score = bench.scored(operation)
    return situation, told, (score - 1, score + 1)


class Meeting:
    """The event hook of a verifier: its threads go into each call, and send, at one moment.

    What they share is met half done, on a busy machine as on a quiet one.
    """

    def __init__(self) -> None:
        self._place: threading.Barrier | None = None

    def __call__(self, event: CallEvent) -> None:
        place = self._place
        if place is not None and event.kind in (EventKind.STARTED, EventKind.SENT):
            # A backend may let its calls through one by one: then nobody waits a second time.
            with contextlib.suppress(threading.BrokenBarrierError):
                place.wait(timeout=MEET_S)

    def together(self, asks: Sequence[Callable[[], Result]]) -> list[list[Result]]:
        """Run each of `asks` in a thread of its own, `CALLS` times."""

        def repeat(ask: Callable[[], Result]) -> list[Result]:
            return [ask() for _ in range(CALLS)]

        self._place, interval = threading.Barrier(len(asks)), sys.getswitchinterval()
        # Threads change places where they hardly ever do.
        sys.setswitchinterval(1e-5)
        try:
            with ThreadPoolExecutor(len(asks)) as pool:
                return list(pool.map(repeat, asks))
        finally:
            sys.setswitchinterval(interval)
            self._place = None


def _through_pickle(value: T) -> T:
    again: T = pickle.loads(pickle.dumps(value))  # noqa: S301 - what was pickled just now
    return again


def _gist(told: Outcome | PairOutcome) -> tuple[Any, ...]:
    """What two calls of one kind have in common, whatever came before them."""
    error, result = told.error, told.result
    if result is None:
        return type(error), error.billing.charged if isinstance(error, VendorError) else None
    tags = [(warning.code, warning.tag) for warning in result.warnings]
    return result.decision, result.vendor_status, result.billing.charged, tags


def _score(told: Outcome | PairOutcome) -> float | None:
    return None if told.result is None or told.result.score is None else told.result.score.value


def _ids(told: Sequence[MatchResult | FaceMatchError | None]) -> set[str]:
    """The ids of our own that are reported."""
    ids = {each.ids.call for each in told if isinstance(each, (MatchResult, VendorError))}
    return {call_id for call_id in ids if call_id}


# --- Work in a child of this process --------------------------------------------------------------


class Midway:
    """The event hook of a verifier: stops the call of one thread at its first byte.

    What a backend holds while it asks its vendor (a lock, a connection) it holds there.
    """

    def __init__(self) -> None:
        self._thread: tuple[int, int] | None = None
        self.there, self.go_on = threading.Event(), threading.Event()

    def __call__(self, event: CallEvent) -> None:
        if event.kind is EventKind.SENT and _here() == self._thread:
            self.there.set()
            self.go_on.wait(PATIENCE_S)

    def make(self, ask: Callable[[], Result]) -> Result:
        """The call, made in a thread of its own; stopped until `go_on`."""
        self._thread = _here()
        return ask()

    def wait(self, bench: Bench, made: Future[Result]) -> None:
        """Until the call stands still, or has begun where a backend reports no first byte."""
        before, until = bench.simulator.requests_seen, time.monotonic() + PATIENCE_S
        while not (self.there.wait(0.002) or made.done() or bench.simulator.requests_seen > before):
            assert time.monotonic() < until, "the call does not begin"


def _here() -> tuple[int, int]:
    # A child may give a thread of its own the number of one that it left behind.
    return os.getpid(), threading.get_ident()


def _on_both_sides(
    bench: Bench, ours: Callable[[], Result], theirs: Callable[[], Result], midway: Midway
) -> tuple[list[Result], list[tuple[Any, ...]]]:
    """The answers of this process, and what its child reports: forked in the middle of a call."""

    def several() -> list[tuple[Any, ...]]:
        answers = [theirs() for _ in range(CALLS)]
        return [(a.decision, a.ids.call, a.threshold and a.threshold.value) for a in answers]

    started = time.monotonic()
    results = [ours()]
    patience_s = max(CHILD_S, CHILD_PER_S * (time.monotonic() - started))
    if not bench.can.billed_operations:
        patience_s = max(CHILD_ENGINE_S, patience_s)
    with ThreadPoolExecutor(1) as pool:
        made = pool.submit(midway.make, ours)
        try:
            midway.wait(bench, made)
            with forked(several) as answer:
                midway.go_on.set()
                results += [ours() for _ in range(CALLS)]
                told = answer(patience_s)
        finally:
            midway.go_on.set()
    return [*results, made.result(), ours()], told


def can_fork() -> bool:
    """Whether a process can be forked here and go on. Not on Windows, and not safely on macOS."""
    return "fork" in multiprocessing.get_all_start_methods() and sys.platform != "darwin"


@contextlib.contextmanager
def forked(work: Callable[[], Any]) -> Iterator[Callable[[float], Any]]:
    """A child that does `work`, whose value must be one that pickle takes; and its answer.

    It begins with what this process holds at this moment, and with no other thread. It is gone at
    the end of the block, whatever it does. Asked for its answer with the seconds to wait for it,
    the block raises AssertionError if it hangs, fails or is gone.
    """
    if sys.platform == "win32":
        raise NotImplementedError("no process is forked here: ask can_fork before")
    ours, theirs = multiprocessing.Pipe(duplex=False)
    # The system's usual way to start a process may be another one.
    process = multiprocessing.get_context("fork").Process(
        target=_work, args=(work, theirs), daemon=True
    )

    def answer(patience_s: float) -> Any:
        assert ours.poll(patience_s), (
            f"the child does not answer after {patience_s:.0f} s: it waits for a lock, a thread or "
            "a connection of its parent"
        )
        try:
            done, told = ours.recv()
        except EOFError:
            process.join(PATIENCE_S)
            raise AssertionError(f"the child ended with {process.exitcode}") from None
        assert done, f"the child failed: {told}"
        return told

    with warnings.catch_warnings():
        # Python 3.12 and others warn of a fork beside threads, which is what is tested here.
        warnings.filterwarnings("ignore", message=".*fork")
        process.start()
    try:
        theirs.close()
        yield answer
    finally:
        process.kill()
        process.join(PATIENCE_S)
        ours.close()


def _work(work: Callable[[], Any], pipe: Connection) -> NoReturn:
    try:
        told = (True, work())
    except BaseException as error:  # noqa: BLE001 - reported to the parent, who raises
        told = (False, f"{type(error).__name__}: {error}")
    with contextlib.suppress(Exception):
        pipe.send(told)
    # Nothing of the parent's is tidied up here: no test runner, no buffer, no thread.
    os._exit(0)
