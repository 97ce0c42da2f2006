"""Both calls about pictures: verdicts, scores, warnings, shapes and hints, row by row."""

import io

import attrs
import pytest
from kit.mock_world import scene
from PIL import Image
from vendors.didit import FACE_SHOWN as FACE
from vendors.didit import MATCH_THRESHOLD, liveness_request, match_request

from facematch_mock_server import make_card
from facematch_mock_server.recognition.recognizer import Recognizer

LOW_WORDS = {
    "risk": "LOW_LIVENESS_SCORE",
    "feature": "LIVENESS",
    "additional_data": None,
    "log_type": "error",
    "short_description": "Low liveness score",
    "long_description": "The liveness check resulted in a low score, indicating potential use of "
    "non-live facial representations or poor-quality biometric data.",
}
SEEN = {"entities": [FACE], "best_angle": 0}
UNLIKE = "LOW_FACE_MATCH_SIMILARITY"
LOW, ATTACK, NONE = "LOW_LIVENESS_SCORE", "LIVENESS_FACE_ATTACK", "NO_FACE_DETECTED"
MANY = "MULTIPLE_FACES_DETECTED"
LISTED, LIKE_LISTED = "FACE_IN_BLOCKLIST", "POSSIBLE_FACE_IN_BLOCKLIST"
TWICE, LIKE_TWICE = "DUPLICATED_FACE", "POSSIBLE_DUPLICATED_FACE"
both = {"user_image": SEEN, "ref_image": SEEN}
ANSWERS = [
    (
        match_request(vendor_data="emp-0042", metadata='{"gate":"north"}'),
        "face_match",
        {"status": "Approved", "score": 87.36, **both, "warnings": []},
        {"gate": "north"},
    ),
    (
        liveness_request(scene(score=30), vendor_data="emp-0042"),
        "liveness",
        {
            "status": "Declined",
            "method": "PASSIVE",
            "score": 30.0,
            "user_image": SEEN,
            "warnings": [LOW_WORDS],
            "face_quality": 71.8,
            "face_luminance": 46.02,
        },
        None,
    ),
]


@pytest.mark.parametrize(("sent", "name", "block", "metadata"), ANSWERS, ids=["match", "liveness"])
def test_response_has_the_documented_fields_in_order(ask, sent, name, block, metadata):
    status, body, response = ask(sent)
    expected = {"request_id": body["request_id"], name: block, "vendor_data": "emp-0042"}
    expected |= {"metadata": metadata, "created_at": "2026-07-02T09:15:27.104233+00:00"}
    assert (status, body, list(body)) == (200, expected, list(expected))
    assert response.header("Content-Type") == "application/json"


def _turned_left(degrees):
    file = io.BytesIO()
    Image.open(io.BytesIO(make_card("p1"))).rotate(degrees, expand=True).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("angle", [0, 90, 180, 270])
def test_best_angle_turns_each_picture_upright_if_rotation_is_requested(ask, angle):
    pair = match_request(_turned_left(angle), _turned_left(90), rotate_image="true")
    block = ask(pair, recognizer=Recognizer())[1]["face_match"]
    assert block["status"] == "Approved"
    assert block["user_image"]["best_angle"] == angle
    assert block["ref_image"]["best_angle"] == 90
    single = liveness_request(_turned_left(angle), rotate_image="true")
    block = ask(single, recognizer=Recognizer())[1]["liveness"]
    assert (block["status"], block["user_image"]["best_angle"]) == ("Approved", angle)


@pytest.mark.parametrize("angle", [0, 90, 180, 270])
def test_face_in_a_turned_picture_is_found_only_if_rotation_is_requested(ask, angle):
    block = ask(match_request(_turned_left(angle)), recognizer=Recognizer())[1]["face_match"]
    assert bool(block["user_image"]["entities"]) is (angle == 0)
    assert block["user_image"]["best_angle"] == 0


#: The type of a warning that declines nothing; the others are errors.
TYPES = {MANY: "warning", TWICE: "information", LIKE_TWICE: "information"}
UNSAVED = {"save_api_request": "false"}


@attrs.frozen
class Verdict:
    """What an answer says of a picture; `risk` is that of its one warning, None without one."""

    status: str
    score: float | None
    risk: str | None
    claim: str

    def check(self, asked):
        status, body, response = asked
        block = body.get("face_match") or body["liveness"]
        assert (status, block["status"], block["score"]) == (200, self.status, self.score)
        assert type(block["score"]) is type(self.score)
        expected = [(self.risk, TYPES.get(self.risk, "error"))] if self.risk else []
        assert [(each["risk"], each["log_type"]) for each in block["warnings"]] == expected
        assert f"didit.{self.claim}" in response.claims


