"""One answer reduced to aspects: what it shows at each place, as far as that may be kept.

Kept are structure, kinds of numbers and times, and public words. The rest may be about a person or
an account: it is dropped here, before anything is written or compared."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from facematch_core import Deletion, FaceMatchError
from facematch_core.backend import SessionReading, WayIn
from facematch_core.http import HttpReply
from facematch_core.masking import Secret, masker, quote_text
from facematch_core.nesting import load_json

#: Headers that say something of the vendor and nothing of the call.
_HEADERS = re.compile(
    r"(x-)?rate-?limit.*|www-authenticate|allow|retry-after|x-ms-error-code|x-amzn-errortype"
)
# By their keys: texts that are others in each call, times, and numbers that are scores.
_OF_CALL = re.compile(r"(^|_|[a-z](?=[A-Z]))(?i:id|ref|logref|number|token|url|image|hash)s?\d?$")
_TIME = re.compile(r"(^|_)(at|time|timestamp|date|expiry|expires(_in)?)$|[a-z](At|Time|Date)$")
_SCORE = re.compile("score|confidence|similarity|threshold", re.IGNORECASE)
_KEY = re.compile(r"[A-Za-z_$][A-Za-z_.-]{0,39}\d{0,2}")
# In a text: paths and addresses, numbers (those of sizes stay), words, and words that are codes.
_ADDRESS = re.compile(r"\S*[/\\@:]\S+")
_NUMBER = re.compile(r"\d+(\.\d+)?(?!\d|\s?([MK]?B|bytes|px|pixels|characters|min)\b)")
_WORD = re.compile(r"[^\W\d_][\w'-]*")
_CODE = re.compile(r"[A-Z]{2,}(_[A-Z]+)+|[A-Z][a-z]+([A-Z][a-z]+)+")
_KINDS = {dict: "object", list: "list", str: "text", bool: "flag", type(None): "null"}


def find_words(texts: Iterable[object]) -> frozenset[str]:
    return frozenset(word.lower() for text in texts for word in _WORD.findall(f"{text}"))


#: Words of HTTP and JSON.
_PUBLIC = find_words(["true false application json xml text html plain get post bearer basic"])


def reduce_reply(
    reply: HttpReply, secrets: tuple[Secret, ...], private: Collection[str], words: Collection[str]
) -> dict[str, Any]:
    """By aspect what an answer shows: at `private` keys its type alone; `words` are public."""
    mask = masker((*reply.secrets, *secrets))

    def keep_public(word: re.Match[str]) -> str:
        is_public = word[0].lower() in _PUBLIC.union(words) or _CODE.fullmatch(word[0])
        return word[0] if is_public else "*"

    def reduce_text(text: str) -> str:
        text = _NUMBER.sub("#", _ADDRESS.sub("*", quote_text(text, mask)))
        return re.sub("[^ -~]+", "*", _WORD.sub(keep_public, text))

    kind = reply.headers.get("Content-Type", "").lower().partition(";")[0].replace("/", " ")
    aspects: dict[str, Any] = {"status": reply.status, "type": reduce_text(kind)}
    for name, value in reply.headers.items():
        if _HEADERS.fullmatch(name.lower()):
            is_limit = name.lower().endswith("limit") and re.fullmatch(r"\d{1,9}", value)
            aspects[f"header {name.lower()}"] = value if is_limit else reduce_text(value)
    try:
        shown = [*_look(load_json(reply.body), "")]
    except ValueError:
        page = re.sub(r"<[^>]*>", " ", reply.body[:2000].decode("utf-8", "replace"))
        shown = [("words page", page)]
    for aspect, text in shown:
        if aspect.startswith("shape") or _key_of(aspect) not in private:
            value = reduce_text(text) if aspect.startswith("words") else text
            aspects[aspect] = sorted({*aspects.get(aspect, ()), value})
    return aspects


def _key_of(path: str) -> str:
    return re.split(r"[. ]", path)[-1].replace("[]", "")


def _look(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """What each place of a body shows, the places of a list as one."""
    kind = _KINDS.get(type(value), "number")
    yield f"shape {path}", kind
    if kind == "object":
        for key, inner in value.items():
            yield from _look(inner, f"{path}.{key if _KEY.fullmatch(key) else '*'}".lstrip("."))
    elif kind == "list":
        for inner in value:
            yield from _look(inner, f"{path}[]")
    elif kind == "flag":
        yield f"words {path}", str(value).lower()
    elif kind == "text" and _TIME.search(_key_of(path)):
        yield f"time {path}", re.sub(r"[^\W\dTZ]+", "a", re.sub(r"\d+", "9", value))[:40]
    elif kind == "text" and not _OF_CALL.search(_key_of(path)):
        yield f"words {path}", value
    elif kind == "number":
        yield from _look_at_number(value, path, _key_of(path))


def _look_at_number(value: Any, path: str, key: str) -> Iterator[tuple[str, str]]:
    if _TIME.search(key):
        yield f"time {path}", "milliseconds" if value > 1e11 else "seconds"
    elif key in ("code", "status", "statusCode"):
        yield f"code {path}", str(value) if abs(value) < 1000 else "#"
    else:
        yield f"digits {path}", "fraction" if isinstance(value, float) else "whole"
        if _SCORE.search(key):
            yield f"side {path}", "high" if value > 60 else "low" if value < 40 else "middle"


def reduce_outcome(outcome: Any) -> dict[str, Any]:
    """What the backend made of a call, as JSON: of a result, or of an error of ours."""
    aspects = {
        "charged": str(outcome.billing.charged),
        "charges": outcome.billing.charges,
        "environment": str(outcome.environment or "not said"),
        "score": None,
    }
    if isinstance(outcome, FaceMatchError):
        return {**aspects, "error": type(outcome).__name__}
    if isinstance(outcome, SessionReading | Deletion):
        aspects["state"] = str(outcome.state)
        way_in = getattr(outcome, "way_in", None) or WayIn()
        ways = [name for name in ("link", "token", "page") if getattr(way_in, name)]
        return {**aspects, "ways": ways}
    model = re.fullmatch(r"[\w.-]{1,40}", str(outcome.model or ""))
    return {
        **aspects,
        "decision": str(outcome.decision),
        # That one is ours, about the number alone.
        "warnings": sorted({str(each.code) for each in outcome.warnings} - {"scale_suspicious"}),
        "score": None if outcome.score is None else outcome.score.value,
        "faces": len(getattr(outcome, "probe_faces", None) or ()),
        "model": model and model[0],
    }
