"""POST /v3/billing/top-up/: a payment page, and what becomes of the payment."""

import math
import threading
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit import mock_didit as didit
from kit.mock_didit import control, request
from kit.mock_didit_accounts import BALANCE, TOP_UP, told, top_up
from kit.mock_worlds import control_of

from facematch_mock_server.vendors.didit.framework import dollars


@pytest.fixture
def paying():
    """A world with one payment page of USD 75: (engine, control, the answer)."""
    engine = didit.new_engine()
    made = engine.handle(top_up()).json()
    return engine, control_of(engine.world), made


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "amount_in_dollars is required."),
        ({"amount_in_dollars": None}, "amount_in_dollars is required."),
        ([], "amount_in_dollars is required."),
        ({"amount_in_dollars": "75"}, "amount_in_dollars must be a number."),
        ({"amount_in_dollars": True}, "amount_in_dollars must be a number."),
        ({"amount_in_dollars": [75]}, "amount_in_dollars must be a number."),
        ({"amount_in_dollars": 49.99}, "Amount must be at least $50."),
        ({"amount_in_dollars": -50}, "Amount must be at least $50."),
        ({"amount_in_dollars": 1e300}, "Amount must be at most $999999."),
        ({"amount_in_dollars": 10**400}, "Amount must be at most $999999."),
    ],
)
def test_an_amount_that_is_refused(ask, body, words):
    """400 with a bare array, and no payment page."""
    assert ask(told(TOP_UP, body))[:2] == (400, [words])


@pytest.mark.parametrize("field", ["success_url", "cancel_url"])
@pytest.mark.parametrize(
    "url",
    [
        "nowhere",
        "javascript:alert(1)",
        "http://",
        "http://[",
        "https://a/" + "b" * 2000,
    ],
)
def test_an_address_that_is_refused(ask, field, url):
    """In the framework's words; nobody is ever sent there."""
    status, body, _ = ask(top_up(**{field: url}))
    assert (status, body) == (400, {field: ["Enter a valid URL."]})


@pytest.mark.parametrize("field", ["success_url", "cancel_url"])
def test_half_a_character_in_an_address(ask, field):
    """Is told by itself."""
    status, body, _ = ask(top_up(**{field: "https://a/\ud800"}))
    assert (status, body) == (400, {field: ["Surrogate characters are not allowed: U+D800."]})


def test_an_annual_plan(ask):
    """Its organization pays in another way."""
    assert ask(control("payments/plan", {"annual": True}), top_up())[:2] == (
        400,
        ["You have an annual plan. Contact your account manager to top up."],
    )


def test_a_payment_page(paying):
    """Its id begins as the vendor's test ones do; its address leads nowhere."""
    engine, control_of, made = paying
    assert made["checkout_session_id"].startswith("cs_test_")
    assert made["checkout_session_url"] == (
        f"http://127.0.0.1:8080/__pay__/{made['checkout_session_id']}"
    )
    (checkout,) = control_of.payments.all()
    assert checkout.id == made["checkout_session_id"]
    assert (checkout.amount, checkout.status) == (Decimal(75), "open")
    assert checkout.success_url == checkout.cancel_url == "https://console.didit.me"
    assert engine.handle(told(BALANCE)).json()["balance"] == "100.0000"
    path = f"/__pay__/{checkout.id}"
    for method in ("GET", "POST"):
        assert engine.handle(request(path, method=method, key=None)).status == 404
    assert control_of.balance() == Decimal(100)


def test_settling_by_control(paying):
    """By id, as if a person had paid; once, however often it is said."""
    _, control_of, made = paying
    for _ in range(2):
        assert control_of.payments.settle(made["checkout_session_id"]).status == "settled"
    assert control_of.balance() == Decimal(175)
    assert control_of.payments.all()[0].settled_at == didit.START
    with pytest.raises(ValueError, match="was settled"):
        control_of.payments.cancel(made["checkout_session_id"])


def test_a_finer_amount_is_credited_in_four_places():
    """As a balance holds them."""
    engine = didit.new_engine()
    made = engine.handle(top_up(75.123456)).json()
    control_of(engine.world).payments.settle(made["checkout_session_id"])
    assert engine.handle(told(BALANCE)).json()["balance"] == "175.1235"


def test_canceling(paying):
    """Then nothing can be paid."""
    _, control_of, made = paying
    for _ in range(2):
        assert control_of.payments.cancel(made["checkout_session_id"]).status == "canceled"
    with pytest.raises(ValueError, match="was canceled"):
        control_of.payments.settle(made["checkout_session_id"])
    assert control_of.balance() == Decimal(100)


def test_no_such_payment(ask):
    """404 in one sentence."""
    assert ask(control("payments/settle", {"id": "none"}))[:2] == (
        404,
        {"mock": "there is no payment of that id"},
    )


def test_more_than_a_balance_can_hold():
    """The payment stays open, and who settles it is told why."""
    engine = didit.new_engine(switches={"start_credit": "999999999999"})
    made = engine.handle(top_up()).json()
    payments = control_of(engine.world).payments
    with pytest.raises(ValueError, match="between 0 and 1e12"):
        payments.settle(made["checkout_session_id"])
    assert payments.all()[0].status == "open"


def test_many_who_pay_at_once(paying):
    """One payment, one credit."""
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


@pytest.mark.parametrize(
    "plan",
    [
        {"annual": 1},
        {"refill_amount": "50"},
        {"refill_amount": "x", "refill_threshold": "1"},
        {"monthly": True},
        {"owner": 1},
    ],
)
def test_a_plan_that_is_none(ask, plan):
    """Refused in one sentence."""
    status, body, _ = ask(control("payments/plan", plan))
    assert (status, list(body)) == (400, ["mock"])


@given(
    st.integers() | st.floats() | st.booleans() | st.none() | st.text() | st.lists(st.integers())
)
def test_dollars(value):
    """A finite number as it was written, or nothing."""
    number = dollars(value)
    if type(value) in (int, float) and math.isfinite(value):
        assert number == Decimal(str(value))
    else:
        assert number is None
