"""R16, R32, R49: charges, errors, lost calls, and clean-ups."""

from __future__ import annotations

import itertools
import json
import math
import re
import uuid
from collections.abc import Iterator
from typing import Any, NamedTuple

import attrs
import pytest

import facematch_core as fm
from facematch_core import Billing, Charged, Operation, errors
from facematch_core.backend import Backend
from facematch_core.base.deadline import Deadline
from facematch_core.http import HttpBackend, HttpReply
from facematch_core.testing import bench as benches
from facematch_core.testing.bench import PASS, Bench, Outcome, Result, Rules, assert_equal, rule
from facematch_core.testing.simulator import (
    FAILURES,
    NOT_PASSING,
    PASSING,
    RESULT_SITUATIONS,
    Situation,
)

#: What is said of a call that leaves something at the vendor.
_NOT_REMOVED = "nothing is removed: yield clean-ups as soon as possible"
#: A word of a request, such as an id.
_WORD = re.compile(r"[\w-]+")


class Expected(NamedTuple):
    """The expected error for a failure, if no earlier request of the call was charged."""

    errors: tuple[type[errors.VendorError], ...]
    charged: tuple[Charged, ...]
    #: None if it depends on the vendor's documentation.
    retryable: bool | None = False


_NO, _UNKNOWN, _YES = (Charged.NO,), (Charged.UNKNOWN,), (Charged.YES,)
_LOST = Expected((errors.OutcomeUnknown,), _UNKNOWN)
EXPECTED = {
    Situation.BAD_KEY: Expected((errors.AuthenticationFailed, errors.PermissionDenied), _NO),
    Situation.NO_CREDIT: Expected((errors.InsufficientCredit,), _NO),
    Situation.THROTTLED: Expected((errors.RateLimited,), _NO, retryable=True),
    Situation.REJECTED: Expected((errors.RequestRejected,), _NO),
    Situation.UNREACHABLE: Expected((errors.VendorUnavailable,), _NO, retryable=True),
    **dict.fromkeys((Situation.LOST_ANSWER, Situation.BROKEN_ANSWER), _LOST),
    Situation.GATEWAY_ERROR: _LOST,
    # Some vendors document that their own errors are free.
    Situation.OUTAGE: Expected((errors.VendorUnavailable, *_LOST.errors), (*_NO, *_UNKNOWN), None),
    Situation.UNREADABLE_200: Expected((errors.UnexpectedResponse,), _YES),
}
#: Expected errors in situations that only a deadline ends.
_LATE = Expected((errors.DeadlineExceeded,), _UNKNOWN)
_STALLED = {Situation.SLOW: _LATE, Situation.DRIPPING: _LATE, Situation.NEVER_DONE: _LOST}


