"""Reading the body of an answer: complete, decompressed and never longer than the limit."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator

import requests

_CHUNK = 65536


class Unreadable(Exception):
    """The body is too long, or compressed in a way we cannot undo. Never leaves the boundary."""


def read_body(response: requests.Response, limit: int, hold: Callable[[], None]) -> bytes:
    """The whole body of at most `limit` bytes.

    `hold` is called before the first piece and after each; it raises to end the reading.

    urllib3 checks the framing; decompressing is done here, because older versions of it have no
    limit and none of them tells a broken off gzip stream from a whole one.

    Raises:
        Unreadable: the body came, but it cannot be used.
        Exception: many of requests, urllib3 and http.client: the answer is broken.
    """
    coding = response.headers.get("Transfer-Encoding", "chunked").strip().lower()
    if coding not in ("chunked", "identity"):
        raise requests.exceptions.ChunkedEncodingError("unknown transfer coding")
    encoding = response.headers.get("Content-Encoding", "").strip().lower() or "identity"
    if encoding not in ("identity", "gzip", "x-gzip", "deflate"):
        raise Unreadable("its body is compressed in an unknown way")
    pieces = response.raw.stream(_CHUNK, decode_content=False)
    if encoding != "identity":
        pieces = _decompressed(pieces, limit)
    body = bytearray()
    hold()
    for piece in pieces:
        hold()
        body += piece
        if len(body) > limit:
            raise Unreadable("its body is too long")
    return bytes(body)


def _decompressed(pieces: Iterator[bytes], limit: int) -> Iterator[bytes]:
    """gzip or zlib data, never more than `limit` + 1 bytes at a time."""
    # 32 lets zlib find out which of the two it is.
    decoder = zlib.decompressobj(32 + zlib.MAX_WBITS)
    begun = False
    try:
        for piece in pieces:
            begun = True
            yield decoder.decompress(piece, limit + 1)
            while decoder.unconsumed_tail:
                yield decoder.decompress(decoder.unconsumed_tail, limit + 1)
    except zlib.error:
        raise Unreadable("its body cannot be decompressed") from None
    if begun and (not decoder.eof or decoder.unused_data):
        raise Unreadable("its body cannot be decompressed")
