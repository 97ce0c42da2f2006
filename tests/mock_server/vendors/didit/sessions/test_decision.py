"""GET /v3/session/{id}/decision/."""

import pytest
from kit import mock_didit as didit
from kit.mock_didit import control, liveness, match, picture
from kit.mock_didit_sessions import CHECK, NOBODY, SANDBOX, added, nth, on, sent, update

from facematch_mock_server.vendors.didit.decisions import decision_body

KEYS = {
    "session_id",
    "session_kind",
    "session_number",
    "session_url",
    "status",
    "environment",
    "workflow_id",
    "features",
    "vendor_data",
    "metadata",
    "expected_details",
    "contact_details",
    "callback",
    "id_verifications",
    "nfc_verifications",
    "liveness_checks",
    "face_matches",
    "phone_verifications",
    "email_verifications",
    "poa_verifications",
    "document_ai_documents",
    "questionnaire_responses",
    "aml_screenings",
    "ip_analyses",
    "database_validations",
    "reviews",
    "created_at",
    "expires_at",
}
SESSION_WORDS = {"detail": "Authentication credentials were not provided or are invalid."}
BLOCKS = {key for key in KEYS if key.endswith(("s", "responses")) and key != "status"} - {
    "features",
    "reviews",
    "expected_details",
    "contact_details",
}


def test_a_match(engine, told):
    """As the contract shows it, key by key."""
    session_id = nth(engine, 1)
    status, body = told(engine, on(1))
    assert (status, set(body)) == (200, KEYS)
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
    told_of = {key: value for key, value in body.items() if value is not None}
    del told_of["face_matches"]
    assert told_of == {
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


def test_a_liveness_check(engine, told):
    """Its warnings have their node, and the age is that of the largest face."""
    body = told(engine, on(2))[1]
    assert (body["features"], body["face_matches"], body["status"]) == (
        ["LIVENESS"],
        None,
        "Declined",
    )
    (feature,) = body["liveness_checks"]
    assert "/reference_image?" in feature.pop("reference_image")
    warnings = feature.pop("warnings")
    assert [one["risk"] for one in warnings] == ["LOW_LIVENESS_SCORE", "MULTIPLE_FACES_DETECTED"]
    assert {one["node_id"] for one in warnings} == {"feature_liveness_1"}
    assert {len(one) for one in warnings} == {7}
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


@pytest.mark.parametrize(("faces", "age"), [(0, None), (1, 34.12), (3, 34.12)])
def test_the_age_of_a_liveness_check(told, faces, age):
    """None without a face."""
    engine = didit.new_engine()
    engine.handle(liveness(picture(faces=faces)))
    assert told(engine, on(1))[1]["liveness_checks"][0]["age_estimation"] == age


def test_a_comparison_without_a_pair_has_no_score(told):
    """Null, with the warning that says why."""
    engine = didit.new_engine()
    engine.handle(match(picture(faces=0)))
    (feature,) = told(engine, on(1))[1]["face_matches"]
    assert (feature["status"], feature["score"]) == ("Declined", None)
    assert [one["risk"] for one in feature["warnings"]] == ["NO_REFERENCE_IMAGE"]


def face(box, age):
    return {"bbox": box, "confidence": 0.7, "age": age, "gender": "male"}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ([0, 0, 10, 10], [100, 100, 120, 106]),
        ([0, 90, 10, 100], [100, 0, 106, 20]),
        ([50, 0, 60, 10], [0, 50, 20, 56]),
        ([50, 50, 60, 60], [20, 6, 0, 0]),
    ],
)
def test_the_largest_face_by_its_box(told, first, second):
    """Wherever it stands in the picture and in the list."""
    for faces in ((face(first, 1.5), face(second, 2.5)), (face(second, 2.5), face(first, 1.5))):
        engine = didit.new_engine()
        added("PASSIVE_LIVENESS", {**CHECK, "user_image": {"entities": list(faces)}})(engine)
        assert told(engine, on(1))[1]["liveness_checks"][0]["age_estimation"] == 2.5


def test_a_time_on_the_second(told):
    """Has its microseconds, too."""
    engine = didit.new_engine(clock=didit.VirtualClock(didit.START.replace(microsecond=0)))
    engine.handle(match())
    assert told(engine, on(1))[1]["created_at"] == "2026-07-02T09:15:27.000000Z"


def test_what_events_add(engine, told):
    """Lists that are empty, and what a saved call does not have."""
    plain, more = told(engine, on(1))[1], told(engine, on(1, query="?include=events"))[1]
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
    kept = set(plain) & set(more) - {"features", "face_matches"}
    assert {key: more[key] for key in kept} == {key: plain[key] for key in kept}


@pytest.mark.parametrize("query", ["", "?include=events", "?include=other", "?include="])
def test_what_a_decision_cites(engine, query):
    """That no source shows one, how empty blocks and features are told, and another include."""
    claims = on(1, query=query)(engine).claims
    assert {"didit.decision.saved", "didit.decision.empty_block.null"} <= set(claims)
    assert ("didit.decision.features.strings" in claims) == (query == "?include=events")
    other = query in ("?include=other", "?include=")
    assert ("didit.decision.include_other" in claims) == other


