"""An answer as data: status and words, before the values of one request are filled in."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from facematch_mock_server._messages import Response

# Bodies are trees; looking for circles would be a fifth of the work.
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False)
JSON = "application/json"
HTML = "text/html; charset=utf-8"


@attrs.frozen
class Reply:
    """An answer whose words are a claim.

    Attributes:
        status: 100-599.
        body: JSON with ``{names}`` to fill in, a page of HTML as text, or None if the body is made
            for each request.
        headers: Beside the content type.
    """

    status: int
    body: Any = None
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def is_page(self) -> bool:
        """Whether it is HTML."""
        return isinstance(self.body, str)


def response(
    status: int, content_type: str, body: bytes, headers: Iterable[tuple[str, str]] = ()
) -> Response:
    """A whole answer."""
    return Response(status=status, headers=(("Content-Type", content_type), *headers), body=body)


def fill(template: Any, words: Mapping[str, object]) -> Any:
    """`template` with the ``{names}`` in all its texts replaced."""
    if isinstance(template, str):
        return template.format_map(words) if words else template
    if isinstance(template, dict):
        return {name: fill(value, words) for name, value in template.items()}
    if isinstance(template, list):
        return [fill(value, words) for value in template]
    return template


def encode(body: Any) -> bytes:
    """`body` as the framework writes JSON: compact, characters as they are."""
    text = _ENCODER.encode(body)
    try:
        # Line separators are legal in JSON and not in JavaScript: the framework escapes them.
        return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029").encode()
    except UnicodeEncodeError:  # half a surrogate pair, which JSON can hold and UTF-8 cannot
        return json.dumps(body, separators=(",", ":")).encode()
