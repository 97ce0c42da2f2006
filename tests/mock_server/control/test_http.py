"""The control API: every verb, and who may use it."""

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit.mock_world import START, control_request, new_engine, request_to
from kit.strategies import json_of
from vendors.didit import match_request, start

from facematch_mock_server import card_sheet, make_card
from facematch_mock_server.control import operations_of
from facematch_mock_server.recognition.recognizer import Recognizer
from facematch_mock_server.vendors import vendor_named


@pytest.fixture
def engine():
    return new_engine(Recognizer())


VERBS = operations_of(vendor_named("didit"))


def ask(engine, path, body=None, **more):
    response = engine.handle(control_request(path, body, **more))
    return response.status, response.json()


def answer_of(engine, path, body=None):
    status, answer = ask(engine, path, body)
    assert status == 200, answer
    return answer


def test_faults_are_added_listed_and_cleared(engine):
    outage = {"detail": "Overloaded.", "retry_in": 1.5, "more": [None, True, 7, {"a": "é"}]}
    rule = {"stage": "answer", "kind": "json", "status": 503, "body": outage, "times": None}
    assert answer_of(engine, "faults", rule)["body"] == outage
    response = engine.handle(match_request())
    assert (response.status, response.json()) == (503, outage)
    assert response.header("Content-Type") == "application/json"
    assert "mock.fault.own" in response.claims
    (fault,) = answer_of(engine, "faults")["faults"]
    assert (fault["status"], fault["times"]) == (503, None)
    answer_of(engine, "faults/clear", {})
    assert engine.account.faults.all == ()


def test_endless_connect_fault_is_rejected(engine):
    """Without an end it would strike the request that clears it."""
    endless = {"stage": "connect", "kind": "reset", "times": None}
    status, body = ask(engine, "faults", endless)
    assert status == 400
    assert "refuse the request that clears it" in body["mock"]
    assert engine.account.faults.all == ()
    assert ask(engine, "faults", {**endless, "times": 2})[0] == 200
    assert ask(engine, "faults", {**endless, "stage": "mid_upload", "path": "/v3/"})[0] == 200


def test_claims_are_listed_with_their_sources(engine):
    for claim in answer_of(engine, "claims")["claims"]:
        assert claim["statement"]
        assert claim["source"]


def test_the_clock_is_read_and_moved(engine):
    assert answer_of(engine, "clock") == {"now": "2026-07-02T09:15:27.104233+00:00"}
    moved = answer_of(engine, "clock/advance", {"seconds": 0.5})
    assert moved == {"now": "2026-07-02T09:15:27.604233+00:00"}


def test_keys_can_be_added_and_revoked_and_are_not_shown_in_the_list(engine):
    today = answer_of(engine, "keys", {"expires": START.date().isoformat()})["key"]
    assert engine.handle(match_request(key=today)).status == 200
    key = answer_of(engine, "keys", {"kind": "sandbox"})["key"]
    assert engine.handle(match_request(key=key)).status == 200
    assert answer_of(engine, "keys/revoke", {"key": key}) == {}
    assert engine.handle(match_request(key=key)).status == 401
    listed = answer_of(engine, "keys")
    assert [key["kind"] for key in listed["keys"]] == ["live", "sandbox", "live", "sandbox"]
    assert key not in json.dumps(listed)
    assert ask(engine, "keys/revoke", {"key": "other"})[0] == 404


def test_reset_clears_all_state_and_applies_the_switches(engine):
    engine.handle(match_request())
    ask(engine, "faults", {"stage": "connect", "kind": "reset"})
    ask(engine, "outcomes", {"kind": "match", "score": 1})
    switches = {"in_review": True, "start_credit": "1"}
    behaviours = answer_of(engine, "reset", {"switches": switches})
    assert behaviours["switches"] == switches
    assert behaviours["chosen"]["in_review"] is True
    assert answer_of(engine, "behaviours") == behaviours
    assert answer_of(engine, "journal")["entries"] == []
    assert answer_of(engine, "sessions")["sessions"] == []
    assert answer_of(engine, "faults")["faults"] == []
    assert answer_of(engine, "outcomes")["outcomes"] == []
    assert answer_of(engine, "ledger") == {"balance": "1.0000", "entries": [], "left_out": 0}
    assert answer_of(engine, "reset", {})["switches"] == switches


