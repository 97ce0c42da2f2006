"""Didit's rules for passwords, told before a try is spent. Pure.

Didit face-match skill page, early 2026, read 2026-11-20. Didit reports one broken rule at a time,
and takes five registrations an hour.
"""

from __future__ import annotations

from collections.abc import Callable

LEAST = 8

#: What it needs, and whether a character is that.
_NEEDS: tuple[tuple[str, Callable[[str], bool]], ...] = (
    ("a capital letter", str.isupper),
    ("a small letter", str.islower),
    ("a digit", str.isdigit),
    ("a special character", lambda char: not char.isalnum() and not char.isspace()),
)

RULES = f"at least {LEAST} characters, among them {', '.join(need for need, _ in _NEEDS)}"


def fault(password: str) -> str | None:
    """What a password lacks, all at once; None if nothing."""
    lacks = [need for need, fits in _NEEDS if not any(map(fits, password))]
    if len(password) < LEAST:
        lacks.insert(0, f"at least {LEAST} characters")
    return ", ".join(lacks) or None
