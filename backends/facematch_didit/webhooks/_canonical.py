"""The canonical JSON that the V2 signature signs. Pure.

As Didit's server, a Python program, writes it: whole floats as integers, keys in the order of
their code points, ``,`` and ``:`` without spaces, everything beyond ASCII as UTF-8. A program in
JavaScript writes some numbers otherwise (``1e-7`` for ``1e-07``); where that matters the raw
signature decides.

A whole float beyond `MOST` stays as it is, ``1e+23``: writers do not agree on those, and one of
six bytes would become an integer of 309 digits. Didit's own bodies have their integers written out
already, and those are read as they stand.
"""

from __future__ import annotations

import json
from typing import Any

#: The greatest power of ten that a float holds exactly.
MOST = 1e22


def folded(value: Any) -> Any:
    """A copy of a decoded JSON value in which every whole float up to `MOST` is an integer.

    Args:
        value: Objects and arrays at most some hundreds deep; numbers are finite.
    """
    if isinstance(value, dict):
        return {key: folded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [folded(item) for item in value]
    if isinstance(value, float) and abs(value) <= MOST and value.is_integer():
        return int(value)
    return value


def canonical(value: Any) -> bytes:
    """The canonical JSON of a decoded value.

    Raises:
        ValueError: it has none, because a text holds half of a surrogate pair, which UTF-8 cannot
            write, or a number is not finite.
    """
    text = json.dumps(
        folded(value),
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
        allow_nan=False,
    )
    return text.encode()
