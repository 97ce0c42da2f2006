"""Count the work of one warm `verify` with Didit: bytecodes, functions, files. Deterministic.

    python benchmarks/client_call.py [--rooms]

A call sends two pictures of 20 KB. The server is another process: it discards requests and replays
a recorded response of the mock server. The program restarts itself with an empty environment and a
fixed hash seed, so the counts depend only on the code and Python's version. Files and functions are
facematch's, for the variant *bytes*.

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
import functools
import http.client
import io
import random
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import requests
from _bench import HERE, count, print_files, process, restart_without_chance, verdict
from PIL import Image as Picture
from PIL.Image import Resampling

from facematch_core import FaceVerifier, Image
from facematch_core.backend import MatchRequest
from facematch_core.resilience import Budget, CircuitBreaker, RateLimiter, RateWindow
from facematch_didit import DiditBackend

KEY = "mock-live-key"
#: Number of warm-up calls before the counted call.
WARM = 4
#: The most bytecodes per variant, as a multiple of bare requests.
MOST = {"image": 0.9, "bytes": 1.15, "policies": 1.24}

#: As long as the boundaries of urllib3.
_BOUNDARY = "b8f1c0ffee5d4a3b9c2d7e6f50a1b2c3"
_MOCK = """
import sys
from facematch_mock_server import MockServer
print(MockServer().start().port, flush=True)
sys.stdin.read()
"""

Pair = tuple[Image, Image]
Files = list[tuple[bytes, bytes]]
Way = Callable[[Any], Any]


@attrs.frozen
class Client:
    """The variants of calling the server at `port`."""

    port: int

    def backend(self) -> DiditBackend:
        """Open the backend with the settings that `facematch mock` prints."""
        return DiditBackend(api_key=KEY, base_url=f"http://127.0.0.1:{self.port}")

    def bare(self) -> Way:
        """Call with bare requests, with the same fields and names as the backend."""
        session = requests.Session()
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


def make_picture(seed: int) -> bytes:
    """Return a JPEG of exactly 20 KB: smooth noise, always the same, and a comment."""
    noise = random.Random(seed).randbytes(3 * 80 * 60)
    picture = Picture.frombytes("RGB", (80, 60), noise).resize((320, 240), Resampling.BICUBIC)
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=56)
    jpeg = file.getvalue()
    rest = 20_000 - len(jpeg) - 4
    return jpeg[:2] + b"\xff\xfe" + (rest + 2).to_bytes(2, "big") + bytes(rest) + jpeg[2:]


def recorded(port: int, pair: Pair) -> bytes:
    """Return the mock's complete response."""
    body = b""
    for name, picture in zip(("user_image", "ref_image"), pair, strict=True):
        head = f'Content-Disposition: form-data; name="{name}"; filename="{name}.jpg"'
        body += f"--{_BOUNDARY}\r\n{head}\r\nContent-Type: image/jpeg\r\n\r\n".encode()
        body += picture.prepared().data + b"\r\n"
    body += f"--{_BOUNDARY}--\r\n".encode()
    content_type = f"multipart/form-data; boundary={_BOUNDARY}"
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port)) as connection:
        headers = {"x-api-key": KEY, "Content-Type": content_type}
        connection.request("POST", "/v3/face-match/", body, headers)
        response = connection.getresponse()
        lines = ["HTTP/1.1 200 OK", *(f"{name}: {value}" for name, value in response.getheaders())]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + response.read()


def fresh(files: Files) -> list[Pair]:
    """Return new `Image`s of the files, with nothing computed yet."""
    return [(Image.from_bytes(probe), Image.from_bytes(reference)) for probe, reference in files]


@contextlib.contextmanager
def server(folder: Path, pair: Pair) -> Iterator[int]:
    """Start the server that replays the mock's response; return its port."""
    with process([sys.executable, "-c", _MOCK]) as mock:
        (folder / "answer").write_bytes(recorded(mock, pair))
    command = [sys.executable, str(HERE / "_canned_server.py"), str(folder / "answer")]
    with process(command) as port:
        yield port


def main() -> None:
    """Count and print."""
    parser = argparse.ArgumentParser(description="Count the work of one verify.")
    parser.add_argument("--rooms", action="store_true", help="print the share of each file, too")
    options = parser.parse_args()
    restart_without_chance()
    files = make_picture(0), make_picture(1)
    first_pair = fresh([files])[0]
    with tempfile.TemporaryDirectory() as temporary, server(Path(temporary), first_pair) as port:
        client, ready = Client(port), (first_pair[0].prepared(), first_pair[1].prepared())
        clients: dict[str, tuple[Way, Any]] = {
            "bare": (client.bare(), ready),
            "image": (client.ours(), ready),
            "bytes": (client.ours(), files),
            "policies": (client.guarded(), files),
        }
        counts = {
            name: count(functools.partial(way, pair), WARM) for name, (way, pair) in clients.items()
        }
    bare = counts["bare"][0].total()
    print(f"bare requests: {bare} bytecodes")
    for name, limit in MOST.items():
        bytecodes = counts[name][0]
        verdict(
            f"{name}: {bytecodes.total()} bytecodes, times bare",
            bytecodes.total() / bare,
            most=limit,
        )
        if options.rooms:
            print_files(bytecodes)
    functions = counts["bytes"][1]
    print(
        f"{len(functions)} functions in {len({name for name, _ in functions})} files of facematch"
    )


if __name__ == "__main__":
    main()
