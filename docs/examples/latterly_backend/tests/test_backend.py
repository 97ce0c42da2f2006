"""How a job is waited for, and what becomes of one that is lost. No test waits: time is moved."""

from collections.abc import Iterator

import attrs
import pytest
from facematch_core import (
    Charged,
    DeadlineExceeded,
    Decision,
    FaceVerifier,
    Image,
    MatchResult,
    Reconciled,
    WarningCode,
)
from facematch_core.testing import ManualClock, Situation, noise

from facematch_latterly import _simulator
from facematch_latterly._backend import job_result

PICTURES: tuple[Image, Image] = (noise(1), noise(2))
Simulator = _simulator.LatterlySimulator


@pytest.fixture
def vendor() -> Iterator[Simulator]:
    with Simulator() as vendor:
        yield vendor


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def verifier(vendor: Simulator, clock: ManualClock) -> Iterator[FaceVerifier]:
    with FaceVerifier(vendor.backend(), clock=clock) as verifier:
        yield verifier


def test_it_waits_until_the_job_is_done(
    vendor: Simulator, clock: ManualClock, verifier: FaceVerifier
) -> None:
    """As long as the vendor asks for; one job is one charge, however often it was asked about."""
    vendor.set_situation(Situation.SAME_PERSON)
    result = verifier.verify(*PICTURES)
    assert (result.decision, result.ids.vendor) == (Decision.MATCH, "job_1")
    assert (result.billing.charged, result.billing.charges) == (Charged.YES, 1)
    assert clock.slept == [1.0, 1.0]


def test_the_vendor_forgets_a_job_that_was_heard_to_its_end(
    vendor: Simulator, verifier: FaceVerifier
) -> None:
    """One that was lost it keeps, for `reconcile`."""
    vendor.set_situation(Situation.SAME_PERSON)
    assert verifier.verify(*PICTURES).warnings == ()
    assert vendor.jobs == set()
    vendor.set_situation(Situation.NEVER_DONE)
    with pytest.raises(DeadlineExceeded):
        verifier.verify(*PICTURES, deadline_s=30)
    assert vendor.jobs == {"job_2"}


@pytest.mark.parametrize(
    ("refusal", "waits"), [(Situation.THROTTLED, [1, 2, 1]), (Situation.OUTAGE, [1, 1, 1])]
)
def test_a_refused_question_is_asked_again(
    vendor: Simulator,
    clock: ManualClock,
    verifier: FaceVerifier,
    refusal: Situation,
    waits: list[float],
) -> None:
    """The job is paid for, and goes on meanwhile."""
    vendor.set_situation(refusal, step=2)
    result = verifier.verify(*PICTURES)
    assert (result.decision, result.billing.charges) == (Decision.MATCH, 1)
    assert vendor.requests_seen == 2 + _simulator.RUNNING + 1
    assert clock.slept == waits


def test_a_lost_job_is_found_by_its_id(vendor: Simulator, verifier: FaceVerifier) -> None:
    """The error carries the id and the bill, and reconciling costs nothing more."""
    vendor.set_situation(Situation.NEVER_DONE)
    with pytest.raises(DeadlineExceeded) as lost:
        verifier.verify(*PICTURES, deadline_s=30)
    assert (lost.value.ids.vendor, lost.value.reconcilable) == ("job_1", True)
    assert (lost.value.billing.charged, lost.value.billing.charges) == (Charged.YES, 1)
    assert verifier.reconcile(lost.value).outcome is Reconciled.NOT_YET
    vendor.set_situation(Situation.SAME_PERSON)
    answer = verifier.reconcile(lost.value)
    assert answer.outcome is Reconciled.FOUND
    assert isinstance(answer.result, MatchResult)
    assert (answer.result.decision, answer.result.ids.vendor) == (Decision.MATCH, "job_1")
    assert vendor.charges == 1


def test_a_job_that_the_vendor_does_not_know(vendor: Simulator, verifier: FaceVerifier) -> None:
    """It forgets them after a day."""
    vendor.set_situation(Situation.NEVER_DONE)
    with pytest.raises(DeadlineExceeded) as lost:
        verifier.verify(*PICTURES, deadline_s=30)
    assert lost.value.call is not None
    forgotten = attrs.evolve(lost.value.call, vendor_id="job_0")
    assert verifier.reconcile(forgotten).outcome is Reconciled.CANNOT_KNOW


@pytest.mark.parametrize(
    ("reason", "code"), [("no_face", WarningCode.NO_FACE), ("too dark", WarningCode.OTHER)]
)
def test_a_failed_job_says_nothing_about_the_people(reason: str, code: WarningCode) -> None:
    """Whatever its reason is."""
    result = job_result({"id": "job_1", "state": "failed", "reason": reason}, None)
    assert (result.decision, result.score) == (Decision.INCONCLUSIVE, None)
    assert [warning.code for warning in result.warnings] == [code]
