"""The forms in which JSON writers write a document, to tell whether a receiver re-encodes it."""

from __future__ import annotations

import enum
import json
from typing import Any


class JsonForm(enum.Enum):
    """A form of JSON; the value names the writers that have it."""

    #: A space after commas only: a receiver that verifies re-encoded JSON instead of the received
    #: bytes computes another signature.
    UNUSUAL = "no usual writer"
    PYTHON = "Python's json.dumps"
    #: Also that of Ruby, Jackson and Rust's serde.
    COMPACT = "JSON.stringify or another compact writer"
    ESCAPED = "a compact writer that escapes letters outside ASCII"
    PHP = "PHP's json_encode"
    GO = "Go's json.Marshal"

    def write(self, document: Any) -> bytes:
        """Encode a document."""
        separators = (",", ":")
        if self is JsonForm.UNUSUAL:
            separators = (", ", ":")
        if self is JsonForm.PYTHON:
            separators = (", ", ": ")
        text = json.dumps(
            document,
            separators=separators,
            ensure_ascii=self not in (JsonForm.COMPACT, JsonForm.GO),
            sort_keys=self is JsonForm.GO,
        )
        # These characters are only in strings.
        if self is JsonForm.PHP:
            text = text.replace("/", "\\/")
        if self is JsonForm.GO:
            for character in "<>&":
                text = text.replace(character, f"\\u{ord(character):04x}")
        try:
            return text.encode()
        except UnicodeEncodeError:  # half a surrogate pair, which UTF-8 cannot encode
            return JsonForm.ESCAPED.write(document)
