"""``--switch NAME=VALUE``: behaviours of a mock vendor as words on a command line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from facematch_mock_server.vendors import NUMBERS, Vendor, owner_of


def read_editions(kinds: Sequence[Vendor], words: Iterable[str]) -> dict[str, str]:
    """Read words like ``2026-07`` and ``deepvue=2026-11``: editions by vendor.

    Raises:
        ValueError: two for one vendor. Whether there are such is not asked here.
    """
    read: dict[str, str] = {}
    for word in words:
        vendor, equals, edition = word.partition("=")
        if not equals:
            has = (kind.name for kind in kinds if word in kind.editions)
            vendor, edition = next(has, kinds[0].name), word
        if vendor in read:
            raise ValueError(f"two editions are given for {vendor:.60}")
        read[vendor] = edition
    return read


def read_all_switches(kinds: Sequence[Vendor], words: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Read words like ``boundary=inclusive`` and ``deepvue.bad_token=401``: values by vendor.

    Args:
        kinds: The vendors. A name without a vendor's is for the first one that has it.
        words: As for `read_switches`.

    Raises:
        ValueError: as of `read_switches`, or a vendor that is not among them.
    """
    typed: dict[str, list[str]] = {kind.name: [] for kind in kinds}
    for word in words:
        name, equals, value = word.partition("=")
        vendor, bare = owner_of(kinds, name)
        if vendor not in typed:
            raise ValueError(f"there is no vendor {vendor:.60}; there is {', '.join(typed)}")
        typed[vendor].append(bare + equals + value)
    return {kind.name: read_switches(kind, typed[kind.name]) for kind in kinds}


def read_switches(kind: Vendor, words: Iterable[str]) -> dict[str, Any]:
    """Read words like ``boundary=inclusive``.

    Args:
        kind: The vendor whose switches they are.
        words: As typed. A number may be ``none`` where there may be no limit.

    Returns:
        The values by name, as `Vendor.choose` takes them.

    Raises:
        ValueError: a word without ``=``, a name that is unknown or there twice, or a value that
            does not fit.
    """
    read: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise ValueError(f"a switch is typed as NAME=VALUE, not {word!r:.60}")
        if name in read:
            raise ValueError(f"the switch {name} is given twice")
        read[name] = _value(kind, name, value)
    return read


def _value(kind: Vendor, name: str, typed: str) -> Any:
    if name in kind.switches:
        words = {_word(value): value for value in kind.switches[name]}
        for word, value in words.items():
            if word.lower() == typed.lower():
                return value
        raise ValueError(f"the switch {name} takes {' or '.join(words)}, not {typed!r:.60}")
    if name not in kind.settings:
        from difflib import get_close_matches  # not above: a mistake is rare

        known = (*kind.switches, *kind.settings)
        close = get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
        raise ValueError(f"there is no switch {name:.60}; {hint}")
    _, number = kind.settings[name]
    try:
        return NUMBERS[number](_READERS[number](typed))
    except ValueError:
        raise ValueError(f"the switch {name} takes {_TAKES[number]}, not {typed!r:.60}") from None


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _limit(typed: str) -> int | None:
    return None if typed == "none" else int(typed)


#: By kind of number: how it is typed, and what is said of it.
_READERS: Mapping[str, Callable[[str], Any]] = {
    "count": int,
    "seconds": int,
    "limit": _limit,
    "amount": str,
    "score": float,
}
_TAKES = {
    "count": "a whole number from 1 on",
    "seconds": "a whole number from 1 on",
    "limit": "a whole number from 0 on, or none",
    "score": "a number from 0 to 100",
    "amount": "an amount from 0 on with at most four places",
}
