"""BMP: two headers and rows of pixels.

Source: Microsoft Learn, "Bitmap storage" and BITMAPINFOHEADER.
"""

from __future__ import annotations

from ._bytes import unsigned
from ._formats import ImageFormat
from ._header import Header
from ._refusal import Damaged, EndOfData

#: Sizes of the second header, which name its version.
_HEADERS = {12, 16, 40, 52, 56, 64, 108, 124}


def is_bmp(data: bytes) -> bool:
    """Whether these are the first bytes of a BMP file. "BM" alone may begin any text."""
    return data[:2] == b"BM" and int.from_bytes(data[14:18], "little") in _HEADERS


def header(data: bytes) -> Header:
    """Read the size.

    Raises:
        EndOfData: the rows do not fit into the file.
        Damaged: a size of nothing.
    """
    start, version = unsigned(data, 10, 4, "little"), unsigned(data, 14, 4, "little")
    if version == 12:
        width, height = unsigned(data, 18, 2, "little"), unsigned(data, 20, 2, "little")
        depth, compression = unsigned(data, 24, 2, "little"), 0
    else:
        width, height = unsigned(data, 18, 4, "little"), unsigned(data, 22, 4, "little")
        # A negative height says that the rows go from top to bottom.
        height = min(height, 2**32 - height)
        depth, compression = unsigned(data, 28, 2, "little"), unsigned(data, 30, 4, "little")
    if depth not in (1, 2, 4, 8, 16, 24, 32):
        raise Damaged(f"it has {depth} bits per pixel")
    # Rows that are not compressed (0 and 3) have a known length, in steps of four bytes.
    rows = (width * depth + 31) // 32 * 4 * height if compression in (0, 3) else 1
    if start + rows > len(data):
        raise EndOfData
    return Header(ImageFormat.BMP, width, height)
