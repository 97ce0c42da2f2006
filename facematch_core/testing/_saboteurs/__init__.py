"""Backends with one fault each, and the rule that must name it: the proof that the rules bite.

Each is the paragon, which keeps every rule, with one small method replaced. The modules are
untyped on purpose: what they do wrong is often what a type checker would refuse.
"""

from __future__ import annotations

from . import (  # noqa: F401 - each adds its saboteurs to the list
    _arriving,
    _decisions,
    _doubt,
    _mapping,
    _money,
    _privacy,
    _records,
    _refusals,
    _series,
    _settings,
    _shape,
    _sharing,
    _stranger_answers,
    _stranger_care,
    _stranger_money,
)
from ._paragon import ParagonBackend, ParagonDouble
from ._registry import SABOTEURS, Saboteur

__all__ = ["SABOTEURS", "ParagonBackend", "ParagonDouble", "Saboteur"]
