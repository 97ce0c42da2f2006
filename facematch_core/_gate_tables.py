"""The tables of a profile that set up its gates: which keys there are, and what each takes.

::

    [profiles.shop.budget]
    calls = 100             # or amount = "50.00", currency = "USD", price = { match = "0.05" }
    per = "day"
    of = "vendor"
    store = "sqlite:///attempts.sqlite3"

    [profiles.shop.breaker]
    failures = 5

    [profiles.shop.pacing]
    published = true        # or per_second, per_minute, per_day

    [profiles.shop.retries]
    times = 2
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import attrs

from ._enums import Operation
from ._nearest import nearest
from ._settings import described
from .errors import ConfigurationError

#: The tables of a profile, by name, each with its values.
GateTables = Mapping[str, Mapping[str, Any]]

#: No amount is larger, and none has more decimal places: `Budget` takes no other.
_AMOUNT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?")
_MOST = 10**12

#: Name and password in an address, whatever the password is made of, or one among its options.
_PASSWORD = re.compile(
    r"^[^:/]+://[^/@:]*:[^@]+@|[?&][^=&]*(?:password|passwd|passphrase|pwd)[^=&]*=", re.IGNORECASE
)


@attrs.frozen
class Kind:
    """What a key takes.

    Attributes:
        word: For messages.
        read: The value, or None if it does not fit.
    """

    word: str
    read: Callable[[Any], Any]


def _whole(least: int, most: int = 2**53) -> Callable[[Any], int | None]:
    return lambda value: value if type(value) is int and least <= value <= most else None


def _seconds(value: Any) -> float | None:
    fits = type(value) in (int, float) and 0 < value < math.inf
    return float(value) if fits else None


def _wait(value: Any) -> float | None:
    return 0.0 if type(value) in (int, float) and value == 0 else _seconds(value)


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _amount(value: Any) -> Decimal | None:
    if type(value) is int and 0 <= value <= _MOST:
        return Decimal(value)
    return Decimal(value) if isinstance(value, str) and _AMOUNT.fullmatch(value) else None


def _one_of(*words: str) -> Kind:
    quoted = " or ".join(f'"{word}"' for word in words)
    return Kind(quoted, lambda value: value if value in words else None)


def _currency(value: Any) -> str | None:
    return value if isinstance(value, str) and re.fullmatch("[A-Z]{3}", value) else None


def _prices(value: Any) -> dict[Operation, Decimal] | None:
    if not isinstance(value, dict) or not value:
        return None
    words = {operation.value: operation for operation in Operation}
    read = {words.get(name): _amount(price) for name, price in value.items()}
    if None in read or None in read.values():
        return None
    return {
        operation: price for operation, price in read.items() if operation and price is not None
    }


def _place(value: Any) -> Any:
    if isinstance(value, str):
        return value if value and "\0" not in value else None
    if not isinstance(value, dict) or len(value) != 1 or not {"env", "file"} & set(value):
        return None
    (named,) = value.values()
    return value if isinstance(named, str) and named and "\0" not in named else None


_COUNT = Kind("a whole number from 1 on", _whole(1))
_LENGTH = Kind("a number of seconds above 0", _seconds)
_MONEY = 'an amount from 0 on, written as text ("50.00") or a whole number'

#: Every table of gates, and what each of its keys takes.
TABLES: dict[str, dict[str, Kind]] = {
    "budget": {
        "calls": Kind("a whole number from 0 on", _whole(0)),
        "amount": Kind(_MONEY, _amount),
        "currency": Kind('three capital letters ("USD")', _currency),
        "price": Kind(f"a table from {', '.join(Operation)} to {_MONEY}", _prices),
        "per": _one_of("day", "run", "total"),
        "of": _one_of("profile", "vendor"),
        "store": Kind('an address, { env = "NAME" } or { file = "path" }', _place),
    },
    "breaker": {
        "failures": _COUNT,
        "within_s": _LENGTH,
        "open_s": _LENGTH,
        "longest_open_s": _LENGTH,
    },
    "pacing": {
        "per_second": _COUNT,
        "per_minute": _COUNT,
        "per_day": _COUNT,
        "published": Kind("true or false", _flag),
        "max_wait_s": Kind("a number of seconds from 0 on", _wait),
    },
    "retries": {
        "times": Kind("a whole number from 1 to 10", _whole(1, 10)),
        "first_s": _LENGTH,
        "longest_s": _LENGTH,
    },
}

#: The windows that can be named, in seconds.
WINDOWS_S = {"per_second": 1.0, "per_minute": 60.0, "per_day": 86400.0}


def read_tables(profile: Mapping[str, Any], where: str) -> GateTables:
    """The tables of gates in a profile, checked as far as no backend is needed.

    Raises:
        ConfigurationError: an unknown key, a value that does not fit, or keys that do not go
            together; the message tells which, and never a value.
    """
    read = {
        name: _table(profile[name], kinds, f"{where} {name}")
        for name, kinds in TABLES.items()
        if name in profile
    }
    if "budget" in read:
        _check_budget(read["budget"], f"{where} budget")
    if "pacing" in read:
        _check_pacing(read["pacing"], f"{where} pacing")
    return read


def _table(table: Any, kinds: Mapping[str, Kind], where: str) -> dict[str, Any]:
    if not isinstance(table, dict):
        raise ConfigurationError(f"{where} must be a table, not {described(table)}.")
    values = {}
    for key, value in table.items():
        if key not in kinds:
            raise ConfigurationError(f"{where}: unknown key {key[:60]!r}; {nearest(key, kinds)}")
        read = kinds[key].read(value)
        if read is None:
            raise ConfigurationError(
                f"{where}: {key} must be {kinds[key].word}, not {described(value)}."
            )
        values[key] = read
    return values


def _check_budget(table: Mapping[str, Any], where: str) -> None:
    if ("calls" in table) is ("amount" in table):
        raise ConfigurationError(f"{where} needs calls or amount, and not both.")
    for key in ("currency", "price"):
        if "calls" in table and key in table:
            raise ConfigurationError(f"{where}: {key} goes with amount, not with calls.")
        if "amount" in table and key not in table:
            raise ConfigurationError(
                f"{where}: amount needs {key}: the vendor's answers do not tell what a call costs."
            )
    if isinstance(table.get("store"), str) and _PASSWORD.search(table["store"]):
        raise ConfigurationError(
            f"{where}: store holds a password, which must not stand in the file: write "
            '{ env = "NAME" } or { file = "path" }.'
        )


def _check_pacing(table: Mapping[str, Any], where: str) -> None:
    named = [key for key in WINDOWS_S if key in table]
    if table.get("published", False) is bool(named):
        raise ConfigurationError(
            f"{where} needs published = true, or one of {', '.join(WINDOWS_S)}, and not both."
        )
