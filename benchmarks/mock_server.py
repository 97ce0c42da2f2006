"""Compare the speed of the mock server with pytest-httpserver, moto's server and WireMock.

    python benchmarks/mock_server.py [--peers PYTHON] [--rounds N]

PYTHON is a Python with the peers (default: this one); missing peers are named and skipped. 200
different pictures are sent in rotation; digests, journal and card look-up are on. *Cold* is the
first time that a server receives each picture, *warm* all later times. Every run has a new server
process and a new driver process; the contenders take turns, so that other load affects all of them.
Prints medians over the rounds; only ratios are valid on other machines.

- *pytest-httpserver* returns static JSON and does not parse forms.
- *wiremock* returns static JSON, too, without a journal. Needs java, and the path of its standalone
  jar (from npm's package `wiremock`) in the variable WIREMOCK. Its JVM warms up for about ten
  seconds, so only runs of that length are fair.
- *moto* returns the same CompareFaces for any two pictures (in base64, as in AWS's API).
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from _bench import HERE, begin, end, heading, process, verdict
from _mock_client import Pair, form, make_pictures, read_pairs

from facematch_mock_server.base.messages import Request
from facematch_mock_server.http.app import App
from facematch_mock_server.vendors import vendor_named
from facematch_mock_server.world.accounts import Accounts

SIZES, CONNECTIONS = (200, 20), (1, 16)
#: The peers: their module, and its name for pip.
PEERS = {
    "pytest-httpserver": ("pytest_httpserver", "pytest-httpserver"),
    "moto": ("moto.server", '"moto[server,rekognition]"'),
}

#: Our targets: the ratio of warm requests per second, by KB of a picture and connections.
FASTER: dict[str, dict[tuple[int, int], float]] = {
    "pytest-httpserver": {(20, 1): 1.3, (20, 16): 2.1, (200, 1): 2.0, (200, 16): 2.8},
    "moto": dict.fromkeys(itertools.product(SIZES, CONNECTIONS), 10.0),
    "wiremock": dict.fromkeys(itertools.product(SIZES, CONNECTIONS), 1.0),
}
#: Our targets for cold requests over one connection, by peer and KB of a picture.
FASTER_COLD = {("pytest-httpserver", 200): 0.55, ("pytest-httpserver", 20): 0.42}


class Bench:
    """Runs the servers and the driver, each in a separate process.

    Args:
        folder: Contains a folder of pictures for each size.
        peers: The Python of the peers.
        rounds: Number of measurements.
        seconds: Length of a warm run.
    """

    def __init__(self, folder: Path, peers: str, rounds: int, seconds: float) -> None:
        self.folder = folder
        self.peers = peers
        self.rounds = rounds
        self.seconds = seconds
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
        """Return the command that starts a server."""
        python = self.peers if name in PEERS else sys.executable
        return [python, str(HERE / "_mock_peers.py"), name, self.answer]

    def client(self, name: str, port: int, size: int, *options: str) -> dict[str, float]:
        """Run the driver; return the requests per second, cold and warm."""
        command = [sys.executable, str(HERE / "_mock_client.py"), str(self.folder / str(size))]
        command += [str(port), *options, *(["--aws"] if name == "moto" else [])]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"the driver failed against {name}: {done.stderr[-800:]}")
        rates: dict[str, float] = json.loads(done.stdout)
        return rates

    def throughput(self) -> None:
        """Measure requests per second, cold and warm, by size and connections."""
        names = ["ours", *self.present]
        cases = list(itertools.product(SIZES, CONNECTIONS))
        got: dict[tuple[str, int, int], list[dict[str, float]]] = {}
        for turn, (case_number, (size, many)) in itertools.product(
            range(self.rounds), enumerate(cases)
        ):
            first_server = (turn + case_number) % len(names)
            for name in names[first_server:] + names[:first_server]:
                with process(self.command(name)) as port:
                    options = ["--connections", str(many), "--seconds", str(self.seconds)]
                    load = self.client(name, port, size, *options)
                got.setdefault((name, size, many), []).append(load)
        for size, many in cases:
            heading(
                f"2 x {size} KB, {many} connection{'s' if many > 1 else ''}; {self.rounds} rounds"
            )
            print(f"  {'':20}{'cold req/s':>11}{'warm req/s':>11}")
            for name in names:
                loads = got[name, size, many]
                cold = statistics.median(load["cold"] for load in loads)
                warm = statistics.median(load["warm"] for load in loads)
                print(f"  {name:20}{cold:11.0f}{warm:11.0f}")
            for name in self.present:
                self.ratio(name, got["ours", size, many], got[name, size, many], size, many)

    @staticmethod
    def ratio(
        name: str,
        ours: list[dict[str, float]],
        theirs: list[dict[str, float]],
        size: int,
        connections: int,
    ) -> None:
        """Print the ratios of ours to theirs, cold and warm: the medians over the rounds."""
        title = f"2 x {size} KB, {connections} conn"
        for state in ("cold", "warm"):
            ratios = sorted(
                own_load[state] / peer_load[state]
                for own_load, peer_load in zip(ours, theirs, strict=True)
            )
            value = statistics.median(ratios)
            spread = f"{ratios[0]:.2f} to {ratios[-1]:.2f}"
            target: float | None = FASTER[name][size, connections]
            if state == "cold":
                target = FASTER_COLD.get((name, size)) if connections == 1 else None
            if target is None:
                print(f"     {state} {title}, over {name}: {value:.2f} ({spread}); no target")
            else:
                verdict(f"{state} {title}, over {name} ({spread})", value, least=target)


def answer_to(pair: Pair) -> str:
    """Return the mock's JSON response, which the static servers send, too."""
    content_type, body = form(pair)
    headers = {"host": "127.0.0.1", "x-api-key": "mock-live-key", "content-type": content_type}
    headers["content-length"] = str(len(body))
    request = Request(
        method="POST", target="/v3/face-match/", headers=tuple(headers.items()), body=body
    )
    response = App(Accounts([vendor_named("didit")], None)).handle(request)
    if response.status != 200:
        raise RuntimeError(f"the mock refuses the request of the benchmark: {response.body!r}")
    return response.body.decode()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure the mock server beside others.")
    parser.add_argument("--peers", default=sys.executable, help="a Python that has the peers")
    parser.add_argument("--rounds", type=int, default=5, help="more of them: less noise")
    parser.add_argument("--seconds", type=float, default=1.5, help="of each warm run")
    options = parser.parse_args()
    begin()
    with tempfile.TemporaryDirectory() as temporary:
        # Installed code is compiled once, a checkout is not: so both compile into a folder here.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.environ["PYTHONPYCACHEPREFIX"] = str(Path(temporary) / "compiled")
        for size in SIZES:
            (Path(temporary) / str(size)).mkdir()
            make_pictures(Path(temporary) / str(size), size)
        Bench(Path(temporary), options.peers, options.rounds, options.seconds).throughput()
    end()


if __name__ == "__main__":
    main()
