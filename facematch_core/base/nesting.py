"""JSON without a RecursionError: Python's own parser gives up at a depth that it does not name."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["TooDeep", "load_json"]


class TooDeep(ValueError):
    """The JSON is nested deeper than Python reads. The message holds nothing of the text."""

    def __init__(self) -> None:
        super().__init__("nested too deeply")


def load_json(text: str | bytes | bytearray, **hooks: Any) -> Any:
    """Parse JSON as `json.loads` does, with its arguments.

    Raises:
        TooDeep: it is nested deeper than Python reads.
        ValueError: it is not JSON.
    """
    try:
        return json.loads(text, **hooks)
    except RecursionError:
        pass
    # Outside the except block: the frames of an exception hold the text.
    raise TooDeep
