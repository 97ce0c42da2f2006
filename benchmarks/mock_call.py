"""Count the work of one mocked call: bytecodes, Python functions and files. Deterministic.

    python benchmarks/mock_call.py [--rooms]

The app and its console answer one face match of two known 20 KB pictures in process, without a
socket. The program restarts itself with an empty environment and a fixed hash seed, so the counts
depend only on the code and Python's version.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Callable
from typing import Any

from _bench import count, print_files, restart_without_chance

#: Number of warm-up calls before the counted call.
WARM = 5


def make_request(size: int) -> dict[str, Any]:
    """Return the parts of a face match with two pictures of `size` bytes."""
    from facematch_mock_server import make_card

    boundary = "0123456789abcdef0123456789abcdef"
    parts = []
    for name, person in (("user_image", "p1"), ("ref_image", "p1-again")):
        # Bytes after the last chunk of a PNG do not change the picture.
        card = make_card(person="p1", quality=85 if person == "p1" else 70)
        seed = hashlib.sha256(person.encode()).digest()
        padding = (seed * (size // len(seed) + 1))[: max(0, size - len(card))]
        parts.append(
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; '
            f'filename="{person}.png"\r\nContent-Type: image/png\r\n\r\n'.encode()
            + card
            + padding
            + b"\r\n"
        )
    parts.append(
        f"--{boundary}\r\nContent-Disposition: form-data; "
        f'name="vendor_data"\r\n\r\ncase-7\r\n--{boundary}--\r\n'.encode()
    )
    body = b"".join(parts)
    # In lower case, as returned by the server's parser.
    headers = (
        ("host", "127.0.0.1:8000"),
        ("user-agent", "python-requests/2.32.0"),
        ("accept-encoding", "gzip, deflate"),
        ("accept", "*/*"),
        ("connection", "keep-alive"),
        ("x-api-key", "mock-live-key"),
        ("content-length", str(len(body))),
        ("content-type", f"multipart/form-data; boundary={boundary}"),
    )
    return {"method": "POST", "target": "/v3/face-match/", "headers": headers, "body": body}


def mocked_call(size: int) -> Callable[[], Any]:
    """Return a call of the app with two pictures of `size` bytes; raise if the app refuses it."""
    from facematch_mock_server import MockServer
    from facematch_mock_server.base.messages import Request
    from facematch_mock_server.http.exchange import carry_out

    server = MockServer(seed=1)
    parts = make_request(size)

    def call() -> Any:
        request = Request(**parts)
        started = server.app.begin(request)
        return started, carry_out(server.app, request)

    started, plan = call()
    if started is not None or plan.response is None or plan.response.status != 200:
        raise RuntimeError(f"the mock refused the benchmark's request: {plan}")
    return call


def main() -> None:
    """Count and print."""
    parser = argparse.ArgumentParser(description="Count the work of one mocked call.")
    parser.add_argument("--rooms", action="store_true", help="print the share of each file, too")
    options = parser.parse_args()
    restart_without_chance()
    for size in (20_000, 200_000):
        bytecodes, functions = count(mocked_call(size), WARM)
        files = {name for name, _ in functions}
        print(
            f"2 x {size // 1000} KB: {bytecodes.total()} bytecodes, "
            f"{len(functions)} functions in {len(files)} files of facematch"
        )
        if options.rooms:
            print_files(bytecodes)


if __name__ == "__main__":
    main()
