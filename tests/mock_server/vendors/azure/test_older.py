"""v1.0 and v1.1-preview.1: what programs still ask for that have not moved to v1.2."""

import pytest
import requests
from azure.ai.vision.face import FaceSessionClient, models
from azure.core.credentials import AzureKeyCredential
from kit.cards import CARDS
from vendors.azure import STREAM

FIRST, PREVIEW = "v1.0", "v1.1-preview.1"
#: The settings of the fixture `mock`.
MOCK = {"vendor": "azure"}


def ask(mock, path, method="POST", **sent):
    headers = {"Ocp-Apim-Subscription-Key": mock.live_key}
    return requests.request(method, f"{mock.url}/face/{path}", headers=headers, timeout=10, **sent)


def detect(mock, version, card):
    url = f"{mock.url}/face/{version}/detect?returnFaceId=true"
    headers = {"Ocp-Apim-Subscription-Key": mock.live_key, "Content-Type": STREAM}
    return requests.post(url, data=CARDS[card], headers=headers, timeout=10)


def error_of(answer):
    return answer.status_code, answer.json()["error"]["code"]


@pytest.fixture(params=[FIRST, PREVIEW])
def version(request):
    return request.param


@pytest.mark.parametrize(
    ("probe", "is_identical", "confidence"),
    [("p1-again", True, 0.95466), ("p2", False, 0.15355), ("spoof", True, 0.95466)],
)
def test_an_older_version_verifies_as_the_cards_say(mock, version, probe, is_identical, confidence):
    (first,) = detect(mock, version, "p1").json()
    (second,) = detect(mock, version, probe).json()
    ids = {"faceId1": first["faceId"], "faceId2": second["faceId"]}
    newest = ask(mock, "v1.2/verify", json=ids).json()
    answer = ask(mock, f"{version}/verify", json=ids).json()
    assert answer["isIdentical"] is is_identical
    assert answer["confidence"] == pytest.approx(confidence)
    assert answer == newest
    assert len(mock.control.charges()) == 4


def test_the_first_call_of_each_older_version_names_the_newest(mock):
    hints = []
    for version in (FIRST, FIRST, PREVIEW, "v1.2", "v1.2-preview.1"):
        hints.append(detect(mock, version, "p1").headers.get("X-Facematch-Hint"))
        is_older = version in (FIRST, PREVIEW)
        assert ("mock.version.older" in mock.control.journal()[-1].claims) is is_older
    assert [hint and hint.split()[-1] for hint in hints] == [
        "v1.2",
        None,
        "v1.2-preview.1",
        None,
        None,
    ]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PATCH", "v1.0/persongroups/people"),
        ("PATCH", "v1.0/largefacelists/people"),
        ("POST", "v1.1-preview.1/group"),
        ("POST", "v1.0/snapshots"),
        ("POST", "v1.3-preview.1/detect"),
    ],
)
def test_calls_without_a_program_stay_out_and_the_hint_says_so(mock, method, path):
    answer = ask(mock, path, method, json={})
    assert error_of(answer) == (404, "404")
    assert "does not imitate" in answer.headers["X-Facematch-Hint"]


def test_the_first_version_has_no_sessions(mock):
    for path in ("detectLiveness/singleModal/sessions", "detectLiveness-sessions"):
        assert error_of(ask(mock, f"{FIRST}/{path}", json={})) == (404, "404")


@pytest.fixture
def client(mock, at_end):
    key = AzureKeyCredential(mock.live_key)
    opened = FaceSessionClient(mock.url, key, api_version=PREVIEW, retry_total=0)
    return at_end.enter_context(opened)


HOW = {"liveness_operation_mode": "Passive", "device_correlation_id": "a device"}


@pytest.mark.parametrize(("card", "decision"), [("p1", "realface"), ("spoof", "spoofface")])
def test_a_session_of_the_older_preview_decides_as_the_card_says(client, mock, card, decision):
    started = client.create_liveness_session(
        models.CreateLivenessSessionContent(**HOW, enable_session_image=True)
    )
    assert started.auth_token
    session_id = started.session_id
    mock.control.sessions.finish(session_id, card)
    entry = client.get_liveness_session_result(session_id).result
    assert entry.response.body.liveness_decision == decision
    assert entry.response.body.model_version_used == "2023-03-02-preview.05"
    assert entry.request.url == f"/face/{PREVIEW}/detectLiveness/singleModal"
    assert entry.request.content_length > 0
    # This version has no pictures of sessions: neither the field of the start, nor the path.
    assert entry.session_image_id is None
    image = ask(mock, f"{PREVIEW}/session/sessionImages/7", "GET")
    assert error_of(image) == (404, "404")


@pytest.mark.parametrize(("card", "is_identical"), [("p1-again", True), ("p2", False)])
def test_a_session_of_the_older_preview_compares(client, mock, card, is_identical):
    content = models.CreateLivenessWithVerifySessionContent(**HOW, return_verify_image_hash=True)
    started = client.create_liveness_with_verify_session(content, verify_image=CARDS["p1"])
    mock.control.sessions.finish(started.session_id, card)
    entry = client.get_liveness_with_verify_session_result(started.session_id).result
    assert entry.response.body.verify_result.is_identical is is_identical
    assert entry.verify_image_hash is None


def test_ids_may_be_named_in_lower_case_as_an_old_client_does(mock):
    ids = [detect(mock, PREVIEW, card).json()[0]["faceId"] for card in ("p1", "p1-again")]
    names = {"faceid1": ids[0], "faceid2": ids[1]}
    assert ask(mock, f"{PREVIEW}/verify", json=names).json()["isIdentical"] is True
