"""Every fault of the mock through the backend: the documented error, and what it says of money.

The mock's ledger is the other side of the bill: it shows what the call really cost.
"""

import itertools
import time

import pytest

from facematch_core import (
    Billed,
    Decision,
    FaceVerifier,
    Image,
    LivenessDecision,
    Operation,
    Retention,
)
from facematch_core.errors import (
    AuthenticationFailed,
    DeadlineExceeded,
    OutcomeUnknown,
    PermissionDenied,
    RateLimited,
    RequestRejected,
    UnexpectedResponse,
    VendorError,
    VendorUnavailable,
)
from facematch_didit import DiditBackend
from facematch_mock_server import Fault, Kind, MockServer, Stage, card_sheet
from facematch_mock_server.faults import CARRIED_OUT, POSSIBLE

UNKNOWN = (OutcomeUnknown, Billed.UNKNOWN)
LATE = (DeadlineExceeded, Billed.UNKNOWN)
FINE = (None, Billed.YES)
UNREADABLE = (UnexpectedResponse, Billed.YES)

#: In time, and never; a fault without a time has None.
SOON_S, NEVER_S = 0.01, 3600.0
#: For calls that are to end by themselves, and for those that never do.
PATIENT_S, DEADLINE_S = 20.0, 0.4

#: What a fault ends in: (stage, kind, executed, seconds) -> (error or None, billed). `executed`
#: changes no answer, only the ledger; None stands for both.
ON_THE_WIRE = {
    # A reset may overtake the end of connect(), and then nothing was sent.
    (Stage.CONNECT, Kind.RESET, None): (UNKNOWN, (VendorUnavailable, Billed.NO)),
    (Stage.CONNECT, Kind.TRUNCATE, None): (UNKNOWN,),
    (Stage.CONNECT, Kind.DELAY, SOON_S): (FINE,),
    (Stage.CONNECT, Kind.DELAY, NEVER_S): (LATE,),
    (Stage.MID_UPLOAD, Kind.RESET, None): (UNKNOWN,),
    (Stage.MID_UPLOAD, Kind.TRUNCATE, None): (UNKNOWN,),
    (Stage.AFTER_UPLOAD, Kind.RESET, None): (UNKNOWN,),
    (Stage.AFTER_UPLOAD, Kind.TRUNCATE, None): (UNKNOWN,),
    (Stage.AFTER_UPLOAD, Kind.GARBAGE, None): (UNKNOWN,),
    (Stage.AFTER_UPLOAD, Kind.DELAY, SOON_S): (FINE,),
    (Stage.AFTER_UPLOAD, Kind.DELAY, NEVER_S): (LATE,),
    (Stage.MID_HEADERS, Kind.RESET, None): (UNKNOWN,),
    (Stage.MID_HEADERS, Kind.TRUNCATE, None): (UNKNOWN,),
    (Stage.MID_HEADERS, Kind.GARBAGE, None): (UNKNOWN,),
    (Stage.MID_HEADERS, Kind.DRIBBLE, 0.0): (FINE,),
    (Stage.MID_HEADERS, Kind.DRIBBLE, NEVER_S): (LATE,),
    (Stage.MID_BODY, Kind.RESET, None): (UNKNOWN,),
    (Stage.MID_BODY, Kind.TRUNCATE, None): (UNKNOWN,),
    (Stage.MID_BODY, Kind.DRIBBLE, 0.0): (FINE,),
    (Stage.MID_BODY, Kind.DRIBBLE, NEVER_S): (LATE,),
}

#: What an answer of another kind ends in: (kind, status) -> (error, billed).
ANSWERS = {
    (Kind.HTML, 200): UNREADABLE,
    (Kind.WRONG_JSON, 200): UNREADABLE,
    (Kind.STATUS, 200): UNREADABLE,
    # Some gateway's refusal: it says nothing about the key.
    (Kind.HTML, 403): (PermissionDenied, Billed.NO),
    (Kind.HTML, 429): (RateLimited, Billed.NO),
    (Kind.HTML, 500): UNKNOWN,
    (Kind.HTML, 502): UNKNOWN,
    (Kind.HTML, 504): UNKNOWN,
    (Kind.WRONG_JSON, 400): (RequestRejected, Billed.NO),
    (Kind.WRONG_JSON, 502): UNKNOWN,
    # A body in the form of Didit's errors is believed, but not where it is a gateway's status.
    (Kind.JSON, 200): UNREADABLE,
    (Kind.JSON, 400): (RequestRejected, Billed.NO),
    (Kind.JSON, 500): (VendorUnavailable, Billed.NO),
    (Kind.JSON, 502): UNKNOWN,
    (Kind.JSON, 503): (VendorUnavailable, Billed.NO),
    (Kind.JSON, 504): UNKNOWN,
    (Kind.STATUS, 400): (RequestRejected, Billed.NO),
    (Kind.STATUS, 401): (AuthenticationFailed, Billed.NO),
    (Kind.STATUS, 403): (AuthenticationFailed, Billed.NO),
    (Kind.STATUS, 404): (RequestRejected, Billed.NO),
    (Kind.STATUS, 405): (RequestRejected, Billed.NO),
    (Kind.STATUS, 413): (RequestRejected, Billed.NO),
    (Kind.STATUS, 415): (RequestRejected, Billed.NO),
    (Kind.STATUS, 429): (RateLimited, Billed.NO),
    # The mock answers these with a page of HTML, because no document tells Didit's words.
    (Kind.STATUS, 500): UNKNOWN,
    (Kind.STATUS, 502): UNKNOWN,
    (Kind.STATUS, 503): UNKNOWN,
    (Kind.STATUS, 504): UNKNOWN,
}

CASES = [
    *((stage, kind, s, 502, ends) for (stage, kind, s), ends in ON_THE_WIRE.items()),
    *((Stage.ANSWER, kind, None, status, (end,)) for (kind, status), end in ANSWERS.items()),
]
#: With whether the call is carried out: where the stage leaves no choice, as it does.
WHOLE_CASES = [
    (executed, *case)
    for case in CASES
    for executed in (False, True)
    if CARRIED_OUT.get(case[0], executed) is executed
]
OWN = {"detail": "The body of a test."}


@pytest.fixture(scope="module")
def mock():
    """One server; each test begins its world anew."""
    with MockServer(seed=5) as server:
        yield server


@pytest.fixture
def verifier(mock):
    """A verifier that asks it; a new one has no connection yet, so it meets every fault."""
    with FaceVerifier(DiditBackend(api_key=mock.live_key, base_url=mock.url)) as opened:
        yield opened


@pytest.fixture(scope="module")
def cards():
    """Two pictures of one person."""
    return tuple(Image.from_bytes(card_sheet()[name].data) for name in ("p1", "p1-again"))


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
            return type(error), error.billed
        return None, result.billed

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
    if end[1] is Billed.NO and charges:
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
    assert len(mock.control.sessions()) == keep


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
