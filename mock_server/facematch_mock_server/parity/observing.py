"""What may be kept of an answer: structure, fixed words and kinds of numbers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator
from typing import Any

from facematch_core import FaceMatchError
from facematch_core.http import HttpReply
from facematch_core.masking import Secret, masker

#: Headers that say something of the vendor and nothing of the call.
_HEADERS = re.compile(
    r"(x-)?rate-?limit.*|www-authenticate|allow|retry-after|x-ms-error-code|x-amzn-errortype"
)
#: Keys whose values are others in each call; those of times, of scores, and of places.
_OF_CALL = re.compile(
    r"(^|_)(id|ref|logref|number|token|url|uri|image|hash|digest)s?$|[a-z](Id|Token|Url)\d?$", re.IGNORECASE
)
_TIME = re.compile(r"(^|_)(at|time|timestamp|date|expiry|expires(_in)?)$|[a-z](At|Time|Date)$")
_SCORE = re.compile("score|confidence|similarity|threshold", re.IGNORECASE)
_PLACE = re.compile(r"box|left|top|width|height|[xy]_m(in|ax)", re.IGNORECASE)
#: A key that a document would have.
_NAME = re.compile(r"[A-Za-z_$][A-Za-z_.-]{0,39}\d{0,2}")
#: What differs from call to call in a sentence, and what stands for it.
_CHANGING = (
    (r"\b[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}\b", "<id>"),
    (r"\b\d{4}-?\d\d-?\d\d([T ]\d\d:?\d\d(:?\d\d)?(\.\d+)?(Z|[+-]\d\d:?\d\d)?)?", "<time>"),
    (r"(?=\S*\d)[A-Za-z0-9+/=_.%~-]{20,}|[A-Za-z0-9+/=_.%~-]{64,}", "<word>"),
    (r"\S*@\S+|\barn:\S+|\b\d{1,3}(\.\d{1,3}){3}\b", "<word>"),
    (r"\d+(\.\d+)?(?!\d|\s?([MK]?B|bytes|px|pixels|characters|min)\b)", "#"),
)
_KINDS = {dict: "object", list: "list", str: "text", bool: "flag", type(None): "null"}


def observe(reply: HttpReply, private: Collection[str], secrets: tuple[Secret, ...]) -> Any:
    """What may be kept of an answer, as JSON: by aspect what it shows there.

    Args:
        reply: The answer.
        private: Keys of age, gender and race: of their values only the type is kept.
        secrets: What is masked beside the secrets of the request.
    """
    mask = masker((*reply.secrets, *secrets))
    kind = reply.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    is_kind = re.fullmatch(r"[a-z/.+-]{0,60}", kind)
    aspects: dict[str, Any] = {"status": reply.status, "type": kind if is_kind else "another"}
    for name, value in reply.headers.items():
        if _HEADERS.fullmatch(name.lower()):
            is_limit = name.lower().endswith("limit") and re.fullmatch(r"\d{1,9}", value)
            aspects[f"header {name.lower()}"] = value if is_limit else _form(value, mask)
    try:
        body = json.loads(reply.body)
    except (ValueError, RecursionError):
        text = re.sub(r"<[^>]*>", " ", reply.body[:2000].decode("utf-8", "replace"))
        return {**aspects, "words page": [_form(text, mask)]}
    for name, value in _look(body, "", "", private):
        value = _form(value, mask) if name.startswith("words") else value
        aspects[name] = sorted({*aspects.get(name, ()), value})
    return aspects


def _form(text: str, mask: Callable[[str], str]) -> str:
    """A text without what is another one in each call."""
    text = mask(text)
    for pattern, stands in _CHANGING:
        text = re.sub(pattern, stands, text)
    return " ".join(text.split())[:200]


def _look(value: Any, path: str, key: str, private: Collection[str]) -> Iterator[tuple[str, str]]:
    """What each place of a body shows, the places of a list as one."""
    kind = _KINDS.get(type(value), "number")
    yield f"shape {path}", kind
    if isinstance(value, dict):
        for name, inner in value.items():
            name = name if _NAME.fullmatch(name) else "*"
            yield from _look(inner, f"{path}.{name}" if path else name, name, private)
    elif isinstance(value, list):
        for inner in value:
            yield from _look(inner, f"{path}[]", key, private)
    elif key in private or value is None:
        return
    elif _TIME.search(key) and kind in ("text", "number"):
        yield f"time {path}", _time_form(value)
    elif kind == "number" and (_SCORE.search(key) or _PLACE.search(path)):
        yield f"digits {path}", "fraction" if isinstance(value, float) else "whole"
        if not _PLACE.search(path):
            yield f"side {path}", "high" if value > 60 else "low" if value < 40 else "middle"
    elif kind == "number" and key in ("code", "status", "statusCode"):
        yield f"code {path}", str(value) if abs(value) < 1000 else "#"
    elif kind == "flag":
        yield f"words {path}", str(value).lower()
    elif kind == "text" and not _OF_CALL.search(key):
        yield f"words {path}", value


def _time_form(value: Any) -> str:
    if not isinstance(value, str):
        return "milliseconds" if value > 1e11 else "seconds"
    zone = re.fullmatch(r"\d{4}-\d\d-\d\d[T ][\d:.]+(Z|[+-]\d\d:?\d\d)?", value)
    if zone is None:
        return "digits" if value.isdigit() else "another text"
    return {None: "no zone", "Z": "Z"}.get(zone[1], "an offset")


def observe_outcome(outcome: Any) -> dict[str, Any]:
    """What the backend made of a call: a result, or an error of ours."""
    billing = outcome.billing
    aspects = {"charged": str(billing.charged), "charges": billing.charges} if billing else {}
    if isinstance(outcome, FaceMatchError):
        return {"charged": "unknown", **aspects, "error": type(outcome).__name__}
    faces, model = getattr(outcome, "probe_faces", None), str(outcome.model)
    return {
        **aspects,
        "decision": str(outcome.decision),
        "warnings": sorted({str(warning.code) for warning in outcome.warnings}),
        "score": None if outcome.score is None else outcome.score.value,
        "faces": len(faces or ()),
        "model": model if outcome.model and re.fullmatch(r"[\w.-]{1,40}", model) else None,
    }
