"""POST /v3/face-match/: verdicts, scores, warnings and shapes, row by row."""

import pytest
from kit.mock_didit import FACE_SHOWN as FACE
from kit.mock_didit import MATCH_THRESHOLD, match, picture

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


def test_an_approved_answer_has_every_key(ask):
    """The approved answer of the reference, key for key."""
    status, body, response = ask(match(vendor_data="emp-0042", metadata='{"gate":"north"}'))
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


#: score, threshold, saved, edition -> status, score shown, risks, claim
VERDICTS = [
    (87.36, None, True, "2026-07", "Approved", 87.36, [], "didit.match.answer"),
    (41.5, "41.5", True, "2026-07", "Declined", 41.5, [LOW], "didit.match.boundary.exclusive"),
    (30, None, True, "2026-07", "Declined", 30.0, [LOW], "didit.match.boundary.exclusive"),
    (29.99, None, True, "2026-07", "Declined", 29.99, [LOW], "didit.match.boundary.exclusive"),
    (30.004, None, True, "2026-07", "Declined", 30.0, [LOW], "didit.score.compared"),
    (30.004, None, False, "2026-07", "Approved", 30.004, [], "didit.score.type.float"),
    (87.123456, None, True, "2026-07", "Approved", 87.12, [], "didit.score.compared"),
    (87.123456, None, False, "2026-07", "Approved", 87.123456, [], "didit.score.type.float"),
    (100, "100", True, "2026-07", "Declined", 100.0, [LOW], "didit.match.boundary.exclusive"),
    (0.01, "0", True, "2026-07", "Approved", 0.01, [], "didit.match.boundary.exclusive"),
    (0, "0", True, "2026-07", "Declined", 0.0, [LOW], "didit.match.boundary.exclusive"),
    (41, "41", True, "2026-03", "Approved", 41, [], "didit.match.boundary.inclusive"),
    (40, "41", True, "2026-03", "Declined", 40, [LOW], "didit.score.type.integer"),
    (29.6, "30", True, "2026-03", "Approved", 30, [], "didit.score.type.integer"),
    (29.6, "30", False, "2026-03", "Approved", 30, [], "didit.score.type.integer"),
    (0, "0", True, "2026-03", "Approved", 0, [], "didit.match.boundary.inclusive"),
]


@pytest.mark.parametrize("case", VERDICTS, ids=range(len(VERDICTS)))
def test_verdict(ask, case):
    """Score and threshold give this verdict, this score and these warnings."""
    score, threshold, saved, edition, status, shown, risks, claim = case
    fields = {"save_api_request": "true" if saved else "false"}
    if threshold is not None:
        fields[MATCH_THRESHOLD] = threshold
    code, body, response = ask(match(picture(score=score), **fields), edition=edition)
    block = body["face_match"]
    assert (code, block["status"], block["score"]) == (200, status, shown)
    assert type(block["score"]) is type(shown)
    assert [w["risk"] for w in block["warnings"]] == [risk["risk"] for risk in risks]
    assert claim in response.claims


#: probe, reference, saved, edition -> score, risk, claim
NO_PAIR = [
    (1, 0, True, "2026-07", None, "NO_REFERENCE_IMAGE", "didit.match.no_pair_score.july"),
    (0, 1, True, "2026-07", None, "NO_REFERENCE_IMAGE", "didit.match.no_face_risk.reference"),
    (1, 0, False, "2026-07", 0, "NO_REFERENCE_IMAGE", "didit.match.no_pair_score.july"),
    (0, 0, True, "2026-07", None, "NO_REFERENCE_IMAGE", "didit.match.no_pair"),
    (1, 0, True, "2026-03", None, "NO_FACE_DETECTED", "didit.match.no_face_risk.detected"),
    (0, 0, False, "2026-03", None, "NO_FACE_DETECTED", "didit.match.no_pair_score.march"),
]


