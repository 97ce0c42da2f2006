"""The operations of the control API: one table, and the operations of a vendor made from it.

A row names an HTTP method, a path, and the method of `Control` that it runs. Annotations and
docstring of that method say what it takes and does. A vendor's extension brings rows of its own as
``OPERATIONS``.
"""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from facematch_mock_server.base.state import Selection
from facematch_mock_server.world.faults import Fault, require_end
from facematch_mock_server.world.kinds import Row, VendorKind

from .control import Control
from .values import annotations_of, members_of, plain, read, read_fields

#: Most records that an answer lists unless ``limit`` is sent.
LISTED = 1000


def _list_operations(control: Control) -> dict[str, Any]:
    """List all operations of this API."""
    world, vendors = control.world, control.vendors()
    below = "" if world.vendor == vendors[0] else f"{world.vendor}/"
    every = [f"{method} /__mock__/{below}{path}" for method, path in operations_of(world.kind)]
    return {"vendor": world.vendor, "vendors": vendors, "operations": every}


def _list_accounts(control: Control) -> list[dict[str, Any]]:
    """The accounts of this server."""
    return [
        {"name": account.name, "calls": len(account.journal.entries), "opened": account.opened_at}
        for account in control.account.shared.all
    ]


def _add_faults(
    control: Control, faults: Sequence[Mapping[str, Any]] | None = None, **fault: Any
) -> Any:
    """Add a fault after the others, or several of them as a list, `faults`."""
    if faults is not None and fault:
        raise ValueError("faults is a list of faults, and nothing is beside it")
    records = [fault] if faults is None else faults
    if not all(isinstance(record, Mapping) for record in records):
        raise ValueError("faults must be a list of objects")
    rules = [require_end(read_fields(Fault, record)) for record in records]
    control.add_faults(*rules)
    return rules[0] if faults is None else {"faults": rules}


def _list_unused(control: Control) -> list[dict[str, Any]]:
    """The outcomes and faults that no call has used, each with the call that came closest."""
    return [{**plain(rule), "closest": control.closest(rule)} for rule in control.unused()]


def _read_ledger(
    control: Control, *, what: str | None = None, since: int = 0, limit: int = 0
) -> dict[str, Any]:
    """The credit, and the charges."""
    charges = control.charges(what=what, since=since, limit=limit)
    return {"balance": control.balance(), "entries": charges, "left_out": charges.left_out}


def _set_limits(control: Control, **limits: int | None) -> None:
    """Change rate limits."""
    control.set_limits(limits)


def _count_calls(control: Control, **filters: Any) -> int:
    """Count the calls that fit."""
    return len(control.journal(**filters))


def _list_claims(control: Control) -> list[dict[str, Any]]:
    """The claims in force."""
    return [
        {
            "id": claim.id,
            "statement": claim.statement,
            "known": claim.origin.known,
            "source": claim.origin.document,
            "read": claim.origin.read,
        }
        for claim in control.claims()
    ]


def _journal_filters(_: VendorKind) -> dict[str, Any]:
    hints = typing.get_type_hints(Control.journal).items()
    return {name: hint for name, hint in hints if name not in ("return", "limit")}


