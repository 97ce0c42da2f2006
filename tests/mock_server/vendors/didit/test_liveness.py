"""POST /v3/passive-liveness/: verdicts, scores, warnings and shapes, row by row."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit import mock_didit as didit
from kit.mock_didit import FACE_SHOWN, LIVENESS_THRESHOLD, liveness_request, scene


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
    ({"duplicate": "certain"}, "Approved", 92.12, [TWICE], KNOWN_FROM),
]


@pytest.mark.parametrize("case", VERDICTS, ids=range(len(VERDICTS)))
def test_what_is_seen_gives_the_verdict_the_score_and_the_warnings(ask, case):
    seen, status, score, risks, claim = case
    for saved in ("true", "false"):
        code, body, response = ask(liveness_request(scene(**seen), save_api_request=saved))
        block = body["liveness"]
        assert (code, block["status"], block["score"]) == (200, status, score)
        assert type(block["score"]) is type(score)
        assert [warning["risk"] for warning in block["warnings"]] == risks
        assert f"didit.{claim}" in response.claims


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
LIKENESS = st.sampled_from([None, "certain", "possible"])


@given(
    cents=st.integers(0, 10_000) | st.sampled_from([2999, 3000, 3001]),
    faces=st.integers(1, 3),
    attack=st.booleans(),
    blocklist=LIKENESS,
    duplicate=LIKENESS,
)
def test_a_warning_of_type_error_declines_whatever_comes_with_it(cents, **seen):
    applies = {
        LOW: cents <= 3000,
        ATTACK: seen["attack"],
        MANY: seen["faces"] > 1,
        LISTED: seen["blocklist"] == "certain",
        LIKE_LISTED: seen["blocklist"] == "possible",
        TWICE: seen["duplicate"] == "certain",
        LIKE_TWICE: seen["duplicate"] == "possible",
    }
    types = {tag: TYPES[tag] for tag, is_there in applies.items() if is_there}
    sent = liveness_request(scene(score=cents / 100, **seen), save_api_request="false")
    block = didit.new_engine().handle(sent).json()["liveness"]
    assert {warning["risk"]: warning["log_type"] for warning in block["warnings"]} == types
    assert block["status"] == ("Declined" if "error" in types.values() else "Approved")


def test_no_face_stands_alone_and_takes_the_numbers_away(ask):
    seen = scene(faces=0, score=3, attack=True, blocklist="certain", duplicate="certain")
    block = ask(liveness_request(seen))[1]["liveness"]
    assert block["status"] == "Declined"
    assert [(warning["risk"], warning["log_type"]) for warning in block["warnings"]] == [
        (NONE, "error")
    ]
    assert [block[k] for k in ("score", "face_quality", "face_luminance")] == [None] * 3
    assert block["user_image"] == {"entities": [], "best_angle": None}


def test_an_attack_is_described_in_the_documented_words(ask):
    warning = ask(liveness_request(scene(attack=True)))[1]["liveness"]["warnings"][0]
    assert warning["short_description"] == "Liveness Face Attack"
    text = "The system detected a potential attempt to bypass the liveness check."
    assert warning["long_description"] == text


def test_a_known_face_names_the_session_that_knows_it(ask):
    seen = scene(blocklist="certain", duplicate="certain")
    listed, twice = ask(liveness_request(seen))[1]["liveness"]["warnings"]
    service = {"api_service": "PASSIVE_LIVENESS"}
    session = "00000000-0000-4000-8000-000000000001"
    assert listed == {
        "risk": LISTED,
        "feature": "LIVENESS",
        "additional_data": {
            "blocklisted_session_id": session,
            "blocklisted_session_number": 1,
            **service,
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
            **service,
        },
        "log_type": "information",
        "short_description": "Duplicated face from other approved session",
        "long_description": "The system identified a duplicated face from another approved "
        "session, requiring further investigation.",
    }


def test_a_sandbox_key_approves_whatever_is_sent(ask):
    live = ask(liveness_request())[1]
    sent = liveness_request(b"no picture", key="mock-sandbox-key", **{LIVENESS_THRESHOLD: "100"})
    status, body, _ = ask(sent)
    assert (status, body["liveness"]["status"]) == (200, "Approved")
    assert body["liveness"]["warnings"] == []
    assert set(body["liveness"]) == set(live["liveness"])
