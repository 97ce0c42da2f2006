"""JSON is read down to a depth of ours: that of Python differs by version and by the stack."""

from __future__ import annotations

import json
from typing import Any, Final

__all__ = ["MAX_DEPTH", "TooDeep", "load_json"]

#: How many objects and lists may lie in each other.
MAX_DEPTH: Final = 100


class TooDeep(ValueError):
    """JSON is nested more than `MAX_DEPTH` deep. It says that alone, and holds nothing of it."""

    def __init__(self) -> None:
        super().__init__("nested too deeply")


def load_json(text: str | bytes | bytearray, **hooks: Any) -> Any:
    """What `json.loads` reads, with its arguments.

    Raises:
        TooDeep: it is nested more than `MAX_DEPTH` deep.
        ValueError: it is not JSON.
    """
    try:
        document = json.loads(text, **hooks)
    except RecursionError:
        is_deep = True
    else:
        is_deep = _is_deep(document)
    # Outside of the except clause: an exception's frames hold the text.
    if is_deep:
        raise TooDeep
    return document


def _is_deep(document: Any) -> bool:
    # By levels, not by recursion.
    level = [document] if isinstance(document, (dict, list)) else []
    for _ in range(MAX_DEPTH):
        if not level:
            return False
        level = [
            inner
            for item in level
            for inner in (item.values() if isinstance(item, dict) else item)
            if isinstance(inner, (dict, list))
        ]
    return bool(level)
