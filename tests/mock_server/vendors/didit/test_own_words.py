"""The answers of faults in Didit's own words, wherever they strike."""

import pytest
from kit import mock_didit as didit
from kit import mock_didit_sessions as sessions
from kit.mock_didit import handle_with_fault

from facematch_mock_server.world.faults import Fault

DECISION = f"/v3/session/{sessions.NO_SESSION}/decision/"
PLAIN = "You do not have permission to perform this action."
SESSION = "Authentication credentials were not provided or are invalid."
WRITE = "Write request rate limit exceeded. You can make up to 300 requests per minute."
GET = "GET request rate limit exceeded. You can make up to 600 requests per minute."
WAIT = "Request was throttled. Expected available in {} seconds."

ROWS = (
    ("POST", didit.MATCH_PATH, 429, WRITE),
    ("GET", sessions.LIST, 429, GET),
    ("GET", DECISION, 429, GET),
    ("PATCH", DECISION.replace("decision", "update-status"), 429, WRITE),
    ("GET", "/v3/billing/balance/", 429, WAIT.format(60)),
    ("POST", didit.MATCH_PATH, 403, PLAIN),
    ("GET", sessions.LIST, 403, PLAIN),
    ("GET", DECISION, 403, SESSION),
    ("DELETE", DECISION.replace("decision", "delete"), 403, SESSION),
    ("POST", didit.MATCH_PATH, 404, "Not found."),
    ("GET", DECISION, 404, "Not found."),
    ("POST", didit.MATCH_PATH, 401, "Invalid API Key."),
    ("GET", DECISION, 405, 'Method "GET" not allowed.'),
    ("POST", didit.MATCH_PATH, 415, 'Unsupported media type "x/y" in request.'),
)


@pytest.mark.parametrize(("method", "path", "status", "words"), ROWS)
def test_a_fault_has_the_words_of_the_endpoint_it_strikes(method, path, status, words):
    engine = didit.new_engine()
    fault = Fault(stage="answer", kind="status", status=status)
    request = didit.didit_request(path, b"x", "x/y", method=method)
    answer = handle_with_fault(engine, fault, request)
    assert (answer.status, answer.json()) == (status, {"detail": words})
    assert (answer.header("Retry-After") is None) == (status != 429)
    assert engine.world.ledger.entries == ()
    assert engine.account.journal.entries[-1].note == "fault: answer status"
