"""Reduce responses to aspects that may be stored, and compare the vendor's with the mock's.

Aspects record structure, the kinds of numbers and times, and public words. Everything else may be
about a person or an account, and is dropped here, before anything is written or compared."""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import itertools
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from facematch_core import FaceMatchError, Image, Secret
from facematch_core.backend import SessionAccess, SessionReading
from facematch_core.backend.session_types import Deletion
from facematch_core.base.masking import masker, quote_text
from facematch_core.base.nesting import load_json
from facematch_core.http import HttpReply

#: Headers whose values depend on the vendor, not on the call.
_HEADERS = re.compile(
    r"(x-(\w+-)?)?rate-?limit.*|www-authenticate|allow|retry-after|x-ms-error-code|x-amzn-errortype"
)
_ID_HEADERS = re.compile(r".*request-?id")
# JSON keys of ids, of texts that differ from call to call, of times, and of scores.
_IDS = re.compile(r"(^|_|[a-z](?=[A-Z]))(?i:id|ref|logref)$")
_VARYING = re.compile(r"(^|_|[a-z](?=[A-Z]))(?i:id|ref|logref|number|token|url|image|hash)s?\d?$")
_TIME = re.compile(r"(^|_)(at|time|timestamp|date|expiry|expires(_in)?)$|[a-z](At|Time|Date)$")
_SCORE = re.compile("score|confidence|similarity|threshold", re.IGNORECASE)
_AGE = re.compile(r"(^|\.)(age|age_\w+|AgeRange)(\.\w+)?$")
_GENDER = re.compile(r"(^|\.)(gender|sex|Gender\.Value)(\.value)?$")
_GENDERS = (("male", "female"), ("m", "f"), ("man", "woman"))
_ID_FORMS = {
    "UUID": re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"),
    "hexadecimal": re.compile(r"[0-9a-fA-F]{16,}"),
    "number": re.compile(r"\d+"),
}
_KEY = re.compile(r"[A-Za-z_$][A-Za-z_.-]{0,39}\d{0,2}")
# Patterns for parts of a text: paths and URLs, numbers (except sizes), words, and codes.
_ADDRESS = re.compile(r"\S*[/\\@:]\S+")
_NUMBER = re.compile(r"\d+(\.\d+)?(?!\d|\s?([MK]?B|bytes|px|pixels|characters|min)\b)")
_WORD = re.compile(r"[^\W\d_][\w'-]*")
_CODE = re.compile(r"[A-Z]{2,}(_[A-Z]+)+|[A-Z][a-z]+([A-Z][a-z]+)+")
_KINDS = {dict: "object", list: "list", str: "text", bool: "flag", type(None): "null"}
#: Kinds of aspects compared only if both sides have them. A missing path shows in `shape`.
_OPTIONAL = (
    *("words", "time", "life", "digits", "side", "code", "charge", "price", "boxes"),
    *("form", "years", "host"),
)
#: Kinds of aspects stored for private keys, because they reveal nothing about a person.
_KEPT_OF_PRIVATE = ("shape", "form", "years")
#: Aspects derived from a response. Not reported if the response itself differs.
_DERIVED = ("decision", "warnings", "state", "requests")
_LEAK = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-|(?=[\w+/=]*\d)[\w+/=]{40,}|\w@\w+\.")


def find_words(texts: Iterable[object]) -> frozenset[str]:
    return frozenset(word.lower() for text in texts for word in _WORD.findall(f"{text}"))


#: Words from HTTP and JSON.
_PUBLIC = find_words(["true false application json xml text html plain get post bearer basic"])


