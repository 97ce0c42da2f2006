"""Time for many threads, without any of them really waiting."""

import datetime as dt
import threading
import time

START = dt.datetime(2026, 7, 2, 12, tzinfo=dt.UTC)


class Shared:
    """Time that goes on to the next waking when every worker sleeps.

    Args:
        moved: Told of each step, in seconds: to move another clock along.
    """

    def __init__(self, moved=lambda seconds: None):
        self._moved = moved
        self._passed = 0.0
        self._busy = 0
        self._wakings = []
        self._changed = threading.Condition()

    def monotonic(self):
        return self._passed

    def now(self):
        return START + dt.timedelta(seconds=self._passed)

    def sleep(self, seconds):
        with self._changed:
            until = self._passed + seconds
            self._wakings.append(until)
            self._busy -= 1
            self._go_on()
            assert self._changed.wait_for(lambda: self._passed >= until, timeout=30)

    def _go_on(self):
        while self._busy == 0 and self._wakings:
            step = max(0.0, min(self._wakings) - self._passed)
            self._passed += step
            self._moved(step)
            awake = [until for until in self._wakings if until <= self._passed]
            self._wakings = [until for until in self._wakings if until > self._passed]
            self._busy += len(awake)
            self._changed.notify_all()

    def run(self, *works):
        """Run each function in a thread of its own; what they return."""
        results = [None] * len(works)

        def run(place, work):
            try:
                results[place] = work()
            finally:
                with self._changed:
                    self._busy -= 1
                    self._go_on()

        self._busy = len(works)
        return _run(results, run, works)


class Hurried(Shared):
    """Time that whoever sleeps moves on at once, while others are in the middle of a call."""

    def sleep(self, seconds):
        with self._changed:
            self._passed += seconds
            self._moved(seconds)
        # Others want their turn.
        time.sleep(0)

    def run(self, *works):
        results = [None] * len(works)

        def run(place, work):
            results[place] = work()

        return _run(results, run, works)


def _run(results, run, works):
    threads = [threading.Thread(target=run, args=item) for item in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    return results
