"""Every fault of the mock through the backend: the documented error, and what it says of money.

The mock's ledger is the other side of the bill: it shows what the call really cost.
"""

import itertools
import time

import pytest
from kit.mock_didit_faults import (
    CASES,
    DEADLINE_S,
    FINE,
    LATE,
    OWN,
    PATIENT_S,
    UNKNOWN,
    WHOLE_CASES,
)

from facematch_core import (
    Charged,
    Decision,
    LivenessDecision,
    Operation,
    Retention,
)
from facematch_core.errors import OutcomeUnknown, VendorError
from facematch_mock_server import Fault, Kind, Stage
from facematch_mock_server.faults import POSSIBLE


@pytest.fixture
def ask(verifier, cards):
    """Makes a call, and gives its error (or None) and what it says of money."""
    probe, reference = cards

    def make(operation, deadline_s=PATIENT_S):
        try:
            if operation is Operation.MATCH:
                result = verifier.verify(probe, reference, deadline_s=deadline_s)
                assert result.decision is Decision.MATCH
            else:
                result = verifier.check_liveness(probe, deadline_s=deadline_s)
                assert result.decision is LivenessDecision.LIVE
        except VendorError as error:
            return type(error), error.billing.charged
        return None, result.billing.charged

    return make


def test_the_tables_are_whole():
    """Every kind of fault at every stage where it is possible has its row."""
    rows = {(stage, kind) for stage, kind, *_ in CASES}
    assert rows == {(stage, kind) for stage, kinds in POSSIBLE.items() for kind in kinds}


@pytest.mark.parametrize("operation", [Operation.MATCH, Operation.LIVENESS])
@pytest.mark.parametrize(
    ("executed", "stage", "kind", "seconds", "status", "ends"),
    WHOLE_CASES,
    ids=["-".join(str(part) for part in case[:5] if part is not None) for case in WHOLE_CASES],
)
def test_every_fault_ends_as_documented(  # noqa: PLR0917 - fixtures and parameters
    mock, ask, executed, stage, kind, seconds, status, ends, operation
):
    """The right error, the right `billed`, and never more than one charge for one call."""
    mock.control.reset()
    more = {"body": OWN} if kind is Kind.JSON else {}
    seconds = seconds or 0.0
    mock.control.add_fault(
        Fault(stage=stage, kind=kind, seconds=seconds, status=status, executed=executed, **more)
    )
    end = ask(operation, DEADLINE_S if LATE in ends else PATIENT_S)
    assert end in ends
    assert mock.control.faults() == ()
    charges = len(mock.control.charges())
    assert charges == (end == FINE or executed)
    if end[1] is Charged.NO and charges:
        # A vendor that charges for an answer for which it says it does not: only a test of such
        # a vendor asks for that.
        assert (stage, kind, executed) in {(Stage.ANSWER, one, True) for one in Kind}
        assert 400 <= status < 500 or kind is Kind.JSON


@pytest.mark.parametrize("stage", [Stage.MID_HEADERS, Stage.MID_BODY])
@pytest.mark.parametrize("deadline_s", [0.3, 0.5])
def test_a_dribbling_answer_ends_at_the_deadline(mock, ask, stage, deadline_s):
    """However steadily bytes come, the call ends when the caller said so."""
    mock.control.reset()
    # The answer is never whole in less than five seconds.
    mock.control.add_fault(Fault(stage=stage, kind=Kind.DRIBBLE, seconds=0.05))
    begun = time.monotonic()
    assert ask(Operation.MATCH, deadline_s) == LATE
    assert deadline_s - 0.01 <= time.monotonic() - begun < deadline_s + 2
    assert len(mock.control.charges()) == 1


def test_an_unknown_outcome_is_not_asked_again(mock, ask):
    """One logical call is one request, even where the next one would succeed."""
    mock.control.reset()
    mock.control.add_fault(Fault(stage=Stage.AFTER_UPLOAD, kind=Kind.RESET, executed=True))
    assert ask(Operation.MATCH) == UNKNOWN
    requests = [entry for entry in mock.control.journal() if entry.status is not None]
    assert len(requests) == 1
    assert ask(Operation.MATCH) == FINE
    assert len(mock.control.charges()) == 2


@pytest.mark.parametrize("keep", [False, True])
def test_an_unknown_outcome_says_whether_it_can_be_found_out(mock, verifier, cards, keep):
    """What the vendor kept can be looked up later; what it was told to forget cannot."""
    mock.control.reset()
    mock.control.add_fault(Fault(stage=Stage.MID_BODY, kind=Kind.RESET))
    retention = Retention.KEEP if keep else Retention.MINIMAL
    with pytest.raises(OutcomeUnknown) as caught:
        verifier.verify(*cards, retention=retention)
    assert caught.value.reconcilable is keep
    assert len(mock.control.sessions.all()) == keep


def test_a_verifier_lives_on_after_every_fault(mock, ask):
    """Faults one after the other over one verifier's connections, then a call that is fine."""
    mock.control.reset()
    kinds = itertools.chain.from_iterable(
        ((stage, kind) for kind in sorted(kinds)) for stage, kinds in POSSIBLE.items()
    )
    for stage, kind in kinds:
        body = OWN if kind is Kind.JSON else None
        mock.control.add_fault(Fault(stage=stage, kind=kind, seconds=0.0, body=body))
        ask(Operation.MATCH)
    mock.control.clear_faults()
    assert ask(Operation.MATCH) == FINE
