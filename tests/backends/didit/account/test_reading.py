"""Answers other than decisions: the documented examples, and whatever else may come."""

import datetime as dt
from decimal import Decimal

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.strategies import json_values

from facematch_core.http import HttpReply
from facematch_didit import records
from facematch_didit.account import Balance, SessionStatus, Tokens, TopUp
from facematch_didit.client import page
from facematch_didit.words import read_record

READERS = [
    lambda body: records.registration(body, email="a@b.example"),
    lambda body: read_record(Tokens, body),
    records.verified_account,
    lambda body: read_record(Balance, body),
    lambda body: read_record(TopUp, body),
    records.session_row,
]
KEYS = [
    "email",
    "message",
    "access_token",
    "refresh_token",
    "expires_in",
    "organization",
    "application",
    "api_key",
    "balance",
    "auto_refill_enabled",
    "auto_refill_amount",
    "checkout_session_id",
    "checkout_session_url",
    "session_id",
    "session_number",
    "status",
    "features",
    "created_at",
    "results",
    "next",
]


@given(
    st.sampled_from(READERS),
    json_values
    | st.dictionaries(st.sampled_from(KEYS), json_values | st.text(min_size=1, max_size=9)),
)
def test_any_json_is_a_record_or_a_value_error(read, body):
    """However odd the body, nothing else is raised, and no record is None."""
    try:
        record = read(body)
    except ValueError:
        return
    assert attrs.has(type(record))


@given(json_values | st.fixed_dictionaries({"results": json_values, "next": json_values}))
def test_any_json_is_a_page_or_a_value_error(body):
    """Rows that can be read, and counters that are numbers alone."""
    try:
        rows, following = page(body)
    except ValueError:
        return
    assert all(isinstance(row, records.SessionRow) for row in rows)
    assert all(value.isdecimal() for value in following.values())


def test_a_verified_account(answers):
    """Key and tokens are secrets; who it is about is not."""
    account = records.verified_account(answers["verified"])
    assert account.api_key.reveal() == "new-key-30f9a6c2"
    assert account.tokens.access_token.reveal() == "access-b41c07"
    assert account.tokens.refresh_token.reveal() == "refresh-9d5e22"
    assert account.tokens.expires_in_s == 86400
    assert (account.organization_name, account.application_name) == ("North Gate", "Main")
    assert account.application_id == "5b0e7a3c-1111-4c5d-8d1f-2a7c9e4b6f00"
    assert (account.organization_id[:8], account.client_id) == ("0b6b4c1e", "client-71")
    for hidden in ("new-key", "access-b", "refresh-9"):
        assert hidden not in repr(account)


@pytest.mark.parametrize("missing", ["api_key", "access_token"])
def test_half_a_verified_account_is_none(missing, answers):
    """Without key or token there is nothing to go on with."""
    body = answers["verified"]
    (body["application"] if missing == "api_key" else body).pop(missing)
    with pytest.raises(ValueError, match=missing):
        records.verified_account(body)


def test_a_registration():
    """Didit's sentence, and the address as it repeats it."""
    told = records.registration({"message": "Check your email.", "email": "A@b.example"}, email="")
    assert (told.email, told.message) == ("A@b.example", "Check your email.")
    assert records.registration({}, email="a@b.example").email == "a@b.example"


def test_a_balance_is_exact():
    """Four places are four places, and null is None."""
    told = read_record(
        Balance,
        {
            "balance": "37.9500",
            "auto_refill_enabled": False,
            "auto_refill_amount": None,
            "auto_refill_threshold": "10.00",
        },
    )
    assert str(told.amount) == "37.9500"
    assert told.amount == Decimal("37.95")
    assert (told.auto_refill, told.auto_refill_amount) == (False, None)
    assert str(told.auto_refill_threshold) == "10.00"


@pytest.mark.parametrize(("value", "amount"), [(12, "12"), (12.5, "12.5"), ("-0.1000", "-0.1000")])
def test_other_forms_of_an_amount(value, amount):
    """A JSON number counts by its digits."""
    assert str(read_record(Balance, {"balance": value}).amount) == amount


@pytest.mark.parametrize(
    "value", [None, True, False, "", "NaN", "Infinity", "1e5", "١٢", "1,5", {}, 1e30]
)
def test_what_is_no_amount(value):
    """Neither words, nor other digits, nor what a float made of it."""
    with pytest.raises(ValueError, match="balance is not an amount"):
        read_record(Balance, {"balance": value})


def test_a_payment_page():
    """Its address is for a person, and in no log."""
    told = read_record(
        TopUp,
        {"checkout_session_id": "cs_test_a1", "checkout_session_url": "https://pay.example/cs-77"},
    )
    assert told.checkout_id == "cs_test_a1"
    assert told.page.reveal() == "https://pay.example/cs-77"
    assert "pay.example" not in repr(told)


def test_a_row(answers):
    """Enough to find the session, and no score."""
    row = records.session_row(answers["session_row"])
    assert (row.session_id[:8], row.session_number, row.kind) == ("3c9a1f70", 118, "user")
    assert (row.status, row.vendor_status) == (SessionStatus.APPROVED, "Approved")
    assert (row.caller_ref, row.features) == ("emp-0042", (("FACE_MATCH", "Approved"),))
    assert row.created_at == dt.datetime(2026, 7, 2, 9, 15, 27, 104233, tzinfo=dt.UTC)
    assert "emp-0042" not in repr(row)


@pytest.mark.parametrize(
    ("body", "number", "retention"),
    [
        (b"", None, None),
        (b"<html>", None, None),
        (b"[]", None, None),
        (b'{"session_id": "x", "session_number": 7, "face_retention_outcome": "none"}', 7, "none"),
        (b'{"session_number": "7", "face_retention_outcome": 1}', None, None),
    ],
)
def test_a_deletion_is_done_whatever_it_tells(body, number, retention):
    """Both editions, and anything else that comes with a 2xx."""
    told = records.deleted(HttpReply(status=200, body=body), session_id="s")
    assert (told.session_id, told.session_number, told.face_retention) == ("s", number, retention)