def test_with_events(engine, told):
    """More sections, and no session_kind."""
    plain, more = told(engine, on(1))[1], told(engine, on(1, query="?include=events"))[1]
    assert set(more) - set(plain) == {
        "events",
        "activity_reviews",
        "blocklisted",
        "cost_breakdown",
        "workflow_type",
        "workflow_version",
        "workflow_version_id",
        "api_service",
        "session_type",
        "has_device_nfc_support",
    }
    assert set(plain) - set(more) == {"session_kind"}
    assert (more["api_service"], more["session_type"]) == ("FACE_MATCH", "API")
    assert more["features"] == plain["features"] == ["FACE_MATCH"]
    assert told(engine, on(1, query="?include=other"))[1] == plain


def test_features_with_events_are_a_switch(world_of, told):
    """Texts, or objects with their node: one document shows those for workflows."""
    engine = world_of(switches={"features": "objects"})
    assert told(engine, on(1))[1]["features"] == ["FACE_MATCH"]
    more = told(engine, on(1, query="?include=events"))[1]
    assert more["features"] == [{"feature": "FACE_MATCH", "node_id": "feature_face_match_1"}]


def test_blocks_that_never_ran(world_of, told):
    """Null; a switch makes them arrays for a client that needs that."""
    body = told(world_of(), on(1))[1]
    listed = told(world_of(switches={"empty_blocks": "list"}), on(1))[1]
    assert {key for key in BLOCKS if body[key] is None} == BLOCKS - {"face_matches"}
    assert all(listed[key] == [] for key in BLOCKS - {"face_matches"})
    assert set(listed) == set(body)


def test_a_warning_in_march_has_four_keys_and_its_node(world_of, told):
    """The edition's own, and node_id."""
    warning = told(world_of(edition="2026-03"), on(2))[1]["liveness_checks"][0]["warnings"][0]
    assert len(warning) == 5


@pytest.mark.parametrize(
    ("step", "status", "body"),
    [
        (on(9), 404, {"detail": "Not found."}),
        (on(9, key=None), 404, {"detail": "Not found."}),
        (on(1, key=None), 403, SESSION_WORDS),
        (on(1, key="wrong"), 403, SESSION_WORDS),
        (update(1, key="wrong"), 403, SESSION_WORDS),
        (on(1, "delete", method="DELETE", key="wrong"), 403, SESSION_WORDS),
        (on(1, key=SANDBOX), 404, {"detail": "Session not found."}),
        (on(1, method="POST"), 405, {"detail": 'Method "POST" not allowed.'}),
    ],
)
def test_who_may_not_read(engine, told, step, status, body):
    """Unknown before the key, and the key in words of its own."""
    assert told(engine, step) == (status, body)


def test_another_organization(engine, told):
    """403: the session is there, and not theirs."""
    other = engine.accounts.open("other")
    key = next(iter(other.first_keys["didit"]))
    assert told(engine, on(1, key=key))[0] == 403
    assert told(engine, update(1, key=key))[0] == 403


@pytest.mark.parametrize(
    "path",
    ["/v3/session/seven/decision/", "/v3/session//delete/"],
)
def test_what_is_no_uuid(engine, told, path):
    """The router's page, for everybody."""
    for key in (None, "mock-live-key"):
        status, page = told(engine, sent(path, key=key))
        assert status == 404
        assert page.startswith("\n<!doctype html>")


def test_an_id_in_capitals(engine, told):
    """Is none for the router, whose patterns are in lower case."""
    path = f"/v3/session/{nth(engine, 1).upper()}/decision/"
    assert told(engine, sent(path))[0] == 404
    assert told(engine, sent(path.lower()))[0] == 200


def test_polling_in_march(world_of, told):
    """A hundred decisions in a minute, counted apart from other requests."""
    engine = world_of(edition="2026-03")
    assert [told(engine, on(1))[0] for _ in range(101)] == [200] * 100 + [429]
    assert told(engine, sent("/v3/sessions/"))[0] == 200
    engine.world.clock.advance(60)
    assert told(engine, on(1))[0] == 200


def test_polling_in_july(engine, told):
    """Decisions count with every GET, and unknown ones, too."""
    engine.handle(control("limits", {"get": 2}))
    assert [told(engine, step)[0] for step in (on(1), sent("/v3/sessions/"), on(1))] == [
        200,
        200,
        429,
    ]
    status, body = told(engine, on(9))
    assert (status, NOBODY in str(body)) == (429, False)


def test_the_body_for_webhooks_is_the_same(engine, told):
    """Made without a request: by the world, the session and an origin."""
    world = engine.world
    session = world.sessions.all()[0]
    body = decision_body(world.claims.citations(), world, session, "http://127.0.0.1:8080")
    assert body == told(engine, on(1))[1]
