"""R32, R49: what the vendor still has of a call is found again, or removed."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import product
from typing import Any, cast

import attrs

import facematch_core as fm
from facematch_core.backend import Backend
from facematch_core.base.deadline import Deadline
from facematch_core.http import HttpBackend, HttpReply, HttpRequest
from facematch_core.testing import bench as benches
from facematch_core.testing.bench import Bench, Result, Send, same
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
                # The first of five is far down in a list of records.
                every = [bench.ask(operation, situation, **options).answer for _ in range(5)]
                results = every[::4]
                answers[situation], waits_s = results[0], sum(bench.waits)
                calls = [(record_of(bench, operation, r), situation, r) for r in results]
                if keeps and all(backend.reconcilable(record) for record, *_ in calls):
                    is_checked |= _find_each(bench, "a kept call", calls)
            losses = [Situation.NEVER_DONE] * bool(waits_s) + [Situation.LOST_ANSWER]
            if waits_s:
                bench.need(Situation.NEVER_DONE)
            limited = {**options, "deadline_s": benches.DEADLINE_S + benches.ENDS_S + 2 * waits_s}
            for loss in losses:
                calls = [*_lose_calls(bench, operation, loss, answers, limited)]
                is_checked |= _find_each(bench, f"a call lost by {loss.name}", calls)
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
            removed, others = (_cleanups(bench, operation, GOOD[operation])[0] for _ in range(2))
            assert len({*removed}) == len(removed), f"{operation}: removed twice: {removed}"
            shared = {*removed} & {*others}
            assert not shared, f"{operation}: two calls remove the same: {shared}"
            removes |= bool(removed)
            for end in (BAD[operation], Situation.NO_FACE, Situation.UNREADABLE_200):
                if end in bench.simulator.situations and removed:
                    sent, is_sought = _cleanups(bench, operation, end)
                    where = f"{operation}, {end.name}"
                    # A call that may still be looked for keeps its records.
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
    says: Any
    try:
        says = benches.run_in_time(lambda: bench.backend.reconcile(record, deadline=deadline))
        same("the class that `reconcile` returns", type(says), fm.Reconciliation)
        asked = getattr(says.call, "id", None)
        same("the id of the call that `reconcile` answers about", asked, record.id)
    except fm.VendorError as error:
        same("the charge of an error of `reconcile`", error.billing.charged, fm.Charged.NO)
        says = error
    same("what the vendor charges for `reconcile`", bench.simulator.charges - before, 0)
    return cast("fm.Reconciliation | fm.VendorError", says)


def find(bench: Bench, record: fm.CallRecord) -> Result | None:
    return getattr(look(bench, record), "result", None)


def _lose_calls(
    bench: Bench,
    operation: fm.Operation,
    loss: Situation,
    answers: Mapping[Situation, Result],
    options: Mapping[str, Any],
) -> Iterator[_Searched]:
    """Yield calls that were carried out and lost; a job that goes on is NOT_YET found."""
    steps, is_job = bench.each_step(operation, loss), loss is Situation.NEVER_DONE
    paid_at = [step for step in steps if request_at(bench, operation, step).charges]
    ends = [(GOOD[operation], step) for step in {*paid_at[:1], steps[-1]}]
    if is_job:
        ends = [(end, None) for end in answers]
    for end, step in ends if loss in bench.simulator.situations else ():
        pictures = bench.simulator.pictures_for(end)
        outcome = bench.ask(operation, loss, step=step, images=pictures, **options)
        error = outcome.error
        if not isinstance(error, fm.OutcomeUnknown) or not error.reconcilable:
            gives = f"{operation}: a job that goes on gives {outcome.summary}"
            assert not is_job, f"{gives}, which nobody could look for"
            continue
        # The error of a call that is never charged has no record of it.
        ids = attrs.evolve(answers[end].ids, call=error.ids.call, vendor=error.ids.vendor)
        record = error.call or record_of(bench, operation, attrs.evolve(answers[end], ids=ids))
        if is_job:
            says = look(bench, record)
            waits = getattr(says, "outcome", None) is fm.Reconciled.NOT_YET
            assert waits, f"{operation}: while a job goes on `reconcile` {_words(says)}"
        yield record, end, answers[end]


def _find_each(bench: Bench, how: str, calls: Sequence[_Searched]) -> bool:
    """Assert that each call is found by its own ids, and no other is."""
    for call in calls:
        _find_one(bench, how, *call)
    return bool(calls)


def _find_one(
    bench: Bench, how: str, record: fm.CallRecord, situation: Situation, answer: Result
) -> None:
    """Assert that a call is found, and by no other ids."""
    bench.prepare(situation)
    for _ in range(20):
        says = look(bench, record)
        if getattr(says, "outcome", None) is not fm.Reconciled.NOT_YET:
            break
    where = f"{record.operation}, {how} that ends in {situation.name}"
    result: Result | None = getattr(says, "result", None)
    assert result is not None, (
        f"{where}: it is in the vendor's records, and for its `vendor_id` {record.vendor_id} "
        f"`reconcile` {_words(says)}. A simulator without records sets `keeps_records` = False"
    )
    vendor_id = record.vendor_id or result.ids.vendor
    found, due = _facts(result), _facts(answer) | {"ids": (record.id, vendor_id)}
    for name, fact in found.items():
        same(f"{where}: the {name} of what is found", fact, due[name])
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
        if not bench.backend.reconcilable(other):
            continue
        says = look(bench, other)
        stranger = getattr(says, "result", None)
        assert stranger is None, f"found what nobody sent, with ids of another call: {other}"
        ends = record.kept or getattr(says, "outcome", None) is not fm.Reconciled.NOT_YET
        assert ends, f"{where}: for an unknown `vendor_id` `reconcile` {_words(says)}"


def _facts(result: Result) -> dict[str, object]:
    score, billing = result.score, result.billing
    return {
        "ids": (result.ids.call, result.ids.vendor),
        "decision": result.decision,
        "score": score and (score.value, score.scale),
        "bill": (billing.charged, billing.charges),
    }


def _words(says: object) -> str:
    kind = getattr(says, "outcome", type(says).__name__)
    return f"gives {kind} ({getattr(says, 'reason', says)})"


def _cleanups(
    bench: Bench, operation: fm.Operation, situation: Situation
) -> tuple[list[str], bool]:
    """Make a call; return the clean-ups that were sent after it, and whether it is looked for."""
    sent, unmarked, where = list[str](), list[str](), f"{operation}, {situation.name}"

    def exchange(request: HttpRequest, send: Send, _: bool) -> HttpReply:
        text = f"{request.method} {request.url} {request.params} {request.encoded().body!r}"
        if request.is_cleanup or request.method == "DELETE":
            (sent if request.is_cleanup else unmarked).append(text)
        return send()

    with bench.line(exchange):
        outcome = bench.ask(operation, situation)
    assert not unmarked, f"{where}: {unmarked} is a step of the call: mark it `is_cleanup=True`"
    warnings = () if outcome.result is None else outcome.result.warnings
    refused = any(warning.tag == "not_cleaned_up" for warning in warnings)
    right = situation is not GOOD[operation] or not refused
    assert right, f"{where}: the simulator refuses {sent}"
    error = outcome.error
    # It may have been charged, and can be found.
    is_sought = isinstance(error, fm.VendorError) and error.billing.charged is not fm.Charged.NO
    call = getattr(error, "call", None) if is_sought else None
    return sent, call is not None and bench.backend.reconcilable(call)
