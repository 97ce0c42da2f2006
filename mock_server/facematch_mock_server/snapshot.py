"""The state of a server as JSON: what a test sets, shown while it runs and read at a start."""

from __future__ import annotations

import contextlib
import functools
import json
import os
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from facematch_core.errors import InvalidRequest
from facematch_core.files import read_text

from .account import Account, start_credit, start_limits
from .accounts import MAIN, Accounts
from .faults import Fault, require_end
from .kinds import Chosen, VendorKind
from .operations import KINDS, Operation, operations_of_extensions, plain, read, takes_of
from .recognition.outcomes import SetOutcome
from .services import Key, KeyKind, check_key
from .state import UNSET

#: Makes a `Control` of an account and a vendor's name.
Controls = Callable[[Account, str], Any]

#: The form that is shown. A state of another one is refused.
FORMAT = 1

_FAULT = Operation("POST", "faults",
    lambda control, **sent: control.add_fault(require_end(Fault(**sent))), "",
    takes_of(Fault))  # fmt: skip
#: With all digests of its picture, unlike that of the control API.
_OUTCOME = Operation("POST", "outcomes",
    lambda control, **sent: control.add_outcome(SetOutcome(**sent)), "",
    takes_of(SetOutcome))  # fmt: skip

#: What each object of a state takes.
_STATE = {"format!": "any", "accounts": "object"}
_ACCOUNT = {"vendors": "object", "faults": "objects", "latency": "object"}
_VENDOR = {"edition": "text", "switches": "object", "balance": "any", "limits": "object"}
_KEY = {"key!": "text", "kind": "text", "client": "text", "expires": "date"}
_KEY |= {"allowed": "flag", "revoked": "flag"}


def _refuse_session(_: Any) -> None:
    raise ValueError("this version begins without sessions: leave the list empty")


def _lists(kind: VendorKind) -> dict[str, tuple[Callable[[Any], Any], Operation]]:
    """The lists of an account at a vendor: what gives the records, and what adds one of them."""
    operations = operations_of_extensions(kind)
    tables = [kind.extension_class(extension).STATE.items() for extension in kind.extensions]
    return {
        "outcomes": (lambda control: control.outcomes(), _OUTCOME),
        # Of every vendor: a state of this format begins without sessions.
        "sessions": (lambda _: (), Operation("POST", "sessions", _refuse_session, "")),
        **{
            name: (operations["GET", path].act, operations["POST", path])
            for table in tables
            for name, path in table
        },
    }


def state_of(accounts: Accounts, controls: Controls) -> dict[str, Any]:
    """What the accounts of a server have now, in the form that `restore` takes."""
    # Those registered at a vendor are left out: nothing but their registration can open them.
    opened = [account for account in accounts.all if account.parent is None]
    # Of what nobody has used yet no world is made: all accounts of one choice have the same.
    unused = functools.cache(_start_state)
    shown = {}
    for account in opened:
        vendors = {}
        for vendor, kind in accounts.kinds.items():
            world = account.find_world(vendor)
            keys = dict(world.keys.items()) if world else account.first_keys.get(vendor, {})
            state = unused(kind, account.chosen[vendor])
            if world:
                control = controls(account, vendor)
                lists = {
                    name: [_read_record(adding.takes, record) for record in records(control)]
                    for name, (records, adding) in _lists(kind).items()
                }
                balance = plain(world.ledger.balance)
                state = {**state, "balance": balance, "limits": world.rates.limits, **lists}
            vendors[vendor] = {
                **state,
                "keys": [{"key": text, **_read_record(_KEY, key)} for text, key in keys.items()],
            }
        faults = [_read_record(_FAULT.takes, fault) for fault in account.faults.all]
        latency = plain(account.latency.spans)
        shown[account.name] = {"vendors": vendors, "faults": faults, "latency": latency}
    return {"format": FORMAT, "accounts": shown}


def _start_state(kind: VendorKind, chosen: Chosen) -> dict[str, Any]:
    """What an account begins with at a vendor, but for its keys."""
    switches = {
        name: kind.number(name, value) if name in kind.settings else value
        for name, value in chosen.switches.items()
    }
    return {
        "edition": chosen.edition,
        "switches": plain(switches),
        "balance": plain(start_credit(chosen.behaviours)),
        "limits": start_limits(kind, chosen.behaviours),
        **{name: [] for name in _lists(kind)},
    }


def _read_record(takes: Mapping[str, str], record: object) -> dict[str, Any]:
    """What is taken of a record: enough to add the same one."""
    values = {name: getattr(record, name, UNSET) for name in (text.rstrip("!") for text in takes)}
    return {name: plain(value) for name, value in values.items() if value is not UNSET}


