"""Compare two answers by their aspects.

An *aspect* is a fact about an answer that does not differ from call to call: the aspect
``shape faces[].box`` is ``object``. Its *kind* is its first word; a header, or a path in the body,
follows. All items of a list share one path. Of a private field, only the shape is an aspect.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Iterator
from typing import Any

import attrs

from facematch_mock_server.base.messages import Response
from facematch_mock_server.replies.vocabulary import FieldName

#: Headers whose values depend on the vendor, not on the call.
_HEADERS = re.compile(
    r"(x-(\w+-)?)?rate-?limit.*|www-authenticate|allow|retry-after|x-ms-error-code|x-amzn-errortype"
)
_ID_HEADERS = re.compile(r".*request-?id")
# JSON keys of ids, of texts that differ from call to call, of times, and of scores.
_IDS = re.compile(r"(^|_|-|[a-z](?=[A-Z]))(?i:id|ref|logref)$")
_VARYING = re.compile(r"(^|_|-|[a-z](?=[A-Z]))(?i:id|ref|logref|number|token|url|image|hash)s?\d?$")
_TIME = re.compile(r"(^|_|-)(at|time|timestamp|date|expiry|expires(_in)?)$|[a-z](At|Time|Date)$")
SCORE = re.compile("score|confidence|similarity|threshold", re.IGNORECASE)
#: Keys of lists that are a verdict: Amazon returns the faces that match, or an empty list.
_FOUND = re.compile("match|candidate", re.IGNORECASE)
_CODES = ("code", "status", "statusCode")
_ID_FORMS = {
    "UUID": re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"),
    "hexadecimal": re.compile(r"[0-9a-fA-F]{16,}"),
    "number": re.compile(r"\d+"),
}
_STAND_IN_TEXT = (
    r"[0-9a-f]{8}-0000-4000-8000-\d{12}|0{10,}[0-9a-f]+|[a-z]{2,12}_0\d{5}x|"
    r"(id|text|token|word)-\d+|person\d+@example\.com"
)
#: Matches what a recording has in place of a private value: see `replies.stand_ins`.
STAND_IN = re.compile(rf"{_STAND_IN_TEXT}|10\d{{3,}}")
_KEY = re.compile(r"[A-Za-z_$][A-Za-z_.-]{0,39}\d{0,2}")
# Parts of a text: stand-ins, paths and URLs, and numbers but sizes.
_VARIABLE = re.compile(rf"{_STAND_IN_TEXT}|\S*[/\\@:]\S+|[^ -~]+|\S{{200,}}")
_NUMBER = re.compile(r"\d+(\.\d+)?(?!\d|\s?([MK]?B|bytes|px|pixels|characters|min)\b)")
_JSON_TYPES = {dict: "object", list: "list", str: "text", bool: "flag", type(None): "null"}
#: Kinds that are compared only if both sides have them. A missing path shows in ``shape``.
_OPTIONAL = ("words", "time", "side", "code", "form", "found")


#: The aspect of the status. It weighs more than any other.
STATUS = "status"


@attrs.frozen
class AspectDifference:
    """An aspect whose values differ: texts of both sides, or none if a side lacks it."""

    aspect: str
    mock: tuple[str, ...]
    vendor: tuple[str, ...]


def compare_answers(
    mock: Response, vendor: Response, nullable: Collection[str] = ()
) -> list[AspectDifference]:
    """Return the differences between the mock's answer and the vendor's.

    If the status differs, it is the only difference. Of a `nullable` field, null is none. A star
    in the vendor's text stands for any text, because a recording has it in place of private words.
    """
    if mock.status != vendor.status:
        return [AspectDifference(STATUS, (str(mock.status),), (str(vendor.status),))]
    mock_aspects = _describe(mock)
    vendor_aspects = _describe_again(vendor.status, tuple(vendor.headers), bytes(vendor.body))
    differences = []
    for aspect in sorted(mock_aspects.keys() | vendor_aspects.keys()):
        if not _is_comparable(aspect, mock_aspects, vendor_aspects):
            continue
        mock_texts = sorted(mock_aspects.get(aspect, ()))
        vendor_texts = sorted(vendor_aspects.get(aspect, ()))
        if aspect.rpartition(".")[2] in nullable and "null" in (*mock_texts, *vendor_texts):
            continue
        if not _say_the_same(mock_texts, vendor_texts):
            differences.append(AspectDifference(aspect, tuple(mock_texts), tuple(vendor_texts)))
    return differences


Aspects = dict[str, set[str]]


def _is_comparable(aspect: str, mock: Aspects, vendor: Aspects) -> bool:
    """Return whether enough is known of both sides to compare an aspect."""
    kind, _, path = aspect.partition(" ")
    for item in re.finditer(r"\[\]", path):
        shape = f"shape {path[: item.end()]}"
        # If a list is empty, nothing is known about its items.
        if shape not in mock or shape not in vendor:
            return False
    if kind == "numbered":
        # A vendor's gateway may add headers with its own ids.
        return aspect in mock
    if kind not in _OPTIONAL:
        return True
    if aspect not in mock or aspect not in vendor:
        return False
    # A score in the middle of 0-100 does not show which side means yes.
    return kind != "side" or "middle" not in mock[aspect] | vendor[aspect]


def _say_the_same(mock_texts: list[str], vendor_texts: list[str]) -> bool:
    if mock_texts == vendor_texts:
        return True
    patterns = [re.compile(re.escape(text).replace(r"\*", ".*")) for text in vendor_texts]
    for text in mock_texts:
        if not any(pattern.fullmatch(text) for pattern in patterns):
            return False
    return all(any(pattern.fullmatch(text) for text in mock_texts) for pattern in patterns)


@functools.lru_cache(maxsize=64)
def _describe_again(status: int, headers: tuple[tuple[str, str], ...], body: bytes) -> Aspects:
    """Describe a vendor's answer, with which the answer to every guess is compared."""
    return _describe(Response(status=status, headers=headers, body=body))


