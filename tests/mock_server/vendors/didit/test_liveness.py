"""POST /v3/passive-liveness/: verdicts, scores, warnings and shapes, row by row."""

import pytest
from kit import mock_didit as didit
from kit.mock_didit import FACE_SHOWN, LIVENESS_THRESHOLD, liveness, picture

from facematch_mock_server.recognition.recognizer import PictureRecognizer
from facematch_mock_server.recognition.sheet import make_card


def test_an_answer_has_every_key(ask):
    """The declined answer of the documents, key for key."""
    body = ask(liveness(picture(score=30), vendor_data="emp-0042"))[1]
    assert body == {
        "request_id": body["request_id"],
        "liveness": {
            "status": "Declined",
            "method": "PASSIVE",
            "score": 30.0,
            "user_image": {"entities": [FACE_SHOWN], "best_angle": 0},
            "warnings": [
                {
                    "risk": "LOW_LIVENESS_SCORE",
                    "feature": "LIVENESS",
                    "additional_data": None,
                    "log_type": "error",
                    "short_description": "Low liveness score",
                    "long_description": "The liveness check resulted in a low score, indicating "
                    "potential use of non-live facial representations or poor-quality biometric "
                    "data.",
                }
            ],
            "face_quality": 71.8,
            "face_luminance": 46.02,
        },
        "vendor_data": "emp-0042",
        "metadata": None,
        "created_at": "2026-07-02T09:15:27.104233+00:00",
    }


LOW, ATTACK, NONE = "LOW_LIVENESS_SCORE", "LIVENESS_FACE_ATTACK", "NO_FACE_DETECTED"
MANY = "MULTIPLE_FACES_DETECTED"
KNOWN = "liveness.known_from"
ANSWER, UNWARNED = "liveness.answer", "liveness.quality_risks.none"
QUALITY = "LOW_FACE_QUALITY"
DARK, BRIGHT = "LOW_FACE_LUMINANCE", "HIGH_FACE_LUMINANCE"
LISTED, LIKE_LISTED = "FACE_IN_BLOCKLIST", "POSSIBLE_FACE_IN_BLOCKLIST"
TWICE, LIKE_TWICE = "DUPLICATED_FACE", "POSSIBLE_DUPLICATED_FACE"

#: what is seen, threshold, edition -> status, score, risks, claim
VERDICTS = [
    ({"score": 92.123}, None, "2026-07", "Approved", 92.12, [], "score.compared"),
    ({"score": 30}, None, "2026-07", "Declined", 30.0, [LOW], "liveness.boundary.exclusive"),
    ({"score": 30.01}, None, "2026-07", "Approved", 30.01, [], "liveness.answer"),
    ({"score": 55}, "55", "2026-07", "Declined", 55.0, [LOW], "liveness.boundary.exclusive"),
    ({"score": 30.004}, None, "2026-07", "Declined", 30.0, [LOW], "score.compared"),
    ({"score": 100}, "100", "2026-07", "Declined", 100.0, [LOW], "liveness.boundary.exclusive"),
    ({"score": None}, None, "2026-07", "Declined", None, [LOW], "liveness.null_score"),
    ({"attack": True}, None, "2026-07", "Declined", 92.12, [ATTACK], "liveness.answer"),
    ({"attack": True, "score": 3}, None, "2026-07", "Declined", 3.0, [LOW, ATTACK], ANSWER),
    ({"faces": 2}, None, "2026-07", "Approved", 92.12, [MANY], "warning.words"),
    ({"faces": 2, "score": 3}, None, "2026-07", "Declined", 3.0, [LOW, MANY], "warning.words"),
    ({"quality": 1, "luminance": 1}, None, "2026-07", "Approved", 92.12, [], UNWARNED),
    ({"quality": 1, "luminance": 99}, None, "2026-07", "Approved", 92.12, [], UNWARNED),
    ({"score": 30}, "30", "2026-03", "Approved", 30, [], "liveness.boundary.inclusive"),
    ({"score": 29}, None, "2026-03", "Declined", 29, [LOW], "liveness.boundary.inclusive"),
    ({"quality": 29.9}, None, "2026-03", "Approved", 92, [QUALITY], "liveness.quality_limits"),
    ({"quality": 30}, None, "2026-03", "Approved", 92, [], "liveness.quality_risks.warned"),
    ({"luminance": 19.9}, None, "2026-03", "Approved", 92, [DARK], "liveness.quality_limits"),
    ({"luminance": 20}, None, "2026-03", "Approved", 92, [], "liveness.quality_limits"),
    ({"luminance": 80.1}, None, "2026-03", "Approved", 92, [BRIGHT], "liveness.quality_limits"),
    ({"luminance": 80}, None, "2026-03", "Approved", 92, [], "liveness.quality_limits"),
    ({"blocklist": "certain"}, None, "2026-07", "Declined", 92.12, [LISTED], KNOWN),
    ({"blocklist": "possible"}, None, "2026-03", "Declined", 92, [LIKE_LISTED], "warning.words"),
    ({"duplicate": "certain"}, None, "2026-07", "Approved", 92.12, [TWICE], KNOWN),
    ({"duplicate": "possible"}, None, "2026-07", "Approved", 92.12, [LIKE_TWICE], KNOWN),
]  # fmt: skip


