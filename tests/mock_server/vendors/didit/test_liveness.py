"""POST /v3/passive-liveness/: verdicts, scores, warnings and shapes, row by row."""

import pytest
from kit.mock_didit import FACE_SHOWN, liveness_request, scene


def test_a_declined_answer_is_that_of_the_documents_key_for_key(ask):
    body = ask(liveness_request(scene(score=30), vendor_data="emp-0042"))[1]
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
KNOWN_FROM = "liveness.known_from"
LISTED, LIKE_LISTED = "FACE_IN_BLOCKLIST", "POSSIBLE_FACE_IN_BLOCKLIST"
TWICE, LIKE_TWICE = "DUPLICATED_FACE", "POSSIBLE_DUPLICATED_FACE"

#: The types: an error declines, others do not.
TYPES = {
    LOW: "error",
    ATTACK: "error",
    NONE: "error",
    MANY: "warning",
    LISTED: "error",
    LIKE_LISTED: "error",
    TWICE: "information",
    LIKE_TWICE: "information",
}

#: what is seen -> status, score, risks, claim
VERDICTS = [
    ({"score": 30}, "Declined", 30.0, [LOW], "liveness.boundary"),
    ({"score": 30.01}, "Approved", 30.01, [], "liveness.answer"),
    ({"score": 30.004}, "Declined", 30.0, [LOW], "score.compared"),
    ({"score": None}, "Declined", None, [LOW], "liveness.null_score"),
    ({"attack": True}, "Declined", 92.12, [ATTACK], "liveness.answer"),
    ({"faces": 2}, "Approved", 92.12, [MANY], "warning.words"),
    ({"quality": 1, "luminance": 1}, "Approved", 92.12, [], "liveness.quality_risks"),
    ({"blocklist": "certain"}, "Declined", 92.12, [LISTED], KNOWN_FROM),
    ({"blocklist": "likely"}, "Declined", 92.12, [LIKE_LISTED], KNOWN_FROM),
    ({"duplicate": "certain"}, "Approved", 92.12, [TWICE], KNOWN_FROM),
    ({"duplicate": "likely"}, "Approved", 92.12, [LIKE_TWICE], KNOWN_FROM),
    ({"faces": 0}, "Declined", None, [NONE], "warning.words"),
]


@pytest.mark.parametrize("case", VERDICTS, ids=range(len(VERDICTS)))
def test_what_is_seen_gives_the_verdict_the_score_and_the_warnings(ask, case):
    seen, status, score, risks, claim = case
    for saved in ("true", "false"):
        code, body, response = ask(liveness_request(scene(**seen), save_api_request=saved))
        block = body["liveness"]
        assert (code, block["status"], block["score"]) == (200, status, score)
        assert type(block["score"]) is type(score)
        warned = {warning["risk"]: warning["log_type"] for warning in block["warnings"]}
        assert warned == {risk: TYPES[risk] for risk in risks}
        assert f"didit.{claim}" in response.claims