_FIELDS = {"fields": "field"}
OPERATIONS: tuple[Row, ...] = (
    Row("GET", "", _list_operations),
    Row("GET", "accounts", _list_accounts, gives="accounts"),
    Row("POST", "accounts", "new_account"),
    Row("POST", "accounts/close", "close_account"),
    Row("POST", "outcomes", "set_outcome"),
    Row("GET", "outcomes", "outcomes", gives="outcomes"),
    Row("POST", "outcomes/clear", "clear_outcomes"),
    Row("POST", "faults", _add_faults, more=lambda _: annotations_of(Fault)),
    Row("GET", "faults", "faults", gives="faults"),
    Row("POST", "faults/clear", "clear_faults"),
    Row("GET", "unused", _list_unused, gives="unused"),
    Row("GET", "latency", "latency"),
    Row("POST", "latency", "set_latency", then="latency"),
    Row("GET", "clock", "now", gives="now"),
    Row("POST", "clock/advance", "advance", gives="now"),
    Row("GET", "ledger", _read_ledger),
    Row("POST", "ledger/balance", "set_balance", gives="balance", then="balance"),
    Row("POST", "keys", "add_key", gives="key"),
    Row("GET", "keys", "keys", gives="keys"),
    Row("POST", "keys/revoke", "revoke_key"),
    Row("GET", "limits", "limits"),
    Row(
        *("POST", "limits", _set_limits),
        then="limits",
        more=lambda vendor: dict.fromkeys(vendor.rate_limits, Any),
    ),
    Row("GET", "behaviours", "behaviours"),
    Row("POST", "reset", "reset", then="behaviours"),
    Row("GET", "journal", "journal", gives="entries", named=_FIELDS),
    Row("GET", "journal/count", _count_calls, gives="count", named=_FIELDS, more=_journal_filters),
    Row("POST", "journal/clear", "clear_journal"),
    Row("GET", "claims", _list_claims, gives="claims"),
)


@attrs.frozen(kw_only=True)
class Operation:
    """An operation of the control API at one vendor.

    Attributes:
        method, path: As in its row.
        says: A sentence about it.
        takes: The annotation of each value that can be sent, by name.
        needed: The names of the values that must be sent.
    """

    method: str
    path: str
    says: str
    takes: Mapping[str, Any]
    needed: frozenset[str]
    _row: Row
    #: The attribute of `Control` that has the method; None for a method of its own.
    _of: str | None

    def __call__(self, control: Any, rest: str, sent: Mapping[str, Any]) -> Any:
        """Run it and return the result as JSON. Raises ValueError for values that do not fit."""
        row, target = self._row, control if self._of is None else getattr(control, self._of)
        values = read(self.takes, self.needed, sent)
        if "limit" in self.takes:
            values.setdefault("limit", LISTED)
        arguments = {shown: name for name, shown in row.named.items()}
        values = {arguments.get(name, name): value for name, value in values.items()}
        rests = [rest] if "{}" in row.path else []
        if callable(row.run):
            result = row.run(target, *rests, **values)
        else:
            result = getattr(target, row.run)(*rests, **values)
        if row.then is not None:
            result = getattr(target, row.then)()
        if row.gives is None:
            return {} if result is None else plain(result)
        answer = {row.gives: plain(result)}
        return answer | {"left_out": result.left_out} if isinstance(result, Selection) else answer


def _make_operation(row: Row, owner: type, of: str | None, vendor: VendorKind) -> Operation:
    run: Callable[..., Any] = row.run if callable(row.run) else getattr(owner, row.run)
    takes = {row.named.get(name, name): hint for name, hint in row.more(vendor).items()}
    hints, needed = typing.get_type_hints(run), set()
    _, *parameters = inspect.signature(run).parameters.values()
    for parameter in parameters["{}" in row.path :]:
        hint = hints.get(parameter.name)
        # A picture's bytes cannot be sent as JSON.
        if parameter.kind is not parameter.VAR_KEYWORD and bytes not in members_of(hint):
            name = row.named.get(parameter.name, parameter.name)
            takes[name] = hint
            needed |= {name} if parameter.default is parameter.empty else set()
    return Operation(
        method=row.method,
        path=row.path,
        says=re.split(r"[.;:](\s|$)", " ".join((run.__doc__ or "").split()))[0] + ".",
        takes=takes,
        needed=frozenset(needed),
        row=row,
        of=of,
    )


def operations_of(vendor: VendorKind) -> dict[tuple[str, str], Operation]:
    """Return the operations of a vendor and of its extensions, by method and path."""
    owners: list[tuple[str | None, type, tuple[Row, ...]]] = [(None, Control, OPERATIONS)]
    for name in vendor.extensions:
        extension = vendor.extension_class(name)
        owners.append((name, extension, extension.OPERATIONS))
    return {
        (row.method, row.path): _make_operation(row, owner, of, vendor)
        for of, owner, rows in owners
        for row in rows
    }
