"""Who is wrong about what: one list, to which each saboteur adds itself."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import attrs

from facematch_core.backend import Backend, Capabilities

from ._paragon import ParagonBackend

B = TypeVar("B", bound=type[Backend])


@attrs.frozen(kw_only=True)
class Saboteur:
    """A backend with one fault.

    Attributes:
        name: Of its class.
        rule: Number of the rule that must catch it, for example ``R07``.
        fault: What is wrong with it, in a sentence.
        backend: Its class; it is opened with the paragon's vendor.
    """

    name: str
    rule: str
    fault: str
    backend: type[Backend]


#: By name, in the order in which they were registered.
SABOTEURS: dict[str, Saboteur] = {}


def caught_by(rule: str) -> Callable[[B], B]:
    """Register a saboteur that `rule` must catch."""

    def register(cls: B) -> B:
        name = cls.__name__
        if name in SABOTEURS:
            raise ValueError(f"Two saboteurs are called {name}.")
        fault = " ".join((inspect.getdoc(cls) or "").partition("\n\n")[0].split())
        SABOTEURS[name] = Saboteur(name=name, rule=rule, fault=fault, backend=cls)
        return cls

    return register


def can(**changes: Any) -> Capabilities:
    """What the paragon declares, but for `changes`."""
    return attrs.evolve(ParagonBackend.capabilities, **changes)