def test_in_review_status_requires_its_switch(engine):
    card = make_card("p1", review=True)
    for in_review, status in ((False, "Approved"), (True, "In Review")):
        ask(engine, "reset", {"switches": {"in_review": in_review}})
        answer = engine.handle(match_request(card, card)).json()
        assert answer["face_match"]["status"] == status


@pytest.mark.parametrize(
    ("document", "status"), [(None, "Approved"), ("p1", "Approved"), ("p2", "Declined")]
)
def test_person_shows_a_card_and_a_document(engine, document, status):
    session = engine.handle(start(vendor_data="u")).json()
    shown = {"card": "p1"} if document is None else {"card": "p1", "document": document}
    acted = {"session_id": session["session_id"], "do": "card", **shown}
    answer = {"session_id": session["session_id"], "status": status, "attempts": 1}
    assert answer_of(engine, "sessions/act", acted) == answer


def test_review_keeps_the_comment(engine):
    engine.handle(match_request())
    (session,) = engine.world.sessions.all()
    for comment in ({}, {"comment": "seen"}):
        decided = {"session_id": session.id, "status": "Declined", **comment}
        answer = {"session_id": session.id, "status": "Declined"}
        assert answer_of(engine, "sessions/decide", decided) == answer
    reviews = engine.world.sessions.all()[0].reviews
    assert [review.comment for review in reviews] == [None, "seen"]


def test_a_reset_that_is_refused_changes_nothing(engine):
    engine.handle(match_request())
    status, body = ask(engine, "reset", {"switches": {"in_review": True, "x": 1}})
    assert status == 400
    assert "unknown switch 'x'" in body["mock"]
    assert engine.world.switches == {}
    assert len(engine.world.account.journal.entries) == 1


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("since=1", [2, 3]),
        ("status=401", [3]),
        ("path=/v3/face", [1, 2, 3]),
        ("person=ada", [1]),
        ("person=bob&status=401", []),
        ("field=vendor_data=case-2", [2]),
    ],
)
def test_journal_filters_select_and_count_entries(engine, query, numbers):
    engine.handle(match_request(make_card("ada"), vendor_data="case-1"))
    engine.handle(match_request(make_card("bob"), vendor_data="case-2"))
    engine.handle(match_request(key="wrong"))
    status, body = ask(engine, f"journal?{query}")
    assert (status, [entry["number"] for entry in body["entries"]]) == (200, numbers)
    assert ask(engine, f"journal/count?{query}") == (200, {"count": len(numbers)})


