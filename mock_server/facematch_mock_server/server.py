"""`MockServer`: mock vendors, their accounts and their HTTP server in one object."""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import attrs

from facematch_core.base.addresses import is_loopback
from facematch_mock_server.control import Control
from facematch_mock_server.control.api import PREFIX
from facematch_mock_server.http.app import App
from facematch_mock_server.replies import OwnReply, read_mappings, read_replies
from facematch_mock_server.world.accounts import Account, Accounts, World
from facematch_mock_server.world.clock import VirtualClock
from facematch_mock_server.world.keys import name_keys
from facematch_mock_server.world.latency import Latency
from facematch_mock_server.world.links import PictureSource

from .http.server import HttpServer
from .pages.console import Console
from .pages.person import PersonPage
from .recognition.recognizer import EngineName, Recognizer
from .vendors import DEFAULT, UNKNOWN, vendor_named, vendor_names

if TYPE_CHECKING:
    from .http.adapter import MockAdapter


#: A file or folder with own replies, or a mapping.
ReplySource = str | Path | Mapping[str, Any]


def _read_all(sources: ReplySource | Sequence[ReplySource]) -> list[OwnReply]:
    """Read own replies. Raises ValueError, also for a vendor that no mock imitates."""
    if isinstance(sources, (str, Path, Mapping)):
        sources = [sources]
    replies: list[OwnReply] = []
    given = 0
    for source in sources:
        if isinstance(source, (str, Path)):
            replies += read_replies(source)
        else:
            mappings = read_mappings(source, "replies", given + 1)
            given += len(mappings)
            replies += mappings
    # Asked for only if needed, because it looks for other distributions' vendors.
    names = vendor_names() if any(reply.vendor for reply in replies) else ()
    for reply in replies:
        reply.check_vendor((*names, UNKNOWN))
    return replies


class _Access:
    """Access to one account at one vendor, for clients and for tests."""

    def __init__(self, accounts: Accounts, account: Account, vendor: str) -> None:
        self.accounts = accounts
        self._account_ref = account.ref
        self._vendor = vendor
        keys = name_keys(account.first_keys.get(vendor, {}))
        self.live_key = keys.get("live", "")
        self.sandbox_key = keys.get("sandbox")
        self.client_id = keys.get("client")

    @property
    def url(self) -> str:
        """The server's base URL. Raises RuntimeError if it is not running."""
        if self.accounts.address is None:
            raise RuntimeError("the server is not running")
        return self.accounts.address

    @functools.cached_property
    def control(self) -> Control:
        """The control of this account at this vendor."""
        return Control(self._account_ref.current, self._vendor)

    def of(self, vendor: str) -> Served:
        """Return this account at `vendor`. Raises LookupError if the server has no such vendor."""
        if vendor not in self.accounts.vendors:
            names = ", ".join(self.accounts.vendors)
            # The message omits `vendor`, which may be a key.
            raise LookupError(f"this server has no such vendor; it has {names}")
        return Served(self.accounts, self._account_ref.current, vendor)


class Served(_Access):
    """An account at one vendor: its keys for a client, and its control for a test.

    Attributes:
        name: The name of the vendor.
        account: The name of the account.
        live_key: A live key that is valid from the start.
        sandbox_key: A sandbox key; None if the vendor has no sandbox.
        client_id: The client id of the live key; None if the vendor has no client ids.
        url: The server's base URL. Raises RuntimeError if it is not running.
        control: The control of this account at this vendor. Faults and latency that it sets affect
            this vendor alone.
    """

    def __init__(self, accounts: Accounts, account: Account, vendor: str) -> None:
        super().__init__(accounts, account, vendor)
        self.name = vendor
        self.account = account.name

    @functools.cached_property
    def control(self) -> Control:
        """The control of this account at this vendor; its faults and latency are this vendor's."""
        return Control(self._account_ref.current, self._vendor, is_of_one_vendor=True)

    @property
    def control_url(self) -> str:
        """The URL of this vendor's control API.

        The header ``X-Facematch-Account`` or ``?key=`` selects an account other than the first.
        """
        return f"{self.url}{PREFIX}{self.name}/"

    def __repr__(self) -> str:
        return f"Served({self.name}, account {self.account})"


