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
    "decision": lambda account: account.decision(ID),
    "delete": lambda account: account.delete(ID),
}


def error_of(account, name):
    with pytest.raises(fm.VendorError) as caught:
        METHODS[name](account)
    return caught.value


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize(
    "failure", [requests.ConnectionError("reset"), requests.ConnectTimeout("no")], ids=repr
)
def test_lost_connection_is_free_and_retryable(name, failure, open_account):
    account, adapter = open_account(failure)
    error = error_of(account, name)
    assert type(error) is fm.VendorUnavailable
    assert error.retryable
    assert error.billing.charged is fm.Charged.NO
    assert len(adapter.seen) == 1


@pytest.mark.parametrize(
    ("name", "status", "body", "error_class"),
    [
        ("balance", 401, {"detail": "Invalid API Key."}, fm.AuthenticationFailed),
        ("balance", 403, {"detail": "You may not."}, fm.AuthenticationFailed),
        ("balance", 429, {"detail": "Request was throttled."}, fm.RateLimited),
        ("balance", 502, b"<html>Bad gateway</html>", fm.VendorUnavailable),
        ("decision", 404, {"detail": "Session not found."}, fm.SessionNotFound),
        ("decision", 404, b"<html>Not Found</html>", fm.RequestRejected),
        ("decision", 200, [7], fm.UnexpectedResponse),
        ("delete", 503, b"", fm.VendorUnavailable),
        ("delete", 200, b"<html>", fm.UnexpectedResponse),
        ("delete", 404, b"<html>", fm.RequestRejected),
    ],
)
def test_each_refusal_has_its_error_and_is_free(name, status, body, error_class, open_account):
    account, adapter = open_account((status, body, {MOCK_HEADER: "1"}))
    error = error_of(account, name)
    assert type(error) is error_class
    assert error.retryable is (error_class in (fm.VendorUnavailable, fm.RateLimited))
    assert error.billing.charged is fm.Charged.NO
    assert error.status_code == status
    assert error.environment is fm.Environment.MOCK
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


def threshold(value):
    return fm.Threshold(value, models.ThresholdRule.ABOVE, models.ThresholdSource.CALLER)


def record(**changes):
    usual = {
        "id": "a-1",
        "operation": fm.Operation.MATCH,
        "backend": "didit",
        "retention": fm.Retention.KEEP,
        "started_at": dt.datetime(2026, 7, 2, 9, 15, 27, tzinfo=dt.UTC),
        "threshold": threshold(50),
    }
    return fm.CallRecord(**{**usual, **changes})


@pytest.fixture
def account_of_call(answers, open_account):
    """The account of a decision about the call a-1."""
    body = answers["decision_match"]
    body["metadata"][CALL_ID_KEY] = "a-1"
    account, _ = open_account((200, body))
    return account


def test_the_record_of_the_call_applies_its_thresholds(account_of_call):
    (match,) = account_of_call.decision(ID, call=record()).matches
    assert match.is_match
    reviewed = record(review_threshold=threshold(90))
    (match,) = account_of_call.decision(ID, call=reviewed).matches
    assert match.decision is fm.Decision.REVIEW
    assert match.review_threshold == threshold(90)


@pytest.mark.parametrize("other", [{"id": "a-2"}, {"operation": fm.Operation.LIVENESS}])
def test_the_record_of_another_call_is_refused(other, account_of_call):
    with pytest.raises(fm.InvalidRequest):
        account_of_call.decision(ID, call=record(**other))


@pytest.mark.parametrize("metadata", [{CALL_ID_KEY: "a-2"}, {"order": 7}, None], ids=str)
def test_a_session_without_results_of_another_call_is_refused(metadata, answers, open_account):
    body = {**answers["decision_match"], "face_matches": None, "metadata": metadata}
    account, _ = open_account((200, body))
    with pytest.raises(fm.InvalidRequest):
        account.decision(ID, call=record())


@pytest.fixture(
    params=[("decision_match", "face_matches"), ("decision_liveness", "liveness_checks")],
    ids=["match", "liveness"],
)
def decide_item(request, answers, decide):
    """Return the result of an item with this status in a session with that one."""
    name, block = request.param

    def decide_item(*, session, item):
        body = {**answers[name], "status": session}
        body[block][0] |= {"status": item, "score": 99.0, "warnings": []}
        decision = decide(body)
        (result,) = decision.matches + decision.liveness_checks
        assert decision.status == session
        assert result.vendor_status == item
        return result

    return decide_item


