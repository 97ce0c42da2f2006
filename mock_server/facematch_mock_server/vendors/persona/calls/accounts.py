"""Accounts: create, read, list and update.

Source of the names: Persona's OpenAPI, version 2025-12-08.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from facematch_mock_server.base.messages import Response
from facematch_mock_server.vendors.persona import wire
from facematch_mock_server.vendors.persona.access import PersonaCall, new_id
from facematch_mock_server.vendors.persona.wire import ACCOUNT_FIELDS, Account

from .pages import answer_page

_REFERENCE_ID = "filter[reference-id]"
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
        updated_at=call.now,
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
    """Create an account; with ``upsert-by`` of reference-id, update the one that has it."""
    attributes = call.read_part("data", "attributes", known=_NAMES)
    meta = call.read_part("meta", known={"upsert-by"})
    reference_id = call.read_value(attributes, "reference-id", str, "a string")
    former = None if reference_id is None else find_account(call, reference_id)
    if former is not None:
        if meta.get("upsert-by") != "reference-id":
            call.refuse("account.exists")
        return _change(call, former, attributes)
    account = add_account(call, reference_id, **_read_values(call, attributes))
    return call.answer("account.made", {"data": wire.show_account(account)})


def _change(call: PersonaCall, account: Account, attributes: Mapping[str, Any]) -> Response:
    """Store the attributes that were sent, and answer with the account."""
    sent = _read_values(call, attributes)
    changed = attrs.evolve(
        account,
        updated_at=call.now,
        values={**account.values, **sent["values"]},
        fields={**account.fields, **sent["fields"]},
        tags=sent["tags"] if "tags" in attributes else account.tags,
        reference_id=attributes.get("reference-id", account.reference_id),
    )
    call.world.records.accounts.put(changed.id, changed)
    return call.answer("account.shown", {"data": wire.show_account(changed)})


def _find(call: PersonaCall) -> Account:
    account: Account | None = call.world.records.accounts.find(call.path_value)
    if account is None or account.is_live is not call.is_live:
        call.refuse("inquiry.unknown")
    return account


def read(call: PersonaCall) -> Response:
    """Return an account."""
    return call.answer("account.shown", {"data": wire.show_account(_find(call))})


def update(call: PersonaCall) -> Response:
    """Change the attributes of an account that are sent."""
    account = _find(call)
    attributes = call.read_part("data", "attributes", known=_NAMES)
    reference_id = call.read_value(attributes, "reference-id", str, "a string")
    if reference_id is not None and find_account(call, reference_id) not in (None, account):
        call.refuse("account.exists")
    return _change(call, account, attributes)


def list_all(call: PersonaCall) -> Response:
    """List the accounts of the key's environment, newest first."""
    found = []
    accounts: tuple[Account, ...] = call.world.records.accounts.all()
    wanted = call.query.get(_REFERENCE_ID)
    for account in reversed(accounts):
        fits = not wanted or account.reference_id in wanted.split(",")
        if fits and account.is_live is call.is_live:
            found.append(account)
    return answer_page(
        call, found, wire.show_account, {} if wanted is None else {_REFERENCE_ID: wanted}
    )
