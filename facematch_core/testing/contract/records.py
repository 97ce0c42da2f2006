"""R32, R49: what the vendor still has of a call is found again, or removed."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import cycle, product
from typing import Any, cast

import attrs

import facematch_core as fm
from facematch_core.backend import Backend
from facematch_core.base.deadline import Deadline
from facematch_core.http import HttpBackend, HttpReply, HttpRequest
from facematch_core.testing import bench as benches
from facematch_core.testing.bench import Bench, Outcome, Result, Send, same
from facematch_core.testing.simulator import BAD, GOOD, Situation

from ._frame import Rules, rule
from .money import request_at


class RecordRules(Rules):
    """Rules about the vendor's records: calls are found again, or removed."""

    @rule("R51")
    def test_r32_another_call_is_never_found(self, bench: Bench) -> None:
        """`reconcile` finds a call that was lost, by its ids, and never another one.

        A call that is paid and not found is paid again. And two visitors come in one second: the
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
            for how, calls in _lose_calls(bench, operation, answers, sum(waits), options):
                is_checked |= _find_each(bench, how, calls)
        if not is_checked:
            benches.not_tested(f"no lost call of {backend.name} is `reconcilable`.")

    @rule("R51")
    def test_r49_what_is_made_is_removed(self, bench: Bench) -> None:
        """Everything that a call makes at the vendor is removed after it, however the call ends.

        A face that stays is a leak that nobody sees.
        """
        if not isinstance(bench.backend, HttpBackend):
            benches.does_not_apply(f"{bench.backend.name} is no HttpBackend, and has no clean-ups.")
        removes = False
        for operation in bench.operations:
            (removed, _), (others, _) = (
                _cleanups(bench, operation, GOOD[operation]) for _ in range(2)
            )
            texts = [_text(request) for request in removed]
            assert len({*texts}) == len(texts), f"{operation}: removed twice: {removed}"
            shared = {*texts} & {_text(request) for request in others}
            assert not shared, f"{operation}: two calls remove the same: {shared}"
            removes |= bool(removed)
            for end in (BAD[operation], Situation.NO_FACE, Situation.UNREADABLE_200):
                if end in bench.simulator.situations and removed:
                    sent, error = _cleanups(bench, operation, end)
                    # A call that may still be looked for keeps its records.
                    is_sought = _may_be_sought(bench, error)
                    where = f"{operation}, {end.name}"
                    assert not (sent and is_sought), f"{where}: it removes what may be looked for"
                    assert sent or is_sought, (
                        f"{where}: nothing is removed. Yield each clean-up as soon as there is "
                        "something to remove: it is sent at the end"
                    )
        if not removes:
            benches.does_not_apply(f"{bench.backend.name} removes nothing at its vendor.")


#: A call that is in the vendor's records, in which situation it ends there, and what it answers.
_Searched = tuple[fm.CallRecord, Situation, Result]


def record_of(bench: Bench, operation: fm.Operation, result: Result) -> fm.CallRecord:
    """Return what one would look for to find the call that gave `result`, if it was kept."""
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
    """Return what the backend says of a call, or its error; neither costs anything."""
    before, deadline = bench.simulator.charges, Deadline.after(benches.ENDS_S / 2, bench.clock)
    says: fm.Reconciliation | fm.VendorError
    try:
        says = benches.run_in_time(lambda: bench.backend.reconcile(record, deadline=deadline))
        kind = type(says).__name__
        assert isinstance(says, fm.Reconciliation), f"`reconcile` returns {kind}"
        asked = getattr(says.call, "id", None)
        same("the id of the call that `reconcile` answers about", asked, record.id)
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
    """Yield calls that were carried out and lost, and how; a job that goes on is NOT_YET found."""
    steps = bench.each_step(operation, Situation.LOST_ANSWER)
    paid_at = [step for step in steps if request_at(bench, operation, step).charges]
    losses: dict[Situation, tuple[bool, list[tuple[Situation, int | None]]]] = {
        Situation.NEVER_DONE: (waits_s > 0, [(end, None) for end in answers]),
        Situation.LOST_ANSWER: (
            True,
            [(GOOD[operation], step) for step in {*paid_at[:1], steps[-1]}],
        ),
    }
    for loss, (can_be, ends) in losses.items():
        calls: list[_Searched] = []
        options = {**options, "deadline_s": benches.DEADLINE_S + 2 * waits_s + benches.ENDS_S}
        for end, step in ends if can_be and loss in bench.simulator.situations else ():
            pictures = bench.simulator.pictures_for(end)
            outcome = bench.ask(operation, loss, step=step, images=pictures, **options)
            error, is_job = outcome.error, loss is Situation.NEVER_DONE
            if not isinstance(error, fm.OutcomeUnknown) or not error.reconcilable:
                gives = f"{operation}: a job that goes on gives {outcome.summary}"
                assert not is_job, f"{gives}, which nobody could look for"
                continue
            # The error of a call that is never charged has no record of it.
            ids = attrs.evolve(answers[end].ids, call=error.ids.call, vendor=error.ids.vendor)
            answer = attrs.evolve(answers[end], ids=ids)
            record = error.call or record_of(bench, operation, answer)
            says = look(bench, record) if is_job else None
            waits = getattr(says, "outcome", None) is fm.Reconciled.NOT_YET
            assert waits or not is_job, (
                f"{operation}: while a job goes on `reconcile` {_words(says)}"
            )
            calls.append((record, end, answers[end]))
        yield f"a call lost by {loss.name}", calls


def _find_each(bench: Bench, how: str, calls: Sequence[_Searched]) -> bool:
    """Assert that each call is found by its own ids, in answers about itself, and no other is."""
    replies: list[list[HttpReply]] = []

    def listen(_: HttpRequest, send: Send, __: bool) -> HttpReply:
        left_s = cast("Any", send).keywords["deadline"].left_s()
        assert left_s <= benches.ENDS_S / 2, "`reconcile` asks without the deadline it is given"
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
        where = f"{record.operation}, {how} that ends in {situation.name}"
        result: Result | None = getattr(says, "result", None)
        assert result is not None, (
            f"{where}: it is in the vendor's records, and for its `vendor_id` {record.vendor_id} "
            f"`reconcile` {_words(says)}. A simulator without records sets `keeps_records` = False"
        )
        due = {"ids.call": record.id, "ids.vendor": record.vendor_id or result.ids.vendor}
        for name, fact in {**due, **_facts(answer)}.items():
            found = {"ids.call": result.ids.call, "ids.vendor": result.ids.vendor, **_facts(result)}
            same(f"{where}: the {name} of what is found", found[name], fact)
        for status in (401, 503) if isinstance(bench.backend, HttpBackend) else ():

            def refuse(_: HttpRequest, send: Send, __: bool, status: int = status) -> HttpReply:
                return attrs.evolve(send(), status=status, body=b"{}")

            with bench.line(refuse):
                says = look(bench, record)
            is_open = getattr(says, "outcome", None) in (None, fm.Reconciled.NOT_YET)
            assert is_open, f"{where}: a look that is answered {status} {_words(says)}"
        # Ids that nobody has sent, or that begin or end as one that was.
        ids = (str(uuid.uuid4()), record.id[:-12] + "0" * 12, "0" * 8 + record.id[8:])
        others = [*product(ids, (None, f"{record.vendor_id}x"))]
        for call_id, vendor_id in others if record.kept else (*others, (record.id, others[1][1])):
            other = attrs.evolve(record, id=call_id, vendor_id=vendor_id)
            reply = look(bench, other) if bench.backend.reconcilable(other) else None
            stranger = getattr(reply, "result", None)
            assert stranger is None, f"found what nobody sent, with ids of another call: {other}"
            ends = record.kept or getattr(reply, "outcome", None) is not fm.Reconciled.NOT_YET
            assert ends, f"{where}: for an unknown `vendor_id` `reconcile` {_words(reply)}"
    for (record, _, answer), swapped in zip(calls, reversed(replies), strict=True):
        again = cycle(swapped)
        with bench.line(lambda *_, again=again: next(again)):
            result = find(bench, record)
        right = result is None or result.decision is answer.decision
        assert right, f"{record.operation}, {how}: it is found in an answer about another one"
    return bool(calls)


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


def _cleanups(
    bench: Bench, operation: fm.Operation, situation: Situation
) -> tuple[list[HttpRequest], fm.FaceMatchError | None]:
    """Make a call, and return the clean-ups that were sent after it, and its error."""
    sent, unmarked = list[HttpRequest](), list[HttpRequest]()

    def exchange(request: HttpRequest, send: Send, _: bool) -> HttpReply:
        if request.is_cleanup:
            sent.append(request)
        elif request.method == "DELETE":
            unmarked.append(request)
        return send()

    with bench.line(exchange):
        outcome: Outcome = bench.ask(operation, situation)
    where = f"{operation}, {situation.name}"
    assert not unmarked, f"{where}: {unmarked} is a step of the call: mark it `is_cleanup=True`"
    warnings = () if outcome.result is None else outcome.result.warnings
    refused = any(warning.tag == "not_cleaned_up" for warning in warnings)
    right = situation is not GOOD[operation] or not refused
    assert right, f"{where}: the simulator refuses {sent}"
    return sent, outcome.error


def _may_be_sought(bench: Bench, error: fm.FaceMatchError | None) -> bool:
    """Whether a call that ended in an error may have been charged, and can be looked for."""
    if not isinstance(error, fm.VendorError) or error.billing.charged is fm.Charged.NO:
        return False
    return error.call is not None and bench.backend.reconcilable(error.call)


def _text(request: HttpRequest) -> str:
    return f"{request.method} {request.url} {request.params} {request.encoded().body!r}"
