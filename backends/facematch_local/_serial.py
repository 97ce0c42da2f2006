"""dlib's way to write numbers, names and tensors into a file, read back.

An integer is one byte (bit 7 the sign, the low four bits a count n) and n bytes, little-endian; a
string is its length as such an integer, then its bytes; a float is two integers, mantissa and
power of two; a tensor is the integer 2, four sizes, and that many raw 32-bit floats.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

#: No size in the real files is above 150; what is above this is damage.
_LARGEST = 65_535

#: dlib writes at most 64 bits for an integer.
_LONGEST = 8


class Reader:
    """A place in the bytes; what is wrong there is a `ValueError`. Tensors look into the data."""

    def __init__(self, data: bytes, names: Iterable[str]) -> None:
        """At the first byte; `names` are of the layers to stop at, at most 127 characters each."""
        self._data = data
        self._at = 0
        stored = (bytes((1, len(name))) + name.encode() for name in names)
        self._names = re.compile(b"|".join(map(re.escape, stored)))

    def error(self, what: str) -> ValueError:
        """The error to raise for what stands just before this place."""
        return ValueError(f"not a face recognition network: {what} before byte {self._at}")

    def next_name(self) -> str:
        """The next of the names in the bytes to come; does not move."""
        match = self._names.search(self._data, self._at)
        if match is None:
            raise self.error("no further layer")
        return match[0][2:].decode()

    def skip_to(self, name: str) -> None:
        """Go behind the next of the names, which must be this one."""
        match = self._names.search(self._data, self._at)
        if match is None or match[0][2:].decode() != name:
            raise self.error(f"no layer {name}")
        self._at = match.end()

    def integer(self) -> int:
        """A signed integer of at most 64 bits."""
        head = self._data[self._at] if self._at < len(self._data) else 0
        end = self._at + 1 + (head & 0x0F)
        if head & 0x70 or not 1 <= head & 0x0F <= _LONGEST or end > len(self._data):
            raise self.error("no integer")
        value = int.from_bytes(self._data[self._at + 1 : end], "little")
        self._at = end
        return -value if head & 0x80 else value

    def size(self) -> int:
        """A number of things, 1-65535."""
        value = self.integer()
        if not 1 <= value <= _LARGEST:
            raise self.error(f"a size of {value}")
        return value

    def real(self) -> float:
        """A finite number."""
        mantissa, exponent = self.integer(), self.integer()
        # Inside of these bounds 64 bits of mantissa cannot overflow.
        if not -900 <= exponent <= 900:
            raise self.error("no finite number")
        return math.ldexp(mantissa, exponent)

    def tensor(self) -> NDArray[np.float32]:
        """The numbers of a tensor, all finite, in one row."""
        if self.integer() != 2:
            raise self.error("no tensor")
        sizes = [self.integer() for _ in range(4)]
        count = math.prod(sizes)
        end = self._at + 4 * count
        if min(sizes) < 1 or end > len(self._data):
            raise self.error(f"a tensor of {count} numbers")
        values = np.frombuffer(self._data, "<f4", count, self._at)
        if not np.isfinite(values).all():
            raise self.error("a tensor with a number that is not finite")
        self._at = end
        return values
