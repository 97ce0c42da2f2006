import pytest
from botocore.exceptions import ClientError
from kit.cards import CARDS
from kit.mock_world import START, draw_picture
from vendors.rekognition import boto

from facematch_mock_server import MockServer, make_card
from facematch_mock_server.world.clock import VirtualClock


def image(name):
    return {"Bytes": CARDS[name]}


def ask(client, probe="p1", reference="p1-again", **more):
    return client.compare_faces(SourceImage=image(probe), TargetImage=image(reference), **more)


def similarities(answer):
    return [match["Similarity"] for match in answer["FaceMatches"]]


@pytest.mark.parametrize("threshold", [{}, {"SimilarityThreshold": 80}])
def test_a_similarity_that_equals_the_threshold_is_a_match(client, mock, threshold):
    mock.control.set_outcome("match", score=80)
    answer = ask(client, **threshold)
    assert similarities(answer) == [80]
    assert answer["UnmatchedFaces"] == []


def test_a_face_below_the_threshold_is_unmatched(client, mock):
    mock.control.set_outcome("match", score=80)
    answer = ask(client, SimilarityThreshold=80.001)
    assert answer["FaceMatches"] == []
    assert len(answer["UnmatchedFaces"]) == 1


def test_every_target_face_has_a_similarity(client):
    answer = ask(client, "two-faces", "two-faces", SimilarityThreshold=0)
    assert similarities(answer) == [pytest.approx(95.466, abs=0.001), 5]
    larger, smaller = (match["Face"]["BoundingBox"]["Width"] for match in answer["FaceMatches"])
    assert answer["SourceImageFace"]["BoundingBox"]["Width"] == larger > smaller


def test_faces_are_sorted_by_similarity_even_if_a_smaller_one_is_first(client, mock):
    mock.control.set_outcome("match", score=1.7, smaller_face_score=99.3)
    answer = ask(client, "p1", "two-faces", SimilarityThreshold=0)
    assert similarities(answer) == [99.3, 1.7]
    smaller, larger = (match["Face"]["BoundingBox"]["Width"] for match in answer["FaceMatches"])
    assert smaller < larger


def test_landmarks_lie_within_the_box_the_eyes_above_nose_and_mouth(client):
    (match,) = ask(client)["FaceMatches"]
    box = match["Face"]["BoundingBox"]
    right, bottom = box["Left"] + box["Width"], box["Top"] + box["Height"]
    points = {point["Type"]: (point["X"], point["Y"]) for point in match["Face"]["Landmarks"]}
    for x, y in points.values():
        assert box["Left"] < x < right
        assert box["Top"] < y < bottom
    x_of = {name: x for name, (x, _) in points.items()}
    y_of = {name: y for name, (_, y) in points.items()}
    assert x_of["eyeLeft"] < x_of["nose"] < x_of["eyeRight"]
    assert x_of["mouthLeft"] < x_of["nose"] < x_of["mouthRight"]
    assert y_of["eyeLeft"] == y_of["eyeRight"] < y_of["nose"] < y_of["mouthLeft"]
    assert y_of["mouthLeft"] == y_of["mouthRight"]


def assert_fails(mock, name, *, status=400, **fields):
    """Assert the exception of a comparison, which boto3 neither validates nor repeats."""
    sent = {"SourceImage": image("p1"), "TargetImage": image("p1"), **fields}
    once = {"retries": {"total_max_attempts": 1}, "parameter_validation": False}
    with boto(mock.url, **once) as client:
        with pytest.raises(ClientError) as caught:
            client.compare_faces(**sent)
        assert type(caught.value) is getattr(client.exceptions, name)
    metadata = caught.value.response["ResponseMetadata"]
    assert metadata["HTTPStatusCode"] == status
    assert len(metadata["RequestId"]) == 36


BIG = b"\xff\xd8\xff" + bytes(5 * 1024 * 1024)
NARROW = draw_picture(size=(79, 200))


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("ImageTooLarge", {"SourceImage": {"Bytes": BIG}}),
        ("InvalidImageFormat", {"TargetImage": {"Bytes": draw_picture("GIF")}}),
        ("InvalidParameter", {"SimilarityThreshold": 100.5}),
        ("InvalidParameter", {"SourceImage": {"Bytes": NARROW}}),
        ("InvalidS3Object", {"SourceImage": {"S3Object": {"Bucket": "photos", "Name": "n"}}}),
        ("InvalidS3Object", {"TargetImage": {"S3Object": {"Bucket": "photos", "Name": "n"}}}),
        ("InvalidParameter", {"SourceImage": {"S3Object": {}}}),
        ("InvalidParameter", {"SourceImage": {"S3Object": {"Name": "n"}}}),
        ("InvalidParameter", {"SourceImage": {"S3Object": {"Bucket": "photos"}}}),
        ("InvalidParameter", {"SourceImage": {"S3Object": {"Bucket": "a b", "Name": "n"}}}),
        ("InvalidParameter", {"SourceImage": {"S3Object": {"Bucket": "photos", "Name": ""}}}),
        (
            "InvalidParameter",
            {"SourceImage": {"S3Object": {"Bucket": "photos", "Name": "n", "Version": ""}}},
        ),
    ],
)
def test_invalid_request_raises_the_exception_of_boto3(mock, name, fields):
    assert_fails(mock, f"{name}Exception", **fields)


