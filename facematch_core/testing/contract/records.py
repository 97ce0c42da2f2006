"""R32, R49: what the vendor still has of a call is found again, or removed."""

from __future__ import annotations

import itertools
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, cast

import attrs

import facematch_core as fm
from facematch_core.backend import Backend
from facematch_core.base.deadline import Deadline
from facematch_core.http import HttpBackend, HttpReply, HttpRequest
from facematch_core.testing import bench as benches
from facematch_core.testing.bench import Bench, Outcome, Result, Send
from facematch_core.testing.simulator import BAD, GOOD, Situation

from ._frame import Rules, rule
from .answers import same
from .money import request_at


class RecordRules(Rules):
    """What the vendor still has of a call is found again, or removed."""

    @rule("R51")
    def test_r32_another_call_is_never_found(self, bench: Bench) -> None:
        """`reconcile` finds a call that was lost, by its ids, and never another one.

        Whoever does not find what was paid for pays again. And two visitors come in one second: the
        newest record, or the one with the same reference, may be the other one's.
        """
        backend, simulator = bench.backend, bench.simulator
        if type(backend).reconcile is Backend.reconcile:
            benches.does_not_apply(f"{backend.name} cannot look into its vendor's records.")
        if not simulator.keeps_records:
            benches.not_tested(f"{type(simulator).__name__} keeps no records to be looked into.")
        keeps, is_checked = fm.Retention.KEEP in bench.can.retention, False
        retention = fm.Retention.KEEP if keeps else fm.Retention.MINIMAL
        options: dict[str, Any] = {"caller_ref": "visitor 7", "retention": retention}
        for operation in bench.operations:
            answers: dict[Situation, Result] = {}
            for situation in (GOOD[operation], BAD[operation]):
                results = [bench.ask(operation, situation, **options).answer for _ in range(2)]
                answers[situation], waits = results[0], bench.waits
                calls = [(record_of(bench, operation, r), situation, r) for r in results]
                if keeps and all(backend.reconcilable(record) for record, *_ in calls):
                    is_checked |= _find_each(bench, "a kept call", calls)
            if waits:
                bench.need(Situation.NEVER_DONE)
                ends = (Situation.SPOOF, Situation.NO_FACE, Situation.UNKNOWN_STATUS)
                for end in (end for each, end in bench.cases(ends) if each is operation):
                    result = bench.ask(operation, end, **options).answer
                    # What is refused before there is a job is the end of none.
                    answers |= {end: result} if bench.waits else {}
            for how, calls in _lose_calls(bench, operation, answers, sum(waits), options):
                is_checked |= _find_each(bench, how, calls)
        if not is_checked:
            benches.not_tested(f"no lost call of {backend.name} is `reconcilable`.")

    @rule("R51")
    def test_r49_what_is_made_is_removed(self, bench: Bench) -> None:
        """What a call makes at the vendor is removed after it, which changes no result and no bill.

        A face that stays is a leak that nobody sees. Removed by a step of the call, it takes a paid
        answer with it when the vendor refuses to remove it.
        """
        if not isinstance(bench.backend, HttpBackend):
            benches.does_not_apply(f"{bench.backend.name} is no HttpBackend, and has no clean-ups.")
        removes = False
        for operation in bench.operations:
            good, bad, steps = GOOD[operation], BAD[operation], bench.steps(operation)
            first, second = (_trace(bench, operation, good) for _ in range(2))
            texts = [*map(_text, first.cleanups)]
            assert len(set(texts)) == len(texts), f"{operation}: removed twice: {first.cleanups}"
            stays = [w.text for w in first.outcome.answer.warnings if w.tag == "not_cleaned_up"]
            assert not stays, f"{operation}: the simulator refuses {first.cleanups}: {stays}"
            if not (made_at := [*_steps_that_make(bench, second, first)]):
                continue
            removes, limit_s = True, benches.DEADLINE_S + 2 * sum(bench.waits)
            ends: list[tuple[Situation, dict[str, Any]]] = [
                *((end, {}) for end in (bad, Situation.NO_FACE, Situation.UNREADABLE_200)),
                (Situation.NEVER_DONE, {"deadline_s": limit_s}),
                *((Situation.REJECTED, {"step": step + 1}) for step in range(1, steps)),
            ]
            for situation, options in ends:
                if situation not in bench.simulator.situations:
                    continue
                trace = _trace(bench, operation, situation, **options)
                count, error = len(trace.cleanups), trace.outcome.error
                where = f"{operation}, {situation.name} {options or ''}"
                if _may_be_sought(bench, error):
                    assert not count, f"{where}: what `reconcile` would look for is removed"
                    continue
                # Whether the last request made something, a refusal of it does not say.
                reached = len(trace.steps) + (situation is bad)
                due = sum(step < reached for step in made_at)
                early = "yield each as soon as there is something to remove: it is sent at the end"
                assert count >= due, f"{where}: {count} of {due} clean-ups are sent: {early}"
            for status in (401, 404, 500, None):
                trace = _trace(bench, operation, good, status or "nothing")
                result, how = trace.outcome.result, f"{operation}, a clean-up answered {status}"
                right = result is not None and _facts(result) == _facts(first.outcome.answer)
                assert right, f"{how}: the call gives {trace.outcome.summary}, or costs more"
                refused = any(status not in request.expects for request in trace.cleanups)
                tags = [warning.tag for warning in trace.outcome.answer.warnings]
                assert "not_cleaned_up" in tags or not refused, f"{how}: no warning says so"
        if not removes:
            benches.does_not_apply(f"{bench.backend.name} removes nothing at its vendor.")


