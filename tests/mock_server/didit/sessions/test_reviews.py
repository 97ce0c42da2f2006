"""GET and POST /v3/sessions/{id}/reviews/."""

import pytest
from mock_didit_sessions import SANDBOX, added, delete, nth, on, reviews, sent, update

NOT_ALLOWED = (403, {"detail": "You do not have permission to perform this action."})
UNKNOWN = (404, {"detail": "Session not found."})


@pytest.mark.parametrize(
    "body", [{}, {"comment": "one"}, {"new_status": "Declined"}, {"comment": None, "else": 1}]
)
def test_a_note(engine, told, body):
    """201 with what was written, by Unknown; the status stays."""
    note = {
        "user": "Unknown",
        "new_status": body.get("new_status") or "",
        "comment": body.get("comment") or "",
        "created_at": "2026-07-02T09:15:27.104233Z",
    }
    assert told(engine, reviews(1, body)) == (201, note)
    assert told(engine, reviews(1)) == (
        200,
        {"count": 1, "next": None, "previous": None, "results": [note]},
    )
    decision = told(engine, on(1))[1]
    assert (decision["status"], decision["reviews"]) == ("Approved", [note])


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        ({"new_status": "Bogus"}, {"new_status": ['"Bogus" is not a valid choice.']}),
        ({"comment": {}}, {"comment": ["Not a valid string."]}),
        (
            {"comment": "x" * 10_001},
            {"comment": ["Ensure this field has no more than 10000 characters."]},
        ),
        ([], {"non_field_errors": ["Invalid data. Expected a dictionary, but got list."]}),
        (b"{", {"detail": "JSON parse error - "}),
    ],
)
def test_what_is_refused(engine, told, body, refusal):
    """400, and nothing is written."""
    status, said = told(engine, reviews(1, body))
    assert status == 400
    assert set(said) == set(refusal)
    assert said == refusal or said["detail"].startswith(refusal["detail"])
    assert told(engine, reviews(1))[1]["count"] == 0


def test_in_order_and_in_pages(engine, told):
    """Updates and notes together, the oldest first."""
    told(engine, reviews(1, {"comment": "one"}))
    told(engine, update(1, {"new_status": "Declined", "comment": "two"}))
    told(engine, reviews(1, {"comment": "three"}))
    body = told(engine, reviews(1, query="?limit=2"))[1]
    assert [one["comment"] for one in body["results"]] == ["one", "two"]
    assert body["count"] == 3
    assert body["next"].endswith("/reviews/?limit=2&offset=2")


@pytest.mark.parametrize(
    ("step", "answer"),
    [
        (reviews(9, key=None), NOT_ALLOWED),
        (reviews(1, key="wrong"), NOT_ALLOWED),
        (reviews(9), UNKNOWN),
        (reviews(9, {}), UNKNOWN),
        (reviews(1, key=SANDBOX), UNKNOWN),
        (reviews(3), UNKNOWN),
        (reviews(1, method="DELETE"), (405, {"detail": 'Method "DELETE" not allowed.'})),
    ],
)
def test_the_key_comes_first(engine, told, step, answer):
    """Then a session that is not known, in words of its own."""
    added("FACE_MATCH", {"status": "Approved"}, owner="another", pictures={})(engine)
    assert told(engine, step) == answer


def test_the_newest_hundred_are_kept(engine, told):
    """Notes and updates alike."""
    for number in range(101):
        told(engine, reviews(1, {"comment": str(number)}))
    told(engine, update(1, {"new_status": "Declined", "comment": "last"}))
    body = told(engine, reviews(1, query="?limit=200"))[1]
    assert body["count"] == 100
    comments = [one["comment"] for one in body["results"]]
    assert comments == [*map(str, range(2, 101)), "last"]


def test_a_deleted_session(engine, told):
    """Is not known."""
    path = f"/v3/sessions/{nth(engine, 1)}/reviews/"
    delete(1)(engine)
    assert told(engine, sent(path)) == UNKNOWN
