"""Reduce the replies of a vendor or a mock to aspects that may be stored.

Aspects record structure, the kinds of numbers and times, and public words. Everything else may be
about a person or an account, and is dropped here, before anything is written or compared.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import attrs

from facematch_core import Image, Secret
from facematch_core.base.masking import masker, quote_text
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
# JSON paths of an age and of a gender.
_AGE = re.compile(r"(^|\.)(age|age_\w+|AgeRange)(\.\w+)?$")
_GENDER = re.compile(r"(^|\.)(gender|sex|Gender\.Value)(\.value)?$")
_GENDER_FORMS = ("male or female", "m or f", "man or woman")
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
_JSON_TYPES = {dict: "object", list: "list", str: "text", bool: "flag", type(None): "null"}
#: Kinds of aspects stored for private keys, because they reveal nothing about a person.
_STORED_FOR_PRIVATE_KEYS = ("shape", "form", "years")
_LEAK = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-|(?=[\w+/=]*\d)[\w+/=]{40,}|\w@\w+\.")


def find_words(texts: Iterable[str]) -> frozenset[str]:
    """Return the words of texts, in lower case."""
    words: set[str] = set()
    for text in texts:
        words.update(_WORD.findall(text.lower()))
    return frozenset(words)


#: Words from HTTP and JSON.
_PUBLIC = find_words(["true false application json xml text html plain get post bearer basic"])


def reduce_reply(
    reply: HttpReply,
    secrets: Iterable[Secret],
    private_keys: Collection[str],
    words: Collection[str],
) -> dict[str, Any]:
    """Reduce a reply to its aspects: a text or sorted texts, by kind and header or JSON path.

    For `private_keys`, only type and format are stored. Ids are hashed. `words` are public.
    """
    reducer = _Reducer(reply, masker((*reply.secrets, *secrets)), _PUBLIC.union(words))
    aspects = reducer.describe_head()
    try:
        body = reply.json()
    except ValueError:
        page = re.sub(r"<[^>]*>", " ", reply.body[:2000].decode("utf-8", "replace"))
        aspects["words page"] = [reducer.hide_words(page)]
        return aspects
    for path, value in _values_in(body, ""):
        is_private = _key_of(path) in private_keys
        for kind, text in reducer.describe_value(path, value):
            if not is_private or kind in _STORED_FOR_PRIVATE_KEYS:
                aspect = f"{kind} {path}"
                aspects[aspect] = sorted({text, *aspects.get(aspect, ())})
    return aspects


def _values_in(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield a JSON value and all values in it, with their paths.

    All items of a list share one path, ``faces[]``.
    """
    yield path, value
    if isinstance(value, dict):
        for name, inner in value.items():
            key = name if _KEY.fullmatch(name) else "*"
            yield from _values_in(inner, f"{path}.{key}".lstrip("."))
    elif isinstance(value, list):
        for inner in value:
            yield from _values_in(inner, f"{path}[]")


def _key_of(path: str) -> str:
    return path.rsplit(".", maxsplit=1)[-1].replace("[]", "")


@attrs.frozen
class _Reducer:
    """Describes one reply, including what is said under private keys."""

    reply: HttpReply
    mask: Callable[[str], str]
    public_words: Collection[str]

    def describe_head(self) -> dict[str, Any]:
        """Return the aspects of the status and the headers."""
        headers = self.reply.headers
        media_type, _, parameters = headers.get("Content-Type", "").lower().partition(";")
        charset = re.search(r'charset="?([\w-]{1,20})', parameters)
        aspects = {
            "status": self.reply.status,
            "type": self.hide_words(media_type.replace("/", " ")),
            "charset": charset[1] if charset else "none",
        }
        for header, value in headers.items():
            name = header.lower()
            if _HEADERS.fullmatch(name):
                is_limit = name.endswith("limit") and re.fullmatch(r"\d{1,9}", value)
                aspects[f"header {name}"] = value if is_limit else self.hide_words(value)
            elif _ID_HEADERS.fullmatch(name):
                aspects[f"numbered {name}"] = "there"
        return aspects

    def describe_value(self, path: str, value: Any) -> Iterator[tuple[str, str]]:
        """Yield the kinds of aspects of a JSON value, each with a text."""
        json_type = _JSON_TYPES.get(type(value), "number")
        yield "shape", json_type
        if json_type in ("object", "list", "null"):
            return
        if json_type == "flag":
            yield "words", self.hide_words(str(value).lower())
        elif _TIME.search(_key_of(path)):
            yield "time", _describe_time_format(value)
            yield "life", _describe_lifetime(value, self.reply)
        elif json_type == "text":
            yield from self._describe_text(path, value)
        else:
            yield from _describe_number(path, value)

    def _describe_text(self, path: str, value: str) -> Iterator[tuple[str, str]]:
        key = _key_of(path)
        if _GENDER.search(path):
            yield "form", _describe_gender(value)
            return
        if re.match(r"https?://", value):
            is_same = _domain_of(value) == _domain_of(self.reply.url)
            yield "host", "asked domain" if is_same else "another domain"
        if _IDS.search(key):
            form = _describe_id(value)
            yield "form", form
            yield "id", hashlib.sha256(value.encode()).hexdigest()[:12]
            # An error response may echo a word of the value that was sent.
            has_words = form == "another text" and self.reply.status >= 400
        else:
            # If the key has a sentence as its value, that is an error message about the value.
            has_words = " " in value or not _VARYING.search(key)
        if has_words:
            yield "words", self.hide_words(value)

    def hide_words(self, text: str) -> str:
        """Replace everything in a text but public words, vendors' codes and sizes."""
        text = _ADDRESS.sub("*", quote_text(text, self.mask))
        text = _WORD.sub(self._hide_word, _NUMBER.sub("#", text))
        return re.sub("[^ -~]+", "*", text)

    def _hide_word(self, match: re.Match[str]) -> str:
        word = match[0]
        is_public = word.lower() in self.public_words or _CODE.fullmatch(word)
        return word if is_public else "*"


