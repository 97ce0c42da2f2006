"""JSONPath in the bodies of requests."""

from __future__ import annotations

import functools
import json
from typing import Any

from facematch_core.base.extras import install_command
from facematch_core.base.nesting import load_json
from facematch_mock_server.base.messages import Request


@functools.lru_cache(maxsize=256)
def parse_json_path(expression: str) -> Any:
    """Return a parsed expression such as ``$.person.names[0]``. Raises ValueError for others."""
    # Imported late: it takes 70 ms, and most replies have no such expression.
    try:
        from jsonpath_ng.exceptions import JSONPathError
        from jsonpath_ng.ext.parser import parse
    except ModuleNotFoundError as missing:
        raise ValueError(f"JSONPath needs {missing.name}: {install_command('mock')}") from None
    try:
        return parse(expression)
    # DeprecationWarning: of an operator that the library will drop, where warnings are errors.
    except (JSONPathError, ValueError, TypeError, RecursionError, DeprecationWarning):
        raise ValueError(f"{expression!r:.80} is no JSONPath such as $.person.names[0]") from None


def find_values(request: Request, expression: str) -> list[Any]:
    """Return the values at a valid expression; none if the body is no JSON."""
    try:
        document = load_json(request.body, parse_constant=_refuse_constant)
    except ValueError:
        return []
    try:
        return [match.value for match in parse_json_path(expression).find(document)]
    except Exception:  # noqa: BLE001 - the library raises what a filter's comparison raises
        return []


def text_of(value: Any) -> str:
    """Return a text as it is, and another JSON value as it is written."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _refuse_constant(name: str) -> None:
    """Refuse NaN and Infinity, which are no JSON."""
    raise ValueError(name)
