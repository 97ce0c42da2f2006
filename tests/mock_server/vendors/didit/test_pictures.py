"""Both calls about pictures: verdicts, scores, warnings, shapes and hints, row by row."""

import io

import pytest
from kit.mock_didit import FACE_SHOWN as FACE
from kit.mock_didit import MATCH_THRESHOLD, liveness_request, match_request, scene
from PIL import Image

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


#: The type of a warning that declines nothing; the others are errors.
TYPES = {MANY: "warning", TWICE: "information", LIKE_TWICE: "information"}
UNSAVED = {"save_api_request": "false"}
#: what is seen, fields -> status, score, risk, claim
MATCHES = [
    ({}, {}, "Approved", 87.36, None, "match.answer"),
    ({"score": 41.5}, {MATCH_THRESHOLD: "41.5"}, "Declined", 41.5, UNLIKE, "match.boundary"),
    ({"score": 30}, {}, "Declined", 30.0, UNLIKE, "match.boundary"),
    ({"score": 30.004}, {}, "Declined", 30.0, UNLIKE, "score.compared"),
    ({"score": 30.004}, UNSAVED, "Approved", 30.004, None, "score.type"),
    ({"score": 87.123456}, {}, "Approved", 87.12, None, "score.compared"),
]
CHECKS = [
    ({"score": 30}, "Declined", 30.0, LOW, "liveness.boundary"),
    ({"score": 30.01}, "Approved", 30.01, None, "liveness.answer"),
    ({"score": 30.004}, "Declined", 30.0, LOW, "score.compared"),
    ({"score": None}, "Declined", None, LOW, "liveness.null_score"),
    ({"attack": True}, "Declined", 92.12, ATTACK, "liveness.answer"),
    ({"faces": 2}, "Approved", 92.12, MANY, "warning.words"),
    ({"quality": 1, "luminance": 1}, "Approved", 92.12, None, "liveness.quality_risks"),
    ({"blocklist": "certain"}, "Declined", 92.12, LISTED, "liveness.known_from"),
    ({"blocklist": "likely"}, "Declined", 92.12, LIKE_LISTED, "liveness.known_from"),
    ({"duplicate": "certain"}, "Approved", 92.12, TWICE, "liveness.known_from"),
    ({"duplicate": "likely"}, "Approved", 92.12, LIKE_TWICE, "liveness.known_from"),
    ({"faces": 0}, "Declined", None, NONE, "warning.words"),
]
VERDICTS = [
    *((match_request(scene(**seen), **fields), *row) for seen, fields, *row in MATCHES),
    *(
        (liveness_request(scene(**seen), **fields), *row)
        for seen, *row in CHECKS
        for fields in ({}, UNSAVED)
    ),
]


@pytest.mark.parametrize("case", VERDICTS, ids=range(len(VERDICTS)))
def test_verdict_score_and_warnings_follow_from_the_picture(ask, case):
    sent, status, score, risk, claim = case
    code, body, response = ask(sent)
    block = body.get("face_match") or body["liveness"]
    assert (code, block["status"], block["score"]) == (200, status, score)
    assert type(block["score"]) is type(score)
    warned = [(each["risk"], each["log_type"]) for each in block["warnings"]]
    assert warned == ([(risk, TYPES.get(risk, "error"))] if risk else [])
    assert f"didit.{claim}" in response.claims


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