def reduce_reply(
    reply: HttpReply, secrets: Iterable[Secret], private: Collection[str], words: Collection[str]
) -> dict[str, Any]:
    """Reduce a response to its aspects, keyed by their names.

    For `private` keys, only type and format are stored. Ids are hashed. `words` are public.
    """
    mask = masker((*reply.secrets, *secrets))

    def keep_public(word: re.Match[str]) -> str:
        is_public = word[0].lower() in _PUBLIC.union(words) or _CODE.fullmatch(word[0])
        return word[0] if is_public else "*"

    def reduce_text(text: str) -> str:
        text = _NUMBER.sub("#", _ADDRESS.sub("*", quote_text(text, mask)))
        return re.sub("[^ -~]+", "*", _WORD.sub(keep_public, text))

    kind, _, parameters = reply.headers.get("Content-Type", "").lower().partition(";")
    charset = re.search(r'charset="?([\w-]{1,20})', parameters)
    aspects: dict[str, Any] = {
        "status": reply.status,
        "type": reduce_text(kind.replace("/", " ")),
        "charset": charset[1] if charset else "none",
    }
    for name, value in reply.headers.items():
        if _HEADERS.fullmatch(name.lower()):
            is_limit = name.lower().endswith("limit") and re.fullmatch(r"\d{1,9}", value)
            aspects[f"header {name.lower()}"] = value if is_limit else reduce_text(value)
        elif _ID_HEADERS.fullmatch(name.lower()):
            aspects[f"numbered {name.lower()}"] = "there"
    try:
        shown = [*_describe_value(load_json(reply.body), "", reply)]
    except ValueError:
        page = re.sub(r"<[^>]*>", " ", reply.body[:2000].decode("utf-8", "replace"))
        shown = [("words page", page)]
    for aspect, text in shown:
        kind, _, path = aspect.partition(" ")
        if kind in _KEPT_OF_PRIVATE or _key_of(path) not in private:
            digest = hashlib.sha256(text.encode()).hexdigest()[:12]
            kept = {"words": reduce_text(text), "id": digest}.get(kind, text)
            aspects[aspect] = sorted({*aspects.get(aspect, ()), kept})
    return aspects


def _key_of(path: str) -> str:
    return re.split(r"[. ]", path)[-1].replace("[]", "")


def _describe_value(value: Any, path: str, reply: HttpReply) -> Iterator[tuple[str, str]]:
    """Yield the aspects of each path in a JSON body. All items of a list share one path."""
    kind, key = _KINDS.get(type(value), "number"), _key_of(path)
    yield f"shape {path}", kind
    if kind == "object":
        for name, inner in value.items():
            place = f"{path}.{name if _KEY.fullmatch(name) else '*'}".lstrip(".")
            yield from _describe_value(inner, place, reply)
    elif kind == "list":
        for inner in value:
            yield from _describe_value(inner, f"{path}[]", reply)
    elif kind == "flag":
        yield f"words {path}", str(value).lower()
    elif kind in ("text", "number") and _TIME.search(key):
        yield f"time {path}", _reduce_time(value)
        yield f"life {path}", _describe_lifetime(value, reply)
    elif kind == "text":
        yield from _describe_text(value, path, key, reply)
    elif kind == "number":
        yield from _describe_number(value, path, key)


def _describe_text(value: str, path: str, key: str, reply: HttpReply) -> Iterator[tuple[str, str]]:
    if _GENDER.search(path):
        form = next((" or ".join(x) for x in _GENDERS if value.lower() in x), "another word")
        case = str.upper if value.isupper() else str.title if value.istitle() else str
        yield f"form {path}", case(form)
        return
    if re.match(r"https?://", value):
        hosts = [urlsplit(each).hostname or "" for each in (value, reply.url)]
        domains = {".".join(host.split(".")[-2:]) for host in hosts}
        yield f"host {path}", "asked domain" if len(domains) == 1 else "another domain"
    if _IDS.search(key):
        forms = (form for form, shape in _ID_FORMS.items() if shape.fullmatch(value))
        yield f"form {path}", (form := next(forms, "another text"))
        if form == "another text" and reply.status >= 400:
            # An error response may echo a word of the value that was sent.
            yield f"words {path}", value
    # If the key of an id has a sentence as its value, that is an error message about the id.
    is_of_call = _VARYING.search(key) and " " not in value
    what = "id" if _IDS.search(key) else "" if is_of_call else "words"
    yield from [(f"{what} {path}", value)] if what else ()


def _describe_number(value: Any, path: str, key: str) -> Iterator[tuple[str, str]]:
    if key in ("code", "status", "statusCode"):
        yield f"code {path}", str(value) if abs(value) < 1000 else "#"
        return
    if _AGE.search(path):
        yield f"years {path}", "0-120" if 0 <= value <= 120 else "beyond 0-120"
    decimals = -int(Decimal(repr(value)).as_tuple().exponent)
    yield f"digits {path}", f"{min(decimals, 7)}" if isinstance(value, float) else "whole"
    if _SCORE.search(key):
        yield f"side {path}", "high" if value > 60 else "low" if value < 40 else "middle"


