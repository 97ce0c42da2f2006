"""Version 2 of Didit's sessions, and the simulation of a sandbox."""

import pytest
from kit.mock_sessions import SANDBOX
from kit.mock_world import control_of, json_request, new_engine
from vendors import didit

from facematch_mock_server.recognition.recognizer import Recognizer

V2 = "/v2/session/"
OBJECTS = {"id_verification", "nfc", "liveness", "face_match", "phone", "poa", "aml", "ip_analysis"}


@pytest.fixture
def engine():
    return new_engine(Recognizer())


def start(engine, path=V2, key="mock-live-key"):
    body = {"workflow_id": didit.WORKFLOW, "vendor_data": "emp-1"}
    answer = engine.handle(json_request(path, body, key=key))
    assert answer.status == 201
    return answer


def read(engine, session_id, action="decision/", **more):
    return engine.handle(json_request(f"{V2}{session_id}/{action}", method="GET", **more))


def test_version_2_starts_a_session_that_version_3_reads(engine):
    answer = start(engine)
    session = answer.json()
    assert {"session_id", "session_token", "url", "status"} <= set(session)
    assert answer.header("X-Facematch-Hint") == "v2 of Didit is answered in the form of v3"
    again = start(engine)
    assert again.json()["session_id"] == session["session_id"]
    assert again.header("X-Facematch-Hint") is None
    decision = didit.on(1)(engine).json()
    assert (decision["session_id"], decision["status"]) == (session["session_id"], "Not Started")


@pytest.mark.parametrize(
    ("card", "document", "status", "scores"),
    [
        ("p1", "p1-again", "Approved", (95.47, 97.0)),
        ("p2", "p1", "Declined", (15.35, 97.0)),
        ("spoof", "p1", "Declined", (95.47, 4.0)),
        ("no-face", "p1", "Declined", (None, None)),
    ],
)
def test_decision_of_version_2_has_objects_with_what_the_cards_show(
    engine, card, document, status, scores
):
    session_id = start(engine).json()["session_id"]
    control_of(engine).sessions.finish(session_id, card, document)
    decision = read(engine, session_id).json()
    assert read(engine, session_id, "").json()["status"] == decision["status"] == status
    assert (decision["face_match"]["score"], decision["liveness"]["score"]) == scores
    assert decision["liveness"]["method"] == "PASSIVE"
    assert decision["id_verification"]["front_image"]
    assert decision["nfc"] is None
    assert not {"face_matches", "liveness_checks", "id_verifications"} & set(decision)


def test_decision_of_version_2_has_no_objects_before_the_check(engine):
    session_id = start(engine).json()["session_id"]
    decision = read(engine, session_id).json()
    assert {decision[name] for name in OBJECTS} == {None}


def test_version_2_refuses_a_wrong_key_and_an_unknown_session(engine):
    session_id = start(engine).json()["session_id"]
    assert read(engine, session_id, key="wrong").status == 401
    assert read(engine, session_id, key=SANDBOX).status == 404
    assert read(engine, "6d4b9adb-ebcd-4f5e-89c1-8070b6d13089").status == 404


def simulate(engine, session_id, key=SANDBOX, **body):
    return engine.handle(json_request(f"/v3/session/{session_id}/simulate/", body, key=key))


@pytest.mark.parametrize("status", ["Approved", "Declined", "In Review", "Expired"])
def test_simulation_sets_a_status_without_any_result(engine, status):
    session_id = start(engine, "/v3/session/", SANDBOX).json()["session_id"]
    answer = simulate(engine, session_id, new_status=status, comment="a test")
    assert (answer.status, answer.header("X-Facematch-Hint")) == (200, None)
    decision = didit.on(1, key=SANDBOX)(engine).json()
    assert decision["status"] == status
    assert decision["reviews"][0]["comment"] == "a test"
    assert decision["face_matches"] is decision["liveness_checks"] is None


def test_simulation_needs_a_known_status_and_a_key(engine):
    session_id = start(engine, "/v3/session/", SANDBOX).json()["session_id"]
    assert simulate(engine, session_id).status == 400
    assert simulate(engine, session_id, new_status="Fine").status == 400
    assert simulate(engine, session_id, key="wrong", new_status="Approved").status == 401


def test_simulation_with_a_live_key_has_a_hint(engine):
    session_id = start(engine, "/v3/session/").json()["session_id"]
    answer = simulate(engine, session_id, key="mock-live-key", new_status="Approved")
    assert "sandbox" in answer.header("X-Facematch-Hint")