def _describe(answer: Response) -> Aspects:
    """Return the aspects of an answer: type, headers, and of JSON each field's type and form.

    Of a page only its words count. Private values have a type, but no form.
    """
    media_type, _, parameters = (answer.header("Content-Type") or "").lower().partition(";")
    charset = re.search(r'charset="?([\w-]{1,20})', parameters)
    aspects: Aspects = {}
    if answer.body:
        aspects = {"type": {media_type}, "charset": {charset[1] if charset else "none"}}
    for header, value in answer.headers:
        name = header.lower()
        if _HEADERS.fullmatch(name):
            is_limit = name.endswith("limit")
            aspects[f"header {name}"] = {value if is_limit else _simplify(value)}
        elif _ID_HEADERS.fullmatch(name):
            aspects[f"numbered {name}"] = {"there"}
    try:
        body = answer.json()
    except ValueError:
        if media_type.startswith("text/"):
            page = re.sub(r"<[^>]*>", " ", answer.body[:2000].decode("utf-8", "replace"))
            aspects["words page"] = {_simplify(" ".join(page.split()))}
        return aspects
    for path, value, is_private in _values_in(body, "", is_private=False):
        aspects.setdefault(f"shape {path}", set()).add(_JSON_TYPES.get(type(value), "number"))
        if not is_private:
            for kind, text in _describe_value(path, value, answer.status):
                aspects.setdefault(f"{kind} {path}", set()).add(text)
    return aspects


@functools.lru_cache(maxsize=10_000)
def _is_private(name: str) -> bool:
    return FieldName(name).is_private


def _values_in(value: Any, path: str, *, is_private: bool) -> Iterator[tuple[str, Any, bool]]:
    """Yield a JSON value and all values in it, with their paths, and whether they are private."""
    yield path, value, is_private
    if isinstance(value, dict):
        for name, inner in value.items():
            is_name = _KEY.fullmatch(name) and not STAND_IN.fullmatch(name)
            inner_path = f"{path}.{name if is_name else '*'}".lstrip(".")
            is_inner_private = is_private or _is_private(name)
            yield from _values_in(inner, inner_path, is_private=is_inner_private)
    elif isinstance(value, list):
        for inner in value:
            yield from _values_in(inner, f"{path}[]", is_private=is_private)


def _describe_value(path: str, value: Any, status: int) -> Iterator[tuple[str, str]]:
    """Yield the kinds of aspects of a JSON value but its shape, each with a text."""
    key = path.rpartition(".")[2].replace("[]", "")
    if isinstance(value, bool):
        yield "words", str(value).lower()
    elif isinstance(value, list) and _FOUND.search(key):
        yield "found", "some" if value else "none"
    elif value is None or isinstance(value, (dict, list)):
        return
    elif _TIME.search(key):
        yield "time", _describe_time_format(value)
    elif not isinstance(value, str):
        yield from _describe_number(key, value)
    elif _IDS.search(key):
        form = _describe_id(value)
        yield "form", form
        # An error may repeat a word of the value that was sent.
        if form == "another text" and status >= 400:
            yield "words", _simplify(value)
    elif " " in value or not _VARYING.search(key):
        # If such a key has a sentence as its value, that is an error message about the value.
        yield "words", _simplify(value)


def _describe_number(key: str, value: float) -> Iterator[tuple[str, str]]:
    if key in _CODES:
        yield "code", str(value) if abs(value) < 1000 else "#"
    elif SCORE.search(key):
        yield "side", "high" if value > 60 else "low" if value < 40 else "middle"


def _simplify(text: str) -> str:
    """Return a text with stars and signs in place of what differs from call to call."""
    # A stack trace tells of the server's files.
    text, _, _ = text.partition("Traceback (most recent call last)")
    return _NUMBER.sub("#", _VARIABLE.sub("*", text))


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
