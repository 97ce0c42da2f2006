"""The vendors that the mock imitates, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from facematch_mock_server._ledger import amount
from facematch_mock_server._messages import Head, Request, Response
from facematch_mock_server.claims import Claim, Told, all_claims
from facematch_mock_server.claims.didit import DEFAULT_EDITION, EDITIONS, SETTINGS, SWITCHES
from facematch_mock_server.state import Store

if TYPE_CHECKING:
    from facematch_mock_server.world import World


class VendorBehaviour(Protocol):
    """One vendor in one world: what the engine asks of it. Safe across threads.

    Attributes:
        name: ``didit``, say.
        title: As people write it.
    """

    name: str
    title: str

    def owns(self, head: Head) -> bool:
        """Whether this request is for this vendor."""
        ...

    def handle(self, request: Request) -> Response:
        """The vendor's answer, written into the journal."""
        ...

    def known_paths(self) -> tuple[str, ...]:
        """The paths that the vendor has, to say which one was probably meant."""
        ...

    def in_own_words(self, status: int, request: Request, told: Told) -> Response | None:
        """An answer of that status in the vendor's words, or None if they are not known."""
        ...


@attrs.frozen(kw_only=True)
class VendorKind:
    """A vendor before it has a world.

    Attributes:
        name: Of the vendor.
        claims: All that are made about it.
        editions: Named behaviours by edition.
        default_edition: The one that is meant without a word.
        switches: Named behaviours that may be set, with their values.
        settings: Numbers that may be set: the behaviour, and what kind of number it takes.
        rate_limits: The behaviour that holds the limit, by scope.
        make: Makes the vendor of a world.
        records: Makes what it remembers beyond keys, credit and sessions, from what the store
            kept.
    """

    name: str
    claims: tuple[Claim, ...]
    editions: Mapping[str, Mapping[str, Any]]
    default_edition: str
    switches: Mapping[str, tuple[Any, ...]]
    settings: Mapping[str, tuple[str, str]]
    rate_limits: Mapping[str, str]
    make: Callable[[World], VendorBehaviour]
    records: Callable[[Store], Any]

    def choose(
        self, edition: str, switches: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """The value of every switch, and the numbers that were set, by behaviour.

        Raises:
            ValueError: an unknown edition or switch, or a value that does not fit.
        """
        if edition not in self.editions:
            raise ValueError(f"there is no edition {edition}; there are {', '.join(self.editions)}")
        chosen, settings = dict(self.editions[edition]), {}
        for name, value in switches.items():
            if name in self.settings:
                key, kind = self.settings[name]
                settings[key] = NUMBERS[kind](value)
            elif name not in self.switches:
                known = ", ".join((*self.switches, *self.settings))
                raise ValueError(f"there is no switch {name}; there are {known}")
            elif not any(type(value) is type(one) and value == one for one in self.switches[name]):
                known = ", ".join(str(one) for one in self.switches[name])
                raise ValueError(f"the switch {name} takes one of {known}")
            else:
                chosen[name] = value
        return chosen, settings


def _count(value: object) -> int:
    if type(value) is not int or value < 1:
        raise ValueError("this switch takes a whole number from 1 on")
    return value


def _limit(value: object) -> int | None:
    if value is not None and (type(value) is not int or value < 0):
        raise ValueError("this switch takes a whole number from 0 on, or nothing for no limit")
    return value


def _score(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 100:
        raise ValueError("this switch takes a number from 0 to 100")
    return float(value)


#: What checks each kind of number that may be set.
NUMBERS: Mapping[str, Callable[[object], Any]] = {
    "count": _count,
    "limit": _limit,
    "seconds": _count,
    "amount": amount,
    "score": _score,
}


def _didit(world: World) -> VendorBehaviour:
    from .didit import Didit  # not above: it needs the world, which needs this module

    return Didit(world)


def _didit_records(store: Store) -> Any:
    from .didit._records import DiditRecords  # not above, as above

    return DiditRecords(store)


_KINDS = {
    "didit": VendorKind(
        name="didit",
        claims=all_claims("didit"),
        editions=EDITIONS,
        default_edition=DEFAULT_EDITION,
        switches=SWITCHES,
        settings=SETTINGS,
        rate_limits={
            "write": "rate.write.limit",
            "get": "rate.get.limit",
            "decision": "rate.decision.limit",
            "management": "rate.management.limit",
            "register": "rate.register.limit",
        },
        make=_didit,
        records=_didit_records,
    )
}


def vendor_named(name: str) -> VendorKind:
    """The vendor of that name.

    Raises:
        ValueError: the mock does not know it.
    """
    if name not in _KINDS:
        raise ValueError(f"the mock knows no vendor {name}; known: {', '.join(_KINDS)}")
    return _KINDS[name]
