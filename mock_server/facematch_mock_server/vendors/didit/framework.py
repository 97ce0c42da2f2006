"""Didit answers like Django REST framework: its fields, JSON bodies, pages and other methods.

Each reader takes the claims and what was sent, and gives the value or raises `Invalid` with the
framework's words. One set of readers serves forms and JSON bodies.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from functools import cache
from typing import Any, NoReturn, TypeVar
from urllib.parse import parse_qs, urlencode

import attrs

from facematch_mock_server.claims import Citations
from facematch_mock_server.http.forms import Form, Upload, media_type
from facematch_mock_server.messages import Response
from facematch_mock_server.vendors.base import Call

T = TypeVar("T")
Reader = Callable[[Citations, Any], Any]

#: Levels of JSON that is read: Python reads deeper ones than it writes.
DEEPEST = 100
_TOO_DEEP = "nested too deeply"

#: The part of an email address before the @: words with dots between.
_USER = re.compile(
    r"[-!#$%&'*+/=?^_`{}|~0-9A-Z]+(\.[-!#$%&'*+/=?^_`{}|~0-9A-Z]+)*", re.IGNORECASE | re.ASCII
)
#: One word of the name of a host.
_LABEL = r"[a-z\u00a1-\uffff0-9]([a-z\u00a1-\uffff0-9-]{0,61}[a-z\u00a1-\uffff0-9])?"
_LONGEST_EMAIL = 320
_WHOLE_TAIL = re.compile(r"\.0*\s*$")
_TRUE = frozenset({"t", "y", "yes", "true", "on", "1", 1})
_FALSE = frozenset({"f", "n", "no", "false", "off", "0", 0})
#: Kinds of which an empty text in a form counts as nothing.
_EMPTY_IS_NONE = frozenset({"number", "boolean"})


class Invalid(Exception):
    """A value is refused in these words."""

    def __init__(self, *words: str) -> None:
        self.words = list(words)


@attrs.frozen(kw_only=True)
class Given:
    """A field of a form or of a JSON body.

    Attributes:
        name: As it is sent.
        kind: In a form: ``file``, ``text``, ``number``, ``boolean`` or ``object``.
        required: Whether it must be in a JSON body.
        nullable: Whether null is a value there.
        default: The claim that is its value where a form has it not; None for none.
        read: Its reader.
    """

    name: str
    kind: str = "text"
    required: bool = False
    nullable: bool = False
    default: str | None = None
    read: Reader


def read_form_fields(
    claims: Citations, fields: Iterable[Given], form: Form
) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """The value of every field of a form, and the words in which fields are refused, by name.

    What was not sent has its default, or None.
    """
    claims.cite("fields.together", "fields.unknown_ignored")
    values: dict[str, Any] = {}
    errors: dict[str, list[str]] = {}
    for field in fields:
        try:
            if field.kind == "file":
                values[field.name] = _file(claims, field.name, form)
                continue
            if field.name in form.files:
                # The framework sees files after texts, and a file is no value of another field.
                values[field.name] = field.read(claims, form.files[field.name][-1])
                continue
            sent = form.fields.get(field.name)
            if sent is not None and len(sent) > 1:
                claims.cite("form.last_wins")
            if sent is None or (sent[-1] == "" and field.kind in _EMPTY_IS_NONE):
                if sent is not None:
                    claims.cite("number.empty")
                values[field.name] = None if field.default is None else claims[field.default]
            else:
                values[field.name] = field.read(claims, sent[-1])
        except Invalid as invalid:
            errors[field.name] = invalid.words
    return values, errors


def read_json_fields(call: Call, body: Any, fields: Iterable[Given]) -> dict[str, Any]:
    """The fields that a JSON body has; other names are ignored. Refuses the call for bad ones.

    Args:
        call: Who sent it.
        body: As decoded.
        fields: What is read.
    """
    values, errors = checked(call, body, fields)
    if errors:
        call.refuse("fields.refused", errors)
    return values


def checked(
    call: Call, body: Any, fields: Iterable[Given]
) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """As `read_json_fields`, with the words in which fields are refused, by name."""
    if body is None:
        call.refuse("given.nothing")
    if not isinstance(body, dict):
        call.refuse("given.object", kind=type(body).__name__)
    claims = call.claims
    values: dict[str, Any] = {}
    errors: dict[str, list[str]] = {}
    for field in fields:
        value = body.get(field.name)
        if field.name not in body:
            if field.required:
                errors[field.name] = [claims["given.required"]]
        elif value is None:
            if field.nullable:
                values[field.name] = None
            else:
                errors[field.name] = [claims["given.null"]]
        else:
            try:
                values[field.name] = field.read(claims, value)
            except Invalid as invalid:
                errors[field.name] = invalid.words
    return values, errors


# Readers


def _file(claims: Citations, name: str, form: Form) -> Upload:
    sent = form.files.get(name)
    if sent is None:
        raise Invalid(claims["file.missing" if name not in form.fields else "file.not_a_file"])
    if len(sent) > 1:
        claims.cite("form.last_wins")
    upload = sent[-1]
    if not upload.content:
        raise Invalid(claims["file.empty"])
    words = []
    suffix, allowed = extension(upload.name), claims.get("file.extensions")
    if suffix != suffix.lower():
        claims.cite("file.extension_case")
        suffix = suffix.lower()
    if suffix not in allowed:
        claims.cite("file.extensions")
        text = claims["file.bad_extension"]
        words.append(text.format(extension=suffix, allowed=", ".join(allowed)))
    if len(upload.content) > claims.get("file.size_limit"):
        claims.cite("file.size_limit")
        words.append(claims["file.too_large"])
    if len(words) > 1:
        claims.cite("file.all_faults")
    if words:
        raise Invalid(*words)
    return upload


def extension(name: str) -> str:
    """The extension of a file name without its dot, as it stands; empty without one."""
    # As pathlib.PurePath.suffix has it, at a tenth of its price: a leading dot begins no extension.
    dot = name.rfind(".")
    return name[dot + 1 :] if dot > 0 else ""


def threshold(claims: Citations, value: Any) -> float:
    """A number from 0 to 100; whole where the edition says so."""
    if claims["threshold.whole"]:
        return whole(claims, value, lowest=0, highest=100, of="threshold")
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise Invalid(claims["number.bad"])
    return _in_range(claims, number, 0, 100, of="threshold")


def whole(
    claims: Citations, value: Any, *, lowest: int, highest: int, of: str | None = None
) -> int:
    """A whole number of a range; a fraction of zero is no hindrance.

    Args:
        claims, value: As for every reader.
        lowest, highest: The range.
        of: The prefix of the claims that state it; None for none.
    """
    try:
        number = int(_WHOLE_TAIL.sub("", str(value)))
    except ValueError:
        raise Invalid(claims["integer.bad"]) from None
    return _in_range(claims, number, lowest, highest, of=of)


N = TypeVar("N", int, float)


def _in_range(claims: Citations, number: N, lowest: int, highest: int, *, of: str | None) -> N:
    for key, name, limit, wrong in (
        ("number.too_high", "highest", highest, number > highest),
        ("number.too_low", "lowest", lowest, number < lowest),
    ):
        if wrong:
            if of is not None:
                claims.cite(f"{of}.{name}")
            raise Invalid(claims[key].format(limit=limit))
    return number


def boolean(claims: Citations, value: Any) -> bool:
    """True or false, also as a word in any case, or as 1 or 0."""
    word = value.lower() if isinstance(value, str) else value
    for words, key, truth in ((_TRUE, "boolean.true", True), (_FALSE, "boolean.false", False)):
        if isinstance(word, (str, int, float)) and word in words:
            claims.cite(key)
            return truth
    raise Invalid(claims["boolean.bad"])


def text(claims: Citations, value: Any) -> str:
    """A text without spaces around it; numbers are read as one."""
    return _text(claims, value, longest="given.longest")


def vendor_data(claims: Citations, value: Any) -> str | None:
    """The caller's own words; empty ones are none."""
    return _text(claims, value, longest="vendor_data.longest") or claims["vendor_data.empty"]


