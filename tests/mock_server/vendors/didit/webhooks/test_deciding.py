"""A person decides a session: the session, its reviews, the webhook, the credit."""

import pytest
from kit import mock_didit as didit
from kit.mock_didit import control_request, match_request, scene
from kit.mock_didit_sessions import NO_SESSION, list_request, on
from kit.mock_didit_webhooks import HOOK, letters_of
from kit.mock_worlds import control_of

from facematch_didit import verify_webhook


def by_python(engine, session_id, status, **comment):
    session = control_of(engine.world).sessions.decide(session_id, status, **comment)
    return {"session_id": session.id, "status": session.status}


def by_http(engine, session_id, status, **comment):
    body = {"session_id": session_id, "status": status, **comment}
    answer = engine.handle(control_request("sessions/decide", body))
    assert answer.status == 200, answer.body
    return answer.json()


BOTH = pytest.mark.parametrize("decide", [by_python, by_http])


def save_call(engine, **seen):
    sent = match_request(scene(**{"score": 12, **seen}), vendor_data="emp-0042")
    return engine.handle(sent).json()["request_id"]


@pytest.fixture
def engine():
    return didit.new_engine()


@BOTH
@pytest.mark.parametrize("comment", [{}, {"comment": "looks like him: é"}])
def test_a_review_changes_the_status_and_is_announced_and_free(
    engine, answer, carry, decide, comment
):
    verbs = control_of(engine.world)
    secret = verbs.webhooks.add(HOOK).secret
    name = save_call(engine)
    carry(engine)
    before = answer(engine, on(1))[1]
    paid, balance = verbs.charges(), verbs.balance()
    assert before["status"] == "Declined"
    engine.world.clock.advance(60)

    assert decide(engine, name, "Approved", **comment) == {"session_id": name, "status": "Approved"}

    row = {
        "user": "Console",
        "new_status": "Approved",
        "comment": comment.get("comment") or "",
        "created_at": "2026-07-02T09:16:27.104233Z",
    }
    decision = answer(engine, on(1))[1]
    assert (decision["status"], decision["reviews"]) == ("Approved", [row])
    for part in (before["face_matches"][0], decision["face_matches"][0]):
        # Addresses of pictures live from when they are made.
        del part["source_image"], part["target_image"]
    assert decision["face_matches"] == before["face_matches"]
    assert answer(engine, list_request("status=Approved"))[1]["count"] == 1
    assert (verbs.charges(), verbs.balance()) == (paid, balance)

    ((_, letter, _),) = carry(engine)
    event = verify_webhook(letter.body, dict(letter.headers), secret, verbs.now())
    assert (event.session_id, event.caller_ref) == (name, "emp-0042")
    assert (event.vendor_status, event.raw["decision"]["reviews"]) == ("Approved", [row])
    delivery = letters_of(engine.world)[-1]
    assert (delivery.state, delivery.status, delivery.body) == (
        *("delivered", "Approved"),
        letter.body,
    )


@BOTH
def test_a_call_in_review_is_announced_as_that_and_again_once_it_is_decided(
    new, carry, answer, decide
):
    engine = didit.new_engine(switches={"in_review": True})
    secret = new(engine).secret
    name = save_call(engine, score=80, review=True)
    assert answer(engine, list_request("status=In Review"))[1]["count"] == 1
    letters = carry(engine)
    decide(engine, name, "Declined", comment="another person")
    letters += carry(engine)
    now = engine.world.clock.now()
    first, second = (
        verify_webhook(letter.body, dict(letter.headers), secret, now) for _, letter, _ in letters
    )
    assert (first.vendor_status, second.vendor_status) == ("In Review", "Declined")
    assert first.session_id == second.session_id == name
    (block,) = first.raw["decision"]["face_matches"]
    assert block["status"] == "In Review"
    assert first.raw["decision"]["reviews"] == []
    assert second.raw["decision"]["reviews"][0]["comment"] == "another person"


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
