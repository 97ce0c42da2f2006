"""Liveness sessions as Microsoft's Python client has them, which asks for v1.2-preview.1."""

import datetime as dt

import pytest
import requests
from azure.ai.vision.face import FaceSessionClient, models
from azure.core.credentials import AzureKeyCredential
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from kit.cards import CARDS

from facematch_mock_server import MockServer, VirtualClock

HOW = {"liveness_operation_mode": "Passive", "device_correlation_id": "a device"}
COMPARED = models.CreateLivenessWithVerifySessionContent(**HOW, return_verify_image_hash=True)
STATUSES = models.FaceSessionStatus


@pytest.fixture
def clock():
    return VirtualClock(dt.datetime(2026, 11, 20, tzinfo=dt.UTC))


@pytest.fixture
def mock(clock):
    with MockServer(vendor="azure", clock=clock) as running:
        yield running


@pytest.fixture
def client(mock, at_end):
    key = AzureKeyCredential(mock.live_key)
    return at_end.enter_context(FaceSessionClient(mock.url, key, retry_total=0))


def start(client, **more):
    content = models.CreateLivenessSessionContent(**HOW, **more)
    return client.create_liveness_session(content).session_id


def compare_with(client, picture):
    return client.create_liveness_with_verify_session(COMPARED, verify_image=picture)


def test_session_has_the_newest_attempt_as_its_result(client, mock):
    session_id = start(client, enable_session_image=True)
    begun = client.get_liveness_session_result(session_id)
    assert begun.status == STATUSES.NOT_STARTED
    assert (begun.result, begun.session_expired) == (None, False)
    mock.control.sessions.fail_attempt(session_id)
    assert client.get_liveness_session_result(session_id).status == STATUSES.STARTED
    mock.control.advance(30)
    mock.control.sessions.finish(session_id, "p1")
    read = client.get_liveness_session_result(session_id)
    assert (read.id, read.status) == (session_id, STATUSES.RESULT_AVAILABLE)
    assert read.device_correlation_id == "a device"
    assert read.auth_token_time_to_live_in_seconds == 600
    entry, body = read.result, read.result.response.body
    assert (entry.id, body.liveness_decision) == (2, models.FaceLivenessDecision.REAL_FACE)
    assert body.target.face_rectangle.width == 180
    assert body.verify_result is None
    assert (entry.received_date_time - read.session_start_date_time).total_seconds() == 30
    image = b"".join(client.get_session_image(entry.session_image_id))
    assert image == CARDS["p1"]


@pytest.mark.parametrize(("card", "is_identical"), [("p1-again", True), ("p2", False)])
def test_session_with_verification_compares_with_the_sent_picture(client, mock, card, is_identical):
    begun = compare_with(client, CARDS["p1"])
    assert begun.verify_image.quality_for_recognition == models.QualityForRecognition.HIGH
    mock.control.sessions.finish(begun.session_id, card)
    result = client.get_liveness_with_verify_session_result(begun.session_id).result
    compared = result.response.body.verify_result
    assert (compared.is_identical, len(result.verify_image_hash)) == (is_identical, 64)
    assert compared.verify_image == begun.verify_image
    assert result == client.get_liveness_with_verify_session_result(begun.session_id).result


def test_quality_of_the_sent_picture_is_set_by_a_test(client, mock):
    path = "/face/*/detectLivenessWithVerify/singleModal/sessions"
    mock.control.answer(path, "verifyImage.qualityForRecognition", "low")
    begun = compare_with(client, CARDS["p1"])
    assert begun.verify_image.quality_for_recognition == models.QualityForRecognition.LOW
    mock.control.sessions.finish(begun.session_id, "p1-again")
    field = "result.response.body.verifyResult.verifyImage.qualityForRecognition"
    mock.control.answer(f"{path}/*", field, "medium")
    mock.control.answer(f"{path}/*", "result.response.body.target.imageType", "Infrared")
    result = client.get_liveness_with_verify_session_result(begun.session_id).result
    quality = result.response.body.verify_result.verify_image.quality_for_recognition
    assert quality == models.QualityForRecognition.MEDIUM
    assert result.response.body.target.image_type == models.FaceImageType.INFRARED


