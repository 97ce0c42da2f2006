"""R32, R49: what the vendor still has of a call is found again, or removed."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import product
from typing import Any, NamedTuple

import attrs

import facematch_core as fm
from facematch_core.backend import Backend
from facematch_core.base.deadline import Deadline
from facematch_core.http import HttpBackend
from facematch_core.testing import bench as benches
from facematch_core.testing.bench import Bench, Result, same
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
        is_searched = False
        for operation in bench.operations:
            for calls in _kept_and_lost(bench, operation):
                for call in calls:
                    _judge_search(bench, call)
                    is_searched = True
        if not is_searched:
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
            assert len({*removed}) == len(removed), f"removed twice: {removed}"
            shared = {*removed} & {*others}
            assert not shared, f"two calls remove the same: {shared}"
            removes |= bool(removed)
            ends = BAD[operation], Situation.NO_FACE, Situation.UNREADABLE_200
            for end in bench.known(*ends) if removed else ():
                sent, is_sought = _cleanups(bench, operation, end)
                # A call that may still be looked for keeps its records.
                assert sent or is_sought, "nothing is removed: yield clean-ups as soon as possible"
        if not removes:
            benches.does_not_apply(f"{bench.backend.name} removes nothing at its vendor.")


class _Searched(NamedTuple):
    """A call in the vendor's records, in which situation it ends there, and what it answers."""

    how: str
    record: fm.CallRecord
    situation: Situation
    answer: Result


class _Found(NamedTuple):
    """What `reconcile` says of a call; no outcome for an error."""

    words: str
    outcome: fm.Reconciled | None = None
    result: Result | None = None


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


def look(bench: Bench, record: fm.CallRecord) -> _Found:
    """Return what the backend says of a call, or its error; neither costs anything."""
    deadline = Deadline.after(benches.ENDS_S / 2, bench.clock)
    asked = bench.count(lambda: bench.backend.reconcile(record, deadline=deadline))
    same("what the vendor charges for `reconcile`", asked.charges, 0)
    error, says = asked.error, asked.result
    if isinstance(error, fm.VendorError):
        same("the charge of an error of `reconcile`", error.billing.charged, fm.Charged.NO)
    elif error is not None:
        raise error
    else:
        same("the class that `reconcile` returns", type(says), fm.Reconciliation)
        about = getattr(says.call, "id", None)
        same("the id of the call that `reconcile` answers about", about, record.id)
        return _Found(f"gives {says.outcome} ({says.reason})", says.outcome, says.result)
    return _Found(f"gives {asked.summary}")


def _kept_and_lost(bench: Bench, operation: fm.Operation) -> Iterator[list[_Searched]]:
    """Yield calls that the vendor's records have: kept ones, and ones whose answer was lost."""
    keeps = fm.Retention.KEEP in bench.can.retention
    retention = fm.Retention.KEEP if keeps else fm.Retention.MINIMAL
    options: dict[str, Any] = {"caller_ref": "visitor 7", "retention": retention}
    answers: dict[Situation, Result] = {}
    for situation in (GOOD[operation], BAD[operation]):
        # The first of five is far down in a list of records.
        every = [bench.ask(operation, situation, **options).answer for _ in range(5)]
        answers[situation], waits_s = every[0], sum(bench.waits)
        kept = [(record_of(bench, operation, answer), answer) for answer in every[::4]]
        if keeps and all(bench.backend.reconcilable(record) for record, _ in kept):
            yield [_Searched("a kept call", record, situation, answer) for record, answer in kept]
    options["deadline_s"] = benches.DEADLINE_S + benches.ENDS_S + 2 * waits_s
    if waits_s:
        bench.need(Situation.NEVER_DONE)
        yield [*_lose_calls(bench, operation, Situation.NEVER_DONE, answers, options)]
    yield [*_lose_calls(bench, operation, Situation.LOST_ANSWER, answers, options)]


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
            assert not is_job, f"it gives {outcome.summary}, which nobody could look for"
            continue
        # The error of a call that is never charged has no record of it.
        ids = attrs.evolve(answers[end].ids, call=error.ids.call, vendor=error.ids.vendor)
        record = error.call or record_of(bench, operation, attrs.evolve(answers[end], ids=ids))
        if is_job:
            says = look(bench, record)
            assert says.outcome is fm.Reconciled.NOT_YET, f"it goes on: `reconcile` {says.words}"
        yield _Searched(f"a call lost by {loss.name}", record, end, answers[end])


