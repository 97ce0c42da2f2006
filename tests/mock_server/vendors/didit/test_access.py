"""Keys, paths, methods, the order of checks, and the words of faults."""

import pytest
from kit import mock_sessions
from kit.mock_world import control_request, handle_with_fault, multipart, new_engine, request_to
from vendors import didit
from vendors.didit import MATCH_PATH, match_request

from facematch_mock_server.world.faults import Fault

NOT_ALLOWED = {"detail": "You do not have permission to perform this action."}
SESSION = "Authentication credentials were not provided or are invalid."
INVALID = {"detail": "Invalid API Key."}
OLD, PAST, WEAK = "old-key", "past-key", "weak-key"
PREPARED = (
    control_request("keys", {"key": OLD}),
    control_request("keys/revoke", {"key": OLD}),
    control_request("keys", {"key": PAST, "expires": "2026-07-01"}),
    control_request("keys", {"key": WEAK, "allowed": False}),
)

#: key -> status, claim
KEYS = [
    (None, 403, "didit.auth.missing"),
    ("wrong", 401, "didit.auth.wrong.401"),
    (OLD, 401, "didit.auth.wrong.401"),
    (PAST, 401, "didit.auth.expired.401"),
    (WEAK, 403, "didit.auth.words.403"),
]


@pytest.mark.parametrize(("key", "status", "claim"), KEYS)
def test_invalid_key_is_401_or_403_and_cites_its_claim(ask, key, status, claim):
    for sent in (match_request(key=key), didit.liveness_request(key=key)):
        code, body, response = ask(*PREPARED, sent)
        assert (code, body) == (status, INVALID if status == 401 else NOT_ALLOWED)
        assert claim in response.claims


@pytest.mark.parametrize("key", ["wrong", OLD, PAST, WEAK, None])
def test_switch_refuses_every_bad_key_with_403(ask, key):
    switches = {"bad_key": 403}
    code, body, response = ask(*PREPARED, match_request(key=key), switches=switches)
    assert (code, body) == (403, NOT_ALLOWED)
    assert response.header("WWW-Authenticate") is None
    engine = new_engine(switches=switches)
    for sent in (*PREPARED, match_request()):
        engine.handle(sent)
    refused = didit.on(1, key=key)(engine)
    assert (refused.status, refused.json()) == (403, {"detail": SESSION})


BROKE = control_request("ledger/balance", {"balance": "0.02"})
BUSY = control_request("limits", {"write": 0, "get": 0})
NO_FIELDS = request_to(MATCH_PATH, key="mock-live-key")

#: requests -> status, a claim of that refusal
ORDER = [
    ((BUSY, match_request(key="wrong")), 429, "rate.write.refused"),
    ((request_to(MATCH_PATH, method="GET", key="wrong"),), 401, "auth.wrong.401"),
    ((request_to(MATCH_PATH, b"{}", "application/json", key="wrong"),), 401, "auth.wrong.401"),
    ((request_to(MATCH_PATH, method="GET"),), 405, "method.refused"),
    ((request_to("/v3/sessions/", method="HEAD"),), 200, "list.answer"),
    ((request_to(MATCH_PATH, b"{}", "application/json"),), 415, "media.refused"),
    ((request_to(MATCH_PATH, key="mock-sandbox-key"),), 400, "fields.refused"),
    ((BROKE, match_request(key="mock-sandbox-key")), 200, "match.sandbox"),
    ((didit.liveness_request(b"?", key="mock-sandbox-key"),), 200, "liveness.sandbox"),
    ((BROKE, NO_FIELDS), 400, "fields.refused"),
    ((BROKE, match_request()), 403, "credit.refused"),
    ((BROKE, didit.liveness_request(b"?")), 403, "credit.refused"),
    ((didit.liveness_request(b"?"),), 400, "liveness.undecodable"),
]


@pytest.mark.parametrize(("steps", "status", "claim"), ORDER)
def test_first_failing_check_determines_the_error(ask, steps, status, claim):
    code, _, response = ask(*steps)
    assert code == status
    assert f"didit.{claim}" in response.claims


PAIR = [("user_image", "a.png", b"x"), ("ref_image", "b.png", b"x")]
BOTH = {"user_image", "ref_image"}


@pytest.mark.parametrize(
    ("fields", "files", "refused"),
    [
        ({}, [("user_image", "a.png", b"x")], {"ref_image": ["No file was submitted."]}),
        ({"user_image": "text"}, [("ref_image", "a.png", b"x")], {"user_image"}),
        ({}, [("user_image", "a.png", b""), ("ref_image", "a.png", b"x")], {"user_image"}),
        ({}, [("user_image", "a.gif", b"x"), ("ref_image", "a", b"x")], BOTH),
        ({"rotate_image": "maybe", "metadata": "[]"}, PAIR, {"rotate_image", "metadata"}),
        ({didit.MATCH_THRESHOLD: "101"}, PAIR, {didit.MATCH_THRESHOLD}),
    ],
)
def test_all_invalid_fields_are_reported_by_name(ask, fields, files, refused):
    body, kind = multipart(fields.items(), files)
    status, words, _ = ask(request_to(MATCH_PATH, body, kind))
    assert status == 400
    assert words == refused if isinstance(refused, dict) else set(words) == refused


DECISION = f"/v3/session/{mock_sessions.NO_SESSION}/decision/"
PLAIN = "You do not have permission to perform this action."
WRITE = "Write request rate limit exceeded. You can make up to 300 requests per minute."
GET = "GET request rate limit exceeded. You can make up to 600 requests per minute."
WAIT = "Request was throttled. Expected available in {} seconds."

ROWS = (
    ("POST", didit.MATCH_PATH, 429, WRITE),
    ("GET", didit.LIST, 429, GET),
    ("GET", DECISION, 429, GET),
    ("PATCH", DECISION.replace("decision", "update-status"), 429, WRITE),
    ("GET", "/v3/billing/balance/", 429, WAIT.format(60)),
    ("POST", didit.MATCH_PATH, 403, PLAIN),
    ("GET", didit.LIST, 403, PLAIN),
    ("GET", DECISION, 403, SESSION),
    ("DELETE", DECISION.replace("decision", "delete"), 403, SESSION),
    ("POST", didit.MATCH_PATH, 404, "Not found."),
    ("GET", DECISION, 404, "Not found."),
    ("POST", didit.MATCH_PATH, 401, "Invalid API Key."),
    ("GET", DECISION, 405, 'Method "GET" not allowed.'),
    ("POST", didit.MATCH_PATH, 415, 'Unsupported media type "x/y" in request.'),
)


@pytest.mark.parametrize(("method", "path", "status", "words"), ROWS)
def test_fault_has_the_error_message_of_its_endpoint(method, path, status, words):
    engine = new_engine()
    fault = Fault(stage="answer", kind="status", status=status)
    request = request_to(path, b"x", "x/y", method=method)
    answer = handle_with_fault(engine, fault, request)
    assert (answer.status, answer.json()) == (status, {"detail": words})
    assert (answer.header("Retry-After") is None) == (status != 429)
    assert engine.world.ledger.charges.all() == ()
    assert engine.account.journal.entries[-1].note == "fault: answer status"
