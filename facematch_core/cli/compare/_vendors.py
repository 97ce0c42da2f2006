"""From ``NAME:KEY=VALUE,...`` to simulated vendors and groups."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import click

from facematch_core.comparison.simulation import GroupRates, SimulatedVendor
from facematch_core.models import ThresholdRule

#: What a price is in unless told otherwise.
CURRENCY: Final = "USD"


def vendor_of(text: str) -> SimulatedVendor:
    """A vendor, as typed.

    Raises:
        click.UsageError: an unknown key, or a value of another kind.
        InvalidRequest: a value is out of range.
    """
    name, keys = _parted("--vendor", text, example="good:fmr=1e-3,fnmr=0.01")
    own: dict[str, Any] = {}
    groups: dict[str, dict[str, float]] = {}
    columns: set[str] = set()
    for key, value in keys.items():
        column, _, of = key.partition(".")
        group, _, rate = of.rpartition(".")
        if group and rate in ("fmr", "fnmr"):
            columns.add(column)
            groups.setdefault(group, {})[rate] = _read(name, key, value, float)
        elif key in _KINDS:
            own[key] = _read(name, key, value, _KINDS[key])
        else:
            known = ", ".join(_KINDS)
            raise click.UsageError(
                f"--vendor {name[:60]}: there is no {key[:60]!r}; there are {known}, and "
                "COLUMN.GROUP.fmr and COLUMN.GROUP.fnmr."
            )
    if len(columns) > 1:
        raise click.UsageError(f"--vendor {name[:60]}: groups of one column only can differ.")
    if own.get("price") is not None:
        own.setdefault("currency", CURRENCY)
    vendor = SimulatedVendor(name=name, **own)
    rates = {"fmr": vendor.fmr, "fnmr": vendor.fnmr}
    return SimulatedVendor(
        name=name,
        **own,
        column=next(iter(columns), None),
        groups={group: GroupRates(**rates | told) for group, told in groups.items()},
    )


def groups_of(texts: Iterable[str]) -> Mapping[str, Mapping[str, float]]:
    """Column to group to its part of the people, as typed.

    Raises:
        click.UsageError: a part is no number, or a column comes twice.
    """
    found: dict[str, Mapping[str, float]] = {}
    for text in texts:
        column, parts = _parted("--group", text, example="sex:f=0.5,m=0.5")
        if column in found:
            raise click.UsageError(f"--group {column[:60]} is given twice.")
        found[column] = {
            group: _read(column, group, part, float, option="--group")
            for group, part in parts.items()
        }
    return found


def _parted(option: str, text: str, *, example: str) -> tuple[str, dict[str, str]]:
    name, _, rest = text.partition(":")
    if not name.strip():
        raise click.UsageError(f"{option} {text[:60]!r} has no name: write {example}.")
    read: dict[str, str] = {}
    for word in filter(None, map(str.strip, rest.split(","))):
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise click.UsageError(f"{option} {name[:60]}: {word[:60]!r} is not name=value.")
        if key in read:
            raise click.UsageError(f"{option} {name[:60]}: {key[:60]} is given twice.")
        read[key] = value
    return name.strip(), read


def _read(
    name: str, key: str, value: str, kind: Callable[[str], Any], *, option: str = "--vendor"
) -> Any:
    try:
        return kind(value.strip())
    except (KeyError, ValueError):
        raise click.UsageError(
            f"{option} {name[:60]}: {key[:60]} cannot be {value[:40]!r}."
        ) from None


def _decimals(text: str) -> int | None:
    return None if text == "none" else int(text)


#: What may be said of a vendor, and how it is read.
_KINDS: Final[Mapping[str, Callable[[str], Any]]] = {
    **dict.fromkeys(
        (
            "fmr",
            "fnmr",
            "threshold",
            "goats",
            "wolves",
            "common",
            "fta",
            "outage",
            "latency_s",
            "price",
        ),
        float,
    ),
    "rule": ThresholdRule,
    "decimals": _decimals,
    "decisions_only": {"true": True, "false": False}.__getitem__,
    "currency": str,
}
