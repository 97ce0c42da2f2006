"""The queue of one world: what a request emitted, until it is delivered or given up."""

from __future__ import annotations

import datetime as dt
import threading
from bisect import bisect_left, bisect_right, insort
from collections import OrderedDict, deque
from collections.abc import Callable

import attrs

from facematch_mock_server.state import Collection as Records

from .model import Attempt, Delivery, DeliveryFault, Destination, SignedPayload, State

#: How many of the newest deliveries are remembered.
KEPT = 10_000
#: How many payloads are kept as they were sent. An older one is written anew, if it is wanted.
KEPT_PAYLOADS = 1000
#: How many of the newest attempts of one delivery are remembered.
KEPT_ATTEMPTS = 100


class _Mine(threading.local):
    def __init__(self) -> None:
        #: What was queued, and what was there in its place before.
        self.queued: list[tuple[Delivery, Delivery | None]] = []


class Outbox:
    """The webhooks of one world: destinations, deliveries, and which of them are due.

    What a request queues is due when `release` says that the request is over, and gone when `drop`
    says that it failed. Safe across threads.

    Attributes:
        destinations, deliveries: By id.
    """

    def __init__(self) -> None:
        self.destinations: Records[Destination] = Records()
        self.deliveries: Records[Delivery] = Records(limit=KEPT)
        self._faults: deque[DeliveryFault] = deque()
        #: By id and round.
        self._payloads: OrderedDict[tuple[str, int], SignedPayload] = OrderedDict()
        self._mine = _Mine()
        self._changed = threading.Condition()
        self._queue = _Queue()
        self._under_way: set[str] = set()
        #: Queued by requests that are not over yet.
        self._unreleased: set[str] = set()

    def enqueue(self, delivery: Delivery, payload: SignedPayload) -> None:
        """Keep a delivery; it is not due before this thread calls `release`."""
        self._mine.queued.append((delivery, self.deliveries.find(delivery.id)))
        with self._changed:
            self._unreleased.add(delivery.id)
        self.deliveries.put(delivery.id, delivery)
        self.keep(delivery, payload)

    def release(self) -> None:
        """What this thread has queued may be sent now."""
        mine = self._mine.queued
        if not mine:
            return
        self._mine.queued = []
        with self._changed:
            self._unreleased.difference_update(one.id for one, _ in mine)
            for one, _ in mine:
                self._look(one.id)
            self._changed.notify_all()

    def drop(self) -> None:
        """What this thread has queued is not to be sent: all is as it was before."""
        mine, self._mine.queued = self._mine.queued, []
        for one, before in reversed(mine):
            if before is None:
                self.deliveries.remove(one.id)
            else:
                self._put_back(one, before)
        with self._changed:
            self._unreleased.difference_update(one.id for one, _ in mine)
            for one, _ in mine:
                self._payloads.pop((one.id, one.round), None)
                self._look(one.id)
            self._changed.notify_all()

    def _put_back(self, queued: Delivery, before: Delivery) -> None:
        self.deliveries.change(queued.id, lambda one: before if one is queued else one)

    def keep(self, delivery: Delivery, payload: SignedPayload) -> None:
        """Remember the payload of the present round as it is sent."""
        name = (delivery.id, delivery.round)
        with self._changed:
            self._payloads.pop(name, None)
            self._payloads[name] = payload
            while len(self._payloads) > KEPT_PAYLOADS:
                self._payloads.popitem(last=False)

    def payload(self, delivery: Delivery) -> SignedPayload | None:
        """The payload of the present round of a delivery, or None if it is not kept."""
        with self._changed:
            return self._payloads.get((delivery.id, delivery.round))

    def add_fault(self, fault: DeliveryFault, times: int) -> None:
        """Do this to so many attempts, after what waits already; 1-10,000 of them."""
        if type(times) is not int or not 1 <= times <= 10_000:
            raise ValueError("times must be a whole number from 1 to 10000")
        with self._changed:
            self._faults.extend([fault] * times)

    def next_fault(self) -> DeliveryFault | None:
        """The fault for the attempt that is made now; None for none."""
        with self._changed:
            return self._faults.popleft() if self._faults else None

    def give_fault_back(self, fault: DeliveryFault | None) -> None:
        """There was no attempt after all: the next one meets it."""
        if fault is not None:
            with self._changed:
                self._faults.appendleft(fault)

    # What is due

    def take(self, now: dt.datetime) -> Delivery | None:
        """The delivery that is due first; None if none is. `record` must follow, or `give_back`."""
        with self._changed:
            while self._queue.count(now):
                name = self._queue.pop()
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

    def record(
        self, taken: Delivery, attempt: Attempt | None, change: Callable[[Delivery], Delivery]
    ) -> None:
        """Keep what became of it: `change` gives its state and when it is due again.

        If somebody began it again meanwhile, or ended it, only the attempt is kept.

        Args:
            taken: The delivery as it was when the attempt began.
            attempt: None if there was none.
            change: What it is now, without the attempt.
        """

        def recorded(one: Delivery) -> Delivery:
            one = change(one) if one.is_as(taken) else one
            if attempt is None:
                return one
            return attrs.evolve(one, attempts=(*one.attempts, attempt)[-KEPT_ATTEMPTS:])

        try:
            self.deliveries.change(taken.id, recorded)
        finally:
            with self._changed:
                self._queue.remove(taken.id)
                self._under_way.discard(taken.id)
                self._look(taken.id)
                self._changed.notify_all()

    def next_due(self) -> dt.datetime | None:
        """When the next delivery is due; None if none waits."""
        with self._changed:
            return self._queue.first_due()

    def count_due(self, now: dt.datetime) -> int:
        """How many are due or under way."""
        with self._changed:
            return self._count_due(now)

    def wait(self, now: Callable[[], dt.datetime], timeout_s: float) -> bool:
        """Until none is due or under way; whether that came about in time."""
        # The clock is not read under the lock: whoever moves it asks here, under its own.
        at = now()
        with self._changed:
            return self._changed.wait_for(lambda: not self._count_due(at), timeout_s)

    def _look(self, delivery_id: str) -> None:
        """Enqueue a delivery if it waits, and what queued it is over."""
        delivery = self.deliveries.find(delivery_id)
        waits = delivery is not None and delivery.state is State.PENDING
        if delivery is not None and waits and delivery_id not in self._unreleased:
            self._enqueue(delivery)

    def _enqueue(self, delivery: Delivery) -> None:
        self._queue.add(delivery.id, delivery.due or delivery.created_at)
        if len(self._queue) > KEPT:
            # Those that are no longer remembered wait for nothing.
            self._queue.keep(lambda name: self.deliveries.find(name) is not None)

    def _count_due(self, now: dt.datetime) -> int:
        return len(self._under_way) + self._queue.count(now)


