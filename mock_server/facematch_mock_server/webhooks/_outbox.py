"""What waits to be delivered, in which order, and what was."""

from __future__ import annotations

import contextlib
import datetime as dt
import heapq
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable

import attrs

from facematch_mock_server.state import Collection, Memory, Store, StoreError

from ._records import Attempt, Delivery, Destination, Letter, State
from ._tricks import Tricks

#: How many of the newest deliveries are remembered.
KEPT = 10_000
#: How many letters are kept as they were sent. An older one is written anew, if it is wanted.
KEPT_LETTERS = 1000
#: How many of the newest attempts of one delivery are remembered.
KEPT_ATTEMPTS = 100


class _Mine(threading.local):
    def __init__(self) -> None:
        #: What was announced, and what was there in its place before.
        self.announced: list[tuple[Delivery, Delivery | None]] = []


class Outbox:
    """The webhooks of one world: destinations, deliveries, and which of them are due.

    What a request announces is due when `release` says that the request is written down, and gone
    when `drop` says that it never will be. Safe across threads.

    Args:
        store: Where changes are written down; what was pending there is pending again. Letters are
            not written down, because they hold addresses of pictures.

    Attributes:
        destinations, deliveries: By id.
        choosing: Held by whoever looks at all destinations to decide what one of them becomes.
        tricks: What a test does to the next deliveries.
    """

    def __init__(self, store: Store | None = None) -> None:
        store = store or Memory()
        self.destinations = Collection(store, "webhook destinations", Destination)
        self.deliveries = Collection(store, "webhook deliveries", Delivery, limit=KEPT)
        self.choosing = threading.Lock()
        self.tricks = Tricks()
        #: By id and round.
        self._letters: OrderedDict[tuple[str, int], Letter] = OrderedDict()
        self._mine = _Mine()
        self._changed = threading.Condition()
        #: When a delivery is due and its place among equals; of one id the entry in `_entries`
        #: counts.
        self._queue: list[tuple[dt.datetime, int, str]] = []
        self._entries: dict[str, tuple[dt.datetime, int, str]] = {}
        self._place = 0
        self._under_way: set[str] = set()
        #: Announced by requests that are not written down yet.
        self._unwritten: set[str] = set()
        self._paused = False
        for delivery in self.deliveries.all():
            if delivery.state is State.PENDING:
                self._enqueue(delivery)

    # What is announced

    def announce(self, delivery: Delivery, letter: Letter) -> None:
        """Keep a delivery; it is not due before this thread calls `release`."""
        self._mine.announced.append((delivery, self.deliveries.find(delivery.id)))
        with self._changed:
            self._unwritten.add(delivery.id)
        self.deliveries.put(delivery.id, delivery)
        self.keep(delivery, letter)

    def release(self) -> None:
        """What this thread has announced may be sent now."""
        mine = self._mine.announced
        if not mine:
            return
        self._mine.announced = []
        with self._changed:
            self._unwritten.difference_update(one.id for one, _ in mine)
            for one, _ in mine:
                self._look(one.id)
            self._changed.notify_all()

    def drop(self) -> None:
        """What this thread has announced is not to be sent: all is as it was before."""
        mine, self._mine.announced = self._mine.announced, []
        # Where nothing can be written any more, nothing is answered, and nothing is sent.
        with contextlib.suppress(StoreError):
            for one, before in reversed(mine):
                self._put_back(one, before)
        with self._changed:
            self._unwritten.difference_update(one.id for one, _ in mine)
            for one, _ in mine:
                self._letters.pop((one.id, one.round), None)
                self._look(one.id)
            self._changed.notify_all()

    def _put_back(self, announced: Delivery, before: Delivery | None) -> None:
        if before is None:
            self.deliveries.remove(announced.id)
            return
        self.deliveries.change(announced.id, lambda one: before if one is announced else one)

    def keep(self, delivery: Delivery, letter: Letter) -> None:
        """Remember the letter of the present round as it is sent."""
        name = (delivery.id, delivery.round)
        with self._changed:
            self._letters.pop(name, None)
            self._letters[name] = letter
            while len(self._letters) > KEPT_LETTERS:
                self._letters.popitem(last=False)

    def letter(self, delivery: Delivery) -> Letter | None:
        """The letter of the present round of a delivery, or None if it is not kept."""
        with self._changed:
            return self._letters.get((delivery.id, delivery.round))

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
            self._look(delivery_id)
            self._changed.notify_all()

    def is_under_way(self, delivery_id: str) -> bool:
        """Whether an attempt is made of it right now."""
        with self._changed:
            return delivery_id in self._under_way

    def settle(
        self, taken: Delivery, attempt: Attempt | None, change: Callable[[Delivery], Delivery]
    ) -> None:
        """Keep what became of it: `change` gives its state and when it is due again.

        If somebody began it again meanwhile, or settled it, only the attempt is kept.

        Args:
            taken: The delivery as it was when the attempt began.
            attempt: Counted for its destination, too; None if there was none.
            change: What it is now, without the attempt.
        """
        delivery_id = taken.id

        def settled(one: Delivery) -> Delivery:
            return _with(change(one) if one.is_as(taken) else one, attempt)

        try:
            done = self.deliveries.change(delivery_id, settled)
            if done is not None and attempt is not None:
                self.destinations.change(done.destination, lambda one: _counted(one, attempt))
        finally:
            with self._changed:
                self._entries.pop(delivery_id, None)
                self._under_way.discard(delivery_id)
                self._look(delivery_id)
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

    def _look(self, delivery_id: str) -> None:
        """Enqueue a delivery if it waits, and what announced it is written down."""
        delivery = self.deliveries.find(delivery_id)
        waits = delivery is not None and delivery.state is State.PENDING
        if delivery is not None and waits and delivery_id not in self._unwritten:
            self._enqueue(delivery)

    def _enqueue(self, delivery: Delivery) -> None:
        self._place += 1
        self._push((delivery.due or delivery.created_at, self._place, delivery.id))

    def _push(self, entry: tuple[dt.datetime, int, str]) -> None:
        self._entries[entry[2]] = entry
        if len(self._entries) > KEPT:
            # Those that are no longer remembered wait for nothing.
            gone = [name for name in self._entries if self.deliveries.find(name) is None]
            for name in gone:
                del self._entries[name]
        heapq.heappush(self._queue, entry)
        if len(self._queue) > 2 * len(self._entries) + 100:
            # Replaced entries that have not come up.
            self._queue = sorted(self._entries.values())

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
    attempts = (*delivery.attempts, attempt)[-KEPT_ATTEMPTS:]
    return attrs.evolve(delivery, attempts=attempts)


def _counted(destination: Destination, attempt: Attempt) -> Destination:
    return attrs.evolve(destination, tally=destination.tally.with_attempt(attempt))
