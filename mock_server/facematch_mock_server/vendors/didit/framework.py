"""Didit answers like Django REST framework: its fields, JSON bodies, pages and other methods.

Each reader takes the claims and what was sent, and gives the value or raises `Invalid` with the
framework's words. One set of readers serves forms and JSON bodies.
"""

from __future__ import annotations

import contextlib
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
N = TypeVar("N", int, float)
Reader = Callable[[Citations, Any], Any]

#: Levels of JSON that is read: Python reads deeper ones than it writes.
DEEPEST = 100
_TOO_DEEP = "nested too deeply"

#: The files that are taken, by extension; tif is not among them (Didit OpenAPI, 2026-07-18).
_EXTENSIONS = ("tiff", "jpg", "jpeg", "png", "webp")
_LONGEST_EMAIL = 320
_WHOLE_TAIL = re.compile(r"\.0*\s*$")
_TRUTH: Mapping[Any, bool] = {
    **dict.fromkeys(("t", "y", "yes", "true", "on", "1", 1), True),
    **dict.fromkeys(("f", "n", "no", "false", "off", "0", 0), False),
}
#: Kinds of which an empty text in a form counts as nothing.
_EMPTY_IS_NONE = frozenset({"number", "boolean"})


class Invalid(Exception):
    """A value is refused in these words."""

    def __init__(self, *words: str) -> None:
        self.words = list(words)


@attrs.frozen(kw_only=True)
class Given:
    """A field of a form or of a JSON body."""

    name: str
    #: In a form: ``file``, ``text``, ``number``, ``boolean`` or ``object``.
    kind: str = "text"
    #: Whether it must be there, and whether null is a value in a JSON body.
    required: bool = False
    nullable: bool = False
    #: Its value where a form has it not.
    default: Any = None
    read: Reader


def read_form_fields(
    claims: Citations, fields: Iterable[Given], form: Form
) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """The value of every field of a form, and the words in which fields are refused, by name.

    What was not sent has its default. Of a name that stands twice the last one counts.
    """
    values: dict[str, Any] = {}
    errors: dict[str, list[str]] = {}
    for field in fields:
        name = field.name
        # The framework sees files after texts, and a file is no value of another field.
        sent = (form.files.get(name) or form.fields.get(name) or [None])[-1]
        is_nothing = sent is None or (sent == "" and field.kind in _EMPTY_IS_NONE)
        try:
            is_read = field.required or not is_nothing
            values[name] = field.read(claims, sent) if is_read else field.default
        except Invalid as invalid:
            errors[name] = invalid.words
    return values, errors


def read_json_fields(call: Call, body: Any, fields: Iterable[Given]) -> dict[str, Any]:
    """The fields that a JSON body has; other names are ignored. Refuses the call for bad ones."""
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
    values: dict[str, Any] = {}
    errors: dict[str, list[str]] = {}
    for field in fields:
        value = body.get(field.name)
        if field.name not in body:
            if field.required:
                errors[field.name] = ["This field is required."]
        elif value is None and not field.nullable:
            errors[field.name] = ["This field may not be null."]
        else:
            try:
                values[field.name] = None if value is None else field.read(call.claims, value)
            except Invalid as invalid:
                errors[field.name] = invalid.words
    return values, errors


# Readers. The words of refusals are those of the OpenAPI as far as that shows them (files, a
# threshold that is too high, a missing field, a choice), and of the framework else.


def file(claims: Citations, upload: Any) -> Upload:
    """A file of a kind that is taken, and no larger than that."""
    if upload is None:
        raise Invalid("No file was submitted.")
    if not isinstance(upload, Upload):
        raise Invalid("The submitted data was not a file. Check the encoding type on the form.")
    if not upload.content:
        raise Invalid("The submitted file is empty.")
    words = []
    suffix = extension(upload.name).lower()
    if suffix not in _EXTENSIONS:
        allowed = ", ".join(_EXTENSIONS)
        words.append(
            f"File extension “{suffix}” is not allowed. Allowed extensions are: {allowed}."
        )
    if len(upload.content) > claims.get("file.size_limit"):
        claims.cite("file.size_limit")
        words.append("File size should not exceed 5 MB")
    if words:
        raise Invalid(*words)
    return upload


