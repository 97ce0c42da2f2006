"""Waiting on the clock that was handed in: for a session to appear, and for a person's word."""

import pytest

from facematch_core import Decision, RateLimited, VendorUnavailable
from facematch_didit.account import SessionNotFound, SessionStatus

ID = "3c9a1f70-5d2e-4b8a-9f11-6a0e2d7c4b35"
NOT_FOUND = (404, {"detail": "Not found."})
BUSY = (502, b"<html>")
SLOW_DOWN = (429, {"detail": "Slow down."}, {"Retry-After": "30"})


def standing(status):
    block = {"status": status, "score": 60, "warnings": []}
    return (200, {"session_id": ID, "status": status, "face_matches": [block]})


def test_a_session_that_was_just_kept(scripted, clock):
    """A 404 is asked again twice, within two seconds."""
    account, script = scripted(NOT_FOUND, NOT_FOUND, standing("Approved"))
    assert account.decision(ID, just_kept=True).matches[0].decision is Decision.MATCH
    assert len(script.seen) == 3
    assert sum(clock.slept) == 2


def test_a_session_that_never_comes(scripted, clock):
    """Then the 404 counts."""
    account, script = scripted(NOT_FOUND)
    with pytest.raises(SessionNotFound):
        account.decision(ID, just_kept=True)
    assert len(script.seen) == 3
    with pytest.raises(SessionNotFound):
        account.decision(ID)
    assert len(script.seen) == 4


def test_until_a_person_has_looked(scripted, clock):
    """It is asked every `poll_s` seconds until the status is final."""
    account, script = scripted(*[standing("In Review")] * 3, standing("Declined"))
    decision = account.wait_for_review(ID, timeout_s=600, poll_s=10)
    assert decision.status is SessionStatus.DECLINED
    assert clock.slept == [10, 10, 10]
    assert len(script.seen) == 4


def test_the_time_is_over(scripted, clock):
    """The session as it stands then, which is no pass; the last look is at the very end."""
    account, script = scripted(standing("In Review"))
    decision = account.wait_for_review(ID, timeout_s=25, poll_s=10)
    assert decision.is_open
    assert decision.matches[0].decision is Decision.REVIEW
    assert clock.slept == [10, 10, 5]
    assert len(script.seen) == 4


def test_one_look(scripted, clock):
    """Without time there is one look and no pause."""
    account, script = scripted(standing("In Review"))
    assert account.wait_for_review(ID, timeout_s=0).is_open
    assert (clock.slept, len(script.seen)) == ([], 1)


def test_faults_are_waited_out(scripted, clock):
    """A gateway's error, and a rate limit for as long as it says."""
    account, _ = scripted(BUSY, SLOW_DOWN, standing("Approved"))
    assert account.wait_for_review(ID, timeout_s=600, poll_s=10).status is SessionStatus.APPROVED
    assert clock.slept == [10, 30]


@pytest.mark.parametrize(
    ("answer", "error", "slept"),
    [(BUSY, VendorUnavailable, [10, 10]), (SLOW_DOWN, RateLimited, [])],
)
def test_a_fault_at_the_end(answer, error, slept, scripted, clock):
    """It is raised, and sooner if the vendor asks for more patience than is left."""
    account, _ = scripted(answer)
    with pytest.raises(error):
        account.wait_for_review(ID, timeout_s=20, poll_s=10)
    assert clock.slept == slept


def test_what_waiting_does_not_mend(scripted, clock):
    """Neither an unknown session nor an unknown status is waited for."""
    account, _ = scripted(NOT_FOUND)
    with pytest.raises(SessionNotFound):
        account.wait_for_review(ID, timeout_s=600)
    account, _ = scripted(standing("Suspended"))
    assert account.wait_for_review(ID, timeout_s=600).vendor_status == "Suspended"
    assert clock.slept == []
