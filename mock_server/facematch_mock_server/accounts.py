"""The accounts of one server: each has a world of its own with every vendor, and nobody else's."""

from __future__ import annotations

import hashlib
import re
import secrets
import threading
from collections.abc import Collection, Mapping, Sequence

import attrs

from .account import Account, Shared
from .clock import VirtualClock
from .kinds import Chosen, VendorKind
from .messages import Head
from .recognition.outcomes import Recognizer
from .services import Digests, Key

#: The account that a server begins with: that of the keys that everybody knows, and of whoever
#: shows a key that nobody has.
MAIN = "main"
#: More than so many accounts at a time are refused.
MAX_ACCOUNTS = 10_000
_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")
NO_ACCOUNT = "There is no account of that name or key; GET /__mock__/accounts lists them."
#: Names an account in a request; the control API takes one of its keys there, too.
ACCOUNT_HEADER = "X-Facematch-Account"


class Accounts:
    """The accounts of one server, and what they share. Safe across threads.

    The arguments are those of `MockServer`; without a recognizer it is outcomes, cards, then the
    bytes. `shared` is what each account knows of the server.
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
        self.control, self.control_token = control, control_token
        remembered = Digests()
        #: What was digested, while it is remembered.
        self.picture = remembered.find
        self.shared = Shared(
            kinds=self.kinds,
            recognizer=recognizer,
            digest=remembered.of if digests else None,
            deliver_to=frozenset(host.lower() for host in deliver_to),
            latency={
                name: seconds if isinstance(seconds, tuple) else (seconds,)
                for name, seconds in (latency or {}).items()
            },
            has_workers=has_workers,
            claim=self.claim,
            open=self.open,
            every=lambda: self.all,
        )
        self._seed = seed
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
        account = self._all.get(name)
        if account is None:
            # Whoever has a key need not say of which vendor.
            owners = (self._keys.get((vendor, name)) for vendor in self.kinds)
            account = self._all.get(next(filter(None, owners), ""))
        if account is None and any(name in keys for keys in self.main.first_keys.values()):
            account = self.main
        return account

    def named(self, name: str) -> Account:
        """As `find`; LookupError if there is none."""
        account = self.find(name)
        if account is None:
            raise LookupError(NO_ACCOUNT)
        return account

    def of(self, kind: VendorKind, head: Head) -> Account:
        """Whose a vendor's request is: by its key, else by the header, else the first one."""
        text = kind.key_of(head)
        name = self._keys.get((kind.name, text)) if text else None
        if name is None and (header := head.header(ACCOUNT_HEADER.lower())):
            return self.find(header) or self.main
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
                name = f"a-{self._opened if self._seed is not None else secrets.token_hex(8)}"
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
            return self._put(name, clock, keys, self._chosen, parent)

    def _put(
        self,
        name: str,
        clock: VirtualClock,
        keys: Mapping[str, Mapping[str, Key]],
        chosen: Mapping[str, Chosen],
        parent: Account | None,
    ) -> Account:
        seed = self._seed
        if seed is not None and name != MAIN:
            # Every account of a server has ids of its own, which the same seed repeats.
            seed = int.from_bytes(hashlib.sha256(f"{seed} {name}".encode()).digest())
        account = Account(
            self.shared,
            name,
            clock=clock,
            seed=seed,
            first_keys=keys,
            chosen=chosen,
            parent=parent,
        )
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
        if self.shared.heard is not None:
            # Another one may have that name later.
            self.shared.heard(account.name, None)

    def reset(self, name: str, vendor: str, chosen: Chosen) -> None:
        """Give an account a new world, in which that vendor behaves as chosen."""
        with self._lock:
            old = self.named(name)
            each = {**old.chosen, vendor: chosen}
            # Calls go on beside this: its first keys are never nobody's.
            fresh = self._put(old.name, old.clock, old.first_keys, each, old.parent)
            self._forget(old, kept=fresh.claimed)
        if self.shared.heard is not None:
            self.shared.heard(fresh.name, None)

    def _forget(self, account: Account, kept: Collection[tuple[str, str]] = frozenset()) -> None:
        account.close()
        for key in account.claimed.difference(kept):
            self._keys.pop(key, None)
        for child in [each for each in self._all.values() if each.parent is account]:
            self._forget(child)
            del self._all[child.name]

    def claim(self, vendor: str, text: str, key: Key, account: Account) -> None:
        """That key is this account's; ValueError if it is another one's.

        Those that everybody knows are of the account that a request is for without a key.
        """
        first = self.kinds[vendor].first_keys
        public = {*first, *(each.client for each in first.values())}
        texts = {text, key.client or text} - public
        with self._lock:
            # At whichever vendor: a key alone says which account is meant.
            if any(
                getattr(self.find(each), "name", account.name) != account.name for each in texts
            ):
                raise ValueError("another account has this key")
            claimed = {(vendor, each) for each in texts}
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