class MoneyRules(Rules):
    """Rules about charges and records: the cost of a call, and how a lost call is found."""

    @pytest.mark.parametrize("situation", [*RESULT_SITUATIONS, *FAILURES], ids=str)
    @rule("R51")
    def test_r16_results_tell_what_they_cost(self, bench: Bench, situation: Situation) -> None:
        """`billing` states what the vendor charged, and why. Each kind of failure raises its own
        error, which states whether it is retryable. Only free polls may be retried.

        A budget that undercounts is noticed only on the invoice. Code that retries on
        "retryable" must not pay twice, and must not give up when throttled.
        """
        for operation in bench.operations_for(situation):
            if situation in FAILURES:
                self._r16_failure(bench, operation, situation)
            else:
                self._r16_price(bench, operation, situation)

    def _r16_price(self, bench: Bench, operation: Operation, situation: Situation) -> None:
        outcome, good = bench.call_verifier(operation, situation), PASSING[operation]
        if situation is Situation.NULL_SCORE and outcome.result is None:
            return  # R02 tests this error and its charge
        billing = outcome.require_result().billing
        check_bill(billing, outcome)
        may_be = _YES if situation is good else (*_YES, *_NO)
        if situation in bench.simulator.price_unknown:
            may_be = _UNKNOWN
        elif operation not in bench.capabilities.billed_operations:
            may_be = _NO
        by = "`billed_operations` and the simulator's `price_unknown`"
        assert_equal(f"the charge in the result, by {by},", billing.charged, *may_be)
        assert billing.ground or billing.charged is not Charged.YES, "`billing.ground` is empty"
        steps = bench.request_count(operation)
        # A picture without a face may end a call early.
        counts = outcome.requests == steps or (outcome.requests < steps and situation is not good)
        sent = f"{outcome.requests} requests, but the simulator's `steps` are {steps}"
        assert counts or not bench.has_own_sender, f"{sent}: does it retry, or cache a response?"
        for wish in bench.option_sets(operation) if situation is good else ():
            outcome = bench.call_verifier(operation, good, **wish)
            check_bill(outcome.require_result().billing, outcome, f"with {wish} ")

    def _r16_failure(self, bench: Bench, operation: Operation, situation: Situation) -> None:
        for step in bench.steps_to_fail(operation, situation):
            # Also without the verifier, whose checks could hide a bug in the backend.
            for ask in (bench.call_backend, bench.call_verifier):
                outcome = ask(operation, situation, step=step)
                judge(bench, operation, situation, step, outcome)
                most = step or bench.request_count(operation)
                polls = bench.request_at(operation, step).on_refusal == "raise"
                right = polls or outcome.requests <= most or not bench.has_own_sender
                assert right, f"{outcome.requests} requests, not {most}: does it retry?"
        if situation is Situation.REJECTED:
            self._r16_refusals(bench, operation)
        if situation is Situation.REJECTED and bench.has_own_sender:
            # An expired token may be renewed, but a call that may be charged is not repeated.
            for status in (404, 409, 500, 504):  # situations cover other statuses
                with bench.record_exchanges(status=status):
                    count = bench.run_request(
                        bench.make_request(operation, PASSING[operation])
                    ).requests
                most = bench.request_count(operation)
                assert count <= most, f"{count} requests after a {status}, not {most}"

    def _r16_refusals(self, bench: Bench, operation: Operation) -> None:
        """Assert that each further documented refusal has its error and charge."""
        backend: Any = bench.backend
        for refusal in bench.simulator.refusals:
            text = json.dumps(refusal.body)
            bench.context = f"{operation}, answered {refusal.status} with {text:.120}"
            headers = {"Content-Type": "application/json"}
            reply = HttpReply(status=refusal.status, headers=headers, body=text.encode())
            outcome = backend.read_reply(bench.make_request(operation, PASSING[operation]), reply)
            if refusal.error is None:
                decision = getattr(outcome, "decision", type(outcome).__name__)
                assert_equal("the decision", decision, benches.INCONCLUSIVE[operation])
            else:
                assert_equal("the error", type(outcome).__name__, refusal.error.__name__)
            charged = outcome.billing.charged
            assert_equal("the charge", charged, refusal.charged)
            repeats = getattr(outcome, "retryable", False) and charged is not Charged.NO
            assert not repeats, f"the error is retryable, but `charged` is {charged}"

    @rule("R51")
    def test_r32_another_call_is_never_found(self, bench: Bench) -> None:
        """`reconcile` finds a lost call by its ids, and never another call.

        A call that is not found is paid for again. Another visitor's record gives a wrong verdict.
        """
        backend, simulator = bench.backend, bench.simulator
        searches = type(backend).reconcile is not Backend.reconcile
        bench.skip_unless_applicable(searches, "cannot search its vendor's records")
        bench.skip_unless_testable(simulator.keeps_records, "keeps no records to search")
        is_searched = False
        for operation in bench.operations:
            for each in self._r32_kept_and_lost(bench, operation):
                self._r32_search(bench, *each)
                is_searched = True
        if not is_searched:
            bench.skip_unless_available(Situation.LOST_ANSWER)
            raise AssertionError("it has `reconcile`, but no kept or lost call is `reconcilable`")

    def _r32_search(self, bench: Bench, how: str, record: Any, situation: Any, answer: Any) -> None:
        """Assert that a call which ends in `situation` is found by its own ids only."""
        bench.simulator.set_situation(situation)
        not_yet, says = fm.Reconciled.NOT_YET, look(bench, record)
        for _ in range(20):
            says = look(bench, record) if says.outcome is not_yet else says
        where = f"{record.operation}, {how} that ends in {situation.name}"
        sought = f"{where}, in the vendor's records: for `vendor_id` {record.vendor_id}"
        hint = "A simulator without records sets `keeps_records` = False"
        assert says.result is not None, f"{sought} `reconcile` returns {says.reason}. {hint}"
        vendor_id = record.vendor_id or says.result.ids.vendor
        found, due = _facts(says.result), _facts(answer) | {"ids": (record.id, vendor_id)}
        for name, fact in found.items():
            assert_equal(f"{where}: the {name} of the found call", fact, due[name])
        for status in (401, 503) if isinstance(bench.backend, HttpBackend) else ():
            with bench.record_exchanges(every=True, status=status, body=b"{}"):
                says = look(bench, record)
            told = f"{where}: after a {status}, `reconcile` returns {says.reason}"
            assert says.outcome in (None, not_yet), told
        # Unknown ids, and ids that share the beginning or the end of a known one.
        ids = (str(uuid.uuid4()), record.id[:-12] + "0" * 12, "0" * 8 + record.id[8:])
        others = [*itertools.product(ids, (None, f"{record.vendor_id}x"))]
        if record.retention is not fm.Retention.KEEP:
            others.append((record.id, others[1][1]))
        for call_id, vendor_id in others:
            other = attrs.evolve(record, id=call_id, vendor_id=vendor_id)
            if bench.backend.reconcilable(other):
                says = look(bench, other)
                assert says.result is None, f"found by ids of another call: {other}"
                ends = record.retention is fm.Retention.KEEP or says.outcome is not not_yet
                assert ends, f"{where}: an unknown `vendor_id` gives {says.reason}"

    def _r32_kept_and_lost(self, bench: Bench, operation: Operation) -> Iterator[tuple[Any, ...]]:
        """Yield each stored or lost call as its kind, record, final situation and result.

        `reconcile` returns NOT_YET for a job that is not finished.
        """
        keeps, answers = (
            fm.Retention.KEEP in bench.capabilities.retention,
            dict[Situation, Result](),
        )
        retention = fm.Retention.KEEP if keeps else fm.Retention.MINIMAL
        options: dict[str, Any] = {"caller_ref": "visitor 7", "retention": retention}
        for end in (PASSING[operation], NOT_PASSING[operation]):
            # Five calls, so that the first call's record is not the newest.
            every = [
                bench.call_verifier(operation, end, **options).require_result() for _ in range(5)
            ]
            answers[end], waits_s = every[0], sum(bench.waits_s)
            kept = [(record_of(bench, operation, answer), answer) for answer in every[::4]]
            for record, answer in kept if keeps else ():
                is_found = bench.backend.reconcilable(record)
                assert is_found, "it has `reconcile`, but a kept call is not `reconcilable`"
                yield "a kept call", record, end, answer
        options["deadline_s"] = benches.SHORT_DEADLINE_S + benches.CALL_LIMIT_S + 2 * waits_s
        steps = bench.steps_to_fail(operation, Situation.LOST_ANSWER)
        paid_at = [step for step in steps if bench.request_at(operation, step).charges]
        lost = [(Situation.LOST_ANSWER, PASSING[operation], at) for at in {*paid_at[:1], steps[-1]}]
        if waits_s:
            bench.skip_unless_available(Situation.NEVER_DONE)
            lost = [*((Situation.NEVER_DONE, end, None) for end in answers), *lost]
        lost = [each for each in lost if each[0] in bench.simulator.situations]
        for loss, end, step in lost:
            options["images"] = bench.simulator.pictures_for(end)
            outcome = bench.call_verifier(operation, loss, step=step, **options)
            error, is_job = outcome.error, loss is Situation.NEVER_DONE
            if not isinstance(error, fm.OutcomeUnknown) or not error.reconcilable:
                assert not is_job, f"a lost job gives {outcome.summary}, and cannot be found"
                continue
            # The error of a call that is never charged has no `call`.
            ids = attrs.evolve(answers[end].ids, call=error.ids.call, vendor=error.ids.vendor)
            answer = attrs.evolve(answers[end], ids=ids)
            record = error.call or record_of(bench, operation, answer)
            if is_job:
                says = look(bench, record)
                is_open = says.outcome is fm.Reconciled.NOT_YET
                assert is_open, f"the job is not finished: `reconcile` returns {says.reason}"
            yield f"a call lost by {loss.name}", record, end, answers[end]

    @rule("R51")
    def test_r49_what_is_made_is_removed(self, bench: Bench) -> None:
        """Everything that a call creates at the vendor is deleted, however the call ends.

        A face that is not deleted is a leak that goes unnoticed.
        """
        is_http = isinstance(bench.backend, HttpBackend)
        bench.skip_unless_applicable(is_http, "is not an HttpBackend, and has no clean-ups")
        removes = False
        for operation in bench.operations:
            good = operation, PASSING[operation]
            removed, others = (self._r49_cleanups(bench, *good)[0] for _ in range(2))
            assert len({*removed}) == len(removed), f"removed twice: {removed}"
            shared = {*removed} & {*others}
            assert not shared, f"two calls removed the same resource: {shared}"
            removes |= bool(removed)
            ends = NOT_PASSING[operation], Situation.NO_FACE, Situation.UNREADABLE_200
            for end in bench.available(*ends) if removed else ():
                sent, is_sought = self._r49_cleanups(bench, operation, end)
                # The records of a call that `reconcile` can still find are not deleted.
                assert sent or is_sought, _NOT_REMOVED
            if removed:
                self._r49_refused_later(bench, operation, others=others)
        bench.skip_unless_applicable(removes, "removes nothing at its vendor")

    def _r49_refused_later(self, bench: Bench, operation: Operation, others: list[str]) -> None:
        """Assert that what a request makes is removed if the vendor rejects the next request.

        `others` are the clean-ups of another call.
        """
        with bench.record_exchanges() as steps:
            removed, _ = self._r49_cleanups(bench, operation, PASSING[operation])
        # The clean-ups of two calls differ in the ids of what the calls made.
        ids = {*_WORD.findall(" ".join(removed))} - {*_WORD.findall(" ".join(others))}
        replies = [each.reply for each in steps][: bench.request_count(operation)]
        for made_at, reply in enumerate(replies[:-1], start=1):
            if not any(each.encode() in reply.body for each in ids):
                continue
            for end in bench.available(Situation.REJECTED):
                sent, is_sought = self._r49_cleanups(bench, operation, end, step=made_at + 1)
                assert sent or is_sought, _NOT_REMOVED
            return

    def _r49_cleanups(
        self, bench: Bench, *asked: Any, step: int | None = None
    ) -> tuple[list[str], bool]:
        """Make a call; return its clean-ups, and whether `reconcile` can find the call."""
        with bench.record_exchanges(every=True) as steps:
            outcome = bench.call_verifier(*asked, step=step)
        removals = [
            each.request
            for each in steps
            if each.request.is_cleanup or each.request.method == "DELETE"
        ]
        unmarked = [each.url for each in removals if not each.is_cleanup]
        assert not unmarked, f"{unmarked} is a step of the call: mark it `is_cleanup=True`"
        warnings = outcome.result.warnings if outcome.result is not None else ()
        parts = [(each.method, each.url, each.params, each.encoded().body) for each in removals]
        sent = [" ".join(map(str, each)) for each in parts]
        refused = any(warning.tag == "not_cleaned_up" for warning in warnings)
        assert asked not in PASSING.items() or not refused, f"the simulator rejects {sent}"
        # Only a call that may have been charged is reconciled.
        error = outcome.error if isinstance(outcome.error, fm.VendorError) else None
        call = error.call if error and error.billing.charged is not fm.Charged.NO else None
        return sent, call is not None and bench.backend.reconcilable(call)


