import pytest
from kit.mock_didit_sessions import delete, nth, session_request

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
def test_a_deletion_says_what_became_of_the_faces(engine, answer, number, body, outcome):
    session_id = nth(engine, number)
    assert answer(engine, delete(number, body)) == (
        200,
        {
            "session_id": session_id,
            "session_number": number,
            "face_retention_outcome": outcome,
            "biometric_template_uuid": None,
            "biometric_template_expires_at": None,
            "deleted_child_verifications": 0,
        },
    )
    assert answer(engine, session_request(f"/v3/session/{session_id}/decision/")) == (404, GONE)


def test_a_wrong_field_deletes_nothing(engine):
    body = {"retain_face_embeddings": "maybe", "face_retention_days": 3651}
    refused = delete(1, body)(engine)
    assert (refused.status, set(refused.json())) == (400, set(body))
    assert len(engine.world.sessions.all()) == 2


def test_of_two_deletions_at_once_one_is_too_late(engine, monkeypatch):
    monkeypatch.setattr(engine.world.sessions, "remove", lambda _: None)
    assert delete(1)(engine).json() == GONE
