"""JSON that a test makes up: checked and copied, so that it can be sent whatever comes later."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

#: Levels, so that whatever writes it down comes to an end.
DEEPEST = 50


def own_json(value: Any, depth: int = 0) -> Any:
    """A copy of `value` as JSON holds it.

    Raises:
        ValueError: it cannot stand in JSON, or is nested too deeply.
    """
    if depth > DEEPEST:
        raise ValueError(f"what a test makes up is nested {DEEPEST} levels deep at most")
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, (float, Decimal)) and math.isfinite(float(value)):
        return float(value)
    if isinstance(value, (list, tuple)):
        return [own_json(one, depth + 1) for one in value]
    if isinstance(value, dict) and all(isinstance(name, str) for name in value):
        return {name: own_json(one, depth + 1) for name, one in value.items()}
    raise ValueError(
        "what a test makes up is JSON, with names that are texts and numbers that are finite; "
        f"a {type(value).__name__} there cannot be sent"
    )
