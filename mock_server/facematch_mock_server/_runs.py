"""What one run of a world hands on to the next through its store: how many there were, the time."""

from __future__ import annotations

import contextlib
import datetime as dt

import attrs

from .clock import VirtualClock
from .state import Collection, Store, StoreError


@attrs.frozen(kw_only=True)
class _Kept:
    number: int
    now: dt.datetime
    advanced_s: float


class Runs:
    """The runs of a world on one store. Its clock goes on where the last run left it.

    Args:
        store: Where they are written down; where nothing is kept there is nothing to do.
        clock: The world's.

    Attributes:
        number: Which run this is, from 1 on.
    """

    def __init__(self, store: Store, clock: VirtualClock) -> None:
        self._store = store
        self._clock = clock
        self.number = 1
        self._watches = False
        if not store.keeps:
            return
        kept = Collection(store, "runs", _Kept).find("")
        if kept is not None:
            self.number = kept.number + 1
            clock.resume(kept.now, kept.advanced_s)

    def begin(self, *known: dt.datetime) -> None:
        """Write down how far the clock is moved from here on. May be called more than once.

        Args:
            known: Times that were told already; the clock does not go back behind them.
        """
        if self._store.keeps:
            for time in known:
                self._clock.resume(time, 0.0)
            if not self._watches:
                self._clock.watch(self._write)
            self._watches = True

    def save(self) -> None:
        """Write this run down."""
        if self._store.keeps:
            self._write(self._clock.now(), self._clock.advanced_s)

    def end(self) -> None:
        """The last time of it; the clock may go on without us."""
        if self._store.keeps:
            self._clock.unwatch(self._write)
            with contextlib.suppress(StoreError):  # it was told with the answer that failed
                self.save()

    def _write(self, now: dt.datetime, advanced_s: float) -> None:
        kept = _Kept(number=self.number, now=now, advanced_s=advanced_s)
        Collection(self._store, "runs", _Kept).put("", kept)
