"""What `--store` costs: answers a second of the mock server in memory and with it, in one run.

    python benchmarks/mock_store.py [--rounds N] [--seconds S]

Each call sends two pictures of 20 KB and asks for a session, so that each changes credit, ledger
and sessions. Every run has a fresh server, a fresh store and a fresh driver, each a process; the
two take turns. *Filling* is a store that has room; *full* is one that has its 10,000 sessions and
charges, and drops the oldest with each call. Medians over the rounds, and of the ratio within a
round. Only ratios carry over to other machines.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Self

from _mock_client import make_pictures

HERE = Path(__file__).parent
CONNECTIONS = (1, 16)
#: As many as the mock keeps, and some more.
FULL = 10_500
#: What we ask of ourselves: answers a second with the store over those without.
SHARE = 0.5
WAYS = ("memory", "store")

Rates = dict[str, float]


class Server:
    """A server in a process of its own; a context manager. It is killed at the end.

    Attributes:
        port: Where it listens.
        started_s: Seconds until it did.
    """

    def __init__(self, store: Path | None) -> None:
        name = "ours, no limit" if store is None else "ours, store"
        self._command = [sys.executable, str(HERE / "_mock_peers.py"), name, str(store or "")]

    def __enter__(self) -> Self:
        start = time.perf_counter()
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        line = self._process.stdout.readline() if self._process.stdout else ""
        found = re.search(r"(\d+)\s*$", line)
        if not found:
            raise RuntimeError(f"{self._command} did not start; it said {line!r}")
        self.port, self.started_s = int(found[1]), time.perf_counter() - start
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def drive(self, pictures: Path, *more: str) -> dict[str, Rates]:
        """Run the driver against it."""
        command = [sys.executable, str(HERE / "_mock_client.py"), str(pictures), str(self.port)]
        done = subprocess.run(
            [*command, "--saved", *more], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"the driver failed: {done.stderr[-800:]}")
        loads: dict[str, Rates] = json.loads(done.stdout)
        return loads


def measured(folder: Path, way: str, connections: int, seconds: float) -> dict[str, Rates]:
    """One server: while it fills, and when it is full."""
    with tempfile.TemporaryDirectory(dir=folder) as fresh:
        path = Path(fresh) / "mock.db" if way == "store" else None
        timed = ["--connections", str(connections), "--seconds", str(seconds)]
        with Server(path) as server:
            filling = server.drive(folder / "20", *timed)["warm"]
            server.drive(folder / "20", "--connections", "16", "--count", str(FULL))
            full = server.drive(folder / "20", *timed)["warm"]
        loads = {"filling": filling, "full": full}
        if path is not None:
            # It was killed: this is a start on what it left.
            size = sum(file.stat().st_size for file in Path(fresh).iterdir())
            with Server(path) as server:
                loads["restart"] = {"seconds": server.started_s, "megabytes": size / 1e6}
        return loads


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure what the store of the mock costs.")
    parser.add_argument("--rounds", type=int, default=5, help="more of them: less noise")
    parser.add_argument("--seconds", type=float, default=1.5, help="of each measured run")
    given = parser.parse_args()
    # A proxy of the machine has no part in this.
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = "*"
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; server and driver want one each")
    missed, restarts = [], []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "20").mkdir()
        make_pictures(folder / "20", 20)
        for many in CONNECTIONS:
            got: dict[str, list[dict[str, Rates]]] = {way: [] for way in WAYS}
            for turn in range(given.rounds):
                for way in WAYS if turn % 2 else WAYS[::-1]:
                    got[way].append(measured(folder, way, many, given.seconds))
            restarts += [loads["restart"] for loads in got["store"]]
            for state in ("filling", "full"):
                print(f"\n{state}, {many} connection{'s' if many > 1 else ''}; ", end="")
                print(f"{given.rounds} rounds   [load {os.getloadavg()[0]:.1f}]", flush=True)
                for way in WAYS:
                    rate, p50, p99 = (
                        statistics.median(loads[state][value] for loads in got[way])
                        for value in ("rate", "p50_ms", "p99_ms")
                    )
                    print(f"  {way:8}{rate:8.0f} answers/s{p50:8.2f} ms p50{p99:8.2f} ms p99")
                ratios = sorted(
                    kept[state]["rate"] / memory[state]["rate"]
                    for memory, kept in zip(got["memory"], got["store"], strict=True)
                )
                share = statistics.median(ratios)
                met = "met" if share >= SHARE else "MISSED"
                spread = f"{ratios[0]:.2f} to {ratios[-1]:.2f}"
                print(f"  -> store over memory: {share:.2f} ({spread}), wanted {SHARE}: {met}")
                if share < SHARE:
                    missed.append(f"{state}, {many}: {share:.2f}")
    seconds, megabytes = (
        statistics.median(one[value] for one in restarts) for value in ("seconds", "megabytes")
    )
    print(f"\nA start on a full store of {megabytes:.0f} MB, after a kill: {seconds:.2f} s")
    print("All targets met." if not missed else f"Missed: {', '.join(missed)}")


if __name__ == "__main__":
    main()
