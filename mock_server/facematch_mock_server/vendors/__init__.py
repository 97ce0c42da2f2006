"""The vendors that the mock imitates: each is a folder here, or another distribution's entry point.

One of another distribution is a `Vendor` that an entry point of the group
``facematch.mock_vendors`` names.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from facematch_mock_server import claims
from facematch_mock_server.claims import Claim, mock

from .base import (
    NUMBERS,
    Chosen,
    Errand,
    Extension,
    Records,
    Vendor,
    VendorBehaviour,
    choose_each,
    owner_of,
)

__all__ = [
    "GROUP",
    "NUMBERS",
    "Chosen",
    "Errand",
    "Extension",
    "Records",
    "Vendor",
    "VendorBehaviour",
    "all_claims",
    "choose_each",
    "claims_page",
    "explain",
    "owner_of",
    "vendor_named",
    "vendor_names",
]

#: Entry points by which other distributions bring vendors.
GROUP = "facematch.mock_vendors"


def _folders() -> tuple[str, ...]:
    return tuple(found.name for found in iter_modules(__path__) if found.ispkg)


@cache
def vendor_names() -> tuple[str, ...]:
    """The names of all vendors, in alphabetical order."""
    from importlib.metadata import entry_points  # not above: 15 ms of a start

    return tuple(sorted({*_folders(), *(point.name for point in entry_points(group=GROUP))}))


@cache
def vendor_named(name: str) -> Vendor:
    """The vendor of that name.

    Raises:
        ValueError: the mock does not know it.
    """
    # Those of this distribution are found without entry points, which take 15 ms to read.
    if name in _folders():
        bundled: Vendor = import_module(f"{__name__}.{name}.vendor").VENDOR
        return bundled
    from importlib.metadata import entry_points

    for point in entry_points(group=GROUP, name=name):
        brought = point.load()
        if not isinstance(brought, Vendor) or brought.name != name:
            raise ValueError(f"the entry point {name} = {point.value} of {GROUP} names no Vendor")
        return brought
    raise ValueError(f"the mock knows no vendor {name}; known: {', '.join(vendor_names())}")


def all_claims(vendor: str | None = None) -> tuple[Claim, ...]:
    """The claims about one vendor with those of the mock itself; of all vendors for None.

    Raises:
        ValueError: no such vendor.
    """
    names = vendor_names() if vendor is None else (vendor,)
    return (*(claim for name in names for claim in vendor_named(name).claims), *mock.CLAIMS)


def explain(claim_id: str) -> str:
    """One claim in a few lines.

    Raises:
        LookupError: there is none of that id; the message names the nearest.
    """
    return claims.explain(all_claims(), claim_id)


def claims_page(vendor: str) -> str:
    """The claims about `vendor` as a page of Markdown.

    Raises:
        ValueError: no such vendor.
    """
    return claims.claims_page(vendor_named(vendor).title, all_claims(vendor))
