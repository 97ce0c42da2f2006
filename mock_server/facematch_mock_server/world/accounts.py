"""The accounts of one server: each has a world of its own with every vendor, and nobody else's."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import hashlib
import random
import re
import secrets
import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import attrs

from facematch_mock_server.base.masking import shorten
from facematch_mock_server.base.messages import PERSON, Request
from facematch_mock_server.base.state import size_of

from .clock import Ids, VirtualClock
from .faults import Faults
from .journal import Entry, Journal
from .kinds import Chosen, VendorKind
from .pictures import Pictures
from .services import Key, Keys, Ledger, Rates, Sessions, check_key

if TYPE_CHECKING:
    from facematch_mock_server.recognition.recognizer import Recognizer

#: The account that a server begins with: that of the keys that everybody knows, and of whoever
#: shows a key that nobody has.
MAIN = "main"
#: How long a closed account can be read, how many of them, and about how many bytes of those before
#: the newest.
CLOSED_FOR = dt.timedelta(hours=1)
MAX_CLOSED, MAX_CLOSED_BYTES = 1000, 64 * 1024 * 1024
#: More than so many accounts at a time are refused.
MAX_ACCOUNTS = 10_000
_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")
#: Names an account in a request; the control API takes one of its keys there, too.
ACCOUNT_HEADER = "X-Facematch-Account"


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
        saved = shared.saved_pictures
        #: Of the id of a session: keep its pictures, by digest, as long as it is there; let them
        #: go, unless another session has the same ones; and, of a digest, find one.
        self.keep_pictures = functools.partial(saved.keep, account)
        self.forget_pictures = functools.partial(saved.forget, account)
        self.find_picture = saved.find
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
        outbox = self.records.outbox
        try:
            yield
        except BaseException:
            if outbox is not None:
                outbox.drop()
            raise
        if outbox is not None and outbox.queued and outbox.release() and self.worker is not None:
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
        shared: Accounts,
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


class Accounts:
    """The accounts of one server, and what they share; arguments as `MockServer`. Thread-safe."""

    #: The account that the server begins with.
    main: Account
    #: Scheme and host while the server runs.
    address: str | None = None
    #: Whether it is bound beyond the loopback.
    is_open = False
    is_stopped = False
    #: Is called with an account's place and each entry of its journal, or None for all gone.
    on_entry: Callable[[Place, Entry | None], None] | None = None

    def __init__(
        self,
        kinds: Sequence[VendorKind],
        recognizer: Recognizer | None = None,
        *,
        chosen: Mapping[str, Chosen] | None = None,
        clock: VirtualClock | None = None,
        seed: int | None = None,
        control: bool = True,
        control_token: str | None = None,
        deliver_to: Collection[str] = (),
        latency: Mapping[str, float | tuple[float, float]] | None = None,
        has_workers: bool = False,
    ) -> None:
        if control_token is not None and not (control_token.isascii() and len(control_token) > 7):
            raise ValueError("a control token needs at least 8 characters, ASCII only")
        if recognizer is None:
            # Not above: it loads the library.
            from facematch_mock_server.recognition.recognizer import Recognizer

            recognizer = Recognizer()
        self.kinds = {kind.name: kind for kind in kinds}
        if len(self.kinds) < len(kinds):
            raise ValueError("a vendor is named twice")
        self.control, self.control_token = control, control_token
        self.recognizer, self.has_workers = recognizer, has_workers
        #: Hosts beyond the loopback that webhooks may be sent to.
        self.deliver_to = frozenset(host.lower() for host in deliver_to)
        #: That of a new account: seconds, or the least and the most of them, by operation.
        self.latency: dict[str, tuple[float, ...]] = {
            name: seconds if isinstance(seconds, tuple) else (seconds,)
            for name, seconds in (latency or {}).items()
        }
        #: The pictures that were sent, and those of saved calls.
        self.sent_pictures, self.saved_pictures = Pictures(), Pictures()
        #: Starts the server.
        self.start: Callable[[], Any] = lambda: None
        self._seed = seed
        self._chosen = {
            kind.name: (chosen or {}).get(kind.name) or Chosen.of(kind, None, {}) for kind in kinds
        }
        self._lock = threading.RLock()
        self._all: dict[str, Account] = {}
        self._opened = 0
        #: The newest last.
        self._closed: deque[Account] = deque()
        #: Whose a key is, by vendor and text, and whose a name is, as that of no vendor; and whose
        #: a key is that begins as one which the mock made, and the lengths of these beginnings.
        self._keys: dict[tuple[str, str], Account] = {}
        self._stems: dict[tuple[str, str], Account] = {}
        self._lengths: frozenset[int] = frozenset()
        #: The keys and client ids that everybody knows.
        self._public = {
            (kind.name, text)
            for kind in kinds
            for first, key in kind.first_keys.items()
            for text in (first, key.client)
        }
        keys = {kind.name: kind.first_keys for kind in kinds}
        self._put(MAIN, clock or VirtualClock(), keys, self._chosen)

    @property
    def all(self) -> tuple[Account, ...]:
        with self._lock:
            return tuple(self._all.values())

    @property
    def closed(self) -> tuple[Account, ...]:
        """Those closed in the last hour, the newest last; fewer if they are many or large."""
        with self._lock:
            self.forget_closed()
            return tuple(self._closed)

    def find(self, name: str) -> Account | None:
        """The account of a name, a key or a client id: the open one, or the one closed last."""
        # Whoever has a key need not say of which vendor.
        keys = [("", name), *((vendor, name) for vendor in self.kinds)]
        with self._lock:
            self.forget_closed()
            accounts = [*filter(None, map(self._keys.get, keys))]
        if not self._public.isdisjoint(keys):
            return self.main
        latest = dt.datetime.max.replace(tzinfo=dt.UTC)
        return max(accounts, key=lambda account: account.closed_at or latest, default=None)

    def get(self, name: str) -> Account:
        """As `find`; LookupError if there is none."""
        account = self.find(name)
        if account is None:
            raise LookupError(NO_ACCOUNT)
        return account

    def owner_of(self, kind: VendorKind, head: Request) -> Account | None:
        """Whose a request is: by its key, the header, or a key of the mock's that it resembles."""
        text = kind.key_of(head) or ""
        account = self._keys.get((kind.name, text))
        if account is not None:
            return account
        if header := head.header(ACCOUNT_HEADER.lower()):
            return self.find(header)
        if (kind.name, text) in self._public:
            return self.main
        stems = ((kind.name, text[:length]) for length in self._lengths)
        return next(filter(None, map(self._stems.get, stems)), None)

    def is_stranger(self, kind: VendorKind, head: Request) -> bool:
        """Whether nobody knows whose request this is, and there are others than the first one."""
        are_others = len(self._all) > 1 or bool(self._closed)
        return are_others and self.owner_of(kind, head) is None

    def open(
        self,
        name: str | None = None,
        *,
        keys: Mapping[str, Mapping[str, Key]] | None = None,
        parent: Account | None = None,
    ) -> Account:
        """A new account, which ends with its `parent`; ValueError for a wrong or a taken name."""
        clock = VirtualClock(running=self.main.clock.running) if parent is None else parent.clock
        with self._lock:
            if name is None:
                # The same seed repeats the name, and with it the ids.
                self._opened += 1
                name = f"a-{self._opened if self._seed is not None else secrets.token_hex(8)}"
            if not _NAME.fullmatch(name):
                raise ValueError(
                    "an account's name is up to 100 letters, digits, dots, dashes and underscores"
                )
            namesake = self.find(name)
            if namesake is not None and namesake.closed_at is None:
                # It is not repeated: it may be a key.
                raise ValueError("an account, or a key of one, is called so; take another name")
            if len(self._all) >= MAX_ACCOUNTS:
                raise ValueError(f"there are {MAX_ACCOUNTS} accounts; close some of them")
            fresh = keys = keys or {}
            if parent is None:
                fresh = {n: _make_keys(kind) for n, kind in self.kinds.items() if not keys.get(n)}
            # A key with other last characters, or more of them, is one of the mock's mistyped.
            stems = frozenset((vendor, text[:-4]) for vendor, text in _list_texts(fresh))
            account = self._put(name, clock, {**keys, **fresh}, self._chosen, parent, stems=stems)
            is_late = parent is not None and self._all.get(parent.name) is not parent
            closed = self._close(account) if is_late else ()
        for each in closed:
            each.end()
        return account

    def _put(
        self,
        name: str,
        clock: VirtualClock,
        keys: Mapping[str, Mapping[str, Key]],
        chosen: Mapping[str, Chosen],
        parent: Account | None = None,
        *,
        old: Account | None = None,
        stems: frozenset[tuple[str, str]] = frozenset(),
    ) -> Account:
        """A new account, in the place of the `old` one; ValueError for a key of another one."""
        texts = _list_texts(keys) - self._public
        self._check_free(texts, name)
        seed = self._seed
        if seed is not None and name != MAIN:
            # Every account of a server has ids of its own, which the same seed repeats.
            seed = int.from_bytes(hashlib.sha256(f"{seed} {name}".encode()).digest())
        account = Account(
            self,
            name,
            clock=clock,
            seed=seed,
            first_keys=keys,
            chosen=chosen,
            parent=parent,
            place=None if old is None else old.place,
        )
        if old is not None:
            account.opened_at = old.opened_at
        self._all[name] = account.place.account = account
        if name == MAIN:
            self.main = account
        if parent is not None:
            parent.children[name] = account
        account.claimed, account.stems = {("", name), *texts}, stems
        self._keys.update(dict.fromkeys(account.claimed, account))
        self._stems.update(dict.fromkeys(stems, account))
        self._lengths |= {len(stem) for _, stem in stems}
        return account

    def close(self, place: Place) -> None:
        """Close what is there; LookupError for a closed account, ValueError for the first one."""
        with self._lock:
            account = place.current
            if account.closed_at is not None:
                raise LookupError(CLOSED.format(account))
            if account is self.main:
                raise ValueError("the first account stays as long as the server; reset it")
            closed = self._close(account)
        for account in closed:
            account.end()

    def _close(self, account: Account) -> list[Account]:
        """Close it and those registered in it; the lock is held. They have yet to end."""
        del self._all[account.name]
        if account.parent is not None:
            account.parent.children.pop(account.name, None)
        account.close()
        self._closed.append(account)
        return [account, *self._close_children(account)]

    def _close_children(self, account: Account) -> list[Account]:
        children = tuple(account.children.values())
        return [closed for child in children for closed in self._close(child)]

    def forget_closed(self) -> None:
        """Forget what was closed long ago, or is too much."""
        now = dt.datetime.now(dt.UTC)
        with self._lock:
            kept_bytes = sum(account.kept_bytes for account in self._closed)
            while self._closed:
                account = self._closed[0]
                is_old = now - (account.closed_at or now) > CLOSED_FOR
                is_full = len(self._closed) > 1 and kept_bytes > MAX_CLOSED_BYTES
                if not (is_old or is_full or len(self._closed) > MAX_CLOSED):
                    return
                self._closed.popleft()
                kept_bytes -= account.kept_bytes
                account.place.account = None
                self._unclaim(account)

    def reset(self, place: Place, vendor: str, chosen: Chosen) -> None:
        """Begin an account anew, with a vendor as chosen; ValueError if it is closed."""
        with self._lock:
            old = place.open
            each, keys = {**old.chosen, vendor: chosen}, old.first_keys
            # Calls go on beside this: its first keys are never nobody's.
            self._put(old.name, old.clock, keys, each, old.parent, old=old, stems=old.stems)
            self._unclaim(old)
            ended = [old, *self._close_children(old)]
        old.journal.watch = None
        # Outside the lock: nobody waits for these.
        for account in ended:
            account.end()
        if self.on_entry is not None:
            # Whoever hears the journals begins anew with the account in that place.
            self.on_entry(old.place, None)

    def _unclaim(self, account: Account) -> None:
        """Its keys are nobody's, but for those that another account has by now."""
        for owners, texts in ((self._keys, account.claimed), (self._stems, account.stems)):
            for text in texts:
                if owners.get(text) is account:
                    del owners[text]

    def claim(self, vendor: str, text: str, key: Key, account: Account) -> None:
        """Give that key to this account; ValueError if it is another open one's."""
        # One that everybody knows is of the account that a request is for without a key.
        texts = _list_texts({vendor: {text: key}}) - self._public
        with self._lock:
            # A reset may just have put another one there.
            account = account.place.account or account
            self._check_free(texts, account.name)
            self._keys.update(dict.fromkeys(texts, account))
            account.claimed |= texts

    def _check_free(self, texts: Iterable[tuple[str, str]], name: str) -> None:
        """ValueError if one of these is of another open account than that of the name."""
        # At whichever vendor: a key alone says which account is meant.
        owners = filter(None, map(self.find, {text for _, text in texts}))
        if any(owner.closed_at is None and owner.name != name for owner in owners):
            raise ValueError("another account has this key")


def _list_texts(keys: Mapping[str, Mapping[str, Key]]) -> set[tuple[str, str]]:
    """All keys and client ids, by vendor and text."""
    pairs = ((vendor, text, key) for vendor, first in keys.items() for text, key in first.items())
    return {(vendor, each) for vendor, text, key in pairs for each in (text, key.client or text)}


def _make_keys(kind: VendorKind) -> dict[str, Key]:
    letters = secrets.token_hex(8)
    return {
        kind.new_text(text, letters): attrs.evolve(
            key, client=None if key.client is None else kind.new_text(key.client, letters)
        )
        for text, key in kind.first_keys.items()
    }
