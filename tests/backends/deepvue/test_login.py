"""Logins, and the balance: their number, deadlines and failures."""

from decimal import Decimal

import pytest
import requests
from kit.fakes import match_call, picture

import facematch_core as fm
from facematch_deepvue import DeepvueBackend

LOGIN, MATCH, WALLET = "/v1/authorize", "/v1/facematch", "/v1/internal/wallet-balance"
TOO_LATE, HTML = {"detail": "Not a valid token"}, b"<html>No</html>"
WRONG = {"detail": "Invalid client_id or client_secret, access Denied"}
GOOD = (200, {"data": {"match": True}})


def token_of(request):
    return request.headers["Authorization"].removeprefix("Bearer ")


def test_token_is_renewed_five_minutes_early(open_backend, deepvue, clock):
    deepvue.life = {"expires_in": 3600}
    backend = open_backend()
    for passes_s, logins in ((0, 1), (3299.9, 1), (0.1, 2)):
        clock.advance(passes_s)
        backend.match(match_call())
        assert len(deepvue.tokens) == logins
    assert token_of(deepvue.requests_to(MATCH)[-1]) == deepvue.tokens[1]


@pytest.mark.parametrize("refusal", [(401, TOO_LATE), (403, TOO_LATE), (401, HTML)])
def test_refused_token_is_renewed_once(open_backend, deepvue, refusal):
    backend = open_backend()
    backend.match(match_call())
    deepvue.set_answers(MATCH, refusal, GOOD)
    sent = []
    assert backend.match(match_call(on_sent=lambda: sent.append(1))).is_match
    assert sent == [1]
    before, after = deepvue.requests_to(MATCH)[-2:]
    assert [token_of(before), token_of(after)] == deepvue.tokens
    assert len(deepvue.requests_to(LOGIN)) == 2
    assert after.body.count(b'name="file_a"') == 1
    deepvue.set_answers(MATCH, refusal)
    with pytest.raises(fm.VendorError):
        backend.match(match_call())
    assert len(deepvue.requests_to(MATCH)) == 5


@pytest.mark.parametrize(("refusal", "logins"), [((403, HTML), 2), ((400, WRONG), 1)])
def test_other_rejections_are_not_retried(open_backend, deepvue, refusal, logins):
    """A 403 in HTML renews the token for the next call."""
    deepvue.set_answers(MATCH, refusal, GOOD)
    backend = open_backend()
    with pytest.raises(fm.VendorError):
        backend.match(match_call())
    assert len(deepvue.requests_to(MATCH)) == len(deepvue.requests_to(LOGIN)) == 1
    assert backend.match(match_call()).is_match
    assert len(deepvue.requests_to(LOGIN)) == logins
    assert token_of(deepvue.requests_to(MATCH)[-1]) == deepvue.tokens[-1]


@pytest.mark.parametrize(
    ("path", "status", "body", "kind"),
    [
        (LOGIN, 401, WRONG, fm.AuthenticationFailed),
        (LOGIN, 403, {"message": "Authorization failure"}, fm.AuthenticationFailed),
        (LOGIN, 403, {"detail": "No"}, fm.PermissionDenied),
        (LOGIN, 422, {"detail": [{"loc": ["client_id"], "msg": "required"}]}, fm.RequestRejected),
        (LOGIN, 429, {"detail": "Rate limit exceeded. Please retry."}, fm.RateLimited),
        (LOGIN, 500, {"detail": "Internal Server Error"}, fm.VendorUnavailable),
        (LOGIN, 502, HTML, fm.VendorUnavailable),
        (LOGIN, 308, {}, fm.RequestRejected),
        (LOGIN, 200, b"no json", fm.UnexpectedResponse),
        (LOGIN, 200, {"access_token": "two words"}, fm.UnexpectedResponse),
        (LOGIN, 200, {"access_token": "good", "token_type": "mac"}, fm.UnexpectedResponse),
        (LOGIN, None, requests.ConnectionError("reset"), fm.VendorUnavailable),
        (WALLET, 401, WRONG, fm.AuthenticationFailed),
        (WALLET, 500, {"detail": "Internal Server Error"}, fm.VendorUnavailable),
        (WALLET, 502, HTML, fm.VendorUnavailable),
        (WALLET, 200, b"no json", fm.UnexpectedResponse),
        (WALLET, 200, {"success": True}, fm.UnexpectedResponse),
        (WALLET, 200, {"current_balance": True}, fm.UnexpectedResponse),
        (WALLET, 200, {"current_balance": "much"}, fm.UnexpectedResponse),
        (WALLET, 200, {"current_balance": 5, "success": False}, fm.UnexpectedResponse),
    ],
)
def test_failed_login_or_balance_is_free_and_sends_no_picture(  # noqa: PLR0917 - fixtures and parameters
    open_backend, deepvue, path, status, body, kind
):
    deepvue.set_answers(path, (status, body) if status else body)
    events = []
    verifier = fm.FaceVerifier(open_backend(), on_event=events.append)
    with pytest.raises(fm.VendorError) as caught:
        if path == WALLET:
            verifier.backend.wallet_balance()
        verifier.verify(picture(), picture((1, 2, 3)))
    error = caught.value
    assert (type(error), error.status_code) == (kind, status)
    assert (error.billing.charged, error.backend) == (fm.Charged.NO, "deepvue")
    assert len(deepvue.seen) == 1
    if path == LOGIN:
        assert (error.call, error.ids.call) == (None, events[0].call_id)
        assert [event.kind for event in events] == [fm.EventKind.STARTED, fm.EventKind.REFUSED]


@pytest.mark.parametrize(
    ("value", "amount"), [(6448, "6448"), (0, "0"), (-3, "-3"), (12.5, "12.5"), ("99.90", "99.90")]
)
def test_balance_is_exact_and_needs_no_login(open_backend, deepvue, value, amount):
    deepvue.set_answers(WALLET, (200, {"current_balance": value, "success": True}))
    balance = open_backend().wallet_balance()
    assert (balance.amount, balance.environment) == (Decimal(amount), None)
    (request,) = deepvue.seen
    headers = [request.headers.get(name) for name in ("x-api-key", "client-id", "Authorization")]
    assert headers == ["deepvue-secret-77f0c2", deepvue.client_id, None]
    assert request.method == "GET"
    declared = open_backend(environment="sandbox").wallet_balance()
    assert declared.environment is fm.Environment.SANDBOX


@pytest.mark.parametrize(("logins", "sent"), [((6,), 0), ((0, 6), 1)])
def test_deadline_includes_the_logins(open_backend, deepvue, clock, logins, sent):
    logins = iter(logins)
    deepvue.before_login = lambda: clock.advance(next(logins))
    deepvue.set_answers(MATCH, (403, TOO_LATE))
    with pytest.raises(fm.VendorUnavailable) as caught:
        open_backend().match(match_call(deadline_s=5.0, clock=clock))
    assert caught.value.billing.charged is fm.Charged.NO
    assert len(deepvue.requests_to(MATCH)) == sent


def test_mock_environment_sends_nothing_more_to_a_real_vendor(open_backend, deepvue):
    backend = open_backend(environment=fm.Environment.MOCK)
    with pytest.raises(fm.EnvironmentMismatch) as caught:
        backend.match(match_call())
    assert caught.value.billing.charged is fm.Charged.NO
    assert deepvue.requests_to(MATCH) == []
    with pytest.raises(fm.EnvironmentMismatch):
        DeepvueBackend(client_id="c", client_secret="s", environment="mock").wallet_balance()
