"""What a response says: fields that decide are read strictly, and others with `read_or_none`.

- *What decides*: a status, a score, a threshold, whose face or session it is, the list of faces,
  and how grave the vendor calls a warning. If such a field has another form than documented, the
  response cannot be read: `read_strict` raises `UnreadableField`, and the call ends with an
  `UnexpectedResponse` that names the field.
- *What decides nothing*: boxes, angles, quality, confidence, times, ids that nobody compares, the
  text of a warning. The vendor may change it without notice, and the answer is paid for:
  `read_or_none` returns None, and the result gets one warning that names all such fields.

A path consists of the names in the vendor's documents, as the plug-in's code has them, and never
of a name that stands only in the response: that may be a customer's. Indices are left out.
"""

from __future__ import annotations

import contextvars
import datetime as dt
import functools
import operator
from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any, TypeVar

from facematch_core import models

T = TypeVar("T")


class UnreadableField(ValueError):
    """A field that decides has another form than documented. No text here has a vendor's value.

    Attributes:
        problem: What is wrong with the field: ``is missing``.
        field: Its path: ``face_match.score``; "" if the reader that raised this does not know it.
    """

    def __init__(self, problem: str, *path: object) -> None:
        self.problem = problem
        self.field = path_text(path)
        super().__init__(f"{self.field} {problem}".lstrip())


#: What a reader raises for a value of another form: ``value["score"]``, ``value.items()``.
_UNREADABLE = (LookupError, TypeError, ValueError, AttributeError, OverflowError, OSError)


class Notes:
    """What was noted while the responses of a call were read.

    Attributes:
        unread: The paths of the fields that `read_or_none` could not read, each once.
        vendor_status, vendor_id: For the error of a response that cannot be read.
    """

    unread: tuple[str, ...] = ()
    vendor_status: str | None = None
    vendor_id: str | None = None

    def warning(self) -> models.ResultWarning:
        """Return the one warning that names the fields that `read_or_none` could not read."""
        return models.ResultWarning(
            code=models.WarningCode.UNREADABLE_DETAIL,
            severity=models.Severity.INFORMATION,
            text=f"Not in the documented form, and left out: {', '.join(self.unread)}",
        )


#: The notes of the call whose responses this thread reads; None outside a call.
_notes: contextvars.ContextVar[Notes | None] = contextvars.ContextVar(
    "facematch_notes", default=None
)


def start_notes(notes: Notes | None) -> Notes | None:
    """Note in `notes` from now on; return the notes of the call around this one, or None."""
    earlier = _notes.get()
    _notes.set(notes)
    return earlier


def read_or_none(read: Callable[[Any], T], value: object, *path: object) -> T | None:
    """Return `read(value)` for a field that decides nothing.

    None if the field is missing or null, or if `read` raises; then the result gets a warning.

    Args:
        read: Returns the value, or raises any error that a value of another form causes.
        value: The value in the response; None if there is none.
        path: The documented names that lead to it, for the warning.
    """
    if value is None:
        return None
    try:
        return read(value)
    except _UNREADABLE:
        notes = _notes.get()
        field = path_text(path)
        if notes is not None and field not in notes.unread:
            notes.unread += (field,)
        return None


def read_strict(read: Callable[[Any], T], value: object, *path: object) -> T:
    """Return `read(value)` for a field that decides; see `read_or_none`.

    Raises:
        UnreadableField: the field is missing, or has another form than documented.
    """
    try:
        return read(value)
    except UnreadableField as error:
        problem = error.problem
    except _UNREADABLE:
        problem = f"is {json_type(value)}, and not as documented"
    # Raised outside the except block, because the first error may quote the value.
    raise UnreadableField(problem, *path)


def read_at(read: Callable[[Any], T], document: object, *path: Any) -> T:
    """Return `read` of the value at a path of keys and indices; as strict as `read_strict`."""
    return read_strict(read, value_at(document, path), *path)


