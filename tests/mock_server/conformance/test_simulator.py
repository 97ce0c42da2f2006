"""`MockSimulator`: its counts, its situations, and the requests and answers it alters."""

import io

import pytest
from PIL import ExifTags
from PIL import Image as Pillow
from simulators.deepvue import DeepvueSimulator
from simulators.didit import DiditSimulator

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
from facematch_core.testing import Situation
from facematch_core.testing.simulator import STALLS
from facematch_mock_server import make_card
from facematch_mock_server.conformance import UprightRecognizer, turn_upright
from facematch_mock_server.recognition.recognizer import Recognizer

BOTH = pytest.mark.parametrize("make", [DiditSimulator, DeepvueSimulator])


def compare(simulator, verifier, **options):
    """Return the result or the error of one comparison in the current situation."""
    try:
        return verifier.verify(*simulator.pictures_for(simulator.situation), **options)
    except FaceMatchError as error:
        return error


@BOTH
def test_requests_and_charges_are_counted_across_situations(make):
    with make() as simulator, FaceVerifier(simulator.backend()) as verifier:
        for situation, kind, counts in (
            (Situation.REJECTED, RequestRejected, (1, 0)),
            (Situation.SAME_PERSON, None, (2, 1)),
            (Situation.UNREADABLE_200, UnexpectedResponse, (3, 2)),
            (Situation.UNREACHABLE, VendorUnavailable, (3, 2)),
        ):
            simulator.set_situation(situation)
            outcome = compare(simulator, verifier)
            assert isinstance(outcome, kind) if kind else outcome.is_match
            assert (simulator.requests_seen, simulator.charges) == counts


@BOTH
@pytest.mark.parametrize("situation", sorted(DeepvueSimulator.situations - set(STALLS)))
def test_no_situation_outlives_the_next_one(make, situation):
    with make() as simulator, FaceVerifier(simulator.backend()) as verifier:
        simulator.set_situation(situation, score=12.5 if situation is Situation.SCORE else None)
        compare(simulator, verifier)
        simulator.set_situation(Situation.SAME_PERSON)
        before = simulator.requests_seen
        assert compare(simulator, verifier).is_match
        assert simulator.requests_seen == before + 1


def test_received_has_the_arguments_of_verify():
    with DiditSimulator() as simulator, FaceVerifier(simulator.backend()) as verifier:
        simulator.set_situation(Situation.SAME_PERSON)
        compare(simulator, verifier, threshold=61.5, metadata={"desk": 3})
        received = dict(simulator.received)
        assert all(received.pop(picture) for picture in ("probe", "reference"))
        assert received == {
            "threshold": 61.5,
            "retention": Retention.MINIMAL,
            "caller_ref": None,
            "metadata": {"desk": 3},
        }


def test_login_is_no_call_and_its_token_is_among_the_secrets():
    with DeepvueSimulator() as simulator:
        simulator.set_situation(Situation.BAD_KEY)
        with FaceVerifier(simulator.backend()) as verifier:
            assert isinstance(compare(simulator, verifier), AuthenticationFailed)
        assert (simulator.requests_seen, simulator.charges) == (0, 0)
        for _ in range(2):
            simulator.set_situation(Situation.SAME_PERSON)
            with FaceVerifier(simulator.backend()) as verifier:
                assert compare(simulator, verifier).is_match
            scheme, token = simulator.last.headers["Authorization"].split()
            assert scheme == "Bearer"
            assert token in simulator.secrets


@pytest.mark.parametrize(
    ("situation", "error"),
    [
        (Situation.THROTTLED, RateLimited),
        (Situation.REJECTED, RequestRejected),
        (Situation.LOST_ANSWER, OutcomeUnknown),
        (Situation.DRIPPING, DeadlineExceeded),
    ],
)
def test_fault_strikes_at_the_named_step(situation, error):
    with DiditSimulator() as simulator, FaceVerifier(simulator.backend()) as verifier:
        simulator.set_situation(situation, step=3)
        assert [compare(simulator, verifier).is_match for _ in range(2)] == [True, True]
        assert isinstance(compare(simulator, verifier, deadline_s=1), error)
        assert simulator.requests_seen == 3


def test_request_repr_shows_no_picture():
    with DiditSimulator() as simulator, FaceVerifier(simulator.backend()) as verifier:
        simulator.set_situation(Situation.SAME_PERSON)
        compare(simulator, verifier)
        assert simulator.last.files.keys() == {"user_image", "ref_image"}
        assert "PNG" not in repr(simulator.last)


def test_backend_needs_an_open_simulator():
    with pytest.raises(RuntimeError):
        DiditSimulator().backend()


CARD = make_card("p1", kind="JPEG")
BACK = {
    3: Pillow.Transpose.ROTATE_180,
    6: Pillow.Transpose.ROTATE_90,
    8: Pillow.Transpose.ROTATE_270,
}


def stored_by_a_phone(orientation):
    """The card, turned back, with the EXIF orientation that says so."""
    exif = Pillow.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    file = io.BytesIO()
    with Pillow.open(io.BytesIO(CARD)) as card:
        card.transpose(BACK[orientation]).save(file, "JPEG", exif=exif, quality=95)
    return file.getvalue()


@pytest.mark.parametrize("orientation", sorted(BACK))
def test_exif_orientation_is_followed(orientation):
    turned, upright = stored_by_a_phone(orientation), UprightRecognizer()
    assert Recognizer().match(turned, CARD, rotate=False).score is None
    assert upright.match(turned, CARD, rotate=False).score > 90
    assert upright.match(CARD, turned, rotate=False).score > 90
    assert upright.liveness(turned, rotate=False).probe.faces
    assert upright.look(turned, rotate=False).faces


@pytest.mark.parametrize("picture", [CARD, b"", b"no picture"], ids=["upright", "nothing", "text"])
def test_upright_picture_keeps_its_bytes(picture):
    assert turn_upright(picture) is picture