def _describe_number(path: str, value: float) -> Iterator[tuple[str, str]]:
    key = _key_of(path)
    if key in ("code", "status", "statusCode"):
        yield "code", str(value) if abs(value) < 1000 else "#"
        return
    if _AGE.search(path):
        yield "years", "0-120" if 0 <= value <= 120 else "beyond 0-120"
    if isinstance(value, float):
        exponent = Decimal(repr(value)).as_tuple().exponent
        yield "digits", str(min(-int(exponent), 7))
    else:
        yield "digits", "whole"
    if _SCORE.search(key):
        yield "side", "high" if value > 60 else "low" if value < 40 else "middle"


def _domain_of(url: str) -> str:
    return ".".join((urlsplit(url).hostname or "").split(".")[-2:])


def _describe_gender(gender_word: str) -> str:
    """Return the pair of words to which a word belongs, in the word's case."""
    form = "another word"
    for pair in _GENDER_FORMS:
        if gender_word.lower() in pair.split(" or "):
            form = pair
    if gender_word.isupper():
        return form.upper()
    return form.title() if gender_word.istitle() else form


def _describe_id(text: str) -> str:
    for form, pattern in _ID_FORMS.items():
        if pattern.fullmatch(text):
            return form
    return "another text"


def _describe_time_format(value: Any) -> str:
    """Return the unit of a number, or the format of a time: ``9999-99-99T99:99:99Z``."""
    if not isinstance(value, str):
        return "milliseconds" if value > 1e11 else "seconds"
    text = value[:40]
    zone_match = re.search(r"(Z|[+-]\d\d:?\d\d)$", text)
    zone = zone_match[0] if zone_match else ""
    digits_hidden = re.sub(r"\d+", "9", text.removesuffix(zone))
    return re.sub(r"[^\W\dT]+", "a", digits_hidden) + zone


def _describe_lifetime(value: Any, reply: HttpReply) -> str:
    """Return a duration, or a time's offset from the reply's ``Date``, as text (``5 min``)."""
    duration = re.fullmatch(r"(?P<amount>\d+(\.\d+)?)\s*(?P<hours>h(rs?|ours?)?)?", str(value))
    try:
        if duration:
            seconds = float(duration["amount"])
        else:
            seconds = dt.datetime.fromisoformat(value).timestamp()
    except (TypeError, ValueError):
        return "unknown"
    if duration and duration["hours"]:
        seconds *= 3600
    elif seconds > 1e11:  # milliseconds
        seconds /= 1000
    if seconds > 1e9:  # seconds since 1970
        try:
            seconds -= parsedate_to_datetime(reply.headers["Date"]).timestamp()
        except (KeyError, ValueError):
            return "now"
    minutes = round(abs(seconds) / 60)
    if minutes < 2:
        return "now"
    text = f"{minutes} min" if minutes < 100 else f"{minutes // 60} h"
    return text if seconds > 0 else f"{text} before"


def is_private(document: object, secrets: Iterable[Secret], images: Iterable[Image]) -> bool:
    """Return whether a document contains a key, part of a picture or an id."""
    from facematch_core.testing import find_leaks, picture_samples

    text = json.dumps(document, ensure_ascii=False)
    private: list[str | bytes] = [key.reveal() for key in secrets if len(key.reveal()) > 5]
    for image in images:
        private += picture_samples(image)
    return bool(_LEAK.search(text)) or any(find_leaks(each, text) for each in private)
