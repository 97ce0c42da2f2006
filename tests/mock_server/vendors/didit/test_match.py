"""POST /v3/face-match/: verdicts, scores, warnings and shapes, row by row."""

import pytest
from kit.mock_didit import FACE_SHOWN as FACE
from kit.mock_didit import MATCH_THRESHOLD, match_request, scene

LOW = {
    "risk": "LOW_FACE_MATCH_SIMILARITY",
    "feature": "FACEMATCH",
    "additional_data": None,
    "log_type": "error",
    "short_description": "Low face match similarity",
    "long_description": "The facial features of the provided image don't closely match the "
    "reference image, suggesting a potential identity mismatch.",
}
MISSING = {
    "risk": "NO_REFERENCE_IMAGE",
    "feature": "FACEMATCH",
    "additional_data": None,
    "log_type": "error",
    "short_description": "No reference image",
    "long_description": "A reference image or face image for facial comparison is missing, "
    "preventing the system from completing the face matching process.",
}


def test_an_approved_answer_is_that_of_the_reference_key_for_key(ask):
    status, body, response = ask(match_request(vendor_data="emp-0042", metadata='{"gate":"north"}'))
    assert status == 200
    assert body == {
        "request_id": body["request_id"],
        "face_match": {
            "status": "Approved",
            "score": 87.36,
            "user_image": {"entities": [FACE], "best_angle": 0},
            "ref_image": {"entities": [FACE], "best_angle": 0},
            "warnings": [],
        },
        "vendor_data": "emp-0042",
        "metadata": {"gate": "north"},
        "created_at": "2026-07-02T09:15:27.104233+00:00",
    }
    assert list(body) == ["request_id", "face_match", "vendor_data", "metadata", "created_at"]
    assert response.header("Content-Type") == "application/json"


#: score, threshold, saved -> status, score shown, risks, claim
VERDICTS = [
    (87.36, None, True, "Approved", 87.36, [], "didit.match.answer"),
    (41.5, "41.5", True, "Declined", 41.5, [LOW], "didit.match.boundary"),
    (30, None, True, "Declined", 30.0, [LOW], "didit.match.boundary"),
    (30.004, None, True, "Declined", 30.0, [LOW], "didit.score.compared"),
    (30.004, None, False, "Approved", 30.004, [], "didit.score.type"),
    (87.123456, None, True, "Approved", 87.12, [], "didit.score.compared"),
]


def test_no_face_has_the_documented_words(ask):
    assert ask(match_request(scene(faces=0)))[1]["face_match"]["warnings"] == [MISSING]


@pytest.mark.parametrize("case", VERDICTS, ids=range(len(VERDICTS)))
def test_score_and_threshold_give_the_verdict_and_its_warnings(ask, case):
    score, threshold, saved, status, shown, risks, claim = case
    fields = {"save_api_request": "true" if saved else "false"}
    if threshold is not None:
        fields[MATCH_THRESHOLD] = threshold
    code, body, response = ask(match_request(scene(score=score), **fields))
    block = body["face_match"]
    assert (code, block["status"], block["score"]) == (200, status, shown)
    assert type(block["score"]) is type(shown)
    assert block["warnings"] == risks
    assert claim in response.claims
