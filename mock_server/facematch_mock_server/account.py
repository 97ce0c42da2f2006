"""The accounts of one server: each has a world of its own with every vendor, and nobody else's."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import random
import re
import secrets
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from importlib import import_module
from typing import Any

import attrs

from .claims import MOCK_CLAIMS, Behaviours, Claim
from .clock import Ids, VirtualClock
from .faults import Faults
from .journal import Entry, Journal, short
from .messages import Head
from .recognition.outcomes import Recognizer
from .services import Digests, Key, Keys, Ledger, Rates, Sessions, amount, check_key

#: The account that a server begins with: that of the keys that everybody knows, and of whoever
#: shows a key that nobody has.
MAIN = "main"
#: More than so many accounts at a time are refused.
MAX_ACCOUNTS = 10_000
_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")
NO_ACCOUNT = "There is no account of that name or key; GET /__mock__/accounts lists them."
#: Names an account in a request; the control API takes one of its keys there, too.
ACCOUNT_HEADER = "X-Facematch-Account"


class Records:
    """What a vendor remembers beyond keys, credit and sessions: nothing, and it queues nothing."""

    def release(self) -> bool:
        """What this thread queued goes on; whether there is any."""
        return False

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
        hosts: Its own, in lower case: a request that names one of them is for this vendor. ``*.``
            at the beginning stands for one label.
        first_keys: The keys that work at once, by text.
        records: Makes what it remembers beyond keys, credit and sessions.
        behaviour: Makes what answers for it in a world.
        worker: Makes what goes on beside requests; None for nothing.
        key_of: The key, or the client id, that a request shows: it says whose account is meant.
        new_text: A key, or a client id, of another account, of the first one and some letters.
        extensions: What `Control` has for this vendor and not for every one, by attribute:
            ``module:Class`` of an `Extension`, called with the `Control`, loaded when first used.
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
    behaviour: Callable[[World], Any]
    worker: Callable[[World], Any] | None = None
    key_of: Callable[[Head], str | None] = lambda head: head.header("x-api-key")
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
        """The value of every switch, and the numbers that were set, by key of the claim; ValueError
        for an unknown edition or switch, or a value that does not fit."""
        if edition not in self.editions:
            raise ValueError(f"there is no edition {edition}; there are {', '.join(self.editions)}")
        chosen, settings = dict(self.editions[edition]), {}
        for name, value in switches.items():
            if name in self.settings:
                settings[self.settings[name][0]] = self.number(name, value)
            elif name not in self.switches:
                known = ", ".join((*self.switches, *self.settings))
                raise ValueError(f"there is no switch {name}; there are {known}")
            elif not any(type(value) is type(one) and value == one for one in self.switches[name]):
                known = ", ".join(str(one) for one in self.switches[name])
                raise ValueError(f"the switch {name} takes one of {known}")
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
    known = dict.fromkeys(name for kind in kinds for name in kind.operations)
    if operation not in known:
        named = ", ".join(known) or "none"
        raise ValueError(f"there is no operation {operation:.60} here; there are {named}")


class Latency:
    """How long answers take, by operation: off until it is set. Safe across threads."""

    def __init__(self, seed: int | None) -> None:
        self._random = random.Random(seed)  # noqa: S311 - a test's dice
        self._seconds: dict[str, tuple[float, float]] = {}

    def set(self, operation: str, *seconds: float) -> None:
        """Answer after so many seconds, or after some between two; 0 for at once."""
        if (
            not 1 <= len(seconds) <= 2
            or any(type(one) not in (int, float) or not 0 <= one <= 3600 for one in seconds)
            or seconds[0] > seconds[-1]
        ):
            raise ValueError(
                "latency must be from 0 to 3600 seconds, or the least and the most of them, not "
                f"{', '.join(map(str, seconds)):.60}"
            )
        self._seconds[operation] = float(seconds[0]), float(seconds[-1])

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


class World:
    """What one account has with one vendor: keys, credit, limits, sessions. Safe across threads.

    `records` are what the vendor remembers beyond that, `behaviour` answers for it, and `worker`
    does what goes on beside requests: it is woken when what one of them queued goes on.
    """

    def __init__(self, account: Account, kind: VendorKind, chosen: Chosen) -> None:
        accounts, claims = account.accounts, chosen.behaviours
        self.account, self.kind, self.claims = account, kind, claims
        self.vendor, self.edition, self.switches = kind.name, chosen.edition, chosen.switches
        self.clock, self.digest = account.clock, accounts.digest
        beside = getattr(accounts.recognizer, "beside", None)
        self.recognizer: Recognizer = accounts.recognizer if beside is None else beside()
        self.keys = Keys(account.first_keys.get(kind.name, {}))
        # Of a vendor that knows no credit nothing is charged either.
        self.ledger = Ledger(claims["credit.start"] if "credit.start" in claims else Decimal(0))
        self.rates = Rates({scope: claims[key] for scope, key in kind.rate_limits.items()})
        self.sessions = Sessions()
        self.records: Any = kind.records()
        self.behaviour = kind.behaviour(self)
        self.worker = None
        if kind.worker is not None and accounts.has_workers:
            self.worker = kind.worker(self)
            if accounts.is_stopped:
                self.worker.stop()

    def add_key(self, text: str, key: Key) -> None:
        """Let a key in; ValueError for one that another account has, or that is none."""
        check_key(text)
        self.account.accounts.claim(self.vendor, text, key, self.account)
        self.keys.put(text, key)

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

    def log(self, head: Head, **fields: Any) -> None:
        """Write a request into the journal, with what else an `Entry` says of it."""
        asked = {"method": short(head.method), "path": short(head.path, 200)}
        self.account.journal.add({"at": self.clock.now(), **asked, **fields})


class Account:
    """One account: a world with each vendor, and what these share. Safe across threads.

    A reset puts another one in its place: whatever began before ends in the state it began in.
    `parent` names the account that a vendor's registration opened it from.
    """

    def __init__(
        self,
        accounts: Accounts,
        name: str,
        *,
        clock: VirtualClock,
        first_keys: Mapping[str, Mapping[str, Key]],
        chosen: Mapping[str, Chosen],
        parent: str | None = None,
    ) -> None:
        self.accounts, self.name, self.clock = accounts, name, clock
        self.first_keys, self.chosen, self.parent = first_keys, chosen, parent
        # Every account of a server has ids of its own, which the same seed repeats.
        seed = accounts.seed
        if seed is not None and name != MAIN:
            seed = int.from_bytes(hashlib.sha256(f"{seed} {name}".encode()).digest())
        self.ids = Ids(seed)
        self.faults = Faults(seed or 0)
        self.latency = Latency(seed)
        for operation, span in accounts.first_latency.items():
            self.latency.set(operation, *span)
        self.journal = Journal()
        self.journal.watch = self._heard
        #: By vendor and text: those that lead here.
        self.claimed: set[tuple[str, str]] = set()
        self._lock = threading.RLock()
        self._worlds: dict[str, World] = {}

    def world(self, vendor: str) -> World:
        """What it has with a vendor; made when it is first asked for."""
        with self._lock:
            if vendor not in self._worlds:
                kind = self.accounts.kinds[vendor]
                self._worlds[vendor] = World(self, kind, self.chosen[vendor])
            return self._worlds[vendor]

    def begun(self, vendor: str) -> World | None:
        """As `world`; None if nobody has asked for it yet."""
        return self._worlds.get(vendor)

    @property
    def worlds(self) -> tuple[World, ...]:
        """With every vendor, in their order."""
        return tuple(self.world(vendor) for vendor in self.accounts.kinds)

    @property
    def workers(self) -> tuple[Any, ...]:
        """What goes on beside requests, as far as anybody has asked for it."""
        return tuple(one.worker for one in self._worlds.values() if one.worker is not None)

    def close(self) -> None:
        """Nothing goes on in it any more."""
        for worker in self.workers:
            worker.stop()
        self.journal.watch = None

    def _heard(self, entry: Entry | None) -> None:
        if self.accounts.heard is not None:
            self.accounts.heard(self.name, entry)


class Accounts:
    """The accounts of one server, and what they share. Safe across threads.

    The arguments are those of `MockServer`; without a recognizer it is outcomes, cards, then the
    bytes. `address` is scheme and host while the server runs, `is_stopped` whether it was stopped,
    `is_open` whether it is bound beyond the loopback. `heard` is called with an account's name and
    each entry of its journal, or None for all gone.
    """

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
        digests: bool = True,
        deliver_to: Collection[str] = (),
        latency: Mapping[str, float | tuple[float, float]] | None = None,
        has_workers: bool = False,
    ) -> None:
        if control_token is not None and not (control_token.isascii() and len(control_token) > 7):
            raise ValueError("a control token needs at least 8 characters, ASCII only")
        if recognizer is None:
            from .recognition.recognizer import PictureRecognizer  # not above: it loads Pillow

            recognizer = PictureRecognizer()
        self.kinds = {kind.name: kind for kind in kinds}
        if len(self.kinds) < len(kinds):
            raise ValueError("a vendor is named twice")
        self.recognizer = recognizer
        self.seed, self.has_workers = seed, has_workers
        self.control, self.control_token = control, control_token
        remembered = Digests()
        self.digest: Callable[[bytes], str] | None = remembered.of if digests else None
        #: What was digested, while it is remembered.
        self.picture = remembered.find
        self.deliver_to = frozenset(host.lower() for host in deliver_to)
        self.first_latency = {
            name: seconds if isinstance(seconds, tuple) else (seconds,)
            for name, seconds in (latency or {}).items()
        }
        self.address: str | None = None
        self.is_open = self.is_stopped = False
        self.heard: Callable[[str, Entry | None], None] | None = None
        self._chosen = {
            kind.name: (chosen or {}).get(kind.name) or Chosen.of(kind, None, {}) for kind in kinds
        }
        self._lock = threading.RLock()
        self._all: dict[str, Account] = {}
        self._opened = 0
        #: Whose a key is, by vendor and text; those of the first account are nobody else's.
        self._keys: dict[tuple[str, str], str] = {}
        keys = {kind.name: kind.first_keys for kind in kinds}
        self._put(MAIN, clock or VirtualClock(), keys, self._chosen, None)

    @property
    def main(self) -> Account:
        """The account that the server begins with."""
        return self._all[MAIN]

    @property
    def all(self) -> tuple[Account, ...]:
        """The oldest first."""
        with self._lock:
            return tuple(self._all.values())

    def find(self, name: str) -> Account | None:
        """The account of that name, or of that key; None for neither."""
        found = self._all.get(name)
        if found is None:
            # Whoever has a key need not say of which vendor.
            owners = (self._keys.get((vendor, name)) for vendor in self.kinds)
            found = self._all.get(next(filter(None, owners), ""))
        if found is None and any(name in keys for keys in self.main.first_keys.values()):
            found = self.main
        return found

    def named(self, name: str) -> Account:
        """As `find`; LookupError if there is none."""
        found = self.find(name)
        if found is None:
            raise LookupError(NO_ACCOUNT)
        return found

    def of(self, kind: VendorKind, head: Head) -> Account:
        """Whose a vendor's request is: by its key, else by the header, else the first one."""
        text = kind.key_of(head)
        name = self._keys.get((kind.name, text)) if text else None
        if name is None and (asked := head.header(ACCOUNT_HEADER.lower())):
            return self.find(asked) or self.main
        return self._all.get(name or MAIN) or self.main

    def open(
        self,
        name: str | None = None,
        *,
        keys: Mapping[str, Mapping[str, Key]] | None = None,
        parent: Account | None = None,
    ) -> Account:
        """A new account; ValueError for a name that is taken or is none, or for too many of them.

        One with a `parent` was registered in that one's world, and ends with its next reset.
        """
        clock = VirtualClock(running=self.main.clock.running) if parent is None else parent.clock
        with self._lock:
            if name is None:
                # The same seed repeats the name, and with it the ids.
                self._opened += 1
                name = f"a-{self._opened if self.seed is not None else secrets.token_hex(8)}"
            if not _NAME.fullmatch(name):
                raise ValueError(
                    "an account's name is up to 100 letters, digits, dots, dashes and underscores"
                )
            if self.find(name) is not None:
                raise ValueError(f"{name} is an account, or a key of one; take another name")
            if len(self._all) >= MAX_ACCOUNTS:
                raise ValueError(f"there are {MAX_ACCOUNTS} accounts; close some of them")
            if keys is None:
                keys = {kind.name: _new_keys(kind) for kind in self.kinds.values()}
            told = None if parent is None else parent.name
            return self._put(name, clock, keys, self._chosen, told)

    def _put(
        self,
        name: str,
        clock: VirtualClock,
        keys: Mapping[str, Mapping[str, Key]],
        chosen: Mapping[str, Chosen],
        parent: str | None,
    ) -> Account:
        account = Account(self, name, clock=clock, first_keys=keys, chosen=chosen, parent=parent)
        self._all[name] = account
        for vendor, first in keys.items():
            for text, key in first.items():
                self.claim(vendor, text, key, account)
        return account

    def close(self, name: str) -> None:
        """Forget an account; LookupError if there is none, ValueError for the first one."""
        with self._lock:
            account = self.named(name)
            if account.name == MAIN:
                raise ValueError("the first account stays as long as the server; reset it")
            self._forget(account)
            del self._all[account.name]
        if self.heard is not None:
            # Another one may have that name later.
            self.heard(account.name, None)

    def reset(self, name: str, vendor: str, chosen: Chosen) -> None:
        """Give an account a new world, in which that vendor behaves as chosen."""
        with self._lock:
            old = self.named(name)
            each = {**old.chosen, vendor: chosen}
            # Calls go on beside this: its first keys are never nobody's.
            fresh = self._put(old.name, old.clock, old.first_keys, each, old.parent)
            self._forget(old, kept=fresh.claimed)
        if self.heard is not None:
            self.heard(fresh.name, None)

    def _forget(self, account: Account, kept: Collection[tuple[str, str]] = frozenset()) -> None:
        account.close()
        for key in account.claimed.difference(kept):
            self._keys.pop(key, None)
        for one in [one for one in self._all.values() if one.parent == account.name]:
            self._forget(one)
            del self._all[one.name]

    def claim(self, vendor: str, text: str, key: Key, account: Account) -> None:
        """That key is this account's; ValueError if it is another one's.

        Those that everybody knows are of the account that a request is for without a key.
        """
        first = self.kinds[vendor].first_keys
        known = {*first, *(one.client for one in first.values())}
        texts = {one for one in (text, key.client) if one and one not in known}
        with self._lock:
            # At whichever vendor: a key alone says which account is meant.
            if any(getattr(self.find(one), "name", account.name) != account.name for one in texts):
                raise ValueError("another account has this key")
            claimed = {(vendor, one) for one in texts}
            self._keys.update(dict.fromkeys(claimed, account.name))
            account.claimed |= claimed


def _new_keys(kind: VendorKind) -> dict[str, Key]:
    letters = secrets.token_hex(8)
    return {
        kind.new_text(text, letters): attrs.evolve(
            key, client=None if key.client is None else kind.new_text(key.client, letters)
        )
        for text, key in kind.first_keys.items()
    }
