"""Microsoft's own Python client, azure-ai-vision-face, as it comes, against the mock."""

import pytest
from azure.ai.vision.face import FaceClient
from azure.ai.vision.face.models import FaceAttributeTypeDetection03
from azure.core.credentials import AccessToken, AzureKeyCredential
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceNotFoundError,
)
from azure.core.pipeline.transport import RequestsTransport

from facematch_mock_server import Fault, Kind, MockServer, Stage, card_sheet

CARDS = card_sheet()


class OnTheMocksClock(RequestsTransport):
    """The client's own transport; while it waits, the mock's time passes and nobody else's."""

    def __init__(self, mock):
        super().__init__()
        self.mock, self.waited = mock, []

    def sleep(self, duration):
        self.waited.append(duration)
        self.mock.control.advance(duration)


@pytest.fixture
def mock():
    with MockServer(vendor="azure") as served:
        yield served


@pytest.fixture
def opened(mock, at_end):
    """Opens a client, by default of the resource's own key and of the version that is current."""

    def open_client(key=None, **more):
        more.setdefault("api_version", "v1.2")
        key = AzureKeyCredential(key or mock.live_key)
        return at_end.enter_context(FaceClient(mock.url, key, **more))

    return open_client


def detect(client, card, **more):
    """The faces of a card."""
    return client.detect(
        CARDS[card].data,
        detection_model="detection_03",
        recognition_model="recognition_04",
        return_face_id=True,
        **more,
    )


def verify(client, one, two):
    """What two cards are to each other by their largest faces."""
    ids = [detect(client, card)[0].face_id for card in (one, two)]
    return client.verify_face_to_face(face_id1=ids[0], face_id2=ids[1])


@pytest.mark.parametrize("version", ["v1.2", "v1.2-preview.1"])
def test_one_person_and_two(opened, mock, version):
    """In the version that is current, and in the client's own."""
    client = opened(api_version=version)
    same, other = verify(client, "p1", "p1-again"), verify(client, "p1", "p2")
    assert (same.is_identical, same.confidence) == (True, 0.95466)
    assert (other.is_identical, other.confidence) == (False, 0.15355)
    assert [charge.what for charge in mock.control.charges()[:3]] == ["DETECT", "DETECT", "VERIFY"]


def test_the_client_without_a_word_about_versions(mock):
    """Its default is a preview."""
    with FaceClient(mock.url, AzureKeyCredential(mock.live_key)) as client:
        assert verify(client, "p1", "p1-again").is_identical


def test_what_a_test_sets_is_for_verify(opened, mock):
    """Two detections before it do not use it up."""
    mock.control.set_outcome("match", score=57)
    assert verify(opened(), "p1", "p2").confidence == 0.57
    mock.control.set_outcome("match", score=None)
    with pytest.raises(ResourceNotFoundError):
        verify(opened(), "p1", "p2")


def test_faces_the_largest_first(opened):
    """With their models, where that is asked for."""
    faces = detect(opened(), "two-faces", return_recognition_model=True)
    sizes = [face.face_rectangle.width * face.face_rectangle.height for face in faces]
    assert sizes == sorted(sizes, reverse=True)
    assert {face.recognition_model for face in faces} == {"recognition_04"}
    assert len({face.face_id for face in faces}) == 2


def test_landmarks_and_attributes(opened):
    """As the client's own classes have them."""
    wanted = [FaceAttributeTypeDetection03.HEAD_POSE, FaceAttributeTypeDetection03.MASK]
    (face,) = detect(opened(), "p1", return_face_landmarks=True, return_face_attributes=wanted)
    rectangle, nose = face.face_rectangle, face.face_landmarks.nose_tip
    assert rectangle.left < nose.x < rectangle.left + rectangle.width
    assert face.face_attributes.mask.type == "noMask"
    assert face.face_attributes.head_pose.yaw == 0
    assert face.face_attributes.blur is None


def test_attributes_that_microsoft_retired(opened):
    """403, though the client still knows them."""
    with pytest.raises(HttpResponseError, match="no longer supported") as failed:
        detect(opened(), "p1", return_face_attributes=["age"])
    assert (failed.value.status_code, failed.value.error.code) == (403, "UnsupportedFeature")


class Entra:
    """A credential of Entra whose token is what a test says."""

    def __init__(self, token):
        self.token = token

    def get_token(self, *_, **__):
        return AccessToken(self.token, 2**31)


@pytest.mark.parametrize(("token", "is_known"), [("mock-live-key", True), ("another", False)])
def test_a_token_of_entra(mock, token, is_known):
    """A key of the mock is one; the client sends it without TLS only if it is told to."""
    with FaceClient(mock.url, Entra(token), api_version="v1.2") as client:
        if is_known:
            assert len(detect(client, "p1", enforce_https=False)) == 1
        else:
            with pytest.raises(ClientAuthenticationError, match="Access token is missing"):
                detect(client, "p1", enforce_https=False)


def test_no_face(opened):
    """An empty list."""
    assert detect(opened(), "no-face") == []


def test_throttled(opened, mock):
    """The client's own repeats wait as long as Retry-After says, and come through."""
    transport = OnTheMocksClock(mock)
    client = opened(transport=transport)
    mock.control.set_limit("resource", 1)
    assert len(detect(client, "p1")) == 1
    assert len(detect(client, "p1")) == 1
    assert transport.waited == [1.0]
    assert [entry.status for entry in mock.control.journal()] == [200, 429, 200]


def test_throttled_for_good(opened, mock):
    """After its repeats the client says so."""
    mock.control.add_fault(Fault(stage=Stage.ANSWER, kind=Kind.STATUS, status=429, times=None))
    with pytest.raises(HttpResponseError, match="Rate limit is exceeded") as failed:
        detect(opened(transport=OnTheMocksClock(mock)), "p1")
    assert (failed.value.status_code, failed.value.error.code) == (429, "429")


def test_a_bad_key(opened):
    """The client's error for that."""
    with pytest.raises(ClientAuthenticationError, match="invalid subscription key") as failed:
        detect(opened(key="wrong"), "p1")
    assert failed.value.error.code == "401"


def test_an_expired_id(opened, mock):
    """By the mock's clock."""
    client = opened()
    (one,), (two,) = (detect(client, "p1", face_id_time_to_live=60) for _ in range(2))
    mock.control.advance(61)
    with pytest.raises(ResourceNotFoundError, match="Face is not found"):
        client.verify_face_to_face(face_id1=one.face_id, face_id2=two.face_id)


def test_without_approval(opened, mock):
    """The client's error has Microsoft's words."""
    mock.control.reset(switches={"access": "unapproved"})
    with pytest.raises(HttpResponseError, match="missing approval") as failed:
        detect(opened(), "p1")
    assert failed.value.status_code == 403
    assert failed.value.response.headers["x-ms-error-code"] == "UnsupportedFeature"
