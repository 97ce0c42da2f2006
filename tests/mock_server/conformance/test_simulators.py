"""The simulators of the vendors: what they count, forget and give back, and what is between."""

import io
from typing import ClassVar

import pytest
from PIL import ExifTags
from PIL import Image as Pillow

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
from facematch_mock_server import make_card
from facematch_mock_server.base.messages import Request, Response
from facematch_mock_server.conformance import DeepvueSimulator, DiditSimulator, MockSimulator
from facematch_mock_server.conformance.simulator import (
    ObservedApp,
    UprightRecognizer,
    turn_upright,
)
from facematch_mock_server.http.app import App
from facematch_mock_server.recognition.recognizer import Recognizer

PLACES = {"probe", "reference"}
BOTH = pytest.mark.parametrize("make", [DiditSimulator, DeepvueSimulator])


def compare(simulator, backend=None):
    """The result or the error of one comparison of the prepared situation."""
    verifier = FaceVerifier(backend or simulator.backend())
    try:
        return verifier.verify(*simulator.pictures_for(simulator.situation), caller_ref="order 7")
    except FaceMatchError as error:
        return error
    finally:
        if backend is None:
            verifier.close()


@BOTH
def test_calls_and_charges_are_counted_whatever_the_situation(make):
    with make() as simulator:
        simulator.set_situation(Situation.REJECTED)
        assert isinstance(compare(simulator), RequestRejected)
        assert (simulator.requests_seen, simulator.charges) == (1, 0)
        simulator.set_situation(Situation.SAME_PERSON)
        compare(simulator)
        simulator.set_situation(Situation.UNREADABLE_200)
        assert isinstance(compare(simulator), UnexpectedResponse)
        simulator.set_situation(Situation.UNREACHABLE)
        assert isinstance(compare(simulator), VendorUnavailable)
        assert (simulator.requests_seen, simulator.charges) == (3, 2)


@BOTH
@pytest.mark.parametrize("situation", sorted(DeepvueSimulator.situations))
def test_no_situation_outlives_the_next_one(make, situation):
    with make() as simulator, FaceVerifier(simulator.backend()) as verifier:
        if situation not in STALLS:
            simulator.set_situation(situation, score=12.5 if situation is Situation.SCORE else None)
            compare(simulator, verifier.backend)
        simulator.set_situation(Situation.SAME_PERSON)
        before = simulator.requests_seen
        assert compare(simulator, verifier.backend).is_match
        assert simulator.requests_seen == before + 1


def test_didit_received_what_verify_said_in_the_words_of_verify():
    with DiditSimulator() as simulator, FaceVerifier(simulator.backend()) as verifier:
        simulator.set_situation(Situation.SAME_PERSON)
        verifier.verify(
            *simulator.pictures_for(Situation.SAME_PERSON),
            threshold=61.5,
            rotate=True,
            metadata={"desk": 3},
        )
        received = simulator.received
        assert {name: received[name] for name in received if name not in PLACES} == {
            "threshold": 61.5,
            "rotate": True,
            "retention": Retention.MINIMAL,
            "caller_ref": None,
            "metadata": {"desk": 3},
        }


def test_a_simulator_that_is_closed_delivers_nothing_more():
    with DiditSimulator() as simulator:
        simulator.set_situation(Situation.SAME_PERSON)
        # Nothing listens there, so it is tried again after a minute.
        simulator.control.webhooks.add("http://127.0.0.1:9/hook")
        with FaceVerifier(simulator.backend()) as verifier:
            pictures = simulator.pictures_for(simulator.situation)
            verifier.verify(*pictures, retention=Retention.KEEP)
        (before,) = simulator.control.webhooks.wait()
    simulator.control.advance(61)
    with pytest.raises(TimeoutError):
        simulator.control.webhooks.wait()
    assert simulator.control.webhooks.deliveries() == (before,)


def test_deepvues_login_is_no_call():
    with DeepvueSimulator() as simulator:
        simulator.set_situation(Situation.BAD_KEY)
        assert isinstance(compare(simulator), AuthenticationFailed)
        assert (simulator.requests_seen, simulator.charges) == (0, 0)


def test_deepvues_token_is_known_before_it_is_given(monkeypatch):
    sent = []
    with DeepvueSimulator() as simulator:
        *_, token = simulator.secrets
        simulator.set_situation(Situation.SAME_PERSON)
        handle = App.handle
        monkeypatch.setattr(App, "handle", lambda app, r: sent.append(r) or handle(app, r))
        for _ in range(2):
            assert compare(simulator).is_match
        bearers = {r.header("authorization") for r in sent if r.path != "/v1/authorize"}
        assert bearers == {f"Bearer {token}"}