def _text(claims: Citations, value: Any, *, longest: str) -> str:
    sent = long_text(claims, value).strip()
    words = faults_of(claims, sent, longest=longest)
    if words:
        raise Invalid(*words)
    return sent


def faults_of(claims: Citations, sent: str, *, longest: str = "given.longest") -> list[str]:
    """What the framework has against a text, in its order; `longest` is the claim with a length."""
    words = []
    if len(sent) > claims.get(longest):
        words.append(claims["text.long"].format(most=claims[longest]))
    if "\x00" in sent:
        words.append(claims["text.null_characters"])
    halves = dict.fromkeys(one for one in sent if "\ud800" <= one <= "\udfff")
    if halves:
        named = ", ".join(f"U+{ord(one):X}" for one in halves)
        words.append(claims["text.surrogates"].format(named=named))
    return words


def long_text(claims: Citations, value: Any) -> str:
    """A text of any length, as it stands."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise Invalid(claims["given.text"])
    return str(value)


def choice(key: str) -> Reader:
    """One of the texts that a claim states."""

    def read(claims: Citations, value: Any) -> str:
        if value not in claims[key]:
            raise Invalid(claims["given.choice"].format(value=value))
        return str(value)

    return read


def items(claims: Citations, value: Any) -> list[Any]:
    """An array."""
    if not isinstance(value, list):
        raise Invalid(claims["given.list"].format(kind=type(value).__name__))
    return value


def email(key: str) -> Reader:
    """An email address, or else the words of a claim."""

    def read(claims: Citations, value: Any) -> str:
        address = value.strip() if isinstance(value, str) else ""
        words = faults_of(claims, address)
        user, _, domain = address.rpartition("@")
        is_one = _USER.fullmatch(user) and _is_host(domain) and not domain.endswith(".")
        if not is_one or len(address) > _LONGEST_EMAIL:
            words.append(claims[key])
        if words:
            raise Invalid(*words)
        return address

    return read


def _is_host(text: str) -> bool:
    return _host().fullmatch(text.lower()) is not None


@cache
def _host() -> re.Pattern[str]:
    # Compiled when it is first needed: that takes 7 ms.
    return re.compile(
        rf"({_LABEL}\.)+(xn--[a-z0-9]{{1,59}}|(?!-)[a-z\u00a1-\uffff-]{{2,63}}(?<!-))\.?"
    )


def metadata(claims: Citations, value: Any) -> dict[str, Any] | None:
    """A JSON object that stands as a text in a form; none for an empty text."""
    if isinstance(value, Upload):
        raise Invalid(claims["metadata.bad"])
    if value == "":
        empty: dict[str, Any] | None = claims["metadata.empty"]
        return empty
    if len(value) > claims.get("metadata.longest"):
        raise Invalid(claims["text.long"].format(most=claims["metadata.longest"]))
    try:
        found = _loads(value)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Invalid(claims["metadata.bad"])
    return found


def dollars(value: object) -> Decimal | None:
    """An amount from decoded JSON, as it was written; None if it is no number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return Decimal(str(value))


