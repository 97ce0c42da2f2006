"""A person decides a session: the session, its reviews, the webhook, the credit."""

import json

import pytest
import requests

from facematch_didit.webhooks import verify_webhook
from facematch_mock_server import MockServer, VirtualClock, card_sheet

P1, P2 = card_sheet()["p1"].data, card_sheet()["p2"].data
STAMP = "2026-07-02T09:15:27.104233Z"


def listen(mock, url):
    """A destination; its secret."""
    return mock.control.webhooks.add(url).secret


def asked(mock, path, body=None):
    """The answer of the vendor: to a POST with a JSON body, else to a GET."""
    method, headers = "GET" if body is None else "POST", {"x-api-key": mock.live_key}
    return requests.request(method, mock.url + path, json=body, headers=headers, timeout=10)


def saved(mock, probe=P2):
    """A saved comparison; its session."""
    answer = requests.post(
        f"{mock.url}/v3/face-match/",
        headers={"x-api-key": mock.live_key},
        files={"user_image": ("a.png", probe), "ref_image": ("b.png", P1)},
        data={"vendor_data": "emp-0042"},
        timeout=10,
    )
    assert answer.status_code == 200
    return answer.json()["request_id"]


def by_python(mock, session_id, status, **comment):
    """Decide; session and status as they are then."""
    session = mock.control.sessions.decide(session_id, status, **comment)
    return {"session_id": session.id, "status": session.status}


def by_http(mock, session_id, status, **comment):
    """The same over the control API."""
    body = {"session_id": session_id, "status": status, **comment}
    answer = requests.post(f"{mock.control_url}sessions/decide", json=body, timeout=10)
    assert answer.status_code == 200, answer.text
    return answer.json()


BOTH = pytest.mark.parametrize("review", [by_python, by_http])


@BOTH
@pytest.mark.parametrize("comment", [{}, {"comment": None}, {"comment": "looks like him: é"}])
def test_a_review(mock, receiver, review, comment):
    """Status, review row and webhook; nothing is charged, and the scores stay."""
    secret = listen(mock, receiver.url)
    name = saved(mock)
    mock.control.webhooks.wait()
    before = asked(mock, f"/v3/session/{name}/decision/").json()
    paid, balance = mock.control.charges(), mock.control.balance()
    assert before["status"] == "Declined"
    mock.control.advance(60)

    assert review(mock, name, "Approved", **comment) == {"session_id": name, "status": "Approved"}

    row = {
        "user": "Console",
        "new_status": "Approved",
        "comment": comment.get("comment") or "",
        "created_at": STAMP.replace("09:15", "09:16"),
    }
    decision = asked(mock, f"/v3/session/{name}/decision/").json()
    assert (decision["status"], decision["reviews"]) == ("Approved", [row])
    for part in (before["face_matches"][0], decision["face_matches"][0]):
        # Addresses of pictures live from when they are told.
        del part["source_image"], part["target_image"]
    assert decision["face_matches"] == before["face_matches"]
    assert asked(mock, "/v3/sessions/?status=Approved").json()["count"] == 1
    assert (mock.control.charges(), mock.control.balance()) == (paid, balance)

    *_, delivery = mock.control.webhooks.wait()
    assert [json.loads(body)["status"] for _, _, body in receiver.came] == ["Declined", "Approved"]
    _, headers, body = receiver.came[-1]
    event = verify_webhook(body, headers, secret, mock.control.now())
    assert (event.session_id, event.caller_ref) == (name, "emp-0042")
    assert (event.vendor_status, event.decision["reviews"]) == ("Approved", [row])
    assert (delivery.state, delivery.status, delivery.body) == ("delivered", "Approved", body)


@BOTH
def test_the_pictures_of_the_webhook_are_there(mock, receiver, review):
    """Their addresses lead to this server."""
    listen(mock, receiver.url)
    name = saved(mock)
    review(mock, name, "In Review")
    mock.control.webhooks.wait()
    block = json.loads(receiver.came[-1][2])["decision"]["face_matches"][0]
    assert requests.get(block["source_image"], timeout=10).content in (P1, P2)


@BOTH
def test_a_call_that_is_in_review(receiver, review):
    """It is told as that, with its decision, and told again when a person has decided."""
    with MockServer(clock=VirtualClock(), seed=3, switches={"in_review": True}) as mock:
        secret = listen(mock, receiver.url)
        mock.control.set_outcome("match", score=80, review=True)
        name = saved(mock)
        mock.control.webhooks.wait()
        review(mock, name, "Declined", comment="another person")
        mock.control.webhooks.wait()
        events = [
            verify_webhook(body, headers, secret, mock.control.now())
            for _, headers, body in receiver.came
        ]
    assert [event.vendor_status for event in events] == ["In Review", "Declined"]
    assert [event.session_id for event in events] == [name] * 2
    first, second = (event.decision for event in events)
    (block,) = first["face_matches"]
    assert block["status"] == "In Review"
    assert (first["reviews"], second["reviews"][0]["comment"]) == ([], "another person")


