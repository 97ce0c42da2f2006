"""One answer reduced to aspects: what it shows at each place, as far as that may be kept.

Kept are the structure, kinds of numbers and times, and public words: those of a claim, those in
lower case, and codes such as ``NO_FACE``. Whatever else a vendor says may be about a person or an
account. It is left out here, before anything is written or compared.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

from facematch_core import FaceMatchError
from facematch_core.http import HttpReply
from facematch_core.masking import Secret, masker, quotable

#: Headers that say something of the vendor and nothing of the call.
_HEADERS = re.compile(
    r"(x-)?rate-?limit.*|www-authenticate|allow|retry-after|x-ms-error-code|x-amzn-errortype"
)
# By their keys: texts that are others in each call, times, and numbers that are scores or places.
_OF_CALL = re.compile(r"(^|_|[a-z](?=[A-Z]))(?i:id|ref|logref|number|token|url|image|hash)s?\d?$")
_TIME = re.compile(r"(^|_)(at|time|timestamp|date|expiry|expires(_in)?)$|[a-z](At|Time|Date)$")
_SCORE = re.compile("score|confidence|similarity|threshold", re.IGNORECASE)
_PLACE = re.compile(r"box|left|top|width|height|[xy]_m(in|ax)", re.IGNORECASE)
_KEY = re.compile(r"[A-Za-z_$][A-Za-z_.-]{0,39}\d{0,2}")
# In a text: paths and addresses, numbers (those of sizes stay), words, and words that are codes.
_ADDRESS = re.compile(r"\S*[/\\@:]\S+")
_NUMBER = re.compile(r"\d+(\.\d+)?(?!\d|\s?([MK]?B|bytes|px|pixels|characters|min)\b)")
_WORD = re.compile(r"[^\W\d_][\w'-]*")
_CODE = re.compile(r"[A-Z]{2,}(_[A-Z]+)+|[A-Z][a-z]+([A-Z][a-z]+)+")
_KINDS = {dict: "object", list: "list", str: "text", bool: "flag", type(None): "null"}


def find_words(texts: Iterable[object]) -> frozenset[str]:
    """The words of these texts, in lower case."""
    return frozenset(word.lower() for text in texts for word in _WORD.findall(f"{text}"))


def reduce_reply(
    reply: HttpReply, secrets: tuple[Secret, ...], private: Collection[str], words: Collection[str]
) -> dict[str, Any]:
    """By aspect what an answer shows there, as JSON.

    Of what is at `private` keys (age, gender) only the type is kept; `words` are public.
    """
    mask = masker((*reply.secrets, *secrets))

    def keep(text: str) -> str:
        text = _NUMBER.sub("#", _ADDRESS.sub("*", quotable(text, mask)))
        return _WORD.sub(lambda word: word[0] if _is_public(word[0], words) else "*", text)

    kind = reply.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    is_kind = re.fullmatch(r"[a-z/.+-]{0,60}", kind)
    aspects: dict[str, Any] = {"status": reply.status, "type": kind if is_kind else "another"}
    for name, value in reply.headers.items():
        if _HEADERS.fullmatch(name.lower()):
            is_limit = name.lower().endswith("limit") and re.fullmatch(r"\d{1,9}", value)
            aspects[f"header {name.lower()}"] = value if is_limit else keep(value)
    try:
        shown = [*_look(json.loads(reply.body), "", "", private, keep)]
    except (ValueError, RecursionError):
        page = re.sub(r"<[^>]*>", " ", reply.body[:2000].decode("utf-8", "replace"))
        shown = [("words page", keep(page))]
    for aspect, text in shown:
        aspects[aspect] = sorted({*aspects.get(aspect, ()), text})
    return aspects


def _is_public(word: str, words: Collection[str]) -> bool:
    return word.islower() or word.lower() in words or _CODE.fullmatch(word) is not None


def _look(
    value: Any, path: str, key: str, private: Collection[str], keep: Callable[[str], str]
) -> Iterator[tuple[str, str]]:
    """What each place of a body shows, the places of a list as one."""
    kind = _KINDS.get(type(value), "number")
    yield f"shape {path}", kind
    if kind == "object":
        for name, inner in value.items():
            last = name if _KEY.fullmatch(name) else "*"
            yield from _look(inner, f"{path}.{last}".lstrip("."), last, private, keep)
    elif kind == "list":
        for inner in value:
            yield from _look(inner, f"{path}[]", key, private, keep)
    elif key in private or kind == "null":
        return
    elif kind == "flag":
        yield f"words {path}", str(value).lower()
    elif _TIME.search(key):
        yield f"time {path}", _describe_time(value)
    elif kind == "text":
        if not _OF_CALL.search(key):
            yield f"words {path}", keep(value)
    elif key in ("code", "status", "statusCode"):
        yield f"code {path}", str(value) if abs(value) < 1000 else "#"
    elif _SCORE.search(key) or _PLACE.search(path):
        yield f"digits {path}", "fraction" if isinstance(value, float) else "whole"
        if not _PLACE.search(path):
            yield f"side {path}", "high" if value > 60 else "low" if value < 40 else "middle"


def _describe_time(value: Any) -> str:
    if not isinstance(value, str):
        return "milliseconds" if value > 1e11 else "seconds"
    zone = re.fullmatch(r"\d{4}-\d\d-\d\d[T ][\d:.]+(Z|[+-]\d\d:?\d\d)?", value)
    if zone is None:
        return "digits" if value.isdigit() else "another text"
    return {None: "no zone", "Z": "Z"}.get(zone[1], "an offset")


def reduce_outcome(outcome: Any) -> dict[str, Any]:
    """What the backend made of a call, as JSON: of a result, or of an error of ours."""
    billing, environment = outcome.billing, str(outcome.environment or "not said")
    aspects = {"charged": str(billing.charged), "charges": billing.charges, "score": None}
    aspects["environment"] = environment
    if isinstance(outcome, FaceMatchError):
        return {**aspects, "error": type(outcome).__name__}
    model = str(outcome.model)
    return {
        **aspects,
        "decision": str(outcome.decision),
        "warnings": sorted({str(warning.code) for warning in outcome.warnings}),
        "score": None if outcome.score is None else outcome.score.value,
        "faces": len(getattr(outcome, "probe_faces", None) or ()),
        "model": model if outcome.model and re.fullmatch(r"[\w.-]{1,40}", model) else None,
    }
