"""The state behind one server: what its vendors share, and what each has of its own."""

from __future__ import annotations

import contextlib
import copy
import random
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from decimal import Decimal
from typing import Any

import attrs

from .claims import MOCK_CLAIMS, Behaviours, Claim
from .clock import Ids, VirtualClock
from .faults import Faults
from .journal import KEPT, Entry, Journal
from .recognition.outcomes import Recognizer
from .services import (
    FIRST_OWNER,
    Digests,
    Key,
    Keys,
    Ledger,
    Ledgers,
    Rates,
    Sessions,
    amount,
)


class Records:
    """What a vendor remembers beyond keys, credit and sessions: nothing, and it queues nothing."""

    def release(self) -> None:
        """What this thread queued goes on."""

    def drop(self) -> None:
        """What this thread queued is dropped."""


# There is one object for each vendor: it is compared as such.
@attrs.frozen(kw_only=True, eq=False)
class VendorKind:
    """A vendor before it has a world: its claims, and what may be set of it.

    Attributes:
        name: Of the vendor: that of its folder, or of its entry point.
        title: As people write it.
        claims: All that are made about it.
        editions: The value of every switch, by edition of its documents.
        default_edition: The one that is meant without a word.
        switches: Named behaviours that may be set, with their values.
        settings: Numbers that may be set: the claim's key, and what kind of number it takes.
        rate_limits: The claim that holds the limit, by scope.
        operations: What can be late, by name: ``match``, say.
        hosts: Its own, in lower case: a request that names one of them is for this vendor.
        first_keys: The keys that work at once, by text.
        records: Makes what it remembers beyond keys, credit and sessions.
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

    def choose(
        self, edition: str, switches: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """The value of every switch, and the numbers that were set, by key of the claim.

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
        raise ValueError("this switch takes a whole number from 1")
    return value


def _limit(value: object) -> int | None:
    if value is not None and (type(value) is not int or value < 0):
        raise ValueError("this switch takes a whole number from 0, or none for no limit")
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


class _Depth(threading.local):
    blocks = 0


class ServerState:
    """What the vendors of one server share: time, faults, journal, ids and latency.

    Args:
        recognizer: Says what the first vendor sees in pictures; the others have one beside it. None
            for outcomes, cards, then the bytes.
        clock: None for one that stands still at the machine's time.
        seed: Of ids, chances and latency; None for another one each time.
        control: Whether the control API is served.
        control_token: If set, the control API asks for it and no longer for a loopback host.
        journal_size: How many requests are remembered.
        digests: Whether files are digested (SHA-256).
        deliver_to: Hosts beyond the loopback that webhooks are sent to.
        latency: Seconds that answers take, by operation, or the least and the most of them.

    Attributes:
        worlds: One for each vendor, the first one first.
        faults, journal, ids, latency: Of all of them; begun anew with each reset.
        resetting: Held by whoever begins again.
        address: Scheme and host of the server, while it runs; None without one.
        is_open: Whether the server is bound beyond the loopback.

    Raises:
        ValueError: the token is too short or cannot be in a header.
    """

    def __init__(
        self,
        recognizer: Recognizer | None = None,
        *,
        clock: VirtualClock | None = None,
        seed: int | None = None,
        control: bool = True,
        control_token: str | None = None,
        journal_size: int = KEPT,
        digests: bool = True,
        deliver_to: Collection[str] = (),
        latency: Mapping[str, float | tuple[float, float]] | None = None,
    ) -> None:
        if control_token is not None and not (control_token.isascii() and len(control_token) > 7):
            raise ValueError("a control token needs at least 8 characters, ASCII only")
        if recognizer is None:
            from .recognition.recognizer import PictureRecognizer  # not above: it loads Pillow

            recognizer = PictureRecognizer()
        self.recognizer = recognizer
        self.clock = clock or VirtualClock()
        self.control = control
        self.control_token = control_token
        self.digest: Callable[[bytes], str] | None = Digests().of if digests else None
        self.deliver_to = frozenset(host.lower() for host in deliver_to)
        self.worlds: list[World] = []
        self.resetting = threading.Lock()
        self.address: str | None = None
        self.is_open = False
        self._depth = _Depth()
        self._seed = seed
        self.journal = Journal(journal_size)
        self._first_latency = dict(latency or {})
        self._begin()

    def _begin(self) -> None:
        self.ids = Ids(self._seed)
        self.faults = Faults(self._seed or 0)
        self.journal = self.journal.renewed()
        self.latency = Latency(self._seed)
        for operation, seconds in self._first_latency.items():
            span = seconds if isinstance(seconds, tuple) else (seconds,)
            if not 1 <= len(span) <= 2:
                raise ValueError("latency must be a number of seconds, or the least and the most")
            self.latency.set(operation, *span)

    def reset(self, world: World, chosen: Chosen) -> None:
        """Begin again: `world` as chosen, the others as they were; the clock goes on."""
        with self.resetting:
            self._begin()
            for one in self.worlds:
                one.begin(chosen if one is world else one.chosen)
        for one in self.worlds:
            clear = getattr(one.recognizer, "clear", None)
            if clear is not None:
                clear()

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """What is queued inside goes on when the block ends, or is dropped if it raises.

        Blocks may be nested; the outermost counts.
        """
        self._depth.blocks += 1
        try:
            yield
        except BaseException:
            if self._depth.blocks == 1:
                for world in self.worlds:
                    world.records.drop()
            raise
        finally:
            self._depth.blocks -= 1
        if not self._depth.blocks:
            for world in self.worlds:
                world.records.release()
                for wake in world.waiting:
                    wake()


