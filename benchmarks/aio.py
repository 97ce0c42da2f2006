"""Compare the speed of `AsyncFaceVerifier` with threads that call `FaceVerifier`.

    python benchmarks/aio.py [--rounds N] [--calls N] [--small]

Each round makes 500 calls with 64 threads to the mock in another process. *threads* is a
`ThreadPoolExecutor` that calls `FaceVerifier.verify`; *awaits* are as many tasks that await
`AsyncFaceVerifier.verify`, all started at once. Both keep their threads and connections between
rounds and take turns; the result is the median of the ratios per round. The first round, in which
threads and connections are created, is reported separately.

In the event loop of *awaits*, a task repeatedly sleeps 5 ms, in the first round, too: its latest
wake-up shows how long the loop was held up. Imported modules are frozen for the garbage collector
first, as servers do, because a full collection would block any loop.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import itertools
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from _bench import HERE, begin, end, process, verdict
from _mock_client import make_picture
from client_call import KEY, Pair, fresh

from facematch_core import AsyncFaceVerifier, FaceVerifier
from facematch_didit import DiditBackend

THREADS, TICK_S = 64, 0.005

#: Our targets.
RATIO = 0.9  # times the calls per second of threads
LATE_MS = 200.0  # the longest block of the loop


async def tick(late_ms: list[float]) -> None:
    """Sleep 5 ms until cancelled; append the delay of each wake-up."""
    while True:
        due_s = time.perf_counter() + TICK_S
        await asyncio.sleep(TICK_S)
        late_ms.append((time.perf_counter() - due_s) * 1e3)


async def awaits(verifier: AsyncFaceVerifier, pairs: list[Pair], late_ms: list[float]) -> float:
    """Return the seconds for all pairs, awaited at once."""
    ticking = asyncio.create_task(tick(late_ms))
    await asyncio.sleep(0)
    start = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for pair in pairs:
            tasks.create_task(verifier.verify(*pair))
    elapsed_s = time.perf_counter() - start
    ticking.cancel()
    return elapsed_s


def threads(pool: ThreadPoolExecutor, verifier: FaceVerifier, pairs: list[Pair]) -> float:
    """Return the seconds for all pairs with threads."""
    start = time.perf_counter()
    for _ in pool.map(lambda pair: verifier.verify(*pair), pairs):
        pass
    return time.perf_counter() - start


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure awaits beside threads.")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--calls", type=int, default=500)
    parser.add_argument("--small", action="store_true", help="pictures of 20 KB instead of 200")
    options = parser.parse_args()
    begin()
    kilobytes = 20 if options.small else 200
    pictures = [
        (make_picture(number, kilobytes), make_picture(number + 1, kilobytes))
        for number in range(0, 40, 2)
    ]
    print(f"pictures of {kilobytes} KB")
    got: dict[str, list[float]] = {"threads": [], "awaits": []}
    late_ms: list[float] = []
    with process([sys.executable, str(HERE / "_mock_peers.py"), "ours"]) as port:
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
                    if name == "awaits":
                        seconds = runner.run(awaits(opened, pairs, late_ms))
                    else:
                        seconds = threads(pool, verifier, pairs)
                    if turn:
                        got[name].append(seconds)
            runner.run(opened.aclose())
    for name, times in got.items():
        rates = [options.calls / seconds for seconds in times]
        spread = f"{min(rates):.0f} to {max(rates):.0f}"
        print(f"  {name:10}{statistics.median(rates):8.0f} calls/s ({spread})")
    ratios = [a / b for a, b in zip(got["threads"], got["awaits"], strict=True)]
    verdict(
        f"calls/s over threads ({min(ratios):.2f} to {max(ratios):.2f})",
        statistics.median(ratios),
        least=RATIO,
    )
    verdict("ms that the loop was held up", max(late_ms, default=0.0), most=LATE_MS)
    end()


if __name__ == "__main__":
    main()
