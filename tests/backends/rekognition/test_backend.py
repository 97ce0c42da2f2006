import itertools

import boto3
import pytest
from botocore.config import Config
from kit.vendors import AWS_KEYS as KEYS

import facematch_core as fm
from facematch_mock_server import card_sheet
from facematch_rekognition import RekognitionBackend

CARDS = card_sheet()


@pytest.fixture
def verifier(mock):
    with fm.FaceVerifier(
        RekognitionBackend(region="eu-west-1", base_url=mock.url, **KEYS)
    ) as opened:
        yield opened


def test_all_faces_of_the_probe_are_compared_with_the_largest_of_the_reference(verifier):
    result = verifier.verify(CARDS["two-faces"].data, CARDS["p1"].data)
    assert result.is_match
    assert [warning.code for warning in result.warnings] == [fm.WarningCode.MULTIPLE_FACES]
    assert [round(face.similarity.value) for face in result.probe_faces] == [95, 5]
    assert [face.compared for face in result.probe_faces] == [True, False]
    result = verifier.verify(CARDS["p1"].data, CARDS["two-faces"].data)
    assert (result.is_match, result.warnings) == (True, ())


@pytest.fixture
def curious(mock):
    settings = {"region": "eu-west-1", "base_url": mock.url, "reference_quality": True, **KEYS}
    with fm.FaceVerifier(RekognitionBackend(**settings)) as opened:
        yield opened


def test_reference_quality_costs_an_image_more(curious, verifier, mock):
    pictures = CARDS["p1-again"].data, CARDS["p1"].data
    result = curious.verify(*pictures)
    (face,) = result.reference_faces
    assert set(face.quality) == {"Brightness", "Sharpness"}
    assert set(face.pose) == {"Roll", "Yaw", "Pitch"}
    assert face.compared
    assert (result.billing.charges, len(mock.control.charges())) == (2, 2)
    assert result.score == verifier.verify(*pictures).score
    assert set(result.raw) >= {"FaceMatches", "FaceDetails"}


def test_reference_without_a_face_ends_the_call(curious, mock):
    result = curious.verify(CARDS["p1"].data, CARDS["no-face"].data)
    assert result.decision is fm.Decision.INCONCLUSIVE
    assert result.warnings[0].text == "the reference shows no face"
    assert (result.billing.charges, len(mock.control.charges())) == (1, 1)


def test_unknown_price_names_the_earlier_charge(curious, mock):
    result = curious.verify(CARDS["no-face"].data, CARDS["p1"].data)
    assert result.decision is fm.Decision.INCONCLUSIVE
    assert result.billing.charged is fm.Charged.UNKNOWN
    assert "charges of earlier requests of the call: 1" in result.billing.ground


def test_reference_quality_shows_a_second_face(curious):
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


REGIONS = (
    *("us-east-1", "eu-west-1", "ap-southeast-5", "us-gov-west-1", "il-central-1"),
    *("cn-north-1", "cn-northwest-1", "us-iso-east-1", "us-isob-east-1", "us-isof-south-1"),
    *("eu-isoe-west-1", "eusc-de-east-1"),
)


def test_endpoint_equals_botocores_in_every_partition():
    session = boto3.Session("key", "secret")
    for region, fips in itertools.product(REGIONS, (False, True)):
        how = Config(use_fips_endpoint=fips)
        client = session.client("rekognition", region_name=region, config=how)
        backend = RekognitionBackend(region=region, fips=fips, **KEYS)
        assert backend.address == client.meta.endpoint_url
        assert RekognitionBackend(region=region, base_url=backend.address, **KEYS).address


@pytest.mark.parametrize("region", ["us-east-1", "us-gov-west-1", "cn-north-1", "eusc-de-east-1"])
def test_dual_stack_endpoint_of_a_partition_may_be_set(region):
    how = Config(use_dualstack_endpoint=True)
    client = boto3.Session("key", "secret").client("rekognition", region_name=region, config=how)
    address = client.meta.endpoint_url
    assert RekognitionBackend(region=region, base_url=address, **KEYS).address == address
