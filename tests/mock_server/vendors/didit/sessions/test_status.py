"""PATCH /v3/session/{id}/update-status/."""

import threading

import pytest
from kit.mock_didit_sessions import SANDBOX, nth, on, put_into, update

from facematch_mock_server.vendors.didit import webhooks

CLOSED = ("Not Started", "In Progress", "Awaiting User", "Expired")
OPEN = ("Approved", "Declined", "In Review", "Kyc Expired", "Abandoned", "Resubmitted")
NOT_A_TARGET = {
    "new_status": ["You can only update the status to 'Approved', 'Declined', or 'Resubmitted'."]
}
NOTHING = {
    "nodes_to_resubmit": "No features found that need resubmission. "
    "All features are already approved."
}
NO_ADDRESS = {"email_address": ["Email address is required when send_email is true."]}

#: body -> the body of the 400, for an approved session
REFUSED = [
    ({}, {"new_status": ["This field is required."]}),
    ({"new_status": "In Review"}, NOT_A_TARGET),
    ({"new_status": "Kyc Expired"}, NOT_A_TARGET),
    ({"new_status": "Bogus"}, {"new_status": ['"Bogus" is not a valid choice.']}),
    ({"new_status": "approved"}, {"new_status": ['"approved" is not a valid choice.']}),
    ({"new_status": ""}, {"new_status": ['"" is not a valid choice.']}),
    ({"new_status": 7}, {"new_status": ['"7" is not a valid choice.']}),
    ({"new_status": None}, {"new_status": ["This field may not be null."]}),
    ({"new_status": "Approved"}, ["The new status is the same as the current status."]),
    ({"new_status": "Declined", "send_email": True}, NO_ADDRESS),
    ({"new_status": "Declined", "send_email": True, "email_address": None}, NO_ADDRESS),
    ({"new_status": "Declined", "send_email": "yes", "email_address": ""}, NO_ADDRESS),
    (
        {"new_status": "Declined", "email_address": "nobody"},
        {"email_address": ["Enter a valid email address."]},
    ),
    ({"new_status": "Declined", "comment": []}, {"comment": ["Not a valid string."]}),
    ({"new_status": "Declined", "send_email": 3}, {"send_email": ["Must be a valid boolean."]}),
    (
        {"new_status": "Resubmitted", "nodes_to_resubmit": {}},
        {"nodes_to_resubmit": ['Expected a list of items but got type "dict".']},
    ),
    ({"new_status": "Resubmitted"}, NOTHING),
    ({"new_status": "Resubmitted", "nodes_to_resubmit": [{"feature": "LIVENESS"}]}, NOTHING),
    ({"new_status": "Resubmitted", "nodes_to_resubmit": [7]}, NOTHING),
    (
        {"comment": True, "new_status": "x"},
        {"new_status": ['"x" is not a valid choice.'], "comment": ["Not a valid string."]},
    ),
    ([], {"non_field_errors": ["Invalid data. Expected a dictionary, but got list."]}),
]


@pytest.fixture
def updates(monkeypatch):
    """The sessions whose update was told to the webhooks."""
    seen = []
    monkeypatch.setattr(webhooks, "announce", lambda *told: seen.append(told[1]))
    return seen


@pytest.mark.parametrize(("body", "refusal"), REFUSED)
def test_what_is_refused(engine, told, updates, body, refusal):
    """400, and nothing was changed or told."""
    before = engine.world.sessions.all()
    assert told(engine, update(1, body)) == (400, refusal)
    assert engine.world.sessions.all() == before
    assert updates == []


def test_the_newest_hundred_reviews_are_kept(engine, told):
    """Of a session that is updated again and again."""
    for number in range(103):
        body = {"new_status": ("Declined", "Approved")[number % 2], "comment": str(number)}
        assert told(engine, update(1, body))[0] == 200
    kept = told(engine, on(1))[1]["reviews"]
    assert [one["comment"] for one in kept] == [str(number) for number in range(3, 103)]


