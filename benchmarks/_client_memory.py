"""What one call takes of memory, and which lines take it; for ``client_overhead``."""

from __future__ import annotations

import gc
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

#: Bytes: a line that takes more at once has copied a picture of 200 KB.
BIG = 100_000


def peak_of(call: Callable[[], object]) -> int:
    """Most bytes that were taken at once."""
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        call()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


def big_lines(call: Callable[[], object]) -> list[tuple[str, int]]:
    """Every passage through a line in which the memory in use rose by more than `BIG` bytes.

    Also if it fell again at once: the peak is looked at between any two lines.
    """
    peaks: list[tuple[str, int]] = []
    last: tuple[CodeType, int] | None = None
    before = 0

    def look(frame: FrameType, _event: str, _argument: object) -> Any:
        nonlocal last, before
        _, peak = tracemalloc.get_traced_memory()
        if last and peak - before > BIG:
            code, line = last
            where = f"{Path(code.co_filename).name}:{line} {code.co_name}"
            peaks.append((where, peak - before))
        last = frame.f_code, frame.f_lineno
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        return look

    tracemalloc.start()
    sys.settrace(look)
    try:
        call()
    finally:
        sys.settrace(None)
        tracemalloc.stop()
    return peaks
