"""A request of the script in the form that each side takes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from facematch_mock_server._messages import Request
from facematch_mock_server.forms import MULTIPART, URLENCODED

from ._script import Picture
from ._talking import Asked

if TYPE_CHECKING:
    from facematch_core import Secret
    from facematch_core.http import HttpRequest

_BOUNDARY = "6f1d2c3b4a59e8f70d1c2b3a49586776"
#: What is sent for each picture to a mock that is told what it sees; sizes of files count.
STAND_INS: Mapping[Picture, bytes] = {
    **{one: b"stand-in for " + one.encode() for one in Picture},
    Picture.EMPTY: b"",
    Picture.NEARLY: bytes(5_200_000),
    Picture.BIG: bytes(5 * 1024 * 1024 + 1),
}
#: Width and height by which the boxes in an answer to stand-ins are looked at.
STAND_IN_SIZES: Mapping[Picture, tuple[int, int]] = {Picture.TWO: (480, 1280)}
#: The key that no vendor ever gave out.
WRONG_KEY = "facematch-drift-wrong-key"


def to_mock(asked: Asked, key: str | None, header: str) -> Request:
    """The request as an engine takes it, with stand-ins for the pictures."""
    headers = [("Host", "127.0.0.1")]
    if key is not None:
        headers.append((header, key))
    kind, body = _body(asked)
    if kind is not None:
        headers.append(("Content-Type", kind))
    query = urlencode(asked.query)
    target = f"{asked.path}?{query}" if query else asked.path
    return Request(method=asked.method, target=target, headers=tuple(headers), body=body)


def _body(asked: Asked) -> tuple[str | None, bytes]:
    if asked.json is not None:
        return "application/json", json.dumps(asked.json).encode()
    if asked.files:
        return f"{MULTIPART}; boundary={_BOUNDARY}", _multipart(asked)
    if asked.fields:
        return URLENCODED, urlencode(asked.fields).encode()
    return None, b""


def _multipart(asked: Asked) -> bytes:
    pieces = [
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'.encode()
        for name, text in asked.fields.items()
    ]
    for file in asked.files:
        name = file.name or f"{file.field}.jpg"
        head = (
            f"--{_BOUNDARY}\r\nContent-Disposition: form-data; "
            f'name="{file.field}"; filename="{name}"\r\nContent-Type: image/jpeg\r\n\r\n'
        )
        pieces += (head.encode(), STAND_INS[file.picture], b"\r\n")
    pieces.append(f"--{_BOUNDARY}--\r\n".encode())
    return b"".join(pieces)


def to_vendor(
    asked: Asked,
    key: Secret | None,
    header: str,
    *,
    base_url: str,
    pictures: Mapping[Picture, tuple[str, bytes]],
) -> HttpRequest:
    """The request as `facematch_core.http.HttpClient` sends it.

    Args:
        asked: The request.
        key: What it shows; None for nothing.
        header: Where that stands.
        base_url: Without a slash at its end.
        pictures: Outcome and bytes of each picture.
    """
    from facematch_core.http import FilePart, HttpRequest  # not above: it brings requests along

    return HttpRequest(
        method=asked.method,
        url=base_url + asked.path,
        headers={} if key is None else {header: key},
        params=asked.query,
        fields=asked.fields,
        json=asked.json,
        files=[
            FilePart(
                name=file.field,
                filename=file.name or f"{file.field}.{pictures[file.picture][0]}",
                content_type=f"image/{pictures[file.picture][0]}",
                data=pictures[file.picture][1],
            )
            for file in asked.files
        ],
    )
