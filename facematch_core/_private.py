"""Make of a vendor's body what a result may carry: plain JSON, without what is private."""

from __future__ import annotations

import datetime as dt
import decimal
import math
from collections.abc import Collection, Mapping
from typing import Any

#: What stands in place of an address that leads to a picture.
MASKED = "(address removed)"

#: Deeper than this no vendor's body is; what lies below is left out.
MAX_DEPTH = 64

_DEMOGRAPHIC = frozenset({"age", "gender", "race"})

#: Of exactly these types a value is JSON as it is. (A float may be NaN.)
_PLAIN = frozenset({str, int, bool, type(None)})


def without_private(
    body: Any,
    *,
    demographic_keys: Collection[str] = _DEMOGRAPHIC,
    media_keys: Collection[str] = (),
) -> Any:
    """A copy of a decoded body as plain JSON, without demographics, media addresses masked.

    What is no JSON (bytes, NaN, an object of a vendor's library) is replaced by a text that names
    its type, except that times and decimals are written out.

    Args:
        body: Any decoded value; it is not changed.
        demographic_keys: Keys to leave out, at any depth.
        media_keys: Keys whose values are replaced, at any depth.
    """

    def copied(value: Any, depth: int) -> Any:
        # Most values, and before the question for a Mapping, which is slow to answer.
        if type(value) in _PLAIN:
            return value
        if type(value) is float:
            return _leaf(value)
        if isinstance(value, (dict, list, tuple, Mapping)) and depth == MAX_DEPTH:
            return "(left out: too deep)"
        if isinstance(value, (dict, Mapping)):
            return {
                str(key): MASKED
                if key in media_keys and item is not None
                else copied(item, depth + 1)
                for key, item in value.items()
                if key not in demographic_keys
            }
        if isinstance(value, (list, tuple)):
            return [copied(item, depth + 1) for item in value]
        return _leaf(value)

    return copied(body, 0)


def _leaf(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, (dt.date, dt.time)):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return str(value)
    return f"(left out: {type(value).__name__})"
