import pytest
from kit.mock_sessions import nth, put_into
from vendors.didit import on, update

from facematch_mock_server.vendors.didit import webhooks

CLOSED = ("Not Started", "In Progress", "Awaiting User", "Expired")
OPEN = ("Approved", "Declined", "In Review", "Kyc Expired", "Abandoned", "Resubmitted")
NOT_A_TARGET = {
    "new_status": ["You can only update the status to 'Approved', 'Declined', or 'Resubmitted'."]
}
NO_ADDRESS = {"email_address": ["Email address is required when send_email is true."]}

#: The vendor's own words for an approved session; those of the framework are the oracle's.
REFUSED = [
    ({"new_status": "In Review"}, NOT_A_TARGET),
    ({"new_status": "Declined", "send_email": True}, NO_ADDRESS),
    ({"new_status": "Declined", "send_email": True, "email_address": " "}, NO_ADDRESS),
    (
        {"new_status": "Declined", "send_email": True, "email_address": "ada"},
        {"email_address": ["Enter a valid email address."]},
    ),
    (
        {"comment": True, "new_status": "x"},
        {"new_status": ['"x" is not a valid choice.'], "comment": ["Not a valid string."]},
    ),
]


@pytest.fixture
def updates(monkeypatch):
    """The sessions whose update was announced."""
    seen = []
    monkeypatch.setattr(webhooks, "announce", lambda *arguments: seen.append(arguments[1]))
    return seen


@pytest.mark.parametrize(("body", "refusal"), REFUSED)
def test_rejected_update_changes_nothing_and_sends_no_webhook(
    engine, answer, updates, body, refusal
):
    before = engine.world.sessions.all()
    assert answer(engine, update(1, body)) == (400, refusal)
    assert engine.world.sessions.all() == before
    assert updates == []


def test_repeated_decision_changes_nothing_and_sends_no_webhook(engine, answer, updates):
    before = engine.world.sessions.all()
    assert answer(engine, update(1, {"new_status": "Approved"}))[0] == 200
    assert engine.world.sessions.all() == before
    assert updates == []


def test_repeated_resubmission_is_refused(engine, answer):
    put_into(1, "Resubmitted")(engine)
    refusal = ["The new status is the same as the current status."]
    assert answer(engine, update(1, {"new_status": "Resubmitted"})) == (400, refusal)


def test_update_with_an_address_for_the_email_is_accepted(engine, answer):
    body = {"new_status": "Declined", "send_email": True, "email_address": "ada@shop.example"}
    assert answer(engine, update(1, body))[0] == 200
    assert answer(engine, on(1))[1]["status"] == "Declined"


def test_only_the_newest_100_reviews_are_stored(engine, answer):
    for number in range(103):
        body = {"new_status": ("Declined", "Approved")[number % 2], "comment": str(number)}
        assert answer(engine, update(1, body))[0] == 200
    kept = answer(engine, on(1))[1]["reviews"]
    assert [review["comment"] for review in kept] == [str(number) for number in range(3, 103)]


@pytest.mark.parametrize("status", CLOSED)
def test_status_that_allows_no_update_is_rejected_before_the_body(engine, answer, status):
    put_into(1, status)(engine)
    words = f"Only sessions with status {', '.join(OPEN)} can be updated. Current status: {status}"
    for body in ({}, {"new_status": "Bogus"}, []):
        assert answer(engine, update(1, body)) == (400, {"detail": words})


@pytest.mark.parametrize("status", OPEN)
def test_update_is_announced_and_changes_no_feature(engine, answer, updates, status):
    put_into(1, status)(engine)
    decision = "Declined" if status == "Approved" else "Approved"
    expected = (200, {"session_id": nth(engine, 1)})
    assert answer(engine, update(1, {"new_status": decision})) == expected
    body = answer(engine, on(1))[1]
    assert (body["status"], body["face_matches"][0]["status"]) == (decision, "Approved")
    assert updates[-1].status == decision


def test_update_sees_a_concurrent_update_of_the_session(engine, monkeypatch):
    sessions = engine.world.sessions
    change, inner = sessions.change, update(1, {"new_status": "Declined"})

    def change_second(session_id, make):
        monkeypatch.setattr(sessions, "change", change)
        assert inner(engine).status == 200
        return change(session_id, make)

    monkeypatch.setattr(sessions, "change", change_second)
    assert inner(engine).status == 200
    declined = [each for each in sessions.all() if each.status == "Declined"]
    assert sum(len(each.reviews) for each in declined) == 1


def test_update_of_a_concurrently_deleted_session_is_404(engine, monkeypatch):
    monkeypatch.setattr(engine.world.sessions, "change", lambda *_: None)
    assert update(1, {"new_status": "Declined"})(engine).status == 404
