"""Reading numbers out of bytes, where an end that comes too early is an answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from ._refusal import Damaged, EndOfData

ByteOrder = Literal["big", "little"]

#: More segments, chunks or boxes than any real file has. A file of 32 MiB could otherwise hold
#: millions of empty ones, and walking them takes many seconds.
_MOST_PARTS = 100_000


def unsigned(data: bytes, at: int, size: int, order: ByteOrder = "big") -> int:
    """The unsigned number in `size` bytes from `at`.

    Raises:
        EndOfData: `data` ends before it.
    """
    piece = data[at : at + size]
    if len(piece) < size:
        raise EndOfData
    return int.from_bytes(piece, order)


def parts() -> Iterator[int]:
    """Count the parts of a file as they are walked.

    Raises:
        Damaged: there are more than any real file has.
    """
    yield from range(_MOST_PARTS)
    raise Damaged(f"it has more than {_MOST_PARTS} parts")
