"""What waits to be delivered, in which order, and what was."""

from __future__ import annotations

import datetime as dt
import heapq
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable

import attrs

from facematch_mock_server.state import Collection, Memory, Store

from ._records import Attempt, Delivery, Destination, Letter, State
from ._tricks import Tricks

#: How many of the newest deliveries are remembered.
KEPT = 10_000
#: How many letters are kept as they were sent. An older one is written anew, if it is wanted.
KEPT_LETTERS = 1000


class _Mine(threading.local):
    def __init__(self) -> None:
        self.announced: list[str] = []


class Outbox:
    """The webhooks of one world: destinations, deliveries, and which of them are due.

    What a request announces is due when `release` says that the request is written down. Safe
    across threads.

    Args:
        store: Where changes are written down; what was pending there is pending again. Letters are
            not written down, because they hold addresses of pictures.

    Attributes:
        destinations, deliveries: By id.
        tricks: What a test does to the next deliveries.
    """

    def __init__(self, store: Store | None = None) -> None:
        store = store or Memory()
        self.destinations = Collection(store, "webhook destinations", Destination)
        self.deliveries = Collection(store, "webhook deliveries", Delivery, limit=KEPT)
        self.tricks = Tricks()
        self._letters: OrderedDict[str, Letter] = OrderedDict()
        self._mine = _Mine()
        self._changed = threading.Condition()
        #: When a delivery is due and its place among equals; of one id the entry in `_entries`
        #: counts.
        self._queue: list[tuple[dt.datetime, int, str]] = []
        self._entries: dict[str, tuple[dt.datetime, int, str]] = {}
        self._place = 0
        self._under_way: set[str] = set()
        self._paused = False
        for delivery in self.deliveries.all():
            if delivery.state is State.PENDING:
                self._enqueue(delivery)

    # What is announced

    def announce(self, delivery: Delivery, letter: Letter) -> None:
        """Keep a delivery; it is not due before this thread calls `release`."""
        self.deliveries.put(delivery.id, delivery)
        self.keep(delivery.id, letter)
        self._mine.announced.append(delivery.id)

    def release(self) -> None:
        """What this thread has announced may be sent now."""
        mine = self._mine.announced
        if not mine:
            return
        self._mine.announced = []
        with self._changed:
            for name in mine:
                delivery = self.deliveries.find(name)
                if delivery is not None and delivery.state is State.PENDING:
                    self._enqueue(delivery)
            self._changed.notify_all()

    def keep(self, delivery_id: str, letter: Letter) -> None:
        """Remember a letter as it was sent."""
        with self._changed:
            self._letters.pop(delivery_id, None)
            self._letters[delivery_id] = letter
            while len(self._letters) > KEPT_LETTERS:
                self._letters.popitem(last=False)

    def letter(self, delivery_id: str) -> Letter | None:
        """The letter of a delivery, or None if it is not kept."""
        with self._changed:
            return self._letters.get(delivery_id)

    # What is due

    def take(self, now: dt.datetime) -> Delivery | None:
        """The delivery that is due first; None if none is. `settle` must follow, or `give_back`."""
        with self._changed:
            while self._first_due() is not None and not self._paused:
                due, _, name = self._queue[0]
                if due > now:
                    break
                heapq.heappop(self._queue)
                del self._entries[name]
                delivery = self.deliveries.find(name)
                if delivery is not None and delivery.state is State.PENDING:
                    self._under_way.add(name)
                    return delivery
            return None

    def give_back(self, delivery_id: str) -> None:
        """It was not tried after all."""
        with self._changed:
            self._under_way.discard(delivery_id)
            delivery = self.deliveries.find(delivery_id)
            if delivery is not None and delivery.state is State.PENDING:
                self._enqueue(delivery)
            self._changed.notify_all()

    def settle(
        self, delivery_id: str, attempt: Attempt | None, change: Callable[[Delivery], Delivery]
    ) -> None:
        """Keep what became of it: `change` gives its state and when it is due again.

        Args:
            delivery_id: Of the delivery.
            attempt: Counted for its destination, too; None if there was none.
            change: What it is now, without the attempt.
        """
        try:
            done = self.deliveries.change(delivery_id, lambda one: _with(change(one), attempt))
            if done is not None and attempt is not None:
                self.destinations.change(done.destination, lambda one: _counted(one, attempt))
        finally:
            with self._changed:
                self._entries.pop(delivery_id, None)
                self._under_way.discard(delivery_id)
                delivery = self.deliveries.find(delivery_id)
                if delivery is not None and delivery.state is State.PENDING:
                    self._enqueue(delivery)
                self._changed.notify_all()

    def next_due(self) -> dt.datetime | None:
        """When the next delivery is due; None if none waits, or all do."""
        with self._changed:
            return None if self._paused else self._first_due()

    def count_due(self, now: dt.datetime) -> int:
        """How many are due or under way; none is due while all wait."""
        with self._changed:
            return self._count_due(now)

    def wait(self, now: Callable[[], dt.datetime], timeout_s: float) -> bool:
        """Until none is due or under way; whether that came about in time."""
        # The clock is not read under the lock: whoever moves it asks here, under its own.
        at = now()
        with self._changed:
            return self._changed.wait_for(lambda: not self._count_due(at), timeout_s)

    # Their order

    def pause(self) -> None:
        """Let all of them wait, whenever they are due."""
        with self._changed:
            self._paused = True
            self._changed.notify_all()

    def resume(self) -> None:
        """Let them go on."""
        with self._changed:
            self._paused = False

    def reorder(self, delivery_ids: Iterable[str]) -> None:
        """Send these before all others that are due, in this order.

        Raises:
            LookupError: one of them does not wait; then nothing is changed.
        """
        with self._changed:
            names = list(dict.fromkeys(delivery_ids))
            for name in names:
                if name not in self._entries:
                    raise LookupError("a delivery of that id does not wait")
            first = min(due for due, _, _ in self._entries.values()) if names else None
            for place, name in enumerate(names, start=-len(names)):
                if first is not None:
                    self._push((first, place, name))

    def _enqueue(self, delivery: Delivery) -> None:
        self._place += 1
        self._push((delivery.due or delivery.created_at, self._place, delivery.id))

    def _push(self, entry: tuple[dt.datetime, int, str]) -> None:
        self._entries[entry[2]] = entry
        heapq.heappush(self._queue, entry)

    def _first_due(self) -> dt.datetime | None:
        # An entry that another one replaced is dropped when it comes up.
        while self._queue and self._entries.get(self._queue[0][2]) is not self._queue[0]:
            heapq.heappop(self._queue)
        return self._queue[0][0] if self._queue else None

    def _count_due(self, now: dt.datetime) -> int:
        due = 0 if self._paused else sum(entry[0] <= now for entry in self._entries.values())
        return due + len(self._under_way)


def _with(delivery: Delivery, attempt: Attempt | None) -> Delivery:
    if attempt is None:
        return delivery
    return attrs.evolve(delivery, attempts=(*delivery.attempts, attempt))


def _counted(destination: Destination, attempt: Attempt) -> Destination:
    return attrs.evolve(destination, tally=destination.tally.with_attempt(attempt))
