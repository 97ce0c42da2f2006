"""What Rekognition says, and what becomes of it here."""

import json
import math

import boto3
import pytest
from botocore.config import Config
from hypothesis import given
from hypothesis import strategies as st

from facematch_core import (
    AuthenticationFailed,
    Charged,
    ConfigurationError,
    Decision,
    FaceVerifier,
    Image,
    OutcomeUnknown,
    PermissionDenied,
    RateLimited,
    RequestRejected,
    Threshold,
    ThresholdRule,
    UnexpectedResponse,
    WarningCode,
)
from facematch_core.backend import MatchCall
from facematch_core.http import HttpReply
from facematch_mock_server import MockServer, card_sheet
from facematch_rekognition import RekognitionBackend
from facematch_rekognition.backend import QualityFilter

CARDS = card_sheet()
KEYS = {"access_key_id": "mock-access-key", "secret_access_key": "mock-live-key"}
BACKEND = RekognitionBackend(region="eu-west-1", **KEYS)
RATIOS = st.floats(-1, 2)
BOXES = st.fixed_dictionaries(dict.fromkeys(("Left", "Top", "Width", "Height"), RATIOS))
FACES = st.fixed_dictionaries({"BoundingBox": BOXES, "Confidence": st.floats(0, 100)})
SIMILARITIES = st.none() | st.integers(0, 100) | st.floats(0, 100)
ANSWERS = st.fixed_dictionaries(
    {
        "SourceImageFace": FACES,
        "FaceMatches": st.lists(
            st.fixed_dictionaries({"Similarity": SIMILARITIES, "Face": FACES}), max_size=4
        ),
        "UnmatchedFaces": st.lists(FACES, max_size=3),
    }
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
)


def read(answer, status=200, threshold=80.0):
    """What an answer means."""
    picture = Image.from_bytes(CARDS["p1"].data)
    asked = Threshold(threshold, ThresholdRule.AT_LEAST)
    call = MatchCall(probe=picture, reference=picture, threshold=asked)
    headers = {"x-amzn-RequestId": "an-id"}
    body = json.dumps(answer).encode()
    return BACKEND.read_reply(call, HttpReply(status=status, headers=headers, body=body))


@pytest.fixture
def mock():
    with MockServer(vendor="rekognition") as server:
        yield server


@pytest.fixture
def verifier(mock):
    with FaceVerifier(RekognitionBackend(region="eu-west-1", base_url=mock.url, **KEYS)) as opened:
        yield opened


@given(ANSWERS, st.floats(0, 100))
def test_the_face_most_alike_decides(answer, threshold):
    """At the caller's own threshold; and without a number nothing is decided."""
    result = read(answer, threshold=threshold)
    numbers = [one["Similarity"] for one in answer["FaceMatches"]]
    best = max((one for one in numbers if one is not None), default=None)
    assert (result.score and result.score.value) == best
    expected = Decision.MATCH if best is not None and best >= threshold else Decision.NO_MATCH
    assert result.decision is (Decision.INCONCLUSIVE if best is None else expected)
    codes = {warning.code for warning in result.warnings}
    assert (WarningCode.SCORE_UNAVAILABLE in codes) is (best is None)
    assert (WarningCode.MULTIPLE_FACES in codes) is (len(result.probe_faces) > 1)
    assert sum(face.compared for face in result.probe_faces) == (best is not None)
    assert (result.billing.charged, result.ids.vendor) == (Charged.YES, "an-id")


@given(ANSWERS)
def test_faces_are_told_as_they_were_found(answer):
    """Each face of the probe with its similarity, which its confidence is not."""
    result = read(answer)
    sent = [(one["Similarity"], one["Face"]) for one in answer["FaceMatches"]]
    sent += [(None, one) for one in answer["UnmatchedFaces"]]
    assert [
        (face.similarity and face.similarity.value, face.confidence, face.box.left, face.box.unit)
        for face in result.probe_faces
    ] == [(n, face["Confidence"], face["BoundingBox"]["Left"], "ratio") for n, face in sent]
    (source,) = result.reference_faces
    box = answer["SourceImageFace"]["BoundingBox"]
    assert math.isclose(source.box.bottom, box["Top"] + box["Height"])
    assert source.compared


@given(JSON)
def test_no_other_body_is_a_verdict(answer):
    """It is one error of ours, and counts as paid."""
    error = read(answer)
    assert isinstance(error, UnexpectedResponse)
    assert error.billing.charged is Charged.YES


@pytest.mark.parametrize("similarity", [-0.01, 100.01, "99", True, [99]])
def test_a_similarity_that_is_none(similarity):
    """Nothing is clamped or converted."""
    box = dict.fromkeys(("Left", "Top", "Width", "Height"), 0.1)
    face = {"BoundingBox": box, "Confidence": 99.9}
    matches = [{"Similarity": similarity, "Face": face}]
    answer = {"SourceImageFace": face, "FaceMatches": matches, "UnmatchedFaces": []}
    assert isinstance(read(answer), UnexpectedResponse)


