from contextlib import nullcontext

import pytest
from botocore.exceptions import ClientError
from kit import mock_rekognition as rekognition
from kit.cards import CARDS
from kit.mock_didit import START
from kit.mock_rekognition import boto

from facematch_mock_server import Fault, Kind, MockServer, Stage, make_card
from facematch_mock_server.world.clock import VirtualClock


def ask(client, probe="p1", reference="p1-again", **more):
    source, target = ({"Bytes": CARDS[name]} for name in (probe, reference))
    return client.compare_faces(SourceImage=source, TargetImage=target, **more)


def similarities(answer):
    return [match["Similarity"] for match in answer["FaceMatches"]]


@pytest.mark.parametrize(("threshold", "matches"), [(80, 1), (80.001, 0), (None, 1)])
def test_a_similarity_that_equals_the_threshold_is_a_match(client, mock, threshold, matches):
    mock.control.set_outcome("match", score=80)
    more = {} if threshold is None else {"SimilarityThreshold": threshold}
    answer = ask(client, **more)
    assert (len(answer["FaceMatches"]), len(answer["UnmatchedFaces"])) == (matches, 1 - matches)


def test_every_target_face_has_a_similarity(client):
    answer = ask(client, "two-faces", "two-faces", SimilarityThreshold=0)
    assert similarities(answer) == [pytest.approx(95.466, abs=0.001), 5]
    widths = [match["Face"]["BoundingBox"]["Width"] for match in answer["FaceMatches"]]
    assert answer["SourceImageFace"]["BoundingBox"]["Width"] == widths[0] > widths[1]


def test_faces_are_sorted_by_similarity_even_if_a_smaller_one_is_first(client, mock):
    mock.control.set_outcome("match", score=1.7, smaller_face_score=99.3)
    answer = ask(client, "p1", "two-faces", SimilarityThreshold=0)
    assert similarities(answer) == [99.3, 1.7]
    smaller, larger = (match["Face"]["BoundingBox"]["Width"] for match in answer["FaceMatches"])
    assert smaller < larger


BIG, GIF = b"\xff\xd8\xff" + bytes(5 * 1024 * 1024), rekognition.draw_picture("GIF")
ERRORS = {
    "ImageTooLargeException": (400, {"SourceImage": {"Bytes": BIG}}),
    "InvalidImageFormatException": (400, {"TargetImage": {"Bytes": GIF}}),
    "InvalidParameterException": (400, {"SimilarityThreshold": 100.5}),
    "InvalidS3ObjectException": (400, {"SourceImage": {"S3Object": {"Bucket": "b", "Name": "n"}}}),
    "ProvisionedThroughputExceededException": (400, {}),
    "ThrottlingException": (400, {}),
    "AccessDeniedException": (400, {}),
    "InternalServerError": (500, {}),
}


@pytest.mark.parametrize("name", ERRORS)
def test_every_error_raises_its_boto3_exception_with_status_and_request_id(mock, name):
    status, body = ERRORS[name]
    if name == "AccessDeniedException":
        mock.control.add_key(key="mock-live-key", allowed=False)
    elif name == "InternalServerError":
        mock.control.add_fault(Fault(stage=Stage.ANSWER, kind=Kind.STATUS, status=500))
    scopes = {"ProvisionedThroughputExceededException": "second", "ThrottlingException": "increase"}
    if name in scopes:
        mock.control.set_limit(scopes[name], 0)
    images = {name: {"Bytes": CARDS["p1"]} for name in ("SourceImage", "TargetImage")}
    once = {"retries": {"total_max_attempts": 1}, "parameter_validation": False}
    with boto(mock.url, **once) as client, pytest.raises(ClientError) as caught:
        client.compare_faces(**{**images, **body})
    assert type(caught.value) is getattr(client.exceptions, name)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert len(caught.value.response["ResponseMetadata"]["RequestId"]) == 36


@pytest.mark.parametrize(("side", "name"), [(79, "InvalidParameterException"), (80, None)])
def test_picture_under_80_pixels_is_an_invalid_parameter(client, side, name):
    picture = {"Bytes": rekognition.draw_picture(size=(side, 200))}
    with pytest.raises(getattr(client.exceptions, name)) if name else nullcontext():
        assert client.compare_faces(SourceImage=picture, TargetImage=picture)["FaceMatches"]


@pytest.mark.parametrize("clock", [None, VirtualClock(START)], ids=["running", "standing still"])
def test_frozen_or_advanced_clock_rejects_no_signature(clock):
    """boto3's own clock was not moved: its signatures are of the machine's time."""
    vendors = ["didit", "rekognition"]
    with MockServer(vendor=vendors, clock=clock) as mock, boto(mock.url) as client:
        for move in (lambda: None, lambda: mock.control.advance(86_400), mock.control.reset):
            move()
            assert similarities(ask(client))


DEFAULTS = {"BoundingBox", "Confidence", "Landmarks", "Pose", "Quality"}


@pytest.mark.parametrize(
    "attributes", [None, ["DEFAULT"], ["EYES_OPEN", "GENDER"], ["DEFAULT", "AGE_RANGE"]]
)
def test_detect_faces_returns_the_requested_attributes(client, attributes):
    how = {} if attributes is None else {"Attributes": attributes}
    first, second = client.detect_faces(Image={"Bytes": CARDS["two-faces"]}, **how)["FaceDetails"]
    more = {word.title().replace("_", "") for word in attributes or ()} - {"Default"}
    assert set(first) == set(second) == DEFAULTS | more
    assert client.detect_faces(Image={"Bytes": CARDS["no-face"]}, **how)["FaceDetails"] == []


def test_all_attributes_match_botocores_model(client):
    card = make_card("p1", age=47, gender="male")
    (face,) = client.detect_faces(Image={"Bytes": card}, Attributes=["ALL"])["FaceDetails"]
    shape = client.meta.service_model.shape_for("FaceDetail")
    assert set(face) == set(shape.members)
    assert (face["AgeRange"], face["Gender"]["Value"]) == ({"Low": 47, "High": 47}, "Male")
