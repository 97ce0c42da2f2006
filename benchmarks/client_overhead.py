"""Compare the CPU time of `FaceVerifier.verify` with bare requests that send the same form.

    python benchmarks/client_overhead.py [--rounds N] [--calls N]

Each call sends two pictures of 20 or 200 KB. The server is another process, so its work is not
counted: it discards requests and replays a recorded response of the mock server. The variants take
turns, so that other load on this machine affects all of them; results are medians of the ratios per
round. The environment is cleared, because bare requests read all of it in each call.

- *bare* is `requests.Session.post` of the form with the same timeouts, and `json()` of the
  response.
- *image* is `verify` of two `Image`s that were used before, like a stored reference.
- *bytes* is `verify` of the bytes of two files, which are parsed and searched for metadata that
  must not reach a vendor.
- *policies* is *bytes* with a budget, a circuit breaker, a rate limiter and a deadline.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import io
import itertools
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import requests
from _bench import HERE, end, heading, process, verdict
from _mock_client import form

from facematch_core import FaceVerifier, Image
from facematch_core.backend import MatchRequest
from facematch_core.resilience import Budget, CircuitBreaker, RateLimiter, RateWindow
from facematch_didit import DiditBackend

KEY = "mock-live-key"
PAIRS = 20
SLICE = 10  # calls of one variant before the next one's turn

#: Our targets: CPU time as a multiple of bare requests, by size of a picture.
CPU = {
    20_000: {"image": 0.9, "bytes": 1.15, "policies": 1.24},
    200_000: {"image": 0.9, "bytes": 1.3, "policies": 1.39},
}

Pair = tuple[Image, Image]
Files = list[tuple[bytes, bytes]]
Way = Callable[[Any], Any]


def picture(seed: int, size: int = 200_000) -> bytes:
    """Return a JPEG of about `size` bytes: smooth noise."""
    import PIL.Image

    def encoded(height: int) -> bytes:
        noise = random.Random(seed).randbytes(3 * 256 * height)
        small = PIL.Image.frombytes("RGB", (256, height), noise)
        large = small.resize((1024, 4 * height), PIL.Image.Resampling.BICUBIC)
        file = io.BytesIO()
        large.save(file, "JPEG", quality=90)
        return file.getvalue()

    return encoded(192 * size // len(encoded(192)))


class Recorder(requests.adapters.BaseAdapter):
    """A transport that records the body and replays the mock's response."""

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
    """The variants of calling the server at `port`."""

    port: int

    def backend(self) -> DiditBackend:
        """Open the backend with the settings that `facematch mock` prints."""
        return DiditBackend(api_key=KEY, base_url=f"http://127.0.0.1:{self.port}")

    def bare(self, session: requests.Session | None = None) -> Way:
        """Call with bare requests, with the same fields and names as the backend."""
        session = session or requests.Session()
        backend = self.backend()

        def built(pair: Pair) -> dict[str, Any]:
            request = backend.build(MatchRequest(probe=pair[0], reference=pair[1]))
            return {
                "data": dict(request.fields),
                "files": [(f.name, (f.filename, f.data, f.content_type)) for f in request.files],
            }

        forms: dict[int, dict[str, Any]] = {}
        timeouts_s = backend.connect_timeout_s, backend.read_timeout_s
        url, headers = f"http://127.0.0.1:{self.port}/v3/face-match/", {"x-api-key": KEY}

        def ask(pair: Pair) -> Any:
            sent_form = forms.get(id(pair)) or forms.setdefault(id(pair), built(pair))
            return session.post(url, headers=headers, timeout=timeouts_s, **sent_form).json()

        return ask

    def ours(self, verifier: FaceVerifier | None = None) -> Way:
        """Call `FaceVerifier.verify`."""
        verifier = verifier or FaceVerifier(self.backend())
        return lambda pair: verifier.verify(*pair)

    def guarded(self) -> Way:
        """Call `FaceVerifier.verify` with policies that let every call pass."""
        limiter = RateLimiter(RateWindow(10**9, 1))
        policies = [Budget(10**9, name="benchmark"), limiter, CircuitBreaker()]
        return self.ours(FaceVerifier(self.backend(), policies=policies, deadline_s=60))


