import asyncio
import contextlib
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import anyio
import pytest
from kit.fakes import FakeBackend, FakeOptions, child_says_yes, picture

import facematch_core as fm
from facematch_core.backend import ImageFormat, ImageLimits
from facematch_core.call_log import NotAsked, Side
from facematch_core.resilience import Budget
from facematch_core.testing import ManualClock
from facematch_core.verifier import shadow as shadows

A, B = picture(), picture((10, 20, 30))
CANARY = "customer-canary-4c1d"
forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that fork")


class Gate:
    """A candidate's step that waits until it is opened."""

    def __init__(self):
        self.entered = threading.Semaphore(0)
        self.opened = threading.Event()

    def __call__(self, _request):
        self.entered.release()
        assert self.opened.wait(30)

    def wait_for(self, calls):
        for _ in range(calls):
            assert self.entered.acquire(timeout=30)


@pytest.fixture
def log(address):
    with fm.CallLog(address, key="k") as opened:
        yield opened


@pytest.fixture
def opened(log, at_end):
    """Opens a shadow of two backends, which draws all calls."""

    def open_shadow(first=None, second=None, *, policies=(), clock=None, **options):
        candidate = fm.FaceVerifier(
            second or FakeBackend(score=20),
            policies=policies,
            clock=clock,
            deadline_s=options.pop("deadline_s", None),
        )
        verifier = options.pop("verifier", None) or fm.FaceVerifier(first or FakeBackend())
        return at_end.enter_context(
            fm.Shadow(verifier, candidate, log=log, **{"fraction": 1, **options})
        )

    return open_shadow


def sides(log):
    """The rows of each side."""
    rows = log.rows()
    return {side: [row for row in rows if row.side is side] for side in Side}


# What is asked, and of whom


def test_caller_gets_the_first_answer_and_the_log_has_both(opened, log):
    first, second = FakeBackend(score=80), FakeBackend(score=20)
    verifier = opened(first, second)
    result = verifier.verify(A, B, caller_ref=CANARY)
    assert (result.is_match, result.score.value, result.route) == (True, 80, None)
    assert verifier.wait(30)
    rows = sides(log)
    (answered,), (shadow,) = rows[Side.ANSWERED], rows[Side.SHADOW]
    assert answered.call_id == shadow.call_id == result.ids.call
    assert shadow.own_call_id not in (None, result.ids.call)
    assert (answered.decision, shadow.decision) == ("match", "no_match")
    assert answered.person == shadow.person == log.digest(CANARY)
    assert (shadow.charged, shadow.not_asked) == (fm.Charged.YES, None)
    assert verifier.counts == {"answered": 1}


def test_candidate_gets_the_pictures_and_nothing_else_of_the_call(opened):
    second = FakeBackend()
    verifier = opened(second=second)
    verifier.verify(
        A,
        B,
        threshold=79,
        retention=fm.Retention.KEEP,
        caller_ref=CANARY,
        metadata={"name": CANARY},
        options=FakeOptions(),
    )
    verifier.check_liveness(A)
    assert verifier.wait(30)
    match, liveness = sorted(second.calls, key=lambda request: hasattr(request, "reference"))[::-1]
    assert (match.probe, match.reference, liveness.probe) == (A, B, A)
    assert match.retention is fm.Retention.MINIMAL
    assert (match.caller_ref, match.metadata, match.options) == (None, None, None)
    assert match.threshold.value == 50  # its own


def test_each_half_of_verify_live_and_each_pair_is_a_call_of_its_own(opened):
    second = FakeBackend()
    verifier = opened(second=second)
    verifier.verify_live(A, B)
    list(verifier.verify_many([(A, B)] * 3))
    assert verifier.wait(30)
    assert verifier.counts == {"answered": 5}


def test_candidate_gets_the_original_picture_not_what_fits_the_first(opened):
    narrow = FakeBackend(image_limits=ImageLimits(formats={ImageFormat.PNG}))
    second = FakeBackend()
    verifier = opened(narrow, second)
    verifier.verify_live(A, B)
    assert verifier.wait(30)
    assert {request.probe.format for request in narrow.calls} == {ImageFormat.PNG}
    assert {request.probe for request in second.calls} == {A}


def test_fraction_is_drawn_by_call(opened):
    verifier = opened(fraction=0.2)
    random_state = random.getstate()
    for _ in range(500):
        verifier.verify(A, B)
    assert verifier.wait(30)
    assert 50 < sum(verifier.counts.values()) < 150
    assert random.getstate() == random_state  # as if there were no candidate
    silent = opened(fraction=0)
    silent.verify(A, B)
    assert silent.counts == {}