EACH_SESSION = pytest.mark.parametrize(
    "session", ["Approved", "Declined", "In Review", "Kyc Expired", "New"]
)


@EACH_SESSION
def test_approved_item_passes_only_in_an_approved_session(session, decide_item):
    result = decide_item(session=session, item="Approved")
    if session == "Approved":
        assert result.decision in ("match", "live")
    else:
        assert result.decision == "review"
        assert len(result.warnings) == 1


@EACH_SESSION
@pytest.mark.parametrize("item", ["Declined", "In Review", "Resub Requested", "Something New"])
def test_item_that_is_not_approved_is_no_pass(session, item, decide_item):
    assert decide_item(session=session, item=item).decision not in ("match", "live")


@EACH_SESSION
def test_unfinished_item_is_inconclusive(session, decide_item):
    assert decide_item(session=session, item="Not Finished").decision == "inconclusive"


@pytest.mark.parametrize(
    ("word", "declared", "is_mock", "expected"),
    [
        ("live", "sandbox", False, "production"),
        ("sandbox", "production", False, "sandbox"),
        (None, "sandbox", False, "sandbox"),
        (None, None, False, None),
        ("staging", "production", True, "mock"),
        ("live", "production", True, "mock"),
    ],
)
def test_the_environment_is_the_mocks_then_the_sessions_then_the_settings(  # noqa: PLR0917 - fixtures and parameters
    word, declared, is_mock, expected, answers, decide
):
    body = {**answers["decision_match"], "environment": word}
    headers = {MOCK_HEADER: "1"} if is_mock else {}
    decision = decide(body, headers, environment=declared)
    assert decision.environment == expected
    assert decision.matches[0].environment == expected


@pytest.mark.parametrize(
    ("word", "declared"),
    [
        ("staging", "production"),
        ("SANDBOX", "production"),
        ("Live", "production"),
        ("", "production"),
        ("production", None),
        ("staging", "sandbox"),
    ],
)
def test_unknown_environment_of_a_session_is_refused(word, declared, answers, decide):
    with pytest.raises(fm.EnvironmentMismatch) as caught:
        decide({**answers["decision_match"], "environment": word}, environment=declared)
    assert caught.value.billing.charged is fm.Charged.NO


@pytest.mark.parametrize(
    "change",
    [
        {"status": ""},
        {"status": None},
        {"features": "all of them"},
        {"face_matches": [7]},
        {"face_matches": [{"score": 50}]},
        {"face_matches": [{"status": "Approved", "score": 101}]},
        {"face_matches": [{"status": "Approved", "score": 50, "warnings": "odd"}]},
    ],
    ids=str,
)
def test_a_response_of_another_shape_is_unreadable_and_not_quoted(change, answers, decide):
    with pytest.raises(fm.UnexpectedResponse) as caught:
        decide(answers["decision_match"] | change)
    assert "emp-0042" not in str(caught.value)
    assert caught.value.billing.charged is fm.Charged.NO


def test_a_time_of_another_form_decides_nothing(answers, decide):
    decision = decide(answers["decision_match"] | {"created_at": "yesterday"})
    assert decision.created_at is None
    assert decision.matches[0].is_match


def test_a_warning_without_a_severity_makes_a_pass_a_review(answers, decide):
    block = {"status": "Approved", "score": 50, "warnings": [{}]}
    decision = decide(answers["decision_match"] | {"face_matches": [block]})
    (match,) = decision.matches
    (warning,) = match.warnings
    assert (warning.code, warning.severity) == (fm.WarningCode.OTHER, models.Severity.UNKNOWN)
    assert match.decision is fm.Decision.REVIEW


# --- against the mock ---

ADA = make_card("ada")
AGAIN = make_card("ada", quality=60)


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
    options = {"retention": "keep", "caller_ref": "emp-0042", "metadata": {"gate": "north"}}
    match = verifier.verify(ADA, AGAIN, **options)
    check = verifier.check_liveness(ADA, **options)
    only_of_calls = {"threshold", "probe_faces", "reference_faces", "raw", "elapsed_s"}
    for called in (match, check):
        decision = account.decision(called.ids.session)
        (result,) = decision.matches + decision.liveness_checks
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
