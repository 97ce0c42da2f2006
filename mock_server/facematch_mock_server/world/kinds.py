"""What a vendor is before anybody has an account with it, and how it was chosen to behave."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any

import attrs

from facematch_mock_server.base.messages import Request
from facematch_mock_server.claims import MOCK_CLAIMS, Behaviours, Claim

from .services import Key, amount


class Records:
    """What a vendor remembers beyond keys, credit and sessions: nothing."""

    #: Holds what a request queued until it is over; None of a vendor that queues nothing.
    outbox: Any = None

    def close(self) -> None:
        """Its account is closed: nobody uses it any more, and `list_readable` alone is read."""

    def list_readable(self) -> tuple[Any, ...]:
        """What is read of a closed account."""
        return ()


# There is one object for each vendor: it is compared as such.
@attrs.frozen(kw_only=True, eq=False)
class VendorKind:
    """A vendor before it has a world: its claims, and what may be set of it.

    Attributes:
        name: That of the vendor's folder, or of its entry point; `title` is as people write it.
        editions: The value of every switch, by edition of its documents.
        switches: Named behaviours that may be set, with their values.
        settings: Numbers that may be set: the claim's key, and what kind of number it takes.
        rate_limits: The claim that holds the limit, by scope.
        operations: What can be late, by name: ``match``, say.
        hosts: Its own, in lower case; ``*.`` at the beginning stands for one label.
        first_keys: The keys that work at once, by text.
        records, behaviour, worker: Make what it remembers beyond keys, credit and sessions, what
            answers for it in a world, and what goes on beside requests (None for nothing).
        key_of: The key, or the client id, that a request shows: it says whose account is meant.
        new_text: A key, or a client id, of another account, of the first one and some letters.
        extensions: What `Control` has for this vendor alone: ``module:Class`` by attribute.
    """

    name: str
    title: str
    claims: tuple[Claim, ...]
    editions: Mapping[str, Mapping[str, Any]]
    default_edition: str
    switches: Mapping[str, tuple[Any, ...]] = attrs.field(factory=dict)
    settings: Mapping[str, tuple[str, str]] = attrs.field(factory=dict)
    rate_limits: Mapping[str, str] = attrs.field(factory=dict)
    operations: tuple[str, ...] = ()
    hosts: frozenset[str] = frozenset()
    first_keys: Mapping[str, Key]
    records: Callable[[], Records] = Records
    behaviour: Callable[[Any], Any]
    worker: Callable[[Any], Any] | None = None
    key_of: Callable[[Request], str | None] = operator.methodcaller("header", "x-api-key")
    new_text: Callable[[str, str], str] = "{}-{}".format
    extensions: Mapping[str, str] = attrs.field(factory=dict)

    def extension_class(self, name: str) -> Any:
        """Its class; ``OPERATIONS`` there are its operations of the control API."""
        module, _, attribute = self.extensions[name].partition(":")
        return getattr(import_module(module), attribute)

    def has_host(self, host: str | None) -> bool:
        """Whether a Host header, or the host of an address, is one of the vendor's own."""
        name = (host or "").partition(":")[0].lower()
        return name in self.hosts or f"*.{name.partition('.')[2]}" in self.hosts

    def choose(
        self, edition: str, switches: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Every switch, and the numbers that were set by key of the claim; ValueError if unfit."""
        if edition not in self.editions:
            raise ValueError(f"there is no edition {edition}; there are {', '.join(self.editions)}")
        chosen, settings = dict(self.editions[edition]), {}
        for name, value in switches.items():
            if name in self.settings:
                settings[self.settings[name][0]] = self.number(name, value)
            elif name not in self.switches:
                names = ", ".join((*self.switches, *self.settings))
                raise ValueError(f"there is no switch {name}; there are {names}")
            # True equals 1: the type counts as well.
            elif (type(value), value) not in ((type(each), each) for each in self.switches[name]):
                values = ", ".join(map(str, self.switches[name]))
                raise ValueError(f"the switch {name} takes one of {values}, not {value!r:.40}")
            else:
                chosen[name] = value
        return chosen, settings

    def number(self, name: str, value: Any) -> Any:
        """A value of one of `settings`; ValueError if it is none."""
        _, fitting, takes = NUMBERS[self.settings[name][1]]
        try:
            return fitting(value)
        except (ValueError, TypeError):
            raise ValueError(f"the switch {name} takes {takes}, not {value!r:.60}") from None


def _from(least: int, value: Any) -> int:
    if type(value) is not int or value < least:
        raise ValueError
    return value


def _score(value: Any) -> float:
    if isinstance(value, bool) or not 0 <= value <= 100:
        raise ValueError
    return float(value)


_COUNT = int, functools.partial(_from, 1), "a whole number from 1"
#: Of each kind of number that may be set: how it is typed, what makes or refuses it, and its words.
NUMBERS: Mapping[str, tuple[Callable[[str], Any], Callable[[Any], Any], str]] = {
    "count": _COUNT,
    "seconds": _COUNT,
    "limit": (
        lambda typed: None if typed == "none" else int(typed),
        lambda value: None if value is None else _from(0, value),
        "a whole number from 0, or none for no limit",
    ),
    "amount": (
        str,
        amount,
        'an amount from 0 to 1e12 with at most four decimals, as text ("0.02") or a whole number',
    ),
    "score": (float, _score, "a number from 0 to 100"),
}


def check_operation(operation: str, kinds: Iterable[VendorKind]) -> None:
    """ValueError for one that none of these vendors has."""
    operations = dict.fromkeys(name for kind in kinds for name in kind.operations)
    if operation not in operations:
        names = ", ".join(operations) or "none"
        raise ValueError(f"there is no operation {operation:.60} here; there are {names}")


@attrs.frozen(kw_only=True, eq=False)
class Chosen:
    """How a vendor behaves, found good before anything is changed."""

    edition: str
    switches: Mapping[str, Any]
    behaviours: Behaviours

    @classmethod
    def of(cls, kind: VendorKind, edition: str | None, switches: Mapping[str, Any]) -> Chosen:
        """ValueError for an unknown edition or switch, or a value that does not fit."""
        edition = edition or kind.default_edition
        chosen, settings = kind.choose(edition, switches)
        claims = Behaviours((*kind.claims, *MOCK_CLAIMS), chosen, settings)
        return cls(edition=edition, switches=dict(switches), behaviours=claims)
