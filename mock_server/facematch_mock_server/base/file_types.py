"""The type of a file, by its first bytes."""

from __future__ import annotations

_TYPES = (
    (b"\xff\xd8\xff", "jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"%PDF-", "pdf"),
    (b"II*\x00", "tiff"),
    (b"MM\x00*", "tiff"),
)


def type_of_file(content: bytes) -> str | None:
    """Return ``jpeg``, ``png``, ``pdf``, ``tiff`` or ``webp``; None for any other file."""
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "webp"
    for first_bytes, file_type in _TYPES:
        if content.startswith(first_bytes):
            return file_type
    return None


def media_type_of_picture(content: bytes) -> str:
    """Return ``image/png`` for a PNG, and ``image/jpeg`` for any other picture."""
    return "image/png" if type_of_file(content) == "png" else "image/jpeg"
