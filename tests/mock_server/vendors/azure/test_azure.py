"""What the mock answers as Azure AI Face, and what Microsoft's own client makes of that.

The client is azure-ai-vision-face, as it comes.
"""

import attrs
import pytest
from azure.ai.vision.face import FaceClient, models
from azure.ai.vision.face.models import FaceAttributeTypeDetection01, FaceAttributeTypeDetection03
from azure.core.credentials import AccessToken, AzureKeyCredential
from azure.core.exceptions import ClientAuthenticationError
from kit.mock_sessions import forget
from kit.mock_world import new_engine, request_to
from vendors import azure
from vendors.azure import (
    JSON,
    VERIFY,
    azure_request,
    detect_request,
    ids_of,
    large_scene,
    verify_request,
)

from facematch_mock_server import card_sheet
from facematch_mock_server.recognition.recognizer import Recognizer


@pytest.fixture
def engine():
    return new_engine(vendor="azure")


def refusal_of(answer):
    """Return status, code and message of a refusal; the header has the code as well."""
    error = answer.json()["error"]
    assert answer.header("x-ms-error-code") == error["code"]
    return answer.status, error["code"], error["message"]


NOT_FOUND = (404, "FaceNotFound", "Face is not found.")


@pytest.mark.parametrize(
    "query",
    [
        "recognitionModel=recognition_05",
        "returnFaceId=1",
        "returnFaceId=maybe",
        "faceIdTimeToLive=59",
        "faceIdTimeToLive=86401",
        "faceIdTimeToLive=6e1",
    ],
)
def test_invalid_value_in_the_query_is_refused_by_its_name(engine, query):
    name, _, _ = query.partition("=")
    refusal = refusal_of(engine.handle(detect_request(query=query)))
    assert refusal == (400, "BadArgument", f"'{name}' is invalid.")


@pytest.mark.parametrize("query", azure.REFUSED)
def test_invalid_query_returns_microsofts_documented_message(engine, query):
    status, message = azure.REFUSED[query]
    code = {400: "BadArgument", 403: "UnsupportedFeature"}[status]
    assert refusal_of(engine.handle(detect_request(query=query))) == (status, code, message)


def test_response_ids_are_unique_and_identify_their_charges(engine):
    requests = [
        detect_request(),
        verify_request(),
        detect_request(key=None),
        attrs.evolve(detect_request(), method="PUT"),
    ]
    ids = [engine.handle(request).header("apim-request-id") for request in requests]
    assert {len(number) for number in ids} == {36}
    assert len(set(ids)) == len(ids)
    # Only the first is charged.
    assert [charge.request_id for charge in engine.world.ledger.charges.all()] == ids[:1]


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        pytest.param(detect_request(large_scene(size=1023)), "InvalidImageSize", id="small"),
        pytest.param(
            detect_request(large_scene(size=6 * 1024 * 1024 + 1)), "InvalidImageSize", id="large"
        ),
        pytest.param(detect_request(b"%PDF".ljust(1024)), "InvalidImage", id="PDF"),
        pytest.param(detect_request(b"{}", kind=JSON), "InvalidURL", id="url"),
        pytest.param(detect_request(kind="text/plain"), "BadArgument", id="type"),
        pytest.param(verify_request("one", "two"), "BadArgument", id="face id"),
        pytest.param(azure_request(VERIFY, b"[", JSON), "BadArgument", id="json"),
    ],
)
def test_request_that_is_not_understood_has_the_documented_code(engine, request_, code):
    answer = engine.handle(request_)
    assert (answer.status, answer.json()["error"]["code"]) == (400, code)


def test_detect_without_a_face_returns_an_empty_list_and_is_charged(engine):
    assert engine.handle(detect_request(large_scene(faces=0))).json() == []
    assert len(engine.world.ledger.charges.all()) == 1