def _may_be_sought(bench: Bench, error: fm.FaceMatchError | None) -> bool:
    """Whether a call that ended in an error may have been charged, and can be looked for."""
    is_open = isinstance(error, fm.VendorError) and error.billing.charged is not fm.Charged.NO
    call = error.call if is_open and isinstance(error, fm.VendorError) else None
    return call is not None and bench.backend.reconcilable(call)


#: A call that is in the vendor's records, in which situation it ends there, and what it answers.
_Searched = tuple[fm.CallRecord, Situation, Result]


def record_of(bench: Bench, operation: fm.Operation, result: Result) -> fm.CallRecord:
    """What one would look for to find the call that gave `result`, if it was kept."""
    return fm.CallRecord(
        id=str(result.ids.call),
        operation=operation,
        backend=bench.backend.name,
        started_at=result.created_at or datetime.now(UTC),
        kept=True,
        caller_ref=result.ids.caller,
        threshold=result.threshold,
        vendor_id=result.ids.vendor,
    )


def look(bench: Bench, record: fm.CallRecord) -> fm.Reconciliation | fm.VendorError:
    """What the backend says of a call, or its error; neither costs anything."""
    before, deadline = bench.simulator.charges, Deadline.after(benches.ENDS_S / 2, bench.clock)
    says: fm.Reconciliation | fm.VendorError
    try:
        says = benches.run_in_time(lambda: bench.backend.reconcile(record, deadline=deadline))
        same("the id of the call that `reconcile` was asked about", says.call.id, record.id)
    except fm.VendorError as error:
        same("the charge of an error of `reconcile`", error.billing.charged, fm.Charged.NO)
        says = error
    same("what the vendor charges for `reconcile`", bench.simulator.charges - before, 0)
    return says


def find(bench: Bench, record: fm.CallRecord) -> Result | None:
    answer = look(bench, record)
    return answer.result if isinstance(answer, fm.Reconciliation) else None


