import asyncio
import contextlib
import multiprocessing
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import anyio
import pytest
from kit.fakes import PROBE, REFERENCE, FakeBackend, FakeOptions, Hold, child_says_yes
from kit.marks import forks_beside_threads, needs_fork

import facematch_core as fm
from facematch_core.backend import ImageFormat, ImageLimits
from facematch_core.base import background
from facematch_core.call_log import NotAsked, Side, read_call_log
from facematch_core.resilience import Budget
from facematch_core.testing import ManualClock
from facematch_core.verifier import shadow as shadows

CANARY = "customer-canary-4c1d"


@pytest.fixture
def log(address):
    with fm.CallLog(address, key="k") as call_log:
        yield call_log


@pytest.fixture
def open_shadow(log, at_end):
    """Opens a shadow of two backends, which draws all calls.

    `trial` holds arguments of the candidate's verifier.
    """

    def open_with(answering=None, candidate=None, *, verifier=None, trial=(), **options):
        verifier = verifier or fm.FaceVerifier(answering or FakeBackend())
        tried = fm.FaceVerifier(candidate or FakeBackend(score=20), **dict(trial))
        options = {"fraction": 1, "log": log, **options}
        return at_end.enter_context(fm.Shadow(verifier, tried, **options))

    return open_with


def wait_until(condition):
    until_s = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until_s
        time.sleep(0.005)


def shadow_rows(log):
    return [row for row in log.rows() if row.side is Side.SHADOW]


def answered_rows(log):
    return [row for row in log.rows() if row.side is Side.ANSWERED]


# What is asked, and of whom


def test_caller_gets_the_first_answer_and_the_log_has_both(open_shadow, log):
    verifier = open_shadow(FakeBackend(score=80), FakeBackend(score=20))
    result = verifier.verify(PROBE, REFERENCE, caller_ref=CANARY)
    assert (result.is_match, result.score.value, result.route) == (True, 80, None)
    assert verifier.wait(30)
    (answered,) = answered_rows(log)
    (shadow,) = shadow_rows(log)
    assert answered.call_id == shadow.call_id == result.ids.call
    assert shadow.own_call_id not in (None, result.ids.call)
    assert (answered.decision, shadow.decision) == ("match", "no_match")
    assert answered.person == shadow.person == log.digest(CANARY)
    assert (shadow.charged, shadow.not_asked) == (fm.Charged.YES, None)
    assert verifier.counts == {"answered": 1}


def test_candidate_gets_the_pictures_and_nothing_else_of_the_call(open_shadow):
    candidate = FakeBackend()
    verifier = open_shadow(candidate=candidate)
    verifier.verify(
        PROBE,
        REFERENCE,
        threshold=79,
        retention=fm.Retention.KEEP,
        caller_ref=CANARY,
        metadata={"name": CANARY},
        options=FakeOptions(),
    )
    verifier.check_liveness(PROBE)
    assert verifier.wait(30)
    liveness, match = sorted(candidate.calls, key=lambda request: hasattr(request, "reference"))
    assert (match.probe, match.reference, liveness.probe) == (PROBE, REFERENCE, PROBE)
    assert match.retention is fm.Retention.MINIMAL
    assert (match.caller_ref, match.metadata, match.options) == (None, None, None)
    assert match.threshold.value == 50  # its own


def test_candidate_gets_the_original_picture_not_what_fits_the_first(open_shadow):
    narrow = FakeBackend(image_limits=ImageLimits(formats={ImageFormat.PNG}))
    candidate = FakeBackend()
    verifier = open_shadow(narrow, candidate)
    verifier.verify_live(PROBE, REFERENCE)
    assert verifier.wait(30)
    assert {request.probe.format for request in narrow.calls} == {ImageFormat.PNG}
    assert [request.probe for request in candidate.calls] == [PROBE] * 2


