"""`MockServer`: mock vendors, what they share, and their HTTP server, in one object."""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, Self

from facematch_core.base.addresses import is_loopback
from facematch_mock_server.http.app import App
from facematch_mock_server.http.control import PREFIX
from facematch_mock_server.world.accounts import Account, Accounts, World
from facematch_mock_server.world.clock import VirtualClock
from facematch_mock_server.world.kinds import check_operation
from facematch_mock_server.world.services import LIVE_KEY, SANDBOX_KEY, name_keys

from .http.server import HttpServer
from .pages.console import Console
from .pages.person import PersonPage
from .recognition.recognizer import Recognizer
from .vendors import choose_each, vendor_named

if TYPE_CHECKING:
    from .control import Control
    from .http.adapter import MockAdapter
    from .recognition.recognizer import EngineName


class _Access:
    """What a client needs to ask one account at one vendor, and what a test may do to it."""

    def __init__(self, server: MockServer, account: Account, vendor: str) -> None:
        self._server, self._place, self._vendor = server, account.place, vendor
        keys = name_keys(account.first_keys.get(vendor, {}))
        self.live_key = keys.get("live", "")
        self.sandbox_key, self.client_id = keys.get("sandbox"), keys.get("client")

    @property
    def url(self) -> str:
        """That of the server; RuntimeError if it is not running."""
        return self._server.url

    @functools.cached_property
    def control(self) -> Control:
        """What a test may do to this account at this vendor."""
        from .control import Control  # not above: it brings what every area of a vendor can do

        return Control(self._server.accounts, self._place.current, self._vendor)


class Served(_Access):
    """One account at one vendor: what a client needs to ask it, and what a test may do to it.

    Attributes:
        name: Of the vendor.
        account: Name of the account.
        live_key: A key that works at once.
        sandbox_key: Likewise; None without one, or of a vendor without a sandbox.
        client_id: What belongs to the key; None of a vendor whose keys are enough.
        url: That of the server; RuntimeError if it is not running.
        control: What a test may do to this account at this vendor.
    """

    def __init__(self, server: MockServer, account: Account, vendor: str) -> None:
        super().__init__(server, account, vendor)
        self.name, self.account = vendor, account.name

    @property
    def control_url(self) -> str:
        """Where the control API of this vendor begins; another account than the first one is named
        by the header ``X-Facematch-Account`` or by ``?key=``.
        """
        return f"{self._server.control_url}{self.name}/"

    def __repr__(self) -> str:
        return f"Served({self.name}, account {self.account})"


class MockAccount(_Access):
    """One account of a server: its keys open it, and what is done to it reaches no other.

    Attributes:
        name: Of the account.
        live_key, sandbox_key, client_id, control: Those of `Served`, at the first vendor; `control`
            is for what all vendors share, too.
        url: That of the server; RuntimeError if it is not running.
    """

    def __init__(self, server: MockServer, account: Account) -> None:
        super().__init__(server, account, server.vendors[0])
        self.name = account.name

    def of(self, vendor: str) -> Served:
        """The account at one of the vendors; LookupError if it is not among them."""
        if vendor not in self._server.vendors:
            names = ", ".join(self._server.vendors)
            raise LookupError(f"this server has no such vendor; it has {names}")
        return Served(self._server, self._place.current, vendor)

    def close(self) -> None:
        """Close the account: its keys are wrong from now on, and for an hour its `control` can read
        what happened. ValueError for the first one, LookupError for one that is closed."""
        self._server.accounts.close(self._place)

    def __repr__(self) -> str:
        return f"MockAccount({self.name})"