def check_same_form(pair: Pair, answer: bytes) -> None:
    """Raise if the variants send different requests."""
    client, backend, session = Client(9), Client(9).backend(), requests.Session()
    theirs, ours = Recorder(answer), Recorder(answer)
    session.mount("http://", theirs)
    backend.client.mount("http://", ours)
    client.bare(session)((pair[0].prepared(), pair[1].prepared()))
    FaceVerifier(backend).verify(*pair)
    if not ours.sent or ours.sent != theirs.sent:
        raise RuntimeError("the two ways do not send the same form")


def recorded(port: int, pair: Pair) -> tuple[bytes, bytes]:
    """Return the mock's complete response, and its body."""
    content_type, body = form((pair[0].prepared().data, pair[1].prepared().data))
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port)) as connection:
        headers = {"x-api-key": KEY, "Content-Type": content_type}
        connection.request("POST", "/v3/face-match/", body, headers)
        response = connection.getresponse()
        body_of_reply = response.read()
    lines = ["HTTP/1.1 200 OK", *(f"{name}: {value}" for name, value in response.getheaders())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body_of_reply, body_of_reply


def fresh(files: Files) -> list[Pair]:
    """Return new `Image`s of the files, with nothing computed yet."""
    return [(Image.from_bytes(probe), Image.from_bytes(reference)) for probe, reference in files]


def cpu_of(client: Way, pairs: list[Any], calls: int) -> float:
    """Return the CPU seconds of one call."""
    turns = itertools.islice(itertools.cycle(pairs), calls)
    start = time.process_time()
    for pair in turns:
        client(pair)
    return (time.process_time() - start) / calls


def measure(port: int, files: Files, size: int, rounds: int, calls: int) -> None:
    """Measure and print the CPU time per call of all variants."""
    client = Client(port)
    ready = [(probe.prepared(), reference.prepared()) for probe, reference in fresh(files)]
    times: dict[str, list[float]] = {name: [] for name in ("bare", *CPU[size])}
    for turn in range(rounds + 1):
        # Connections differ in speed, so each round uses new ones.
        ours, row = client.ours(), dict.fromkeys(times, 0.0)
        clients: dict[str, tuple[Way, list[Any]]] = {
            "bare": (client.bare(), ready),
            "image": (ours, ready),
            "bytes": (ours, files),
            "policies": (client.guarded(), files),
        }
        for way, pairs in clients.values():
            cpu_of(way, pairs, 3)
        for _ in range(calls // SLICE):
            for name, (way, pairs) in clients.items():
                row[name] += cpu_of(way, pairs, SLICE) * SLICE / calls
        if turn:  # the first call is a warm-up for lazy imports
            for name, seconds in row.items():
                times[name].append(seconds)
    for name, seconds_of in times.items():
        median_us = statistics.median(seconds_of) * 1e6
        print(f"  {name:14}{median_us:8.0f} us CPU   {spread(seconds_of, 1e6)}")
    for name, limit in CPU[size].items():
        ratios = [
            ours_s / bare_s for ours_s, bare_s in zip(times[name], times["bare"], strict=True)
        ]
        verdict(
            f"CPU of {name} over bare ({spread(ratios)})", statistics.median(ratios), most=limit
        )


def spread(values: list[float], factor: float = 1.0) -> str:
    """Return the minimum and the maximum as text."""
    return f"{min(values) * factor:.3g} to {max(values) * factor:.3g}"


@contextlib.contextmanager
def server(folder: Path, pair: Pair) -> Iterator[int]:
    """Start the server that replays the mock's response; return its port."""
    with process([sys.executable, str(HERE / "_mock_peers.py"), "ours"]) as mock:
        whole, body = recorded(mock, pair)
    check_same_form(pair, body)
    (folder / "answer").write_bytes(whole)
    command = [sys.executable, str(HERE / "_canned_server.py"), str(folder / "answer")]
    with process(command) as port:
        yield port


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure verify beside bare requests.")
    parser.add_argument("--rounds", type=int, default=15, help="more of them: less noise")
    parser.add_argument("--calls", type=int, default=60, help="of a way in a round; tens")
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores; client and server want one each")
    os.environ.clear()
    sizes = {
        size: [
            (picture(number, size), picture(number + 1, size)) for number in range(0, 2 * PAIRS, 2)
        ]
        for size in CPU
    }
    first_pair = fresh(sizes[200_000])[0]
    with tempfile.TemporaryDirectory() as temporary, server(Path(temporary), first_pair) as port:
        for size, files in sizes.items():
            heading(f"Pictures of {size // 1000} KB; {options.rounds} rounds")
            measure(port, files, size, options.rounds, options.calls)
    end()


if __name__ == "__main__":
    main()
