"""What `FaceVerifier.verify` costs beside bare requests that sends the same form, in one run.

    python benchmarks/client_overhead.py [--rounds N] [--calls N] [--only cpu|threads|memory]

Two pictures of 200 KB a call. The server is another process, so that its work is not counted:
*canned* reads, throws away and answers with bytes that the mock gave once, so that the client is
what is slow; *mock* is the mock server itself, which shares the machine's cores with the client.
*bare* is `requests.Session.post` of that form with the same time-outs, and `json()` of the answer.
Both send the bytes of `Image.prepared`, which are ready for *bare*. The contenders take turns, so
that whatever else this machine does strikes both; ratios are medians of those within a round.

- *clean* pictures have nothing that is taken out, as those of a web camera; *exif* ones do, as
  those of a phone.
- *reading* is `Image.from_bytes`, *preparation* is `Image.prepared`, *digest* the SHA-256 of what
  was given: each for two pictures, and measured alone. `verify` begins after reading.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import hashlib
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
from facematch_didit import DiditBackend
from mock_server import (  # noqa: TID251 - the benchmark beside this one, not the folder
    HERE,
    heading,
    missed,
    process,
    verdict,
)

KEY = "mock-live-key"
THREADS, PAIRS, SIZE = 16, 20, 200_000
SLICE = 10  # calls of one side before it is the other's turn

#: What we ask of ourselves.
CPU = 1.15  # times that of bare requests, without preparation
RATE = 1.0  # times the calls a second of bare requests with as many threads
COPIED = 1.1  # times the bytes: a buffer that grows step by step tells a little less than it takes

Pair = tuple[Image, Image]
Way = Callable[[Pair], Any]
Took = tuple[float, float]


def picture(seed: int, *, exif: bool) -> bytes:
    """A JPEG of about `SIZE` bytes: smooth noise."""
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

    return encoded(192 * SIZE // len(encoded(192)))


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
        told = response.read()
    lines = ["HTTP/1.1 200 OK", *(f"{name}: {value}" for name, value in response.getheaders())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + told, told


def fresh(given: list[tuple[bytes, bytes]]) -> list[Pair]:
    """The pictures as a caller has them who read them: of a known kind, nothing else known."""
    return [(Image.from_bytes(one), Image.from_bytes(other)) for one, other in given]


def cpu_of(way: Way, pairs: list[Pair], calls: int) -> float:
    """Seconds of processor time for one call."""
    turns = itertools.islice(itertools.cycle(pairs), calls)
    start = time.process_time()
    for pair in turns:
        way(pair)
    return (time.process_time() - start) / calls


def one_thread(port: int, given: list[tuple[bytes, bytes]], rounds: int, calls: int) -> None:
    """CPU time a call, side by side, and of what is done to the pictures."""
    client = Client(port)
    ready = [(one.prepared(), other.prepared()) for one, other in fresh(given)]
    alone: dict[str, Way] = {
        "preparation": lambda pair: (pair[0].prepared(bound), pair[1].prepared(bound)),
        "reading": lambda pair: (Image.from_bytes(pair[0].data), Image.from_bytes(pair[1].data)),
        "digest": lambda pair: [hashlib.sha256(picture.data).digest() for picture in pair],
    }
    bound = client.backend().capabilities.image_limits
    got: dict[str, list[float]] = {name: [] for name in ("bare", "verify", *alone)}
    for turn in range(rounds + 1):
        row: dict[str, float] = {}
        # No connection is quite like another: each round has its own.
        bare, ours = client.bare(), client.ours()
        for pair in fresh(given[:3]):
            bare(pair)
            ours(pair)
        for name, way in alone.items():
            # What a picture has found out about itself, it keeps: each turn has its own.
            row[name] = cpu_of(way, fresh(given), len(given))
        for _ in range(calls // SLICE):
            for name, way, pairs in (("bare", bare, ready), ("verify", ours, fresh(given[:SLICE]))):
                row[name] = row.get(name, 0.0) + cpu_of(way, pairs, SLICE) * SLICE / calls
        if turn:  # the first is for what is loaded late
            for name, seconds in row.items():
                got[name].append(seconds)
    for name, times in got.items():
        print(f"  {name:14}{statistics.median(times) * 1e6:8.0f} us CPU   {spread(times, 1e6)}")
    pairs_of = list(zip(got["bare"], got["verify"], got["preparation"], strict=True))
    whole = [verify / plain for plain, verify, _ in pairs_of]
    rest = [(verify - preparing) / plain for plain, verify, preparing in pairs_of]
    left = statistics.median(verify - preparing - plain for plain, verify, preparing in pairs_of)
    print(f"  with preparation, over bare: {statistics.median(whole):.3f} ({spread(whole)})")
    print(f"  ours beside bare and preparation: {left * 1e6:.0f} us a call")
    verdict(f"CPU over bare ({spread(rest)})", statistics.median(rest), most=CPU)


def spread(values: list[float], factor: float = 1.0) -> str:
    """The least and the most."""
    return f"{min(values) * factor:.3g} to {max(values) * factor:.3g}"


def many_threads(port: int, given: list[tuple[bytes, bytes]], rounds: int, calls: int) -> None:
    """Calls a second and CPU time a call, by so many threads of one process."""
    client, verifier = Client(port), FaceVerifier(Client(port).backend())
    # requests does not promise that a session may be shared, so each thread has its own; the
    # verifier is made to be.
    sides = {
        "bare": [client.bare() for _ in range(THREADS)],
        "verify": [client.ours(verifier) for _ in range(THREADS)],
    }
    ready = [(one.prepared(), other.prepared()) for one, other in fresh(given)]
    got: dict[str, list[Took]] = {name: [] for name in sides}
    for turn in range(rounds + 1):
        in_turn = dict(sorted(sides.items(), reverse=bool(turn % 2)))
        for name, one in run_threads(in_turn, ready, calls // SLICE).items():
            if turn:
                got[name].append(one)
    for name, took in got.items():
        rate = statistics.median(calls * THREADS / wall for wall, _ in took)
        used = statistics.median(cpu for _, cpu in took) / (calls * THREADS)
        print(f"  {name:14}{rate:8.0f} calls/s{used * 1e6:8.0f} us CPU")
    both = list(zip(got["bare"], got["verify"], strict=True))
    rates = [plain[0] / verify[0] for plain, verify in both]
    used_ratios = [verify[1] / plain[1] for plain, verify in both]
    verdict(f"CPU over bare ({spread(used_ratios)})", statistics.median(used_ratios), most=CPU)
    verdict(f"calls/s over bare ({spread(rates)})", statistics.median(rates), least=RATE)


def run_threads(sides: dict[str, list[Way]], pairs: list[Pair], bursts: int) -> dict[str, Took]:
    """Seconds and processor seconds of each side, which take turns burst by burst."""
    gate = threading.Barrier(THREADS + 1)
    turns = [name for _ in range(bursts) for name in sides]

    def work(at: int) -> None:
        # The verifier has a connection for each thread, and these threads are new.
        for ways in sides.values():
            ways[at](pairs[at % len(pairs)])
        for name in turns:
            gate.wait()
            for turn in range(SLICE):
                sides[name][at](pairs[(at + turn) % len(pairs)])
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


def memory(port: int, given: list[tuple[bytes, bytes]]) -> None:
    """The peak of one call, and every line that takes more than `BIG` bytes at once.

    A picture from which something is taken out is another file: that one is preparation.
    """
    client = Client(port)
    copied: dict[str, int] = {}
    for name, way in (("bare", client.bare()), ("verify", client.ours())):
        pairs = fresh(given)
        if name == "bare":
            pairs = [(one.prepared(), other.prepared()) for one, other in pairs]
        way(pairs[0])
        peak = peak_of(functools.partial(way, pairs[0]))
        lines = big_lines(functools.partial(way, pairs[0]))
        print(f"  {name:14}peak {peak / 1e3:6.0f} KB; lines over {BIG // 1000} KB:")
        for where, size in lines:
            print(f"      {where}: {size / 1e3:.0f} KB")
        preparing = sum(size for where, size in lines if where.startswith("_pieces.py"))
        copied[name] = sum(size for _, size in lines) - preparing
        if preparing:
            print(f"      of that preparation: {preparing / 1e3:.0f} KB")
    verdict("bytes copied over bare's", copied["verify"] / copied["bare"], most=COPIED)


@contextlib.contextmanager
def servers(folder: Path, pair: Pair) -> Iterator[dict[str, int]]:
    """The ports of both."""
    with process([sys.executable, str(HERE / "_mock_peers.py"), "ours"]) as (mock, _):
        whole, body = recorded(mock, pair)
        check_same_form(pair, body)
        (folder / "answer").write_bytes(whole)
        command = [sys.executable, str(HERE / "_canned_server.py"), str(folder / "answer")]
        with process(command) as (canned, _):
            yield {"canned": canned, "mock": mock}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure verify beside bare requests.")
    parser.add_argument("--rounds", type=int, default=15, help="more of them: less noise")
    parser.add_argument("--calls", type=int, default=60, help="of a thread in a round; tens")
    parser.add_argument("--only", choices=["cpu", "threads", "memory"], action="append")
    told = parser.parse_args()
    parts = told.only or ["cpu", "threads", "memory"]
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = "*"
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; client and server want one each")
    kinds = {
        kind: [
            (picture(2 * at, exif=kind == "exif"), picture(2 * at + 1, exif=kind == "exif"))
            for at in range(PAIRS)
        ]
        for kind in ("clean", "exif")
    }
    first = fresh(kinds["clean"])[0]
    with tempfile.TemporaryDirectory() as temporary, servers(Path(temporary), first) as ports:
        for (name, port), (kind, given) in itertools.product(ports.items(), kinds.items()):
            if "cpu" in parts:
                heading(f"One thread, {name} server, {kind} pictures; {told.rounds} rounds")
                one_thread(port, given, told.rounds, told.calls)
        for name, port in ports.items():
            if "threads" in parts:
                heading(f"{THREADS} threads, {name} server, clean pictures; {told.rounds} rounds")
                many_threads(port, kinds["clean"], told.rounds, told.calls)
        for kind, given in kinds.items():
            if "memory" in parts:
                heading(f"Memory of one call, {kind} pictures")
                memory(ports["canned"], given)
    print("\n" + ("All targets met." if not missed else "Missed:\n  " + "\n  ".join(missed)))


if __name__ == "__main__":
    main()