def judge(bench: Bench, operation: Operation, case: Situation, step: Any, outcome: Outcome) -> None:
    """Assert that a failure raised the expected error and bill, or that a retry passed."""
    has_waited, request = bool(bench.waits_s), bench.request_at(operation, step)
    gave, error = f"it gave {outcome.summary}", outcome.error
    polled, free = request.on_refusal == "raise", not request.charges
    if outcome.result is not None and polled and case in EXPECTED:
        check_bill(outcome.result.billing, outcome)
        assert outcome.result.decision is PASS[operation], f"{gave} after a retry"
        return
    # The allowed errors and bills depend on the cost of this request and of earlier ones.
    expected, billed = (
        (EXPECTED | _STALLED)[case],
        operation in bench.capabilities.billed_operations,
    )
    classes, bills = expected.errors, {*expected.charged}
    if polled and case in EXPECTED:
        classes = (errors.VendorError,)
    elif free and step not in (None, 1):  # accepted, and not finished
        classes = (*classes, errors.VendorUnavailable, errors.OutcomeUnknown)
    elif Charged.UNKNOWN in bills and (free or not billed):
        classes = (*classes, errors.VendorUnavailable)
    if free:
        bills = {Charged.NO}
    elif Charged.YES in bills or not billed:
        bills |= {Charged.NO}  # `check_bill` compares the simulator's count
    # A refusal is a known outcome, even if its price is not documented.
    is_price_unknown = case in bench.simulator.price_unknown and not free
    if is_price_unknown:
        bills |= {Charged.UNKNOWN}
    if outcome.charges:  # for this request or an earlier one
        bills = {Charged.YES if bill is Charged.NO else bill for bill in bills}
    names = " or ".join(dict.fromkeys(each.__name__ for each in classes))
    assert isinstance(error, classes), f"{gave}, not {names}"
    charged = error.billing.charged
    assert_equal("the charge in the error", charged, *sorted(bills))
    is_named = charged is not Charged.UNKNOWN or isinstance(error, errors.OutcomeUnknown)
    assert is_named or is_price_unknown, (
        f"{gave} with an unknown charge: it must be an OutcomeUnknown, unless the simulator's "
        "`price_unknown` says that the vendor does not document the charge of this refusal"
    )
    check_bill(error.billing, outcome)
    retryable = expected.retryable if classes == expected.errors else None
    right = (retryable if charged is Charged.NO else False) in (None, error.retryable)
    assert right, f"`retryable` is {error.retryable}, but `charged` is {charged}"
    wait_s = getattr(error, "retry_after_s", None) or 0.0
    assert 0 <= wait_s < math.inf, f"`retry_after_s` is {wait_s}"
    call = bench.make_request(operation, PASSING[operation], vendor_id=error.ids.vendor)
    can_be = bench.backend.reconcilable(call) or not getattr(error, "reconcilable", False)
    assert can_be, "`reconcilable` is True, but the vendor stored nothing"
    if case is Situation.NEVER_DONE or (polled and has_waited and outcome.charges):
        again = isinstance(error, (errors.RateLimited, errors.VendorUnavailable))
        assert not again, f"{gave}: the job was accepted, so it must be an OutcomeUnknown"
        assert error.ids.vendor, "the error has no `ids.vendor` to find the job by"