def test_session_is_read_and_deleted_at_the_paths_of_its_kind(client):
    ours, other = start(client), compare_with(client, CARDS["p1"]).session_id
    with pytest.raises(ResourceNotFoundError):
        client.get_liveness_session_result(other)
    client.delete_liveness_session(ours)
    with pytest.raises(ResourceNotFoundError):
        client.get_liveness_session_result(ours)
    client.delete_liveness_with_verify_session(other)
    with pytest.raises(ResourceNotFoundError):
        client.get_liveness_with_verify_session_result(other)


@pytest.mark.parametrize(
    "ask",
    [
        FaceSessionClient.get_liveness_sessions,
        FaceSessionClient.get_liveness_with_verify_sessions,
        lambda client: client.get_liveness_session_audit_entries(start(client)),
    ],
)
def test_lists_of_sessions_and_entries_are_not_imitated(client, ask):
    with pytest.raises(ResourceNotFoundError) as failed:
        ask(client)
    assert "does not imitate" in failed.value.response.headers["X-Facematch-Hint"]


def test_both_versions_show_the_same_sessions(client, mock):
    session_id = start(client)
    headers = {"Ocp-Apim-Subscription-Key": mock.live_key}
    url = f"{mock.url}/face/v1.2/detectLiveness-sessions"
    read = requests.get(f"{url}/{session_id}", headers=headers, timeout=20).json()
    assert read["results"] == {"attempts": []}
    sent = {"livenessOperationMode": "Passive", "deviceCorrelationId": "a device"}
    newer = requests.post(url, json=sent, headers=headers, timeout=20).json()["sessionId"]
    mock.control.sessions.finish(newer)
    result = client.get_liveness_session_result(newer).result
    assert result.response.body.liveness_decision == models.FaceLivenessDecision.REAL_FACE
    attempt = requests.get(f"{url}/{newer}", headers=headers, timeout=20).json()["results"]
    assert set(attempt["attempts"][0]) == {"attemptId", "attemptStatus", "result"}


@pytest.mark.parametrize(
    ("microseconds", "shown"),
    [(0, "000000"), (199_690, "199690"), (20_625, "0206255"), (7, "0000077")],
)
def test_time_has_seven_decimals_and_six_if_the_seventh_is_0(
    client, mock, clock, microseconds, shown
):
    clock.advance(microseconds / 1e6)
    session_id = start(client)
    mock.control.sessions.finish(session_id)
    url = f"{mock.url}/face/v1.2-preview.1/detectLiveness/singleModal/sessions/{session_id}"
    headers = {"Ocp-Apim-Subscription-Key": mock.live_key}
    body = requests.get(url, headers=headers, timeout=20).json()
    times = (
        body["createdDateTime"],
        body["sessionStartDateTime"],
        body["result"]["receivedDateTime"],
    )
    assert {time.partition(".")[2] for time in times} == {f"{shown}+00:00"}
    assert "clientRequestId" not in body["result"]


def test_expired_or_abandoned_session_has_no_result(client, mock):
    expired, abandoned = start(client), start(client)
    mock.control.sessions.abandon(abandoned)
    mock.control.advance(600)
    for session_id, status in ((expired, STATUSES.NOT_STARTED), (abandoned, STATUSES.STARTED)):
        read = client.get_liveness_session_result(session_id)
        assert (read.status, read.session_expired, read.result) == (status, True, None)


@pytest.mark.parametrize(
    ("ask", "status"),
    [
        (lambda client: start(client, liveness_single_modal_model="2099-01-01"), 400),
        (lambda client: start(client, auth_token_time_to_live_in_seconds=59), 400),
        (lambda client: compare_with(client, CARDS["no-face"]), 400),
        (lambda client: compare_with(client, None), 501),
    ],
)
def test_invalid_request_is_refused(client, mock, ask, status):
    with pytest.raises(HttpResponseError) as failed:
        ask(client)
    assert failed.value.status_code == status


@pytest.mark.parametrize("parameters", ["", "[]", "{", "[" * 100_000])
def test_malformed_parameters_are_refused(mock, parameters):
    headers = {"Ocp-Apim-Subscription-Key": mock.live_key}
    url = f"{mock.url}/face/v1.2-preview.1/detectLivenessWithVerify/singleModal/sessions"
    files = {"Parameters": (None, parameters), "VerifyImage": ("id.png", CARDS["p1"])}
    answer = requests.post(url, files=files, headers=headers, timeout=20)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "InvalidRequestBody")
