"""Credit: what is left, and how some is paid in."""

from decimal import Decimal

import pytest


def test_balance(run, run_json, mock):
    """As exact as it was told, for people and for programs."""
    mock.control.set_balance("37.95")
    answer = run("balance")
    assert (answer.exit_code, answer.stdout.splitlines()[0]) == (0, "37.9500 USD")
    status, document = run_json("balance")
    assert status == 0
    assert (document["amount"], document["currency"]) == ("37.9500", "USD")
    assert document["auto_refill"] is False


def test_a_wrong_key(run, monkeypatch):
    """The vendor's no; the key stands nowhere."""
    monkeypatch.setenv("DIDIT_API_KEY", "wrong-key-0123456789")
    answer = run("balance")
    assert answer.exit_code == 5
    assert "wrong-key" not in answer.output


def test_a_payment_page(run, run_json, mock):
    """Its address alone is on standard output, so that a shell can open it; nothing is paid."""
    before = mock.control.balance()
    answer = run("top-up", "75.50", "--yes")
    assert answer.exit_code == 0
    assert answer.stdout.startswith("http")
    assert len(answer.stdout.split()) == 1
    assert mock.control.balance() == before
    status, document = run_json("top-up", "50", "--yes", "--success-url", "https://firm.io/paid")
    assert status == 0
    assert set(document) == {"checkout_id", "page"}


def test_money_is_asked_about(run, mock, at_terminal, monkeypatch):
    """With whose key; a no makes no page."""
    answer = run("top-up", "50", typed="n\n")
    assert answer.exit_code == 130
    assert "50 USD" in answer.stderr
    assert "the key in $DIDIT_API_KEY" in answer.stderr
    assert answer.stdout == ""
    assert mock.control.payments.all() == ()
    assert run("top-up", "50", typed="y\n").exit_code == 0
    assert [checkout.amount for checkout in mock.control.payments.all()] == [Decimal(50)]


def test_without_a_terminal_it_is_not_done(run, mock):
    """A script says --yes."""
    answer = run("top-up", "50")
    assert answer.exit_code == 2
    assert "--yes" in answer.stderr
    assert mock.control.payments.all() == ()


@pytest.mark.parametrize(
    ("amount", "says"),
    [
        ("49.99", "at least 50"),
        ("fifty", "as 50 or 75.50"),
        ("NaN", "at least 50"),
        ("1e999", "digits"),
    ],
)
def test_amounts_that_are_none(run, amount, says):
    """Wrong usage, and nothing was sent."""
    answer = run("top-up", amount, "--yes")
    assert answer.exit_code == 2, answer.output
    assert says in answer.stderr