@given(JSON | st.fixed_dictionaries({"__type": JSON}), st.sampled_from([400, 403, 404, 500, 503]))
def test_an_error_of_any_form_is_one_error(answer, status):
    """Whatever stands where AWS names its error."""
    error = read(answer, status)
    assert error.status_code == status
    assert "failed to read" not in str(error)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("UnrecognizedClientException", AuthenticationFailed),
        ("com.amazon.coral.service#InvalidSignatureException", AuthenticationFailed),
        ("ExpiredTokenException:http://internal.amazon.com/coral/", AuthenticationFailed),
        ("AccessDeniedException", PermissionDenied),
        ("ThrottlingException", RateLimited),
        ("ProvisionedThroughputExceededException", RateLimited),
        ("ImageTooLargeException", RequestRejected),
        ("InvalidImageFormatException", RequestRejected),
        ("SomethingNewException", RequestRejected),
    ],
)
@pytest.mark.parametrize("word", ["message", "Message"])
def test_errors_are_told_apart_by_their_name(name, kind, word):
    """All of them are 400; what AWS says of it is handed on, and none was charged."""
    error = read({"__type": name, word: "As AWS says it."}, 400)
    assert type(error) is kind
    assert "As AWS says it." in str(error)
    assert error.billing.charged is Charged.NO
    assert error.retryable is (kind is RateLimited)


def test_a_fault_of_aws_may_have_been_counted():
    """AWS recommends to ask again, and does not say what that costs."""
    error = read({"__type": "InternalServerError", "Message": "Internal server error"}, 500)
    assert isinstance(error, OutcomeUnknown)
    assert not error.retryable


def test_throttling_as_a_500_was_not_counted():
    """The same name under the other documented status."""
    error = read({"__type": "ThrottlingException", "Message": "Service Unavailable"}, 500)
    assert isinstance(error, RateLimited)


def test_a_match_and_its_money(verifier, mock):
    """One image is counted, and the id is AWS's."""
    result = verifier.verify(CARDS["p1-again"].data, CARDS["p1"].data)
    (charge,) = mock.control.charges()
    assert result.is_match
    assert result.billing.charges == 1
    assert result.ids.vendor == charge.request_id
    assert str(result) == "match 95.4663 (rekognition/similarity), threshold 80, from mock"


def test_a_mismatch_keeps_its_number(verifier):
    """AWS would hide what is below 80; it is asked for everything."""
    result = verifier.verify(CARDS["p2"].data, CARDS["p1"].data)
    assert result.decision is Decision.NO_MATCH
    assert result.score.value == pytest.approx(15.35, abs=0.01)


@pytest.mark.parametrize("pair", [("no-face", "p1"), ("p1", "no-face")])
def test_no_face_is_no_mismatch(verifier, pair):
    """Of either picture; nobody knows what it cost."""
    result = verifier.verify(*(CARDS[name].data for name in pair))
    assert result.decision is Decision.INCONCLUSIVE
    assert [warning.code for warning in result.warnings] == [WarningCode.NO_FACE]
    assert result.billing.charged is Charged.UNKNOWN


def test_a_second_person_in_the_probe_is_told(verifier):
    """Each with a similarity; of a reference only the largest face is looked at."""
    result = verifier.verify(CARDS["two-faces"].data, CARDS["p1"].data)
    assert result.is_match
    assert [warning.code for warning in result.warnings] == [WarningCode.MULTIPLE_FACES]
    assert [round(face.similarity.value) for face in result.probe_faces] == [95, 5]
    assert [face.compared for face in result.probe_faces] == [True, False]
    result = verifier.verify(CARDS["p1"].data, CARDS["two-faces"].data)
    assert (result.is_match, result.warnings) == (True, ())


def test_faces_have_their_details(verifier):
    """Landmarks, pose and quality by AWS's own names; guesses of mood are not kept."""
    result = verifier.verify(CARDS["p1"].data, CARDS["p1"].data)
    (face,) = result.probe_faces
    assert set(face.landmarks) == {"eyeLeft", "eyeRight", "nose", "mouthLeft", "mouthRight"}
    assert set(face.pose) == {"Roll", "Yaw", "Pitch"}
    assert set(face.quality) == {"Brightness", "Sharpness"}


@pytest.fixture
def curious(mock):
    """It asks about the reference first."""
    settings = {"region": "eu-west-1", "base_url": mock.url, "reference_quality": True, **KEYS}
    with FaceVerifier(RekognitionBackend(**settings)) as opened:
        yield opened


