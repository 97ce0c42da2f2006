"""Answers other than decisions: the documented examples, and whatever else may come."""

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.strategies import json_values

from facematch_didit import records
from facematch_didit.account import Balance, SessionStatus, Tokens, TopUp
from facematch_didit.words import read_record

#: What reads each answer but decisions.
READERS = [
    lambda body: records.read_registration(body, email="a@b.example"),
    lambda body: read_record(Tokens, body),
    records.read_verified_account,
    lambda body: read_record(Balance, body),
    lambda body: read_record(TopUp, body),
    records.read_session_row,
]
FOLDER = Path(__file__).parent / "answers"
KEYS = {key for path in FOLDER.glob("*.json") for key in json.loads(path.read_bytes())}
KEYS |= {"email", "message", "balance", "auto_refill_enabled", "auto_refill_amount", "results"}
KEYS |= {"checkout_session_id", "checkout_session_url", "session_number", "next"}


@given(
    st.sampled_from(READERS),
    json_values
    | st.dictionaries(st.sampled_from(sorted(KEYS)), json_values | st.text(min_size=1, max_size=9)),
)
def test_any_json_is_a_record_or_a_value_error(read, body):
    try:
        record = read(body)
    except ValueError:
        return
    assert attrs.has(type(record))


def test_key_and_tokens_of_a_new_account_are_secrets(answers):
    account = records.read_verified_account(answers["verified"])
    assert account.api_key.reveal() == "new-key-30f9a6c2"
    assert account.tokens.access_token.reveal() == "access-b41c07"
    assert account.tokens.refresh_token.reveal() == "refresh-9d5e22"
    assert account.tokens.expires_in_s == 86400
    assert (account.organization_name, account.application_name) == ("North Gate", "Main")
    assert account.application_id == "5b0e7a3c-1111-4c5d-8d1f-2a7c9e4b6f00"
    assert (account.organization_id[:8], account.client_id) == ("0b6b4c1e", "client-71")
    for hidden in ("new-key", "access-b", "refresh-9"):
        assert hidden not in repr(account)


def test_a_balance_has_all_of_its_places():
    record = read_record(
        Balance,
        {
            "balance": "37.9500",
            "auto_refill_enabled": False,
            "auto_refill_amount": None,
            "auto_refill_threshold": "10.00",
        },
    )
    assert str(record.amount) == "37.9500"
    assert record.amount == Decimal("37.95")
    assert (record.auto_refill, record.auto_refill_amount) == (False, None)
    assert str(record.auto_refill_threshold) == "10.00"


@pytest.mark.parametrize(
    "value", [None, True, False, "", "NaN", "Infinity", "1e5", "١٢", "1,5", {}, 1e30]
)
def test_neither_words_nor_floats_are_an_amount(value):
    with pytest.raises(ValueError):
        read_record(Balance, {"balance": value})


def test_every_field_of_a_row_arrives(answers):
    row = records.read_session_row(answers["session_row"])
    assert (row.session_id[:8], row.session_number, row.kind) == ("3c9a1f70", 118, "user")
    assert (row.status, row.vendor_status) == (SessionStatus.APPROVED, "Approved")
    assert (row.caller_ref, row.features) == ("emp-0042", (("FACE_MATCH", "Approved"),))
    assert row.created_at == dt.datetime(2026, 7, 2, 9, 15, 27, 104233, tzinfo=dt.UTC)
    assert "emp-0042" not in repr(row)
