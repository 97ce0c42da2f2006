"""DELETE /v3/session/{id}/delete/."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.mock_didit import match, picture
from kit.mock_didit_sessions import SANDBOX, delete, listed, nth, on, sent, update

from facematch_mock_server.vendors.didit.records import Pictures

GONE = {"detail": "Not found."}


@pytest.fixture
def forgotten(monkeypatch):
    """The sessions whose pictures were to be forgotten."""
    seen = []
    monkeypatch.setattr(Pictures, "forget", lambda _, session_id: seen.append(session_id))
    return seen


def test_a_deletion(world_of, forgotten):
    """204 without a body or its type, and once."""
    engine = world_of()
    session_id = nth(engine, 1)
    response = delete(1)(engine)
    assert (response.status, response.body) == (204, b"")
    assert response.header("Content-Type") is None
    assert response.header("X-RateLimit-Limit") is None
    assert forgotten == [session_id]
    again = engine.handle(sent(f"/v3/session/{session_id}/delete/", method="DELETE"))
    assert (again.status, again.json()) == (404, GONE)
    assert forgotten == [session_id]


def test_what_is_deleted_vanishes(engine, told):
    """From every read; the credit is not given back, and the number is not given again."""
    session_id, balance = nth(engine, 2), engine.world.ledger.balance
    delete(2)(engine)
    for path, method in (
        (f"/v3/session/{session_id}/decision/", "GET"),
        (f"/v3/session/{session_id}/update-status/", "PATCH"),
    ):
        assert told(engine, sent(path, method=method))[0] == 404
    assert told(engine, listed())[1]["count"] == 1
    assert engine.world.ledger.balance == balance
    engine.handle(match(picture(score=60)))
    assert [one.number for one in engine.world.sessions.all()] == [1, 3]


@pytest.mark.parametrize(
    ("number", "body", "outcome"),
    [
        (1, None, "none"),
        (2, None, "deleted"),
        (2, {}, "deleted"),
        (2, {"retain_face_embeddings": False}, "deleted"),
        (
            2,
            {"retain_face_embeddings": True, "face_retention_days": 3650},
            "ineligible_no_vendor_user",
        ),
        (1, {"retain_face_embeddings": "true", "instruction_id": "x"}, "none"),
    ],
)
def test_a_deletion_in_november(world_of, told, number, body, outcome):
    """200, and what became of the faces."""
    engine = world_of(edition="2026-11")
    session_id = nth(engine, number)
    assert told(engine, delete(number, body)) == (
        200,
        {
            "session_id": session_id,
            "session_number": number,
            "face_retention_outcome": outcome,
            "biometric_template_uuid": None,
        },
    )
    assert told(engine, sent(f"/v3/session/{session_id}/decision/")) == (404, GONE)


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        (
            {"retain_face_embeddings": "maybe"},
            {"retain_face_embeddings": ["Must be a valid boolean."]},
        ),
        (
            {"face_retention_days": 0},
            {"face_retention_days": ["Ensure this value is greater than or equal to 1."]},
        ),
        (
            {"face_retention_days": 3651},
            {"face_retention_days": ["Ensure this value is less than or equal to 3650."]},
        ),
        ({"face_retention_days": "x"}, {"face_retention_days": ["A valid integer is required."]}),
        ({"face_retention_days": None}, {"face_retention_days": ["This field may not be null."]}),
    ],
)
def test_how_faces_are_retained(world_of, told, body, refusal):
    """A field that cannot be read deletes nothing; older editions do not read it."""
    assert told(world_of(edition="2026-11"), delete(1, body)) == (400, refusal)
    assert told(world_of(), delete(1, body))[0] == 204


def test_a_switch_for_the_answer(world_of):
    """Apart from the edition."""
    assert delete(1)(world_of(switches={"delete_status": 200})).status == 200
    assert delete(1)(world_of(edition="2026-11", switches={"delete_status": 204})).status == 204


@pytest.mark.parametrize(
    ("step", "status"),
    [(delete(9, key=None), 404), (delete(1, key="wrong"), 403), (delete(1, key=SANDBOX), 404)],
)
def test_who_may_delete(engine, told, step, status):
    """Unknown before the key; a sandbox key has no session."""
    assert told(engine, step)[0] == status
    assert len(engine.world.sessions.all()) == 2


def test_of_two_deletions_at_once_one_is_too_late(engine, monkeypatch):
    """Between look-up and deletion another one came."""
    monkeypatch.setattr(engine.world.sessions, "remove", lambda _: None)
    assert delete(1)(engine).json() == GONE


@given(
    body=st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False)
        | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
        max_leaves=5,
    ).flatmap(
        lambda value: st.sampled_from(
            [
                value,
                {"new_status": value, "comment": value, "nodes_to_resubmit": value},
                {"new_status": "Declined", "send_email": value, "email_address": value},
                {"retain_face_embeddings": value, "face_retention_days": value},
            ]
        )
    )
)
def test_any_body_is_answered(body):
    """With a success or a 400, and what it leaves can be read."""
    engine = _any()
    number = 1
    for step in (
        update(number, body),
        delete(number, body),
    ):
        assert step(engine).status in (200, 201, 204, 400, 404)
        assert on(number)(engine).status in (200, 404)


def _any():
    from kit import mock_didit

    engine = mock_didit.new_engine(edition="2026-11")
    engine.handle(match(picture(score=60)))
    return engine
