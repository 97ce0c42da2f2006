"""The simulators of the vendors: what they count, what they forget, what they give back."""

import socket

import pytest

from facematch_core import FaceVerifier, Retention
from facematch_core.errors import (
    AuthenticationFailed,
    DeadlineExceeded,
    FaceMatchError,
    OutcomeUnknown,
    RateLimited,
    RequestRejected,
    UnexpectedResponse,
    VendorUnavailable,
)
from facematch_core.testing import SimulatorReply, Situation
from facematch_core.testing.simulator import STALLS
from facematch_mock_server import read_card
from facematch_mock_server.vendors.deepvue.simulator import DeepvueSimulator
from facematch_mock_server.vendors.didit.simulator import DiditSimulator

PLACES = {"probe", "reference"}
BOTH = pytest.mark.parametrize("make", [DiditSimulator, DeepvueSimulator])


def asked(simulator, backend=None):
    """One comparison of the prepared situation; the result or the error."""
    verifier = FaceVerifier(backend or simulator.backend())
    try:
        return verifier.verify(*simulator.pictures_for(simulator.situation), caller_ref="order 7")
    except FaceMatchError as error:
        return error
    finally:
        if backend is None:
            verifier.close()


@BOTH
def test_every_situation_is_met_or_has_a_reason(make):
    """Nothing is left open: what the vendor cannot do is said, in a sentence."""
    assert make.situations | set(make.cannot_happen) == set(Situation)
    assert not make.situations & set(make.cannot_happen)
    assert all(reason.endswith(".") for reason in make.cannot_happen.values())


@BOTH
def test_what_is_refused_is_counted_and_costs_nothing(make):
    """A refused call has reached the vendor."""
    with make() as simulator:
        simulator.set_situation(Situation.REJECTED)
        assert isinstance(asked(simulator), RequestRejected)
        assert (simulator.requests_seen, simulator.charges) == (1, 0)


@BOTH
def test_counters_go_on_when_the_situation_changes(make):
    """They count since the start, whatever the world forgets."""
    with make() as simulator:
        simulator.set_situation(Situation.SAME_PERSON)
        asked(simulator)
        simulator.set_situation(Situation.UNREADABLE_200)
        assert isinstance(asked(simulator), UnexpectedResponse)
        simulator.set_situation(Situation.UNREACHABLE)
        assert isinstance(asked(simulator), VendorUnavailable)
        assert (simulator.requests_seen, simulator.charges) == (2, 2)


@BOTH
@pytest.mark.parametrize("situation", sorted(DeepvueSimulator.situations))
def test_no_situation_outlives_the_next_one(make, situation):
    """Whatever it was, one backend finds everything as it should be right after it."""
    with make() as simulator, FaceVerifier(simulator.backend()) as verifier:
        if situation not in STALLS:
            simulator.set_situation(situation, score=12.5 if situation is Situation.SCORE else None)
            asked(simulator, verifier.backend)
        simulator.set_situation(Situation.SAME_PERSON)
        before = simulator.requests_seen
        assert asked(simulator, verifier.backend).is_match
        assert simulator.requests_seen == before + 1


@BOTH
def test_it_comes_back_at_the_same_port(make):
    """While nobody listens, nobody else can have it."""
    with make() as simulator:
        backend = simulator.backend()
        port = int(backend.base_url.rpartition(":")[2])
        simulator.set_situation(Situation.UNREACHABLE)
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", port))
        simulator.set_situation(Situation.SAME_PERSON)
        assert asked(simulator, backend).is_match
        backend.close()


@BOTH
def test_nothing_is_left_of_a_closed_one(make):
    """Neither a port nor a backend; closed twice is closed."""
    with make() as simulator:
        port = int(simulator.backend().base_url.rpartition(":")[2])
    simulator.__exit__()
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
    with pytest.raises(RuntimeError, match="with statement"):
        simulator.backend()


@BOTH
def test_it_tells_the_pictures_by_their_places(make):
    """The bytes as they arrived, of a comparison and of a check."""
    with make() as simulator, FaceVerifier(simulator.backend()) as verifier:
        assert simulator.received == {}
        simulator.set_situation(Situation.SAME_PERSON)
        probe, reference = simulator.pictures_for(Situation.SAME_PERSON)
        verifier.verify(probe, reference)
        limits = verifier.backend.capabilities.image_limits
        sent = {"probe": probe.prepared(limits).data, "reference": reference.prepared(limits).data}
        assert sent.items() <= simulator.received.items()
        verifier.check_liveness(reference)
        assert simulator.received["probe"] == sent["reference"]
        assert "reference" not in simulator.received


