"""Accounts, which inquiries share.

Source of the names: Persona's OpenAPI, version 2025-12-08.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from facematch_mock_server.base.messages import Response
from facematch_mock_server.vendors.persona import wire
from facematch_mock_server.vendors.persona.access import PersonaCall, new_id
from facematch_mock_server.vendors.persona.wire import ACCOUNT_FIELDS, Account

#: Attributes that are taken and not shown.
_OTHER_NAMES = {"account-type-id", "account-status", "selfie-photo", "social-security-number"}
_NAMES = {*ACCOUNT_FIELDS, *_OTHER_NAMES, "reference-id", "fields", "tags"}


def find_account(call: PersonaCall, reference_id: str) -> Account | None:
    """Return the account with a reference id in the key's environment, or None."""
    accounts: tuple[Account, ...] = call.world.records.accounts.all()
    for account in accounts:
        if account.is_live is call.is_live and account.reference_id == reference_id:
            return account
    return None


def add_account(call: PersonaCall, reference_id: str | None, **values: Any) -> Account:
    """Create an account in the key's environment, and return it."""
    account = Account(
        id=new_id("act", call.world.ids.uuid()),
        is_live=call.is_live,
        reference_id=reference_id,
        created_at=call.now,
        **values,
    )
    call.world.records.accounts.put(account.id, account)
    return account


def _read_values(call: PersonaCall, attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes of `Account` that a body has."""
    values = {}
    for name in ACCOUNT_FIELDS:
        text = call.read_value(attributes, name, str, "a string")
        if text is not None:
            values[name] = text
    return {
        "values": values,
        "fields": call.read_value(attributes, "fields", dict, "an object") or {},
        "tags": tuple(call.read_value(attributes, "tags", list, "an array") or ()),
    }


def create(call: PersonaCall) -> Response:
    """Create an account; refuse a reference id that another one has."""
    attributes = call.read_part("data", "attributes", known=_NAMES)
    reference_id = call.read_value(attributes, "reference-id", str, "a string")
    if reference_id is not None and find_account(call, reference_id) is not None:
        call.refuse("account.exists")
    account = add_account(call, reference_id, **_read_values(call, attributes))
    return call.answer("account.made", {"data": wire.show_account(account)})
