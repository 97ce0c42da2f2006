"""The doubles of the vendors: what they count, what they forget, what they give back."""

import socket

import pytest

from facematch_core import FaceVerifier, Retention
from facematch_core.errors import (
    AuthenticationFailed,
    FaceMatchError,
    RequestRejected,
    UnexpectedResponse,
    VendorUnavailable,
)
from facematch_core.testing import Situation
from facematch_mock_server import read_card
from facematch_mock_server.vendors.deepvue.simulator import DeepvueDouble
from facematch_mock_server.vendors.didit.simulator import DiditDouble

PLACES = {"probe", "reference"}
BOTH = pytest.mark.parametrize("make", [DiditDouble, DeepvueDouble])


def asked(double, backend=None):
    """One comparison of the prepared situation; the result or the error."""
    verifier = FaceVerifier(backend or double.backend())
    try:
        return verifier.verify(*double.pictures_for(double.situation), caller_ref="order 7")
    except FaceMatchError as error:
        return error
    finally:
        if backend is None:
            verifier.close()


@BOTH
def test_every_situation_is_met_or_has_a_reason(make):
    """Nothing is left open: what the vendor cannot do is said, in a sentence."""
    assert make.situations | set(make.absent) == set(Situation)
    assert not make.situations & set(make.absent)
    assert all(reason.endswith(".") for reason in make.absent.values())


@BOTH
def test_what_is_refused_is_counted_and_costs_nothing(make):
    """A refused call has reached the vendor."""
    with make() as double:
        double.prepare(Situation.REJECTED)
        assert isinstance(asked(double), RequestRejected)
        assert (double.requests_seen, double.charges) == (1, 0)


@BOTH
def test_counters_go_on_when_the_situation_changes(make):
    """They count since the start, whatever the world forgets."""
    with make() as double:
        double.prepare(Situation.SAME_PERSON)
        asked(double)
        double.prepare(Situation.UNREADABLE_200)
        assert isinstance(asked(double), UnexpectedResponse)
        double.prepare(Situation.UNREACHABLE)
        assert isinstance(asked(double), VendorUnavailable)
        assert (double.requests_seen, double.charges) == (2, 2)


@BOTH
@pytest.mark.parametrize("situation", sorted(DeepvueDouble.situations))
def test_no_situation_outlives_the_next_one(make, situation):
    """Whatever it was, one backend finds everything as it should be right after it."""
    with make() as double, FaceVerifier(double.backend()) as verifier:
        if situation is not Situation.SLOW:
            double.prepare(situation, score=12.5 if situation is Situation.SCORE else None)
            asked(double, verifier.backend)
        double.prepare(Situation.SAME_PERSON)
        before = double.requests_seen
        assert asked(double, verifier.backend).is_match
        assert double.requests_seen == before + 1


@BOTH
def test_it_comes_back_at_the_same_port(make):
    """While nobody listens, nobody else can have it."""
    with make() as double:
        backend = double.backend()
        port = int(backend.base_url.rpartition(":")[2])
        double.prepare(Situation.UNREACHABLE)
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", port))
        double.prepare(Situation.SAME_PERSON)
        assert asked(double, backend).is_match
        backend.close()


@BOTH
def test_nothing_is_left_of_a_closed_one(make):
    """Neither a port nor a backend; closed twice is closed."""
    with make() as double:
        port = int(double.backend().base_url.rpartition(":")[2])
    double.__exit__()
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
    with pytest.raises(RuntimeError, match="with statement"):
        double.backend()


@BOTH
def test_it_tells_the_pictures_by_their_places(make):
    """The bytes as they arrived, of a comparison and of a check."""
    with make() as double, FaceVerifier(double.backend()) as verifier:
        assert double.received == {}
        double.prepare(Situation.SAME_PERSON)
        probe, reference = double.pictures()
        verifier.verify(probe, reference)
        limits = verifier.backend.capabilities.image_limits
        sent = {"probe": probe.prepared(limits).data, "reference": reference.prepared(limits).data}
        assert sent.items() <= double.received.items()
        verifier.check_liveness(reference)
        assert double.received["probe"] == sent["reference"]
        assert "reference" not in double.received


def test_didit_tells_what_it_understood():
    """In the words of `verify`, not in those of its form."""
    with DiditDouble() as double, FaceVerifier(double.backend()) as verifier:
        double.prepare(Situation.SAME_PERSON)
        verifier.verify(*double.pictures(), threshold=61.5, rotate=True, metadata={"desk": 3})
        told = {name: double.received[name] for name in double.received if name not in PLACES}
        assert told == {
            "threshold": 61.5,
            "rotate": True,
            "retention": Retention.MINIMAL,
            "caller_ref": None,
            "metadata": {"desk": 3},
        }


def test_didits_records_stay_for_the_same_situation():
    """A second call is beside the first, and another situation begins with none."""
    with DiditDouble() as double, FaceVerifier(double.backend()) as verifier:
        for _ in range(2):
            double.prepare(Situation.SAME_PERSON)
            verifier.verify(*double.pictures(), retention=Retention.KEEP)
        assert len(double.control.sessions()) == 2
        double.prepare(Situation.DIFFERENT_PEOPLE)
        assert not double.control.sessions()
        assert double.charges == 2


def test_deepvues_login_is_no_call():
    """Neither one that is let in nor one that is refused."""
    with DeepvueDouble() as double:
        double.prepare(Situation.BAD_KEY)
        assert isinstance(asked(double), AuthenticationFailed)
        assert (double.requests_seen, double.charges) == (0, 0)


def test_deepvues_token_is_known_before_it_is_given(monkeypatch):
    """It is the one that every login gets, so that it can be looked for in what is written."""
    sent = []
    with DeepvueDouble() as double:
        *_, token = double.secrets
        double.prepare(Situation.SAME_PERSON)
        handle = double._between._engine.handle
        monkeypatch.setattr(
            double._between._engine, "handle", lambda r: sent.append(r) or handle(r)
        )
        for _ in range(2):
            assert asked(double).is_match
        bearers = {r.header("authorization") for r in sent if r.path != "/v1/authorize"}
        assert bearers == {f"Bearer {token}"}


def test_what_no_document_has_is_in_the_answer():
    """Altered on its way, and nothing else of it."""
    with DiditDouble() as double:
        double.prepare(Situation.UNKNOWN_STATUS)
        result = asked(double)
        assert result.vendor_status == double.unknown_status
        assert (result.ids.caller, result.score.value > 90) == ("order 7", True)


@BOTH
def test_its_pictures_are_test_cards(make):
    """Of nobody: a card that goes to a real vendor by mistake is told."""
    with make() as double:
        for situation in double.situations:
            assert all(read_card(image.data) for image in double.pictures_for(situation))
