import pytest
from kit.mock_didit import match_request, scene
from kit.mock_didit_sessions import delete, list_request, nth, session_request

GONE = {"detail": "Not found."}


def test_a_deletion_happens_once(engine):
    session_id = nth(engine, 1)
    response = delete(1)(engine)
    assert (response.status, response.json()["session_id"]) == (200, session_id)
    again = engine.handle(session_request(f"/v3/session/{session_id}/delete/", method="DELETE"))
    assert (again.status, again.json()) == (404, GONE)


def test_what_is_deleted_vanishes_but_its_credit_and_number_are_spent(engine, answer):
    session_id, balance = nth(engine, 2), engine.world.ledger.balance
    delete(2)(engine)
    for verb, method in (("decision", "GET"), ("update-status", "PATCH")):
        assert (
            answer(engine, session_request(f"/v3/session/{session_id}/{verb}/", method=method))[0]
            == 404
        )
    assert answer(engine, list_request())[1]["count"] == 1
    assert engine.world.ledger.balance == balance
    engine.handle(match_request(scene(score=60)))
    assert [session.number for session in engine.world.sessions.all()] == [1, 3]


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
