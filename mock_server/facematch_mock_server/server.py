"""`MockServer`: one world, its engine and its HTTP front, in one object."""

from __future__ import annotations

import datetime as dt
import functools
import os
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, Literal, Self

from ._keys import LIVE_KEY, SANDBOX_KEY
from .clock import VirtualClock
from .deciding import Deciding
from .engine import Engine
from .fronts.server import HttpFront
from .state import Memory, Store
from .webhooks._courier import Courier
from .world import World

if TYPE_CHECKING:
    from .control import Control
    from .fronts.adapter import MockAdapter

#: Where the control API begins.
CONTROL_PATH = "/__mock__/"


class MockServer:
    """A mock vendor on this machine. A context manager; one server is one world.

    Starting takes about a millisecond, so each test can have its own. Any HTTP client in any
    language can ask it; `adapter` gives the same answers without a socket.

    Args:
        vendor: Whom to imitate: ``didit``.
        edition: Of the vendor's documents: ``2026-03``, ``2026-07`` or ``2026-11``.
        engine: What decides a score: ``cards`` (outcomes that were set, test cards, else the
            bytes), or ``local`` for real scores of the local backend instead of the last.
        host: Loopback unless you decide otherwise: whoever reaches it may use it.
        port: 0 for any free one.
        clock: Time of its world; None for one that stands still until `control.advance`.
        seed: Of ids and chances; the same seed repeats them. None for others each time.
        control: Whether the control API is served beside the vendor.
        control_token: What the control API asks for; needed beyond the loopback.
        switches: Single behaviours apart from the edition; `control.behaviours()` lists them.
        store: A file in which sessions, credit, keys and the like are written down before they are
            answered; None for memory alone. One that is there goes on where it ended, also when
            its mock was killed. One server at a time has it, until `stop`.
        deliver_to: Hosts beyond the loopback that webhooks are sent to, by name. What goes to
            other ones is held back, to be read from `control.webhooks`.

    Attributes:
        live_key, sandbox_key: Keys that work at once.
        world, engine: The parts, for fronts of your own.

    Raises:
        ValueError: an unknown vendor, edition, engine or switch, or a value that does not fit.
        OSError: the store is in use, is no store of a mock, or cannot be read and written.
    """

    live_key = LIVE_KEY
    sandbox_key = SANDBOX_KEY

    def __init__(
        self,
        *,
        vendor: str = "didit",
        edition: str | None = None,
        engine: Literal["cards", "local"] = "cards",
        host: str = "127.0.0.1",
        port: int = 0,
        clock: VirtualClock | None = None,
        seed: int | None = None,
        control: bool = True,
        control_token: str | None = None,
        switches: Mapping[str, Any] | None = None,
        store: str | os.PathLike[str] | None = None,
        deliver_to: Collection[str] = (),
    ) -> None:
        self._deciding = Deciding(engine=engine)
        kept = _opened(store)
        try:
            self.world = World(
                self._deciding,
                vendor=vendor,
                edition=edition,
                switches=switches,
                clock=clock,
                seed=seed,
                control=control,
                control_token=control_token,
                store=kept,
                deliver_to=deliver_to,
            )
        except BaseException:
            kept.close()
            raise
        self.engine = Engine(self.world)
        self._courier = Courier(self.world)
        # The local engine takes some 30 ms a picture: too long for the loop that all servers share.
        self.engine.slow = engine == "local"
        self._front = HttpFront(self.engine, host=host, port=port, now=self._now)

    def _now(self) -> dt.datetime:
        return self.world.clock.now()

    def start(self) -> Self:
        """Listen. Does nothing if it does already.

        Raises:
            OSError: the address cannot be bound, or it has a store and was stopped before.
            ConfigurationError: the local engine is wanted and cannot be loaded.
        """
        self.world.store.check()
        self._deciding.load()
        self._front.start()
        self._courier.start()
        return self

    def stop(self) -> None:
        """Close the port, every connection and the store at once; the world stays as it is."""
        self._front.stop()
        self._courier.stop()
        self._deciding.close()
        self.world.close()

    @property
    def url(self) -> str:
        """``http://127.0.0.1:PORT``; RuntimeError if it is not running."""
        return self._front.url

    @property
    def port(self) -> int:
        """Where it listens; RuntimeError if it is not running."""
        return self._front.port

    @functools.cached_property
    def control(self) -> Control:
        """What a test may do to the world."""
        from .control import Control  # not above: it brings what every area of a vendor can do

        return Control(self.world)

    @property
    def control_url(self) -> str:
        """Where the control API begins."""
        return self.url + CONTROL_PATH

    def adapter(self) -> MockAdapter:
        """The same world for ``session.mount(...)`` of requests, without a socket."""
        from .fronts.adapter import MockAdapter

        return MockAdapter(self.engine, now=self._now)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"MockServer({self.world.vendor}, {self.world.edition})"


def _opened(store: str | os.PathLike[str] | None) -> Store:
    if store is None:
        return Memory()
    from .state._sqlite import SqliteStore  # not above: few servers need SQLite

    return SqliteStore(store)
