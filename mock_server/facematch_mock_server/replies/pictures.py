"""The pictures in a request, to tell whether a recording is about the same ones."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from typing import Any

from facematch_core.base.nesting import load_json
from facematch_mock_server.base.messages import (
    MULTIPART,
    Request,
    form_of,
)

#: Matches a text that is a picture: a data URI, or base64 that begins as JPEG, PNG, GIF, WebP or
#: BMP does, or that is longer than an id or a token.
_PICTURE_TEXT = re.compile(
    r"data:image/.+|(/9j/|iVBORw0|R0lGOD|UklGR|Qk)[\w+/=\s-]{60,}|[\w+/=\s-]{400,}", re.DOTALL
)
#: Matches the names of fields with a picture or its link. S3Object is Amazon's bucket and name.
_PICTURE_FIELD = re.compile(
    r"image|img|picture|photo|selfie|face|portrait|^url|S3Object", re.IGNORECASE
)


def pictures_in(request: Request) -> list[bytes]:
    """Return the pictures of a request in the order sent.

    They are the files of a form, texts in base64, and a body that is neither text nor a form. A
    picture that is sent as a link, or as a bucket and a name in S3, counts by that text.
    """
    form = form_of(request)
    pictures = []
    for files in form.files.values():
        pictures += [bytes(file.content) for file in files]
    values: list[Any] = [dict(request.query), form.fields]
    if request.media_type != MULTIPART:
        try:
            text = bytes(request.body).decode()
        except UnicodeDecodeError:
            return [*pictures, bytes(request.body)]
        try:
            values.append(load_json(text or "null"))
        except ValueError:
            values.append(text)
    try:
        texts = list(_texts_in("", values))
    except RecursionError:
        return [*pictures, bytes(request.body)]
    for name, text in texts:
        is_link = _PICTURE_FIELD.search(name) is not None and (
            text.startswith(("http://", "https://")) or "S3Object" in name
        )
        if is_link:
            pictures.append(text.encode(errors="replace"))
        elif _PICTURE_TEXT.fullmatch(text):
            pictures.append(_decode(text))
    return pictures


def digest_pictures(request: Request, salt: str) -> tuple[str, ...]:
    """Return a salted digest of each picture in a request, 16 hexadecimal digits, in order."""
    digests = []
    for picture in pictures_in(request):
        digests.append(hashlib.sha256(salt.encode() + picture).hexdigest()[:16])
    return tuple(digests)


def _texts_in(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """Yield all texts in a JSON value with the name of their field, below S3Object that name."""
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, list):
        for item in value:
            yield from _texts_in(name, item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _texts_in(name if "S3Object" in name else key, item)


def _decode(text: str) -> bytes:
    """Return the bytes of a text in base64, with or without ``data:``; else the text itself."""
    _, _, encoded = text.rpartition(",")
    try:
        return base64.b64decode(encoded + "==")
    except ValueError:
        return text.encode(errors="replace")
