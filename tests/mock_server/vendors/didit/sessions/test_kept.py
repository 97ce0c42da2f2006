"""Sessions of calls: how they are read, what is served of them, and how they are deleted."""

import pytest
from kit import mock_sessions
from kit.mock_sessions import forget, nth
from kit.mock_world import json_request, new_engine
from vendors.didit import delete, match_request, on, read_media, update


def test_include_events_adds_fields_and_removes_session_kind(engine, answer):
    plain, more, other = (
        answer(engine, on(1, query=query))[1] for query in ("", "?include=events", "?include=other")
    )
    nulls = ("blocklisted", "cost_breakdown", "has_device_nfc_support", "workflow_type")
    added = dict.fromkeys((*nulls, "workflow_version", "workflow_version_id"))
    added |= {"events": [], "activity_reviews": [], "api_service": "FACE_MATCH"}
    added |= {"session_type": "API"}
    assert {key: more[key] for key in set(more) - set(plain)} == added
    assert set(plain) - set(more) == {"session_kind"}
    kept = set(plain) & set(more) - {"face_matches"}
    assert {key: more[key] for key in kept} == {key: plain[key] for key in kept}
    assert other == plain


@pytest.mark.parametrize(("include", "is_hinted"), [("events", False), ("reviews", True)])
def test_other_include_has_a_hint(engine, answer, include, is_hinted):
    answer(engine, on(1, query=f"?include={include}"))
    assert ("events alone" in (engine.account.journal.entries[-1].note or "")) is is_hinted


def test_session_of_another_organization_is_403(engine, answer):
    key = next(iter(engine.accounts.open("other").first_keys["didit"]))
    for step in (on(1, key=key), update(1, key=key), on(1, "delete", method="DELETE", key=key)):
        assert answer(engine, step)[0] == 403


def of_target(address):
    return address.replace("source", "target")


#: why -> how it is asked for, status, claim
DEAD = {
    "expired": (read_media(1, then=mock_sessions.advance_clock(3600)), 403, "expired"),
    "unsigned": (read_media(1, change=lambda there: there[:-1] + "-"), 403, "unsigned"),
    "other picture": (read_media(1, change=of_target), 403, "unsigned"),
    "forgotten": (read_media(1, then=forget), 404, "forgotten"),
    "deleted": (read_media(1, then=delete(1)), 404, "unknown"),
}


@pytest.mark.parametrize("why", DEAD)
def test_expired_forged_or_deleted_media_url_is_rejected(engine, why):
    step, status, claim = DEAD[why]
    response = step(engine)
    assert response.status == status
    assert f"didit.media.{claim}" in response.claims
    assert ("didit.media.ttl_s" in response.claims) == (why == "expired")
    assert list(response.json()) == ["mock"]
    assert response.header("X-Facematch-Mock")


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"MM\x00*", "image/tiff"),
        (b"RIFF\x01\x02\x03\x04WEBP", "image/webp"),
        (b"RIFF\x01\x02\x03\x04WAVE", "application/octet-stream"),
    ],
)
def test_media_type_is_detected_from_the_first_bytes(content, kind):
    engine = new_engine()
    engine.handle(match_request(content + b"more", b"no picture"))
    response = read_media(1, "target_image")(engine)
    assert (response.status, response.header("Content-Type")) == (200, kind)
    assert response.body == content + b"more"


GONE = {"detail": "Not found."}
KEPT = {"retain_face_embeddings": True, "face_retention_days": 3650}


@pytest.mark.parametrize(
    ("number", "body", "outcome"),
    [
        (1, None, "none"),
        (2, None, "deleted"),
        (2, {"retain_face_embeddings": False}, "deleted"),
        (2, KEPT, "ineligible_no_vendor_user"),
        (1, {"retain_face_embeddings": "true", "instruction_id": "x"}, "none"),
    ],
)
def test_deletion_reports_whether_faces_are_retained(engine, answer, number, body, outcome):
    session_id = nth(engine, number)
    status, shown = answer(engine, delete(number, body))
    assert status == 200
    assert shown == {
        "session_id": session_id,
        "session_number": number,
        "face_retention_outcome": outcome,
        "biometric_template_uuid": None,
        "biometric_template_expires_at": None,
        "deleted_child_verifications": 0,
    }
    assert answer(engine, json_request(f"/v3/session/{session_id}/decision/")) == (404, GONE)


def test_deletion_with_an_invalid_field_deletes_nothing(engine):
    body = {"retain_face_embeddings": "maybe", "face_retention_days": 3651}
    refused = delete(1, body)(engine)
    assert (refused.status, set(refused.json())) == (400, set(body))
    assert len(engine.world.sessions.all()) == 2


def test_second_of_two_concurrent_deletions_is_not_found(engine, monkeypatch):
    monkeypatch.setattr(engine.world.sessions, "remove", lambda _: None)
    assert delete(1)(engine).json() == GONE
