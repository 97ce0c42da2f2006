"""The mock's vendors: this package's subpackages, and entry points of other distributions."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint
from pathlib import Path
from pkgutil import iter_modules

from facematch_core.config.plugins import (
    ALIASES,
    BACKENDS,
    SEPARATE_PACKAGES,
    entry_points_by_name,
    find_beside,
    install_hint,
    problem_of_claim,
)
from facematch_mock_server.claims import MOCK_CLAIMS, Claim

from .base import Vendor

#: The entry point group for vendors of other distributions; each entry point is a `Vendor`.
GROUP = "facematch.mock_vendors"
#: The name of a vendor that the mock does not know, which is in no list.
UNKNOWN = "unknown"
#: The vendor that is imitated if none is named.
DEFAULT = "didit"


def _folders() -> tuple[str, ...]:
    return tuple(module.name for module in iter_modules(__path__) if module.ispkg)


def _plugged_in() -> dict[str, EntryPoint]:
    """Return the entry points of other distributions by the names that they may have."""
    points = {}
    for name, claims in entry_points_by_name(GROUP).items():
        for point in claims:
            if name not in _folders() and problem_of_claim(point, claims) is None:
                points[name] = point
    return points


@cache
def vendor_names() -> tuple[str, ...]:
    return tuple(sorted({*_folders(), *_plugged_in()}))


def find_file(vendor: str, file_name: str) -> Path | None:
    """Return a file beside a vendor's module, such as `page.mjs`; None if the vendor has none.

    The vendor may be unknown, because a request may name it. No vendor is loaded.
    """
    if vendor not in vendor_names():
        return None
    is_bundled = vendor in _folders()
    module = f"{__name__}.{vendor}" if is_bundled else _plugged_in()[vendor].module
    return find_beside(module, file_name)


@cache
def vendor_named(name: str) -> Vendor:
    """Return the vendor with this name. Raises ValueError if there is none."""
    if name == UNKNOWN:
        unknown: Vendor = import_module(f"{__name__}.{name}").VENDOR
        return unknown
    if name in _folders():
        bundled: Vendor = import_module(f"{__name__}.{name}.vendor").VENDOR
        return bundled
    point = _plugged_in().get(name)
    if point is None:
        raise ValueError(_explain_unknown(name))
    brought = point.load()
    if not isinstance(brought, Vendor) or brought.name != name:
        raise ValueError(f"the entry point {name} = {point.value} of {GROUP} is not a Vendor")
    return brought


def _explain_unknown(name: str) -> str:
    """Return why there is no vendor with a name, and what to do."""
    claims = entry_points_by_name(GROUP).get(name)
    if claims:
        return str(problem_of_claim(claims[0], claims))
    if name in SEPARATE_PACKAGES and name not in entry_points_by_name(BACKENDS):
        return f"unknown vendor {name}: {install_hint(SEPARATE_PACKAGES[name])}"
    for alias in entry_points_by_name(ALIASES).get(name, []):
        if alias.value in vendor_names():
            return f"unknown vendor {name}: did you mean {alias.value}?"
    if "," in name:
        return f"name each vendor apart, not {name}: --vendor NAME --vendor NAME"
    return f"unknown vendor {name}; the mock has {', '.join(vendor_names())}"


def vendors_with_hosts() -> tuple[str, ...]:
    """Return the names of the vendors that have public hosts; loads all vendors."""
    vendors = [vendor_named(name) for name in vendor_names()]
    return tuple(vendor.name for vendor in vendors if vendor.hosts or vendor.demo_hosts)


def all_claims(vendor: str | None = None) -> tuple[Claim, ...]:
    """Return the claims about one vendor (None: all vendors), then the claims about the mock."""
    names = vendor_names() if vendor is None else (vendor,)
    return (*(claim for name in names for claim in vendor_named(name).claims), *MOCK_CLAIMS)