APPROVE = {"session_id": "1", "status": "Approved"}


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("nothing", None, 404, "Unknown path /__mock__/nothing"),
        ("journal?colour=red", None, 400, "allowed are since, path, status, person, field, limit"),
        ("journal?limit=many", None, 400, "limit must be a whole number"),
        ("journal?status=1&status=2", None, 400, "status is given twice"),
        ("sessions?status=Lost", None, 400, "Lost"),
        ("webhooks/deliveries?state=lost", None, 400, "lost"),
        ("clock", {}, 405, "takes GET"),
        ("clock/advance", {}, 400, "seconds is missing"),
        ("clock/advance", {"seconds": None}, 400, "seconds must be a number"),
        ("clock/advance", {"seconds": -1}, 400, "advances by 0 or more"),
        ("clock/advance", {"seconds": 5e11}, 400, "year 8999"),
        ("clock/advance", {"seconds": 1, "x": 2}, 400, "unknown name 'x'"),
        ("clock/advance", [], 400, "not a JSON object"),
        ("clock/advance?seconds=1", {}, 400, "seconds cannot be in the query of a change"),
        ("faults", {"stage": "connect"}, 400, "kind is missing"),
        ("faults", {"faults": [5]}, 400, "faults must be a list of objects"),
        ("faults", {"stage": "answer", "kind": "json", "body": [math.nan]}, 400, "must be JSON"),
        ("outcomes", {"kind": "match", "review": True}, 400, "set the switch in_review"),
        ("ledger/balance", {"balance": "-1"}, 400, "between 0 and"),
        ("ledger/balance", {"balance": "much"}, 400, "a decimal number as text"),
        ("keys", {"kind": "gold"}, 400, "gold"),
        ("keys", {"key": " x"}, 400, "printable ASCII"),
        ("keys", {"expires": "soon"}, 400, "soon"),
        ("keys", {"client": "c"}, 400, "only vendors with client ids take one"),
        ("webhooks/wait", {"timeout_s": 61}, 400, "a number of seconds from 0 to 60"),
        (
            "webhooks/destinations",
            {"url": "http://[::1]/", "secret": " "},
            400,
            "a non-empty string",
        ),
        ("limits", {"write": 1, "get": "many"}, 400, "a whole number from 0"),
        ("limits", {"push": 1}, 400, "unknown name 'push'"),
        ("reset", {"edition": "1999"}, 400, "unknown name 'edition'"),
        ("keys", {"key": "\ud800"}, 400, "key contains a lone surrogate"),
        ("outcomes", {"kind": "match", "field": {"vendor_data": "\ud800"}}, 400, "lone surrogate"),
        (
            "sessions/act",
            {"session_id": "1", "do": "abandon", "card": "p1"},
            400,
            "only the action card takes a card",
        ),
        ("sessions/decide", {"session_id": "1", "status": "x"}, 400, "unknown status 'x'"),
        ("sessions/decide", {"status": "Approved"}, 400, "session_id is missing"),
        ("sessions/decide", APPROVE, 404, "no session with that id"),
        ("sessions/decide", {**APPROVE, "comment": 5}, 400, "comment must be a string"),
    ],
)
def test_invalid_control_request_is_explained_and_changes_nothing(
    engine, path, body, status, words
):
    code, reply = ask(engine, path, body)
    assert code == status
    assert words in reply["mock"]
    for changed in ("limits", "faults", "ledger"):
        assert ask(engine, changed) == ask(new_engine(), changed)


@pytest.mark.parametrize(
    ("body", "media", "status"),
    [
        (b"{", "application/json", 400),
        (b'{"seconds":1e99999999999999999999}', "application/json", 400),
        (b'{"seconds":1}', "text/plain", 415),
        (b"[" * 50_000 + b"]" * 50_000, "application/json", 400),
    ],
)
def test_body_that_is_not_json_changes_nothing(engine, body, media, status):
    sent = request_to("/__mock__/clock/advance", body, media)
    assert engine.handle(sent).status == status
    assert engine.world.clock.now() == START


def test_control_api_is_404_when_disabled():
    engine = new_engine(control=False)
    assert ask(engine, "clock")[0] == 404
    response = engine.handle(request_to("/__mock/clock"))
    assert "/__mock__/" not in response.json()["mock"]


def test_control_api_sends_no_cors_headers(engine):
    sent = control_request("clock", method="OPTIONS", origin="https://evil.example")
    assert engine.handle(sent).status == 405
    for sent in (control_request("clock"), control_request("journal/clear", {})):
        names = [name.lower() for name, _ in engine.handle(sent).headers]
        assert not any(name.startswith("access-control-") for name in names)


NAMES = """kind score stage seconds balance key expires write switches times digest allowed
path method status body executed"""
names = st.sampled_from(NAMES.split())
words = st.sampled_from(["match", "answer", "html", "json"])


@settings(max_examples=settings().max_examples // 2)
@given(
    path=st.sampled_from([name for method, name in VERBS if method == "POST"]),
    body=st.dictionaries(names, json_of(st.floats() | st.integers()) | words, max_size=4),
)
def test_any_control_request_leaves_the_server_working(path, body):
    engine = new_engine(Recognizer())
    assert engine.handle(control_request(path, body)).status in (200, 400, 404)
    for read in (name for method, name in VERBS if method == "GET" and "{" not in name):
        assert engine.handle(control_request(read)).status == 200


def test_built_in_test_cards_are_served(engine):
    for name in ("p1", "p1-again", "p2", "no-face", "two-faces", "spoof"):
        response = engine.handle(control_request(f"cards/{name}.png"))
        assert (response.status, response.header("Content-Type")) == (200, "image/png")
        assert response.body == card_sheet()[name].data
    assert ask(engine, "cards/p9.png")[0] == 404
