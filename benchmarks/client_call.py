"""Count the work of one warm `verify` with Didit: bytecodes, functions, files. Deterministic.

    python benchmarks/client_call.py [--rooms]

Uses the variants and pictures of `client_overhead`, 20 KB per picture. The program restarts itself
with an empty environment and a fixed hash seed, so the counts depend only on the code and Python's
version. Files and functions are facematch's, for the variant *bytes*.
"""

from __future__ import annotations

import argparse
import collections
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from types import FrameType
from typing import Any

from _bench import HERE, verdict
from client_overhead import Client, Way, fresh, picture, server

#: Number of warm-up calls before the counted call.
WARM = 4
#: The checkout; files below it count as facematch.
ROOT = HERE.parent
#: The most bytecodes per variant, as a multiple of bare requests.
MOST = {"image": 0.9, "bytes": 1.15, "policies": 1.24}


def count(way: Way, pair: Any) -> tuple[collections.Counter[str], set[tuple[str, str]]]:
    """Return the bytecodes of one call by file, and the functions of facematch that it runs."""
    bytecodes: collections.Counter[str] = collections.Counter()
    functions: set[tuple[str, str]] = set()

    def trace(frame: FrameType, event: str, argument: Any) -> Any:  # noqa: ARG001 - Python's own
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        name = frame.f_code.co_filename
        is_ours = name.startswith(str(ROOT)) and not name.startswith(str(HERE))
        if is_ours and ".venv" not in name:
            functions.add((name, frame.f_code.co_qualname))

        def step(_frame: FrameType, event: str, _argument: Any) -> Any:
            bytecodes[name] += event == "opcode"
            return step

        return step

    for _ in range(WARM):
        way(pair)
    sys.settrace(trace)
    try:
        way(pair)
    finally:
        sys.settrace(None)
    return bytecodes, functions


def main() -> None:
    """Count and print."""
    parser = argparse.ArgumentParser(description="Count the work of one verify.")
    parser.add_argument("--rooms", action="store_true", help="print the share of each file, too")
    options = parser.parse_args()
    if os.environ.get("PYTHONHASHSEED") != "0":
        command = [sys.executable, *sys.argv]
        raise SystemExit(
            subprocess.run(command, env={"PYTHONHASHSEED": "0"}, check=False).returncode
        )
    files = picture(0, 20_000), picture(1, 20_000)
    first = fresh([files])[0]
    with tempfile.TemporaryDirectory() as temporary, server(Path(temporary), first) as port:
        client, ready = Client(port), (first[0].prepared(), first[1].prepared())
        ways: dict[str, tuple[Way, Any]] = {
            "bare": (client.bare(), ready),
            "image": (client.ours(), ready),
            "bytes": (client.ours(), files),
            "policies": (client.guarded(), files),
        }
        counts = {name: count(*way) for name, way in ways.items()}
    bare = counts["bare"][0].total()
    print(f"bare requests: {bare} bytecodes")
    for name, most in MOST.items():
        bytecodes = counts[name][0]
        verdict(
            f"{name}: {bytecodes.total()} bytecodes, times bare",
            bytecodes.total() / bare,
            most=most,
        )
        for file, number in bytecodes.most_common(30) if options.rooms else ():
            path = Path(file)
            print(
                f"  {number:6} {path.relative_to(ROOT) if path.is_relative_to(ROOT) else path.name}"
            )
    functions = counts["bytes"][1]
    print(
        f"{len(functions)} functions in {len({name for name, _ in functions})} files of facematch"
    )


if __name__ == "__main__":
    main()
