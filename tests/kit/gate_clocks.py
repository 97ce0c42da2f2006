"""Time for many threads, without any of them really waiting."""

import datetime as dt
import threading
import time

START = dt.datetime(2026, 7, 2, 12, tzinfo=dt.UTC)


class HurriedClock:
    """Time that whoever sleeps moves on at once, while others are in the middle of a call.

    Args:
        moved: Called with each step, in seconds: to move another clock along.
    """

    def __init__(self, moved=lambda seconds: None):
        self._moved = moved
        self._passed = 0.0
        self._changed = threading.Condition()

    def monotonic(self):
        return self._passed

    def now(self):
        return START + dt.timedelta(seconds=self._passed)

    def sleep(self, seconds):
        with self._changed:
            self._go_on(seconds)
        # Others want their turn.
        time.sleep(0)

    def run(self, *works):
        """Run each function in a thread of its own; what they return."""
        results = [None] * len(works)

        def run(place, work):
            try:
                results[place] = work()
            finally:
                self._ended()

        threads = [threading.Thread(target=run, args=item) for item in enumerate(works)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
            assert not thread.is_alive()
        return results

    def _go_on(self, seconds):
        self._passed += seconds
        self._moved(seconds)

    def _ended(self):
        pass


class SharedClock(HurriedClock):
    """Time that goes on to the next waking when every worker sleeps."""

    def __init__(self, moved=lambda seconds: None):
        super().__init__(moved)
        self._busy = 0
        self._wakings = []

    def sleep(self, seconds):
        with self._changed:
            until = self._passed + seconds
            self._wakings.append(until)
            self._rests()
            assert self._changed.wait_for(lambda: self._passed >= until, timeout=30)

    def run(self, *works):
        self._busy = len(works)
        return super().run(*works)

    def _ended(self):
        with self._changed:
            self._rests()

    def _rests(self):
        self._busy -= 1
        while self._busy == 0 and self._wakings:
            self._go_on(max(0.0, min(self._wakings) - self._passed))
            asleep = [until for until in self._wakings if until > self._passed]
            self._busy += len(self._wakings) - len(asleep)
            self._wakings = asleep
            self._changed.notify_all()