def extension(name: str) -> str:
    """The extension of a file name without its dot, as it stands; empty without one."""
    # As pathlib.PurePath.suffix has it, at a tenth of its price: a leading dot begins no extension.
    dot = name.rfind(".")
    return name[dot + 1 :] if dot > 0 else ""


def threshold(claims: Citations, value: Any) -> float:
    """A number from 0 to 100 (Didit API reference, Face Match); whole where the edition says so."""
    if claims.get("score.type") == "integer":
        return whole(claims, value, lowest=0, highest=100)
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        claims.cite("score.type")
        raise Invalid("A valid number is required.")
    return _in_range(number, 0, 100)


def whole(_: Citations, value: Any, *, lowest: int, highest: int) -> int:
    """A whole number of a range; a fraction of zero is no hindrance."""
    try:
        number = int(_WHOLE_TAIL.sub("", str(value)))
    except ValueError:
        raise Invalid("A valid integer is required.") from None
    return _in_range(number, lowest, highest)


def _in_range(number: N, lowest: int, highest: int) -> N:
    if number > highest:
        raise Invalid(f"Ensure this value is less than or equal to {highest}.")
    if number < lowest:
        raise Invalid(f"Ensure this value is greater than or equal to {lowest}.")
    return number


def boolean(_: Citations, value: Any) -> bool:
    """True or false, also as a word in any case, or as 1 or 0."""
    word = value.lower() if isinstance(value, str) else value
    truth = _TRUTH.get(word) if isinstance(word, (str, int, float)) else None
    if truth is None:
        raise Invalid("Must be a valid boolean.")
    return truth


def text(claims: Citations, value: Any) -> str:
    """A text without spaces around it; numbers are read as one."""
    sent = long_text(claims, value).strip()
    words = faults_of(claims, sent)
    if words:
        raise Invalid(*words)
    return sent


def vendor_data(claims: Citations, value: Any) -> str | None:
    """The caller's own words; empty ones are none."""
    sent = text(claims, value)
    if not sent:
        claims.cite("answer.empty")
    return sent or None


def faults_of(claims: Citations, sent: str) -> list[str]:
    """What the framework has against a text, in its order."""
    words = []
    if len(sent) > claims.get("text.longest"):
        words.append(too_long(claims["text.longest"]))
    if "\x00" in sent:
        words.append(NULL_CHARACTERS)
    halves = dict.fromkeys(one for one in sent if "\ud800" <= one <= "\udfff")
    if halves:
        named = ", ".join(f"U+{ord(one):X}" for one in halves)
        words.append(f"Surrogate characters are not allowed: {named}.")
    return words


NULL_CHARACTERS = "Null characters are not allowed."


def too_long(most: int) -> str:
    """The words for a text that is too long."""
    return f"Ensure this field has no more than {most} characters."


