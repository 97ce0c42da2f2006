"""Where a picture's bytes come from: a file, an open file, a text in base64."""

from __future__ import annotations

import base64
import binascii
import os
import re
from typing import Any

from ._formats import MAX_FILE_BYTES
from ._refusal import Refusal
from ._sniff import check_size

#: Told for every plain text that is given as a picture. Its value is not told: it may be the
#: picture in base64, or an address with a key in it.
PLAIN_TEXT = (
    "cannot be given as plain text; write "
    'Image.read("selfie.jpg") for a file or Image.from_base64(field) for a field of a form'
)

#: The single slash is what pathlib leaves of two.
_URL = re.compile(r"[a-z][a-z0-9+.-]+://|(https?|ftp|s3|gs):/", re.IGNORECASE)
#: What base64 of JPEG, PNG and WebP begins with, or any long text in its alphabet.
_LIKE_BASE64 = re.compile(r"data:|/9j/|iVBORw0KGgo|UklGR|[A-Za-z0-9+/=\s]{256}")
_DATA_URI = re.compile(rb"data:[^,]{0,200},", re.IGNORECASE)
_WHITE_SPACE = b" \t\r\n\f\v"


def from_bytes(data: object) -> bytes:
    """An unchanging copy of bytes, a bytearray or a memoryview."""
    if isinstance(data, str):
        raise Refusal(PLAIN_TEXT)
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise Refusal(f"must be given as bytes, not {type(data).__name__}")
    check_size(data.nbytes if isinstance(data, memoryview) else len(data))
    return bytes(data)


def from_path(path: str | os.PathLike[str]) -> tuple[bytes, str]:
    """The bytes of a file, and the words that name it in a sentence."""
    if not isinstance(path, (str, os.PathLike)):
        raise Refusal(f"must be named by a str or os.PathLike, not {type(path).__name__}")
    name = os.fsdecode(path)
    if _URL.match(name):
        # Not repeated: an address may carry a signature or a key.
        raise Refusal("is named by a URL, and none is fetched; download it and use its bytes")
    subject = f"The picture {name!r}"
    try:
        with open(name, "rb") as file:  # noqa: PTH123 - the name as given, no second meaning
            data = file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        if _LIKE_BASE64.match(name):
            # Not repeated: it is the picture.
            raise Refusal("is named by what looks like base64; use Image.from_base64") from None
        raise Refusal(_why_unreadable(name, error), subject=subject) from None
    try:
        _check_read(data)
    except Refusal as refusal:
        raise Refusal(refusal.why, subject=subject) from None
    return data, subject


def from_file(file: Any) -> bytes:
    """What a binary file object has from here on, at most one byte more than may be read."""
    if not callable(getattr(file, "read", None)):
        raise Refusal(f"must come from a binary file object, not {type(file).__name__}")
    pieces: list[bytes] = []
    missing = MAX_FILE_BYTES + 1
    while missing > 0:
        try:
            piece = file.read(missing)
        except (OSError, ValueError) as error:
            raise Refusal(
                f"cannot be read from its file object ({type(error).__name__}); "
                "check that it is open for reading"
            ) from None
        if isinstance(piece, str):
            raise Refusal('comes from a file in text mode; open it with mode "rb"')
        if not isinstance(piece, bytes):
            raise Refusal(
                f"comes from a file object that gave {type(piece).__name__} instead of bytes; "
                "read it yourself and use Image.from_bytes"
            )
        if not piece:
            break
        pieces.append(piece)
        missing -= len(piece)
    data = b"".join(pieces)
    _check_read(data)
    return data


def from_base64(text: object) -> bytes:
    """The bytes of a base64 text or a data URI. White space does not count."""
    if not isinstance(text, (str, bytes)):
        raise Refusal(f"must be given as base64 text, not {type(text).__name__}")
    # What is not ASCII becomes "?", which is no base64 either.
    raw = text.encode("ascii", "replace") if isinstance(text, str) else text
    raw = raw.translate(None, _WHITE_SPACE)
    prefix = _DATA_URI.match(raw)
    if prefix:
        if not prefix[0].lower().endswith(b";base64,"):
            raise Refusal("is in a data URI without ;base64; encode it as base64")
        raw = raw[prefix.end() :]
    if len(raw) // 4 * 3 > MAX_FILE_BYTES + 2:
        raise Refusal(
            f"has about {len(raw) // 4 * 3} bytes, more than the {MAX_FILE_BYTES} that are read; "
            "shrink it first"
        )
    try:
        data = base64.b64decode(raw, validate=True)
    except binascii.Error:
        raise Refusal(_why_no_base64(raw)) from None
    check_size(len(data))
    return data


def _why_no_base64(raw: bytes) -> str:
    if re.fullmatch(rb"[A-Za-z0-9_-]+={0,2}", raw) and re.search(rb"[_-]", raw):
        return (
            "is in the URL-safe base64 alphabet; "
            "decode it with base64.urlsafe_b64decode and use Image.from_bytes"
        )
    return (
        f"is not valid base64 ({len(raw)} characters); "
        "check that the text is complete, and use Image.read for a file name"
    )


def _check_read(data: bytes) -> None:
    if len(data) > MAX_FILE_BYTES:
        raise Refusal(f"has more than the {MAX_FILE_BYTES} bytes that are read; shrink it first")
    check_size(len(data))


def _why_unreadable(name: str, error: OSError | ValueError) -> str:
    # Asked of the file system, not of the error: Windows answers a directory with "no permission".
    if "\0" not in name and os.path.isdir(name):  # noqa: PTH112 - as above
        return "is a directory; name a file in it"
    if isinstance(error, FileNotFoundError):
        return "does not exist; check the name and the current directory"
    if isinstance(error, PermissionError):
        return "may not be read by this user; check its permissions"
    return f"cannot be read ({type(error).__name__}); check the name"
