"""What an email address and a password must be: pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from facematch_mock_server.claims import Told
from facematch_mock_server.vendors.didit import _given

_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
#: A longer address is none (RFC 5321).
LONGEST_EMAIL = 254


def email(told: Told, value: Any) -> str:
    """An email address.

    Raises:
        Refused: it is none.
    """
    address = _given.text(told, value)
    is_one = address.isprintable() and _EMAIL.fullmatch(address) is not None
    if not is_one or len(address) > LONGEST_EMAIL:
        raise _given.Refused(told["register.bad_email"])
    return address


def password(told: Told, value: Any) -> str:
    """A password that keeps the rules.

    Raises:
        Refused: it breaks one; of several only the first is told.
    """
    text = _given.text(told, value)
    broken = [
        told[f"password.{name}"] for name in told["password.rules"] if _BREAKS[name](told, text)
    ]
    if broken:
        said = broken[:1] if told["password.one_at_a_time"] else broken
        raise _given.Refused(" ".join(said))
    return text


def is_reserved(told: Told, address: str) -> bool:
    """Whether the address is in a domain that is reserved for tests."""
    domain = "." + address.rpartition("@")[2].lower()
    reserved = (*told["register.reserved"], *told["register.reserved_besides"])
    return any(domain.endswith("." + one) for one in reserved)


#: Whether a text breaks each rule.
_BREAKS: dict[str, Callable[[Told, str], bool]] = {
    "short": lambda told, text: len(text) < told["password.shortest"],
    "upper": lambda _, text: not any(one.isupper() for one in text),
    "lower": lambda _, text: not any(one.islower() for one in text),
    "digit": lambda _, text: not any(one.isdigit() for one in text),
    "special": lambda _, text: all(one.isalnum() for one in text),
}
