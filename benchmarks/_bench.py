"""Shared helpers of the benchmarks: server processes, headings and targets."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

HERE = Path(__file__).parent

missed: list[str] = []


def verdict(what: str, value: float, *, least: float | None = None, most: float = 0) -> None:
    """Print whether a target was met; record missed targets."""
    met, limit = (value <= most, f"at most {most:g}")
    if least is not None:
        met, limit = (value >= least, f"at least {least:g}")
    print(f"  -> {what}: {value:.3g}, wanted {limit}: {'met' if met else 'MISSED'}")
    if not met:
        missed.append(f"{what}: {value:.3g}, wanted {limit}")


def heading(text: str) -> None:
    """Print a heading with the load of the machine."""
    print(f"\n{text}   [load {os.getloadavg()[0]:.1f}]", flush=True)


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


def begin() -> None:
    """Disable proxies and print the load of the machine."""
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = "*"
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; client and server want one each")


def end() -> None:
    """Print the missed targets."""
    print("\n" + ("All targets met." if not missed else "Missed:\n  " + "\n  ".join(missed)))
