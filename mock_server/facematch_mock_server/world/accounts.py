"""The accounts of one server. Each account has its own state (`World`) at every vendor."""

from __future__ import annotations

import contextlib
import copy
import datetime as dt
import hashlib
import ipaddress
import re
import secrets
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any

import attrs

from facematch_mock_server.base.masking import SHORT, shorten
from facematch_mock_server.base.messages import PERSON, Request
from facematch_mock_server.claims import ActiveClaims
from facematch_mock_server.recognition.outcomes import OutcomeQueue
from facematch_mock_server.recognition.recognizer import Recognizer
from facematch_mock_server.replies import OwnReply, Replies

from .clock import Draws, IdSource, VirtualClock
from .faults import Faults
from .journal import Entry, Journal
from .keys import Key, Keys, check_key
from .latency import Latencies, Latency, read_latency
from .links import NamedPictures, PictureSource
from .money import Ledger
from .pictures import Pictures
from .rates import Rates
from .sessions import ActsOnOpen, SessionCollection
from .set_values import SetValues
from .vendor import Vendor, choose_each

#: The name of a server's first account, which handles requests with a public or unknown key.
MAIN = "main"
#: Maximum number of open accounts.
MAX_ACCOUNTS = 10_000
#: The origins of pages on this machine, as sources of a Content-Security-Policy.
LOOPBACK_ORIGINS = ("http://localhost:*", "http://127.0.0.1:*")
_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")
#: Names in the network of a container may have an underscore.
_HOST_NAME_OR_IPV4 = re.compile(r"[A-Za-z0-9._-]{1,253}")
#: The header that names an account. The control API also accepts one of the account's keys.
ACCOUNT_HEADER = "X-Facematch-Account"
NO_ACCOUNT = "There is no account with that name or key; GET /__mock__/accounts lists them."


def _read_host(host: str) -> str:
    """Return a host's name or address in lower case; raise ValueError for anything else."""
    is_host = _HOST_NAME_OR_IPV4.fullmatch(host) is not None
    if ":" in host:
        with contextlib.suppress(ValueError):
            ipaddress.IPv6Address(host)
            is_host = True
    if not is_host:
        raise ValueError(
            f"the host {host[:60]!r} of deliver_to is no name of a host and no address: write it "
            "without a scheme, a port or a path, such as web"
        )
    return host.lower()


@attrs.define(eq=False)
class AccountRef:
    """A stable reference to an account. A reset replaces the account but not its ref."""

    #: The account; None once it is closed.
    account: Account | None = None
    #: When the account was opened, in UTC, by the machine's clock.
    opened_at: dt.datetime = attrs.field(factory=lambda: dt.datetime.now(dt.UTC))

    @property
    def current(self) -> Account:
        """The current account. Raises LookupError once it is closed."""
        if self.account is None:
            raise LookupError(NO_ACCOUNT)
        return self.account


