"""What the worlds of one server have in common: time, faults, journal, ids, and the store."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from ._runs import Runs
from .clock import VirtualClock
from .digests import Digests
from .faults import Faults
from .ids import Ids
from .journal import Journal
from .protocols import Decider
from .state import Memory, Store

if TYPE_CHECKING:
    from .world import World


class _Depth(threading.local):
    blocks = 0


class Ground:
    """The ground that the worlds of one server stand on, one world for each vendor.

    Args:
        decider: Decides what the first vendor sees in pictures; the others have one beside it.
        clock: None for one that stands still at the machine's time.
        seed: Of ids and chances; None for another one each time.
        control: Whether the control API is served.
        control_token: If set, the control API asks for it.
        journal_size: How many requests are remembered.
        digests: Whether files are digested (SHA-256).
        store: Where the worlds write down what they remember; None for nowhere.
        deliver_to: Hosts beyond the loopback that webhooks are sent to.

    Attributes:
        worlds: Those that stand on it, the first one first.
        faults, journal, ids: Of all of them; begun anew with each reset.
        settling: Held by whoever begins again.
        address: Scheme and host of the server, while it runs; None without one.
        is_open: Whether the server is bound beyond the loopback.

    Raises:
        ValueError: the token is too short or cannot stand in a header.
        StoreError: the store cannot be used.
    """

    def __init__(
        self,
        decider: Decider,
        *,
        clock: VirtualClock | None,
        seed: int | None,
        control: bool,
        control_token: str | None,
        journal_size: int,
        digests: bool,
        store: Store | None,
        deliver_to: Collection[str],
    ) -> None:
        if control_token is not None and not (control_token.isascii() and len(control_token) > 7):
            raise ValueError("a control token has at least 8 characters of ASCII")
        self.decider = decider
        self.clock = clock or VirtualClock()
        self.control = control
        self.control_token = control_token
        self.digest = Digests().of if digests else None
        self.store = store or Memory()
        self.deliver_to = frozenset(host.lower() for host in deliver_to)
        self.worlds: list[World] = []
        self.settling = threading.Lock()
        self.address: str | None = None
        self.is_open = False
        self._depth = _Depth()
        self._seed = seed
        self._journal_size = journal_size
        self.runs = Runs(self.store, self.clock)
        self._begin()

    def begin_again(self) -> None:
        """Nothing is kept any more; faults, journal and ids are as in the beginning."""
        self.store.clear()
        self.runs.save()
        self._begin()

    def _begin(self) -> None:
        self.ids = Ids(self._seed, run=self.runs.number)
        self.faults = Faults(self._seed or 0)
        self.journal = Journal(self._journal_size)

    @property
    def is_in_block(self) -> bool:
        """Whether this thread is in a block of `together`."""
        return self._depth.blocks > 0

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """As `Store.together`; then what waited for it goes on, or is dropped if the block raises.

        Blocks may be nested: nothing goes on before the outermost one is written down.
        """
        self._depth.blocks += 1
        try:
            with self.store.together():
                yield
        except BaseException:
            if self._depth.blocks == 1:
                self._dropped()
            raise
        finally:
            self._depth.blocks -= 1
        if not self.is_in_block:
            for world in self.worlds:
                world.written()

    def _dropped(self) -> None:
        for world in self.worlds:
            # A vendor that tells nobody has nothing to drop.
            dropped = getattr(world.records, "dropped", None)
            if dropped is not None:
                dropped()

    def close(self) -> None:
        """Give the file of the store back. May be called twice."""
        self.runs.end()
        self.store.close()
