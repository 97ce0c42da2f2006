"""Form fields, read as the framework reads them: pure."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable
from typing import Any

import attrs

from facematch_mock_server.claims import Told
from facematch_mock_server.forms import Form, Upload

from ._visit import decoded, is_too_deep

#: Levels of metadata: Python reads deeper ones than it writes.
_DEEPEST = 200
_WHOLE_TAIL = re.compile(r"\.0*\s*$")


class Kind(enum.StrEnum):
    """What a field holds."""

    FILE = enum.auto()
    THRESHOLD = enum.auto()
    WHOLE = enum.auto()
    CHOICE = enum.auto()
    BOOLEAN = enum.auto()
    TEXT = enum.auto()
    OBJECT = enum.auto()


#: What the journal may hold as it was sent: no file, and nothing that is nested.
SHOWN = frozenset({Kind.THRESHOLD, Kind.WHOLE, Kind.CHOICE, Kind.BOOLEAN, Kind.TEXT})


@attrs.frozen
class Field:
    """One field of a form.

    Attributes:
        name: As it is sent.
        kind: What it holds.
        default: The behaviour that is its default; None if there is none, then it is required for
            a file and null otherwise.
        choices: The behaviour that is the texts it takes; None for any.
    """

    name: str
    kind: Kind
    default: str | None = None
    choices: str | None = None


#: The fields that every picture endpoint has, after its own.
SHARED = (
    Field("rotate_image", Kind.BOOLEAN, "rotate.default"),
    Field("save_api_request", Kind.BOOLEAN, "save.default"),
    Field("vendor_data", Kind.TEXT),
    Field("metadata", Kind.OBJECT),
)


class _Refused(Exception):
    """The field is refused in these words."""

    def __init__(self, *words: str) -> None:
        super().__init__(words)
        self.words = list(words)


def read_fields(
    told: Told, fields: tuple[Field, ...], form: Form
) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """The value of every field, and the words in which fields are refused, by name.

    Files are `Upload`, thresholds numbers, and what was not sent is None or its default.
    """
    values: dict[str, Any] = {}
    errors: dict[str, list[str]] = {}
    for field in fields:
        try:
            values[field.name] = _READERS[field.kind](told, field, form)
        except _Refused as refused:
            errors[field.name] = refused.words
    # Every field that is known has a value or an error by now.
    unknown = [name for name in form.fields if name not in values and name not in errors]
    if unknown and not told["fields.unknown_ignored"]:
        errors.update((name, ["Unknown."]) for name in unknown)
    if len(errors) > 1 and not told["fields.together"]:
        errors = dict([next(iter(errors.items()))])
    return values, errors


def defaults(told: Told, fields: tuple[Field, ...]) -> dict[str, Any]:
    """The values of a form that has no field at all, for what is answered before it is read."""
    return {f.name: None if f.default is None else told.peek(f.default) for f in fields}


def extension(name: str) -> str:
    """The extension of a file name without its dot, as it stands; empty without one."""
    # As pathlib.PurePath.suffix has it, at a tenth of its price: a leading dot begins no extension.
    dot = name.rfind(".")
    return name[dot + 1 :] if 0 < dot < len(name) - 1 else ""


def _last(told: Told, sent: list[Any]) -> Any:
    if len(sent) == 1:
        return sent[0]
    return sent[-1] if told["form.last_wins"] else sent[0]


def _text(told: Told, field: Field, form: Form) -> str | None:
    sent = form.fields.get(field.name)
    return None if sent is None else _last(told, sent)


def _default(told: Told, field: Field) -> Any:
    return None if field.default is None else told[field.default]


def _read_file(told: Told, field: Field, form: Form) -> Upload:
    sent = form.files.get(field.name)
    if sent is None:
        key = "file.missing" if field.name not in form.fields else "file.not_a_file"
        raise _Refused(told[key])
    upload: Upload = _last(told, sent)
    if not upload.content:
        raise _Refused(told["file.empty"])
    words = [*_extension_faults(told, upload.name), *_size_faults(told, len(upload.content))]
    if len(words) > 1 and not told["file.all_faults"]:
        words = words[:1]
    if words:
        raise _Refused(*words)
    return upload


def _extension_faults(told: Told, name: str) -> list[str]:
    suffix = extension(name)
    lowered = suffix.lower()
    allowed: tuple[str, ...] = told.peek("file.extensions")
    if suffix != lowered:
        told.note("file.extension_case")
        if told.peek("file.extension_case"):
            lowered = suffix
    if lowered in allowed:
        return []
    told.note("file.extensions")
    return [told["file.bad_extension"].format(extension=lowered, allowed=", ".join(allowed))]


def _size_faults(told: Told, size: int) -> list[str]:
    if size <= told.peek("file.size_limit"):
        return []
    told.note("file.size_limit")
    return [told["file.too_large"]]


def _read_threshold(told: Told, field: Field, form: Form) -> float:
    text = _text(told, field, form)
    if text is None:
        default: float = _default(told, field)
        return default
    if text == "" and told["number.empty"]:
        return _read_threshold(told, field, Form())
    whole = field.kind is Kind.WHOLE or told["threshold.whole"]
    value = (_whole if whole else _number)(told, text)
    # Not a number is a number to the framework, and neither too high nor too low.
    for key, limit, wrong in (
        ("number.too_high", "threshold.highest", value > told.peek("threshold.highest")),
        ("number.too_low", "threshold.lowest", value < told.peek("threshold.lowest")),
    ):
        if wrong:
            raise _Refused(told[key].format(limit=told[limit]))
    return value


def _number(told: Told, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise _Refused(told["number.bad"]) from None


def _whole(told: Told, text: str) -> int:
    try:
        return int(_WHOLE_TAIL.sub("", text))
    except ValueError:
        raise _Refused(told["integer.bad"]) from None


def _read_choice(told: Told, field: Field, form: Form) -> str | None:
    text = _text(told, field, form)
    if text is None:
        default: str | None = _default(told, field)
        return default
    if field.choices is not None and text not in told[field.choices]:
        raise _Refused(told["given.choice"].format(value=text))
    return text


def _read_boolean(told: Told, field: Field, form: Form) -> bool:
    text = _text(told, field, form)
    if text is None or (text == "" and told["number.empty"]):
        return bool(_default(told, field))
    if text in told["boolean.true"]:
        return True
    if text in told["boolean.false"]:
        return False
    raise _Refused(told["boolean.bad"])


def _read_text(told: Told, field: Field, form: Form) -> str | None:
    text = _text(told, field, form)
    _check_length(told, text, "vendor_data.longest")
    empty: str | None = told["vendor_data.empty"] if text == "" else text
    return empty


def _check_length(told: Told, text: str | None, most: str) -> None:
    if text is not None and len(text) > told.peek(most):
        raise _Refused(told["text.long"].format(most=told[most]))


def _read_object(told: Told, field: Field, form: Form) -> dict[str, Any] | None:
    text = _text(told, field, form)
    if text is None:
        return None
    if text == "":
        empty: dict[str, Any] | None = told["metadata.empty"]
        return empty
    _check_length(told, text, "metadata.longest")
    try:
        value = decoded(text)
    except (ValueError, RecursionError):
        raise _Refused(told["metadata.bad"]) from None
    if not isinstance(value, dict) or _too_deep(value, text):
        raise _Refused(told["metadata.bad"])
    return value


def _too_deep(value: Any, text: str) -> bool:
    """Whether it is nested so deeply that it could not be echoed."""
    return text.count("{") + text.count("[") > _DEEPEST and is_too_deep(value, _DEEPEST)


_READERS: dict[Kind, Callable[[Told, Field, Form], Any]] = {
    Kind.FILE: _read_file,
    Kind.THRESHOLD: _read_threshold,
    Kind.WHOLE: _read_threshold,
    Kind.CHOICE: _read_choice,
    Kind.BOOLEAN: _read_boolean,
    Kind.TEXT: _read_text,
    Kind.OBJECT: _read_object,
}