class World:
    """An account's state at one vendor: keys, credit, rate limits and sessions. Thread-safe."""

    def __init__(self, account: Account, vendor: Vendor, claims: ActiveClaims) -> None:
        """Make the state of one vendor in one account; the pictures and their facts are shared."""
        shared = account.shared
        self.account = account
        self.vendor = vendor
        self.vendor_name = vendor.name
        self.claims = claims
        self.switches = claims.set_by_user
        self.clock = account.clock
        self.ids = account.ids
        self.pictures = shared.pictures
        # Worlds share the engine and the facts about pictures, but not the set outcomes.
        self.recognizer = copy.copy(shared.recognizer)
        self.recognizer.outcome_queue = OutcomeQueue()
        self.keys = Keys(account.first_keys.get(vendor.name, {}))
        # A vendor without credit charges nothing.
        start_credit = claims["credit.start"] if "credit.start" in claims else Decimal(0)
        self.ledger = Ledger(start_credit)
        self.rates = Rates({scope: claims[key] for scope, key in vendor.rate_limits.items()})
        self.set_values = SetValues()
        self.sessions = SessionCollection()
        #: What the person does when a page opens, by session; None is every other session.
        self.acts_on_open: dict[str | None, ActsOnOpen] = {}
        #: What the vendor reads from the document in each session that starts; None for what is on
        #: the card.
        self.document_fields: Mapping[str, str] | None = None
        #: The latency at this vendor, which replaces the account's.
        self.latency = Latencies(account.draws, self.vendor_name, {})
        #: State that only this vendor has.
        self.records: Any = vendor.records()
        #: The `MockVendor` that handles the vendor's requests.
        self.behaviour = vendor.behaviour(self)
        #: The webhook outbox; None if the vendor sends no webhooks.
        self.outbox: Any = None if vendor.outbox is None else vendor.outbox(self)

    def of_all_accounts(self) -> list[World]:
        """Return the vendor's world in each account, for a request that has no key."""
        return [account.worlds[self.vendor_name] for account in self.account.shared.all]

    def add_key(self, text: str, key: Key) -> None:
        """Add a key. Raises ValueError if it is invalid or belongs to another account."""
        check_key(text)
        self.account.shared.assign_key(self.vendor_name, text, key, self.account)
        self.keys.put(text, key)

    def log(self, head: Request, *, at: Any = None, **fields: Any) -> Entry | None:
        """Record a request in the journal. `at` defaults to now; `fields` are fields of `Entry`."""
        path = head.path
        if path.startswith(PERSON):
            # The path of a person's page contains the session's secret token.
            return None
        if len(path) > 200:
            path = shorten(path, 200)
        entry = Entry(at=at or self.clock.now(), method=head.method[:SHORT], path=path, **fields)
        return self.account.journal.add(entry)


class Account:
    """A world at each vendor, and the state that these worlds share. Thread-safe."""

    # A reset puts a new account into `ref`. Requests in progress finish in the old account.

    def __init__(
        self,
        shared: Accounts,
        name: str,
        clock: VirtualClock,
        first_keys: Mapping[str, Mapping[str, Key]],
        claims: Mapping[str, ActiveClaims],
        *,
        ref: AccountRef,
    ) -> None:
        """Make an account with a world for each vendor; ids follow from the seed and the name."""
        self.shared = shared
        self.name = name
        self.clock = clock
        self.first_keys = first_keys
        self.claims = claims
        self.ref = ref
        seed = shared.seed
        if seed is not None and name != MAIN:
            # Each account has its own ids; the same seed gives the same ids.
            seed = int.from_bytes(hashlib.sha256(f"{seed} {name}".encode()).digest())
        self.ids = IdSource(seed)
        self.draws = Draws(seed)
        self.faults = Faults(self.draws)
        #: The latency at all vendors.
        self.latency = Latencies(self.draws, "of all", shared.latency)
        #: The replies that the mock does not make itself.
        self.replies = Replies(shared.replies)
        #: The pictures that clients name instead of sending them.
        self.named_pictures = NamedPictures(shared.named_pictures)
        self.journal = Journal()
        #: The origins whose pages may show a session's page in a frame.
        self.frame_ancestors = LOOPBACK_ORIGINS
        #: The account's state at each vendor, in the order of the server's vendors.
        self.worlds = {
            name: World(self, vendor, claims[name]) for name, vendor in shared.vendors.items()
        }
        self.run_webhooks(is_running=not shared.is_stopped)

    def allows_page(self, origin: str) -> bool:
        """Return whether a page of this origin may show a session's page in a frame."""
        any_port = re.sub(":[0-9]+$", "", origin) + ":*"
        return not {origin, any_port}.isdisjoint(self.frame_ancestors)

    def run_webhooks(self, *, is_running: bool) -> None:
        """Start or stop sending webhooks."""
        for world in self.worlds.values():
            if world.outbox is not None:
                world.outbox.run(is_running=is_running)


