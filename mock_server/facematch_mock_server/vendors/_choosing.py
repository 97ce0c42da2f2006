"""Editions and switches of several vendors, from how they are written in one call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

from ._kind import VendorKind


@attrs.define
class Chosen:
    """What is set of one vendor.

    Attributes:
        edition: None for the vendor's default.
        switches: By name, without the vendor's.
    """

    edition: str | None = None
    switches: dict[str, Any] = attrs.field(factory=dict)


def choose_each(
    kinds: Sequence[VendorKind],
    edition: str | Mapping[str, str] | None,
    switches: Mapping[str, Any] | None,
) -> dict[str, Chosen]:
    """What is set of each vendor, by its name, in their order.

    Args:
        kinds: The vendors, at least one.
        edition: Of the first vendor that has it, or by name of the vendor.
        switches: By name, for the first vendor that has such a switch; by ``vendor.name``; or a
            mapping of them by name of the vendor.

    Raises:
        ValueError: a vendor that is not among them, or a switch that is named twice. Whether a
            vendor takes a value is not asked here.
    """
    chosen = {kind.name: Chosen() for kind in kinds}
    if isinstance(edition, Mapping):
        for vendor, name in edition.items():
            _of(chosen, vendor).edition = name
    elif edition is not None:
        has = (kind for kind in kinds if edition in kind.editions)
        chosen[next(has, kinds[0]).name].edition = edition
    for vendor, name, value in _flat(kinds, switches or {}):
        mine = _of(chosen, vendor).switches
        if name in mine:
            raise ValueError(f"the switch {vendor}.{name} is given twice")
        mine[name] = value
    return chosen


def owner_of(kinds: Sequence[VendorKind], word: str) -> tuple[str, str]:
    """Whose switch a word is, and its bare name.

    The first vendor is meant if none has it.
    """
    vendor, dot, name = word.partition(".")
    if dot:
        return vendor, name
    has = (kind.name for kind in kinds if word in kind.switches or word in kind.settings)
    return next(has, kinds[0].name), word


def _flat(
    kinds: Sequence[VendorKind], switches: Mapping[str, Any]
) -> Iterable[tuple[str, str, Any]]:
    for word, value in switches.items():
        if isinstance(value, Mapping):
            yield from ((word, name, one) for name, one in value.items())
        else:
            yield (*owner_of(kinds, word), value)


def _of(chosen: dict[str, Chosen], vendor: str) -> Chosen:
    if vendor not in chosen:
        raise ValueError(f"there is no vendor {vendor} here; there is {', '.join(chosen)}")
    return chosen[vendor]
