"""`DiditAccount`: the credit, decisions of kept calls, deletion."""

import datetime as dt

import attrs
import pytest
import requests

import facematch_core as fm
from facematch_core import models
from facematch_core.backend import CALL_ID_KEY
from facematch_core.http import MOCK_HEADER
from facematch_didit import DiditAccount, DiditBackend
from facematch_mock_server import make_card

ID = "3c9a1f70-5d2e-4b8a-9f11-6a0e2d7c4b35"


@pytest.fixture
def open_account(canned):
    def open_account(*answers, **settings):
        backend, adapter = canned(*answers, **settings)
        return DiditAccount.of(backend), adapter

    return open_account


@pytest.fixture
def decide(open_account):
    def decide(body, headers=(), **settings):
        account, _ = open_account((200, body, headers), **settings)
        return account.decision(body["session_id"])

    return decide


# --- the account ---


@pytest.mark.parametrize("value", [None, True, "", "NaN", "1e5", "١٢", "1,5", {}, 1e30])
def test_a_balance_that_is_not_an_amount_is_unreadable(value, open_account):
    with pytest.raises(fm.UnexpectedResponse) as caught:
        open_account((200, {"balance": value}))[0].balance()
    assert caught.value.billing.charged is fm.Charged.NO


def test_a_wrong_argument_is_refused_before_sending(open_account):
    account, adapter = open_account((200, {}))
    for session_id in ("../../billing/balance", f"{ID}/../x", 7):
        with pytest.raises(fm.InvalidRequest, match="session_id"):
            account.delete(session_id)
    with pytest.raises(fm.InvalidRequest, match="call"):
        account.decision(ID, call="a-1")
    assert adapter.seen == []
    with pytest.raises(fm.ConfigurationError):
        DiditAccount.of("didit")
    with pytest.raises(fm.ConfigurationError, match="base_url"):
        DiditAccount(api_key="k", base_url="https://evil.example")


METHODS = {
    "balance": DiditAccount.balance,
    "decision": lambda a: a.decision(ID),
    "delete": lambda a: a.delete(ID),
}
LOST = [
    requests.exceptions.ConnectionError("reset"),
    requests.exceptions.ConnectTimeout("no"),
    (502, b"<html>Bad gateway</html>"),
    (503, b""),
]


@pytest.mark.parametrize(
    ("name", "answer", "error_class"),
    [
        *((name, answer, fm.VendorUnavailable) for name in METHODS for answer in LOST),
        ("balance", (401, {"detail": "Invalid API Key."}), fm.AuthenticationFailed),
        ("balance", (403, {"detail": "You may not."}), fm.AuthenticationFailed),
        ("balance", (429, {"detail": "Request was throttled."}), fm.RateLimited),
        ("balance", (500, {"detail": "A server error occurred."}), fm.VendorUnavailable),
        ("decision", (404, {"detail": "Session not found."}), fm.SessionNotFound),
        ("decision", (404, b"<html>Not Found</html>"), fm.RequestRejected),
        ("decision", (200, b"<html>"), fm.UnexpectedResponse),
        ("decision", (200, [7]), fm.UnexpectedResponse),
        ("delete", (503, {"detail": "Try again."}), fm.VendorUnavailable),
        ("delete", (200, b"<html>"), fm.UnexpectedResponse),
        ("delete", (404, b"<html>"), fm.RequestRejected),
    ],
)
def test_each_refusal_has_its_error_and_is_free(name, answer, error_class, open_account):
    answered = isinstance(answer, tuple)
    account, adapter = open_account((*answer, {MOCK_HEADER: "1"}) if answered else answer)
    with pytest.raises(fm.VendorError) as caught:
        METHODS[name](account)
    error = caught.value
    assert type(error) is error_class
    assert error.retryable is (error_class in (fm.VendorUnavailable, fm.RateLimited))
    assert error.billing.charged is fm.Charged.NO
    assert error.status_code == (answer[0] if answered else None)
    assert error.environment == ("mock" if answered else None)
    assert len(adapter.seen) == 1


def test_an_account_set_to_mock_accepts_responses_of_a_mock_only(open_account):
    account, adapter = open_account((200, {"balance": "1"}), environment="mock")
    for method in METHODS.values():
        with pytest.raises(fm.EnvironmentMismatch):
            method(account)
    assert len(adapter.seen) == 3
    marked = (200, {"balance": "1"}, {MOCK_HEADER: "1"})
    assert open_account(marked, environment="mock")[0].balance() == 1
    with DiditAccount(api_key="k", environment="mock") as real:
        with pytest.raises(fm.EnvironmentMismatch) as caught:
            real.delete(ID)
        assert caught.value.billing.ground == "nothing was sent"


# --- decisions ---


def record(**changes):
    facts = {
        "id": "a-1",
        "operation": fm.Operation.MATCH,
        "backend": "didit",
        "retention": fm.Retention.KEEP,
    }
    at = dt.datetime(2026, 7, 2, 9, 15, 27, tzinfo=dt.UTC)
    threshold = fm.Threshold(50, models.ThresholdRule.ABOVE, models.ThresholdSource.CALLER)
    return fm.CallRecord(**{**facts, "started_at": at, "threshold": threshold} | changes)


def test_the_record_of_the_call_applies_its_thresholds(answers, open_account):
    body = answers["decision_match"]
    body["metadata"][CALL_ID_KEY] = "a-1"
    account, _ = open_account((200, body))
    ninety = fm.Threshold(90, models.ThresholdRule.ABOVE, models.ThresholdSource.CALLER)
    (match,) = account.decision(ID, call=record(review_threshold=ninety)).matches
    assert (match.decision, match.review_threshold) == (fm.Decision.REVIEW, ninety)
    assert account.decision(ID, call=record()).matches[0].is_match
    for other in ({"id": "a-2"}, {"operation": fm.Operation.LIVENESS}):
        with pytest.raises(fm.InvalidRequest):
            account.decision(ID, call=record(**other))


