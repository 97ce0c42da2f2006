"""Logins, and the balance: what each answer means. Their number and threads: core/http."""

from decimal import Decimal

import pytest
from kit.fakes import match_call

import facematch_core as fm

LOGIN = "/v1/authorize"
MATCH = "/v1/facematch"
WALLET = "/v1/internal/wallet-balance"
INVALID_TOKEN = {"detail": "Not a valid token"}
WRONG_KEY = {"detail": "Invalid client_id or client_secret, access Denied"}
HTML = b"<html>No</html>"
IS_MATCH = (200, {"data": {"match": True}})


def tokens_sent(deepvue):
    return [
        request.headers["Authorization"].removeprefix("Bearer ")
        for request in deepvue.requests_to(MATCH)
    ]


def test_token_is_used_for_the_life_that_the_login_states(open_backend, deepvue, clock):
    deepvue.life = {"expires_in": 3600}
    backend = open_backend()
    for passes_s in (0, 3299.9, 0.1):
        clock.advance(passes_s)
        backend.match(match_call())
    first, second = deepvue.tokens
    assert tokens_sent(deepvue) == [first, first, second]


@pytest.mark.parametrize("refusal", [(401, INVALID_TOKEN), (403, INVALID_TOKEN), (401, HTML)])
def test_refused_token_is_renewed(open_backend, deepvue, refusal):
    deepvue.set_answers(MATCH, refusal, IS_MATCH)
    sent = []
    assert open_backend().match(match_call(on_sent=lambda: sent.append(1))).is_match
    assert sent == [1]
    assert len(deepvue.tokens) == 2
    assert tokens_sent(deepvue) == deepvue.tokens
    _, repeated = deepvue.requests_to(MATCH)
    assert repeated.body.count(b'name="file_a"') == 1
    assert repeated.headers["x-api-key"] == "deepvue-secret-77f0c2"


@pytest.mark.parametrize(
    ("refusal", "logins"),
    [
        pytest.param((403, HTML), 2, id="a gateway's 403 renews the token of the next call"),
        pytest.param((400, WRONG_KEY), 1, id="a 400 is not about the token"),
    ],
)
def test_other_refusal_is_not_sent_again(open_backend, deepvue, refusal, logins):
    deepvue.set_answers(MATCH, refusal, IS_MATCH)
    backend = open_backend()
    with pytest.raises(fm.VendorError):
        backend.match(match_call())
    assert len(deepvue.requests_to(MATCH)) == 1
    assert backend.match(match_call()).is_match
    assert len(deepvue.tokens) == logins
    assert tokens_sent(deepvue)[-1] == deepvue.tokens[-1]


@pytest.mark.parametrize(
    ("path", "status", "body", "error_class"),
    [
        (LOGIN, 401, WRONG_KEY, fm.AuthenticationFailed),
        (LOGIN, 403, {"message": "Authorization failure"}, fm.AuthenticationFailed),
        (LOGIN, 308, {}, fm.RequestRejected),
        (LOGIN, 500, {"detail": "Internal Server Error"}, fm.VendorUnavailable),
        (LOGIN, 200, {"access_token": "good", "token_type": "mac"}, fm.UnexpectedResponse),
        (WALLET, 401, WRONG_KEY, fm.AuthenticationFailed),
        (WALLET, 502, HTML, fm.VendorUnavailable),
        (WALLET, 200, b"no json", fm.UnexpectedResponse),
        (WALLET, 200, {"success": True}, fm.UnexpectedResponse),
        (WALLET, 200, {"current_balance": True}, fm.UnexpectedResponse),
        (WALLET, 200, {"current_balance": 5, "success": False}, fm.UnexpectedResponse),
    ],
)
def test_failed_login_or_balance_is_free_and_sends_no_picture(  # noqa: PLR0917 - parameters
    open_backend, deepvue, path, status, body, error_class
):
    deepvue.set_answers(path, (status, body))
    backend = open_backend()
    with pytest.raises(fm.VendorError) as caught:
        backend.match(match_call()) if path == LOGIN else backend.wallet_balance()
    error = caught.value
    assert type(error) is error_class
    assert (error.backend, error.status_code) == ("deepvue", status)
    assert error.billing.charged is fm.Charged.NO
    assert [request.path_url for request in deepvue.seen] == [path]


@pytest.mark.parametrize(
    ("value", "amount"), [(6448, "6448"), (0, "0"), (-3, "-3"), (12.5, "12.5"), ("99.90", "99.90")]
)
def test_balance_is_exact(open_backend, deepvue, value, amount):
    deepvue.set_answers(WALLET, (200, {"current_balance": value, "success": True}))
    assert open_backend().wallet_balance().amount == Decimal(amount)


def test_balance_needs_no_login(open_backend, deepvue):
    deepvue.set_answers(WALLET, (200, {"current_balance": 1}))
    open_backend().wallet_balance()
    (request,) = deepvue.seen
    assert request.method == "GET"
    assert request.headers["x-api-key"] == "deepvue-secret-77f0c2"
    assert request.headers["client-id"] == deepvue.client_id
    assert "Authorization" not in request.headers


def test_balance_is_of_the_environment_that_was_set(open_backend, deepvue):
    deepvue.set_answers(WALLET, (200, {"current_balance": 1}))
    assert open_backend().wallet_balance().environment is None
    sandbox = open_backend(environment=fm.Environment.SANDBOX)
    assert sandbox.wallet_balance().environment is fm.Environment.SANDBOX
    with pytest.raises(fm.EnvironmentMismatch):
        open_backend(environment=fm.Environment.MOCK).wallet_balance()
