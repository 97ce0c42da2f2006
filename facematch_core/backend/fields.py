"""What a response says: what decides is read strictly, and what decides nothing with `detail`.

- *What decides*: a status, a score, a threshold, whose face or session it is, whether a face was
  found, and how grave the vendor calls a warning. If such a field has another form than documented,
  the response cannot be read: `deciding` raises `UnreadableField`, and the call ends with an
  `UnexpectedResponse` that names the field.
- *What decides nothing*: boxes, angles, quality, confidence, times, ids that nobody compares, the
  text of a warning. The vendor may change it without notice, and the answer is paid for: `detail`
  returns None, and the result gets one warning that names all such fields.

A path of a field is written without indices: ``probe``, ``faces``, ``box`` for the box of any face.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from typing import TypeVar

from facematch_core import models

T = TypeVar("T")


#: What a reader raises for a value of another form, such as ``value["score"]`` or ``value.items()``.
_UNREADABLE = (LookupError, TypeError, ValueError, AttributeError)


class UnreadableField(ValueError):
    """A field that decides has another form than documented. The text has no value of a vendor."""


class Notes:
    """What was noted while the responses of a call were read.

    Attributes:
        unread: The paths of the fields that `detail` could not read, each once.
        vendor_status, vendor_id: For the error of a response that cannot be read.
    """

    unread: tuple[str, ...] = ()
    vendor_status: str | None = None
    vendor_id: str | None = None

    def warning(self) -> models.ResultWarning:
        """Return the one warning that names the fields that `detail` could not read."""
        return models.ResultWarning(
            code=models.WarningCode.OTHER,
            severity=models.Severity.INFORMATION,
            text=f"Not in the documented form, and left out: {', '.join(self.unread)}",
        )


#: The notes of the call whose responses this thread reads.
_notes: contextvars.ContextVar[Notes | None] = contextvars.ContextVar(
    "facematch_notes", default=None
)


def start_notes(notes: Notes | None) -> Notes | None:
    """Note in `notes` from now on; return the notes of the call around this one, or None."""
    earlier = _notes.get()
    _notes.set(notes)
    return earlier


def detail(read: Callable[[object], T], value: object, *path: str | int) -> T | None:
    """Return `read(value)` for a field that decides nothing.

    None if the field is missing or null, or if `read` raises; then the result gets a warning.

    Args:
        read: Returns the value, or raises an error of `_UNREADABLE`.
        value: The value in the response; None if there is none.
        path: The keys that lead to it, for the warning.
    """
    if value is None:
        return None
    try:
        return read(value)
    except _UNREADABLE:
        notes = _notes.get()
        field = ".".join(map(str, path))
        if notes is not None and field not in notes.unread:
            notes.unread += (field,)
        return None


def deciding(read: Callable[[object], T], value: object, *path: str | int) -> T:
    """Return `read(value)` for a field that decides; see `detail`.

    Raises:
        UnreadableField: the field is missing, or has another form than documented.
    """
    try:
        return read(value)
    except _UNREADABLE:
        field = ".".join(map(str, path))
        problem = f"{field} is {json_type(value)}, and has another form than documented"
    # Raised outside the except block, because the first error may quote the value.
    raise UnreadableField(problem)


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