def _lose_calls(
    bench: Bench,
    operation: fm.Operation,
    answers: Mapping[Situation, Result],
    waits_s: float,
    options: Mapping[str, Any],
) -> Iterator[tuple[str, list[_Searched]]]:
    """Calls that were carried out and lost, and how; a job that is never done is NOT_YET found."""
    steps = bench.each_step(operation, Situation.LOST_ANSWER)
    paid_at = [step for step in steps if request_at(bench, operation, step).charges]
    is_polled = not request_at(bench, operation, bench.steps(operation)).charges
    losses: dict[Situation, tuple[bool, float, list[tuple[Situation, int | None]]]] = {
        Situation.NEVER_DONE: (waits_s > 0, 2 * waits_s, [(end, None) for end in answers]),
        Situation.LOST_ANSWER: (
            *(True, 2 * waits_s + benches.ENDS_S),
            [(GOOD[operation], step) for step in {*paid_at[:1], steps[-1]}],
        ),
        Situation.SLOW: (is_polled, waits_s, [(GOOD[operation], steps[-1])]),
    }
    for loss, (can_be, longest_s, ends) in losses.items():
        calls: list[_Searched] = []
        options = {**options, "deadline_s": benches.DEADLINE_S + longest_s}
        for end, step in ends if can_be and loss in bench.simulator.situations else ():
            pictures = bench.simulator.pictures_for(end)
            outcome = bench.ask(operation, loss, step=step, images=pictures, **options)
            error, is_job = outcome.error, loss is Situation.NEVER_DONE
            if not isinstance(error, fm.OutcomeUnknown) or not error.reconcilable:
                gives = (
                    f"{operation}: a job that is accepted and not finished gives {outcome.summary}"
                )
                assert not is_job, f"{gives}, which nobody could look for"
                continue
            # The error of a call that is never charged has no record of it.
            ids = attrs.evolve(answers[end].ids, call=error.ids.call, vendor=error.ids.vendor)
            answer = attrs.evolve(answers[end], ids=ids)
            record = error.call or record_of(bench, operation, answer)
            says = look(bench, record) if is_job else None
            waits = getattr(says, "outcome", None) is fm.Reconciled.NOT_YET
            job = f"{operation}: while the job with the `vendor_id` {record.vendor_id} goes on"
            assert waits or not is_job, f"{job}, `reconcile` {_words(says)}"
            calls.append((record, end, answers[end]))
        yield f"a call lost by {loss.name}", calls


def _find_each(bench: Bench, how: str, calls: Sequence[_Searched]) -> bool:
    replies: list[list[HttpReply]] = []

    def listen(_: HttpRequest, send: Send, __: bool) -> HttpReply:
        assert cast(Any, send).keywords["deadline"].left_s() <= benches.ENDS_S / 2, (
            "`reconcile` asks without the deadline that it is given"
        )
        replies[-1].append(send())
        return replies[-1][-1]

    for record, situation, answer in calls:
        bench.prepare(situation)
        for _ in range(20):
            replies.append([])
            with bench.line(listen):
                says = look(bench, record)
            if getattr(says, "outcome", None) is not fm.Reconciled.NOT_YET:
                break
            replies.pop()
        where = f"{record.operation}, {how}"
        result: Result | None = getattr(says, "result", None)
        assert result is not None, (
            f"{where}: it is in the vendor's records, and for its `vendor_id` {record.vendor_id} "
            f"`reconcile` {_words(says)}. A simulator without records sets `keeps_records` = False"
        )
        expected = {"ids.call": record.id, "ids.vendor": record.vendor_id or result.ids.vendor}
        actual = {"ids.call": result.ids.call, "ids.vendor": result.ids.vendor}
        for name, fact in {**expected, **_facts(answer)}.items():
            what = f"{where} that ends in {situation.name}: the {name} of what is found"
            same(what, {**actual, **_facts(result)}[name], fact)
        _judge_faults(bench, record, where)
        # What nobody sent, with its reference or with ids that begin or end alike.
        ids = (str(uuid.uuid4()), record.id[:-12] + "0" * 12, "0" * 8 + record.id[8:])
        others = [*itertools.product(ids, (None, f"{record.vendor_id}x"))]
        for call_id, vendor_id in others if record.kept else (*others, (record.id, others[1][1])):
            other = attrs.evolve(record, id=call_id, vendor_id=vendor_id)
            reply = look(bench, other) if bench.backend.reconcilable(other) else None
            stranger = getattr(reply, "result", None)
            assert stranger is None, f"found what nobody sent, with ids of another call: {other}"
            ends = record.kept or getattr(reply, "outcome", None) is not fm.Reconciled.NOT_YET
            unknown = f"{where}: for a `vendor_id` that its vendor does not know"
            assert ends, f"{unknown} `reconcile` {_words(reply)}"
    for (record, _, answer), swapped, answers in zip(
        calls, reversed(replies), replies, strict=True
    ):
        mixes = [swapped]
        # Its last answer alone, where that says whose it is.
        if isinstance(bench.backend, HttpBackend) and bench.backend.vendor_id(swapped[-1]):
            mixes.append([*answers[:-1], swapped[-1]])
        for again in map(itertools.cycle, mixes):
            with bench.line(lambda *_, again=again: next(again)):
                result = find(bench, record)
            right = result is None or result.decision is answer.decision
            assert right, f"{record.operation}, {how}: it is found in an answer about another one"
    return bool(calls)