# JSON bodies


def read_json(call: Call) -> Any:
    """The JSON of a request; an empty object where there is no body."""
    request = call.request
    if not request.body:
        call.claims.cite("json.empty")
        return {}
    kind = request.header("content-type") or ""
    if media_type(kind) != "application/json":
        call.refuse("media.refused", media=kind)
    try:
        return _loads(request.body.decode())
    except ValueError as error:
        if str(error) == _TOO_DEEP:
            call.claims.cite("json.deep")
        call.refuse("json.refused", problem=error)


def _loads(text: str) -> Any:
    """JSON that can be written again; ValueError for other texts."""
    try:
        value = json.loads(text, parse_constant=_no_constant, parse_float=_finite)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    if _is_too_deep(value):
        raise ValueError(_TOO_DEEP)
    return value


def _is_too_deep(value: Any) -> bool:
    level, depth = [value] if isinstance(value, (dict, list)) else [], 0
    while level:
        inner = (one.values() if isinstance(one, dict) else one for one in level)
        level = [one for many in inner for one in many if isinstance(one, (dict, list))]
        depth += 1
    return depth > DEEPEST


def _no_constant(sent: str) -> NoReturn:
    raise ValueError(f"Out of range float values are not JSON compliant: {sent!r}")


def _finite(sent: str) -> float:
    value = float(sent)
    if not math.isfinite(value):
        raise ValueError("Out of range float values are not JSON compliant")
    return value


