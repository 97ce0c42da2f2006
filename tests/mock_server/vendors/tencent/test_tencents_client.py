"""The mock and Tencent's own client, tencentcloud-sdk-python-iai, unmodified."""

import re

import pytest
from vendors.tencent import check_liveness, compare, tencents_client

from facematch_mock_server import Fault, MockServer, card_sheet

CARDS = {name: card.data for name, card in card_sheet().items()}
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@pytest.fixture(scope="module")
def server():
    with MockServer(vendor="tencent") as running:
        yield running


@pytest.fixture
def mock(server):
    server.control.reset()
    return server


@pytest.fixture
def client(mock):
    return tencents_client(mock.url)


def test_one_person_and_two_people(client):
    answer = compare(client, CARDS["p1"], CARDS["p1-again"], FaceModelVersion="3.0")
    assert answer.Score > 50
    assert answer.FaceModelVersion == "3.0"
    assert UUID.fullmatch(answer.RequestId)
    assert compare(client, CARDS["p1"], CARDS["p2"]).Score < 50


def test_live_person_and_spoof(client):
    assert check_liveness(client, CARDS["p1"], FaceModelVersion="3.0").Score > 40
    assert check_liveness(client, CARDS["spoof"]).Score < 40


@pytest.mark.parametrize(
    "settings", [{"unsignedPayload": True}, {"language": "en-US"}, {"language": "zh-CN"}]
)
def test_other_signatures_and_headers_of_the_client_are_accepted(mock, settings):
    client = tencents_client(mock.url, **settings)
    assert compare(client, CARDS["p1"], CARDS["p1-again"]).Score > 50


def test_client_sees_every_refusal_in_a_200(mock, client):
    """It looks for an error only if the Content-Type is exactly the documented one."""
    no_face = "InvalidParameterValue.NoFaceInPhoto"
    assert compare(client, CARDS["p1"], CARDS["no-face"]) == no_face
    assert check_liveness(client, CARDS["no-face"]) == no_face
    assert compare(client, b"no picture", CARDS["p1"]) == "FailedOperation.ImageDecodeFailed"
    for key, code in (
        ({"secret_id": "another-id"}, "AuthFailure.SecretIdNotFound"),
        ({"secret_key": "another-key"}, "AuthFailure.SignatureFailure"),
    ):
        other = tencents_client(mock.url, **key)
        assert compare(other, CARDS["p1"], CARDS["p1"]) == code
    mock.control.set_limit("second", 0)
    assert compare(client, CARDS["p1"], CARDS["p1"]) == "RequestLimitExceeded"


def test_other_statuses_are_errors_of_the_network_to_the_client(mock, client):
    mock.control.add_fault(Fault(stage="answer", kind="status", status=503))
    assert compare(client, CARDS["p1"], CARDS["p1-again"]) == "ServerNetworkError"
