"""Who is wrong about what: one list, to which each saboteur adds itself."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import attrs

from facematch_core.backend import Backend, Capabilities
from facematch_core.testing._double import VendorDouble

from ._paragon import ParagonBackend, ParagonDouble

B = TypeVar("B", bound=type[Backend])


@attrs.frozen(kw_only=True)
class Saboteur:
    """A backend with one fault.

    Attributes:
        name: Of its class.
        rule: Number of the rule that must catch it, for example ``R07``.
        fault: What is wrong with it, in a sentence.
        backend: Its class.
        double: Makes the double that it is opened with, of its class.
    """

    name: str
    rule: str
    fault: str
    backend: type[Backend]
    double: Callable[[type[Backend]], VendorDouble] = ParagonDouble

    def make(self) -> VendorDouble:
        """A fresh double that opens this backend."""
        return self.double(self.backend)


#: By name, in the order in which they were registered.
SABOTEURS: dict[str, Saboteur] = {}


def caught_by(
    rule: str, *, double: Callable[[type[Backend]], VendorDouble] = ParagonDouble
) -> Callable[[B], B]:
    """Register a saboteur that `rule` must catch.

    Args:
        rule: Its number.
        double: Makes the double that the saboteur is opened with, of its class.
    """

    def register(cls: B) -> B:
        name = cls.__name__
        if name in SABOTEURS:
            raise ValueError(f"Two saboteurs are called {name}.")
        fault = " ".join((inspect.getdoc(cls) or "").partition("\n\n")[0].split())
        SABOTEURS[name] = Saboteur(name=name, rule=rule, fault=fault, backend=cls, double=double)
        return cls

    return register


def can(**changes: Any) -> Capabilities:
    """What the paragon declares, but for `changes`."""
    return attrs.evolve(ParagonBackend.capabilities, **changes)
