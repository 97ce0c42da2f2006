"""Shared helpers of the benchmarks: server processes, targets and counts of bytecodes."""

from __future__ import annotations

import collections
import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

HERE = Path(__file__).parent
#: The checkout; files below it count as facematch.
ROOT = HERE.parent


def verdict(what: str, value: float, *, most: float) -> None:
    """Print whether a target was met."""
    is_met = value <= most
    print(f"  -> {what}: {value:.3g}, wanted at most {most:g}: {'met' if is_met else 'MISSED'}")


@contextlib.contextmanager
def process(command: Sequence[str]) -> Iterator[int]:
    """Run a server process; yield the port that it prints. The process ends with the context."""
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, stderr=subprocess.DEVNULL
    ) as server:
        try:
            line = server.stdout.readline() if server.stdout else ""
            match = re.search(r"(\d+)\s*$", line)
            if not match:
                raise RuntimeError(f"{command} did not start; it said {line!r}")
            yield int(match[1])
        finally:
            server.kill()


def restart_without_chance() -> None:
    """Run the program again with an empty environment and a fixed hash seed; then counts repeat."""
    if os.environ.get("PYTHONHASHSEED") != "0":
        command = [sys.executable, *sys.argv]
        done = subprocess.run(command, env={"PYTHONHASHSEED": "0"}, check=False)
        raise SystemExit(done.returncode)


def count(call: Callable[[], Any], warm: int) -> tuple[collections.Counter[str], set[Any]]:
    """Return the bytecodes of a call by file, and the functions of facematch that it runs.

    The call is made `warm` times before it is counted.
    """
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

    for _ in range(warm):
        call()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(None)
    return bytecodes, functions


def print_files(bytecodes: collections.Counter[str]) -> None:
    """Print the files with the most bytecodes."""
    for name, number in bytecodes.most_common(40):
        path = Path(name)
        print(f"  {number:6} {path.relative_to(ROOT) if path.is_relative_to(ROOT) else path.name}")