@pytest.mark.parametrize("case", NO_PAIR, ids=range(len(NO_PAIR)))
@pytest.mark.parametrize("threshold", ["0", "100"])
def test_no_pair(ask, case, threshold):
    """Without two faces the call is declined for that alone, whatever the threshold."""
    probe, reference, saved, edition, score, risk, claim = case
    sent = match(
        picture(faces=probe),
        picture(faces=reference),
        save_api_request=saved,
        **{MATCH_THRESHOLD: threshold},
    )
    status, body, response = ask(sent, edition=edition)
    block = body["face_match"]
    assert (status, block["status"], block["score"]) == (200, "Declined", score)
    assert [warning["risk"] for warning in block["warnings"]] == [risk]
    if not reference:
        assert block["ref_image"] == {"entities": [], "best_angle": 0}
    assert claim in response.claims


@pytest.mark.parametrize(
    ("score", "warning"), [({"score": 2}, LOW), ({"faces": 0}, MISSING)], ids=["low", "missing"]
)
def test_a_warning_word_for_word(ask, score, warning):
    """Six keys, and the documented words."""
    assert ask(match(picture(**score)))[1]["face_match"]["warnings"] == [warning]


def test_a_warning_of_march_has_four_keys(ask):
    """The early edition tells risk, type and the two descriptions."""
    body = ask(match(picture(score=2)), edition="2026-03")[1]
    assert body["face_match"]["warnings"] == [
        {key: LOW[key] for key in ("risk", "log_type", "short_description", "long_description")}
    ]


def test_the_shape_of_march(ask):
    """Whole score, faces without race, no echo, and a Z."""
    sent = match(vendor_data="emp-0042", metadata='{"gate":"north"}')
    body = ask(sent, edition="2026-03")[1]
    assert set(body) == {"request_id", "face_match", "created_at"}
    assert body["created_at"] == "2026-07-02T09:15:27.104233Z"
    face = body["face_match"]["user_image"]["entities"][0]
    assert set(face) == {"bbox", "confidence", "age", "gender"}


@pytest.mark.parametrize(("in_review", "status"), [(True, "In Review"), (False, "Declined")])
def test_review_only_with_its_switch(ask, in_review, status):
    """In Review is never told on a standalone call, but as the early edition names it."""
    sent = match(picture(score=12, review=True))
    body = ask(sent, switches={"in_review": in_review})[1]
    assert body["face_match"]["status"] == status


@pytest.mark.parametrize(("rotate", "angle"), [("false", 0), ("true", 90), (None, 0)])
def test_an_angle_only_if_asked_for(ask, rotate, angle):
    """best_angle is 0 unless rotate_image helped."""
    fields = {} if rotate is None else {"rotate_image": rotate}
    body = ask(match(None, picture(angle=90), **fields))[1]
    assert body["face_match"]["ref_image"]["best_angle"] == angle


def test_several_faces_are_several_entities(ask):
    """All faces are listed, the largest first, and the verdict stands."""
    body = ask(match(picture(faces=3)))[1]
    faces = body["face_match"]["user_image"]["entities"]
    assert [face["bbox"] for face in faces] == [FACE["bbox"], *[[10, 20, 130, 150]] * 2]
    assert body["face_match"]["warnings"] == []


def test_bytes_that_are_no_picture(ask):
    """They count as no face; a switch refuses them as passive liveness does."""
    status, body, _ = ask(match(b"no picture"))
    assert status == 200
    assert [w["risk"] for w in body["face_match"]["warnings"]] == ["NO_REFERENCE_IMAGE"]
    status, body, _ = ask(match(b"no picture"), switches={"undecodable": 400})
    assert (status, body) == (400, {"error": "Invalid user image format."})


@pytest.mark.parametrize("sent", [picture(score=1), picture(faces=0), b"no picture"])
def test_a_sandbox_key_always_approves(ask, sent):
    """Whatever is sent, even at threshold 100: Approved, no warning, the full shape."""
    live = ask(match())[1]
    fields = {"vendor_data": "x", MATCH_THRESHOLD: "100"}
    status, body, _ = ask(match(sent, key="mock-sandbox-key", **fields))
    assert (status, body["face_match"]["status"]) == (200, "Approved")
    assert body["face_match"]["warnings"] == []
    assert set(body) == set(live)
    assert set(body["face_match"]) == set(live["face_match"])
    assert body.get("vendor_data", "x") == "x"