class Latency:
    """How long answers take, by operation: off until it is set. Safe across threads.

    Args:
        seed: Of the seconds that are drawn; the same one repeats them.
    """

    def __init__(self, seed: int | None) -> None:
        self._random = random.Random(seed)  # noqa: S311 - a test's dice
        self._seconds: dict[str, tuple[float, float]] = {}

    def set(self, operation: str, least_s: float, most_s: float | None = None) -> None:
        """Answer this operation after that many seconds, 0-3600; 0 for at once.

        Args:
            operation: Of a vendor.
            least_s, most_s: Drawn evenly between the two; `most_s` None for exactly `least_s`.

        Raises:
            ValueError: a number out of range, or the longer before the shorter.
        """
        most_s = least_s if most_s is None else most_s
        for one in (least_s, most_s):
            if type(one) not in (int, float) or not 0 <= one <= 3600:
                raise ValueError("latency must be from 0 to 3600 seconds, or two such numbers")
        if most_s < least_s:
            raise ValueError("latency must be the least seconds first, then the most")
        self._seconds[operation] = (float(least_s), float(most_s))

    def all(self) -> dict[str, tuple[float, float]]:
        """The least and the most seconds of each operation that was set."""
        return {name: span for name, span in self._seconds.items() if span[1]}

    def draw(self, operation: str | None) -> float:
        """Seconds for one answer."""
        span = self._seconds.get(operation or "", (0.0, 0.0))
        # What is not late takes nothing from the series of those that are.
        return self._random.uniform(*span) if span[1] else 0.0


@attrs.frozen(kw_only=True)
class Chosen:
    """How a world behaves, found good before anything is changed."""

    edition: str
    switches: Mapping[str, Any]
    behaviours: Behaviours


