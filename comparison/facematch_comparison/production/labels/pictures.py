"""The pictures of calls in a folder that the person who labels names."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Final

import attrs

from facematch_core.base.files import read_regular
from facematch_core.errors import InvalidRequest

#: Maximum size of a picture in bytes.
_MAX_BYTES: Final = 1 << 25
#: The media types that a browser shows, by the first bytes of the file.
_MEDIA_TYPES: Final = {
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"GIF8": "image/gif",
}


@attrs.frozen
class Picture:
    """The content of a picture, and its media type."""

    content: bytes = attrs.field(repr=False)
    media_type: str


def find_pictures(folder: Path, call_ids: Collection[str]) -> dict[str, list[Path]]:
    """Return the pictures of each call, sorted by name; calls without one are left out.

    A picture is a file in a folder named like the call (``CALL/selfie.jpg``), or a file whose name
    is the call's id, alone or with more after a dash, an underscore or a dot (``CALL-1.jpg``).

    Raises:
        InvalidRequest: the folder cannot be read.
    """
    known_ids = set(call_ids)
    found: dict[str, list[Path]] = {}
    try:
        for entry in sorted(folder.iterdir()):
            if entry.name in known_ids and entry.is_dir():
                files = [file for file in sorted(entry.iterdir()) if file.is_file()]
                found.setdefault(entry.name, []).extend(files)
            elif entry.is_file():
                call_id = _call_of(entry.name, known_ids)
                if call_id is not None:
                    found.setdefault(call_id, []).append(entry)
    except OSError as error:
        raise InvalidRequest(f"{folder} cannot be read: {error.strerror}.") from None
    return {call_id: files for call_id, files in found.items() if files}


def _call_of(name: str, known_ids: Collection[str]) -> str | None:
    """Return the longest id with which a file's name begins, up to a dash, underscore or dot."""
    ends = [number for number, letter in enumerate(name) if letter in "-_."]
    for end in reversed(ends):
        if name[:end] in known_ids:
            return name[:end]
    return None


def read_picture(path: Path) -> Picture | None:
    """Return a picture, or None if it cannot be read, or a browser cannot show it."""
    try:
        content = read_regular(path, _MAX_BYTES)
    except (OSError, ValueError, InvalidRequest):
        return None
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return Picture(content, "image/webp")
    for start, media_type in _MEDIA_TYPES.items():
        if content.startswith(start):
            return Picture(content, media_type)
    return None