@BOTH
def test_a_made_up_reply_is_given_until_the_next_situation(make):
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
        assert simulator.last_reply.headers["Content-Type"] == "application/json"


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
    with DiditSimulator() as simulator, FaceVerifier(simulator.backend()) as verifier:
        simulator.set_situation(situation, step=3)
        pictures = simulator.pictures_for(situation)
        assert [verifier.verify(*pictures).is_match for _ in range(2)] == [True, True]
        with pytest.raises(error):
            verifier.verify(*pictures, deadline_s=0.3)
        assert simulator.requests_seen == 3


class Engine:
    def __init__(self, response):
        self.response = response

    def handle(self, request):
        return self.response

    def begin(self, head):
        return None


CALL = Request(method="POST", target="/call?x=1", body=b"picture", headers=(("Content-Type", "a"),))
JSON = ("Content-Type", "application/json")


class Simulator(MockSimulator):
    """Puts the path before every body of an answer 200."""

    vendor = "didit"
    calls = frozenset({"/call"})
    situations = frozenset()

    keys: ClassVar = {}

    def begin(self, situation, score):
        """Nothing."""

    def alter(self, path, body):
        return [path, body]


def between(response):
    return ObservedApp(Engine(response), Simulator())


def test_of_an_answer_200_the_body_alone_is_altered():
    got = between(Response(status=200, headers=(JSON, ("X", "1")), body=b"7")).handle(CALL)
    assert (got.status, got.header("x"), got.json()) == (200, "1", ["/call", 7])


@pytest.mark.parametrize(
    "response",
    [
        Response(status=400, headers=(JSON,), body=b"7"),
        Response(status=200, headers=(("Content-Type", "image/jpeg"),), body=b"\xff\xd8"),
        Response(status=200, body=b""),
    ],
    ids=["refusal", "picture", "nothing"],
)
def test_every_other_answer_is_left_alone(response):
    assert between(response).handle(CALL) is response


def test_the_answer_of_a_fault_is_left_alone_and_the_call_remembered():
    response = Response(status=200, headers=(JSON,), body=b"7", claims=("mock.fault.wrong_json",))
    simulator = Simulator()
    assert ObservedApp(Engine(response), simulator).handle(CALL) is response
    assert simulator.last.body == b"picture"


def test_only_calls_are_counted_and_remembered():
    simulator = Simulator()
    line = ObservedApp(Engine(Response(status=200)), simulator)
    other = Request(method="POST", target="/login", body=b"secret")
    line.begin(other)
    line.handle(other)
    assert (simulator.requests_seen, simulator.last) == (0, None)
    line.begin(CALL)
    assert (simulator.requests_seen, simulator.last) == (1, None)
    line.handle(CALL)
    got = simulator.last
    seen = simulator.requests_seen
    assert (seen, got.path, got.headers["Content-Type"]) == (1, "/call?x=1", "a")
    assert "picture" not in repr(got)


CARD = make_card("p1", kind="JPEG")
BACK = {
    3: Pillow.Transpose.ROTATE_180,
    6: Pillow.Transpose.ROTATE_90,
    8: Pillow.Transpose.ROTATE_270,
}


def as_a_phone_stores_it(orientation):
    """The card, turned back, with the orientation that says so."""
    exif = Pillow.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    file = io.BytesIO()
    with Pillow.open(io.BytesIO(CARD)) as card:
        card.transpose(BACK[orientation]).save(file, "JPEG", exif=exif, quality=95)
    return file.getvalue()


@pytest.mark.parametrize("orientation", sorted(BACK))
def test_an_orientation_is_followed(orientation):
    turned, decider = as_a_phone_stores_it(orientation), Recognizer()
    assert decider.match(turned, CARD, rotate=False).score is None
    seen = UprightRecognizer()
    assert seen.match(turned, CARD, rotate=False).score > 90
    assert seen.match(CARD, turned, rotate=False).score > 90
    assert seen.liveness(turned, rotate=False).probe.faces
    assert not decider.look(turned, rotate=False).faces
    assert seen.look(turned, rotate=False).faces


@pytest.mark.parametrize("picture", [CARD, b"", b"no picture"], ids=["upright", "nothing", "text"])
def test_what_needs_no_turn_stays_byte_by_byte(picture):
    assert turn_upright(picture) is picture