def test_picture_of_80_pixels_is_compared(client):
    picture = {"Bytes": draw_picture(size=(80, 200))}
    assert client.compare_faces(SourceImage=picture, TargetImage=picture)["FaceMatches"]


def test_key_without_permission_raises_the_exception_of_boto3(mock):
    mock.control.add_key(key="mock-live-key", allowed=False)
    assert_fails(mock, "AccessDeniedException")


@pytest.mark.parametrize("clock", [None, VirtualClock(START)], ids=["running", "standing still"])
def test_frozen_or_advanced_clock_rejects_no_signature(clock):
    """boto3's own clock was not moved: its signatures are of the machine's time."""
    vendors = ["didit", "rekognition"]
    with MockServer(vendor=vendors, clock=clock) as mock, boto(mock.url) as client:
        for move in (lambda: None, lambda: mock.control.advance(86_400), mock.control.reset):
            move()
            assert similarities(ask(client))


def in_s3(name, **more):
    return {"S3Object": {"Bucket": "photos", "Name": name, **more}}


@pytest.mark.parametrize(
    ("source", "target", "similarity"),
    [("p1", "p1-again", 95.466), ("p1", "p2", 11.893), ("p1", "spoof", 95.466)],
)
def test_pictures_in_s3_are_compared_as_their_cards_say(client, mock, source, target, similarity):
    mock.control.pictures["photos/source.png"] = source
    mock.control.pictures["photos/target.png"] = target
    in_request = ask(client, source, target, SimilarityThreshold=0)
    pictures = {"SourceImage": in_s3("source.png"), "TargetImage": in_s3("target.png")}
    answer = client.compare_faces(**pictures, SimilarityThreshold=0)
    assert similarities(answer) == similarities(in_request)
    assert len(mock.control.charges()) == 2


def test_a_picture_in_s3_with_a_cards_file_name_is_that_card(client):
    pictures = {"SourceImage": in_s3("p1.png"), "TargetImage": in_s3("people/p2.png")}
    answer = client.compare_faces(**pictures, SimilarityThreshold=0)
    assert similarities(answer) == similarities(ask(client, "p1", "p2", SimilarityThreshold=0))


def test_one_version_of_a_picture_in_s3_may_differ(client, mock):
    mock.control.pictures["photos/"] = "p1"
    mock.control.pictures["photos/ada.png?versionId=7"] = "two-faces"
    counts = [
        len(client.detect_faces(Image=in_s3("ada.png", **version))["FaceDetails"])
        for version in ({}, {"Version": "6"}, {"Version": "7"})
    ]
    assert counts == [1, 1, 2]


@pytest.mark.parametrize(
    ("picture", "name"),
    [
        (CARDS["no-face"], "InvalidParameter"),
        (b"no picture", "InvalidImageFormat"),
        (b"", "InvalidImageFormat"),
        (NARROW, "InvalidParameter"),
        (CARDS["p1"].ljust(15 * 1024 * 1024 + 1), "ImageTooLarge"),
    ],
    ids=["no face", "text", "empty", "narrow", "large"],
)
def test_a_picture_in_s3_is_refused_like_one_in_the_request(mock, picture, name):
    mock.control.pictures["photos/ada.png"] = picture
    assert_fails(mock, f"{name}Exception", SourceImage=in_s3("ada.png"))
    assert mock.control.charges() == ()


def test_a_picture_in_s3_may_be_larger_than_one_in_the_request(client, mock):
    mock.control.pictures["photos/ada.png"] = CARDS["p1"].ljust(15 * 1024 * 1024)
    assert client.detect_faces(Image=in_s3("ada.png"))["FaceDetails"]


def test_an_unknown_picture_in_s3_is_named_by_the_hint(client):
    with pytest.raises(client.exceptions.InvalidS3ObjectException) as caught:
        client.detect_faces(Image=in_s3("faces/ada.png"))
    headers = caught.value.response["ResponseMetadata"]["HTTPHeaders"]
    assert "name this link: --picture photos/faces/ada.png=FILE" in headers["x-facematch-hint"]


DEFAULTS = {"BoundingBox", "Confidence", "Landmarks", "Pose", "Quality"}


@pytest.mark.parametrize(
    ("options", "added"),
    [
        ({}, set()),
        ({"Attributes": ["DEFAULT"]}, set()),
        ({"Attributes": ["EYES_OPEN", "GENDER"]}, {"EyesOpen", "Gender"}),
        ({"Attributes": ["DEFAULT", "AGE_RANGE"]}, {"AgeRange"}),
    ],
)
def test_detect_faces_returns_the_requested_attributes(client, options, added):
    faces = client.detect_faces(Image=image("two-faces"), **options)["FaceDetails"]
    assert len(faces) == 2
    for face in faces:
        assert set(face) == DEFAULTS | added
        assert 99 < face["Confidence"] < 100


def test_detect_faces_finds_none_in_a_picture_without_a_face(client):
    assert client.detect_faces(Image=image("no-face"))["FaceDetails"] == []


def test_all_attributes_match_botocores_model(client):
    card = make_card("p1", age=47, gender="male")
    (face,) = client.detect_faces(Image={"Bytes": card}, Attributes=["ALL"])["FaceDetails"]
    shape = client.meta.service_model.shape_for("FaceDetail")
    assert set(face) == set(shape.members)
    assert (face["AgeRange"], face["Gender"]["Value"]) == ({"Low": 47, "High": 47}, "Male")