def test_fraction_is_drawn_by_call(open_shadow):
    verifier = open_shadow(fraction=0.2)
    random_state = random.getstate()
    for _ in range(500):
        verifier.verify(PROBE, REFERENCE)
    assert verifier.wait(30)
    assert 50 < sum(verifier.counts.values()) < 150
    assert random.getstate() == random_state  # as if there were no candidate
    silent = open_shadow(fraction=0)
    silent.verify(PROBE, REFERENCE)
    assert silent.counts == {}


def test_shadow_of_a_share_and_of_a_failover(open_shadow, log):
    members = {name: fm.FaceVerifier(FakeBackend()) for name in "ab"}
    of_share = open_shadow(verifier=fm.Share(members, {"a": 100, "b": 0}))
    of_share.verify(PROBE, REFERENCE, caller_ref="x")
    failover = fm.Failover({"c": fm.FaceVerifier(FakeBackend())}, deadline_s=9)
    of_failover = open_shadow(verifier=failover)
    assert of_failover.verify(PROBE, REFERENCE).route.answered_by == "c"
    assert of_failover.deadline_s == 9
    assert of_share.wait(30)
    assert of_failover.wait(30)
    assert [row.system for row in answered_rows(log)] == ["a", "c"]
    assert [row.system for row in shadow_rows(log)] == ["fake", "fake"]


@pytest.mark.parametrize(
    ("asks_if", "is_asked"),
    [
        pytest.param(lambda call: call.caller_ref != CANARY, False, id="caller_ref"),
        pytest.param(
            lambda call: (
                call.metadata["agreed"]
                and call.share_key == "person"
                and call.result.is_match
                and call.operation is fm.Operation.MATCH
            ),
            True,
            id="each attribute",
        ),
        pytest.param(lambda _call: 1, False, id="no bool"),
        pytest.param(lambda call: call.nothing, False, id="raises"),
    ],
)
def test_asks_if_decides_whether_the_candidate_sees_the_pictures(
    open_shadow, log, asks_if, is_asked
):
    candidate = FakeBackend()
    verifier = open_shadow(candidate=candidate, asks_if=asks_if)
    options = {"caller_ref": CANARY, "share_key": "person", "metadata": {"agreed": True}}
    assert verifier.verify(PROBE, REFERENCE, **options).is_match
    assert verifier.wait(30)
    assert len(candidate.calls) == is_asked
    (row,) = shadow_rows(log)
    assert row.not_asked is (None if is_asked else NotAsked.NOT_ALLOWED)
    assert row.person == log.digest("person")


# What the caller never sees


def raises(error_class):
    """A step that raises an error of its own each time."""

    def step(_request):
        raise error_class("x")

    return step


#: None is an answer.
ANSWERING_STEPS = [None] * 8 + [
    raises(fm.VendorUnavailable),
    raises(fm.OutcomeUnknown),
    raises(fm.RateLimited),
]
CANDIDATE_STEPS = [
    None,
    None,
    raises(fm.VendorUnavailable),
    raises(fm.OutcomeUnknown),
    raises(fm.RateLimited),
    raises(fm.AuthenticationFailed),
    raises(fm.UnexpectedResponse),
    raises(RuntimeError),
    lambda _request: time.sleep(0.001),
    lambda _request: "no result",
]


def run_mixed_calls(verifier, count, budget):
    """Return how calls of all kinds ended, and what they cost."""
    ends = []
    for number in range(count):
        try:
            if number % 3:
                result = verifier.verify(PROBE, REFERENCE, threshold=79 + number % 3)
            else:
                result = verifier.check_liveness(PROBE)
            ends.append((result.decision, result.score, result.billing, result.warnings))
        except fm.FaceMatchError as error:
            billing = getattr(error, "billing", None)
            ends.append((type(error), error.message, billing))
    return ends, [(state.spent, state.unknown) for state in budget.store.budgets()]


