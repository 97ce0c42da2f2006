"""Credit over the API: what is left, payment pages, and what becomes of a payment."""

import threading
from decimal import Decimal

import pytest
from kit import mock_didit as didit
from kit.mock_didit import control_request, didit_request, match_request
from kit.mock_didit_accounts import BALANCE, TOP_UP, account_request, top_up_request
from kit.mock_worlds import control_of


def test_the_balance_is_a_text_with_four_places(ask):
    assert ask(match_request(), account_request(BALANCE))[:2] == (
        200,
        {
            "balance": "99.9500",
            "auto_refill_enabled": False,
            "auto_refill_amount": None,
            "auto_refill_threshold": None,
        },
    )


def test_a_refill_is_shown_and_never_done(ask):
    plan = control_request("payments/plan", {"refill_amount": "50", "refill_threshold": "100"})
    status, body, _ = ask(plan, match_request(), account_request(BALANCE))
    assert (status, body) == (
        200,
        {
            "balance": "99.9500",
            "auto_refill_enabled": True,
            "auto_refill_amount": "50.00",
            "auto_refill_threshold": "100.00",
        },
    )


@pytest.fixture
def paying():
    """A world with one payment page of USD 75: (engine, control, the answer)."""
    engine = didit.new_engine()
    made = engine.handle(top_up_request()).json()
    return engine, control_of(engine.world), made


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "amount_in_dollars is required."),
        ({"amount_in_dollars": "75"}, "amount_in_dollars must be a number."),
        ({"amount_in_dollars": True}, "amount_in_dollars must be a number."),
        ({"amount_in_dollars": 49.99}, "Amount must be at least $50."),
        ({"amount_in_dollars": 1e300}, "Amount must be at most $999999."),
    ],
)
def test_a_refused_amount_is_a_bare_array_and_no_payment_page(ask, body, words):
    assert ask(account_request(TOP_UP, body))[:2] == (400, [words])


URL = "Enter a valid URL."


@pytest.mark.parametrize("field", ["success_url", "cancel_url"])
@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("javascript:alert(1)", URL),
        ("http://[", URL),
        ("https://a/\ud800", "Surrogate characters are not allowed: U+D800."),
    ],
)
def test_an_address_to_return_to_is_refused_in_the_frameworks_words(ask, field, url, words):
    assert ask(top_up_request(**{field: url}))[:2] == (400, {field: [words]})


def test_an_annual_plan_is_paid_in_another_way(ask):
    assert ask(control_request("payments/plan", {"annual": True}), top_up_request())[:2] == (
        400,
        ["You have an annual plan. Contact your account manager to top up."],
    )


def test_a_payment_page_begins_as_a_test_and_leads_nowhere(paying):
    engine, control_of, made = paying
    assert made["checkout_session_id"].startswith("cs_test_")
    assert made["checkout_session_url"] == (
        f"http://127.0.0.1:8080/__pay__/{made['checkout_session_id']}"
    )
    (checkout,) = control_of.payments.all()
    assert checkout.id == made["checkout_session_id"]
    assert (checkout.amount, checkout.status) == (Decimal(75), "open")
    assert checkout.success_url == checkout.cancel_url == "https://console.didit.me"
    assert engine.handle(account_request(BALANCE)).json()["balance"] == "100.0000"
    path = f"/__pay__/{checkout.id}"
    for method in ("GET", "POST"):
        assert engine.handle(didit_request(path, method=method, key=None)).status == 404
    assert control_of.balance() == Decimal(100)


def test_a_payment_settles_once_however_often_it_is_said(paying):
    _, control_of, made = paying
    for _ in range(2):
        assert control_of.payments.settle(made["checkout_session_id"]).status == "settled"
    assert control_of.balance() == Decimal(175)
    assert control_of.payments.all()[0].settled_at == didit.START
    with pytest.raises(ValueError, match="was settled"):
        control_of.payments.cancel(made["checkout_session_id"])


def test_a_finer_amount_is_credited_in_four_places():
    engine = didit.new_engine()
    made = engine.handle(top_up_request(75.123456)).json()
    control_of(engine.world).payments.settle(made["checkout_session_id"])
    assert engine.handle(account_request(BALANCE)).json()["balance"] == "175.1235"


def test_a_canceled_payment_cannot_be_paid(paying):
    _, control_of, made = paying
    for _ in range(2):
        assert control_of.payments.cancel(made["checkout_session_id"]).status == "canceled"
    with pytest.raises(ValueError, match="was canceled"):
        control_of.payments.settle(made["checkout_session_id"])
    assert control_of.balance() == Decimal(100)


def test_more_than_a_balance_can_hold_leaves_the_payment_open():
    engine = didit.new_engine(switches={"start_credit": "999999999999"})
    made = engine.handle(top_up_request()).json()
    payments = control_of(engine.world).payments
    with pytest.raises(ValueError, match="between 0 and 1e12"):
        payments.settle(made["checkout_session_id"])
    assert payments.all()[0].status == "open"


def test_many_who_pay_at_once_credit_once(paying):
    _, control_of, made = paying

    def pay():
        for _ in range(20):
            control_of.payments.settle(made["checkout_session_id"])

    threads = [threading.Thread(target=pay) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert control_of.balance() == Decimal(175)