def test_didit_tells_what_it_understood():
    """In the words of `verify`, not in those of its form."""
    with DiditSimulator() as simulator, FaceVerifier(simulator.backend()) as verifier:
        simulator.set_situation(Situation.SAME_PERSON)
        verifier.verify(
            *simulator.pictures_for(Situation.SAME_PERSON),
            threshold=61.5,
            rotate=True,
            metadata={"desk": 3},
        )
        told = {name: simulator.received[name] for name in simulator.received if name not in PLACES}
        assert told == {
            "threshold": 61.5,
            "rotate": True,
            "retention": Retention.MINIMAL,
            "caller_ref": None,
            "metadata": {"desk": 3},
        }


def test_didits_records_stay_for_the_same_situation():
    """A second call is beside the first, and another situation begins with none."""
    with DiditSimulator() as simulator, FaceVerifier(simulator.backend()) as verifier:
        for _ in range(2):
            simulator.set_situation(Situation.SAME_PERSON)
            verifier.verify(
                *simulator.pictures_for(Situation.SAME_PERSON), retention=Retention.KEEP
            )
        assert len(simulator.control.sessions.all()) == 2
        simulator.set_situation(Situation.DIFFERENT_PEOPLE)
        assert not simulator.control.sessions.all()
        assert simulator.charges == 2


def test_deepvues_login_is_no_call():
    """Neither one that is let in nor one that is refused."""
    with DeepvueSimulator() as simulator:
        simulator.set_situation(Situation.BAD_KEY)
        assert isinstance(asked(simulator), AuthenticationFailed)
        assert (simulator.requests_seen, simulator.charges) == (0, 0)


def test_deepvues_token_is_known_before_it_is_given(monkeypatch):
    """It is the one that every login gets, so that it can be looked for in what is written."""
    sent = []
    with DeepvueSimulator() as simulator:
        *_, token = simulator.secrets
        simulator.set_situation(Situation.SAME_PERSON)
        handle = simulator._between._engine.handle
        monkeypatch.setattr(
            simulator._between._engine, "handle", lambda r: sent.append(r) or handle(r)
        )
        for _ in range(2):
            assert asked(simulator).is_match
        bearers = {r.header("authorization") for r in sent if r.path != "/v1/authorize"}
        assert bearers == {f"Bearer {token}"}


def test_what_no_document_has_is_in_the_answer():
    """Altered on its way, and nothing else of it."""
    with DiditSimulator() as simulator:
        simulator.set_situation(Situation.UNKNOWN_STATUS)
        result = asked(simulator)
        assert result.vendor_status == simulator.unknown_status
        assert (result.ids.caller, result.score.value > 90) == ("order 7", True)


@BOTH
def test_its_pictures_are_test_cards(make):
    """Of nobody: a card that goes to a real vendor by mistake is told."""
    with make() as simulator:
        for situation in simulator.situations:
            assert all(read_card(image.data) for image in simulator.pictures_for(situation))


@BOTH
@pytest.mark.parametrize("stall", [Situation.DRIPPING, Situation.ENDLESS])
def test_an_answer_without_an_end_goes_on_until_the_client_is_gone(make, stall):
    """It begins as a good one does, and no length is told."""
    with make() as simulator:
        simulator.set_situation(stall)
        with FaceVerifier(simulator.backend()) as verifier:
            pictures = simulator.pictures_for(stall)
            with pytest.raises(DeadlineExceeded):
                verifier.verify(*pictures, deadline_s=0.3)
            simulator.set_situation(Situation.SAME_PERSON)
            assert verifier.verify(*pictures).is_match


@BOTH
def test_a_reply_that_is_made_up_is_given_word_for_word(make):
    """In the place of the world's own, until the next situation; the last one is kept."""
    with make() as simulator, FaceVerifier(simulator.backend()) as verifier:
        simulator.set_reply(SimulatorReply(status=418, body={"tea": "only"}))
        pictures = simulator.pictures_for(Situation.SAME_PERSON)
        with pytest.raises(FaceMatchError) as caught:
            verifier.verify(*pictures)
        assert caught.value.status_code == 418
        assert (simulator.last_reply.status, simulator.last_reply.content) == (
            418,
            b'{"tea": "only"}',
        )
        simulator.set_situation(Situation.SAME_PERSON)
        assert verifier.verify(*pictures).is_match
        assert simulator.last_reply.status == 200


@pytest.mark.parametrize(
    ("situation", "error"),
    [
        (Situation.THROTTLED, RateLimited),
        (Situation.REJECTED, RequestRejected),
        (Situation.LOST_ANSWER, OutcomeUnknown),
        (Situation.DRIPPING, DeadlineExceeded),
    ],
)
def test_a_fault_strikes_at_the_step_that_is_named(situation, error):
    """What was asked before it is answered as if nothing were wrong."""
    with DiditSimulator() as simulator, FaceVerifier(simulator.backend()) as verifier:
        simulator.set_situation(situation, step=3)
        pictures = simulator.pictures_for(situation)
        assert [verifier.verify(*pictures).is_match for _ in range(2)] == [True, True]
        with pytest.raises(error):
            verifier.verify(*pictures, deadline_s=0.3)
        assert simulator.requests_seen == 3
