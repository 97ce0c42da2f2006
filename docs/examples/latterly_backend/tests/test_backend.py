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
    OutcomeUnknown,
    Reconciled,
    UnexpectedResponse,
    WarningCode,
)
from facematch_core.testing import ManualClock, SimulatorReply, Situation, noise

from facematch_latterly._backend import job_result
from facematch_latterly._simulator import RUNNING, LatterlySimulator

PICTURES: tuple[Image, Image] = (noise(1), noise(2))
ASKED = 1 + RUNNING + 1


@pytest.fixture
def latterly() -> Iterator[LatterlySimulator]:
    with LatterlySimulator() as latterly:
        yield latterly


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def verifier(latterly: LatterlySimulator, clock: ManualClock) -> Iterator[FaceVerifier]:
    with FaceVerifier(latterly.backend(), clock=clock) as verifier:
        yield verifier


def test_it_waits_until_the_job_is_done(
    latterly: LatterlySimulator, clock: ManualClock, verifier: FaceVerifier
) -> None:
    """As long as Latterly asks for; one job is one charge, however often it was asked about."""
    latterly.set_situation(Situation.SAME_PERSON)
    result = verifier.verify(*PICTURES)
    assert (result.decision, result.ids.vendor) == (Decision.MATCH, "job_1")
    assert (result.billing.charged, result.billing.charges) == (Charged.YES, 1)
    assert clock.slept == [1.0, 1.0]


def test_latterly_forgets_a_job_that_was_heard_to_its_end(
    latterly: LatterlySimulator, verifier: FaceVerifier
) -> None:
    """One that was lost it keeps, for `reconcile`."""
    latterly.set_situation(Situation.SAME_PERSON)
    assert verifier.verify(*PICTURES).warnings == ()
    assert latterly.jobs == set()
    latterly.set_situation(Situation.NEVER_DONE)
    with pytest.raises(DeadlineExceeded):
        verifier.verify(*PICTURES, deadline_s=30)
    assert latterly.jobs == {"job_2"}


@pytest.mark.parametrize(
    ("refusal", "waits"), [(Situation.THROTTLED, [1, 2, 1]), (Situation.OUTAGE, [1, 1, 1])]
)
def test_a_refused_question_is_asked_again(
    latterly: LatterlySimulator,
    clock: ManualClock,
    verifier: FaceVerifier,
    refusal: Situation,
    waits: list[float],
) -> None:
    """The job is paid for, and goes on meanwhile."""
    latterly.set_situation(refusal, step=2)
    result = verifier.verify(*PICTURES)
    assert (result.decision, result.billing.charges) == (Decision.MATCH, 1)
    assert latterly.requests_seen == ASKED + 1
    assert clock.slept == waits


def test_a_lost_job_is_found_by_its_id(latterly: LatterlySimulator, verifier: FaceVerifier) -> None:
    """The error carries the id and the bill, and reconciling costs nothing more."""
    latterly.set_situation(Situation.NEVER_DONE)
    with pytest.raises(DeadlineExceeded) as lost:
        verifier.verify(*PICTURES, deadline_s=30)
    assert (lost.value.ids.vendor, lost.value.reconcilable) == ("job_1", True)
    assert (lost.value.billing.charged, lost.value.billing.charges) == (Charged.YES, 1)
    assert verifier.reconcile(lost.value).outcome is Reconciled.NOT_YET
    latterly.set_situation(Situation.SAME_PERSON)
    found = verifier.reconcile(lost.value)
    assert found.outcome is Reconciled.FOUND
    assert isinstance(found.result, MatchResult)
    assert (found.result.decision, found.result.ids.vendor) == (Decision.MATCH, "job_1")
    assert latterly.charges == 1


def test_a_job_whose_acceptance_was_lost(
    latterly: LatterlySimulator, verifier: FaceVerifier
) -> None:
    """Latterly never said its id, so nobody can ask; it may have been charged."""
    latterly.set_situation(Situation.LOST_ANSWER, step=1)
    with pytest.raises(OutcomeUnknown) as lost:
        verifier.verify(*PICTURES)
    assert (lost.value.ids.vendor, lost.value.billing.charged) == (None, Charged.UNKNOWN)
    assert verifier.reconcile(lost.value).outcome is Reconciled.CANNOT_KNOW


def test_a_job_that_latterly_does_not_know(
    latterly: LatterlySimulator, verifier: FaceVerifier
) -> None:
    """It forgets them after a day."""
    latterly.set_situation(Situation.NEVER_DONE)
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


def test_an_unknown_state_is_not_waited_for(
    latterly: LatterlySimulator, verifier: FaceVerifier
) -> None:
    """Nobody knows whether such a job ever ends."""
    latterly.set_reply(SimulatorReply(body={"id": "job_1", "state": "paused"}), step=2)
    with pytest.raises(UnexpectedResponse) as odd:
        verifier.verify(*PICTURES)
    assert (odd.value.billing.charges, odd.value.ids.vendor) == (1, "job_1")
    assert latterly.requests_seen == 2


def test_an_answer_that_cannot_be_read(latterly: LatterlySimulator, verifier: FaceVerifier) -> None:
    """What was paid is said, and for which job."""
    latterly.set_situation(Situation.UNREADABLE_200, step=2)
    with pytest.raises(UnexpectedResponse) as odd:
        verifier.verify(*PICTURES)
    assert (odd.value.billing.charges, odd.value.ids.vendor) == (1, "job_1")