def long_text(_: Citations, value: Any) -> str:
    """A text of any length, as it stands."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise Invalid("Not a valid string.")
    return str(value)


def items(_: Citations, value: Any) -> list[Any]:
    """An array."""
    if not isinstance(value, list):
        raise Invalid(f'Expected a list of items but got type "{type(value).__name__}".')
    return value


def email(claims: Citations, value: Any) -> str:
    """An email address."""
    address = value.strip() if isinstance(value, str) else ""
    words = faults_of(claims, address)
    if not _mailbox().fullmatch(address.lower()) or len(address) > _LONGEST_EMAIL:
        words.append("Enter a valid email address.")
    if words:
        raise Invalid(*words)
    return address


@cache
def _mailbox() -> re.Pattern[str]:
    # Compiled when it is first needed: that takes 7 ms.
    word = r"[-!#$%&'*+/=?^_`{}|~0-9a-z]+"
    label = r"(?!-)[a-z0-9\u00a1-\uffff-]{1,63}(?<!-)"
    last = r"(xn--[a-z0-9]{1,59}|(?!-)[a-z\u00a1-\uffff-]{2,63}(?<!-))"
    return re.compile(rf"{word}(\.{word})*@({label}\.)+{last}")


def metadata(claims: Citations, value: Any) -> dict[str, Any] | None:
    """A JSON object that stands as a text in a form; none for an empty text."""
    if value == "":
        claims.cite("answer.empty")
        return None
    found = None
    if not isinstance(value, Upload):
        if len(value) > claims.get("metadata.longest"):
            raise Invalid(too_long(claims["metadata.longest"]))
        with contextlib.suppress(ValueError):
            found = _loads(value)
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
        value = json.loads(text, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    if not _is_within(value, DEEPEST):
        raise ValueError(_TOO_DEEP)
    json.dumps(value, allow_nan=False)
    return value


def _no_constant(sent: str) -> NoReturn:
    raise ValueError(f"Out of range float values are not JSON compliant: {sent!r}")


def _is_within(value: Any, levels: int) -> bool:
    if not isinstance(value, (dict, list)):
        return True
    inner = value.values() if isinstance(value, dict) else value
    return levels > 0 and all(_is_within(one, levels - 1) for one in inner)


# Other methods


def allow_of(methods: Iterable[str]) -> tuple[str, str]:
    """The header that names the methods of an endpoint; whoever answers GET answers HEAD."""
    heads = ["HEAD"] if "GET" in methods else []
    return "Allow", ", ".join([*methods, *heads, "OPTIONS"])


def other_method(call: Call, methods: Iterable[str]) -> NoReturn:
    """The answer to OPTIONS, and to a method that an endpoint does not have."""
    if call.request.method == "OPTIONS":
        call.refuse("method.options")
    call.refuse("method.refused", headers=(allow_of(methods),), method=call.request.method)


# Pages


def paged(
    call: Call, origin: str, key: str, rows: Sequence[T], show: Callable[[T], Any]
) -> Response:
    """The page of `rows` that was asked for, in the answer of the claim `key`. Addresses of other
    pages begin with `origin`, and each row is shown by `show`."""
    size, by_number = call.claims["page.size"]
    # The address of the first page says nothing of where it begins.
    if by_number and {"page", "page_size"} & set(call.query):
        size = _number(call, "page_size", size, lowest=1)
        last = max(1, -(-len(rows) // size))
        asked = call.query.get("page") or "1"
        number = last if asked == "last" else _whole_or_none(asked)
        if number is None or not 1 <= number <= last:
            call.refuse("page.invalid")
        start = (number - 1) * size
        following: dict[str, int | None] = {"page": number + 1}
        preceding = {"page": number - 1 if number > 2 else None}
    else:
        size = _number(call, "limit", size, lowest=1)
        start = _number(call, "offset", 0, lowest=0)
        following = {"limit": size, "offset": start + size}
        preceding = {"limit": size, "offset": start - size if start > size else None}
    page = {
        "count": len(rows),
        "next": _address(call, origin, following) if start + size < len(rows) else None,
        "previous": _address(call, origin, preceding) if start > 0 else None,
        "results": [show(row) for row in rows[start : start + size]],
    }
    return call.answer(key, page)


def _number(call: Call, name: str, default: int, *, lowest: int) -> int:
    """A number of the query; what is none, or too low, counts as not sent."""
    number = _whole_or_none(call.query.get(name, ""))
    return default if number is None or number < lowest else number


def _whole_or_none(sent: str) -> int | None:
    try:
        return int(sent)
    except ValueError:
        return None


def _address(call: Call, origin: str, changes: Mapping[str, int | None]) -> str:
    """The address of another page: the parameters of this one, sorted by name."""
    path, _, query = call.request.target.partition("?")
    known = parse_qs(query, keep_blank_values=True)
    known |= {name: [] if value is None else [str(value)] for name, value in changes.items()}
    encoded = urlencode(sorted(known.items()), doseq=True)
    return f"{origin}{path}{'?' if encoded else ''}{encoded}"