class _Queue:
    """Names in the order in which they are due; of those due at one time, the first that came."""

    def __init__(self) -> None:
        #: Sorted: when, the place among equals, and who.
        self._entries: list[tuple[dt.datetime, int, str]] = []
        self._of: dict[str, tuple[dt.datetime, int, str]] = {}
        self._place = 0

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, name: str, due: dt.datetime) -> None:
        """Take a name in, or move it, behind those that are due with it."""
        self.remove(name)
        self._place += 1
        self._of[name] = (due, self._place, name)
        insort(self._entries, self._of[name])

    def remove(self, name: str) -> None:
        """Take a name out, if it waits."""
        entry = self._of.pop(name, None)
        if entry is not None:
            del self._entries[bisect_left(self._entries, entry)]

    def pop(self) -> str:
        """Take out the one that is due first."""
        name = self._entries[0][2]
        self.remove(name)
        return name

    def keep(self, is_kept: Callable[[str], bool]) -> None:
        """Take out all others."""
        for name in [name for name in self._of if not is_kept(name)]:
            self.remove(name)

    def first_due(self) -> dt.datetime | None:
        """When the first one is due; None if none waits."""
        return self._entries[0][0] if self._entries else None

    def count(self, now: dt.datetime) -> int:
        """How many are due."""
        return bisect_right(self._entries, now, key=lambda entry: entry[0])