@pytest.mark.parametrize("status", CLOSED)
def test_a_state_that_cannot_be_updated(engine, told, status):
    """Said before the body is looked at."""
    put_into(1, status)(engine)
    for body in ({}, {"new_status": "Bogus"}, []):
        assert told(engine, update(1, body)) == (
            400,
            {
                "detail": "Only sessions with status Approved, Declined, In Review, Kyc Expired, "
                f"Abandoned, Resubmitted can be updated. Current status: {status}"
            },
        )


@pytest.mark.parametrize("status", OPEN)
def test_a_state_that_can_be_updated(engine, told, status):
    """To another one; the features keep theirs."""
    put_into(1, status)(engine)
    wanted = "Declined" if status == "Approved" else "Approved"
    assert told(engine, update(1, {"new_status": wanted})) == (
        200,
        {"session_id": nth(engine, 1)},
    )
    body = told(engine, on(1))[1]
    assert (body["status"], body["face_matches"][0]["status"]) == (wanted, "Approved")


def test_an_update_is_reviewed_and_told(engine, told, updates):
    """By API Client, once; a repeat is refused."""
    engine.world.clock.advance(60)
    body = {"new_status": "Declined", "comment": "looked at"}
    assert told(engine, update(1, body))[0] == 200
    review = {
        "user": "API Client",
        "new_status": "Declined",
        "comment": "looked at",
        "created_at": "2026-07-02T09:16:27.104233Z",
    }
    assert told(engine, on(1))[1]["reviews"] == [review]
    assert [(one.id, one.status) for one in updates] == [(nth(engine, 1), "Declined")]
    assert told(engine, update(1, body))[1] == ["The new status is the same as the current status."]
    assert len(updates) == 1


@pytest.mark.parametrize(
    ("number", "nodes"),
    [
        (1, [{"node_id": "feature_face_match_1"}]),
        (1, [{"feature": "OTHER"}, {"feature": "FACE_MATCH"}]),
        (2, []),
        (2, None),
    ],
)
def test_resubmission(engine, told, number, nodes):
    """Of a feature that is named, or of all that are not approved."""
    body = {"new_status": "Resubmitted"} | ({} if nodes is None else {"nodes_to_resubmit": nodes})
    assert told(engine, update(number, body))[0] == 200
    decision = told(engine, on(number))[1]
    (feature,) = decision["face_matches"] or decision["liveness_checks"]
    assert (decision["status"], feature["status"]) == ("Resubmitted", "Resub Requested")


@pytest.mark.parametrize(
    ("step", "status"), [(update(9, key=None), 404), (update(1, key=SANDBOX), 404)]
)
def test_whose_session_it_is(engine, told, step, status):
    """As with a decision."""
    assert told(engine, step)[0] == status


def test_of_two_updates_at_once_one_is_a_repeat(engine, told, updates):
    """However the requests overlap."""
    engine.world.rates.set_limit("write", None)
    statuses = []

    def ask():
        statuses.append(update(1, {"new_status": "Declined"})(engine).status)

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] + [400] * 15
    assert len(updates) == len(told(engine, on(1))[1]["reviews"]) == 1


def test_an_update_between_look_up_and_change_counts(engine, monkeypatch):
    """The second one is asked again, of the session as it is then."""
    sessions = engine.world.sessions
    change, inner = sessions.change, update(1, {"new_status": "Declined"})

    def overtaken(session_id, make):
        monkeypatch.setattr(sessions, "change", change)
        assert inner(engine).status == 200
        return change(session_id, make)

    monkeypatch.setattr(sessions, "change", overtaken)
    assert inner(engine).status == 400


def test_a_deletion_between_look_up_and_change(engine, monkeypatch):
    """404, as if it had come before."""
    sessions = engine.world.sessions
    monkeypatch.setattr(sessions, "change", lambda *_: None)
    assert update(1, {"new_status": "Declined"})(engine).status == 404
