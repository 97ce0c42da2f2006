"""Compare the speed of `AsyncFaceVerifier` with threads that call `FaceVerifier`.

    python benchmarks/aio.py [--rounds N] [--calls N] [--small]

Each round makes 500 calls with 64 threads to the mock in another process. *threads* is a
`ThreadPoolExecutor` that calls `FaceVerifier.verify`; *awaits* are as many tasks that await
`AsyncFaceVerifier.verify`, all started at once. Both keep their threads and connections between
rounds and take turns; the result is the median of the ratios per round. The first round, in which
threads and connections are created, is reported separately.

In the event loop of *awaits*, a task repeatedly sleeps 5 ms; *late* is the delay of its wake-up.
The same task runs beside *threads* in an otherwise idle loop: its delay (64 busy threads, other
programs) is not ours, so the target is never below it. Imported modules are frozen for the garbage
collector first, as servers do, because a full collection would block any loop.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import itertools
import statistics
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from _bench import HERE, begin, end, process, verdict
from client_overhead import KEY, Pair, fresh, picture

from facematch_core import AsyncFaceVerifier, FaceVerifier
from facematch_didit import DiditBackend

THREADS, TICK_S = 64, 0.005

#: Our targets.
RATIO = 0.9  # times the calls per second of threads
LATE_MS = 50.0  # the longest block of the loop, unless an idle loop is blocked longer


class Ticker:
    """A task that sleeps 5 ms repeatedly, and the delay of each wake-up in ms."""

    def __init__(self) -> None:
        self.late_ms: list[float] = []
        self._stop = False

    async def run(self) -> None:
        """Tick until `stop`."""
        while not self._stop:
            due_s = time.perf_counter() + TICK_S
            await asyncio.sleep(TICK_S)
            self.late_ms.append((time.perf_counter() - due_s) * 1e3)

    def stop(self) -> None:
        """Stop after the next tick."""
        self._stop = True


async def awaits(verifier: AsyncFaceVerifier, pairs: list[Pair], late_ms: list[float]) -> float:
    """Return the seconds for all pairs, awaited at once."""
    ticker = Ticker()
    ticking = asyncio.create_task(ticker.run())
    await asyncio.sleep(0)
    start = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for pair in pairs:
            tasks.create_task(verifier.verify(*pair))
    elapsed_s = time.perf_counter() - start
    ticker.stop()
    await ticking
    late_ms += ticker.late_ms
    return elapsed_s


def threads(
    pool: ThreadPoolExecutor, verifier: FaceVerifier, pairs: list[Pair], late_ms: list[float]
) -> float:
    """Return the seconds for all pairs with threads, beside an otherwise idle event loop."""
    ticker = Ticker()
    loop = threading.Thread(target=lambda: asyncio.run(ticker.run()))
    loop.start()
    start = time.perf_counter()
    for _ in pool.map(lambda pair: verifier.verify(*pair), pairs):
        pass
    elapsed_s = time.perf_counter() - start
    ticker.stop()
    loop.join()
    late_ms += ticker.late_ms
    return elapsed_s


def print_lateness(name: str, late_ms: list[float]) -> None:
    """Print the delays of the ticks."""
    ordered = sorted(late_ms)
    p99 = ordered[int(0.99 * (len(ordered) - 1))]
    print(
        f"  {name:10}{len(ordered):6} ticks: median {statistics.median(ordered):6.2f} ms late, "
        f"p99 {p99:6.2f} ms, most {ordered[-1]:6.2f} ms"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure awaits beside threads.")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--calls", type=int, default=500)
    parser.add_argument("--small", action="store_true", help="pictures of 20 KB instead of 200")
    options = parser.parse_args()
    begin()
    size = 20_000 if options.small else 200_000
    pictures = [(picture(number, size), picture(number + 1, size)) for number in range(0, 40, 2)]
    print(f"pictures of {size // 1000} KB")
    got: dict[str, list[float]] = {"threads": [], "awaits": []}
    cpu_s: dict[str, list[float]] = {name: [] for name in got}
    late: dict[str, list[float]] = {"first": [], "awaits": [], "threads": []}
    with process([sys.executable, str(HERE / "_mock_peers.py"), "ours, no limit"]) as port:
        backends = [
            DiditBackend(api_key=KEY, base_url=f"http://127.0.0.1:{port}") for _ in range(2)
        ]
        verifier, asynchronous = FaceVerifier(backends[0]), FaceVerifier(backends[1])
        opened = AsyncFaceVerifier(asynchronous, max_concurrency=THREADS)
        with ThreadPoolExecutor(THREADS) as pool, asyncio.Runner() as runner:
            runner.run(opened.__aenter__())
            gc.collect()
            gc.freeze()
            for turn in range(options.rounds + 1):
                for name in sorted(got, reverse=bool(turn % 2)):
                    pairs = fresh(list(itertools.islice(itertools.cycle(pictures), options.calls)))
                    cpu = time.process_time()
                    if name == "awaits":
                        ticks = late["awaits" if turn else "first"]
                        seconds = runner.run(awaits(opened, pairs, ticks))
                    else:
                        seconds = threads(pool, verifier, pairs, late["threads"])
                    if turn:
                        got[name].append(seconds)
                        cpu_s[name].append((time.process_time() - cpu) / options.calls * 1e6)
            runner.run(opened.aclose())
    for name, times in got.items():
        rates = [options.calls / seconds for seconds in times]
        spread = f"{min(rates):.0f} to {max(rates):.0f}"
        print(
            f"  {name:10}{statistics.median(rates):8.0f} calls/s ({spread})"
            f"{statistics.median(cpu_s[name]):8.0f} us CPU a call"
        )
    for name, ticks in late.items():
        print_lateness(name, ticks)
    ratios = [a / b for a, b in zip(got["threads"], got["awaits"], strict=True)]
    verdict(
        f"calls/s over threads ({min(ratios):.2f} to {max(ratios):.2f})",
        statistics.median(ratios),
        least=RATIO,
    )
    longest_ms = max(LATE_MS, *late["threads"])
    verdict("ms that the loop was held up", max(late["awaits"] + late["first"]), most=longest_ms)
    end()


if __name__ == "__main__":
    main()
