"""One account: a world of its own with every vendor, and what these share."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import random
import threading
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from .clock import Ids, VirtualClock
from .faults import PERSON, Faults
from .journal import Entry, Journal, shorten
from .kinds import Chosen, VendorKind
from .messages import Request
from .pictures import Pictures
from .services import Key, Keys, Ledger, Rates, Sessions, check_key
from .state import size_of

if TYPE_CHECKING:
    from .recognition.recognizer import Recognizer


class Shared(Protocol):
    """What the accounts of one server share, and ask of it: `Accounts`."""

    kinds: Mapping[str, VendorKind]
    recognizer: Recognizer
    #: Hosts beyond the loopback that webhooks may be sent to, in lower case.
    deliver_to: frozenset[str]
    #: That of a new account: seconds, or the least and the most of them, by operation.
    latency: Mapping[str, tuple[float, ...]]
    has_workers: bool
    #: The pictures that were sent, and those of saved calls.
    sent_pictures: Pictures
    saved_pictures: Pictures
    #: Scheme and host while the server runs.
    address: str | None = None
    #: Whether it is bound beyond the loopback.
    is_open: bool = False
    is_stopped: bool = False
    #: Is called with an account's place and each entry of its journal, or None for all gone.
    on_entry: Callable[[Place, Entry | None], None] | None = None

    @property
    def all(self) -> tuple[Account, ...]: ...
    @property
    def closed(self) -> tuple[Account, ...]: ...
    def claim(self, vendor: str, text: str, key: Key, account: Account) -> None: ...
    def is_stranger(self, kind: VendorKind, head: Request) -> bool: ...
    def forget_closed(self) -> None: ...
    def open(
        self, name: str, *, keys: Mapping[str, Mapping[str, Key]], parent: Account
    ) -> Account: ...


NO_ACCOUNT = "There is no account of that name or key; GET /__mock__/accounts lists them."
#: What there is to say of a closed one.
CLOSED = (
    "the account {0.name} was closed at {0.closed_at:%H:%M:%S} UTC: it can be read, and nothing in "
    "it can be changed; open another account"
)


@attrs.define(eq=False)
class Place:
    """Where an account is, for whoever keeps hold of it: a reset puts another one there."""

    #: None once it is closed and forgotten.
    account: Account | None = None

    @property
    def current(self) -> Account:
        """As it is now, or was when it was closed; LookupError once it is forgotten."""
        if self.account is None:
            raise LookupError(NO_ACCOUNT)
        return self.account

    @property
    def open(self) -> Account:
        """As `current`, for a change; ValueError once it is closed."""
        account = self.current
        if account.closed_at is not None:
            raise ValueError(CLOSED.format(account))
        return account


class Latency:
    """How long answers take. Safe across threads."""

    def __init__(self, seed: int | None) -> None:
        self._random = random.Random(seed)  # noqa: S311 - a test's dice
        #: The least and the most seconds of each operation that is late.
        self.spans: dict[str, tuple[float, float]] = {}

    def set(self, operation: str, *seconds: float) -> None:
        """Answer after so many seconds, or after some between two; 0 for at once."""
        if (
            not 1 <= len(seconds) <= 2
            or any(type(each) not in (int, float) or not 0 <= each <= 3600 for each in seconds)
            or seconds[0] > seconds[-1]
        ):
            raise ValueError(
                "latency must be from 0 to 3600 seconds, or the least and the most of them, not "
                f"{', '.join(map(str, seconds)):.60}"
            )
        self.spans.pop(operation, None)
        if seconds[-1]:
            self.spans[operation] = float(seconds[0]), float(seconds[-1])

    def draw(self, operation: str | None) -> float:
        """Seconds for one answer."""
        span = self.spans.get(operation or "")
        # What is not late takes nothing from the series of those that are.
        return 0.0 if span is None else self._random.uniform(*span)


class World:
    """What one account has with one vendor: keys, credit, limits, sessions. Safe across threads."""

    def __init__(self, account: Account, kind: VendorKind, chosen: Chosen) -> None:
        shared, claims = account.shared, chosen.behaviours
        self.account, self.kind, self.claims = account, kind, claims
        self.vendor, self.edition, self.switches = kind.name, chosen.edition, chosen.switches
        self.clock, self.digest = account.clock, account.digest
        self.recognizer = shared.recognizer.copy_for_world()
        self.keys = Keys(account.first_keys.get(kind.name, {}))
        # Of one that knows no credit nothing is charged either.
        self.ledger = Ledger(claims["credit.start"] if "credit.start" in claims else Decimal(0))
        self.rates = Rates({scope: claims[key] for scope, key in kind.rate_limits.items()})
        self.sessions = Sessions()
        #: What the vendor remembers beyond that, and what answers for it.
        self.records: Any = kind.records()
        self.behaviour = kind.behaviour(self)
        #: Does what goes on beside requests, and is woken when one of them queued something.
        self.worker = None
        if kind.worker is not None and shared.has_workers:
            self.worker = kind.worker(self)

    def add_key(self, text: str, key: Key) -> None:
        """Let a key in; ValueError for one that another account has, or that is none."""
        check_key(text)
        self.account.shared.claim(self.vendor, text, key, self.account)
        self.keys.put(text, key)

    def close(self) -> None:
        """No key opens it any more, and no call finds what a test set."""
        self.keys.close()
        self.recognizer.waiting.close()
        self.records.close()

    def list_readable(self) -> tuple[Any, ...]:
        """What stays to be read of a closed one."""
        waiting, entries = self.recognizer.waiting.unused, self.ledger.entries
        return self.sessions.all(), entries, waiting, self.records.list_readable()

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """What is queued inside goes on when the block ends, or is dropped if it raises."""
        try:
            yield
        except BaseException:
            self.records.drop()
            raise
        if self.records.release() and self.worker is not None:
            self.worker.wake()

    def log(self, head: Request, **fields: Any) -> Entry | None:
        """Write a request into the journal, with what else an `Entry` says of it."""
        if head.path.startswith(PERSON):
            # Its path opens a session.
            return None
        request = {"method": shorten(head.method), "path": shorten(head.path, 200)}
        return self.account.journal.add({"at": self.clock.now(), **request, **fields})


class Account:
    """One account: a world with each vendor, and what these share. Safe across threads."""

    # A reset puts another one in its `place`: what began before ends in the state it began in.

    def __init__(
        self,
        shared: Shared,
        name: str,
        *,
        clock: VirtualClock,
        seed: int | None,
        first_keys: Mapping[str, Mapping[str, Key]],
        chosen: Mapping[str, Chosen],
        parent: Account | None = None,
        place: Place | None = None,
    ) -> None:
        self.shared, self.name, self.clock = shared, name, clock
        self.place = place or Place()
        #: `parent` is the account that a vendor's registration opened it from.
        self.first_keys, self.chosen, self.parent = first_keys, chosen, parent
        #: UTC by the machine's clock; `closed_at` is None while it is open.
        self.opened_at = dt.datetime.now(dt.UTC)
        self.closed_at: dt.datetime | None = None
        self.ids = Ids(seed)
        self.faults = Faults(seed or 0)
        self.latency = Latency(seed)
        for operation, span in shared.latency.items():
            self.latency.set(operation, *span)
        self.journal = Journal()
        self.journal.watch = self._hear_entry
        #: What leads here, by vendor and text, and how the keys begin that the mock made for it.
        self.claimed: set[tuple[str, str]] = set()
        self.stems: frozenset[tuple[str, str]] = frozenset()
        #: By name: the open ones that were registered in it.
        self.children: dict[str, Account] = {}
        shared.sent_pictures.add_owner(self)
        shared.saved_pictures.add_owner(self)
        self.digest = functools.partial(shared.sent_pictures.digest, self)
        #: About how many bytes stay to be read once it is closed.
        self.kept_bytes = 0
        self._lock = threading.RLock()
        self._worlds: dict[str, World] = {}
        self._is_over = False

    def world(self, vendor: str) -> World:
        """What it has with a vendor; made when it is first asked for."""
        with self._lock:
            world = self._worlds.get(vendor)
            if world is None:
                kind = self.shared.kinds[vendor]
                world = self._worlds[vendor] = World(self, kind, self.chosen[vendor])
                if world.worker is not None and (self._is_over or self.shared.is_stopped):
                    world.worker.stop()
                if self.closed_at is not None:
                    world.close()
            return world

    def find_world(self, vendor: str) -> World | None:
        """As `world`; None if nobody has asked for it yet."""
        return self._worlds.get(vendor)

    @property
    def worlds(self) -> tuple[World, ...]:
        return tuple(map(self.world, self.shared.kinds))

    @property
    def workers(self) -> tuple[Any, ...]:
        """What goes on beside requests, as far as anybody has asked for it."""
        worlds = tuple(self._worlds.values())
        return tuple(world.worker for world in worlds if world.worker is not None)

    def end(self) -> None:
        """Nothing goes on in it beside requests, and its pictures go."""
        with self._lock:
            self._is_over = True
        for worker in self.workers:
            worker.stop()
        self.shared.sent_pictures.remove_owner(self)
        self.shared.saved_pictures.remove_owner(self)
        if self.closed_at is not None:
            worlds = [world.list_readable() for world in tuple(self._worlds.values())]
            self.kept_bytes = size_of(self.journal.entries, self.faults.unused, worlds)

    def close(self) -> None:
        """Nothing that was set is of use; what happened stays to be read. It has yet to `end`."""
        with self._lock:
            self.closed_at = dt.datetime.now(dt.UTC)
            for world in self._worlds.values():
                world.close()
        self.faults.close()

    def _hear_entry(self, entry: Entry | None) -> None:
        if self.closed_at is not None:
            # What it refuses is kept beside what it was, until its journal is full.
            self.kept_bytes += 0 if self.journal.is_full else size_of(entry)
            self.shared.forget_closed()
        if self.shared.on_entry is not None:
            self.shared.on_entry(self.place, entry)
