"""An answer that is lost, and found again in the records of the mock server."""

import pickle

import attrs
import pytest

from facematch_core import (
    CallRecord,
    Charged,
    Decision,
    EventKind,
    FaceVerifier,
    Image,
    OutcomeUnknown,
    Reconciled,
    Retention,
    UnexpectedResponse,
)
from facematch_didit import DiditBackend
from facematch_mock_server import Fault, Kind, Stage, card_sheet

SHEET = card_sheet()
PROBE, REFERENCE, OTHER = (Image.from_bytes(SHEET[name].data) for name in ("p1", "p1-again", "p2"))
MINE = {"gate": "north", "n": [1, None]}


class Now:
    """The mock's own time as a clock, so that no test depends on the machine's."""

    def __init__(self, mock):
        self._mock, self._ticks = mock, 0.0

    def now(self):
        return self._mock.control.now()

    def monotonic(self):
        self._ticks += 0.001
        return self._ticks

    def sleep(self, seconds):
        self._ticks += seconds


@pytest.fixture
def verifier(mock):
    backend = DiditBackend(api_key=mock.live_key, base_url=mock.url)
    with FaceVerifier(backend, clock=Now(mock)) as opened:
        yield opened


def lose(mock, ask):
    """Make a call whose answer breaks off in the middle of its body; its error."""
    mock.control.add_fault(Fault(stage=Stage.MID_BODY, kind=Kind.RESET))
    with pytest.raises(OutcomeUnknown) as caught:
        ask()
    return caught.value


@pytest.mark.parametrize("operation", ["verify", "check_liveness"])
def test_a_lost_answer_is_found(mock, verifier, operation):
    """What the call would have answered, after one charge and no second one."""
    pictures = (PROBE, REFERENCE) if operation == "verify" else (PROBE,)
    more = {"retention": Retention.KEEP, "caller_ref": "case 7", "metadata": MINE, "threshold": 60}

    def ask():
        return getattr(verifier, operation)(*pictures, **more)

    error = lose(mock, ask)
    told = verifier.reconcile(pickle.loads(pickle.dumps(error)))
    assert told.outcome is Reconciled.FOUND, told.reason
    assert len(mock.control.charges()) == 1
    twin, result = ask(), told.result
    assert result.ids.call == error.ids.call
    assert (result.ids.caller, result.metadata) == ("case 7", MINE)
    assert result.billing.charged is Charged.YES
    assert result.ids.session != twin.ids.session
    for name in ("decision", "score", "threshold", "warnings", "environment", "backend"):
        assert getattr(result, name) == getattr(twin, name), name


def test_among_many_calls_the_right_one_is_found(mock, verifier):
    """Neighbours in time with other ids, one of them of the same caller."""
    keep = {"retention": Retention.KEEP, "caller_ref": "case 7"}
    verifier.verify(PROBE, REFERENCE, **keep)
    error = lose(mock, lambda: verifier.verify(PROBE, OTHER, **keep))
    verifier.verify(PROBE, REFERENCE, **keep)
    told = verifier.reconcile(error.call)
    assert (told.outcome, told.result.decision) == (Reconciled.FOUND, Decision.NO_MATCH)
    assert len(mock.control.charges()) == 3


def test_an_attempt_survives_a_crash_as_json(mock):
    """What an event told before the crash is enough, also without the caller's reference."""
    written = []

    def write(event):
        if event.kind is EventKind.SENT:
            written.append(event.call.to_dict())

    settings = {"api_key": mock.live_key, "base_url": mock.url}
    with FaceVerifier(DiditBackend(**settings), clock=Now(mock), on_event=write) as first:
        lose(mock, lambda: first.verify(PROBE, REFERENCE, retention="keep", caller_ref="case 7"))
    with FaceVerifier(DiditBackend(**settings), clock=Now(mock)) as second:
        told = second.reconcile(CallRecord.from_dict(written[0]))
    assert (told.outcome, told.result.ids.caller) == (Reconciled.FOUND, "case 7")


def test_what_never_arrived_is_not_there(mock, verifier):
    """A call that the vendor did not carry out is not in its records, and was not charged."""
    fault = Fault(stage=Stage.AFTER_UPLOAD, kind=Kind.RESET, executed=False)
    mock.control.add_fault(fault)
    with pytest.raises(OutcomeUnknown) as caught:
        verifier.verify(PROBE, REFERENCE, retention=Retention.KEEP)
    told = verifier.reconcile(caught.value)
    assert (told.outcome, mock.control.charges()) == (Reconciled.NOT_YET, ())


def test_what_was_not_kept_cannot_be_known(mock, verifier):
    """It was charged, and nobody can tell."""
    error = lose(mock, lambda: verifier.verify(PROBE, REFERENCE))
    assert verifier.reconcile(error).outcome is Reconciled.CANNOT_KNOW
    assert len(mock.control.charges()) == 1


def test_a_200_that_nobody_can_read_is_found_as_well(mock, verifier):
    """It is paid for; the record tells what it said."""
    fault = Fault(stage=Stage.ANSWER, kind=Kind.WRONG_JSON, status=200, executed=True)
    mock.control.add_fault(fault)
    with pytest.raises(UnexpectedResponse) as caught:
        verifier.verify(PROBE, REFERENCE, retention=Retention.KEEP)
    assert verifier.reconcile(caught.value).outcome is Reconciled.FOUND


def test_another_calls_id_is_never_taken(mock, verifier):
    """Same time, same caller, same pictures: without the id it is another call."""
    error = lose(mock, lambda: verifier.verify(PROBE, REFERENCE, retention=Retention.KEEP))
    stranger = attrs.evolve(error.call, id="00000000-0000-4000-8000-000000000001")
    assert verifier.reconcile(stranger).outcome is Reconciled.NOT_YET
