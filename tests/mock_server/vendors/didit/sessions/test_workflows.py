"""What a workflow makes of a hosted session's checks."""

import base64

import pytest
from kit.mock_sessions import acting
from kit.mock_world import control_of, control_request, new_engine
from vendors.didit import WORKFLOW, on, start

from facematch_mock_server import make_card
from facematch_mock_server.recognition.ready import READY
from facematch_mock_server.recognition.recognizer import Recognizer


def play(card, **facts):
    """The decision of a session in which a card is shown."""
    engine = new_engine(recognizer=Recognizer())
    sessions = control_of(engine).sessions
    sessions.workflow(WORKFLOW, **facts)
    reference = base64.b64encode(READY["p1"].data).decode()
    begun = engine.handle(start(portrait_image=reference)).json()
    sessions.finish(begun["session_id"], card)
    return on(1)(engine).json()


def risks(item):
    return [(warning["risk"], warning["log_type"]) for warning in item["warnings"]]


@pytest.mark.parametrize(
    ("card", "expected", "status"),
    [
        ({"quality": 31}, [], "Approved"),
        ({"quality": 30}, [("LOW_FACE_QUALITY", "warning")], "In Review"),
        ({"luminance": 20}, [], "Approved"),
        ({"luminance": 19}, [("LOW_FACE_LUMINANCE", "information")], "Approved"),
        ({"luminance": 81}, [("HIGH_FACE_LUMINANCE", "information")], "Approved"),
        ({"faces": 2}, [("MULTIPLE_FACES_DETECTED", "information")], "Approved"),
        ({"liveness": 31}, [], "Approved"),
        ({"liveness": 30}, [("LOW_LIVENESS_SCORE", "error")], "Declined"),
    ],
)
def test_liveness_check_decides_the_session(card, expected, status):
    decision = play(make_card("p1", **card))
    (check,) = decision["liveness_checks"]
    assert risks(check) == expected
    assert (check["status"], decision["status"]) == (status, status)


@pytest.mark.parametrize("card", [{"quality": 3}, {"luminance": 3}, {"faces": 2}])
def test_only_a_passive_check_has_warnings_about_the_picture(card):
    decision = play(make_card("p1", **card), method="ACTIVE_3D")
    assert risks(decision["liveness_checks"][0]) == []
    assert decision["liveness_checks"][0]["method"] == "ACTIVE_3D"


@pytest.mark.parametrize(
    ("score", "expected", "status"),
    [
        (71, [], "Approved"),
        (70, [("LOW_FACE_MATCH_SIMILARITY", "warning")], "In Review"),
        (50, [("LOW_FACE_MATCH_SIMILARITY", "error")], "Declined"),
    ],
)
def test_face_match_decides_the_session(score, expected, status):
    decision = play(make_card("p1", score=score))
    (match,) = decision["face_matches"]
    assert (risks(match), match["status"], match["score"]) == (expected, status, score)
    assert decision["status"] == status


def test_session_in_review_is_made_by_an_outcome_and_an_act_over_http():
    engine = new_engine(recognizer=Recognizer())
    answer = engine.handle(control_request("sessions/workflows", {"id": WORKFLOW}))
    assert answer.json()["version"] == 1
    engine.handle(start(portrait_image=base64.b64encode(READY["p1"].data).decode()))
    engine.handle(control_request("outcomes", {"kind": "match", "score": 60}))
    assert acting(1, "card")(engine).json()["status"] == "In Review"
    (match,) = on(1)(engine).json()["face_matches"]
    assert (match["status"], match["score"]) == ("In Review", 60)
