"""Didit answers like Django REST framework: its fields, JSON bodies and other methods.

Each reader takes the claims and what was sent, and gives the value or raises `Invalid` with the
framework's words. One set of readers serves forms and JSON bodies.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import math
import re
from collections.abc import Callable, Container, Iterable, Mapping
from functools import lru_cache
from typing import Any, NoReturn, TypeVar

import attrs

from facematch_core.base.nesting import TooDeep, load_json
from facematch_mock_server.base.messages import Form, Upload, media_type
from facematch_mock_server.claims import Citations
from facematch_mock_server.vendors.base import Call

from .records import read_uuid

N = TypeVar("N", int, float)

#: The files that are taken, by extension; tif is not among them (Didit OpenAPI, 2026-07-18).
_EXTENSIONS = ("tiff", "jpg", "jpeg", "png", "webp")
_TRUTH: Mapping[Any, bool] = {
    **dict.fromkeys(("t", "y", "yes", "true", "on", "1", 1), True),
    **dict.fromkeys(("f", "n", "no", "false", "off", "0", 0), False),
}
NULL_CHARACTERS = "Null characters are not allowed."


def stamp(at: dt.datetime, zone: str = "Z") -> str:
    """A time as answers tell it; sessions and reviews end in Z."""
    return at.isoformat(timespec="microseconds").replace("+00:00", zone)


class Invalid(Exception):
    def __init__(self, *words: str) -> None:
        self.words = list(words)


@attrs.frozen
class Field:
    """A field of a form or of a JSON body."""

    name: str
    read: Callable[[Citations, Any], Any]
    #: The kind in a form: ``file``, ``text``, ``number``, ``boolean`` or ``object``.
    kind: str = "text"
    #: Whether it must be there, and whether null is a value in a JSON body.
    required: bool = False
    nullable: bool = False
    #: The value if a form lacks it.
    default: Any = None


def read_form_fields(
    claims: Citations, fields: Iterable[Field], form: Form
) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """The value of every field of a form, and the words in which fields are refused, by name."""
    values: dict[str, Any] = {}
    errors: dict[str, list[str]] = {}
    for field in fields:
        name = field.name
        # The last value of a repeated name counts. The framework sees files after texts, and a
        # file is no value of another field.
        sent = (form.files.get(name) or form.fields.get(name) or [None])[-1]
        # An empty text is no number, and neither true nor false.
        is_nothing = sent is None or (field.kind in ("number", "boolean") and sent == "")
        try:
            is_read = field.required or not is_nothing
            values[name] = field.read(claims, sent) if is_read else field.default
        except Invalid as invalid:
            errors[name] = invalid.words
    return values, errors


def read_json_fields(call: Call, body: Any, fields: Iterable[Field]) -> dict[str, Any]:
    """The fields that a JSON body has; other names are ignored. Refuses the call for bad ones."""
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
    if errors:
        call.refuse("fields.refused", body=errors)
    return values


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
    # Works as pathlib.PurePath.suffix, ten times as fast: a leading dot begins no extension.
    dot = upload.name.rfind(".")
    suffix = upload.name[dot + 1 :].lower() if dot > 0 else ""
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


def threshold(claims: Citations, value: Any) -> float:
    """Read a number from 0 to 100 (Didit API reference, Face Match)."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        claims.cite("score.type")
        raise Invalid("A valid number is required.")
    return _in_range(number, 0, 100)


def whole_number(_: Citations, value: Any, *, lowest: int, highest: int) -> int:
    """A whole number of a range; a fraction of zero is no hindrance."""
    try:
        number = int(re.sub(r"\.0*\s*$", "", str(value)))
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
    word = value.lower() if isinstance(value, str) else value
    truth = _TRUTH.get(word) if isinstance(word, (str, int, float)) else None
    if truth is None:
        raise Invalid("Must be a valid boolean.")
    return truth


def text(claims: Citations, value: Any) -> str:
    """A text without spaces around it; numbers are read as one."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise Invalid("Not a valid string.")
    return check_text(claims, str(value).strip())


def vendor_data(claims: Citations, value: Any) -> str | None:
    """The caller's own words; empty ones are none."""
    words = text(claims, value)
    if not words:
        claims.cite("answer.empty")
    return words or None


def check_text(claims: Citations, sent: str, *field_errors: str) -> str:
    """A text with which the framework finds nothing wrong, nor its field."""
    words = []
    if len(sent) > claims.get("text.longest"):
        words.append(words_for_length(claims["text.longest"]))
    if "\x00" in sent:
        words.append(NULL_CHARACTERS)
    if words or field_errors:
        raise Invalid(*words, *field_errors)
    return sent


def words_for_length(most: int) -> str:
    return f"Ensure this field has no more than {most} characters."


def uuid(_: Citations, value: Any) -> str:
    try:
        return read_uuid(value)
    except ValueError:
        raise Invalid("Must be a valid UUID.") from None


def choice(words: Container[str], _: Citations, value: Any) -> str:
    if not isinstance(value, str) or value not in words:
        raise Invalid(f'"{value}" is not a valid choice.')
    return value


def items(_: Citations, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise Invalid(f'Expected a list of items but got type "{type(value).__name__}".')
    return value


def email(claims: Citations, value: Any) -> str:
    address = value.strip() if isinstance(value, str) else ""
    is_valid = re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", address) and len(address) <= 320
    return check_text(claims, address, *(() if is_valid else ("Enter a valid email address.",)))


def metadata(claims: Citations, value: Any) -> dict[str, Any] | None:
    """A JSON object that stands as a text in a form; none for an empty text."""
    if value == "":
        claims.cite("answer.empty")
        return None
    document = None
    if not isinstance(value, Upload):
        if len(value) > claims.get("metadata.longest"):
            raise Invalid(words_for_length(claims["metadata.longest"]))
        with contextlib.suppress(ValueError):
            document = _load_json(value)
    if not isinstance(document, dict):
        raise Invalid(claims["metadata.bad"])
    return document


def read_json(call: Call) -> Any:
    request = call.request
    if not request.body:
        return {}
    kind = request.header("content-type") or ""
    if media_type(kind) != "application/json":
        call.refuse("media.refused", media=kind)
    try:
        return _load_json(request.body.decode())
    except ValueError as error:
        if isinstance(error, TooDeep):
            call.claims.cite("json.deep")
        call.refuse("json.refused", problem=error)


def _load_json(document: str) -> Any:
    """JSON that can be written again; ValueError for other texts."""

    def refuse(name: str) -> NoReturn:
        raise ValueError(f"Out of range float values are not JSON compliant: {name!r}")

    value = load_json(document, parse_constant=refuse)
    json.dumps(value, allow_nan=False)
    return value


@lru_cache(maxsize=64)
def allow_of(methods: tuple[str, ...]) -> tuple[str, str]:
    """Return the header that names an endpoint's methods; one with GET has HEAD."""
    heads = ["HEAD"] if "GET" in methods else []
    return "Allow", ", ".join([*methods, *heads, "OPTIONS"])


def refuse_method(call: Call, methods: Iterable[str]) -> NoReturn:
    """The answer to OPTIONS, and to a method that an endpoint does not have."""
    if call.request.method == "OPTIONS":
        call.refuse("method.options")
    call.refuse("method.refused", headers=(allow_of((*methods,)),), method=call.request.method)