# Other methods


@cache
def _named(methods: tuple[str, ...]) -> str:
    there = {*methods, "HEAD"} if "GET" in methods else set(methods)
    order = ("GET", "POST", "PATCH", "DELETE", "HEAD")
    return ", ".join(name for name in order if name in there)


def allow_of(call: Call, methods: Iterable[str]) -> tuple[str, str]:
    """The header that names the methods of an endpoint; whoever answers GET answers HEAD."""
    return "Allow", call.claims["method.allow"].format(methods=_named(tuple(methods)))


def other_method(call: Call, methods: Iterable[str]) -> NoReturn:
    """The answer to OPTIONS, and to a method that an endpoint does not have."""
    if call.request.method == "OPTIONS":
        call.refuse("method.options")
    allow = allow_of(call, methods)
    call.refuse("method.refused", headers=(allow,), method=call.request.method)


# Pages


def paged(
    call: Call, origin: str, key: str, rows: Sequence[T], show: Callable[[T], Any]
) -> Response:
    """The page of `rows` that was asked for.

    Args:
        call: Who asks.
        origin: How the caller reaches this server, for the addresses of other pages.
        key: The claim that answers.
        rows: All of them, in order.
        show: One row as it is shown.
    """
    claims, count = call.claims, len(rows)
    following: dict[str, int | None] | None = None
    preceding: dict[str, int | None] | None = None
    if claims["page.numbers"] and {"page", "page_size"} & set(call.query):
        size = _number(call, "page_size", claims["page.limit"], lowest=1)
        last = max(1, -(-count // size))
        asked = call.query.get("page") or "1"
        if asked == "last":
            claims.cite("page.last")
        number = last if asked == "last" else _whole_or_none(asked)
        if number is None or not 1 <= number <= last:
            call.refuse("page.invalid")
        start, stop = (number - 1) * size, number * size
        if number < last:
            following = {"page": number + 1}
        if number > 1:
            # The first page is asked for by nothing.
            claims.cite("page.first_bare")
            preceding = {"page": number - 1 if number > 2 else None}
    else:
        limit = _number(call, "limit", claims["page.limit"], lowest=1)
        start = _number(call, "offset", 0, lowest=0)
        stop = start + limit
        if stop < count:
            following = {"limit": limit, "offset": stop}
        if start > 0:
            claims.cite("page.first_bare")
            preceding = {"limit": limit, "offset": start - limit if start > limit else None}
    known = {
        "count": count,
        "next": _address(call, origin, following),
        "previous": _address(call, origin, preceding),
        "results": [show(row) for row in rows[start:stop]],
    }
    return call.answer(key, {name: known[name] for name in claims["page.keys"]})


def _number(call: Call, name: str, default: int, *, lowest: int) -> int:
    sent = call.query.get(name)
    number = None if sent is None else _whole_or_none(sent)
    if number is not None and number >= lowest:
        return number
    if sent is not None:
        call.claims.cite("page.bad_number")
    return default


def _whole_or_none(sent: str) -> int | None:
    try:
        return int(sent)
    except ValueError:
        return None


def _address(call: Call, origin: str, changes: Mapping[str, int | None] | None) -> str | None:
    if changes is None:
        return None
    call.claims.cite("page.sorted")
    path, _, query = call.request.target.partition("?")
    known: dict[str, Any] = parse_qs(query, keep_blank_values=True)
    for name, value in changes.items():
        known.pop(name, None)
        if value is not None:
            known[name] = value
    encoded = urlencode(sorted(known.items()), doseq=True)
    return f"{origin}{path}{'?' if encoded else ''}{encoded}"
