"""Bodies and signatures of webhooks. Pure.

Sources: Didit webhook guide (docs.didit.me, "Webhooks"), 2026, with Didit's demonstration program
of January 2026 and a delivery captured in May 2026; all read on 2026-11-20.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import attrs


@attrs.frozen(kw_only=True)
class Style:
    """How JSON is written.

    Attributes:
        is_sorted: Whether keys stand in the order of their code points, at all levels.
        is_escaped: Whether what is not ASCII is written as ``\\uXXXX``.
        is_whole: Whether a float without a fraction is written as an integer.
    """

    is_sorted: bool = True
    is_escaped: bool = True
    is_whole: bool = True


#: What the V2 signature signs: the body as if it had been written so.
CANONICAL = Style(is_escaped=False)


def written(document: Any, style: Style) -> bytes:
    """`document` as JSON without spaces.

    Raises:
        UnicodeEncodeError: it holds half a surrogate pair, and the style does not escape it.
    """
    if style.is_whole:
        # By way of the text: a walk in Python would end at the depth that the parser still takes.
        document = json.loads(json.dumps(document), parse_float=_whole)
    text = json.dumps(
        document,
        sort_keys=style.is_sorted,
        separators=(",", ":"),
        ensure_ascii=style.is_escaped,
    )
    return text.encode()


def _whole(text: str) -> float | int:
    value = float(text)
    return int(value) if value.is_integer() else value


def signature(secret: str, message: bytes) -> str:
    """HMAC-SHA256 in lower-case hex; the key is the secret as UTF-8 text."""
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


def v2_message(body: bytes, style: Style = CANONICAL, *, prefix: int | None) -> bytes | None:
    """What the V2 signature signs; None for a body that has no canonical form.

    Args:
        body: As sent.
        style: Of the canonical form.
        prefix: The timestamp that stands before it, with a colon; None for nothing.
    """
    try:
        form = written(json.loads(body), style)
    except UnicodeEncodeError:
        return None
    return form if prefix is None else b"%d:%s" % (prefix, form)


def simple_message(body: bytes) -> bytes:
    """What the Simple signature signs: four fields of the body, empty for one that is missing."""
    document = json.loads(body)
    named = ("timestamp", "session_id", "status", "webhook_type")
    return ":".join(str(document.get(name, "")) for name in named).encode()