def restore(
    accounts: Accounts, controls: Controls, source: Mapping[str, Any] | str | os.PathLike[str]
) -> None:
    """Give a new server the state of a mapping or a file of JSON; ValueError says what is wrong."""
    if isinstance(source, Mapping):
        text = json.dumps(plain(source))
    else:
        text = read_text(source, "state file", InvalidRequest)
    with _locate_errors(""):
        try:
            # Fractions stay as they were written, so that amounts of money are exact.
            state = json.loads(text, parse_float=Decimal, object_pairs_hook=_read_pairs)
        except (ValueError, ArithmeticError, RecursionError) as error:
            raise ValueError(f"it is not JSON: {error}") from None
        state = read(_STATE, KINDS["object"](state))
        if type(state["format"]) is not int or state["format"] != FORMAT:
            raise ValueError(f"this version reads the format {FORMAT}, not {state['format']!s:.40}")
        for index, (name, record) in enumerate((state.get("accounts") or {}).items()):
            owner = accounts.find(name)
            is_key = owner is not None and owner.name != name
            with _locate_errors(f".accounts[{index}]" if is_key else f".accounts.{name:.60}"):
                _restore(accounts, controls, name, read(_ACCOUNT, KINDS["object"](record)))


def _read_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("an object has a name twice")
    return values


def _restore(accounts: Accounts, control: Controls, name: str, account: Mapping[str, Any]) -> None:
    parts: dict[str, dict[str, Any]] = {}
    keys: dict[str, dict[str, Key]] = {}
    for vendor, record in (account.get("vendors") or {}).items():
        with _locate_errors(f".vendors.{vendor:.60}"):
            if vendor not in accounts.kinds:
                raise ValueError(f"the vendors of this server are {', '.join(accounts.kinds)}")
            kind = accounts.kinds[vendor]
            takes = _VENDOR | dict.fromkeys(("keys", *_lists(kind)), "objects")
            parts[vendor] = part = read(takes, KINDS["object"](record))
            pairs = _for_each(part, "keys", functools.partial(_read_key, kind, name))
            keys[vendor] = dict(pairs)
            if len(keys[vendor]) < len(pairs):
                raise ValueError("keys has a key twice")
    if name == MAIN:
        main, kinds = accounts.main, accounts.kinds.items()
        main.first_keys = {n: {**kind.first_keys, **keys.get(n, {})} for n, kind in kinds}
        opened = main
    else:
        opened = accounts.open(name, keys=keys)
    controls = {vendor: control(opened, vendor) for vendor in accounts.kinds}
    # A reset gives the account another world with every vendor: all of them come first.
    for vendor, part in parts.items():
        with _locate_errors(f".vendors.{vendor}"):
            controls[vendor].reset(edition=part.get("edition"), switches=part.get("switches"))
    for vendor, part in parts.items():
        with _locate_errors(f".vendors.{vendor}"):
            _fill(controls[vendor], part)
    first = next(iter(controls.values()))
    _for_each(account, "faults", functools.partial(_FAULT, first, ""))
    for operation, seconds in (account.get("latency") or {}).items():
        with _locate_errors(f".latency.{operation:.60}"):
            first.set_latency(operation, *KINDS["seconds"](seconds))


def _fill(control: Any, part: Mapping[str, Any]) -> None:
    for name, change in (("balance", control.set_balance), ("limits", control.set_limits)):
        if part.get(name) is not None:
            with _locate_errors(f".{name}"):
                change(part[name])
    for name, (_, adding) in _lists(control.world.kind).items():
        _for_each(part, name, functools.partial(adding, control, ""))


def _read_key(kind: VendorKind, account: str, record: Mapping[str, Any]) -> tuple[str, Key]:
    values = {name: value for name, value in read(_KEY, record).items() if value is not None}
    text, client = values.pop("key"), next(iter(kind.first_keys.values())).client
    check_key(text)
    if client is None and "client" in values:
        raise ValueError("a key of this vendor has no client")
    if client is not None and account != MAIN:
        client = f"{client}-{account}"
    return text, Key(**{"kind": KeyKind.LIVE, "client": client, **values})


def _for_each(part: Mapping[str, Any], name: str, act: Callable[[Any], Any]) -> list[Any]:
    results = []
    for index, record in enumerate(part.get(name) or ()):
        with _locate_errors(f".{name}[{index}]"):
            results.append(act(record))
    return results


class _WrongError(ValueError):
    """A mistake in a state: its place there, and what is wrong."""

    def __str__(self) -> str:
        place, problem = self.args
        where = f" at {place.removeprefix('.')}" if place else ""
        return f"the state is wrong{where}: {problem}"


@contextlib.contextmanager
def _locate_errors(place: str) -> Iterator[None]:
    try:
        yield
    except (ValueError, TypeError, LookupError) as error:
        inner = error.args[0] if isinstance(error, _WrongError) else ""
        raise _WrongError(place + inner, error.args[-1]) from None
