"""The verbs of the control API as a table: what each takes and gives in JSON."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import attrs

from ._ledger import Charge
from .claims import Claim
from .control import Control
from .faults import Fault
from .vendors import Vendor, vendor_named

Body = dict[str, Any]
Verb = Callable[[Control, str, Body], Any]


def plain(value: Any) -> Any:
    """`value` as JSON can hold it: times in ISO 8601, amounts of money as text."""
    for kind, shape in _SHAPES:
        if isinstance(value, kind):
            return shape(value)
    if attrs.has(type(value)):
        return {f.name: plain(getattr(value, f.name)) for f in attrs.fields(type(value))}
    return str(value)


def _same(value: Any) -> Any:
    return value


_SHAPES: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    ((type(None), bool, int, float, str), _same),
    (dt.date, lambda day: day.isoformat()),
    (Decimal, "{:.4f}".format),
    (Mapping, lambda known: {str(name): plain(one) for name, one in known.items()}),
    ((list, tuple), lambda many: [plain(one) for one in many]),
    ((set, frozenset), lambda many: sorted(plain(one) for one in many)),
)


def _only(body: Body, *known: str) -> Body:
    unknown = sorted(set(body) - set(known))
    if unknown:
        raise ValueError(f"there is no {unknown[0]} here; there is {', '.join(known) or 'nothing'}")
    return body


def _need(body: Body, name: str, *more: str) -> Any:
    _only(body, name, *more)
    if name not in body:
        raise ValueError(f"{name} is missing")
    return body[name]


def _text(body: Body, name: str) -> str | None:
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{name} is a text")
    return value


def _overview(control: Control, _: str, __: Body) -> Any:
    vendor, vendors = control.behaviours()["vendor"], control.vendors()
    below = "" if vendor == vendors[0] else f"{vendor}/"
    return {
        "vendor": vendor,
        "edition": control.behaviours()["edition"],
        "vendors": list(vendors),
        "verbs": [
            f"{method} /__mock__/{below}{name}" for method, name in verbs_of(vendor_named(vendor))
        ],
    }


def _number(value: Any) -> Any:
    # A fraction arrives as a Decimal, and may be sent as text like an amount of money.
    try:
        return float(value) if isinstance(value, (Decimal, str)) else value
    except ValueError:
        raise ValueError("that is no number") from None


def _set_outcome(control: Control, _: str, body: Body) -> Any:
    kind = _need(body, "kind", *_OUTCOME)
    numbers = {"score", "quality", "luminance", "age"}
    found = {name: _number(v) if name in numbers else v for name, v in body.items()}
    del found["kind"]
    return plain(control.set_outcome(kind, **found))


_OUTCOME = (
    "score",
    "review",
    "faces",
    "attack",
    "quality",
    "luminance",
    "blocklist",
    "duplicate",
    "age",
    "times",
    "digest",
)


def _add_fault(control: Control, _: str, body: Body) -> Any:
    _need(body, "stage", *(f.name for f in attrs.fields(Fault)))
    _need(body, "kind", *(f.name for f in attrs.fields(Fault)))
    numbers = {"chance", "seconds"}
    fault = Fault(**{n: _number(value) if n in numbers else value for n, value in body.items()})
    control.add_fault(fault)
    return plain(fault)


def _advance(control: Control, _: str, body: Body) -> Any:
    return {"now": plain(control.advance(_number(_need(body, "seconds"))))}


def _ledger(control: Control, owner: str, _: Body) -> Any:
    whose = {"owner": owner} if owner else {}
    return {
        "balance": plain(control.balance(**whose)),
        "entries": [_charge(c) for c in control.charges(**whose)],
    }


def _charge(charge: Charge) -> Any:
    return plain(charge)


def _set_balance(control: Control, _: str, body: Body) -> Any:
    balance, owner = _need(body, "balance", "owner"), _text(body, "owner")
    whose = {} if owner is None else {"owner": owner}
    control.set_balance(balance, **whose)
    return {"balance": plain(control.balance(**whose))}


def _add_key(control: Control, _: str, body: Body) -> Any:
    _only(body, "kind", "key", "allowed", "expires", "client")
    expires, allowed = _text(body, "expires"), body.get("allowed", True)
    if type(allowed) is not bool:
        raise ValueError("allowed is true or false")
    key = control.add_key(
        _text(body, "kind") or "live",
        key=_text(body, "key"),
        allowed=allowed,
        expires=None if expires is None else dt.date.fromisoformat(expires),
        client=_text(body, "client"),
    )
    return {"key": key}


def _revoke_key(control: Control, _: str, body: Body) -> Any:
    _need(body, "key")
    control.revoke_key(_text(body, "key") or "")
    return {}


def _set_limits(control: Control, _: str, body: Body) -> Any:
    control.set_limits(_only(body, *control.limits()))
    return control.limits()


def _reset(control: Control, _: str, body: Body) -> Any:
    _only(body, "edition", "switches")
    switches = body.get("switches")
    if switches is not None and not isinstance(switches, dict):
        raise ValueError("switches is an object")
    control.reset(edition=_text(body, "edition"), switches=switches)
    return plain(control.behaviours())


def _claim(claim: Claim) -> Any:
    return {
        "id": claim.id,
        "statement": claim.statement,
        "known": str(claim.origin.known),
        "source": claim.origin.document,
        "read": claim.origin.read,
    }


def _explain(control: Control, claim_id: str, _: Body) -> Any:
    return {"text": control.explain(claim_id)}


def _done(verb: Callable[[Control], None]) -> Verb:
    def answer(control: Control, _: str, body: Body) -> Any:
        _only(body)
        verb(control)
        return {}

    return answer


def _read(name: str, verb: Callable[[Control], Any]) -> Verb:
    return lambda control, _, __: {name: plain(verb(control))}


#: By method and path below the prefix; {} is the rest of the path.
VERBS: dict[tuple[str, str], Verb] = {
    ("GET", ""): _overview,
    ("GET", "outcomes"): _read("outcomes", Control.outcomes),
    ("POST", "outcomes"): _set_outcome,
    ("POST", "outcomes/clear"): _done(Control.clear_outcomes),
    ("GET", "faults"): _read("faults", Control.faults),
    ("POST", "faults"): _add_fault,
    ("POST", "faults/clear"): _done(Control.clear_faults),
    ("GET", "clock"): _read("now", Control.now),
    ("POST", "clock/advance"): _advance,
    ("GET", "ledger"): _ledger,
    ("GET", "ledger/{}"): _ledger,
    ("POST", "ledger/balance"): _set_balance,
    ("GET", "keys"): _read("keys", Control.keys),
    ("POST", "keys"): _add_key,
    ("POST", "keys/revoke"): _revoke_key,
    ("GET", "limits"): lambda control, _, __: control.limits(),
    ("POST", "limits"): _set_limits,
    ("GET", "behaviours"): lambda control, _, __: plain(control.behaviours()),
    ("GET", "journal"): lambda control, _, __: {
        "entries": [entry.to_dict() for entry in control.journal()]
    },
    ("POST", "journal/clear"): _done(Control.clear_journal),
    ("GET", "sessions"): _read("sessions", Control.sessions),
    ("POST", "reset"): _reset,
    ("GET", "claims"): lambda control, _, __: {"claims": [_claim(c) for c in control.claims()]},
    ("GET", "claims/{}"): _explain,
}


@functools.cache
def verbs_of(vendor: Vendor) -> Mapping[tuple[str, str], Verb]:
    """The verbs of every vendor, and those of its extensions."""
    found = dict(VERBS)
    for extension in vendor.extensions.values():
        found.update(extension.operations(plain))
    return found
