"""What the settings of a workflow make of a hosted session's checks."""

import base64

import pytest
from kit.mock_sessions import acting
from kit.mock_world import control_of, control_request, new_engine
from vendors.didit import WORKFLOW, on, start

from facematch_mock_server import WorkflowSettings, make_card
from facematch_mock_server.recognition.cards import READY
from facematch_mock_server.recognition.recognizer import Recognizer


def play(card, *, settings=None, **facts):
    """The decision of a session in which a card is shown."""
    engine = new_engine(recognizer=Recognizer())
    sessions = control_of(engine).sessions
    sessions.workflow(WORKFLOW, settings=settings or {}, **facts)
    reference = base64.b64encode(READY["p1"].data).decode()
    begun = engine.handle(start(portrait_image=reference)).json()
    sessions.finish(begun["session_id"], card)
    return on(1)(engine).json()


def risks(item):
    return [(warning["risk"], warning["log_type"]) for warning in item["warnings"]]


DARK = {"face_luminance_min_action": "DECLINE"}
BRIGHT = {"face_luminance_max_action": "REVIEW"}


@pytest.mark.parametrize(
    ("card", "settings", "expected", "status"),
    [
        ({"quality": 31}, {}, [], "Approved"),
        ({"quality": 30}, {}, [("LOW_FACE_QUALITY", "warning")], "In Review"),
        (
            {"quality": 30},
            {"face_quality_decline_threshold": 30},
            [("LOW_FACE_QUALITY", "error")],
            "Declined",
        ),
        ({"quality": 3}, {"face_quality_review_threshold": None}, [], "Approved"),
        ({"luminance": 20}, {}, [], "Approved"),
        ({"luminance": 19}, {}, [("LOW_FACE_LUMINANCE", "information")], "Approved"),
        ({"luminance": 19}, DARK, [("LOW_FACE_LUMINANCE", "error")], "Declined"),
        ({"luminance": 81}, {}, [("HIGH_FACE_LUMINANCE", "information")], "Approved"),
        ({"luminance": 81}, BRIGHT, [("HIGH_FACE_LUMINANCE", "warning")], "In Review"),
        ({"faces": 2}, {}, [("MULTIPLE_FACES_DETECTED", "information")], "Approved"),
        (
            {"faces": 2},
            {"face_liveness_multiple_faces_action": "DECLINE"},
            [("MULTIPLE_FACES_DETECTED", "error")],
            "Declined",
        ),
        ({"liveness": 30}, {}, [("LOW_LIVENESS_SCORE", "error")], "Declined"),
        ({"liveness": 3}, {"face_liveness_score_decline_threshold": None}, [], "Approved"),
        (
            {"liveness": 60},
            {"face_liveness_score_review_threshold": 60.0},
            [("LOW_LIVENESS_SCORE", "warning")],
            "In Review",
        ),
    ],
)
def test_settings_decide_the_liveness_check_and_the_session(card, settings, expected, status):
    decision = play(make_card("p1", **card), settings=settings)
    (check,) = decision["liveness_checks"]
    assert risks(check) == expected
    assert (check["status"], decision["status"]) == (status, status)


@pytest.mark.parametrize("card", [{"quality": 3}, {"luminance": 3}, {"faces": 2}])
def test_only_a_passive_check_has_warnings_about_the_picture(card):
    decision = play(make_card("p1", **card), method="ACTIVE_3D")
    assert risks(decision["liveness_checks"][0]) == []
    assert decision["liveness_checks"][0]["method"] == "ACTIVE_3D"


FROM_49 = {"face_match_score_decline_threshold": 49}
ALL_PASS = dict.fromkeys(
    ("face_match_score_decline_threshold", "face_match_score_review_threshold")
)


@pytest.mark.parametrize(
    ("score", "settings", "expected", "status"),
    [
        (71, {}, [], "Approved"),
        (70, {}, [("LOW_FACE_MATCH_SIMILARITY", "warning")], "In Review"),
        (50, {}, [("LOW_FACE_MATCH_SIMILARITY", "error")], "Declined"),
        (50, FROM_49, [("LOW_FACE_MATCH_SIMILARITY", "warning")], "In Review"),
        (3, ALL_PASS, [], "Approved"),
    ],
)
def test_settings_decide_the_face_match_and_the_session(score, settings, expected, status):
    decision = play(make_card("p1", score=score), settings=settings)
    (match,) = decision["face_matches"]
    assert (risks(match), match["status"], match["score"]) == (expected, status, score)
    assert decision["status"] == status


def test_session_in_review_is_made_by_an_outcome_and_an_act_over_http():
    engine = new_engine(recognizer=Recognizer())
    settings = {"face_match_score_review_threshold": 80.5}
    published = {"id": WORKFLOW, "settings": settings}
    answer = engine.handle(control_request("sessions/workflows", published)).json()
    assert answer["settings"]["face_match_score_review_threshold"] == 80.5
    engine.handle(start(portrait_image=base64.b64encode(READY["p1"].data).decode()))
    engine.handle(control_request("outcomes", {"kind": "match", "score": 80}))
    assert acting(1, "card")(engine).json()["status"] == "In Review"
    (match,) = on(1)(engine).json()["face_matches"]
    assert (match["status"], match["score"]) == ("In Review", 80)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"face_quality_review_threshold": 101}, "0 to 100"),
        ({"face_quality_review_threshold": "30"}, "0 to 100"),
        ({"face_quality_review_threshold": True}, "0 to 100"),
        ({"face_luminance_min_action": "REJECT"}, "NO_ACTION, REVIEW, DECLINE"),
        ({"face_luminance_min_acton": "REVIEW"}, "did you mean face_luminance_min_action"),
        ("REVIEW", "values by name"),
    ],
)
def test_invalid_setting_is_rejected_and_publishes_nothing(settings, words):
    engine = new_engine()
    with pytest.raises(ValueError, match=words):
        control_of(engine).sessions.workflow(WORKFLOW, settings=settings)
    sent = {"id": WORKFLOW, "settings": settings}
    assert engine.handle(control_request("sessions/workflows", sent)).status == 400
    assert control_of(engine).sessions.workflows() == ()


def test_settings_can_be_an_object():
    engine = new_engine()
    settings = WorkflowSettings(face_quality_review_threshold=None)
    published = control_of(engine).sessions.workflow(WORKFLOW, settings=settings)
    assert published.settings == settings
