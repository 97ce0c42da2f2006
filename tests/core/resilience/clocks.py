"""Time for many threads, without any of them really waiting."""

import datetime as dt
import threading

START = dt.datetime(2026, 7, 2, 12, tzinfo=dt.UTC)


class SharedClock:
    """Time that goes on to the next waking when every worker sleeps; `moved` gets each step."""

    def __init__(self, moved=lambda seconds: None):
        self._moved = moved
        self._passed = 0.0
        self._changed = threading.Condition()
        self._busy = 0
        self._wakings = []

    def monotonic(self):
        return self._passed

    def now(self):
        return START + dt.timedelta(seconds=self._passed)

    def sleep(self, seconds):
        with self._changed:
            until = self._passed + seconds
            self._wakings.append(until)
            self._rest()
            assert self._changed.wait_for(lambda: self._passed >= until, timeout=30)

    def run(self, *works):
        self._busy, results = len(works), [None] * len(works)

        def run(place, work):
            try:
                results[place] = work()
            finally:
                with self._changed:
                    self._rest()

        threads = [threading.Thread(target=run, args=item) for item in enumerate(works)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
            assert not thread.is_alive()
        return results

    def _rest(self):
        self._busy -= 1
        while self._busy == 0 and self._wakings:
            step_s = max(0.0, min(self._wakings) - self._passed)
            self._passed += step_s
            self._moved(step_s)
            asleep = [until for until in self._wakings if until > self._passed]
            self._busy += len(self._wakings) - len(asleep)
            self._wakings = asleep
            self._changed.notify_all()