STATUSES = ["Not Finished", "Approved", "Declined", "In Review", "Resub Requested", "Something New"]


@pytest.mark.parametrize("session", ["Approved", "Declined", "In Review", "Kyc Expired", "New"])
@pytest.mark.parametrize("item", STATUSES)
def test_a_pass_needs_an_approved_session_and_an_approved_item(session, item, answers, decide):
    blocks = {"decision_match": "face_matches", "decision_liveness": "liveness_checks"}
    for name, block in blocks.items():
        body = answers[name] | {"status": session}
        body[block][0] |= {"status": item, "score": 99.0, "warnings": []}
        decision = decide(body)
        (result,) = decision.matches + decision.liveness_checks
        assert (result.decision in ("match", "live")) is (session == item == "Approved")
        assert (decision.status, result.vendor_status) == (session, item)
        if session != item == "Approved":
            assert (result.decision, len(result.warnings)) == ("review", 1)
        if item == "Not Finished":
            assert result.decision == "inconclusive"


@pytest.mark.parametrize(
    ("word", "declared", "is_mock", "expected"),
    [
        ("live", "sandbox", False, "production"),
        ("sandbox", "production", False, "sandbox"),
        (None, "sandbox", False, "sandbox"),
        (None, None, False, None),
        ("staging", "production", True, "mock"),
        ("live", "production", True, "mock"),
        *((word, "production", False, "error") for word in ("staging", "SANDBOX", "Live", "")),
        ("production", None, False, "error"),
        ("staging", "sandbox", False, "error"),
    ],
)
def test_the_environment_is_the_mocks_then_the_sessions_then_the_settings(  # noqa: PLR0917 - fixtures and parameters
    word, declared, is_mock, expected, answers, decide
):
    body = answers["decision_match"] | {"environment": word}
    headers = {MOCK_HEADER: "1"} if is_mock else {}
    if expected == "error":
        with pytest.raises(fm.EnvironmentMismatch) as caught:
            decide(body, headers, environment=declared)
        assert caught.value.billing.charged is fm.Charged.NO
        return
    decision = decide(body, headers, environment=declared)
    assert decision.environment == decision.matches[0].environment == expected


@pytest.mark.parametrize(
    "change",
    [
        {"status": ""},
        {"status": None},
        {"created_at": "yesterday"},
        {"features": "all of them"},
        {"face_matches": [7]},
        {"face_matches": [{"score": 50}]},
        {"face_matches": [{"status": "Approved", "score": 101}]},
        {"face_matches": [{"status": "Approved", "score": 50, "warnings": [{}]}]},
    ],
    ids=str,
)
def test_a_response_of_another_shape_is_unreadable_and_not_quoted(change, answers, decide):
    with pytest.raises(fm.UnexpectedResponse) as caught:
        decide(answers["decision_match"] | change)
    assert "emp-0042" not in str(caught.value)
    assert caught.value.billing.charged is fm.Charged.NO


# --- against the mock ---

ADA, AGAIN = make_card("ada"), make_card("ada", quality=60)


@pytest.fixture
def verifier(didit_server, at_end):
    didit_server.control.reset()
    backend = DiditBackend(api_key=didit_server.live_key, base_url=didit_server.url)
    return at_end.enter_context(fm.FaceVerifier(backend, clock=didit_server.clock))


@pytest.mark.parametrize(("score", "passes"), [(30, False), (30.01, True)])
def test_without_a_threshold_the_documented_one_decides(verifier, didit_server, score, passes):
    """Didit approves above 30 by default, in both calls."""
    for kind in ("match", "liveness"):
        didit_server.control.set_outcome(kind, score=score)
    assert verifier.verify(ADA, AGAIN).is_match is passes
    assert verifier.check_liveness(ADA).is_live is passes


def test_a_stored_decision_equals_the_result_of_the_call(verifier):
    account = DiditAccount.of(verifier.backend)
    common = {"retention": "keep", "caller_ref": "emp-0042", "metadata": {"gate": "north"}}
    match = verifier.verify(ADA, AGAIN, **common)
    check = verifier.check_liveness(ADA, **common)
    only_of_calls = {"threshold", "probe_faces", "reference_faces", "raw", "elapsed_s"}
    for called in (match, check):
        decision = account.decision(called.ids.session)
        (result,) = (*decision.matches, *decision.liveness_checks)
        assert type(result) is type(called)
        for name in {field.name for field in attrs.fields(type(called))} - only_of_calls:
            assert getattr(result, name) == getattr(called, name), name


def test_a_session_declined_by_staff_is_no_match_and_can_be_deleted(verifier, didit_server):
    account = DiditAccount.of(verifier.backend)
    called = verifier.verify(ADA, AGAIN, retention="keep")
    didit_server.control.sessions.decide(called.ids.session, "Declined", comment="Not them.")
    decision = account.decision(called.ids.session)
    assert account.balance() < 100
    assert decision.status == "Declined"
    assert not decision.matches[0].is_match
    assert decision.matches[0].score == called.score
    assert decision.raw["reviews"][0]["comment"] == "Not them."
    assert decision.raw["face_matches"][0]["status"] == "Approved"
    assert account.delete(called.ids.session).state == "done"
    assert account.delete(called.ids.session).state == "not_there"
    with pytest.raises(fm.SessionNotFound):
        account.decision(called.ids.session)
