"""The vendors of the mock, each in a folder here or in an entry point of another distribution."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from facematch_mock_server.claims import MOCK_CLAIMS, Claim

from .base import Vendor

#: The group of entry points for vendors of other distributions: each names a `Vendor`.
GROUP = "facematch.mock_vendors"


def _folders() -> tuple[str, ...]:
    return tuple(module.name for module in iter_modules(__path__) if module.ispkg)


@cache
def vendor_names() -> tuple[str, ...]:
    from importlib.metadata import entry_points  # imported here: 15 ms

    return tuple(sorted({*_folders(), *(point.name for point in entry_points(group=GROUP))}))


@cache
def vendor_named(name: str) -> Vendor:
    """Return the vendor with this name. Raises ValueError if there is none."""
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
    """Return the claims of one vendor (None: of all), then the claims of the mock itself."""
    names = vendor_names() if vendor is None else (vendor,)
    return (*(claim for name in names for claim in vendor_named(name).claims), *MOCK_CLAIMS)
