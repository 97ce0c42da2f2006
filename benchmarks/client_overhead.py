"""What `FaceVerifier.verify` costs beside bare requests that sends the same form, in one run.

    python benchmarks/client_overhead.py [--rounds N] [--calls N] [--only cpu|threads|memory]

Two pictures a call, of 20 or of 200 KB. The server is another process, so that its work is not
counted: it reads, throws away, and answers with bytes that the mock server gave once. The ways take
turns, so that whatever else this machine does strikes them all; ratios are medians of those within
a round.

- *bare* is `requests.Session.post` of that form with the same time-outs, and `json()` of the
  answer.
- *image* is `verify` of two `Image`s that were used before, as of a reference that is kept.
- *bytes* is `verify` of the bytes of two files: they are read, and looked through for what a
  picture may not carry to a vendor.
- *policies* is *bytes* with a budget, a circuit breaker, a rate limiter and a deadline.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import http.client
import io
import itertools
import os
import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import requests
from _client_memory import BIG, big_lines, peak_of
from _mock_client import form

from facematch_core import FaceVerifier, Image
from facematch_core.backend import MatchCall
from facematch_core.resilience import Budget, CircuitBreaker, RateLimiter, RateWindow
from facematch_didit import DiditBackend
from mock_server import (  # noqa: TID251 - the benchmark beside this one, not the folder
    HERE,
    heading,
    missed,
    process,
    verdict,
)

KEY = "mock-live-key"
THREADS, PAIRS = 16, 20
SLICE = 10  # calls of one way before it is the next one's turn

#: What we ask of ourselves, by the size of a picture. CPU: times that of bare requests. RATE: times
#: the calls a second of bare requests with as many threads.
CPU = {
    20_000: {"image": 1.08, "bytes": 1.2, "policies": 1.28},
    200_000: {"image": 1.08, "bytes": 1.35, "policies": 1.43},
}
RATE = {20_000: 0.88, 200_000: 0.8}
COPIED = 1.1  # times the bytes: a buffer that grows step by step tells a little less than it takes

Pair = tuple[Image, Image]
Files = list[tuple[bytes, bytes]]
Way = Callable[[Any], Any]
Took = tuple[float, float]


def picture(seed: int, *, exif: bool, size: int = 200_000) -> bytes:
    """A JPEG of about `size` bytes: smooth noise."""
    import PIL.Image

    def encoded(height: int) -> bytes:
        noise = random.Random(seed).randbytes(3 * 256 * height)
        small = PIL.Image.frombytes("RGB", (256, height), noise)
        large = small.resize((1024, 4 * height), PIL.Image.Resampling.BICUBIC)
        about = PIL.Image.Exif()
        # Make, and orientation: turned by a quarter.
        about[0x010F], about[0x0112] = "camera " * 1000, 6
        file = io.BytesIO()
        large.save(file, "JPEG", quality=90, **({"exif": about} if exif else {}))
        return file.getvalue()

    return encoded(192 * size // len(encoded(192)))


class Recorder(requests.adapters.BaseAdapter):
    """Keeps the body that it is given, and answers as the mock did."""

    def __init__(self, answer: bytes) -> None:
        super().__init__()
        self.answer, self.sent = answer, b""

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:  # type: ignore[override]  # takes what it is given
        boundary = str(request.headers["Content-Type"]).partition("boundary=")[2]
        self.sent = bytes(request.body or b"").replace(boundary.encode(), b"BOUNDARY")
        response = requests.Response()
        response.status_code, response.request, response.url = 200, request, str(request.url)
        response.raw = io.BytesIO(self.answer)
        response.raw.stream = lambda *_, **__: iter([self.answer])  # type: ignore[attr-defined]  # as urllib3 has it
        return response


@attrs.frozen
class Client:
    """Both ways to ask the server at `port`."""

    port: int

    def backend(self) -> DiditBackend:
        """The backend as `facematch mock` tells to open it."""
        return DiditBackend(api_key=KEY, base_url=f"http://127.0.0.1:{self.port}")

    def bare(self, session: requests.Session | None = None) -> Way:
        """By requests alone; fields and names are those that the backend builds."""
        session = session or requests.Session()
        backend = self.backend()

        def built(pair: Pair) -> dict[str, Any]:
            request = backend.build(MatchCall(probe=pair[0], reference=pair[1]))
            return {
                "data": dict(request.fields),
                "files": [(f.name, (f.filename, f.data, f.content_type)) for f in request.files],
            }

        forms: dict[int, dict[str, Any]] = {}
        timeouts_s = backend.connect_timeout_s, backend.read_timeout_s
        url, headers = f"http://127.0.0.1:{self.port}/v3/face-match/", {"x-api-key": KEY}

        def ask(pair: Pair) -> Any:
            sent = forms.get(id(pair)) or forms.setdefault(id(pair), built(pair))
            return session.post(url, headers=headers, timeout=timeouts_s, **sent).json()

        return ask

    def ours(self, verifier: FaceVerifier | None = None) -> Way:
        """By `FaceVerifier.verify`."""
        verifier = verifier or FaceVerifier(self.backend())
        return lambda pair: verifier.verify(*pair)

    def guarded(self) -> Way:
        """The same with policies that let every call pass."""
        windows = [RateWindow(10**9, 1)]
        policies = [Budget(10**9, name="benchmark"), CircuitBreaker(), RateLimiter(windows)]
        return self.ours(FaceVerifier(self.backend(), policies=policies, deadline_s=60))


def check_same_form(pair: Pair, answer: bytes) -> None:
    """Refuse to compare two different requests."""
    client, backend, session = Client(9), Client(9).backend(), requests.Session()
    theirs, ours = Recorder(answer), Recorder(answer)
    session.mount("http://", theirs)
    backend.client.mount("http://", ours)
    client.bare(session)((pair[0].prepared(), pair[1].prepared()))
    FaceVerifier(backend).verify(*pair)
    if not ours.sent or ours.sent != theirs.sent:
        raise RuntimeError("the two ways do not send the same form")


def recorded(port: int, pair: Pair) -> tuple[bytes, bytes]:
    """What the mock answers: all of it, and its body."""
    kind, body = form((pair[0].prepared().data, pair[1].prepared().data))
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port)) as connection:
        headers = {"x-api-key": KEY, "Content-Type": kind}
        connection.request("POST", "/v3/face-match/", body, headers)
        response = connection.getresponse()
        body_of_reply = response.read()
    lines = ["HTTP/1.1 200 OK", *(f"{name}: {value}" for name, value in response.getheaders())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body_of_reply, body_of_reply


def fresh(files: Files) -> list[Pair]:
    """The pictures as a caller has them who read them: of a known kind, nothing else known."""
    return [(Image.from_bytes(probe), Image.from_bytes(reference)) for probe, reference in files]


def cpu_of(way: Way, pairs: list[Any], calls: int) -> float:
    """Seconds of processor time for one call."""
    turns = itertools.islice(itertools.cycle(pairs), calls)
    start = time.process_time()
    for pair in turns:
        way(pair)
    return (time.process_time() - start) / calls


def one_thread(port: int, files: Files, size: int, rounds: int, calls: int) -> None:
    """CPU time a call, side by side."""
    client = Client(port)
    ready = [(probe.prepared(), reference.prepared()) for probe, reference in fresh(files)]
    times: dict[str, list[float]] = {name: [] for name in ("bare", *CPU[size])}
    for turn in range(rounds + 1):
        # No connection is quite like another: each round has its own.
        ours, row = client.ours(), dict.fromkeys(times, 0.0)
        ways: dict[str, tuple[Way, list[Any]]] = {
            "bare": (client.bare(), ready),
            "image": (ours, ready),
            "bytes": (ours, files),
            "policies": (client.guarded(), files),
        }
        for way, pairs in ways.values():
            cpu_of(way, pairs, 3)
        for _ in range(calls // SLICE):
            for name, (way, pairs) in ways.items():
                row[name] += cpu_of(way, pairs, SLICE) * SLICE / calls
        if turn:  # the first is for what is loaded late
            for name, seconds in row.items():
                times[name].append(seconds)
    for name, seconds_of in times.items():
        median_us = statistics.median(seconds_of) * 1e6
        print(f"  {name:14}{median_us:8.0f} us CPU   {spread(seconds_of, 1e6)}")
    for name, most in CPU[size].items():
        ratios = [
            ours_s / bare_s for ours_s, bare_s in zip(times[name], times["bare"], strict=True)
        ]
        verdict(f"CPU of {name} over bare ({spread(ratios)})", statistics.median(ratios), most=most)


def spread(values: list[float], factor: float = 1.0) -> str:
    """The least and the most."""
    return f"{min(values) * factor:.3g} to {max(values) * factor:.3g}"


def many_threads(port: int, files: Files, size: int, rounds: int, calls: int) -> None:
    """Calls a second and CPU time a call, by so many threads of one process."""
    client, verifier = Client(port), FaceVerifier(Client(port).backend())
    ready = [(probe.prepared(), reference.prepared()) for probe, reference in fresh(files)]
    # requests does not promise that a session may be shared, so each thread has its own; the
    # verifier is made to be.
    sides = {
        "bare": ([client.bare() for _ in range(THREADS)], ready),
        "bytes": ([client.ours(verifier) for _ in range(THREADS)], files),
        "image": ([client.ours(verifier) for _ in range(THREADS)], ready),
    }
    times: dict[str, list[Took]] = {name: [] for name in sides}
    for turn in range(rounds + 1):
        in_turn = dict(sorted(sides.items(), reverse=bool(turn % 2)))
        for name, took in run_threads(in_turn, calls // SLICE).items():
            if turn:
                times[name].append(took)
    for name, rows in times.items():
        rate = statistics.median(calls * THREADS / wall for wall, _ in rows)
        used = statistics.median(cpu for _, cpu in rows) / (calls * THREADS)
        print(f"  {name:14}{rate:8.0f} calls/s{used * 1e6:8.0f} us CPU")
    for name in ("image", "bytes"):
        both = zip(times["bare"], times[name], strict=True)
        rates = [bare[0] / ours[0] for bare, ours in both]
        what = f"calls/s of {name} over bare ({spread(rates)})"
        verdict(what, statistics.median(rates), least=RATE[size])


def run_threads(sides: dict[str, tuple[list[Way], list[Any]]], bursts: int) -> dict[str, Took]:
    """Seconds and processor seconds of each side, which take turns burst by burst."""
    gate = threading.Barrier(THREADS + 1)
    turns = [name for _ in range(bursts) for name in sides]

    def work(at: int) -> None:
        # The verifier has a connection for each thread, and these threads are new.
        for ways, pairs in sides.values():
            ways[at](pairs[at % len(pairs)])
        for name in turns:
            ways, pairs = sides[name]
            gate.wait()
            for turn in range(SLICE):
                ways[at](pairs[(at + turn) % len(pairs)])
            gate.wait()

    threads = [threading.Thread(target=work, args=(at,), daemon=True) for at in range(THREADS)]
    for thread in threads:
        thread.start()
    took = dict.fromkeys(sides, (0.0, 0.0))
    for name in turns:
        gate.wait()
        wall, cpu = time.perf_counter(), time.process_time()
        gate.wait()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        took[name] = took[name][0] + wall, took[name][1] + cpu
    for thread in threads:
        thread.join()
    return took


def memory(port: int, files: Files) -> None:
    """The peak of one call, and every line that takes more than `BIG` bytes at once.

    A picture from which something is taken out is another file: that one is preparation.
    """
    client = Client(port)
    copied: dict[str, int] = {}
    for name, way in (("bare", client.bare()), ("verify", client.ours())):
        pairs = fresh(files)
        if name == "bare":
            pairs = [(probe.prepared(), reference.prepared()) for probe, reference in pairs]
        way(pairs[0])
        peak = peak_of(functools.partial(way, pairs[0]))
        lines = big_lines(functools.partial(way, pairs[0]))
        print(f"  {name:14}peak {peak / 1e3:6.0f} KB; lines over {BIG // 1000} KB:")
        for where, size in lines:
            print(f"      {where}: {size / 1e3:.0f} KB")
        preparing = sum(size for where, size in lines if where.startswith("containers.py"))
        copied[name] = sum(size for _, size in lines) - preparing
        if preparing:
            print(f"      of that preparation: {preparing / 1e3:.0f} KB")
    verdict("bytes copied over bare's", copied["verify"] / copied["bare"], most=COPIED)


@contextlib.contextmanager
def server(folder: Path, pair: Pair) -> Iterator[int]:
    """The port of the one that answers as the mock did."""
    with process([sys.executable, str(HERE / "_mock_peers.py"), "ours"]) as (mock, _):
        whole, body = recorded(mock, pair)
    check_same_form(pair, body)
    (folder / "answer").write_bytes(whole)
    command = [sys.executable, str(HERE / "_canned_server.py"), str(folder / "answer")]
    with process(command) as (port, _):
        yield port


def pictures(*, exif: bool, size: int) -> Files:
    """So many pairs of pictures; with `exif` as those of a phone, else as those of a web camera."""
    return [
        (picture(seed, exif=exif, size=size), picture(seed + 1, exif=exif, size=size))
        for seed in range(0, 2 * PAIRS, 2)
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure verify beside bare requests.")
    parser.add_argument("--rounds", type=int, default=15, help="more of them: less noise")
    parser.add_argument("--calls", type=int, default=60, help="of a thread in a round; tens")
    parser.add_argument("--only", choices=["cpu", "threads", "memory"], action="append")
    options = parser.parse_args()
    parts = options.only or ["cpu", "threads", "memory"]
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = "*"
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; client and server want one each")
    clean = {size: pictures(exif=False, size=size) for size in CPU}
    first = fresh(clean[200_000])[0]
    with tempfile.TemporaryDirectory() as temporary, server(Path(temporary), first) as port:
        for size, files in clean.items():
            about = f"pictures of {size // 1000} KB; {options.rounds} rounds"
            if "cpu" in parts:
                heading(f"One thread, {about}")
                one_thread(port, files, size, options.rounds, options.calls)
            if "threads" in parts:
                heading(f"{THREADS} threads, {about}")
                many_threads(port, files, size, options.rounds, options.calls)
        if "memory" in parts:
            for kind in ("clean", "exif"):
                heading(f"Memory of one call, {kind} pictures")
                memory(port, pictures(exif=kind == "exif", size=200_000))
    print("\n" + ("All targets met." if not missed else "Missed:\n  " + "\n  ".join(missed)))


if __name__ == "__main__":
    main()