@BOTH
def test_several_reviews(mock, review):
    """In order; the newest hundred of them are kept."""
    name = saved(mock)
    for status, comment in (("In Review", "one"), ("Declined", "two"), ("Declined", "three")):
        review(mock, name, status, comment=comment)
    rows = asked(mock, f"/v3/session/{name}/decision/").json()["reviews"]
    words = [(row["new_status"], row["comment"]) for row in rows]
    assert words == [("In Review", "one"), ("Declined", "two"), ("Declined", "three")]
    for number in range(100):
        mock.control.sessions.decide(name, "Approved", str(number))
    kept = mock.control.sessions.all()[0].reviews
    assert [one.comment for one in kept] == [str(number) for number in range(100)]


@pytest.mark.parametrize(
    "change", [{"enabled": False}, {"events": ["data.updated"]}], ids=["disabled", "other events"]
)
def test_who_is_told(mock, receiver, change):
    """Whom an update would have told."""
    name = saved(mock)
    made = mock.control.webhooks.add(receiver.url)
    mock.control.webhooks.change(made.uuid, **change)
    mock.control.sessions.decide(name, "Approved")
    assert mock.control.webhooks.wait() == ()
    assert receiver.came == []


def test_without_a_server(mock):
    """It works on a world that nobody serves: what is to be told waits there."""
    still = MockServer(clock=VirtualClock(), seed=3)
    with requests.Session() as session:
        session.mount("http://127.0.0.1:1", still.adapter())
        files = {"user_image": ("a.png", P1), "ref_image": ("b.png", P1)}
        headers = {"x-api-key": still.live_key}
        url = "http://127.0.0.1:1/v3"
        session.post(f"{url}/face-match/", headers=headers, files=files)
    still.control.webhooks.add("http://127.0.0.1:9/hook")
    (one,) = still.control.sessions.all()
    assert still.control.sessions.decide(one.id, "Declined").status == "Declined"
    (delivery,) = still.control.webhooks.deliveries()
    assert delivery.status == "Declined"
    still.stop()


# What is refused

NOBODY = "00000000-0000-4000-8000-00000000abcd"


@pytest.mark.parametrize("status", ["approved", "Fine", "", 1, None])
def test_an_unknown_status(mock, receiver, status):
    """ValueError and 400, with those that there are; nothing happens."""
    listen(mock, receiver.url)
    name = saved(mock)
    count = len(mock.control.webhooks.wait())
    with pytest.raises(ValueError, match=r"there are Not Started, .*Approved, Declined"):
        mock.control.sessions.decide(name, status)
    body = {"session_id": name, "status": status}
    answer = requests.post(f"{mock.control_url}sessions/decide", json=body, timeout=10)
    assert answer.status_code == 400
    words = "there are Not Started" if isinstance(status, str) else "status must be a string"
    assert words in answer.json()["mock"]
    (session,) = mock.control.sessions.all()
    assert (session.status, session.reviews) == ("Declined", ())
    assert len(mock.control.webhooks.wait()) == count


@pytest.mark.parametrize("name", [NOBODY, "", "no id"])
def test_an_unknown_session(mock, name):
    """LookupError and 404; nobody is told."""
    with pytest.raises(LookupError, match="no session of that id"):
        mock.control.sessions.decide(name, "Approved")
    body = {"session_id": name, "status": "Approved"}
    answer = requests.post(f"{mock.control_url}sessions/decide", json=body, timeout=10)
    assert (answer.status_code, answer.json()) == (404, {"mock": "there is no session of that id"})
    assert mock.control.webhooks.deliveries() == ()


def test_a_deleted_session(mock):
    """Is not known any more."""
    name = saved(mock)
    headers = {"x-api-key": mock.live_key}
    requests.delete(f"{mock.url}/v3/session/{name}/delete/", headers=headers, timeout=10)
    with pytest.raises(LookupError):
        mock.control.sessions.decide(name, "Approved")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "session_id is missing"),
        ({"session_id": NOBODY}, "status is missing"),
        ({"status": "Approved"}, "session_id is missing"),
        ({"session_id": NOBODY, "status": "Approved", "comment": 5}, "comment must be a string"),
        ({"session_id": NOBODY, "status": "Approved", "note": "x"}, "'note' is not known here"),
    ],
)
def test_a_body_of_another_shape(mock, body, words):
    """400 in one sentence."""
    answer = requests.post(f"{mock.control_url}sessions/decide", json=body, timeout=10)
    assert answer.status_code == 400
    assert words in answer.json()["mock"]


@pytest.mark.parametrize("comment", [5, b"x", ["x"]])
def test_a_comment_is_a_text(mock, comment):
    """ValueError in Python too; nothing happens."""
    name = saved(mock)
    with pytest.raises(ValueError, match="comment must be a string"):
        mock.control.sessions.decide(name, "Approved", comment)
    assert mock.control.sessions.all()[0].reviews == ()