class World:
    """One vendor's part of a server: keys, credit, limits, sessions and behaviour of its own. Safe
    across threads.

    Args:
        server: What it shares with the other vendors of the server.
        kind: The vendor.
        edition: Of the vendor's documents; None for the vendor's default.
        switches: Single behaviours and numbers apart from the edition.

    Attributes:
        claims: What is in force.
        keys, ledgers, rates, sessions: The state.
        records: What the vendor remembers beyond that; of a class of its own.
        waiting: Called each time that what a request queued goes on.

    Raises:
        ValueError: the server has this vendor already, an unknown edition or switch, or a value
            that does not fit.
    """

    kind: VendorKind

    def __init__(
        self,
        server: ServerState,
        kind: VendorKind,
        *,
        edition: str | None = None,
        switches: Mapping[str, Any] | None = None,
    ) -> None:
        others: list[World] = server.worlds
        if any(world.kind is kind for world in others):
            raise ValueError(f"the vendor {kind.name} is named twice")
        chosen = self._choose(kind, edition or kind.default_edition, switches or {})
        self.server = server
        self.kind = kind
        # Outcomes that a test sets are for one vendor.
        beside = getattr(server.recognizer, "beside", None)
        self.recognizer: Recognizer = (
            server.recognizer if beside is None or not others else beside()
        )
        self.clock = server.clock
        self.digest = server.digest
        self.waiting: list[Callable[[], None]] = []
        self.begin(chosen)
        server.worlds.append(self)

    @staticmethod
    def _choose(kind: VendorKind, edition: str, switches: Mapping[str, Any]) -> Chosen:
        chosen, settings = kind.choose(edition, switches)
        return Chosen(
            edition=edition,
            switches=dict(switches),
            behaviours=Behaviours((*kind.claims, *MOCK_CLAIMS), chosen, settings),
        )

    def begin(self, chosen: Chosen) -> None:
        """Nothing is kept; it behaves as chosen."""
        kind, claims = self.kind, chosen.behaviours
        self.chosen = chosen
        self.claims = claims
        self.keys = Keys(kind.first_keys)
        # Of a vendor that knows no credit nothing is charged either.
        start = claims["credit.start"] if "credit.start" in claims else Decimal(0)
        self.ledgers = Ledgers(start)
        self.rates = Rates({scope: claims[key] for scope, key in kind.rate_limits.items()})
        self.sessions = Sessions()
        self.records: Any = kind.records()

    @property
    def vendor(self) -> str:
        """Whose behaviour it is."""
        return self.kind.name

    @property
    def edition(self) -> str:
        """Of the vendor's documents."""
        return self.chosen.edition

    @property
    def switches(self) -> Mapping[str, Any]:
        """What was set apart from the edition."""
        return self.chosen.switches

    @property
    def ledger(self) -> Ledger:
        """The credit of the keys that a world begins with."""
        return self.ledgers.of(FIRST_OWNER)

    @property
    def owners(self) -> tuple[str, ...]:
        """Who has keys, and so credit and sessions, in the order they came."""
        return tuple(dict.fromkeys((FIRST_OWNER, *(key.owner for key in self.keys.all()))))

    def known_owner(self, owner: str) -> str:
        """`owner`; LookupError if nobody of that name has a key."""
        if owner not in self.owners:
            raise LookupError("there is no owner of that name; GET /__mock__/owners lists them")
        return owner

    def reset(
        self, *, edition: str | None = None, switches: Mapping[str, Any] | None = None
    ) -> None:
        """Begin again: no session, no charge, no fault, no outcome, an empty journal; the latency
        is that which the server was made with.

        The other vendors of the server begin again, too, as they were chosen. The clock goes on,
        because time does not go back. A request under way ends in the state it began in.

        Args:
            edition: Another one for this vendor; None for the same.
            switches: Others for this vendor; None for the same.

        Raises:
            ValueError: as for the world; then nothing was changed.
        """
        # First what may be refused: a world is changed whole or not at all.
        before = self.chosen
        kept = before.switches if switches is None else switches
        self.server.reset(self, self._choose(self.kind, edition or before.edition, kept))

    def as_it_is(self) -> World:
        """This world for one request: what is begun anew meanwhile does not reach it."""
        with self.server.resetting:
            kept = copy.copy(self)
            kept.server = copy.copy(self.server)
        return kept

    def log(self, **fields: Any) -> None:
        """Write into the journal; `fields` are those of `Entry` but the time."""
        self.server.journal.add(Entry(at=self.clock.now(), **fields))