def _judge_search(bench: Bench, searched: _Searched) -> None:
    """Assert that a call is found by its own ids, and by no others."""
    how, record, situation, answer = searched
    bench.simulator.set_situation(situation)
    not_yet, says = fm.Reconciled.NOT_YET, look(bench, record)
    for _ in range(20):
        says = look(bench, record) if says.outcome is not_yet else says
    where = f"{record.operation}, {how} that ends in {situation.name}"
    assert says.result is not None, (
        f"{where}: it is in the vendor's records, and for its `vendor_id` {record.vendor_id} "
        f"`reconcile` {says.words}. A simulator without records sets `keeps_records` = False"
    )
    vendor_id = record.vendor_id or says.result.ids.vendor
    found, due = _facts(says.result), _facts(answer) | {"ids": (record.id, vendor_id)}
    for name, fact in found.items():
        same(f"{where}: the {name} of what is found", fact, due[name])
    for status in (401, 503) if isinstance(bench.backend, HttpBackend) else ():
        with bench.overhear(every=True, status=status, body=b"{}"):
            says = look(bench, record)
        assert says.outcome in (None, not_yet), f"{where}: a look answered {status} {says.words}"
    # Ids that nobody has sent, or that begin or end as one that was.
    ids = (str(uuid.uuid4()), record.id[:-12] + "0" * 12, "0" * 8 + record.id[8:])
    others = [*product(ids, (None, f"{record.vendor_id}x"))]
    for call_id, vendor_id in others if record.kept else (*others, (record.id, others[1][1])):
        other = attrs.evolve(record, id=call_id, vendor_id=vendor_id)
        if bench.backend.reconcilable(other):
            says = look(bench, other)
            assert says.result is None, f"found by ids of another call: {other}"
            ends = record.kept or says.outcome is not not_yet
            assert ends, f"{where}: for an unknown `vendor_id` `reconcile` {says.words}"


def _facts(result: Result) -> dict[str, object]:
    score, billing = result.score, result.billing
    return {
        "ids": (result.ids.call, result.ids.vendor),
        "decision": result.decision,
        "score": score and (score.value, score.scale),
        "bill": (billing.charged, billing.charges),
    }


def _cleanups(
    bench: Bench, operation: fm.Operation, situation: Situation
) -> tuple[list[str], bool]:
    """Make a call; return the clean-ups that were sent after it, and whether it is looked for."""
    with bench.overhear(every=True) as steps:
        outcome = bench.ask(operation, situation)
    removals = [each for each, _ in steps if each.is_cleanup or each.method == "DELETE"]
    unmarked = [each.url for each in removals if not each.is_cleanup]
    assert not unmarked, f"{unmarked} is a step of the call: mark it `is_cleanup=True`"
    warnings = outcome.result.warnings if outcome.result is not None else ()
    sent = [f"{each.method} {each.url} {each.params} {each.encoded().body!r}" for each in removals]
    refused = any(warning.tag == "not_cleaned_up" for warning in warnings)
    assert situation is not GOOD[operation] or not refused, f"the simulator refuses {sent}"
    # A call that may have been charged, and can be found.
    error = outcome.error if isinstance(outcome.error, fm.VendorError) else None
    call = error.call if error and error.billing.charged is not fm.Charged.NO else None
    return sent, call is not None and bench.backend.reconcilable(call)
