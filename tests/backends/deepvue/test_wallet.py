"""The prepaid balance."""

from decimal import Decimal

import pytest

from facematch_core import Charged, Environment
from facematch_core.errors import (
    AuthenticationFailed,
    UnexpectedResponse,
    VendorError,
    VendorUnavailable,
)

WALLET = "/v1/internal/wallet-balance"


@pytest.mark.parametrize(
    ("told", "amount"), [(6448, "6448"), (0, "0"), (-3, "-3"), (12.5, "12.5"), ("99.90", "99.90")]
)
def test_a_balance(open_backend, deepvue, told, amount):
    """Exact, with headers of its own and no login."""
    deepvue.answers(WALLET, (200, {"current_balance": told, "success": True}))
    balance = open_backend().wallet_balance()
    assert balance.amount == Decimal(amount)
    assert balance.environment is None
    (request,) = deepvue.seen
    assert request.method == "GET"
    assert request.headers["x-api-key"] == "deepvue-secret-77f0c2"
    assert request.headers["client-id"] == "deepvue-client-91ab"
    assert "Authorization" not in request.headers
    declared = open_backend(environment="sandbox").wallet_balance()
    assert declared.environment is Environment.SANDBOX


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, {"detail": "Invalid client_id"}, AuthenticationFailed),
        (500, {"detail": "Internal Server Error"}, VendorUnavailable),
        (502, b"<html>", VendorUnavailable),
        (200, b"no json", UnexpectedResponse),
        (200, [], UnexpectedResponse),
        (200, {"success": True}, UnexpectedResponse),
        (200, {"current_balance": None}, UnexpectedResponse),
        (200, {"current_balance": True}, UnexpectedResponse),
        (200, {"current_balance": "much"}, UnexpectedResponse),
        (200, {"current_balance": "NaN"}, UnexpectedResponse),
        (200, {"current_balance": 5, "success": False}, UnexpectedResponse),
    ],
)
def test_no_balance(open_backend, deepvue, status, body, kind):
    """It says what failed; a look charges nothing."""
    deepvue.answers(WALLET, (status, body))
    with pytest.raises(VendorError, match="The look at the balance failed") as caught:
        open_backend().wallet_balance()
    assert (type(caught.value), caught.value.billing.charged) == (kind, Charged.NO)
    assert len(deepvue.seen) == 1


def test_no_key_in_the_error(open_backend, deepvue):
    """What Deepvue repeats of them is masked."""
    deepvue.answers(
        WALLET, (401, {"detail": "No deepvue-client-91ab with deepvue-secret-77f0c2 here"})
    )
    with pytest.raises(AuthenticationFailed, match=r"No \*\*\* with \*\*\* here"):
        open_backend().wallet_balance()