def test_face_id_expires_after_the_requested_time_to_live(engine):
    (short_lived,) = ids_of(engine, query="faceIdTimeToLive=60")
    (other,) = ids_of(engine)
    engine.world.clock.advance(59.9)
    assert engine.handle(verify_request(short_lived, other)).status == 200
    engine.world.clock.advance(0.1)
    assert refusal_of(engine.handle(verify_request(short_lived, other))) == NOT_FOUND


def test_face_id_outlives_its_picture_and_expires_after_24_hours():
    engine = new_engine(vendor="azure", recognizer=Recognizer())
    (first,) = ids_of(engine, CARDS["p1"].data)
    (again,) = ids_of(engine, CARDS["p1-again"].data)
    (other,) = ids_of(engine, CARDS["p2"].data)
    forget(engine)
    assert engine.handle(verify_request(first, again)).json()["isIdentical"] is True
    assert engine.handle(verify_request(first, other)).json()["isIdentical"] is False
    engine.world.clock.advance(86_400)
    assert engine.handle(verify_request(first, again)).status == 404


def test_recognition_engine_needs_the_picture_of_a_face_id(engine):
    ids = [*ids_of(engine, large_scene(n=1)), *ids_of(engine, large_scene(n=2))]
    assert engine.handle(verify_request(*ids)).status == 200
    forget(engine)
    assert refusal_of(engine.handle(verify_request(*ids))) == NOT_FOUND


def test_unapproved_access_detects_faces_but_gets_no_face_ids():
    engine = new_engine(vendor="azure", switches={"access": "unapproved"})
    for refused in (detect_request(), verify_request()):
        status, code, message = refusal_of(engine.handle(refused))
        assert (status, code) == (403, "UnsupportedFeature")
        assert message.endswith("Please apply for access at https://aka.ms/facerecognition")
    assert len(engine.handle(detect_request(query="returnFaceId=false")).json()) == 1
    assert len(engine.world.ledger.charges.all()) == 1


CARDS = card_sheet()
#: The settings of the fixture `mock`.
MOCK = {"vendor": "azure"}


@pytest.fixture
def open_face_client(mock, at_end):
    """Opens a client, by default of the resource's own key and of the version that is current."""

    def open_client(key=None, **more):
        more.setdefault("api_version", "v1.2")
        key = AzureKeyCredential(key or mock.live_key)
        return at_end.enter_context(FaceClient(mock.url, key, **more))

    return open_client


def faces_of(client, card, *, detection_model="detection_03", **more):
    return client.detect(
        CARDS[card].data,
        detection_model=detection_model,
        recognition_model="recognition_04",
        return_face_id=True,
        **more,
    )


def compare(client, probe, reference):
    (first,) = faces_of(client, probe)
    (second,) = faces_of(client, reference)
    return client.verify_face_to_face(face_id1=first.face_id, face_id2=second.face_id)


@pytest.mark.parametrize("version", [{}, {"api_version": "v1.2"}], ids=["its own", "current"])
def test_two_pictures_of_one_person_are_identical_and_two_persons_are_not(at_end, mock, version):
    """The client's own version is a preview."""
    key = AzureKeyCredential(mock.live_key)
    client = at_end.enter_context(FaceClient(mock.url, key, **version))
    same = compare(client, "p1", "p1-again")
    assert (same.is_identical, same.confidence) == (True, 0.95466)
    assert [charge.what for charge in mock.control.charges()] == ["DETECT", "DETECT", "VERIFY"]
    other = compare(client, "p1", "p2")
    assert (other.is_identical, other.confidence) == (False, 0.15355)


def test_detections_do_not_use_up_the_outcome_of_a_match(open_face_client, mock):
    mock.control.set_outcome("match", score=57)
    assert compare(open_face_client(), "p1", "p2").confidence == 0.57


def test_smaller_face_has_a_confidence_of_its_own(open_face_client, mock):
    client = open_face_client()
    larger, smaller = faces_of(client, "two-faces")
    (other,) = faces_of(client, "p1")
    mock.control.set_outcome("match", score=1.7, smaller_face_score=99.3, times=None)
    for face, confidence in ((larger, 0.017), (smaller, 0.993)):
        verdict = client.verify_face_to_face(face_id1=face.face_id, face_id2=other.face_id)
        assert verdict.confidence == confidence


