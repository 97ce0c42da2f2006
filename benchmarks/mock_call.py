"""Count the work of one mocked call: bytecodes, Python functions and files. Deterministic.

    python benchmarks/mock_call.py [--rooms]

The app and its console answer one face match of two known 20 KB pictures in process, without a
socket. The program restarts itself with an empty environment and a fixed hash seed, so the counts
depend only on the code and Python's version.
"""

from __future__ import annotations

import argparse
import collections
import hashlib
import os
import subprocess
import sys
from pathlib import Path
from types import FrameType
from typing import Any

from _bench import HERE

#: Number of warm-up calls before the counted call.
WARM = 5
#: The checkout; files below it count as facematch.
ROOT = HERE.parent


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


def count(size: int) -> tuple[collections.Counter[str], set[tuple[str, str]]]:
    """Return the bytecodes of one call by file, and the functions of facematch that it runs."""
    from facematch_mock_server import MockServer
    from facematch_mock_server.base.messages import Request
    from facematch_mock_server.http.exchange import carry_out

    server = MockServer(seed=1)
    parts = make_request(size)

    def call() -> None:
        sys.settrace(trace)
        try:
            request = Request(**parts)
            begun = server.app.begin(request)
            plan = carry_out(server.app, request)
        finally:
            sys.settrace(None)
        if begun is not None or plan.response is None or plan.response.status != 200:
            raise RuntimeError(f"the mock refused the benchmark's request: {plan}")

    bytecodes: collections.Counter[str] = collections.Counter()
    functions: set[tuple[str, str]] = set()

    def trace(frame: FrameType, event: str, argument: Any) -> Any:  # noqa: ARG001 - Python's own
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        name = frame.f_code.co_filename
        if name.startswith(str(ROOT)):
            functions.add((name, frame.f_code.co_qualname))

        def step(_frame: FrameType, event: str, _argument: Any) -> Any:
            bytecodes[name] += event == "opcode"
            return step

        return step

    for _ in range(WARM):
        call()
        bytecodes.clear()
        functions.clear()
    call()
    return bytecodes, functions


def main() -> None:
    """Count and print."""
    parser = argparse.ArgumentParser(description="Count the work of one mocked call.")
    parser.add_argument("--rooms", action="store_true", help="print the share of each file, too")
    options = parser.parse_args()
    if os.environ.get("PYTHONHASHSEED") != "0":
        command = [sys.executable, *sys.argv]
        raise SystemExit(
            subprocess.run(command, env={"PYTHONHASHSEED": "0"}, check=False).returncode
        )
    for size in (20_000, 200_000):
        bytecodes, functions = count(size)
        files = {name for name, _ in functions}
        print(
            f"2 x {size // 1000} KB: {bytecodes.total()} bytecodes, "
            f"{len(functions)} functions in {len(files)} files of facematch"
        )
        for name, number in bytecodes.most_common(40) if options.rooms else ():
            path = Path(name)
            shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path.name
            print(f"  {number:6} {shown}")


if __name__ == "__main__":
    main()