class Accounts:
    """The accounts of one server, and their shared state. For the arguments see `MockServer`."""

    #: The first account.
    main: Account
    #: The server's base URL while it runs.
    address: str | None = None
    #: The scheme and host of all sessions' pages; None for those that the client called.
    page_origin: str | None = None
    #: Whether other machines can reach the server.
    is_open = False
    is_stopped = False
    #: Prints a sentence for whoever runs the server; None if nobody reads it.
    report: Callable[[str], None] | None = None

    def __init__(
        self,
        vendors: Sequence[Vendor],
        recognizer: Recognizer | None = None,
        *,
        switches: Mapping[str, Any] | None = None,
        clock: VirtualClock | None = None,
        seed: int | None = None,
        control: bool = True,
        control_token: str | None = None,
        deliver_to: Collection[str] = (),
        latency: Mapping[str, Latency | str] | None = None,
        pictures: Mapping[str, PictureSource] | None = None,
        replies: Sequence[OwnReply] = (),
        sends_webhooks: bool = False,
    ) -> None:
        """Make the first account.

        Raise ValueError for a short token and for a vendor that is given twice. `deliver_to` are
        hosts beside this machine that may get webhooks. `sends_webhooks` is false where a test
        takes the deliveries.
        """
        if control_token is not None and not (control_token.isascii() and len(control_token) > 7):
            raise ValueError("a control token must have at least 8 characters, all ASCII")
        #: The vendors by name, in the order given.
        self.vendors = {vendor.name: vendor for vendor in vendors}
        if len(self.vendors) < len(vendors):
            raise ValueError("a vendor is given twice")
        #: Whether the control API is served, and the token that it requires, or None.
        self.control = control
        self.control_token = control_token
        self.recognizer = recognizer or Recognizer()
        #: Whether threads send webhooks.
        self.sends_webhooks = sends_webhooks
        #: Hosts other than this machine that may receive webhooks.
        self.deliver_to = frozenset(map(_read_host, deliver_to))
        #: The latency of new accounts, by operation.
        self.latency: dict[str, Latency] = {}
        for operation, value in (latency or {}).items():
            self.latency[operation] = read_latency(operation, value, vendors)
        #: The named pictures of new accounts.
        self.named_pictures = NamedPictures(pictures or {})
        #: The own replies of all accounts.
        self.replies = tuple(replies)
        self.pictures = Pictures()
        self._reported: set[str] = set()
        #: A function that starts the server.
        self.start: Callable[[], Any] = lambda: None
        self.seed = seed
        self._claims = choose_each(vendors, switches)
        self._lock = threading.RLock()
        self._all: dict[str, Account] = {}
        #: The number of accounts that were opened without a name.
        self._opened = 0
        #: The accounts by key (vendor and text), and by name (with "" as the vendor).
        self._keys: dict[tuple[str, str], Account] = {}
        first_keys = {vendor.name: vendor.first_keys for vendor in vendors}
        #: The public keys and client ids of the first account, as pairs of vendor and text.
        self._texts_of_main = _list_texts(first_keys)
        main = Account(
            self, MAIN, clock or VirtualClock(), first_keys, self._claims, ref=AccountRef()
        )
        self._put(main)

    def report_once(self, sentence: str) -> None:
        """Report a sentence, unless it was reported before."""
        with self._lock:
            is_new = sentence not in self._reported
            self._reported.add(sentence)
        if is_new and self.report is not None:
            self.report(sentence)

    @property
    def all(self) -> tuple[Account, ...]:
        with self._lock:
            return tuple(self._all.values())

    def find(self, name: str) -> Account | None:
        """Return the open account with this name, key or client id, or None."""
        texts = [("", name), *((vendor, name) for vendor in self.vendors)]
        if not self._texts_of_main.isdisjoint(texts):
            return self.main
        with self._lock:
            for text in texts:
                account = self._keys.get(text)
                if account is not None:
                    return account
        return None

    def get(self, name: str) -> Account:
        """Return the account that `find` returns. Raises LookupError if there is none."""
        account = self.find(name)
        if account is None:
            raise LookupError(NO_ACCOUNT)
        return account

    def account_of(self, vendor: Vendor, head: Request) -> Account | None:
        """Return the account that a request's key or account header identifies, or None."""
        account = self._keys.get((vendor.name, vendor.key_of(head) or ""))
        if account is not None:
            return account
        header = head.header("x-facematch-account")
        return self.find(header) if header else None

    def open(self, name: str | None = None) -> Account:
        """Open an account. Raises ValueError if the name is invalid or in use."""
        with self._lock:
            if name is None:
                # The same seed gives the same name, and therefore the same ids in the account.
                self._opened += 1
                suffix = secrets.token_hex(8) if self.seed is None else str(self._opened)
                name = f"a-{suffix}"
            if not _NAME.fullmatch(name):
                raise ValueError(
                    "an account's name must be 1-100 letters, digits, dots, dashes and underscores"
                )
            if self.find(name) is not None:
                # The message omits the name, because it may be a key.
                raise ValueError("an account has this name or key; choose another name")
            if len(self._all) >= MAX_ACCOUNTS:
                raise ValueError(f"there are already {MAX_ACCOUNTS} accounts; close some of them")
            keys = {name: vendor.new_keys() for name, vendor in self.vendors.items()}
            clock = VirtualClock(running=self.main.clock.running)
            return self._put(Account(self, name, clock, keys, self._claims, ref=AccountRef()))

    def _put(self, account: Account) -> Account:
        """Add an account, replacing one with the same name."""
        self._all[account.name] = account
        account.ref.account = account
        if account.name == MAIN:
            self.main = account
        texts = {("", account.name), *(_list_texts(account.first_keys) - self._texts_of_main)}
        self._keys.update(dict.fromkeys(texts, account))
        return account

    def close(self, ref: AccountRef) -> None:
        """Close an account. Raises LookupError if already closed, ValueError if it is the first."""
        with self._lock:
            account = ref.current
            if account is self.main:
                raise ValueError("the first account cannot be closed; reset it instead")
            del self._all[account.name]
            ref.account = None
            self._release_keys(account)
        account.run_webhooks(is_running=False)

    def reset(self, ref: AccountRef, vendor: str, claims: ActiveClaims) -> None:
        """Reset an account, with new claims about a vendor. Raises LookupError if it is closed."""
        with self._lock:
            old = ref.current
            every = {**old.claims, vendor: claims}  # the other vendors keep their claims
            self._put(Account(self, old.name, old.clock, old.first_keys, every, ref=ref))
            self._release_keys(old)
        # Stop deliveries outside the lock, so that requests do not wait for them.
        old.run_webhooks(is_running=False)

    def _release_keys(self, account: Account) -> None:
        """Remove an account's keys from the index, unless another account now has them."""
        self._keys = {text: owner for text, owner in self._keys.items() if owner is not account}

    def assign_key(self, vendor: str, text: str, key: Key, account: Account) -> None:
        """Assign a key to an account.

        Raises ValueError if the key belongs to another account, LookupError if `account` is closed.
        """
        texts = _list_texts({vendor: {text: key}}) - self._texts_of_main
        with self._lock:
            # A concurrent reset may have replaced the account.
            account = account.ref.current
            for _, text_or_client in texts:
                # Also a name, or a key at another vendor.
                owner = self.find(text_or_client)
                if owner is not None and owner.name != account.name:
                    raise ValueError("another account has this key")
            self._keys.update(dict.fromkeys(texts, account))


def _list_texts(keys: Mapping[str, Mapping[str, Key]]) -> set[tuple[str, str]]:
    """Return all keys and client ids as pairs of vendor and text."""
    texts = set()
    for vendor, keys_of_vendor in keys.items():
        for text, key in keys_of_vendor.items():
            texts.add((vendor, text))
            if key.client is not None:
                texts.add((vendor, key.client))
    return texts
