"""The vendors that the mock imitates: each is a folder, or another distribution's entry point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from facematch_mock_server import claims
from facematch_mock_server.claims import MOCK_CLAIMS, Claim
from facematch_mock_server.world.kinds import Chosen

from .base import Vendor

#: Entry points by which other distributions bring vendors: each names a `Vendor`.
GROUP = "facematch.mock_vendors"


def _folders() -> tuple[str, ...]:
    return tuple(module.name for module in iter_modules(__path__) if module.ispkg)


@cache
def vendor_names() -> tuple[str, ...]:
    from importlib.metadata import entry_points  # not above: 15 ms of a start

    return tuple(sorted({*_folders(), *(point.name for point in entry_points(group=GROUP))}))


@cache
def vendor_named(name: str) -> Vendor:
    """The vendor of that name; ValueError if the mock does not know it."""
    # Those of this distribution are found without entry points, which take 15 ms to read.
    if name in _folders():
        bundled: Vendor = import_module(f"{__name__}.{name}.vendor").VENDOR
        return bundled
    from importlib.metadata import entry_points

    for point in entry_points(group=GROUP, name=name):
        brought = point.load()
        if not isinstance(brought, Vendor) or brought.name != name:
            raise ValueError(
                f"the entry point {name} = {point.value} of {GROUP} does not name a Vendor"
            )
        return brought
    raise ValueError(f"the mock knows no vendor {name}; known: {', '.join(vendor_names())}")


def all_claims(vendor: str | None = None) -> tuple[Claim, ...]:
    """The claims about one vendor with those of the mock itself; of all vendors for None."""
    names = vendor_names() if vendor is None else (vendor,)
    return (*(claim for name in names for claim in vendor_named(name).claims), *MOCK_CLAIMS)


def explain(claim_id: str) -> str:
    """One claim in a few lines; LookupError, which names the nearest, if there is none."""
    vendor = claim_id.partition(".")[0]
    switches = vendor_named(vendor).switches if vendor in vendor_names() else ()
    return claims.explain(all_claims(), claim_id, tuple(switches))


def choose_each(
    vendors: Sequence[Vendor],
    edition: str | Mapping[str, str] | None,
    switches: Mapping[str, Any] | None,
) -> dict[str, Chosen]:
    """How each vendor behaves, by name; a bare edition or switch is of the first that has it."""
    each: dict[str, dict[str, Any]] = {vendor.name: {} for vendor in vendors}

    def check(name: str) -> str:
        if name not in each:
            raise ValueError(f"there is no vendor {name} here; there is {', '.join(each)}")
        return name

    editions: Mapping[str, str] = edition if isinstance(edition, Mapping) else {}
    for name in editions:
        check(name)
    if isinstance(edition, str):
        owners = (vendor.name for vendor in vendors if edition in vendor.editions)
        editions = {next(owners, vendors[0].name): edition}
    for word, value in (switches or {}).items():
        owner, switch = (word, "") if isinstance(value, Mapping) else owner_of(vendors, word)
        settings = each[check(owner)]
        for name, setting in (value if isinstance(value, Mapping) else {switch: value}).items():
            if name in settings:
                raise ValueError(f"the switch {owner}.{name} is given twice")
            settings[name] = setting
    return {x.name: Chosen.of(x, editions.get(x.name), each[x.name]) for x in vendors}


def owner_of(vendors: Sequence[Vendor], word: str) -> tuple[str, str]:
    """Whose switch a word is, the first vendor's if none has it, and its bare name."""
    name, dot, switch = word.partition(".")
    if dot:
        return name, switch
    owners = (vendor.name for vendor in vendors if word in {*vendor.switches, *vendor.settings})
    return next(owners, vendors[0].name), word
