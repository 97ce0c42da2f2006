"""GET /v3/billing/balance/: what is left, and for whom."""

from decimal import Decimal

import pytest
from kit import mock_didit as didit
from kit.mock_didit import control, match
from kit.mock_didit_accounts import BALANCE, told
from kit.mock_worlds import control_of

DENIED = {"detail": "You do not have permission to perform this action."}


def test_the_balance_is_a_text_with_four_places(ask):
    """And three things about a refill that nobody asked for."""
    assert ask(match(), told(BALANCE))[:2] == (
        200,
        {
            "balance": "99.9500",
            "auto_refill_enabled": False,
            "auto_refill_amount": None,
            "auto_refill_threshold": None,
        },
    )


def test_a_refill_is_shown_and_never_done(ask):
    """With two places, as the example has them; the balance falls below the threshold."""
    plan = control("payments/plan", {"refill_amount": "50", "refill_threshold": "100"})
    status, body, _ = ask(plan, match(), told(BALANCE))
    assert (status, body) == (
        200,
        {
            "balance": "99.9500",
            "auto_refill_enabled": True,
            "auto_refill_amount": "50.00",
            "auto_refill_threshold": "100.00",
        },
    )


def test_the_whole_organization_has_one_balance(ask):
    """Its sandbox key reads the same."""
    _, body, _ = ask(match(), told(BALANCE, key="mock-sandbox-key"))
    assert body["balance"] == "99.9500"


@pytest.mark.parametrize("key", [None, "wrong"])
def test_the_key_is_asked_for(ask, key):
    """As by every endpoint of this host."""
    assert ask(told(BALANCE, key=key))[:2] == (403, DENIED)


def test_only_get(ask):
    """The balance is not written to."""
    assert ask(told(BALANCE, {}))[0] == 405


def test_another_account_has_another_balance():
    """By the control, too."""
    engine = didit.new_engine()
    accounts = engine.accounts
    other = accounts.open("other").world("didit")
    key = next(iter(other.account.first_keys["didit"]))
    engine.handle(match(key=key))
    here, there = control_of(engine.world), control_of(other)
    assert here.accounts() == ("main", "other")
    assert (here.balance(), there.balance()) == (Decimal(100), Decimal("99.95"))
    there.set_balance("7")
    assert engine.handle(told(BALANCE, key=key)).json()["balance"] == "7.0000"
    assert engine.handle(told(BALANCE)).json()["balance"] == "100.0000"
    assert (len(here.charges()), len(there.charges())) == (0, 1)
    here.close_account("other")
    for verb in (there.balance, there.charges, lambda: there.set_balance(1)):
        with pytest.raises(LookupError):
            verb()


class TestManagementLimit:
    """The limit of management views, which is not known until a test sets one."""

    def test_there_is_none(self, ask):
        """Only that of its method counts."""
        response = ask(told(BALANCE))[2]
        assert response.header("X-RateLimit-Limit") is None

    def test_its_words(self):
        """It counts reading and paying together, and waits as long as the window says."""
        engine = didit.new_engine(switches={"management_limit": 1})
        assert engine.handle(told(BALANCE)).status == 200
        engine.world.clock.advance(30)
        refused = engine.handle(told("/v3/billing/top-up/", {"amount_in_dollars": 50}))
        assert refused.status == 429
        assert refused.json() == {
            "detail": "Request was throttled. Expected available in 30 seconds."
        }
        assert refused.header("Retry-After") == "30"
        engine.world.clock.advance(30)
        assert engine.handle(told(BALANCE)).status == 200
