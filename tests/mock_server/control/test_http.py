"""The control API: every verb, and who may use it."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit import mock_didit as didit
from kit.mock_didit import control, match, picture
from kit.mock_worlds import app_of, world_of

from facematch_mock_server import make_card
from facematch_mock_server.control import operations_of
from facematch_mock_server.recognition.recognizer import PictureRecognizer
from facematch_mock_server.vendors import vendor_named


@pytest.fixture
def engine():
    """An engine whose world takes outcomes, too."""
    return app_of(world_of(PictureRecognizer(), clock=didit.VirtualClock(didit.START), seed=7))


VERBS = operations_of(vendor_named("didit"))


def ask(engine, path, body=None, **more):
    """Status and decoded body."""
    response = engine.handle(control(path, body, **more))
    return response.status, response.json()


def test_the_overview_lists_every_verb(engine):
    """GET on the prefix says what there is."""
    status, body = ask(engine, "")
    assert (status, body["edition"]) == (200, "2026-07")
    assert len(body["operations"]) == len(VERBS)
    assert (body["vendor"], body["vendors"]) == ("didit", ["didit"])
    assert engine.handle(didit.request("/__mock__", method="GET")).status == 200


def test_outcomes(engine):
    """Set, listed, used up, cleared."""
    wanted = {"kind": "match", "score": 41.5, "times": 2}
    status, body = ask(engine, "outcomes", wanted)
    assert (status, body["score"]) == (200, 41.5)
    assert engine.handle(match()).json()["face_match"]["score"] == 41.5
    assert [one["times"] for one in ask(engine, "outcomes")[1]["outcomes"]] == [1]
    assert ask(engine, "outcomes/clear", {}) == (200, {})
    assert ask(engine, "outcomes")[1] == {"outcomes": []}


def test_a_face_that_is_known_from_elsewhere(engine):
    """A blocklist and another session can be asked for, as surely as a test wants."""
    ask(engine, "outcomes", {"kind": "liveness", "blocklist": "possible", "duplicate": "certain"})
    warnings = engine.handle(didit.liveness()).json()["liveness"]["warnings"]
    assert [one["risk"] for one in warnings] == ["POSSIBLE_FACE_IN_BLOCKLIST", "DUPLICATED_FACE"]


def test_faults(engine):
    """Added, listed, cleared."""
    rule = {"stage": "answer", "kind": "status", "status": 503, "chance": 0.5, "times": None}
    status, body = ask(engine, "faults", rule)
    assert (status, body["status"], body["chance"]) == (200, 503, 0.5)
    assert engine.account.faults.all[0].times is None
    assert len(ask(engine, "faults")[1]["faults"]) == 1
    ask(engine, "faults/clear", {})
    assert engine.account.faults.all == ()


def test_a_fault_at_connect_must_end(engine):
    """Without an end it would strike the request that clears it; a program can clear it."""
    endless = {"stage": "connect", "kind": "reset", "times": None}
    status, told = ask(engine, "faults", endless)
    assert status == 400
    assert "refuse the request that clears it" in told["mock"]
    assert engine.account.faults.all == ()
    assert ask(engine, "faults", {**endless, "times": 2})[0] == 200
    assert ask(engine, "faults", {**endless, "stage": "mid_upload", "path": "/v3/"})[0] == 200


OWN = {"detail": "Overloaded.", "retry_in": 1.5, "more": [None, True, 7, {"a": "é"}]}


def test_a_fault_with_a_body_of_the_tests_own(engine):
    """It is sent as it was given, under the status that was asked for."""
    rule = {"stage": "answer", "kind": "json", "status": 503, "body": OWN}
    status, told = ask(engine, "faults", rule)
    assert (status, told["body"]) == (200, OWN)
    response = engine.handle(match())
    assert (response.status, response.json()) == (503, OWN)
    assert response.header("Content-Type") == "application/json"
    assert "mock.fault.own" in response.header("X-Facematch-Claims")


def test_an_answer_ends_its_line(engine):
    """So that a terminal does; a refusal, too."""
    for sent in (control(""), control("clock/advance", {"seconds": 1}), control("nothing")):
        assert engine.handle(sent).body.endswith(b"}\n")


def test_clock(engine):
    """Read and moved."""
    assert ask(engine, "clock")[1] == {"now": "2026-07-02T09:15:27.104233+00:00"}
    assert ask(engine, "clock/advance", {"seconds": 0.5})[1] == {
        "now": "2026-07-02T09:15:27.604233+00:00"
    }


def test_ledger(engine):
    """Balance and charges, as text to the fourth place."""
    assert ask(engine, "ledger/balance", {"balance": "12.5"})[1] == {"balance": "12.5000"}
    assert ask(engine, "ledger/balance", {"balance": 12.25})[1] == {"balance": "12.2500"}
    request_id = engine.handle(match()).json()["request_id"]
    assert ask(engine, "ledger")[1] == {
        "balance": "12.2000",
        "entries": [
            {
                "at": "2026-07-02T09:15:27.104233+00:00",
                "what": "FACE_MATCH",
                "amount": "0.0500",
                "request_id": request_id,
                "balance": "12.2000",
            }
        ],
    }


def test_keys(engine):
    """Added, used, revoked; the list never holds a key."""
    key = ask(engine, "keys", {"kind": "sandbox"})[1]["key"]
    assert engine.handle(match(key=key)).status == 200
    assert ask(engine, "keys/revoke", {"key": key}) == (200, {})
    assert engine.handle(match(key=key)).status == 403
    listed = ask(engine, "keys")[1]
    assert [one["kind"] for one in listed["keys"]] == ["live", "sandbox", "sandbox"]
    assert key not in json.dumps(listed)
    assert ask(engine, "keys/revoke", {"key": "other"})[0] == 404


def test_limits(engine):
    """Read, changed, lifted."""
    before = ask(engine, "limits")[1]
    assert {"write": 300, "get": 600, "decision": None}.items() <= before.items()
    changed = {"write": 1, "get": None}
    assert ask(engine, "limits", changed)[1] == {**before, **changed}
    assert [engine.handle(match()).status for _ in range(2)] == [200, 429]


def test_behaviours_and_reset(engine):
    """What is in force is read; only a fresh world has another."""
    engine.handle(match())
    engine.world.account.faults.add(didit_fault())
    ask(engine, "outcomes", {"kind": "match", "score": 1})
    wanted = {"edition": "2026-03", "switches": {"boundary": "exclusive", "start_credit": "1"}}
    status, body = ask(engine, "reset", wanted)
    assert (status, body["edition"], body["switches"]["start_credit"]) == (200, "2026-03", "1")
    assert body["chosen"]["boundary"] == "exclusive"
    assert ask(engine, "behaviours")[1] == body
    for path, name in (("journal", "entries"), ("sessions", "sessions"), ("faults", "faults")):
        assert ask(engine, path)[1][name] == []
    assert ask(engine, "outcomes")[1] == {"outcomes": []}
    assert ask(engine, "ledger")[1] == {"balance": "1.0000", "entries": []}
    assert ask(engine, "reset", {})[1]["edition"] == "2026-03"


def test_a_reset_that_is_refused_changes_nothing(engine):
    """The world is changed whole or not at all."""
    engine.handle(match())
    status, body = ask(engine, "reset", {"edition": "2026-03", "switches": {"x": 1}})
    assert (status, "no switch x" in body["mock"]) == (400, True)
    assert engine.world.edition == "2026-07"
    assert len(engine.world.account.journal.entries) == 1


def didit_fault():
    """Some fault."""
    from facematch_mock_server.faults import Fault

    return Fault(stage="connect", kind="reset")


def test_journal_and_sessions(engine):
    """What was asked, and what was kept of it."""
    sent = match(picture(), vendor_data="emp")
    request_id = engine.handle(sent).json()["request_id"]
    (entry,) = ask(engine, "journal")[1]["entries"]
    assert (entry["path"], entry["status"], entry["key"]) == (didit.MATCH, 200, "live")
    assert entry["files"][0]["name"] == "probe.jpg"
    assert ask(engine, "sessions")[1]["sessions"][0]["id"] == request_id
    ask(engine, "journal/clear", {})
    assert ask(engine, "journal")[1] == {"entries": [], "left_out": 0}


@pytest.fixture
def asked(engine):
    """An engine that was asked: two matches of other people with references, then a wrong key."""
    for person, case in (("ada", "case-1"), ("bob", "case-2")):
        engine.handle(match(make_card(person), vendor_data=case))
    engine.handle(match(key="wrong"))
    return engine


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("", [1, 2, 3]),
        ("since=1", [2, 3]),
        ("status=403", [3]),
        ("path=/v3/face", [1, 2, 3]),
        ("path=/v3/passive", []),
        ("person=ada", [1]),
        ("person=bob&status=403", []),
        ("field=vendor_data=case-2", [2]),
        ("field=vendor_data%3Dcase", []),
        ("limit=1", [3]),
        ("limit=2&since=2", [3]),
        ("limit=0", []),
    ],
)
def test_the_journal_is_narrowed_down(asked, query, numbers):
    """By number, answer, path, person and field; the newest ones, in order; and counted."""
    status, body = ask(asked, f"journal?{query}")
    assert (status, [entry["number"] for entry in body["entries"]]) == (200, numbers)
    if "limit" in query:
        assert body["left_out"] == (1 if "since" in query else 3) - len(numbers)
    else:
        assert ask(asked, f"journal/count?{query}") == (200, {"count": len(numbers)})


def test_the_journal_over_http_is_bounded(engine):
    """The newest thousand, unless more are asked for; numbers go on when it is emptied."""
    for number in range(1001):
        engine.world.log(didit.request(f"/{number}"))
    told = ask(engine, "journal")[1]
    assert (len(told["entries"]), told["left_out"]) == (1000, 1)
    assert told["entries"][-1]["number"] == 1001
    assert len(ask(engine, "journal?limit=5000")[1]["entries"]) == 1001
    ask(engine, "journal/clear", {})
    engine.handle(match())
    assert [one["number"] for one in ask(engine, "journal")[1]["entries"]] == [1002]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("journal?colour=red", "this takes since, path, status, person, field, limit"),
        ("journal?limit=many", "limit must be a whole number"),
        ("journal?since=-1", "since must be a whole number"),
        ("journal?status=1&status=2", "status is given twice"),
        ("journal?field=vendor_data", "field must be NAME=VALUE"),
        ("journal/count?limit=1", "'limit' is not known here"),
        ("clock?at=noon", "this takes nothing"),
    ],
)
def test_a_query_that_is_refused(engine, path, words):
    """Nothing that is asked for is left aside in silence."""
    status, told = ask(engine, path)
    assert status == 400
    assert words in told["mock"]


def test_what_a_browser_may_do_with_an_answer(engine):
    """Nothing: not guess its kind, not keep it, not show it elsewhere; a refusal neither."""
    for sent in (control("clock"), control("nothing"), control("clock", host="evil.example")):
        response = engine.handle(sent)
        assert response.header("X-Content-Type-Options") == "nosniff"
        assert response.header("Cache-Control") == "no-store"
        assert response.header("Cross-Origin-Resource-Policy") == "same-origin"


def test_claims(engine):
    """All in force, and one explained."""
    claims = ask(engine, "claims")[1]["claims"]
    assert {"id", "statement", "known", "source", "read"} == set(claims[0])
    body = ask(engine, "claims/didit.match.boundary.exclusive")[1]
    assert body["text"].startswith("didit.match.boundary.exclusive\n")
    assert ask(engine, "claims/didit.x")[0] == 404


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("nothing", None, 404, "There is no /__mock__/nothing"),
        ("clock", {}, 405, "takes GET"),
        ("clock/advance", None, 405, "takes POST"),
        ("clock/advance", {}, 400, "seconds is missing"),
        ("clock/advance", {"seconds": -1}, 400, "only goes forward"),
        ("clock/advance", {"seconds": "soon"}, 400, "seconds must be a number"),
        ("clock/advance", {"seconds": 5e11}, 400, "year 8999"),
        ("clock/advance", {"seconds": 1, "x": 2}, 400, "'x' is not known here"),
        ("clock/advance", {"seconds": None}, 400, ""),
        ("clock/advance", [], 400, "not a JSON object"),
        ("journal/clear", {"x": 1}, 400, "'x' is not known here"),
        ("faults", {"stage": "connect"}, 400, "kind is missing"),
        ("faults", {"stage": "connect", "kind": "html"}, 400, "a fault at connect must be one of"),
        ("faults", {"stage": "x", "kind": "html"}, 400, "x"),
        ("faults", {"stage": "connect", "kind": "reset", "times": "2"}, 400, "times must"),
        ("faults", {"stage": "connect", "kind": "reset", "executed": True}, 400, "never executed"),
        ("faults", {"stage": "mid_body", "kind": "reset", "executed": False}, 400, "always"),
        ("faults", {"stage": "answer", "kind": "html", "executed": "yes"}, 400, "executed must be"),
        ("faults", {"stage": "answer", "kind": "html", "path": 7}, 400, "path of a fault must"),
        ("faults", {"stage": "answer", "kind": "html", "body": {}}, 400, "no other kind takes"),
        ("faults", {"stage": "answer", "kind": "json"}, 400, "needs a body"),
        ("faults", {"stage": "answer", "kind": "json", "body": [math.nan]}, 400, "finite numbers"),
        ("outcomes", {"kind": "match", "review": True}, 400, "that have it: 2026-03"),
        ("outcomes", {"kind": "match", "digest": 7}, 400, "64 hexadecimal digits"),
        ("outcomes", {"kind": "match", "digest": []}, 400, "64 hexadecimal digits"),
        ("outcomes", {"score": 3}, 400, "kind is missing"),
        ("outcomes", {"kind": "match", "score": 300}, 400, "between 0 and 100"),
        ("outcomes", {"kind": "match", "picture": "x"}, 400, "'picture' is not known here"),
        ("ledger/balance", {"balance": "-1"}, 400, "between 0 and"),
        ("ledger/balance", {"balance": True}, 400, "decimal number"),
        ("keys", {"kind": "gold"}, 400, "gold"),
        ("keys", {"key": " x"}, 400, "printable ASCII"),
        ("keys", {"key": 7}, 400, "key must be a string"),
        ("keys", {"allowed": "no"}, 400, "allowed must be true or false"),
        ("keys", {"expires": "soon"}, 400, "soon"),
        ("keys", {"expires": 7}, 400, "expires must be a date"),
        ("keys/revoke", {"key": []}, 400, "key must be a string"),
        ("limits", {"write": -1}, 400, "a whole number from 0"),
        ("limits", {"write": 1, "get": "many"}, 400, "a whole number from 0"),
        ("limits", {"push": 1}, 400, "'push' is not known here"),
        ("reset", {"edition": "1999"}, 400, "no edition 1999"),
        ("reset", {"edition": []}, 400, "edition must be a string"),
        ("reset", {"switches": []}, 400, "switches must be an object"),
        ("reset", {"switches": {"boundary": []}}, 400, "takes one of"),
    ],
)
def test_a_request_that_is_refused(engine, path, body, status, words):
    """One sentence says why."""
    code, said = ask(engine, path, body)
    assert code == status
    assert words in said["mock"]
    for changed in ("limits", "faults", "ledger"):
        assert ask(engine, changed) == ask(didit.new_engine(), changed)


def test_no_json(engine):
    """Neither a broken body nor another content type is a change."""
    sent = didit.request("/__mock__/clock/advance", b"{", "application/json")
    assert engine.handle(sent).status == 400
    sent = didit.request(
        "/__mock__/clock/advance", b'{"seconds":1e99999999999999999999}', "application/json"
    )
    assert engine.handle(sent).status == 400
    sent = didit.request("/__mock__/clock/advance", b'{"seconds":1}', "text/plain")
    assert engine.handle(sent).status == 415
    assert engine.world.clock.now() == didit.START


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8080", 200),
        ("127.0.0.1", 200),
        ("LocalHost:1", 200),
        ("[::1]:8080", 200),
        ("[::1]", 200),
        ("evil.example", 403),
        ("127.0.0.1.evil.example:80", 403),
        ("[::2]:8080", 403),
        ("0.0.0.0", 403),
        ("[::1]evil.com", 403),
        ("127.0.0.1:80@evil", 403),
        ("", 403),
    ],
)
def test_only_under_a_loopback_host(engine, host, status):
    """A name that was made to point here is of no use."""
    assert ask(engine, "clock", host=host)[0] == status
    assert ask(engine, "journal/clear", {}, host=host)[0] == status


@pytest.mark.parametrize(
    ("token", "status"), [("abcdefgh", 200), ("abcdefgx", 403), ("", 403), (None, 403)]
)
@pytest.mark.parametrize("host", ["127.0.0.1", "mock.internal:8080"])
def test_with_a_token(host, token, status):
    """Then the token is asked for, whatever the host."""
    engine = didit.new_engine(control_token="abcdefgh")
    more = {} if token is None else {"x_mock_token": token}
    assert ask(engine, "clock", host=host, **more)[0] == status


def test_switched_off():
    """Then there is nothing."""
    engine = didit.new_engine(control=False)
    assert ask(engine, "clock")[0] == 404
    response = engine.handle(didit.request("/__mock/clock"))
    assert "/__mock__/" not in response.json()["mock"]


def test_no_page_of_another_origin_is_let_in(engine):
    """No answer allows it, and its question beforehand is refused."""
    response = engine.handle(control("clock", method="OPTIONS", origin="https://evil.example"))
    assert response.status == 405
    for sent in (control("clock"), control("journal/clear", {})):
        names = [name.lower() for name, _ in engine.handle(sent).headers]
        assert not any(name.startswith("access-control-") for name in names)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=3,
)
NAMES = """kind score stage seconds balance key expires write edition switches times digest allowed
path method status chance body executed"""
names = st.sampled_from(NAMES.split())


@given(
    path=st.sampled_from([name for method, name in VERBS if method == "POST"]),
    body=st.dictionaries(
        names, values | st.sampled_from(["match", "answer", "html", "json"]), max_size=4
    ),
)
def test_any_change_gets_an_answer(path, body):
    """However odd a change is, it is made or refused, and the world goes on."""
    engine = app_of(world_of(PictureRecognizer(), clock=didit.VirtualClock(didit.START)))
    assert engine.handle(control(path, body)).status in (200, 400, 404)
    for read in (name for method, name in VERBS if method == "GET" and "{" not in name):
        assert engine.handle(control(read)).status == 200