def _judge_faults(bench: Bench, record: fm.CallRecord, where: str) -> None:
    """Assert that a look which meets a fault is no word about the call: another may find it."""
    for status in (401, 503) if isinstance(bench.backend, HttpBackend) else ():

        def answer(_: HttpRequest, send: Send, __: bool, status: int = status) -> HttpReply:
            return attrs.evolve(send(), status=status, body=b"{}")

        with bench.line(answer):
            says = look(bench, record)
        is_open = getattr(says, "outcome", None) in (None, fm.Reconciled.NOT_YET)
        assert is_open, f"{where}: a look that is answered {status} {_words(says)}"


def _facts(result: Result) -> dict[str, object]:
    score, billing = result.score, result.billing
    return {
        "decision": result.decision,
        "score": score and (score.value, score.scale),
        "bill": (billing.charged, billing.charges),
    }


def _words(says: object) -> str:
    kind = getattr(says, "outcome", type(says).__name__)
    return f"gives {kind} ({getattr(says, 'reason', says)})"


class _Trace(NamedTuple):
    """A call: its outcome, what each step sent and got, and what cleaned up after it."""

    outcome: Outcome
    steps: list[str]
    cleanups: list[HttpRequest]


def _trace(
    bench: Bench,
    operation: fm.Operation,
    situation: Situation,
    answer_cleanup: int | str = "",
    **options: Any,
) -> _Trace:
    steps, cleanups, unmarked = list[str](), list[HttpRequest](), list[HttpRequest]()

    def exchange(request: HttpRequest, send: Send, is_step: bool) -> HttpReply:
        if request.is_cleanup:
            cleanups.append(request)
            if isinstance(answer_cleanup, int):
                return HttpReply(status=answer_cleanup)
            if answer_cleanup:
                raise fm.OutcomeUnknown("The answer is lost.")
        elif request.method == "DELETE":
            unmarked.append(request)
        reply = send()
        if is_step:
            steps.append(f"{_text(request)} {dict(reply.headers)} {reply.body!r}")
        return reply

    with bench.line(exchange):
        outcome = bench.ask(operation, situation, **options)
    where = f"{operation}, {situation.name}"
    assert not unmarked, f"{where}: {unmarked} is a step of the call: mark it `is_cleanup=True`"
    return _Trace(outcome, steps, cleanups)


def _steps_that_make(bench: Bench, first: _Trace, second: _Trace) -> Iterator[int]:
    """By which step, from 1, what each clean-up removes has a name and may hold a face."""
    picture = bench.fit(bench.simulator.pictures_for(Situation.SAME_PERSON))[0]
    steps = [*enumerate(first.steps, 1)]
    # A face is there once as much as a picture was sent; a name is what two calls do not share.
    sent_at = next((at for at, text in steps if len(text) > len(picture.data)), 1)
    for request, another in zip(first.cleanups, second.cleanups, strict=False):
        names = _names(_text(request)) - _names(_text(another))
        made_at = [at for at, text in steps if names & _names(text)]
        assert made_at or not names, f"{request} is nothing that this call has made: {names}"
        yield max(sent_at, made_at[0] if made_at else len(steps))


def _names(text: str) -> set[str]:
    # A shorter one may be in a picture by chance.
    return set(re.findall(r"[\w.-]{4,}", text))


def _text(request: HttpRequest) -> str:
    return f"{request.method} {request.url} {request.params} {request.encoded().body!r}"