class MockAccount(_Access):
    """An account of a mock server, isolated from the server's other accounts.

    Attributes:
        name: The name of the account.
        live_key, sandbox_key, client_id, control: The values for the first vendor; see `Served`.
            `control` also changes state that all vendors share, such as faults and the clock.
        url: The server's base URL. Raises RuntimeError if it is not running.
    """

    def __init__(self, account: Account) -> None:
        super().__init__(account.shared, account, next(iter(account.shared.vendors)))
        self.name = account.name

    def close(self) -> None:
        """Close the account. Its keys become invalid.

        Raises ValueError for the first account, LookupError for a closed account.
        """
        self.accounts.close(self._account_ref)

    def __repr__(self) -> str:
        return f"MockAccount({self.name})"


class MockServer(_Access):
    """A server on this machine that imitates one or more vendors. A context manager.

    Starting takes about a millisecond, so each test can have its own server. If tests share a
    server, give each test an account. Any HTTP client in any language can call the server.
    `adapter` redirects requests for a vendor's own address to it.

    Args:
        vendor: The vendor to imitate, such as ``didit``, or a list of vendors on one port. These
            share each account's clock, faults and journal. `of` returns the keys and control of a
            vendor; attributes such as `live_key` belong to the first vendor.
        engine: The source of scores. ``cards`` uses set outcomes, else test cards, else the bytes
            of the pictures. ``local`` uses the local backend instead of the bytes.
        host: The address to listen on. Other machines can reach it unless it is a loopback address.
        port: The port to listen on; 0 for any free port.
        clock: The first account's clock; None for one that runs with the machine's. A
            ``VirtualClock()`` stands still until `control.advance`, as after `control.freeze`.
        seed: A seed that makes ids the same in each run; None for random ids.
        control: Whether to serve the control API.
        control_token: The token of the control API; required unless `host` is a loopback address or
            `control` is False.
        switches: The behaviours to change; `control.behaviours()` lists them. With several vendors,
            a switch applies to each that has it. Name the vendor to choose one:
            ``{"deepvue": {"price_match": "0.05"}}``.
        latency: The delay of responses in seconds, by operation: ``{"match": 0.8}``, or between
            two numbers ``{"match": (0.4, 2.0)}``; None for none. With `seed`,
            each run has the same delays.
        deliver_to: Hosts other than this machine that may receive webhooks: names or addresses,
            without a port.
        hosts: More hosts of vendors, such as ``{"faces.example": "compreface"}``; None for none.
        person_page: Whether hosted sessions have a page on which a tester plays the person. None
            means only if `host` is a loopback address.
        show_pictures: Whether the console at `url` shows the pictures that were sent. If so, the
            newest 64 MiB of pictures stay in memory.
        pictures: The first `control.pictures` of each account, such as ``{"photos/p1.png": "p1"}``.
        replies: Own replies of every account, for calls that the mock does not imitate: a file, a
            folder, a mapping in WireMock's format, or a list of these; see `control.add_replies`.

    Attributes:
        live_key, sandbox_key, client_id, control, url: The values for the first account and vendor;
            see `Served`. Deepvue's live key is a client secret, Rekognition's a secret access key.
        accounts, app, http: The parts of the server that a custom transport or listener needs.

    Raises:
        ValueError: no vendor was given, a vendor is unknown or repeated, the engine or a switch is
            unknown, a host is of a vendor that is not served, a value is invalid, a file of
            `pictures` or `replies` cannot be read, or a reply has what the mock does not know.
    """

    def __init__(
        self,
        *,
        vendor: str | Sequence[str] = DEFAULT,
        engine: EngineName = "cards",
        host: str = "127.0.0.1",
        port: int = 0,
        clock: VirtualClock | None = None,
        seed: int | None = None,
        control: bool = True,
        control_token: str | None = None,
        switches: Mapping[str, Any] | None = None,
        latency: Mapping[str, Latency | str] | None = None,
        deliver_to: Collection[str] = (),
        hosts: Mapping[str, str] | None = None,
        show_pictures: bool = False,
        person_page: bool | None = None,
        pictures: Mapping[str, PictureSource] | None = None,
        replies: ReplySource | Sequence[ReplySource] = (),
    ) -> None:
        """Prepare the server; nothing listens before `start`. The class describes the arguments.

        Raise ValueError without a vendor, for a host of a vendor that is not served, and if other
        machines could reach the control API without a token.
        """
        is_open = not is_loopback(host)
        if is_open and control and control_token is None:
            raise ValueError(
                "other machines can reach the control API at this host: set a control_token, "
                "or pass control=False"
            )
        names = [vendor] if isinstance(vendor, str) else list(vendor)
        if not names:
            raise ValueError("a mock server needs at least one vendor")
        vendors = [vendor_named(name) for name in names]
        for more_host, owner in (hosts or {}).items():
            if owner not in names:
                vendor_named(owner)  # raises if there is no such vendor
                served = ", ".join(names)
                raise ValueError(
                    f"the host {more_host} belongs to {owner}, but the server has only {served}"
                )
            owner_position = names.index(owner)
            more_hosts = vendors[owner_position].hosts | {more_host.lower()}
            vendors[owner_position] = attrs.evolve(vendors[owner_position], hosts=more_hosts)
        accounts = Accounts(
            vendors,
            Recognizer(engine=engine),
            switches=switches,
            clock=clock or VirtualClock(running=True),
            seed=seed,
            control=control,
            control_token=control_token,
            deliver_to=deliver_to,
            latency=latency,
            pictures=pictures,
            replies=_read_all(replies),
            sends_webhooks=True,
        )
        accounts.is_open = is_open
        accounts.start = self.start
        super().__init__(accounts, accounts.main, names[0])
        self.app = App(accounts)
        if control:
            self.app.console = Console(accounts, show_pictures=show_pictures)
        if person_page is None:
            # Anybody with a session's URL can act as the person.
            person_page = not is_open
        self.app.person = PersonPage(accounts, is_on=person_page)
        self.http = HttpServer(self.app, host=host, port=port)

    @property
    def world(self) -> World:
        """The first account's state at the first vendor."""
        return self.app.world

    def account(self, key: str) -> MockAccount:
        """Return the account with this key, client id or name. Raises LookupError if unknown."""
        return MockAccount(self.accounts.get(key))

    def new_account(self, name: str | None = None) -> MockAccount:
        """Open an account with its own keys, credit, limits, sessions, outcomes, faults and clock.

        If `name` is None, a name is generated. Raises ValueError if the name is invalid or in use.
        """
        return MockAccount(self.accounts.open(name))

    def start(self) -> Self:
        """Start listening and sending webhooks. Does nothing if the server is already running.

        Raises:
            OSError: the address cannot be bound.
            ConfigurationError: the engine cannot be loaded.
        """
        engine = self.accounts.recognizer.engine
        if engine is not None:
            engine.load()
        self.http.start()
        self.accounts.is_stopped = False
        self.accounts.address = self.http.url
        for account in self.accounts.all:
            account.run_webhooks(is_running=True)
        return self

    def stop(self) -> None:
        """Close the port and all connections immediately. The accounts keep their state.

        Until the next `start`, the port and any `adapter` refuse connections.
        """
        self.accounts.is_stopped = True
        self.http.stop()
        self.accounts.address = None
        for account in self.accounts.all:
            account.run_webhooks(is_running=False)
        engine = self.accounts.recognizer.engine
        if engine is not None:
            engine.close()

    @property
    def port(self) -> int:
        """The server's port. Raises RuntimeError if the server is not running."""
        return self.http.port

    @property
    def vendors(self) -> tuple[str, ...]:
        """The names of the imitated vendors, in the order of the argument `vendor`."""
        return tuple(self.accounts.vendors)

    @property
    def clock(self) -> VirtualClock:
        """The clock of the first account, to share with other code."""
        return self.accounts.main.clock

    @property
    def control_url(self) -> str:
        """The address of the control API."""
        return self.url + PREFIX

    def adapter(self) -> MockAdapter:
        """Return an adapter to mount on a requests session: ``session.mount(URL, adapter)``.

        If the server was never started, the adapter's first request starts it.
        """
        from .http.adapter import MockAdapter  # imported here, because few programs need it

        return MockAdapter(self.accounts)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"MockServer({', '.join(self.vendors)})"
