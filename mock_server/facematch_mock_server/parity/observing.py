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
#: Keys whose values are others in each call; those of times, of scores, and of places; and those
#: that a document would have.
_OF_CALL = re.compile(r"(^|_|[a-z](?=[A-Z]))(?i:id|ref|logref|number|token|url|image|hash)s?\d?$")
_TIME = re.compile(r"(^|_)(at|time|timestamp|date|expiry|expires(_in)?)$|[a-z](At|Time|Date)$")
_SCORE = re.compile("score|confidence|similarity|threshold", re.IGNORECASE)
_PLACE = re.compile(r"box|left|top|width|height|[xy]_m(in|ax)", re.IGNORECASE)
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

    Of what is `private` (keys of age, gender and race) only the type is kept.
    """
    mask = masker((*reply.secrets, *secrets))
    kind = reply.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    kind = kind if re.fullmatch(r"[a-z/.+-]{0,60}", kind) else "another"
    aspects: dict[str, Any] = {"status": reply.status, "type": kind}
    for name, value in reply.headers.items():
        if _HEADERS.fullmatch(name.lower()):
            is_limit = name.lower().endswith("limit") and re.fullmatch(r"\d{1,9}", value)
            aspects[f"header {name.lower()}"] = value if is_limit else _form(value, mask)
    try:
        shown = [*_look(json.loads(reply.body), "", "", private)]
    except (ValueError, RecursionError):
        page = re.sub(r"<[^>]*>", " ", reply.body[:2000].decode("utf-8", "replace"))
        shown = [("words page", page)]
    for name, text in shown:
        value = _form(text, mask) if name.startswith("words") else text
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
            last = name if _NAME.fullmatch(name) else "*"
            yield from _look(inner, f"{path}.{last}".lstrip("."), last, private)
    elif isinstance(value, list):
        for inner in value:
            yield from _look(inner, f"{path}[]", key, private)
    elif key not in private and kind != "null":
        yield from _look_at_leaf(value, path, key, kind)


def _look_at_leaf(value: Any, path: str, key: str, kind: str) -> Iterator[tuple[str, str]]:
    if _TIME.search(key) and kind != "flag":
        yield f"time {path}", _time_form(value)
    elif kind == "number" and _PLACE.search(path):
        yield f"digits {path}", "fraction" if isinstance(value, float) else "whole"
    elif kind == "number" and _SCORE.search(key):
        yield f"digits {path}", "fraction" if isinstance(value, float) else "whole"
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
    aspects = {"charged": str(billing.charged), "charges": billing.charges}
    aspects["environment"] = str(outcome.environment or "not said")
    if isinstance(outcome, FaceMatchError):
        return {**aspects, "error": type(outcome).__name__}
    faces, model = getattr(outcome, "probe_faces", None), str(outcome.model)
    return {
        **aspects,
        "decision": str(outcome.decision),
        "warnings": sorted({str(warning.code) for warning in outcome.warnings}),
        "score": None if outcome.score is None else outcome.score.value,
        "faces": len(faces or ()),
        "model": model if outcome.model and re.fullmatch(r"[\w.-]{1,40}", model) else None,
    }
