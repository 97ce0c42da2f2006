"""Repeating calls at a mock that fails in every way: never more than one charge for one call."""

import pytest
from kit.mock_didit_faults import CASES, DEADLINE_S, FINE, LATE, OWN, WHOLE_CASES

from facematch_core import Charged, Decision, FaceVerifier
from facematch_core.errors import RateLimited, VendorError, VendorUnavailable
from facematch_core.resilience import Retry
from facematch_core.testing import ManualClock
from facematch_didit import DiditBackend
from facematch_mock_server import Fault, Kind, Stage

TRIES = 3
#: What may be made again; all others end the call.
AGAIN = {(VendorUnavailable, Charged.NO), (RateLimited, Charged.NO)}


@pytest.fixture
def ask(mock, cards):
    """Makes one call with retries, on a clock for which nobody waits; its error and its bill."""

    def make(deadline_s=None):
        backend = DiditBackend(api_key=mock.live_key, base_url=mock.url)
        retries = Retry(times=TRIES - 1, longest_s=100)
        with FaceVerifier(backend, retry=retries, clock=ManualClock()) as verifier:
            try:
                result = verifier.verify(*cards, deadline_s=deadline_s)
            except VendorError as error:
                return type(error), error.billing.charged
            assert result.decision is Decision.MATCH
            return None, result.billing.charged

    return make


def fault(stage, kind, seconds, status, **more):
    """One that strikes once, unless told otherwise."""
    body = {"body": OWN} if kind is Kind.JSON else {}
    return Fault(stage=stage, kind=kind, seconds=seconds or 0.0, status=status, **body, **more)


@pytest.mark.parametrize(
    ("executed", "stage", "kind", "seconds", "status", "ends"),
    WHOLE_CASES,
    ids=["-".join(str(part) for part in case[:5] if part is not None) for case in WHOLE_CASES],
)
def test_one_call_is_charged_once_whatever_fails(  # noqa: PLR0917 - fixtures and parameters
    mock, ask, executed, stage, kind, seconds, status, ends
):
    """A fault, then a vendor that works: what is certainly unpaid succeeds, all else ends."""
    mock.control.reset()
    mock.control.add_fault(fault(stage, kind, seconds, status, executed=executed))
    end = ask(DEADLINE_S if LATE in ends else None)
    possible = {FINE if one in AGAIN else one for one in ends}
    assert end in possible
    charges = len(mock.control.charges())
    if executed and set(ends) <= AGAIN:
        # A vendor that charges for an answer for which it says it does not: no client can know.
        assert stage is Stage.ANSWER
        assert charges == 2
    else:
        assert charges == (end == FINE or executed)


@pytest.mark.parametrize(
    ("stage", "kind", "seconds", "status", "ends"),
    [case for case in CASES if LATE not in case[4]],
    ids=["-".join(map(str, case[:4])) for case in CASES if LATE not in case[4]],
)
def test_a_fault_that_stays_ends_the_call(  # noqa: PLR0917 - fixtures and parameters
    mock, ask, stage, kind, seconds, status, ends
):
    """After so many tries, if they are unpaid, and else after one; with the same error."""
    mock.control.reset()
    mock.control.add_fault(fault(stage, kind, seconds, status, times=None))
    end = ask()
    mock.control.clear_faults()
    assert end in ends
    assert len(mock.control.charges()) <= 1
    if stage is Stage.ANSWER:
        requests = [entry for entry in mock.control.journal() if entry.status is not None]
        assert len(requests) == (TRIES if end in AGAIN else 1)
