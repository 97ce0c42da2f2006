"""How fast the mock server is, beside pytest-httpserver, moto's server and WireMock, in one run.

    python benchmarks/mock_server.py [--peers PYTHON] [--rounds N] [--long]

PYTHON is one that has the peers (default: this one); what it lacks is named and left out. 200
different pictures go round; digests, journal and card look-up are on. *Cold* is the first time
that a server sees each picture, *warm* every time after. Every run has a fresh server and a fresh
driver, each a process; the contenders take turns, so that whatever else this machine does strikes
all of them. Medians over the rounds; only ratios carry over to other machines.

- *floor* reads and throws away what comes: what the driver itself can reach.
- *pytest-httpserver* gives a static JSON answer and reads no form.
- *wiremock* gives a static JSON answer, too, and keeps no journal. It needs java, and the variable
  WIREMOCK with the path of its standalone jar: npm's package `wiremock` has it. Its Java gets
  faster for some ten seconds: only runs of so long are fair.
- *moto* gives the same CompareFaces for any two pictures (in base64, as AWS has them).
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from _mock_client import compare_faces, drive, face_match, make_pictures, read_pairs

HERE = Path(__file__).parent
FACEMATCH = Path(sys.executable).with_name("facematch")
SIZES, CONNECTIONS = (200, 20), (1, 16)
#: The peers: the module they need, and what pip calls it.
PEERS = {
    "pytest-httpserver": ("pytest_httpserver", "pytest-httpserver"),
    "moto": ("moto.server", '"moto[server,rekognition]"'),
}

#: What we ask of ourselves.
#: Times as many requests a second, by KB of a picture and connections.
FASTER: dict[str, dict[tuple[int, int], float]] = {
    "pytest-httpserver": {(20, 1): 1.2, (20, 16): 1.8, (200, 1): 1.6, (200, 16): 2.2},
    "moto": dict.fromkeys(itertools.product(SIZES, CONNECTIONS), 10.0),
    "wiremock": dict.fromkeys(itertools.product(SIZES, CONNECTIONS), 1.0),
}
START_UP = 1.6  # times pytest-httpserver's
IN_A_TEST_MS = 2.0  # for a start, and for a stop
ADAPTER = 1.3  # times the way without it
APP_US = 120.0  # two pictures of 200 KB, without digest and decoding
FLAT = 1.02  # times as much memory at the end

missed: list[str] = []


def verdict(what: str, value: float, *, least: float | None = None, most: float = 0) -> None:
    """Print whether a target was met, and remember it if not."""
    met, limit = (value <= most, f"at most {most:g}")
    if least is not None:
        met, limit = (value >= least, f"at least {least:g}")
    print(f"  -> {what}: {value:.3g}, wanted {limit}: {'met' if met else 'MISSED'}")
    if not met:
        missed.append(f"{what}: {value:.3g}, wanted {limit}")


def heading(text: str) -> None:
    """Print a heading with the load of the machine."""
    print(f"\n{text}   [load {os.getloadavg()[0]:.1f}]", flush=True)


@contextlib.contextmanager
def process(command: Sequence[str]) -> Iterator[tuple[int, int]]:
    """A server: its port, read off its first line, and its process id. Ended at the end."""
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL
    ) as server:
        try:
            line = server.stdout.readline() if server.stdout else ""
            match = re.search(r"(\d+)\s*$", line)
            if not match:
                raise RuntimeError(f"{command} did not start; it said {line!r}")
            yield int(match[1]), server.pid
        finally:
            server.kill()


class Bench:
    """The measurements that need other processes.

    Args:
        folder: Has a folder of pictures for each size.
        peers: Python of the peers.
        rounds: How often all is measured.
        seconds: Length of a warm run.
    """

    def __init__(self, folder: Path, peers: str, rounds: int, seconds: float) -> None:
        self.folder = folder
        self.peers = peers
        self.rounds = rounds
        self.seconds = seconds
        # Not above: the driver and the peers need nothing of ours.
        from _mock_inside import answer_to

        self.answer = answer_to(read_pairs(folder / "20")[0])
        self.present = []
        for name, (module, requirement) in PEERS.items():
            if subprocess.run(
                [peers, "-c", f"import {module}"], check=False, capture_output=True
            ).returncode:
                print(
                    f"{name} is missing in {peers}: pip install {requirement}, or name "
                    "another --peers"
                )
            else:
                self.present.append(name)
        if shutil.which("java") and Path(os.environ.get("WIREMOCK", "")).is_file():
            self.present.append("wiremock")
        else:
            print("wiremock is missing: it needs java, and WIREMOCK with the path of its jar")

    def command(self, name: str) -> list[str]:
        """How a server is started."""
        python = self.peers if name in PEERS else sys.executable
        return [python, str(HERE / "_mock_peers.py"), name, self.answer]

    def client(self, name: str, port: int, size: int, *more: str) -> dict[str, dict[str, float]]:
        """Run the driver."""
        command = [sys.executable, str(HERE / "_mock_client.py"), str(self.folder / str(size))]
        command += [str(port), *more, *(["--aws"] if name == "moto" else [])]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"the driver failed against {name}: {done.stderr[-800:]}")
        loads: dict[str, dict[str, float]] = json.loads(done.stdout)
        return loads

    def throughput(self) -> None:
        """Requests a second, cold and warm, by size and connections."""
        names = ["ours", *self.present, "floor"]
        kinds = list(itertools.product(SIZES, CONNECTIONS))
        got: dict[tuple[str, int, int], list[dict[str, dict[str, float]]]] = {}
        for turn, (at, (size, many)) in itertools.product(range(self.rounds), enumerate(kinds)):
            first = (turn + at) % len(names)
            for name in names[first:] + names[:first]:
                with process(self.command(name)) as (port, _):
                    options = ["--connections", str(many), "--seconds", str(self.seconds)]
                    load = self.client(name, port, size, *options)
                got.setdefault((name, size, many), []).append(load)
        for size, many in kinds:
            heading(
                f"2 x {size} KB, {many} connection{'s' if many > 1 else ''}; {self.rounds} rounds"
            )
            print(f"  {'':20}{'cold req/s':>11}{'warm req/s':>11}{'p50 ms':>9}{'p99 ms':>9}")
            for name in names:
                loads = got[name, size, many]
                row = [
                    statistics.median(load[state][value] for load in loads)
                    for state, value in (
                        ("cold", "rate"),
                        ("warm", "rate"),
                        ("warm", "p50_ms"),
                        ("warm", "p99_ms"),
                    )
                ]
                print(f"  {name:20}{row[0]:11.0f}{row[1]:11.0f}{row[2]:9.2f}{row[3]:9.2f}")
            for name in self.present:
                self.ratio(name, got["ours", size, many], got[name, size, many], size, many)

    @staticmethod
    def ratio(
        name: str,
        ours: list[dict[str, dict[str, float]]],
        theirs: list[dict[str, dict[str, float]]],
        size: int,
        connections: int,
    ) -> None:
        """Ours over theirs: the median of the ratios within a round."""
        what = f"2 x {size} KB, {connections} conn"
        for state in ("cold", "warm"):
            ratios = sorted(
                own_load[state]["rate"] / peer_load[state]["rate"]
                for own_load, peer_load in zip(ours, theirs, strict=True)
            )
            value, spread = statistics.median(ratios), f"{ratios[0]:.2f} to {ratios[-1]:.2f}"
            if state == "warm":
                verdict(
                    f"{what}, over {name} ({spread})", value, least=FASTER[name][size, connections]
                )
            else:
                print(f"     cold, over {name}: {value:.2f} ({spread}); no target")

    def start_up(self) -> None:
        """From the start of a process to its first answer."""
        pair = read_pairs(self.folder / "20")[0]
        commands = {"facematch mock": [str(FACEMATCH), "mock"]}
        commands |= {name: self.command(name) for name in self.present}
        taken: dict[str, list[float]] = {name: [] for name in commands}
        rounds = 3 * self.rounds
        for turn in range(rounds + 1):
            for name, command in commands.items():
                start = time.perf_counter()
                with process(command) as (port, _):
                    request = (compare_faces if name == "moto" else face_match)(pair, port)
                    drive(port, iter([request]), 1, lambda _: False)
                    if turn:  # once for the compiled files and the page cache
                        taken[name].append(time.perf_counter() - start)
        heading(f"Process start to first answer, 2 x 20 KB; {rounds} rounds")
        whole = {name: statistics.median(times) for name, times in taken.items()}
        for name, seconds in whole.items():
            print(f"  {name:20}{seconds * 1e3:8.0f} ms")
        if "pytest-httpserver" in whole:
            ratio = whole["facematch mock"] / whole["pytest-httpserver"]
            verdict("start-up over pytest-httpserver's", ratio, most=START_UP)

    def memory(self, count: int) -> None:
        """Resident memory before and after so many requests, once the journal is full."""
        with process(self.command("ours, no limit")) as (port, pid):
            idle = resident_mb(pid)
            many = ["--connections", "4"]
            # Journal, sessions and ledger remember 10,000 each.
            self.client("ours", port, 20, "--count", "11000", *many)
            before = resident_mb(pid)
            self.client("ours", port, 20, "--count", str(count), *many)
            after = resident_mb(pid)
        heading(f"Memory of the server over {count} requests of 2 x 20 KB")
        print(f"  idle {idle:.1f} MB, journal full {before:.1f} MB, at the end {after:.1f} MB")
        verdict("memory at the end over that at the beginning", after / before, most=FLAT)


def resident_mb(pid: int) -> float:
    """Resident memory of a process."""
    status = Path(f"/proc/{pid}/status")
    if status.exists():
        return int(re.findall(r"VmRSS:\s+(\d+)", status.read_text())[0]) / 1024
    output = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, check=True)
    return int(output.stdout) / 1024


def inside(bench: Bench) -> None:
    """What does not need a process of its own."""
    import _mock_inside as measure

    heading("Within a test")
    seconds = measure.starts(20 * bench.rounds)
    for name, value in seconds.items():
        print(f"  {name:20}{value * 1e3:8.2f} ms")
    for name in ("start", "stop"):
        verdict(f"{name}, ms", seconds[name] * 1e3, most=IN_A_TEST_MS)
    for size in SIZES:
        pairs = read_pairs(bench.folder / str(size))
        with process(bench.command("ours")) as (port, _):
            seconds = measure.ways(pairs, bench.rounds, port)
        heading(f"One call by requests.Session, 2 x {size} KB, warm")
        for name, value in seconds.items():
            print(f"  {name:34}{value * 1e6:8.0f} us")
        for way in ("adapter", "responses"):
            ratio = seconds[way] / seconds["socket, server in this process"]
            verdict(f"2 x {size} KB: by {way} over the address itself", ratio, most=ADAPTER)
    for size in SIZES:
        seconds = measure.app(read_pairs(bench.folder / str(size)), 4 * bench.rounds)
        heading(f"The app, 2 x {size} KB")
        for name, value in seconds.items():
            print(f"  {name:38}{value * 1e6:8.0f} us")
        if size == 200:
            bare = seconds["app without digest and decoding"] * 1e6
            verdict("app without digest and decoding, us", bare, most=APP_US)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure the mock server beside others.")
    parser.add_argument("--peers", default=sys.executable, help="a Python that has the peers")
    parser.add_argument("--rounds", type=int, default=5, help="more of them: less noise")
    parser.add_argument("--seconds", type=float, default=1.5, help="of each warm run")
    parser.add_argument("--long", action="store_true", help="memory over 100,000 requests")
    parser.add_argument(
        "--only", choices=["start", "inside", "memory", "throughput"], action="append"
    )
    options = parser.parse_args()
    # A proxy of the machine has no part in this.
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = "*"
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; server and driver want one each")
    with tempfile.TemporaryDirectory() as temporary:
        # What is installed is compiled once; a checkout is not, so both compile into a folder here.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = str(Path(temporary) / "compiled")
        for size in SIZES:
            (Path(temporary) / str(size)).mkdir()
            make_pictures(Path(temporary) / str(size), size)
        bench = Bench(Path(temporary), options.peers, options.rounds, options.seconds)
        parts = {
            "start": bench.start_up,
            "inside": lambda: inside(bench),
            "memory": lambda: bench.memory(100_000 if options.long else 5_000),
            "throughput": bench.throughput,
        }
        for name, part in parts.items():
            if not options.only or name in options.only:
                part()
    print("\n" + ("All targets met." if not missed else "Missed:\n  " + "\n  ".join(missed)))


if __name__ == "__main__":
    main()