def test_client_parses_landmarks_and_attributes(open_face_client):
    attributes = [FaceAttributeTypeDetection03.HEAD_POSE, FaceAttributeTypeDetection03.MASK]
    (face,) = faces_of(
        open_face_client(), "p1", return_face_landmarks=True, return_face_attributes=attributes
    )
    rectangle = face.face_rectangle
    assert rectangle.left < face.face_landmarks.nose_tip.x < rectangle.left + rectangle.width
    assert face.face_attributes.mask.type == "noMask"
    assert face.face_attributes.head_pose.yaw == 0
    assert face.face_attributes.blur is None


def test_client_parses_the_good_attributes_of_an_older_model(open_face_client):
    (face,) = faces_of(
        open_face_client(),
        "p1",
        detection_model="detection_01",
        return_face_attributes=list(FaceAttributeTypeDetection01),
    )
    seen = face.face_attributes
    assert seen.exposure.exposure_level == models.ExposureLevel.GOOD_EXPOSURE
    assert (seen.blur.blur_level, seen.noise.noise_level) == ("low", "low")
    hidden = seen.occlusion
    assert {hidden.forehead_occluded, hidden.eye_occluded, hidden.mouth_occluded} == {False}
    assert (seen.glasses, seen.accessories) == ("noGlasses", [])
    assert (seen.head_pose.pitch, seen.head_pose.roll, seen.head_pose.yaw) == (0, 0, 0)


class Entra:
    """A credential that gives this token."""

    def __init__(self, token):
        self.token = token

    def get_token(self, *_, **__):
        return AccessToken(self.token, 2**31)


def test_only_a_known_entra_token_is_accepted(mock):
    with FaceClient(mock.url, Entra("mock-live-key"), api_version="v1.2") as client:
        assert len(faces_of(client, "p1", enforce_https=False)) == 1
    client = FaceClient(mock.url, Entra("another"), api_version="v1.2")
    with client, pytest.raises(ClientAuthenticationError, match="token is missing"):
        faces_of(client, "p1", enforce_https=False)


@pytest.mark.parametrize(
    ("passed_s", "wait_s", "wait"),
    [(0, 2_592_000, "30.00:00:00"), (43_200, 2_548_800, "29.12:00:00"), (2_591_999, 1, "00:00:01")],
)
def test_used_up_month_is_refused_by_the_gateway_until_it_ends(
    engine, control, passed_s, wait_s, wait
):
    control.set_limit("month", 1)
    assert engine.handle(detect_request()).status == 200
    engine.world.clock.advance(passed_s)
    answer = engine.handle(detect_request())
    text = f"Out of call volume quota. Quota will be replenished in {wait}."
    assert (answer.status, answer.json()) == (403, {"statusCode": 403, "message": text})
    assert answer.header("Retry-After") == str(wait_s)
    engine.world.clock.advance(wait_s)
    assert engine.handle(detect_request()).status == 200
    assert len(control.charges()) == 2


def test_wrong_key_raises_the_clients_exception(open_face_client):
    with pytest.raises(ClientAuthenticationError) as failed:
        faces_of(open_face_client(key="wrong"), "p1")
    assert failed.value.error.code == "401"


# The second is what the session client of Microsoft's Python package asks for with "v1.2".
@pytest.mark.parametrize(
    "path", ["/face/v1.0/identity", "/face/v1.2/detectLiveness/singleModal/sessions"]
)
def test_unknown_azure_path_is_404_with_a_hint_of_supported_paths(engine, path):
    answer = engine.handle(request_to(path, key=None))
    assert refusal_of(answer) == (404, "404", "Resource not found")
    assert "detectLiveness-sessions" in answer.header("X-Facematch-Hint")