def answering_verifier(count):
    """Return a verifier that ends so many calls in the same way each time, and its budget."""
    budget = Budget(int(count * 0.9), name="first")
    script = random.Random(1).choices(ANSWERING_STEPS, k=count)
    return fm.FaceVerifier(FakeBackend(script=script), policies=[budget]), budget


@pytest.mark.parametrize("count", [300, pytest.param(10_000, marks=pytest.mark.long)])
def test_answers_errors_and_charges_are_the_same_with_and_without_a_shadow(open_shadow, log, count):
    alone, budget = answering_verifier(count)
    expected = run_mixed_calls(alone, count, budget)
    shadowed, budget = answering_verifier(count)
    trial = Budget(count // 4, name="trial")
    candidate = FakeBackend(score=20, script=random.Random(2).choices(CANDIDATE_STEPS, k=count))
    verifier = open_shadow(candidate=candidate, verifier=shadowed, trial={"policies": [trial]})
    assert run_mixed_calls(verifier, count, budget) == expected
    assert verifier.wait(60)
    (state,) = trial.store.budgets()
    assert 0 < state.spent + state.unknown <= count // 4
    answers = {row.call_id for row in answered_rows(log) if row.error is None}
    assert {row.call_id for row in shadow_rows(log)} == answers
    assert sum(verifier.counts.values()) == len(answers)


def test_no_shadow_of_a_call_without_an_answer(open_shadow, log):
    candidate = FakeBackend()
    verifier = open_shadow(FakeBackend(script=[fm.OutcomeUnknown("lost")]), candidate)
    with pytest.raises(fm.OutcomeUnknown):
        verifier.verify(PROBE, REFERENCE)
    with pytest.raises(fm.InvalidRequest):
        verifier.verify(PROBE, REFERENCE, threshold="50")
    assert verifier.wait(30)
    assert candidate.calls == []
    assert shadow_rows(log) == []


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_errors_of_the_candidate_are_counted_by_whether_it_was_asked(open_shadow, log):
    candidate = FakeBackend(script=[fm.OutcomeUnknown("lost"), SystemExit(3), None])
    policies = [Budget(3, name="trial")]
    verifier = open_shadow(candidate=candidate, trial={"policies": policies}, most_at_once=1)
    for _ in range(4):
        verifier.verify(PROBE, REFERENCE)
    assert verifier.wait(30)
    assert verifier.counts == {"failed": 2, "answered": 1, "refused": 1}
    assert [(row.error, row.charged) for row in shadow_rows(log)] == [
        ("OutcomeUnknown", "unknown"),
        ("SystemExit", "unknown"),
        (None, "yes"),
        ("BudgetExceeded", "no"),
    ]


# Bounds


def test_full_queue_drops_and_counts_without_a_wait(open_shadow, log):
    hold = Hold()
    count = shadows.MOST_WAITING_CALLS + 20
    verifier = open_shadow(candidate=FakeBackend(script=[hold] * count), most_at_once=2)
    for _ in range(2):
        verifier.verify(PROBE, REFERENCE)
    hold.wait_for(2)
    for _ in range(count - 2):
        assert verifier.verify(PROBE, REFERENCE).is_match
    assert verifier.counts == {"queue_full": 18}
    hold.go_on.set()
    assert verifier.wait(30)
    assert verifier.counts == {"queue_full": 18, "answered": count - 18}
    reasons = [row.not_asked for row in shadow_rows(log)]
    assert reasons.count(NotAsked.QUEUE_FULL) == 18


def test_pictures_in_memory_are_bounded_in_bytes(open_shadow, monkeypatch):
    monkeypatch.setattr(
        shadows, "MOST_WAITING_BYTES", 3 * (PROBE.size_bytes + REFERENCE.size_bytes)
    )
    hold = Hold()
    verifier = open_shadow(candidate=FakeBackend(script=[hold] * 9), most_at_once=1)
    verifier.verify(PROBE, REFERENCE)
    hold.wait_for()
    for _ in range(5):
        verifier.verify(PROBE, REFERENCE)
    assert verifier.counts == {"queue_full": 2}
    hold.go_on.set()


def test_a_call_whose_turn_comes_after_the_candidates_deadline_is_dropped(open_shadow, log):
    clock = ManualClock()
    hold = Hold()
    candidate = FakeBackend(script=[hold])
    trial = {"deadline_s": 5, "clock": clock}
    verifier = open_shadow(candidate=candidate, most_at_once=1, trial=trial)
    verifier.verify(PROBE, REFERENCE)
    hold.wait_for()
    verifier.verify(PROBE, REFERENCE)
    clock.advance(6)
    hold.go_on.set()
    assert verifier.wait(30)
    assert len(candidate.calls) == 1
    assert verifier.counts["late"] == 1


def test_closing_waits_a_bounded_time_and_drops_the_rest(open_shadow, log, monkeypatch):
    monkeypatch.setattr(shadows, "CLOSE_TIMEOUT_S", 0.05)
    hold = Hold()
    answering = FakeBackend()
    candidate = FakeBackend(script=[hold])
    verifier = open_shadow(answering, candidate, most_at_once=1)
    for _ in range(3):
        verifier.verify(PROBE, REFERENCE)
    hold.wait_for()
    verifier.close()
    assert (answering.closed, candidate.closed) == (1, 1)
    assert verifier.counts == {"closed": 2}
    hold.go_on.set()
    with pytest.raises(fm.ConfigurationError):
        verifier.verify(PROBE, REFERENCE)
    verifier.close()
    reasons = [row.not_asked for row in shadow_rows(log)]
    assert reasons.count(NotAsked.CLOSED) == 2
    assert verifier.wait(30)
    assert verifier.counts == {"closed": 2, "answered": 1}  # in time before the process ends


def test_calls_that_a_close_overtakes_count_as_closed(open_shadow, log, monkeypatch):
    monkeypatch.setattr(shadows, "CLOSE_TIMEOUT_S", 0.05)
    answering = Hold()
    asking = Hold()

    def hold_late_call(call):
        if call.caller_ref == "late":
            asking()
        return True

    answering_backend = FakeBackend(script=[None, answering])
    candidate = FakeBackend()
    verifier = open_shadow(answering_backend, candidate, asks_if=hold_late_call)
    overtaken = threading.Thread(target=verifier.verify, args=(PROBE, REFERENCE))
    late = threading.Thread(
        target=verifier.verify, args=(PROBE, REFERENCE), kwargs={"caller_ref": "late"}
    )
    late.start()
    asking.wait_for()  # the call is answered and drawn, and the candidate not asked yet
    overtaken.start()
    answering.wait_for()
    verifier.close()
    asking.go_on.set()
    answering.go_on.set()
    for thread in (late, overtaken):
        thread.join(30)
    assert verifier.wait(30)
    assert verifier.counts == {"closed": 2}
    assert candidate.calls == []
    assert [row.not_asked for row in shadow_rows(log)] == [NotAsked.CLOSED] * 2


def test_a_waiting_caller_does_not_delay_the_next_call(open_shadow, monkeypatch):
    monkeypatch.setattr(background, "_IDLE_S", 60)
    slow = Hold()
    quick = Hold()
    next_call = Hold()
    verifier = open_shadow(candidate=FakeBackend(script=[slow, quick, next_call]), most_at_once=2)
    for _ in range(2):
        verifier.verify(PROBE, REFERENCE)
    slow.wait_for()
    quick.wait_for()
    quick.go_on.set()
    sleeping = verifier.runner.queue._line().changed._waiters  # noqa: SLF001 - which threads wait
    while len(sleeping) < 1:
        time.sleep(0.01)  # until one of the two threads is idle
    waiting = threading.Thread(target=verifier.wait, args=(30,))
    waiting.start()
    while len(sleeping) < 2:
        time.sleep(0.01)
    next_call.go_on.set()
    # `wait` now stands before the idle thread: a single notification would wake only `wait`.
    verifier.verify(PROBE, REFERENCE)
    # While the slow call has not ended, and before an idle thread looks again by itself.
    is_asked = next_call.entered.acquire(timeout=25)
    slow.go_on.set()
    waiting.join()
    assert is_asked


def test_closing_waits_for_calls_under_way_and_not_for_those_that_wait(open_shadow, log):
    asked = threading.Event()

    def answer_after_the_others_are_dropped(_request):
        asked.set()
        wait_until(lambda: verifier.counts.get("closed") == 3)

    candidate = FakeBackend(script=[answer_after_the_others_are_dropped])
    verifier = open_shadow(candidate=candidate, most_at_once=1)
    for _ in range(4):
        verifier.verify(PROBE, REFERENCE)
    assert asked.wait(30)
    verifier.close()
    assert verifier.counts == {"answered": 1, "closed": 3}
    assert [row.charged.value for row in shadow_rows(log)] == ["yes", "no", "no", "no"]


def test_one_call_of_twenty_is_drawn_and_four_are_made_at_once_by_default(
    log, open_shadow, monkeypatch
):
    monkeypatch.setattr(shadows, "CLOSE_TIMEOUT_S", 0.05)
    hold = Hold()
    drawn_by_default = fm.Shadow(face_verifier(), face_verifier(), log=log).runner.fraction
    verifier = open_shadow(candidate=FakeBackend(script=[hold] * 12))
    for _ in range(12):
        verifier.verify(PROBE, REFERENCE)
    hold.wait_for(4)
    verifier.close()
    assert (drawn_by_default, verifier.counts) == (0.05, {"closed": 8})
    hold.go_on.set()


# The row of a call under way


@pytest.mark.parametrize(
    ("billed_operations", "charged"),
    [({fm.Operation.MATCH}, fm.Charged.UNKNOWN), (frozenset(), fm.Charged.NO)],
    ids=["paid", "free"],
)
def test_a_row_is_written_before_the_candidate_is_asked_and_completed_after(
    open_shadow, log, address, billed_operations, charged
):
    rows_while_asked = []

    def look_into_the_log(_request):
        rows_while_asked.extend(read_call_log(address))

    candidate = FakeBackend(script=[look_into_the_log], billed_operations=billed_operations)
    verifier = open_shadow(candidate=candidate)
    call_id = verifier.verify(PROBE, REFERENCE, caller_ref=CANARY).ids.call
    assert verifier.wait(30)
    (begun,) = [row for row in rows_while_asked if row.side is Side.SHADOW]
    assert (begun.call_id, begun.system, begun.person) == (call_id, "fake", log.digest(CANARY))
    assert (begun.error, begun.charged) == ("Unfinished", charged)
    assert (begun.charges, begun.decision, begun.own_call_id) == (None, None, None)
    (completed,) = shadow_rows(log)
    assert (completed.error, completed.decision) == (None, "match")
    assert completed.own_call_id is not None


def test_nobody_is_asked_while_the_log_cannot_be_written(
    open_shadow, log, address, clock, monkeypatch
):
    candidate = FakeBackend()
    # The clock stands still: only what waits for the log takes time.
    verifier = open_shadow(candidate=candidate, trial={"clock": clock})
    with contextlib.closing(sqlite3.connect(address.removeprefix("sqlite:///"))) as locked:
        locked.execute("BEGIN EXCLUSIVE")
        with monkeypatch.context() as patched:
            patched.setattr(shadows, "_DEADLINE_S", 0.2)
            assert verifier.verify(PROBE, REFERENCE).is_match
        assert verifier.wait(30)
    assert (candidate.calls, verifier.counts) == ([], {"not_logged": 1})
    (row,) = shadow_rows(log)
    assert (row.not_asked, row.error, row.charged) == (
        NotAsked.NOT_LOGGED,
        None,
        fm.Charged.NO,
    )
    verifier.verify(PROBE, REFERENCE)
    assert verifier.wait(30)
    assert verifier.counts == {"not_logged": 1, "answered": 1}


def test_nobody_is_asked_if_the_log_refuses_the_row(open_shadow, log, address):
    with contextlib.closing(sqlite3.connect(address.removeprefix("sqlite:///"))) as database:
        database.execute("DROP TABLE facematch_calls")
    candidate = FakeBackend()
    verifier = open_shadow(candidate=candidate)
    assert verifier.verify(PROBE, REFERENCE).is_match
    assert verifier.wait(30)
    assert (candidate.calls, verifier.counts) == ([], {"not_logged": 1})
    assert log.flush(30)
    assert log.lost_rows == 3  # the answer, the call that was to begin, and why it did not


# Processes, async, privacy


@needs_fork
@forks_beside_threads
def test_a_forked_child_asks_about_its_own_calls_only(open_shadow):
    hold = Hold()
    candidate = FakeBackend(script=[None, hold])
    verifier = open_shadow(candidate=candidate, most_at_once=1)
    verifier.verify(PROBE, REFERENCE)
    assert verifier.wait(30)
    for _ in range(3):
        verifier.verify(PROBE, REFERENCE)
    hold.wait_for()

    def child():
        asked_before = len(candidate.calls)
        is_empty = verifier.wait(0)
        verifier.verify(PROBE, REFERENCE)
        is_asked = verifier.wait(60) and len(candidate.calls) == asked_before + 1
        return is_empty and is_asked and verifier.counts == {"answered": 1}

    assert child_says_yes(child)
    hold.go_on.set()
    assert verifier.wait(30)
    assert verifier.counts == {"answered": 4}


def _call_until_killed(address, folder, pipe):
    # `facematch mock`, which other tests run in this process, leaves a handler of its own.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    store = fm.SqlStore(address)
    hold = Hold()
    verifier = fm.Shadow(
        fm.FaceVerifier(FakeBackend(), policies=[Budget(99, name="first", store=store)]),
        fm.FaceVerifier(
            FakeBackend(script=[hold] * 9), policies=[Budget(3, name="trial", store=store)]
        ),
        log=fm.CallLog(address, key="k"),
        fraction=1,
        most_at_once=3,
    )
    for _ in range(7):
        verifier.verify(PROBE, REFERENCE)
    hold.wait_for(3)
    pipe.send("the candidate is being asked")
    pipe.recv()


@needs_fork
@forks_beside_threads
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_process_loses_nothing_of_the_first(address, tmp_path, number):
    ours, theirs = multiprocessing.Pipe()
    fork = multiprocessing.get_context("fork")
    child = fork.Process(target=_call_until_killed, args=(address, tmp_path, theirs))
    child.start()
    assert ours.poll(60)
    os.kill(child.pid, number)
    child.join(240)
    with contextlib.closing(fm.SqlStore(address)) as store:
        sums = {state.key.name: state for state in store.budgets()}
    assert (sums["first"].spent, sums["first"].reserved) == (7, 0)
    assert sums["trial"].used <= 3
    begun = [call for call in read_call_log(address) if call.error == "Unfinished"]
    assert [(call.side, call.charged) for call in begun] == [
        (Side.SHADOW, fm.Charged.UNKNOWN)
    ] * int(sums["trial"].used)
    for file in tmp_path.iterdir():
        assert PROBE.data[:40] not in file.read_bytes()


def _leave_calls(address):
    """Leave one call under way, which is answered when the two that wait have been dropped."""
    asked = threading.Event()

    def answer_late(_request):
        asked.set()
        wait_until(lambda: verifier.counts.get("closed") == 2)

    verifier = fm.Shadow(
        fm.FaceVerifier(FakeBackend()),
        fm.FaceVerifier(FakeBackend(script=[answer_late])),
        log=fm.CallLog(address, key="k"),
        fraction=1,
        most_at_once=1,
    )
    for _ in range(3):
        verifier.verify(PROBE, REFERENCE)
    assert asked.wait(30)


def _ends(address):
    shadow_calls = [call for call in read_call_log(address) if call.side is Side.SHADOW]
    return Counter((call.not_asked, call.error, call.charged.value) for call in shadow_calls)


#: How the calls of `_leave_calls` end.
LEFT_ENDS = {(None, None, "yes"): 1, (NotAsked.CLOSED, None, "no"): 2}


@pytest.mark.slow
def test_the_end_of_the_process_waits_for_calls_under_way_and_drops_the_others(address):
    program = (
        f"import sys; sys.path.append({str(Path(__file__).parent)!r}); import test_shadow; "
        f"test_shadow._leave_calls({address!r})"
    )
    folder = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", program], cwd=folder, check=True, timeout=240)
    assert _ends(address) == LEFT_ENDS


@needs_fork
@forks_beside_threads
def test_the_end_of_a_child_waits_for_calls_under_way_and_drops_the_others(address):
    fork = multiprocessing.get_context("fork")
    child = fork.Process(target=_leave_calls, args=(address,))
    child.start()
    child.join(240)
    assert _ends(address) == LEFT_ENDS


def test_async_calls_are_shadowed_and_cancelled_ones_are_not(open_shadow):
    hold = Hold()
    candidate = FakeBackend()
    verifier = open_shadow(FakeBackend(script=[None, hold]), candidate)

    async def run():
        async with fm.AsyncFaceVerifier(verifier) as asynchronous:
            assert (await asynchronous.verify(PROBE, REFERENCE)).is_match
            # `close` drops a call that waits.
            assert await anyio.to_thread.run_sync(verifier.wait, 30)
            task = asyncio.ensure_future(asynchronous.verify(PROBE, REFERENCE))
            await anyio.to_thread.run_sync(hold.wait_for)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            hold.go_on.set()

    asyncio.run(run())
    assert len(candidate.calls) == 1
    assert verifier.counts == {"answered": 1}


def test_waiting_pictures_are_in_no_repr_and_freed_after_the_call(open_shadow):
    hold = Hold()
    candidate = FakeBackend(script=[hold])
    verifier = open_shadow(candidate=candidate, most_at_once=1)
    verifier.verify(PROBE, REFERENCE, caller_ref=CANARY)
    hold.wait_for()
    verifier.verify(PROBE, REFERENCE, caller_ref=CANARY)
    texts = repr(verifier) + str(vars(verifier)) + repr(verifier.runner)
    assert CANARY not in texts
    assert PROBE.digest[:8] not in texts
    hold.go_on.set()


# Arguments


def test_reconcile_asks_the_verifier_that_answered(open_shadow):
    verifier = open_shadow()
    with pytest.raises(fm.InvalidRequest):
        verifier.reconcile("x")


def face_verifier(**options):
    return fm.FaceVerifier(FakeBackend(), **options)


def test_invalid_verifiers_are_refused(log):
    verifier = face_verifier()
    for answering, candidate in (
        (FakeBackend(), verifier),
        (verifier, fm.Failover([face_verifier()])),
        (verifier, verifier),
        (face_verifier(log=log), verifier),
        (verifier, face_verifier(log=log)),
    ):
        with pytest.raises(fm.ConfigurationError):
            fm.Shadow(answering, candidate, log=log, fraction=1)


INVALID_OPTIONS = {
    "log": (None, "sqlite:///x"),
    "fraction": (5, -0.1, "0.1", True),
    "asks_if": (True,),
    "most_at_once": (0, 257, 2.0, True),
}


@pytest.mark.parametrize("name", INVALID_OPTIONS)
def test_invalid_option_is_refused(log, name):
    for value in INVALID_OPTIONS[name]:
        options = {"log": log, "fraction": 1, name: value}
        with pytest.raises(fm.ConfigurationError):
            fm.Shadow(face_verifier(), face_verifier(), **options)
