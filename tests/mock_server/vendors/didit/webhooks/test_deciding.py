"""A person decides a session: the session, its reviews, the webhook, the credit."""

import pytest
from kit import mock_didit as didit
from kit.mock_didit import control_request, match_request, scene
from kit.mock_didit_sessions import NO_SESSION
from kit.mock_worlds import control_of


def save_call(engine, **seen):
    sent = match_request(scene(**{"score": 12, **seen}), vendor_data="emp-0042")
    return engine.handle(sent).json()["request_id"]


@pytest.fixture
def engine():
    return didit.new_engine()


#: body of the control API -> status, words
REFUSED = [
    ({}, 400, "session_id is missing"),
    ({"status": "Approved", "note": "x"}, 400, "'note' is not known here"),
    ({"session_id": NO_SESSION, "status": "Approved"}, 404, "there is no session of that id"),
    ({"session_id": "here", "status": "Approved", "comment": 5}, 400, "comment must be a string"),
    ({"session_id": "here", "status": "approved"}, 400, "there are Not Started"),
]


@pytest.mark.parametrize(("body", "status", "words"), REFUSED)
def test_a_decision_that_is_refused_changes_and_announces_nothing(engine, new, body, status, words):
    name = save_call(engine)
    new(engine)
    body = {key: name if value == "here" else value for key, value in body.items()}
    refused = engine.handle(control_request("sessions/decide", body))
    assert refused.status == status
    assert words in refused.json()["mock"]
    (session,) = engine.world.sessions.all()
    assert (session.status, session.reviews) == ("Declined", ())
    assert control_of(engine.world).webhooks.deliveries() == ()
