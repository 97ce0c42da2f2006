"""`MockSimulator`: its counts, its situations, and the requests and answers it alters."""

import io

import attrs
import pytest
import requests
from kit.contract import Status, run
from PIL import ExifTags
from PIL import Image as Pillow
from vendors.didit import DiditSimulator

from facematch_core import FaceVerifier, errors
from facematch_core.errors import FaceMatchError, OutcomeUnknown, RateLimited, RequestRejected
from facematch_core.testing import Situation
from facematch_core.testing.bench import SIMULATOR_FAILED
from facematch_didit import DiditBackend
from facematch_mock_server import make_card
from facematch_mock_server.base.messages import Response
from facematch_mock_server.claims import OURS, ActiveClaims, Reply, row, table
from facematch_mock_server.recognition.recognizer import Recognizer
from facematch_mock_server.testing import UprightFacts, turn_upright


def compare(simulator, verifier, **options):
    """Return the result or the error of one comparison in the current situation."""
    try:
        return verifier.verify(*simulator.pictures_for(simulator.situation), **options)
    except FaceMatchError as error:
        return error


@pytest.mark.parametrize(
    ("situation", "error", "deadlines_s"),
    [
        (Situation.THROTTLED, RateLimited, [60]),
        (Situation.REJECTED, RequestRejected, [60]),
        (Situation.LOST_ANSWER, OutcomeUnknown, [60]),
        # The longer ones if a busy machine has not sent the call by then.
        (Situation.DRIPPING, errors.DeadlineExceeded, [0.3, 3, 30]),
    ],
)
def test_fault_is_injected_at_the_given_step(situation, error, deadlines_s):
    with DiditSimulator() as simulator, FaceVerifier(simulator.backend()) as verifier:
        simulator.set_situation(situation, step=3)
        assert [compare(simulator, verifier).is_match for _ in range(2)] == [True, True]
        for deadline_s in deadlines_s:
            ended = compare(simulator, verifier, deadline_s=deadline_s)
            if simulator.requests_seen == 3:
                break
        assert isinstance(ended, error)
        assert simulator.requests_seen == 3
        charged = simulator.charges
        simulator.set_situation(Situation.SAME_PERSON)
        assert simulator.charges == charged >= 2


@attrs.frozen(kw_only=True, eq=False)
class AtAnotherHost(DiditBackend):
    """Sends key and faces to a host that the mock does not know."""

    allowed_hosts = frozenset({"verification.example.com"})
    base_url: str = "https://verification.example.com"


def test_default_url_is_on_a_host_of_the_mock():
    simulator = type("Elsewhere", (DiditSimulator,), {"backend_class": AtAnotherHost})
    [case] = run(simulator, {"R51"})
    assert case.status is Status.FAILED
    assert "verification.example.com" in case.reason


def test_request_repr_shows_no_picture():
    with DiditSimulator() as simulator, FaceVerifier(simulator.backend()) as verifier:
        simulator.set_situation(Situation.SAME_PERSON)
        compare(simulator, verifier)
        assert simulator.last.files.keys() == {"user_image", "ref_image"}
        assert "PNG" not in repr(simulator.last)


def test_backend_needs_an_open_simulator():
    with pytest.raises(RuntimeError):
        DiditSimulator().backend()


class Broken(DiditSimulator):
    def alter(self, request, body):
        raise TypeError("a slip of the simulator's author")


@pytest.mark.parametrize(
    ("path", "read"),
    [
        (["score"], lambda body: body["score"]),
        (["faces", 0, "score"], lambda body: body["faces"][0]["score"]),
    ],
)
def test_score_is_written_where_its_path_leads(path, read):
    body = {"score": None, "faces": [{"score": None}]}
    with DiditSimulator() as simulator:
        simulator.set_situation(Situation.SCORE, score=37.25)
        simulator.put_score(body, *path, fraction=True)
    assert read(body) == 0.3725
    assert [body["score"], body["faces"][0]["score"]].count(None) == 1


def test_simulator_bug_is_not_blamed_on_the_plug_in():
    [case] = run(Broken, {"R51"})
    assert case.status is Status.FAILED
    assert case.reason.startswith(SIMULATOR_FAILED)
    assert "TypeError" in case.reason


def test_empty_200_is_left_as_it_is():
    """The answer to a deletion, which may have JSON's content type all the same."""
    headers = (("Content-Type", "application/json"),)
    empty = Response(status=200, headers=headers)
    with DiditSimulator() as simulator:
        assert simulator.sessions.alter(empty) == empty
        simulator.control.add_replies(
            {
                "request": {"method": "DELETE", "urlPath": "/v3/session/7/"},
                "response": {"status": 200, "headers": dict(headers)},
                "metadata": {"instead": True},
            }
        )
        answer = requests.delete(f"{simulator.url}/v3/session/7/", timeout=10)
    assert (answer.status_code, answer.content, simulator.problem) == (200, b"", None)


def test_reply_without_a_body_sends_none():
    claims = ActiveClaims(table("acme", row("deleted", Reply(200), OURS, "It is empty.")), {})
    answer = claims.cited().answer("deleted")
    assert (answer.status, answer.body, answer.header("content-type")) == (200, b"", None)
    assert claims.cited().answer("deleted", {"id": 7}).json() == {"id": 7}


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
    card = Pillow.open(io.BytesIO(CARD))
    card.transpose(BACK[orientation]).save(file, "JPEG", exif=exif, quality=95)
    return file.getvalue()


@pytest.mark.parametrize("orientation", sorted(BACK))
def test_exif_orientation_is_followed(orientation):
    turned = stored_by_a_phone(orientation)
    upright = Recognizer()
    upright.facts = UprightFacts(limit=10)
    assert Recognizer().match(turned, CARD, rotate=False).score is None
    assert upright.match(turned, CARD, rotate=False).score > 90
    assert upright.match(CARD, turned, rotate=False).score > 90
    assert upright.liveness(turned, rotate=False).probe.faces
    assert upright.detect_faces(turned, rotate=False).faces


@pytest.mark.parametrize("picture", [CARD, b"", b"no picture"], ids=["upright", "nothing", "text"])
def test_upright_picture_keeps_its_bytes(picture):
    assert turn_upright(picture) is picture
