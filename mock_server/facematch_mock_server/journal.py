"""What was asked and answered: names, sizes and digests, never pictures, keys or secrets."""

from __future__ import annotations

import datetime as dt
import json
import re
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

import attrs

from .messages import Request, hide_token

#: How many entries are kept.
MAX_ENTRIES = 10_000
#: An address: whatever is before its host, and behind its path, may be a secret. It is looked
#: for only where a word begins: else a long text would take time with the square of its length.
_ADDRESS = re.compile(
    r"(?<![A-Za-z0-9+.-])(?P<scheme>[A-Za-z0-9+.-]+://)(?:[^/?#@\s]*@)?(?P<rest>[^?#\s]*)\S*"
)
#: What replaces a value that is not shown, by its type.
_KINDS: Mapping[type, str] = {
    str: "text of {} characters",
    list: "list of {}",
    dict: "object of {}",
    bool: "a flag",
    int: "a number",
    float: "a number",
}
#: A longer value is cut to so many characters.
SHORT = 80
#: What a name sounds like whose value is a secret.
SECRET = re.compile(r"key|secret|token|passw|authori[sz]ation|signature|^code$", re.IGNORECASE)

_PICTURE = re.compile(r"image|picture|photo|selfie", re.IGNORECASE)


def shorten(text: str, length: int = SHORT) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def compose_note(head: Request, note: str | None) -> str | None:
    """The note of a call: the fault that struck it, if one did, and what there is to say of it."""
    fault = str(head.fault) if head.fault else None
    return "; ".join(filter(None, (fault, note))) or None


def presentable(fields: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Names and short values: secrets masked, addresses without what may be secret in them."""
    return {shorten(name): _show_value(name, value) for name, value in fields}


def mask_fields(fields: Mapping[str, str]) -> dict[str, str]:
    """The same fields; a value whose name sounds secret is masked."""
    return {name: "***" if SECRET.search(name) else text for name, text in fields.items()}


def describe_fields(fields: Iterable[tuple[str, Any]], shown: Collection[str]) -> dict[str, str]:
    """Names with the short values of those that may be `shown`, with type and length of others."""
    return {
        shorten(name): _show_value(name, (_show_plain if name in shown else _describe_kind)(value))
        for name, value in fields
    }


def shorten_json(values: Mapping[str, Any]) -> str:
    """A JSON object as short JSON: of what is nested only type and length, secrets masked."""
    shown = {}
    for name, value in values.items():
        text = _hide_secrets(value) if isinstance(value, str) else value
        shown[name] = _describe_kind(value) if isinstance(value, (list, dict)) else text
        if SECRET.search(name) or _PICTURE.search(name):
            shown[name] = "***"
    return shorten(json.dumps(shown, ensure_ascii=False))


def show_rule(rule: Any) -> str:
    """The `repr` of a rule: what was set alone, with secrets masked and long values cut."""
    shown = []
    for field in attrs.fields(type(rule)):
        value = getattr(rule, field.name)
        if value == field.default or value in ({}, frozenset()):
            continue
        if field.name in ("field", "headers"):
            value = presentable((name, str(text)) for name, text in value.items())
        elif field.name == "body" and isinstance(value, (dict, list)):
            value = shorten_json(value) if isinstance(value, dict) else f"list of {len(value)}"
        text = repr(str(value) if isinstance(value, str) else value)
        shown.append(f"{field.name}={shorten(text, 200)}")
    return f"{type(rule).__name__}({', '.join(shown)})"


def _show_value(name: str, value: str) -> str:
    return "***" if SECRET.search(name) else shorten(_hide_secrets(value))


def _hide_secrets(value: str) -> str:
    if "://" not in value:
        return value
    return hide_token(_ADDRESS.sub(r"\g<scheme>\g<rest>", value))


def _show_plain(value: Any) -> str:
    if isinstance(value, list) and not any(isinstance(item, (dict, list)) for item in value):
        return ", ".join(map(str, value))
    return _describe_kind(value) if isinstance(value, (dict, list)) else str(value)


def _describe_kind(value: Any) -> str:
    length = len(value) if isinstance(value, (str, list, dict)) else 0
    return _KINDS.get(type(value), "null").format(length)


@attrs.frozen(kw_only=True)
class SentFile:
    """A file of a form, without its bytes.

    Attributes:
        field: Name of the form field.
        name: Name of the file.
        size: Bytes.
        digest: SHA-256 in hexadecimal.
    """

    field: str
    name: str
    size: int
    digest: str | None


@attrs.frozen(kw_only=True)
class Entry:
    """One request, or what the transport did by itself.

    Attributes:
        at: When, by the clock of the world.
        method, path: As asked; the path without its query.
        status: Of the answer; None for what the transport did by itself.
        vendor: Whose request it was; None for nobody's.
        key: ``live``, ``sandbox``, ``none``, or ``wrong`` for one that is not known or not valid.
        fields: Query, form and JSON body: names with short values, secrets masked; of most texts
            type and length.
        files: The files that were sent.
        claims: Ids of the claims that the answer rests on.
        note: What else is worth knowing; None for nothing.
        number: Its place in the journal, from 1 on.
    """

    at: dt.datetime
    method: str
    path: str
    status: int | None = None
    vendor: str | None = None
    key: str = "none"
    fields: Mapping[str, str] = attrs.field(factory=dict)
    files: tuple[SentFile, ...] = ()
    claims: tuple[str, ...] = ()
    note: str | None = None
    number: int = 0

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            **attrs.asdict(self, recurse=False),
            "at": self.at.isoformat(timespec="microseconds"),
            "fields": dict(self.fields),
            "files": [attrs.asdict(file) for file in self.files],
            "claims": list(self.claims),
        }


class Journal:
    """The newest entries of one account. Safe across threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: deque[Entry] = deque(maxlen=MAX_ENTRIES)
        self._last = 0
        #: Is called with each entry once it is written, and with None once all are forgotten.
        self.watch: Callable[[Entry | None], None] | None = None

    def add(self, fields: dict[str, Any]) -> Entry:
        """Write one more entry with these fields, under the next number."""
        with self._lock:
            fields["number"] = self._last = self._last + 1
            entry = Entry(**fields)
            self._entries.append(entry)
        if self.watch is not None:
            self.watch(entry)
        return entry

    def clear(self) -> None:
        """Forget all; the numbers go on."""
        with self._lock:
            self._entries.clear()
        if self.watch is not None:
            self.watch(None)

    @property
    def is_full(self) -> bool:
        """Whether each new entry pushes out the oldest one."""
        return len(self._entries) == MAX_ENTRIES

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The oldest first."""
        with self._lock:
            return tuple(self._entries)
