"""The text chunk of a card: its facts once more, readable without decoding a pixel.

It counts only for the pixels it was written for. Programs that turn or crop a PNG may keep its
texts, so the chunk names the checksums of the picture's header and of its first coded pixels.

Source: W3C, Portable Network Graphics (PNG) Specification, third edition (2025), sections 5, 11.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from ._card import Card
from ._payload import PAYLOAD_BYTES, card_of, payload_of

KEYWORD = b"facematch-card"

_MAGIC = b"\x89PNG\r\n\x1a\n"
#: So many chunks are looked through; cards have two or three before their pixels.
_MAX_CHUNKS = 32
#: Payload and seal in hexadecimal digits, three digits of degrees, two dots.
_LENGTH = 2 * PAYLOAD_BYTES + 1 + 3 + 1 + 8


def with_text(png: bytes, card: Card) -> bytes:
    """The same PNG with the chunk after its header."""
    told = f"{payload_of(card).hex()}.{card.turned:03}".encode()
    content = KEYWORD + b"\0" + told + b"." + _seal(told, _marks(png)[0])
    chunk = b"tEXt" + content
    whole = len(content).to_bytes(4, "big") + chunk + zlib.crc32(chunk).to_bytes(4, "big")
    # The magic, then a header chunk that is always 25 bytes long.
    after_header = len(_MAGIC) + 25
    return png[:after_header] + whole + png[after_header:]


def card_in_text(data: bytes) -> Card | None:
    """The card that a chunk tells; None without one, or with one for other pixels."""
    if not data.startswith(_MAGIC):
        return None
    marks, text = _marks(data)
    if len(text) != _LENGTH:
        return None
    told, _, seal = text.rpartition(b".")
    if seal != _seal(told, marks):
        return None
    payload, _, turned = told.partition(b".")
    try:
        return card_of(bytes.fromhex(payload.decode()), int(turned))
    except ValueError:
        return None


def _marks(data: bytes) -> tuple[bytes, bytes]:
    """What the pixels are known by, and the text of a card's chunk before them (b"" if none)."""
    marks, text = b"", b""
    for name, body, end in _chunks(data):
        if name == b"tEXt" and data.startswith(KEYWORD + b"\0", body):
            text = data[body + len(KEYWORD) + 1 : end]
        elif name in {b"IHDR", b"IDAT"}:
            marks += (end - body).to_bytes(4, "big") + data[end : end + 4]
    return marks, text


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, begin and end of content of each chunk up to the first one with pixels."""
    at = len(_MAGIC)
    for _ in range(_MAX_CHUNKS):
        name, body = data[at + 4 : at + 8], at + 8
        end = body + int.from_bytes(data[at : at + 4], "big")
        if end + 4 > len(data):
            return
        yield name, body, end
        if name == b"IDAT":
            return
        at = end + 4


def _seal(told: bytes, marks: bytes) -> bytes:
    return f"{zlib.crc32(told + marks):08x}".encode()
