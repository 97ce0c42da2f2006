"""A call that Didit keeps is found in its records by its ids, and never another call."""

import itertools
import uuid

import attrs
import pytest
from vendors.didit import DiditSimulator

import facematch_core as fm
from facematch_core.base.deadline import Deadline
from facematch_core.testing import Situation
from facematch_core.testing.bench import Rules
from facematch_core.testing.simulator import NOT_PASSING, PASSING

OPTIONS = {"caller_ref": "visitor 7", "retention": fm.Retention.KEEP}


def facts_of(result):
    """Return what a found result must have in common with the call's own."""
    score = (result.score.value, result.score.scale)
    return (result.decision, score, result.billing.charged, result.billing.charges)


def record_of(bench, operation, result):
    """Return the record with which `reconcile` finds the call of `result`, if it was stored."""
    return fm.CallRecord(
        id=result.ids.call,
        operation=operation,
        backend="didit",
        started_at=result.created_at or bench.clock.now(),
        caller_ref=result.ids.caller,
        retention=fm.Retention.KEEP,
        vendor_id=result.ids.vendor,
        threshold=result.threshold,
    )


def reconcile(bench, record):
    """Return the outcome of a search, which is free, or its error."""
    deadline = Deadline.after(10.0, bench.clock)
    search = bench.observe(lambda: bench.backend.reconcile(record, deadline=deadline))
    assert search.charges == 0
    if search.error is not None:
        assert search.error.billing.charged is fm.Charged.NO
        return search.error
    assert search.result.call.id == record.id
    return search.result


class TestLostCalls(Rules):
    """A call that is not found is paid for again; another visitor's record is a wrong verdict."""

    @pytest.fixture
    def simulator(self):
        with DiditSimulator() as simulator:
            yield simulator

    @pytest.fixture(params=[fm.Operation.MATCH, fm.Operation.LIVENESS], ids=str)
    def operation(self, request):
        return request.param

    def test_kept_call_is_found(self, bench, operation):
        for situation in (PASSING[operation], NOT_PASSING[operation]):
            # Five calls, so that the first call's record is not the newest.
            results = [
                bench.call_verifier(operation, situation, **OPTIONS).require_result()
                for _ in range(5)
            ]
            for result in (results[0], results[-1]):
                self.check_found(bench, record_of(bench, operation, result), result)

    def test_call_with_a_lost_answer_is_found(self, bench, operation):
        outcome = bench.call_verifier(operation, PASSING[operation], **OPTIONS)
        lost = bench.call_verifier(operation, Situation.LOST_ANSWER, **OPTIONS).error
        assert isinstance(lost, fm.OutcomeUnknown)
        assert lost.reconcilable
        bench.simulator.set_situation(PASSING[operation])
        self.check_found(bench, lost.call, outcome.require_result())

    def test_failed_search_finds_nothing_out(self, bench, operation):
        result = bench.call_verifier(operation, PASSING[operation], **OPTIONS).require_result()
        for status in (401, 503):
            with bench.record_exchanges(status=status, body=b"{}"):
                failed = reconcile(bench, record_of(bench, operation, result))
            assert isinstance(failed, fm.VendorError)

    @pytest.mark.parametrize("options", [{}, {"caller_ref": "visitor 7", "metadata": {"desk": 3}}])
    def test_call_that_is_not_kept_is_not_found(self, bench, operation, options):
        result = bench.call_verifier(operation, PASSING[operation], **options).require_result()
        record = attrs.evolve(record_of(bench, operation, result), vendor_id=None)
        assert reconcile(bench, record).result is None

    def test_call_is_not_found_by_ids_that_resemble_its_own(self, bench, operation):
        result = bench.call_verifier(operation, PASSING[operation], **OPTIONS).require_result()
        record = record_of(bench, operation, result)
        # An unknown id, and ids that share the beginning or the end of a known one.
        call_ids = (str(uuid.uuid4()), record.id[:-12] + "0" * 12, "0" * 8 + record.id[8:])
        for call_id, vendor_id in itertools.product(call_ids, (None, f"{record.vendor_id}x")):
            other = attrs.evolve(record, id=call_id, vendor_id=vendor_id)
            assert reconcile(bench, other).result is None

    def check_found(self, bench, record, result):
        """Assert that a call is found by its ids, free of charge, with its result."""
        assert bench.backend.reconcilable(record)
        found = reconcile(bench, record).result
        assert found.ids.call == record.id
        assert found.ids.vendor == (record.vendor_id or found.ids.vendor)
        assert facts_of(found) == facts_of(result)
