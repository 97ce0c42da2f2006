import pytest
from kit import mock_didit as didit
from kit.mock_didit import liveness_request, match_request, scene
from kit.mock_didit_sessions import SANDBOX, nth, on, update

#: What a saved call can have, and what it never has: the blocks of services that did not run.
FACTS = {
    *("session_id", "session_kind", "session_number", "session_url", "status", "environment"),
    *("workflow_id", "features", "vendor_data", "metadata", "expected_details"),
    *("contact_details", "callback", "reviews", "created_at", "expires_at"),
}
BLOCKS = {
    *("id_verifications", "nfc_verifications", "liveness_checks", "face_matches"),
    *("phone_verifications", "email_verifications", "poa_verifications", "document_ai_documents"),
    *("questionnaire_responses", "aml_screenings", "ip_analyses", "database_validations"),
}
SESSION_WORDS = {"detail": "Authentication credentials were not provided or are invalid."}


def test_a_match_is_as_the_contract_shows_it(engine, answer):
    session_id = nth(engine, 1)
    status, body = answer(engine, on(1))
    assert (status, set(body)) == (200, FACTS | BLOCKS)
    (feature,) = body["face_matches"]
    for name in ("source_image", "target_image"):
        assert feature.pop(name).startswith(f"http://127.0.0.1:8080/__media__/{session_id}/{name}?")
    assert feature == {
        "node_id": "feature_face_match_1",
        "status": "Approved",
        "score": 55.5,
        "source_image_session_id": None,
        "warnings": [],
    }
    present = {key: value for key, value in body.items() if value is not None}
    del present["face_matches"]
    assert present == {
        "session_id": session_id,
        "session_kind": "user",
        "session_number": 1,
        "status": "Approved",
        "environment": "live",
        "features": ["FACE_MATCH"],
        "vendor_data": "emp-0042",
        "metadata": {"gate": "north"},
        "reviews": [],
        "created_at": "2026-07-02T09:15:27.104233Z",
    }


def test_a_liveness_check_has_the_age_of_its_largest_face(engine, answer):
    body = answer(engine, on(2))[1]
    assert (body["features"], body["face_matches"], body["status"]) == (
        ["LIVENESS"],
        None,
        "Declined",
    )
    (feature,) = body["liveness_checks"]
    assert "/reference_image?" in feature.pop("reference_image")
    warnings = feature.pop("warnings")
    assert [warning["risk"] for warning in warnings] == [
        "LOW_LIVENESS_SCORE",
        "MULTIPLE_FACES_DETECTED",
    ]
    assert {warning["node_id"] for warning in warnings} == {"feature_liveness_1"}
    assert {len(warning) for warning in warnings} == {7}
    assert feature == {
        "node_id": "feature_liveness_1",
        "status": "Declined",
        "method": "PASSIVE",
        "score": 12,
        "video_url": None,
        "age_estimation": 34.12,
        "matches": [],
        "face_quality": 71.8,
        "face_luminance": 46.02,
    }


def test_without_a_face_there_is_no_age_and_without_a_pair_no_score(answer):
    engine = didit.new_engine()
    engine.handle(liveness_request(scene(faces=0)))
    engine.handle(match_request(scene(faces=0)))
    assert answer(engine, on(1))[1]["liveness_checks"][0]["age_estimation"] is None
    (feature,) = answer(engine, on(2))[1]["face_matches"]
    assert (feature["status"], feature["score"]) == ("Declined", None)
    assert [warning["risk"] for warning in feature["warnings"]] == ["NO_REFERENCE_IMAGE"]


def test_a_time_on_the_second_has_its_microseconds(answer):
    engine = didit.new_engine(clock=didit.VirtualClock(didit.START.replace(microsecond=0)))
    engine.handle(match_request())
    assert answer(engine, on(1))[1]["created_at"] == "2026-07-02T09:15:27.000000Z"


def test_events_add_sections_and_take_the_kind_away(engine, answer):
    plain, more, other = (
        answer(engine, on(1, query=query))[1] for query in ("", "?include=events", "?include=other")
    )
    assert {key: more[key] for key in set(more) - set(plain)} == {
        "events": [],
        "activity_reviews": [],
        "blocklisted": None,
        "cost_breakdown": None,
        "workflow_type": None,
        "workflow_version": None,
        "workflow_version_id": None,
        "api_service": "FACE_MATCH",
        "session_type": "API",
        "has_device_nfc_support": None,
    }
    assert set(plain) - set(more) == {"session_kind"}
    kept = set(plain) & set(more) - {"face_matches"}
    assert {key: more[key] for key in kept} == {key: plain[key] for key in kept}
    assert other == plain


def test_blocks_that_never_ran_are_null_or_by_a_switch_arrays(engine_with_sessions, answer):
    body = answer(engine_with_sessions(), on(1))[1]
    listed = answer(engine_with_sessions(switches={"empty_blocks": "list"}), on(1))[1]
    assert {key for key in BLOCKS if body[key] is None} == BLOCKS - {"face_matches"}
    assert all(listed[key] == [] for key in BLOCKS - {"face_matches"})
    assert set(listed) == set(body)


@pytest.mark.parametrize(
    ("step", "status", "body"),
    [
        (on(9, key=None), 404, {"detail": "Not found."}),
        (on(1, key=None), 403, SESSION_WORDS),
        (update(9, key=None), 404, {"detail": "Not found."}),
        (update(1, key="wrong"), 401, {"detail": "Invalid API Key."}),
        (on(9, "delete", method="DELETE", key=None), 404, {"detail": "Not found."}),
        (on(1, "delete", method="DELETE", key=None), 403, SESSION_WORDS),
        (on(1, key=SANDBOX), 404, {"detail": "Session not found."}),
        (update(1, key=SANDBOX), 404, {"detail": "Session not found."}),
        (on(1, "delete", method="DELETE", key=SANDBOX), 404, {"detail": "Session not found."}),
    ],
)
def test_an_unknown_session_is_refused_before_a_bad_key(engine, answer, step, status, body):
    assert answer(engine, step) == (status, body)
    assert len(engine.world.sessions.all()) == 2


def test_another_organization_is_refused(engine, answer):
    key = next(iter(engine.accounts.open("other").first_keys["didit"]))
    for step in (on(1, key=key), update(1, key=key), on(1, "delete", method="DELETE", key=key)):
        assert answer(engine, step)[0] == 403
