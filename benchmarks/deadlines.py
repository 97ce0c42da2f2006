"""How long a call with a deadline of 1 s takes when the vendor does not end it.

    python benchmarks/deadlines.py [--rounds N]

Four kinds of backends, at a server of this machine that is silent, drips one byte every 50 ms, or
sends without end: one over HTTP (`HttpBackend`), one whose library is `requests` behind
`guarded_call`, the same without it, and an engine that computes for 7 s. Beside them the plain
library with ``timeout=1``, as it is usually written. Median and slowest of the rounds; the goal is
1.5 s.
"""

from __future__ import annotations

import argparse
import contextlib
import socket
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator

import attrs
import requests

from facematch_core import FaceMatchError, FaceVerifier, Image, MatchResult
from facematch_core.backend import Backend, Capabilities, MatchCall
from facematch_core.backend.engine import Compared, EngineBackend
from facematch_core.backend.sdk import guarded_call
from facematch_core.http import HttpBackend, HttpReply, HttpRequest
from facematch_core.testing import noise

DEADLINE_S, GOAL_S, LONG_S = 1.0, 1.5, 7.0

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
#: What follows the head, and seconds between two pieces; None for nothing at all.
VENDORS: dict[str, tuple[bytes, bytes, float] | None] = {
    "silent": None,
    "dripping": (HEAD + b"Content-Length: 900\r\n\r\n", b" ", 0.05),
    "endless": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"4\r\n    \r\n", 0.0),
}


@contextlib.contextmanager
def vendor(kind: str) -> Iterator[str]:
    """A server that never ends its answers before `LONG_S`."""
    over = threading.Event()
    listening = socket.create_server(("127.0.0.1", 0))

    def answer(connection: socket.socket) -> None:
        script, until = VENDORS[kind], time.monotonic() + LONG_S
        with contextlib.suppress(OSError), connection:
            connection.recv(1 << 20)
            if script is None:
                over.wait(LONG_S)
                return
            head, piece, every_s = script
            connection.sendall(head)
            while time.monotonic() < until and not over.wait(every_s):
                connection.sendall(piece)

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listening.accept()
                threading.Thread(target=answer, args=(connection,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        over.set()
        listening.close()


@attrs.frozen(kw_only=True)
class OverHttp(HttpBackend):
    """One request."""

    name = "over-http"

    def build(self, call: MatchCall) -> HttpRequest:
        return HttpRequest(url=f"{self.address}/compare", body=call.probe.data)

    def parse(self, call: MatchCall, reply: HttpReply) -> MatchResult:
        raise ValueError("it never comes to that")


@attrs.frozen(kw_only=True)
class ByLibrary(Backend):
    """`requests` as a vendor's library."""

    name = "by-library"
    capabilities = Capabilities()
    url: str
    guarded: bool = True

    def match(self, call: MatchCall) -> MatchResult:
        def ask() -> object:
            return requests.post(self.url, data=call.probe.data, timeout=30).json()

        if self.guarded:
            guarded_call(call, ask, repr, backend=self.name, mute=("urllib3",))
        else:
            ask()
        raise ValueError("it never comes to that")


class Engine(EngineBackend):
    """Computes for long."""

    name = "engine"

    def compare(self, call: MatchCall) -> Compared:
        until = time.monotonic() + LONG_S
        while time.monotonic() < until:
            sum(range(1000))
        return Compared(score=None)


def seconds(backend: Backend, picture: Image) -> float:
    """How long one call with the deadline takes."""
    began = time.monotonic()
    with contextlib.suppress(FaceMatchError):
        FaceVerifier(backend).verify(picture, picture, deadline_s=DEADLINE_S)
    return time.monotonic() - began


def plainly(url: str, picture: Image) -> float:
    """How long the library alone takes with a time-out as long as the deadline."""
    began = time.monotonic()
    with contextlib.suppress(requests.RequestException):
        requests.post(url, data=picture.data, timeout=DEADLINE_S)
    return time.monotonic() - began


def main() -> int:
    """Print the table; 1 if the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    picture, worst = noise(1, (64, 64)), 0.0
    print(f"{'':24}{'vendor':12}{'median s':>10}{'slowest s':>11}")

    def print_time(name: str, kind: str, measure: Callable[[], float]) -> float:
        taken = [measure() for _ in range(rounds)]
        print(f"{name:24}{kind:12}{statistics.median(taken):10.2f}{max(taken):11.2f}", flush=True)
        return max(taken)

    for kind in VENDORS:
        with vendor(kind) as url:
            backends = {
                "HttpBackend": OverHttp(base_url=url),
                "guarded_call": ByLibrary(url=url),
                "library, not guarded": ByLibrary(url=url, guarded=False),
            }
            for name, backend in backends.items():
                worst = max(worst, print_time(name, kind, lambda b=backend: seconds(b, picture)))  # type: ignore[misc]
            print_time("requests, timeout=1", kind, lambda u=url: plainly(u, picture))  # type: ignore[misc]
    worst = max(worst, print_time("EngineBackend", "computes", lambda: seconds(Engine(), picture)))
    print(f"goal: {GOAL_S} s; the slowest call with a deadline took {worst:.2f} s")
    return int(worst > GOAL_S)


if __name__ == "__main__":
    sys.exit(main())
