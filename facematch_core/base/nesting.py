"""Parse JSON, but raise ValueError instead of RecursionError for deep nesting."""

from __future__ import annotations

import json
from typing import Any


class TooDeep(ValueError):
    """The JSON is nested too deeply for Python. The message contains nothing from the text."""

    def __init__(self) -> None:
        super().__init__("nested too deeply")


def load_json(text: str | bytes | bytearray, **hooks: Any) -> Any:
    """Parse JSON like `json.loads`, with the same arguments; raise `ValueError` if invalid."""
    try:
        return json.loads(text, **hooks)
    except RecursionError:
        pass
    # Raised outside the except block, because the traceback keeps the text alive.
    raise TooDeep