def check_bill(billing: Billing, outcome: Outcome, where: str = "") -> None:
    """Assert that the vendor counted the reported charges (or more, if the charge is unknown)."""
    charges, counted = billing.charges or 0, outcome.charges
    right = charges == counted and (billing.charged is Charged.YES) == (counted > 0)
    if billing.charged is Charged.UNKNOWN:
        right = charges <= counted
    said = f"{where}the backend reports {billing.charged} (charges: {charges})"
    assert right, f"{said}, but the vendor counted {counted}"


def record_of(bench: Bench, operation: Operation, result: Result) -> fm.CallRecord:
    """Return a record with which `reconcile` finds the call of `result`, if it was stored."""
    ids, at = result.ids, result.created_at or bench.clock.now()
    known: Any = {"caller_ref": ids.caller, "vendor_id": ids.vendor, "threshold": result.threshold}
    about: Any = {"operation": operation, "backend": bench.backend.name, "started_at": at}
    return fm.CallRecord(id=str(ids.call), retention=fm.Retention.KEEP, **about, **known)


def look(bench: Bench, record: fm.CallRecord) -> fm.Reconciliation:
    """Reconcile a call and assert that this is free. After an error, `outcome` is None."""
    deadline = Deadline.after(benches.CALL_LIMIT_S / 2, bench.clock)
    asked = bench.observe(lambda: bench.backend.reconcile(record, deadline=deadline))
    assert_equal("the number of charges for `reconcile`", asked.charges, 0)
    if asked.error is not None:
        if not isinstance(asked.error, fm.VendorError):
            raise asked.error
        assert_equal(
            "the charge of an error of `reconcile`", asked.error.billing.charged, Charged.NO
        )
        nothing: Any = None
        return fm.Reconciliation(outcome=nothing, call=record, reason=asked.summary)
    says: fm.Reconciliation = asked.result
    assert_equal("the class that `reconcile` returns", type(says), fm.Reconciliation)
    about = getattr(says.call, "id", None)
    assert_equal("the id of the call in the result of `reconcile`", about, record.id)
    return attrs.evolve(says, reason=f"{says.outcome} ({says.reason})")


def _facts(result: Result) -> dict[str, object]:
    ids, score, billing = result.ids, result.score, result.billing
    facts = {"ids": (ids.call, ids.vendor), "decision": result.decision}
    bill, scored = (billing.charged, billing.charges), score and (score.value, score.scale)
    return {**facts, "score": scored, "bill": bill}