@pytest.mark.parametrize("case", VERDICTS, ids=range(len(VERDICTS)))
def test_verdict(ask, case):
    """What is seen gives this verdict, this score and these warnings."""
    seen, threshold, edition, status, score, risks, claim = case
    fields = {} if threshold is None else {LIVENESS_THRESHOLD: threshold}
    for saved in ("true", "false"):
        sent = liveness(picture(**seen), save_api_request=saved, **fields)
        code, body, response = ask(sent, edition=edition)
        block = body["liveness"]
        assert (code, block["status"], block["score"]) == (200, status, score)
        assert type(block["score"]) is type(score)
        assert [warning["risk"] for warning in block["warnings"]] == risks
        assert f"didit.{claim}" in response.claims


def test_no_face(ask):
    """No face stands alone, and takes the numbers away."""
    seen = picture(faces=0, score=3, attack=True, blocklist="certain", duplicate="certain")
    body = ask(liveness(seen))[1]
    block = body["liveness"]
    assert block["status"] == "Declined"
    assert [warning["risk"] for warning in block["warnings"]] == [NONE]
    assert [block[k] for k in ("score", "face_quality", "face_luminance")] == [None] * 3
    assert block["user_image"] == {"entities": [], "best_angle": None}


TYPES = {
    LOW: "error",
    ATTACK: "error",
    NONE: "error",
    MANY: "warning",
    QUALITY: "warning",
    DARK: "warning",
    BRIGHT: "warning",
    LISTED: "error",
    LIKE_LISTED: "error",
    TWICE: "information",
    LIKE_TWICE: "information",
}


def test_the_type_of_every_warning(ask):
    """Errors decline, warnings do not."""
    seen = {}
    for said in (
        {"score": 1, "attack": True, "faces": 2, "quality": 1, "luminance": 1},
        {"faces": 0},
        {"luminance": 99},
        {"blocklist": "certain", "duplicate": "certain"},
        {"blocklist": "possible", "duplicate": "possible"},
    ):
        for warning in ask(liveness(picture(**said)), edition="2026-03")[1]["liveness"]["warnings"]:
            seen[warning["risk"]] = warning["log_type"]
    assert seen == TYPES


def test_the_words_of_an_attack(ask):
    """The documented words."""
    warning = ask(liveness(picture(attack=True)))[1]["liveness"]["warnings"][0]
    assert warning["short_description"] == "Liveness Face Attack"
    text = "The system detected a potential attempt to bypass the liveness check."
    assert warning["long_description"] == text


def test_a_face_that_is_known(ask):
    """The documented words, and which session knows it."""
    seen = picture(blocklist="certain", duplicate="certain")
    listed, twice = ask(liveness(seen))[1]["liveness"]["warnings"]
    known = {"api_service": "PASSIVE_LIVENESS"}
    session = "00000000-0000-4000-8000-000000000001"
    assert listed == {
        "risk": LISTED,
        "feature": "LIVENESS",
        "additional_data": {
            "blocklisted_session_id": session,
            "blocklisted_session_number": 1,
            **known,
        },
        "log_type": "error",
        "short_description": "Face in blocklist",
        "long_description": "The system identified a face in the blocklist, which means the face "
        "is not allowed to be verified.",
    }
    assert twice == {
        "risk": TWICE,
        "feature": "LIVENESS",
        "additional_data": {
            "duplicated_session_id": session,
            "duplicated_session_number": 1,
            **known,
        },
        "log_type": "information",
        "short_description": "Duplicated face from other approved session",
        "long_description": "The system identified a duplicated face from another approved "
        "session, requiring further investigation.",
    }
    march = ask(liveness(seen), edition="2026-03")[1]["liveness"]["warnings"]
    assert all("additional_data" not in warning for warning in march)


@pytest.mark.parametrize(
    ("found", "status", "risks"),
    [
        ({"blocklist": "certain"}, "Declined", [LISTED]),
        ({"blocklist": "possible"}, "Declined", [LIKE_LISTED]),
        ({"duplicate": "certain"}, "Approved", [TWICE]),
        ({"duplicate": "possible"}, "Approved", [LIKE_TWICE]),
        ({"blocklist": "certain", "duplicate": "possible"}, "Declined", [LISTED, LIKE_TWICE]),
    ],
)
def test_an_outcome_says_that_a_face_is_known(found, status, risks):
    """For the next call; nobody is known by having been there before."""
    engine = didit.new_engine(recognizer=PictureRecognizer())
    card = make_card("p1")
    engine.world.recognizer.set_outcome("liveness", **found)
    for wanted in ((status, risks), ("Approved", [])):
        block = engine.handle(liveness(card)).json()["liveness"]
        told = [warning["risk"] for warning in block["warnings"]]
        assert (block["status"], told) == wanted


def test_bytes_that_are_no_picture(ask):
    """They are refused in the documented words."""
    status, body, response = ask(liveness(b"no picture"))
    assert (status, body) == (400, {"error": "Invalid user image format."})
    assert "didit.liveness.undecodable" in response.claims


def test_an_angle_only_if_asked_for(ask):
    """best_angle is 0 unless rotate_image helped."""
    sent = picture(angle=270)
    assert ask(liveness(sent))[1]["liveness"]["user_image"]["best_angle"] == 0
    body = ask(liveness(sent, rotate_image="1"))[1]
    assert body["liveness"]["user_image"]["best_angle"] == 270


def test_a_sandbox_key_always_approves(ask):
    """Whatever is sent, even at threshold 100: Approved and the full shape."""
    live = ask(liveness())[1]
    sent = liveness(b"no picture", key="mock-sandbox-key", **{LIVENESS_THRESHOLD: "100"})
    status, body, _ = ask(sent)
    assert (status, body["liveness"]["status"]) == (200, "Approved")
    assert body["liveness"]["warnings"] == []
    assert set(body["liveness"]) == set(live["liveness"])
