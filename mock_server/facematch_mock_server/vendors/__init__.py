"""The vendors that the mock imitates, by name; each is loaded when it is first asked for."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from facematch_mock_server.claims import VENDORS

from ._choosing import Chosen, choose_each, owner_of
from ._kind import NUMBERS, Errand, Records, VendorBehaviour, VendorKind

__all__ = [
    "NUMBERS",
    "VENDORS",
    "Chosen",
    "Errand",
    "Records",
    "VendorBehaviour",
    "VendorKind",
    "choose_each",
    "owner_of",
    "vendor_named",
]


@cache
def vendor_named(name: str) -> VendorKind:
    """The vendor of that name.

    Raises:
        ValueError: the mock does not know it.
    """
    if name not in VENDORS:
        raise ValueError(f"the mock knows no vendor {name}; known: {', '.join(VENDORS)}")
    kind: VendorKind = import_module(f"{__name__}.{name}._kind").KIND
    return kind
