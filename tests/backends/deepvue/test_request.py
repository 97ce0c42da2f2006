"""Requests, settings and the balance."""

import base64
from decimal import Decimal

import pytest

import facematch_core as fm
from facematch_deepvue import DeepvueBackend

KEYS = {"client_id": "some-client", "client_secret": "some-secret"}


def test_liveness_check_is_json_of_v1(make_call):
    call = make_call(fm.Operation.LIVENESS)
    bare = DeepvueBackend(**KEYS, api_version="v2").build(call)
    assert bare.url == "https://production.deepvue.tech/v1/liveness-check"
    assert set(bare.json) == {"image"}
    assert base64.b64decode(bare.json["image"], validate=True) == call.probe.data
    uri = DeepvueBackend(**KEYS, liveness_image_form="data_uri").build(call)
    assert uri.json["image"] == f"data:image/jpeg;base64,{bare.json['image']}"


WALLET = "/v1/internal/wallet-balance"


@pytest.mark.parametrize(
    ("value", "amount"), [(6448, "6448"), (0, "0"), (-3, "-3"), (12.5, "12.5"), ("99.90", "99.90")]
)
def test_balance_is_exact_and_needs_no_login(open_backend, deepvue, value, amount):
    deepvue.set_answers(WALLET, (200, {"current_balance": value, "success": True}))
    balance = open_backend().wallet_balance()
    assert balance.amount == Decimal(amount)
    assert balance.environment is None
    (request,) = deepvue.seen
    assert request.method == "GET"
    assert request.headers["x-api-key"] == "deepvue-secret-77f0c2"
    assert request.headers["client-id"] == deepvue.client_id
    assert "Authorization" not in request.headers
    declared = open_backend(environment="sandbox").wallet_balance()
    assert declared.environment is fm.Environment.SANDBOX


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, {"detail": "Invalid client_id"}, fm.AuthenticationFailed),
        (500, {"detail": "Internal Server Error"}, fm.VendorUnavailable),
        (502, b"<html>", fm.VendorUnavailable),
        (200, b"no json", fm.UnexpectedResponse),
        (200, {"success": True}, fm.UnexpectedResponse),
        (200, {"current_balance": True}, fm.UnexpectedResponse),
        (200, {"current_balance": "much"}, fm.UnexpectedResponse),
        (200, {"current_balance": 5, "success": False}, fm.UnexpectedResponse),
    ],
)
def test_failed_balance_is_free(open_backend, deepvue, status, body, kind):
    deepvue.set_answers(WALLET, (status, body))
    with pytest.raises(fm.VendorError) as caught:
        open_backend().wallet_balance()
    assert (type(caught.value), caught.value.billing.charged) == (kind, fm.Charged.NO)
    assert len(deepvue.seen) == 1


def test_mock_environment_does_not_ask_deepvue_for_a_balance():
    with pytest.raises(fm.EnvironmentMismatch):
        DeepvueBackend(**KEYS, environment="mock").wallet_balance()
