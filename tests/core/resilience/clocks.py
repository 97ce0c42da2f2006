"""Time for many threads, without any of them really waiting."""

import threading
from concurrent.futures import ThreadPoolExecutor


class SharedClock:
    """Time that goes on to the next waking when every worker sleeps."""

    def __init__(self):
        self._passed_s = 0.0
        self._changed = threading.Condition()
        self._busy_workers = 0
        self._wakings_s = []

    def monotonic(self):
        return self._passed_s

    def sleep(self, seconds):
        with self._changed:
            until_s = self._passed_s + seconds
            self._wakings_s.append(until_s)
            self._rest()
            assert self._changed.wait_for(lambda: self._passed_s >= until_s, timeout=30)

    def run(self, *works):
        """Run each in a thread of its own, until all have ended."""
        self._busy_workers = len(works)

        def run(work):
            try:
                work()
            finally:
                with self._changed:
                    self._rest()

        with ThreadPoolExecutor(len(works)) as pool:
            for future in [pool.submit(run, work) for work in works]:
                future.result(timeout=30)

    def _rest(self):
        self._busy_workers -= 1
        while self._busy_workers == 0 and self._wakings_s:
            self._passed_s = max(self._passed_s, min(self._wakings_s))
            asleep = [until_s for until_s in self._wakings_s if until_s > self._passed_s]
            self._busy_workers += len(self._wakings_s) - len(asleep)
            self._wakings_s = asleep
            self._changed.notify_all()
