"""Texts of a document as they may stand in a page or picture."""

from __future__ import annotations

import unicodedata
from typing import Final

#: Unicode controls of text direction, and Unicode line breaks.
_TURNING: Final = (
    "\u061c\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)


def plain(text: str) -> str:
    """Replace control characters, surrogates and `_TURNING` with U+FFFD."""
    return "".join(
        "\N{REPLACEMENT CHARACTER}"
        if letter in _TURNING or unicodedata.category(letter) in ("Cc", "Cs")
        else letter
        for letter in text
    )


def shortened(text: str, most_letters: int) -> str:
    """Return `plain` text, cut after `most_letters`; a cut text ends with an ellipsis."""
    plain_text = plain(text)
    if len(plain_text) <= most_letters:
        return plain_text
    return f"{plain_text[: most_letters - 1]}\N{HORIZONTAL ELLIPSIS}"
