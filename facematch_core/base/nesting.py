"""JSON without a RecursionError, which Python's own parser raises at some depth."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["TooDeep", "load_json"]


class TooDeep(ValueError):
    """The JSON is nested deeper than Python reads. The message holds nothing of the text."""

    def __init__(self) -> None:
        super().__init__("nested too deeply")


def load_json(text: str | bytes | bytearray, **hooks: Any) -> Any:
    """Parse JSON as `json.loads` does, with its arguments; raises ValueError if it cannot."""
    try:
        return json.loads(text, **hooks)
    except RecursionError:
        pass
    # Outside the except block: the frames of an exception hold the text.
    raise TooDeep