def test_the_quality_of_the_reference_costs_an_image_more(curious, verifier, mock):
    pictures = CARDS["p1-again"].data, CARDS["p1"].data
    result = curious.verify(*pictures)
    (face,) = result.reference_faces
    assert set(face.quality) == {"Brightness", "Sharpness"}
    assert set(face.pose) == {"Roll", "Yaw", "Pitch"}
    assert face.compared
    assert (result.billing.charges, len(mock.control.charges())) == (2, 2)
    assert result.score == verifier.verify(*pictures).score
    assert set(result.raw) >= {"FaceMatches", "FaceDetails"}


def test_a_reference_without_a_face_is_compared_with_nobody(curious, mock):
    result = curious.verify(CARDS["p1"].data, CARDS["no-face"].data)
    assert result.decision is Decision.INCONCLUSIVE
    assert result.warnings[0].text == "the reference shows no face"
    assert (result.billing.charges, len(mock.control.charges())) == (1, 1)


def test_what_was_charged_before_an_unknown_price_is_said(curious, mock):
    result = curious.verify(CARDS["no-face"].data, CARDS["p1"].data)
    assert result.decision is Decision.INCONCLUSIVE
    assert result.billing.charged is Charged.UNKNOWN
    assert "charges of earlier requests of the call: 1" in result.billing.ground


def test_a_second_face_of_the_reference_is_seen(curious):
    """CompareFaces alone says nothing of it; the largest face is the one that was compared."""
    result = curious.verify(CARDS["p1"].data, CARDS["two-faces"].data)
    assert result.is_match
    assert [warning.text for warning in result.warnings] == [
        "the reference shows more than one face"
    ]
    assert [face.compared for face in result.reference_faces] == [True, False]
    first, second = (face.box for face in result.reference_faces)
    assert (first.right - first.left) * (first.bottom - first.top) >= (
        (second.right - second.left) * (second.bottom - second.top)
    )


def test_amazons_own_address_is_the_mocks_while_the_fixture_is_there(rekognition_mock):
    """Nothing is set but region and keys."""
    with FaceVerifier(BACKEND) as verifier:
        assert verifier.verify(CARDS["p1"].data, CARDS["p1"].data).is_match
    assert len(rekognition_mock.control.charges()) == 1


def test_the_quality_filter_is_sent(mock):
    """And named in the journal; a wrong one is refused when it is opened."""
    settings = {"region": "eu-west-1", "base_url": mock.url, **KEYS}
    with FaceVerifier(RekognitionBackend(quality_filter="HIGH", **settings)) as verifier:
        verifier.verify(CARDS["p1"].data, CARDS["p1"].data)
    sent = {"SimilarityThreshold": "0", "QualityFilter": "HIGH"}
    assert mock.control.journal()[-1].fields == sent
    assert verifier.backend.quality_filter is QualityFilter.HIGH
    with pytest.raises(ConfigurationError):
        RekognitionBackend(quality_filter="BEST", **settings)


REGIONS = (
    *("us-east-1", "eu-west-1", "ap-southeast-5", "us-gov-west-1", "il-central-1"),
    *("cn-north-1", "cn-northwest-1", "us-iso-east-1", "us-isob-east-1", "us-isof-south-1"),
    *("eu-isoe-west-1", "eusc-de-east-1"),
)


@pytest.mark.parametrize("fips", [False, True])
@pytest.mark.parametrize("region", REGIONS)
def test_the_endpoint_is_that_of_botocore(region, fips):
    """In every partition of AWS, and with FIPS; each is an address of AWS's own."""
    backend = RekognitionBackend(region=region, fips=fips, **KEYS)
    how = Config(use_fips_endpoint=fips)
    made = boto3.Session("key", "secret").client("rekognition", region_name=region, config=how)
    assert backend.address == made.meta.endpoint_url
    assert RekognitionBackend(region=region, base_url=backend.address, **KEYS).address


@pytest.mark.parametrize(
    "settings",
    [
        {"region": "eu-west-1.evil.example/"},
        {"region": "Frankfurt"},
        {"region": "cn-north-1", "base_url": "https://rekognition.cn-north-1.amazonaws.com.eu"},
        {"region": "eu-west-1", "base_url": "https://rekognition.example"},
        {"region": "eu-west-1", "access_key_id": None},
        {"region": "eu-west-1", "secret_access_key": None},
        {"region": "eu-west-1", "access_key_id": ""},
        {"region": "eu-west-1", "fips": "false"},
        {"region": "eu-west-1", "read_timeout_s": 0},
    ],
)
def test_settings_that_cannot_be(settings):
    """Refused when it is opened."""
    with pytest.raises(ConfigurationError):
        RekognitionBackend(**{**KEYS, **settings})
