"""Waiting on the clock that was handed in, for a session to appear."""

import pytest

from facematch_core import Decision
from facematch_didit.account import SessionNotFound

ID = "3c9a1f70-5d2e-4b8a-9f11-6a0e2d7c4b35"
NOT_FOUND = (404, {"detail": "Not found."})


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
