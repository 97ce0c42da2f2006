"""The balance over the API, and paths of Didit that the mock does not imitate."""

import pytest
from kit.mock_didit import didit_request, match_request
from kit.mock_didit_accounts import BALANCE, account_request


def test_the_balance_is_a_text_with_four_decimals(ask):
    assert ask(match_request(), account_request(BALANCE))[:2] == (
        200,
        {
            "balance": "99.9500",
            "auto_refill_enabled": False,
            "auto_refill_amount": None,
            "auto_refill_threshold": None,
        },
    )


@pytest.mark.parametrize("path", ["/v3/billing/top-up/", "/auth/v2/programmatic/register/"])
def test_payments_and_registration_are_not_imitated(ask, path):
    status, body, response = ask(didit_request(path))
    assert (status, list(body)) == (404, ["mock"])
    assert "mock.later" in response.claims
