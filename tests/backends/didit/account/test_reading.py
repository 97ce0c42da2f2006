"""Answers other than decisions: the documented examples, and what is no answer."""

import datetime as dt
from decimal import Decimal

import pytest

import facematch_core as fm
from facematch_didit import SessionStatus


def test_a_balance_has_all_of_its_places(scripted_account):
    body = {
        "balance": "37.9500",
        "auto_refill_enabled": False,
        "auto_refill_amount": None,
        "auto_refill_threshold": "10.00",
    }
    record = scripted_account((200, body))[0].balance()
    assert str(record.amount) == "37.9500"
    assert record.amount == Decimal("37.95")
    assert (record.auto_refill, record.auto_refill_amount) == (False, None)
    assert str(record.auto_refill_threshold) == "10.00"


@pytest.mark.parametrize(
    "value", [None, True, False, "", "NaN", "Infinity", "1e5", "١٢", "1,5", {}, 1e30]
)
def test_neither_words_nor_floats_are_an_amount(value, scripted_account):
    with pytest.raises(fm.UnexpectedResponse):
        scripted_account((200, {"balance": value}))[0].balance()


def test_every_field_of_a_row_arrives(answers, scripted_account):
    account, _ = scripted_account((200, [answers["session_row"]]))
    (row,) = account.sessions()
    assert row.session_id[:8] == "3c9a1f70"
    assert (row.status, row.vendor_status) == (SessionStatus.APPROVED, "Approved")
    assert row.caller_ref == "emp-0042"
    assert row.created_at == dt.datetime(2026, 7, 2, 9, 15, 27, 104233, tzinfo=dt.UTC)
    assert "emp-0042" not in repr(row)
