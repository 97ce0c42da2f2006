"""Which rules prove what a backend declares."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import attrs

from facematch_core import Operation, Retention, ThresholdRule
from facematch_core.backend import Backend, Capabilities, ImageLimits

from ._card import CapabilityLine
from ._running import Status

#: What is told of a capability; None where it is not declared.
Told = Callable[[Capabilities], str | None]


@attrs.frozen
class Proof:
    """How one declared capability is proved.

    Attributes:
        fields: The fields of `Capabilities` that declare it.
        told: What they declare.
        rules: Numbers of the rules that prove it.
    """

    fields: tuple[str, ...]
    told: Told
    rules: tuple[str, ...]


def _yes(holds: object) -> str | None:
    return "yes" if holds else None


def _operation(*operations: Operation) -> Told:
    return lambda can: _yes(set(operations) <= can.operations)


def _words(members: frozenset[Operation]) -> str | None:
    return ", ".join(one.value for one in Operation if one in members) or None


def _threshold(can: Capabilities) -> str | None:
    if can.threshold_rule is ThresholdRule.VENDOR:
        return None
    return can.threshold_rule.value.replace("_", " ")


def _default(can: Capabilities) -> str | None:
    told = (can.default_threshold, can.default_liveness_threshold)
    return " and ".join(f"{value:g}" for value in told if value is not None) or None


_OPERATIONS = ("operations",)

#: Every capability that a backend can declare, by what it is called on a card.
PROOFS: Mapping[str, Proof] = {
    "match": Proof(_OPERATIONS, _operation(Operation.MATCH), ("R01", "R06")),
    "liveness": Proof(_OPERATIONS, _operation(Operation.LIVENESS), ("R01", "R06")),
    "both in one call": Proof(
        _OPERATIONS, _operation(Operation.MATCH, Operation.LIVENESS), ("R33",)
    ),
    "rotate": Proof(("rotate",), lambda can: _yes(can.rotate), ("R26", "R42")),
    "keep": Proof(
        ("retention",), lambda can: _yes(Retention.KEEP in can.retention), ("R26", "R44")
    ),
    "caller_ref": Proof(("sends_caller_ref",), lambda can: _yes(can.sends_caller_ref), ("R26",)),
    "metadata": Proof(("sends_metadata",), lambda can: _yes(can.sends_metadata), ("R26",)),
    "own options": Proof(
        ("options",), lambda can: None if can.options is None else can.options.__name__, ("R26",)
    ),
    "threshold rule": Proof(("threshold_rule",), _threshold, ("R07", "R08", "R09")),
    "default threshold": Proof(
        ("default_threshold", "default_liveness_threshold"), _default, ("R45",)
    ),
    "scale of scores": Proof(("score_scale",), lambda can: can.score_scale, ("R02", "R03")),
    "scale of liveness": Proof(("liveness_scale",), lambda can: can.liveness_scale, ("R02", "R03")),
    "limits of pictures": Proof(
        ("image_limits",), lambda can: _yes(can.image_limits != ImageLimits()), ("R24",)
    ),
    "what is charged": Proof(
        ("billed_operations",),
        lambda can: _words(can.billed_operations),
        ("R16", "R17", "R18"),
    ),
}

#: What no rule holds a backend to, and why: it is on no card.
NO_RULE = {
    "rate_windows": "what the vendor publishes: only the vendor could prove it",
    "reports_faces": "a vendor may tell no face of a picture, so that nothing can be missed",
    "demographic_keys": "names what the core drops; R22 looks for what it dropped",
    "media_keys": "names what the core masks in `raw`",
}


def proved(backend: Backend, statuses: Mapping[str, Status]) -> tuple[CapabilityLine, ...]:
    """Everything that `backend` declares, and whether the rules proved it.

    Args:
        backend: The backend.
        statuses: What came out, by number of the rule.
    """
    lines = []
    can = backend.capabilities
    for name, proof in PROOFS.items():
        told = proof.told(can)
        if told is not None:
            lines.append(_line(name, told, proof.rules, statuses))
    if type(backend).reconcile is not Backend.reconcile:
        lines.append(_line("look into records", "yes", ("R32",), statuses))
    return tuple(lines)


def _line(
    name: str, told: str, rules: tuple[str, ...], statuses: Mapping[str, Status]
) -> CapabilityLine:
    met = {statuses.get(rule, Status.OPEN) for rule in rules}
    holds = Status.PASSED in met and not met & {Status.FAILED, Status.OPEN}
    return CapabilityLine(name=name, declared=told, proved=holds, rules=rules)