class MockServer:
    """Mock vendors on this machine. A context manager.

    Starting takes about a millisecond, so each test can have its own; tests that share one have an
    account each. Any HTTP client in any language can ask it; `adapter` leads requests there from a
    vendor's own address.

    Args:
        vendor: Whom to imitate: ``didit``, ``deepvue``, or several of them on one port, with one
            clock, one list of faults and one journal for each account. `of` gives each one's keys
            and control; what has no vendor's name belongs to the first.
        edition: Of the vendor's documents: ``2026-03``, ``2026-07`` or ``2026-11`` of Didit's. For
            several vendors: that of the first one that has it, or by name of the vendor.
        engine: What decides a score: ``cards`` (outcomes that were set, test cards, else the
            bytes); ``local`` for real scores of the local backend instead of the last.
        host: Loopback unless you decide otherwise: whoever reaches it may use it.
        port: 0 for any free one.
        clock: Time of the first account; None for one that stands still until `control.advance`.
        seed: Of ids and chances; the same seed repeats them. None for others each time.
        control: Whether the control API is served beside the vendor.
        control_token: What the control API asks for; needed beyond the loopback, unless `control`
            is False.
        switches: Single behaviours apart from the edition; `control.behaviours()` lists them. For
            several vendors: of the first one that has such a switch, or by name of the vendor:
            ``{"deepvue": {"bad_token": 401}}``.
        latency: Seconds that answers take, by operation, or the least and the most, drawn by the
            seed: ``{"match": (0.8, 2.5)}``. None for at once.
        deliver_to: Hosts beyond the loopback that webhooks may be sent to, by name.
        tls_certificate, tls_key: PEM files by which the server speaks HTTPS, which some vendors'
            clients insist on; without a key it is in the file of the certificate. None for HTTP.
        person_page: Whether hosted sessions have their page, where whoever has a session's address
            plays the person; None for on the loopback only.
        show_pictures: Whether the console at `url` shows the pictures that were sent; it keeps the
            newest 64 MiB of them in memory then.

    Attributes:
        live_key, sandbox_key, client_id: Those of `Served`, of the first account at the first
            vendor: Deepvue's live key is a client secret, Rekognition's a secret access key.
        accounts, app: The parts, for transports of your own.

    Raises:
        ValueError: no vendor, an unknown or repeated one, an unknown edition, engine or switch, a
            value that does not fit, or a file that is no certificate or not its key.
    """

    live_key = LIVE_KEY
    sandbox_key: str | None = SANDBOX_KEY

    def __init__(
        self,
        *,
        vendor: str | Sequence[str] = "didit",
        edition: str | Mapping[str, str] | None = None,
        engine: EngineName = "cards",
        host: str = "127.0.0.1",
        port: int = 0,
        clock: VirtualClock | None = None,
        seed: int | None = None,
        control: bool = True,
        control_token: str | None = None,
        switches: Mapping[str, Any] | None = None,
        latency: Mapping[str, float | tuple[float, float]] | None = None,
        deliver_to: Collection[str] = (),
        tls_certificate: str | PathLike[str] | None = None,
        tls_key: str | PathLike[str] | None = None,
        show_pictures: bool = False,
        person_page: bool | None = None,
    ) -> None:
        is_open = not is_loopback(host)
        if is_open and control and control_token is None:
            raise ValueError(
                "beyond the loopback other machines reach the control API: give a control_token, "
                "or control=False"
            )
        tls = None
        if tls_certificate is not None:
            from .http.tls import read_certificate  # not above: few servers need it

            tls = read_certificate(tls_certificate, tls_key)
        elif tls_key is not None:
            raise ValueError(
                "a TLS key needs its certificate: give tls_certificate (--tls-certificate), too"
            )
        names = [vendor] if isinstance(vendor, str) else list(vendor)
        if not names:
            raise ValueError("a mock server needs at least one vendor")
        kinds = [vendor_named(name) for name in names]
        chosen = choose_each(kinds, edition, switches)
        for operation in latency or {}:
            check_operation(operation, kinds)
        self._recognizer = Recognizer(engine=engine)
        self.accounts = Accounts(
            kinds,
            self._recognizer,
            chosen=chosen,
            clock=clock,
            seed=seed,
            control=control,
            control_token=control_token,
            deliver_to=deliver_to,
            latency=latency,
            has_workers=True,
        )
        self.accounts.is_open = is_open
        self.app = App(self.accounts)
        if control:
            self.app.console = Console(self.accounts, show_pictures=show_pictures)
        is_on = not is_open if person_page is None else person_page
        self.app.person = PersonPage(self.accounts, is_on=is_on)
        self._main = MockAccount(self, self.accounts.main)
        self.live_key, self.sandbox_key = self._main.live_key, self._main.sandbox_key
        self.client_id = self._main.client_id
        # Some 30 ms a picture: too long for the loop that all servers share.
        self.app.has_engine = engine != "cards"
        self._http = HttpServer(self.app, host=host, port=port, tls=tls)
        self.accounts.start = self.start

    @property
    def world(self) -> World:
        """What the first account has with the first vendor."""
        return self.app.world

    def account(self, key: str) -> MockAccount:
        """The account of a key, a client id or a name, the one closed last if none is open;
        LookupError if there is none."""
        return MockAccount(self, self.accounts.get(key))

    def new_account(self, name: str | None = None) -> MockAccount:
        """Open an account: keys, credit, limits, sessions, outcomes, faults and a clock of its own.

        `name` is None for one that nobody has; ValueError for one that is taken or is none.
        """
        return MockAccount(self, self.accounts.open(name))

    def start(self) -> Self:
        """Listen. Does nothing if it does already.

        Raises:
            OSError: the address cannot be bound.
            ConfigurationError: an engine is wanted that cannot be loaded.
        """
        self._recognizer.load()
        self._http.start()
        self.accounts.is_stopped = False
        self.accounts.address = self._http.url
        for worker in self._workers:
            worker.start()
        return self

    def stop(self) -> None:
        """Close the port and every connection at once; the world stays as it is.

        Until it is started again, an `adapter` refuses connections, as the port does.
        """
        self.accounts.is_stopped = True
        self._http.stop()
        self.accounts.address = None
        for worker in self._workers:
            worker.stop()
        self._recognizer.close()

    @property
    def _workers(self) -> list[Any]:
        return [worker for account in self.accounts.all for worker in account.workers]

    @property
    def url(self) -> str:
        """``http://127.0.0.1:PORT``, or ``https``; RuntimeError if it is not running."""
        return self._http.url

    @property
    def port(self) -> int:
        """Where it listens; RuntimeError if it is not running."""
        return self._http.port

    @property
    def vendors(self) -> tuple[str, ...]:
        """The vendors that it imitates, the first one first."""
        return tuple(self.accounts.kinds)

    def of(self, vendor: str) -> Served:
        """The first account at one of the vendors; LookupError if it is not among them."""
        return self._main.of(vendor)

    @property
    def clock(self) -> VirtualClock:
        """The time of the first account, for a program that is to have the same."""
        return self.accounts.main.clock

    @property
    def control(self) -> Control:
        """What a test may do to the first account at the first vendor, and to what all share."""
        return self._main.control

    @property
    def control_url(self) -> str:
        """Where the control API begins."""
        return self.url + PREFIX

    def adapter(self) -> MockAdapter:
        """For ``session.mount(...)`` of requests: whatever a session asks there, this mock answers.
        One that was never started starts with the first call."""
        from .http.adapter import MockAdapter

        return MockAdapter(self.accounts)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        worlds = self.accounts.main.worlds
        return f"MockServer({', '.join(f'{w.vendor}, {w.edition}' for w in worlds)})"