def _reduce_time(value: Any) -> str:
    if not isinstance(value, str):
        return "milliseconds" if value > 1e11 else "seconds"
    zone = re.search(r"(Z|[+-]\d\d:?\d\d)?$", value[:40])
    rest = value[: zone.start()] if zone else value
    return re.sub(r"[^\W\dT]+", "a", re.sub(r"\d+", "9", rest)) + (zone[0] if zone else "")


def _describe_lifetime(value: Any, reply: HttpReply) -> str:
    """Return a duration, or a time's offset from the response's `Date`, as text (``5 min``)."""
    number = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(h(?:rs?|ours?)?)?", str(value))
    try:
        seconds = float(number[1]) if number else dt.datetime.fromisoformat(value).timestamp()
    except (TypeError, ValueError):
        return "unknown"
    seconds *= 3600 if number and number[2] else 1e-3 if seconds > 1e11 else 1
    if seconds > 1e9:
        sent_at = seconds
        with contextlib.suppress(KeyError, ValueError):
            sent_at = parsedate_to_datetime(reply.headers["Date"]).timestamp()
        seconds -= sent_at
    minutes = round(abs(seconds) / 60)
    text = "now" if minutes < 2 else f"{minutes} min" if minutes < 100 else f"{minutes // 60} h"
    return text if seconds > 0 or text == "now" else f"{text} before"


def reduce_outcome(outcome: Any, pictures: Mapping[str, Any]) -> dict[str, Any]:
    """Reduce a result, session, deletion or error from the backend to its aspects."""
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
        access = getattr(outcome, "access", None) or SessionAccess()
        ways = [name for name in ("link", "token", "page") if getattr(access, name)]
        return {**aspects, "ways": ways}
    model = re.fullmatch(r"[\w.-]{1,40}", str(outcome.model or ""))
    places = [
        _describe_place(face.box, pictures.get(picture))
        for picture in ("probe", "reference")
        for face in getattr(outcome, f"{picture}_faces", None) or ()
        if face.box is not None
    ]
    return {
        **aspects,
        "decision": str(outcome.decision),
        # The backend derives this warning from the score alone.
        "warnings": sorted({str(each.code) for each in outcome.warnings} - {"scale_suspicious"}),
        "score": None if outcome.score is None else outcome.score.value,
        "faces": len(getattr(outcome, "probe_faces", None) or ()),
        "boxes": " and ".join(sorted({*places})) or None,
        "model": model and model[0],
    }


def _describe_place(box: Any, picture: Any) -> str:
    size = getattr(picture, "upright_size", (box.of_width, box.of_height))
    width, height = (1, 1) if box.unit == "ratio" else size
    # A face may be cut off at the edge of the picture.
    is_right = box.left < (width or box.right) and box.top < (height or box.bottom)
    if not (is_right and box.right > 0 and box.bottom > 0):
        return "outside"
    # The box is narrow if the vendor sent its width and height as the lower right corner.
    scale = size if box.unit == "ratio" and all(size) else (1, 1)
    sides = (box.right - box.left) * scale[0], (box.bottom - box.top) * scale[1]
    return "inside" if min(sides) > 0 and max(sides) < 3 * min(sides) else "narrow"