def value_at(document: Any, path: Sequence[Any]) -> Any:
    """Return the value at a path of keys and indices; raise `UnreadableField` if there is none."""
    try:
        return functools.reduce(operator.getitem, path, document)
    except (LookupError, TypeError):
        pass
    # Raised outside the except block, because the first error may quote the response.
    raise UnreadableField("is missing", *path)


def path_text(path: tuple[object, ...]) -> str:
    """Return a path in one word, without indices: ``faces.box`` for the box of any face."""
    return ".".join([step for step in path if isinstance(step, str)])


_JSON_TYPES = {
    type(None): "missing or null", bool: "a boolean", str: "a text", int: "a number",
    float: "a number", list: "a list", dict: "an object",
}  # fmt: skip


def json_type(value: object) -> str:
    """Return the type of a value in a response, in words; for messages, which have no value."""
    return _JSON_TYPES.get(type(value), type(value).__name__)


def note_status(vendor_status: str) -> str:
    """Note the vendor's verdict, for the error if the rest cannot be read; return it."""
    notes = _notes.get()
    if notes is not None:
        notes.vendor_status = vendor_status
    return vendor_status


def note_id(vendor_id: str | None) -> str | None:
    """Note the vendor's id of the call, for the error if the rest cannot be read; return it."""
    notes = _notes.get()
    if notes is not None:
        notes.vendor_id = vendor_id
    return vendor_id


# Readers: each returns a value of a response, or raises `UnreadableField` if it is no such value.


def reader(kind: type[T], noun: str) -> Callable[..., T]:
    """Return a reader for a JSON type, whose `noun` is for the error; a boolean is no number."""

    def read(value: object, *path: object) -> T:
        if type(value) is not kind:
            raise UnreadableField(f"is {json_type(value)}, not {noun}", *path)
        return value

    return read


boolean = reader(bool, "a boolean")
text = reader(str, "a text")
json_list = reader(list, "a list")
json_object = reader(dict, "an object")


def number(value: object, *path: object) -> float:
    """Return a number as a float; true, null and "0.9" are none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise UnreadableField(f"is {json_type(value)}, not a number", *path)
    return float(value)


def nonempty_text(value: object, *path: object) -> str:
    """Return a text that is not empty."""
    if value == "":
        raise UnreadableField("is empty", *path)
    return text(value, *path)


def aware_time(value: object, *path: object) -> dt.datetime:
    """Return an ISO 8601 time; one without a time zone is refused, as it may be any of 24."""
    time = dt.datetime.fromisoformat(nonempty_text(value, *path))
    if time.utcoffset() is None:
        raise UnreadableField("has no time zone", *path)
    return time


def pick(fields: object, names: Sequence[str], *, times: Container[str] = ()) -> dict[str, Any]:
    """Return the named fields of a response, for `raw`: one value each, or a list of such.

    An object, and what should be a time and is none, is left out: it may be personal data.
    {} if `fields` is no object.
    """
    if not isinstance(fields, Mapping):
        return {}
    picked = {}
    for name in names:
        if name in fields and _is_plain(fields[name], is_time=name in times):
            picked[name] = fields[name]
    return picked


def _is_plain(value: object, *, is_time: bool) -> bool:
    """Return whether a value is null, a number, a text, or a list of these; or a time or null."""
    if is_time and isinstance(value, str):
        try:
            dt.datetime.fromisoformat(value)
        except ValueError:
            return False
        return True
    values = value if isinstance(value, list) and not is_time else [value]
    return all(each is None or isinstance(each, (bool, int, float, str)) for each in values)


def objects(value: object) -> list[dict[str, Any]]:
    """Return a list of objects, which may be empty.

    An entry that is no object is refused, because it could be the largest face.
    """
    items = json_list(value)
    for item in items:
        if type(item) is not dict:
            json_object(item)
    return items


def only_object(value: object) -> dict[str, Any]:
    """Return the only object of a list."""
    (item,) = objects(value)
    return item