def test_shadow_of_a_share_and_of_a_failover(opened, log):
    members = {name: fm.FaceVerifier(FakeBackend()) for name in "ab"}
    verifier = opened(verifier=fm.Share(members, {"a": 100, "b": 0}))
    verifier.verify(A, B, caller_ref="x", threshold={"a": 10})
    failover = fm.Failover({"c": fm.FaceVerifier(FakeBackend())}, deadline_s=9)
    other = opened(verifier=failover)
    assert other.verify(A, B).route.answered_by == "c"
    assert other.deadline_s == 9
    assert verifier.wait(30)
    assert other.wait(30)
    systems = [(row.side.value, row.system) for row in log.rows()]
    assert sorted(systems) == [
        ("answered", "a"), ("answered", "c"), ("shadow", "fake"), ("shadow", "fake")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("says", "is_asked"),
    [
        (lambda call: call.metadata["agreed"], True),
        (lambda call: call.caller_ref != CANARY, False),
        (lambda call: call.share_key == "person", True),
        (lambda call: call.result.is_match and call.operation is fm.Operation.MATCH, True),
        (lambda _call: 1, False),
        (lambda call: call.nothing, False),
    ],
    ids=["metadata", "caller_ref", "share_key", "result", "no-bool", "raises"],
)
def test_asks_if_decides_whether_the_candidate_sees_the_pictures(opened, log, says, is_asked):
    second = FakeBackend()
    verifier = opened(second=second, asks_if=says)
    options = {"caller_ref": CANARY, "share_key": "person", "metadata": {"agreed": True}}
    assert verifier.verify(A, B, **options).is_match
    assert verifier.wait(30)
    assert len(second.calls) == is_asked
    (row,) = sides(log)[Side.SHADOW]
    assert row.not_asked is (None if is_asked else NotAsked.NOT_ALLOWED)
    assert row.person == log.digest("person")


# What the caller never sees


def raises(kind, message="x"):
    """A step that raises an error of its own each time."""

    def step(_request):
        raise kind(message)

    return step


#: What a candidate may do.
STEPS = [
    raises(fm.VendorUnavailable), raises(fm.OutcomeUnknown), raises(fm.RateLimited),
    raises(fm.AuthenticationFailed), raises(fm.UnexpectedResponse), raises(RuntimeError),
    lambda _request: time.sleep(0.001), lambda _request: "no result", None, None,
]  # fmt: skip
#: What the first may do.
FIRST_STEPS = [
    *(None,) * 8, raises(fm.VendorUnavailable), raises(fm.OutcomeUnknown), raises(fm.RateLimited),
]  # fmt: skip


def run_mixed_calls(verifier, count, budget):
    """Return how calls of all kinds ended, and what they cost."""
    ends = []
    for number in range(count):
        try:
            if number % 3:
                result = verifier.verify(A, B, threshold=79 + number % 3)
            else:
                result = verifier.check_liveness(A)
            ends.append((result.decision, result.score, result.billing, result.warnings))
        except fm.FaceMatchError as error:
            billing = getattr(error, "billing", None)
            ends.append((type(error), error.message, billing))
    return ends, [(state.spent, state.unknown) for state in budget.store.budgets()]


def first_of(seed, count):
    budget = Budget(int(count * 0.9), name="first")
    script = random.Random(seed).choices(FIRST_STEPS, k=count)
    return fm.FaceVerifier(FakeBackend(script=script), policies=[budget]), budget


