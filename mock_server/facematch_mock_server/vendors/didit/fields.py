"""The fields of Didit's forms and JSON bodies.

Didit returns the errors of Django REST framework. Each field reader takes the claims to cite
and the value, and returns the parsed value or raises `Invalid` with the framework's message. Forms
and JSON bodies use the same readers.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import math
import re
from collections.abc import Callable, Container, Iterable, Mapping
from pathlib import PurePath
from typing import Any, NoReturn

import attrs

from facematch_core.base.nesting import load_json
from facematch_mock_server.base.messages import Form, Upload, media_type
from facematch_mock_server.claims import CitedClaims
from facematch_mock_server.vendors.base import Call

from .records import read_uuid

#: Accepted file extensions; tif is not among them (Didit OpenAPI, 2026-07-18).
_EXTENSIONS = (".tiff", ".jpg", ".jpeg", ".png", ".webp")
_TRUTH: Mapping[Any, bool] = {
    **dict.fromkeys(("t", "y", "yes", "true", "on", "1", 1), True),
    **dict.fromkeys(("f", "n", "no", "false", "off", "0", 0), False),
}


def stamp(at: dt.datetime, zone: str = "Z") -> str:
    """Format a time for a response; times of sessions and reviews end in Z."""
    return at.isoformat(timespec="microseconds").replace("+00:00", zone)


class Invalid(Exception):
    """A field's value is invalid.

    Attributes:
        sentence: The message. Didit's framework has several for some fields; the mock has one for
            a field, but for the documented ones.
    """

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


@attrs.frozen
class Field:
    """A field of a form or of a JSON body."""

    name: str
    read: Callable[[CitedClaims, Any], Any]
    #: Whether the field is required, and whether it may be null in a JSON body.
    required: bool = False
    nullable: bool = False
    #: The value if a form omits the field.
    default: Any = None


def read_form_fields(
    claims: CitedClaims, fields: Iterable[Field], form: Form
) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """Return a form's field values by name, and the errors of invalid fields by name."""
    values: dict[str, Any] = {}
    errors: dict[str, list[str]] = {}
    # The framework reads files after strings, and rejects a file in a field of any other type.
    texts_and_files: dict[str, list[Any]] = {**form.fields, **form.files}
    for field in fields:
        name = field.name
        sent_values = texts_and_files.get(name)
        # For numbers and booleans an empty string means the default.
        if not field.required and (
            not sent_values or (field.default is not None and sent_values[-1] == "")
        ):
            values[name] = field.default
            continue
        try:
            # For a repeated name, the last value wins.
            values[name] = field.read(claims, sent_values[-1] if sent_values else None)
        except Invalid as invalid:
            errors[name] = [invalid.sentence]
    return values, errors


def read_json_fields(call: Call, body: object, fields: Iterable[Field]) -> dict[str, Any]:
    """Return a JSON body's fields, ignoring unknown names; refuse the call for invalid fields."""
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
                errors[field.name] = [invalid.sentence]
    if errors:
        call.refuse("fields.refused", body=errors)
    return values


# Readers. Error messages are from the OpenAPI where it has them (files, a threshold that is too
# high, a missing field, a choice), otherwise from the framework.


def read_document_file(claims: CitedClaims, upload: object) -> Upload:
    """Read a picture of a document, which may be a PDF."""
    return read_file(
        claims, upload, extensions=(*_EXTENSIONS, ".pdf"), limit="id_verification.size_limit", mb=10
    )


def read_file(
    claims: CitedClaims,
    upload: object,
    *,
    extensions: tuple[str, ...] = _EXTENSIONS,
    limit: str = "file.size_limit",
    mb: int = 5,
) -> Upload:
    """Read a file with one of these extensions, within the limit that the claim `limit` has.

    The message of a file that is too large says `mb`.
    """
    if not isinstance(upload, Upload) or not upload.content:
        raise Invalid("No file was submitted.")
    # A leading dot does not start an extension.
    if not upload.name[1:].lower().endswith(extensions):
        suffix = PurePath(upload.name).suffix[1:].lower()
        allowed = ", ".join(extension.removeprefix(".") for extension in extensions)
        raise Invalid(
            f"File extension “{suffix}” is not allowed. Allowed extensions are: {allowed}."
        )
    if len(upload.content) > claims.get(limit):
        claims.cite(limit)
        raise Invalid(f"File size should not exceed {mb} MB")
    return upload


def threshold(_: CitedClaims, value: Any) -> float:
    """Read a number from 0 to 100 (Didit API reference, Face Match)."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if number > 100:
        raise Invalid("Ensure this value is less than or equal to 100.")
    if not number >= 0:
        # Scores and thresholds are fractional numbers from 0 to 100. A score has two decimals; the
        # score of a match that is not saved is not rounded. (Didit OpenAPI, 2026-07-18)
        raise Invalid("A valid number is required.")
    return number


def whole_number(_: CitedClaims, value: object, *, lowest: int, highest: int) -> int:
    """Read an integer within a range."""
    text = str(value)
    if not (text.isascii() and text.isdigit() and lowest <= int(text[:9]) <= highest):
        raise Invalid("A valid integer is required.")
    return int(text)


def boolean(_: CitedClaims, value: object) -> bool:
    lowered = value.lower() if isinstance(value, str) else value
    truth = _TRUTH.get(lowered) if isinstance(lowered, (str, int, float)) else None
    if truth is None:
        raise Invalid("Must be a valid boolean.")
    return truth


def text(_: CitedClaims, value: object) -> str:
    """Read a string without surrounding white space; a number is converted to a string."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise Invalid("Not a valid string.")
    return str(value).strip()


def vendor_data(claims: CitedClaims, value: object) -> str | None:
    """Read the caller's own data; return None for an empty string."""
    # OURS: Empty vendor_data and empty metadata are echoed as null.
    return text(claims, value) or None


def uuid(_: CitedClaims, value: object) -> str:
    try:
        return read_uuid(value)
    except ValueError:
        raise Invalid("Must be a valid UUID.") from None


def choice(choices: Container[str], _: CitedClaims, value: object) -> str:
    if not isinstance(value, str) or value not in choices:
        raise Invalid(f'"{value}" is not a valid choice.')
    return value


def email(_: CitedClaims, value: object) -> str:
    address = value.strip() if isinstance(value, str) else ""
    if not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", address):
        raise Invalid("Enter a valid email address.")
    return address


def metadata(claims: CitedClaims, value: Any) -> dict[str, Any] | None:
    """Read a JSON object (in a form, as a string); return None for an empty string."""
    if value == "":
        return None
    document = None
    if not isinstance(value, Upload):
        with contextlib.suppress(ValueError):
            document = _load_json(value)
    if not isinstance(document, dict):
        raise Invalid(claims["metadata.bad"])
    return document


def read_json(call: Call) -> Any:
    """Return the JSON of a body, {} of an empty one; refuse broken JSON and other types."""
    request = call.request
    if not request.body:
        return {}
    content_type = request.header("content-type", "")
    if media_type(content_type) != "application/json":
        call.refuse("media.refused", media=content_type)
    try:
        return _load_json(request.body.decode())
    except ValueError as error:
        # OURS: JSON that is nested too deeply for Python is refused, too.
        call.refuse("json.refused", problem=error)


def _load_json(document: str) -> Any:
    """Parse JSON, and raise ValueError unless the result can be encoded again."""

    def refuse(name: str) -> NoReturn:
        raise ValueError(f"Out of range float values are not JSON compliant: {name!r}")

    value = load_json(document, parse_constant=refuse)
    json.dumps(value, allow_nan=False)
    return value