def compare(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the differences, each with its aspect, both values, the calls that show it, and the
    claims that the mock cites in all of these calls."""
    rows: dict[str, dict[str, Any]] = {}
    of_run: dict[str, list[Any]] = {}
    single: list[tuple[Any, ...]] = []
    for call, aspect, *pair, claims in _compare_calls(theirs, ours):
        if aspect.partition(" ")[0] in ("digits", "id"):
            of_run.setdefault(aspect, []).append((*pair, claims))
        elif pair[0] != pair[1]:
            single.append((call, aspect, *pair, claims))
    summed = (
        ("all", aspect, *_summarize(aspect, mock, vendor), claims[-1])
        for aspect, seen in of_run.items()
        for mock, vendor, claims in [[*zip(*seen, strict=True)]]
        # A single number cannot show how many decimals the vendor returns.
        if len(seen) > 1
    )
    plain = {call for call, aspect, *_ in single if aspect not in _DERIVED}
    single = [row for row in single if row[1] not in _DERIVED or row[0] not in plain]
    for call, aspect, expected, value, claims in itertools.chain(single, summed):
        if expected != value:
            new = {"calls": [], "aspect": aspect, "mock": expected, "vendor": value}
            row = rows.setdefault(json.dumps([aspect, expected, value]), new)
            row["calls"] += [call] * (call not in row["calls"])
            row["claims"] = [each for each in claims if each in row.get("claims", claims)]
    return [*rows.values()]


def _compare_calls(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    """Yield tuples of call, aspect, mock's value, vendor's value and the mock's claims."""
    for call in ours:
        is_other = False
        for role in ("login", "balance", "answer", "call"):
            sides = [
                [reply for reply in side[call]["seen"] if reply["role"] == role]
                for side in (ours, theirs)
            ]
            for mine, seen in zip(*sides, strict=False):
                for aspect, *pair in _compare_answers(mine["aspects"], seen["aspects"]):
                    is_other = is_other or (aspect == "status" and pair[0] != pair[1])
                    # A different status explains every other difference in the call.
                    if role != "call" or not is_other or aspect in ("charge", "price"):
                        place = role if role in ("login", "balance") else call
                        yield place, aspect, *pair, mine["claims"]


def _summarize(aspect: str, *sides: Any) -> list[str]:
    """Summarize the values of one aspect in all calls, for the mock and for the vendor."""
    texts = [[text for value in side for text in value or ()] for side in sides]
    if aspect.startswith("id "):
        return ["unique" if len(side) == len({*side}) else "repeated" for side in texts]
    # A score may happen to be a whole number or to end in a zero.
    most = [max((int(text) for text in side if text != "whole"), default=-9) for side in texts]
    if abs(most[0] - most[1]) < 2:
        most = most[:1] * 2
    return ["whole" if number < 0 else f"{number} decimals" for number in most]


def _compare_answers(
    expected: Mapping[str, Any], seen: Mapping[str, Any]
) -> Iterator[tuple[str, Any, Any]]:
    """Yield each aspect with the mock's and the vendor's value; only the status if it differs."""
    is_same = expected.get("status") == seen.get("status")
    for aspect in sorted({*expected, *seen}) if is_same else ("status",):
        kind, _, path = aspect.partition(" ")
        pair = expected.get(aspect), seen.get(aspect)
        # If a list is empty, nothing is known about its items.
        lists = [f"shape {path[: match.end()]}" for match in re.finditer(r"\[\]", path)]
        is_open = any(place not in side for place in lists for side in (expected, seen))
        is_unknown = "middle" in f"{pair}" if kind == "side" else None in pair
        # A gateway may add its own ids.
        is_more = kind == "numbered" and pair[0] is None
        if not (is_open or is_more or (kind in (*_OPTIONAL, "id") and is_unknown)):
            yield aspect, *pair


def describe(call: Any) -> dict[str, Any]:
    """Return the record of a call, or only its state if it has no outcome."""
    if call is None:
        return {"state": "not made, or started but not finished"}
    numbers = {"score": call["result"]["score"], "threshold": call["level"]}
    rounded = {name: number and round(number) for name, number in numbers.items()}
    answers = [
        {name: value for name, value in reply["aspects"].items() if name[:3] != "id "}
        for reply in call["seen"]
        if reply["role"] == "answer"
    ]
    return {**call["result"], **rounded, "answers": answers}


def is_private(document: Any, secrets: Iterable[Secret], images: Iterable[Image]) -> bool:
    """Return whether a document contains a key, part of a picture or an id."""
    from facematch_core.testing import find_leaks, picture_samples

    text = json.dumps(document, ensure_ascii=False)
    keys: list[Any] = [secret.reveal() for secret in secrets if len(secret.reveal()) > 5]
    pieces = [piece for image in images for piece in picture_samples(image)]
    return bool(_LEAK.search(text)) or any(find_leaks(each, text) for each in (*keys, *pieces))