@pytest.mark.parametrize("count", [600, pytest.param(10_000, marks=pytest.mark.long)])
def test_answers_errors_and_charges_are_the_same_with_and_without_a_shadow(opened, log, count):
    alone, budget = first_of(1, count)
    expected = run_mixed_calls(alone, count, budget)
    shadowed, budget = first_of(1, count)
    trial = Budget(count // 4, name="trial")
    second = FakeBackend(score=20, script=random.Random(2).choices(STEPS, k=count))
    verifier = opened(second=second, verifier=shadowed, policies=[trial])
    assert run_mixed_calls(verifier, count, budget) == expected
    assert verifier.wait(60)
    (state,) = trial.store.budgets()
    assert 0 < state.spent + state.unknown <= count // 4
    rows = sides(log)
    answers = [row for row in rows[Side.ANSWERED] if row.error is None]
    assert {row.call_id for row in rows[Side.SHADOW]} == {row.call_id for row in answers}
    assert sum(verifier.counts.values()) == len(answers)


def test_no_shadow_of_a_call_without_an_answer(opened, log):
    second = FakeBackend()
    verifier = opened(FakeBackend(script=[fm.OutcomeUnknown("lost")]), second)
    with pytest.raises(fm.OutcomeUnknown):
        verifier.verify(A, B)
    with pytest.raises(fm.InvalidRequest):
        verifier.verify(A, B, threshold="50")
    assert verifier.wait(30)
    assert second.calls == []
    assert sides(log)[Side.SHADOW] == []


def test_errors_of_the_candidate_are_counted_by_whether_it_was_asked(opened, log):
    second = FakeBackend(script=[fm.OutcomeUnknown("lost"), None])
    verifier = opened(second=second, policies=[Budget(2, name="trial")], most_at_once=1)
    for _ in range(3):
        verifier.verify(A, B)
    assert verifier.wait(30)
    assert verifier.counts == {"failed": 1, "answered": 1, "refused": 1}
    errors = Counter((row.error, row.charged.value) for row in sides(log)[Side.SHADOW])
    assert errors == {
        ("OutcomeUnknown", "unknown"): 1,
        (None, "yes"): 1,
        ("BudgetExceeded", "no"): 1,
    }


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_candidate_that_leaves_the_program_is_counted_and_the_next_calls_are_asked(opened, log):
    def leave(_request):
        raise SystemExit(3)

    verifier = opened(second=FakeBackend(script=[leave, None]), most_at_once=1)
    for _ in range(2):
        verifier.verify(A, B)
    assert verifier.wait(30)
    assert verifier.counts == {"answered": 1, "failed": 1}
    errors = {(row.error, row.charged.value) for row in sides(log)[Side.SHADOW]}
    assert errors == {("SystemExit", "unknown"), (None, "yes")}


# Bounds


def test_full_queue_drops_and_counts_without_a_wait(opened, log):
    gate = Gate()
    count = shadows.MOST_WAITING_CALLS + 20
    verifier = opened(second=FakeBackend(script=[gate] * count), most_at_once=2)
    for _ in range(2):
        verifier.verify(A, B)
    gate.wait_for(2)
    for _ in range(count - 2):
        assert verifier.verify(A, B).is_match
    assert verifier.counts == {"queue_full": 18}
    gate.opened.set()
    assert verifier.wait(30)
    assert verifier.counts == {"queue_full": 18, "answered": count - 18}
    dropped = [row for row in sides(log)[Side.SHADOW] if row.not_asked is NotAsked.QUEUE_FULL]
    assert len(dropped) == 18


def test_pictures_in_memory_are_bounded_in_bytes(opened, monkeypatch):
    monkeypatch.setattr(shadows, "MOST_WAITING_BYTES", 3 * (A.size_bytes + B.size_bytes))
    gate = Gate()
    verifier = opened(second=FakeBackend(script=[gate] * 9), most_at_once=1)
    verifier.verify(A, B)
    gate.wait_for(1)
    for _ in range(5):
        verifier.verify(A, B)
    assert verifier.counts == {"queue_full": 2}
    gate.opened.set()


def test_a_call_whose_turn_comes_after_the_candidates_deadline_is_dropped(opened, log):
    clock, gate = ManualClock(), Gate()
    second = FakeBackend(script=[gate])
    verifier = opened(second=second, most_at_once=1, deadline_s=5, clock=clock)
    verifier.verify(A, B)
    gate.wait_for(1)
    verifier.verify(A, B)
    clock.advance(6)
    gate.opened.set()
    assert verifier.wait(30)
    assert len(second.calls) == 1
    assert verifier.counts["late"] == 1


def test_closing_waits_a_bounded_time_and_drops_the_rest(log, monkeypatch):
    monkeypatch.setattr(shadows, "CLOSE_TIMEOUT_S", 0.05)
    gate = Gate()
    first, second = FakeBackend(), FakeBackend(script=[gate])
    verifier = fm.Shadow(
        fm.FaceVerifier(first), fm.FaceVerifier(second), log=log, fraction=1, most_at_once=1
    )
    for _ in range(3):
        verifier.verify(A, B)
    gate.wait_for(1)
    verifier.close()
    assert (first.closed, second.closed) == (1, 1)
    assert verifier.counts == {"closed": 2}
    gate.opened.set()
    with pytest.raises(fm.ConfigurationError):
        verifier.verify(A, B)
    verifier.close()
    reasons = [row.not_asked for row in sides(log)[Side.SHADOW]]
    assert reasons.count(NotAsked.CLOSED) == 2


def test_calls_that_a_close_overtakes_count_as_closed(log, monkeypatch):
    monkeypatch.setattr(shadows, "CLOSE_TIMEOUT_S", 0.05)
    answering, asking = Gate(), Gate()
    candidate = fm.FaceVerifier(FakeBackend())
    verifier = fm.Shadow(
        fm.FaceVerifier(FakeBackend(script=[None, answering])),
        candidate,
        log=log,
        fraction=1,
        asks_if=lambda call: call.caller_ref != "late" or bool(asking(call)) or True,
    )
    overtaken = threading.Thread(target=verifier.verify, args=(A, B))
    late = threading.Thread(target=verifier.verify, args=(A, B), kwargs={"caller_ref": "late"})
    late.start()
    asking.wait_for(1)  # the call is answered and drawn, and the candidate not asked yet
    overtaken.start()
    answering.wait_for(1)
    verifier.close()
    asking.opened.set()
    answering.opened.set()
    for thread in (late, overtaken):
        thread.join(30)
    assert verifier.wait(30)
    assert verifier.counts == {"closed": 2}
    assert candidate.backend.calls == []
    reasons = [row.not_asked for row in sides(log)[Side.SHADOW]]
    assert reasons == [NotAsked.CLOSED] * 2


def test_a_waiting_caller_does_not_delay_the_next_call(opened):
    slow, quick, next_call = Gate(), Gate(), Gate()
    verifier = opened(second=FakeBackend(script=[slow, quick, next_call]), most_at_once=2)
    for _ in range(2):
        verifier.verify(A, B)
    slow.wait_for(1)
    quick.wait_for(1)
    quick.opened.set()
    sleeping = verifier.runner.queue._line().changed._waiters  # noqa: SLF001 - which threads wait
    while len(sleeping) < 1:
        time.sleep(0.01)  # until one of the two threads is idle
    waiting = threading.Thread(target=verifier.wait, args=(30,))
    waiting.start()
    while len(sleeping) < 2:
        time.sleep(0.01)
    next_call.opened.set()
    verifier.verify(A, B)
    # While the slow call has not ended, and before an idle thread looks again by itself (10 s).
    is_asked = next_call.entered.acquire(timeout=5)
    slow.opened.set()
    waiting.join()
    assert is_asked


def test_closing_waits_for_drawn_calls(opened, log):
    second = FakeBackend(script=[lambda _request: time.sleep(0.02)] * 4)
    verifier = opened(second=second, most_at_once=1)
    for _ in range(4):
        verifier.verify(A, B)
    verifier.close()
    assert verifier.counts == {"answered": 4}
    assert len(sides(log)[Side.SHADOW]) == 4


# Processes, async, privacy


@forks
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_asks_about_its_own_calls_only(opened):
    gate = Gate()
    second = FakeBackend(script=[None, gate])
    verifier = opened(second=second, most_at_once=1)
    verifier.verify(A, B)
    assert verifier.wait(30)
    for _ in range(3):
        verifier.verify(A, B)
    gate.wait_for(1)

    def child():
        asked_before = len(second.calls)
        is_empty = verifier.wait(0)
        verifier.verify(A, B)
        is_asked = verifier.wait(15) and len(second.calls) == asked_before + 1
        return is_empty and is_asked and verifier.counts == {"answered": 1}

    assert child_says_yes(child)
    gate.opened.set()
    assert verifier.wait(30)
    assert verifier.counts == {"answered": 4}


def _call_until_killed(address, folder, pipe):
    store = fm.SqlStore(address)
    gate = Gate()
    verifier = fm.Shadow(
        fm.FaceVerifier(FakeBackend(), policies=[Budget(99, name="first", store=store)]),
        fm.FaceVerifier(
            FakeBackend(script=[gate] * 9), policies=[Budget(3, name="trial", store=store)]
        ),
        log=fm.CallLog(address, key="k"),
        fraction=1,
    )
    for _ in range(7):
        verifier.verify(A, B)
    gate.wait_for(3)
    pipe.send("the candidate is being asked")
    pipe.recv()


@forks
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_process_loses_nothing_of_the_first(address, tmp_path, number):
    ours, theirs = multiprocessing.Pipe()
    fork = multiprocessing.get_context("fork")
    child = fork.Process(target=_call_until_killed, args=(address, tmp_path, theirs))
    child.start()
    assert ours.poll(60)
    os.kill(child.pid, number)
    child.join(60)
    with contextlib.closing(fm.SqlStore(address)) as store:
        sums = {state.key.name: state for state in store.budgets()}
    assert (sums["first"].spent, sums["first"].reserved) == (7, 0)
    assert sums["trial"].used <= 3
    for file in tmp_path.iterdir():
        assert A.data[:40] not in file.read_bytes()


def _leave_calls_waiting(address):
    gate = Gate()
    verifier = fm.Shadow(
        fm.FaceVerifier(FakeBackend()),
        fm.FaceVerifier(FakeBackend(script=[gate])),
        log=fm.CallLog(address, key="k"),
        fraction=1,
        most_at_once=1,
    )
    for _ in range(3):
        verifier.verify(A, B)
    gate.wait_for(1)


def _not_asked(address):
    with contextlib.closing(fm.CallLog(address, key="k")) as log:
        return Counter(call.not_asked for call in log.rows() if call.side is Side.SHADOW)


def test_calls_that_wait_at_the_end_of_the_process_are_logged_as_dropped(address):
    program = (
        f"import sys; sys.path.append({str(Path(__file__).parent)!r}); import test_shadow; "
        f"test_shadow._leave_calls_waiting({address!r})"
    )
    folder = Path(__file__).parents[1]
    subprocess.run([sys.executable, "-c", program], cwd=folder, check=True, timeout=60)
    assert _not_asked(address)[NotAsked.CLOSED] == 2


@forks
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_calls_that_wait_at_the_end_of_a_child_are_logged_as_dropped(address):
    fork = multiprocessing.get_context("fork")
    child = fork.Process(target=_leave_calls_waiting, args=(address,))
    child.start()
    child.join(60)
    assert _not_asked(address)[NotAsked.CLOSED] == 2


def test_async_calls_are_shadowed_and_cancelled_ones_are_not(opened):
    gate = Gate()
    second = FakeBackend()
    verifier = opened(FakeBackend(script=[None, gate]), second)

    async def run():
        async with fm.AsyncFaceVerifier(verifier) as asynchronous:
            assert (await asynchronous.verify(A, B)).is_match
            task = asyncio.ensure_future(asynchronous.verify(A, B))
            await anyio.to_thread.run_sync(gate.wait_for, 1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            gate.opened.set()

    asyncio.run(run())
    assert len(second.calls) == 1
    assert verifier.counts == {"answered": 1}


def test_waiting_pictures_are_in_no_repr_and_freed_after_the_call(opened):
    gate = Gate()
    second = FakeBackend(script=[gate])
    verifier = opened(second=second, most_at_once=1)
    verifier.verify(A, B, caller_ref=CANARY)
    gate.wait_for(1)
    verifier.verify(A, B, caller_ref=CANARY)
    for shown in (repr(verifier), str(vars(verifier)), repr(verifier.runner)):
        assert CANARY not in shown
        assert A.digest[:8] not in shown
    gate.opened.set()


# Arguments


def test_reconcile_asks_the_verifier_that_answered(opened):
    verifier = opened()
    with pytest.raises(fm.InvalidRequest):
        verifier.reconcile("x")


def test_invalid_arguments_are_refused_at_construction(log):
    def face_verifier(**options):
        return fm.FaceVerifier(FakeBackend(), **options)

    first, second = face_verifier(), face_verifier()
    for arguments, options in [
        ((FakeBackend(), second), {}),
        ((first, FakeBackend()), {}),
        ((first, fm.Failover({"a": second})), {}),
        ((first, first), {}),
        ((first, second), {"log": None}),
        ((first, second), {"log": "sqlite:///x"}),
        ((face_verifier(log=log), second), {}),
        ((first, face_verifier(log=log)), {}),
        *(((first, second), {"fraction": wrong}) for wrong in (5, -0.1, "0.1", True, None)),
        ((first, second), {"asks_if": True}),
        *(((first, second), {"most_at_once": wrong}) for wrong in (0, 257, 2.0, True)),
    ]:
        with pytest.raises(fm.ConfigurationError):
            fm.Shadow(*arguments, **{"log": log, **options})