#: By what the picture shows, and the fields of the call.
MATCHES = [
    ({}, {}, Verdict("Approved", 87.36, None, "match.answer")),
    (
        {"score": 41.5},
        {MATCH_THRESHOLD: "41.5"},
        Verdict("Declined", 41.5, UNLIKE, "match.boundary"),
    ),
    ({"score": 30}, {}, Verdict("Declined", 30.0, UNLIKE, "match.boundary")),
    ({"score": 30.004}, {}, Verdict("Declined", 30.0, UNLIKE, "match.boundary")),
    ({"score": 30.004}, UNSAVED, Verdict("Approved", 30.004, None, "match.answer")),
    ({"score": 87.123456}, {}, Verdict("Approved", 87.12, None, "match.answer")),
]
QUALITY = "liveness.quality_risks.workflows"
#: By what the picture shows.
CHECKS = [
    ({"score": 30}, Verdict("Declined", 30.0, LOW, "liveness.boundary")),
    ({"score": 30.01}, Verdict("Approved", 30.01, None, "liveness.answer")),
    ({"score": 30.004}, Verdict("Declined", 30.0, LOW, "liveness.boundary")),
    ({"score": None}, Verdict("Declined", None, LOW, "liveness.answer")),
    ({"attack": True}, Verdict("Declined", 92.12, ATTACK, "liveness.answer")),
    ({"faces": 2}, Verdict("Approved", 92.12, MANY, "liveness.answer")),
    ({"quality": 1, "luminance": 1}, Verdict("Approved", 92.12, None, QUALITY)),
    ({"blocklist": "certain"}, Verdict("Declined", 92.12, LISTED, "liveness.known_from")),
    ({"blocklist": "possible"}, Verdict("Declined", 92.12, LIKE_LISTED, "liveness.known_from")),
    ({"duplicate": "certain"}, Verdict("Approved", 92.12, TWICE, "liveness.known_from")),
    ({"duplicate": "possible"}, Verdict("Approved", 92.12, LIKE_TWICE, "liveness.known_from")),
    ({"faces": 0}, Verdict("Declined", None, NONE, "liveness.answer")),
]


@pytest.mark.parametrize(("seen", "fields", "verdict"), MATCHES)
def test_verdict_of_a_match_follows_from_the_picture(ask, seen, fields, verdict):
    verdict.check(ask(match_request(scene(**seen), **fields)))


@pytest.mark.parametrize("fields", [{}, UNSAVED])
@pytest.mark.parametrize(("seen", "verdict"), CHECKS)
def test_verdict_of_a_liveness_check_follows_from_the_picture(ask, seen, fields, verdict):
    verdict.check(ask(liveness_request(scene(**seen), **fields)))


@pytest.mark.parametrize(
    ("seen", "risks"),
    [
        ({"quality": 29, "luminance": 19}, ["LOW_FACE_QUALITY", "LOW_FACE_LUMINANCE"]),
        ({"quality": 30, "luminance": 20}, []),
        ({"luminance": 80}, []),
        ({"luminance": 81}, ["HIGH_FACE_LUMINANCE"]),
    ],
)
def test_switch_makes_quality_and_luminance_warnings_of_a_call(ask, seen, risks):
    sent = liveness_request(scene(**seen))
    _, body, _ = ask(sent, switches={"quality_warnings": "true"})
    assert body["liveness"]["status"] == "Approved"
    assert [warning["risk"] for warning in body["liveness"]["warnings"]] == risks
    assert ask(sent)[1]["liveness"]["warnings"] == []


def test_score_from_bytes_hints_that_no_faces_are_compared(asking):
    file = io.BytesIO()
    Image.new("RGB", (200, 200), (90, 80, 70)).save(file, "PNG")
    flat = file.getvalue()
    for pictures, has_hint in ((("p1", "p1"), False), ((flat, flat), True), ((b"x", flat), False)):
        hint = asking.didit(*pictures).headers.get("X-Facematch-Hint", "")
        assert ("--engine local" in hint) == has_hint
    for picture, has_hint in (("p1", False), (flat, True)):
        checked = asking.didit(picture, call="liveness")
        assert ("X-Facematch-Hint" in checked.headers) == has_hint
    asking.control.set_outcome("match", score=80)
    assert "X-Facematch-Hint" not in asking.didit(flat, flat).headers
