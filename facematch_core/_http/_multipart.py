"""A multipart form as requests and urllib3 write it, with each file copied once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from urllib3.fields import format_multipart_header_param
from urllib3.filepost import choose_boundary

from ._messages import FilePart


def multipart(fields: Mapping[str, str], files: Iterable[FilePart]) -> tuple[bytes, str]:
    """The body, and the content type that tells its boundary.

    urllib3 lets a buffer grow, which copies what is in it anew; this knows all pieces before.
    """
    boundary = choose_boundary()
    pieces: list[bytes] = []
    for name, text in fields.items():
        head = f"--{boundary}\r\n{_disposition(name)}\r\n\r\n"
        pieces.append(f"{head}{text}\r\n".encode())
    for file in files:
        told = format_multipart_header_param("filename", file.filename)
        # An empty media type is not written.
        kind = f"\r\nContent-Type: {file.content_type}" if file.content_type else ""
        head = f"--{boundary}\r\n{_disposition(file.name)}; {told}{kind}\r\n\r\n"
        pieces += (head.encode(), file.data, b"\r\n")
    pieces.append(f"--{boundary}--\r\n".encode())
    return b"".join(pieces), f"multipart/form-data; boundary={boundary}"


def _disposition(name: str) -> str:
    return f"Content-Disposition: form-data; {format_multipart_header_param('name', name)}"
