"""Forms, multipart and urlencoded: texts and files by name."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from urllib.parse import parse_qsl, unquote

import attrs

#: Returns SHA-256 and content of the part between two places of a body.
Digest = Callable[[bytes | bytearray, int, int], tuple[str, bytes]]

MULTIPART = "multipart/form-data"
URLENCODED = "application/x-www-form-urlencoded"

_BOUNDARY = re.compile(
    r'boundary=(?:"([ -!#-~]{0,200}[!#-~])"|([!#-+\--:<-~]{1,200}))', re.IGNORECASE
)
_PARAMETER = re.compile(r';\s*([\w*-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;]*))')


class FormError(ValueError):
    """The body is not a form; the message says why."""


@attrs.frozen
class Upload:
    """A file of a form: its name without folders, and its SHA-256 in hexadecimal."""

    name: str
    content: bytes = attrs.field(repr=False)
    #: Stays None if nobody asked for it.
    digest: str | None = None


@attrs.define(eq=False)
class Form:
    """Texts and files of a form by name, in the order sent."""

    fields: dict[str, list[str]] = attrs.field(factory=dict)
    files: dict[str, list[Upload]] = attrs.field(factory=dict)


def media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def read_form(content_type: str, body: bytes | bytearray, *, digest: Digest | None) -> Form:
    """Read a multipart or urlencoded body. Raises `FormError` for another or a malformed one."""
    form = Form()
    if media_type(content_type) == URLENCODED:
        for name, value in parse_qsl(body.decode(errors="replace"), keep_blank_values=True):
            form.fields.setdefault(name, []).append(value)
        return form
    separator = _separator(content_type)
    start = body.find(separator)
    start += len(separator)
    # Each part stands between two separators; the last one ends in two hyphens.
    while (end := body.find(separator, start)) >= 0:
        content = body.find(b"\r\n\r\n", start, end) + 4
        field, filename = _read_head(bytes(body[start:content]) if content > 3 else b"")
        if not field:
            raise FormError("A part of the form has no name.")
        # The line end before the separator belongs to it.
        stop = end - 2
        if filename:
            if digest is None:
                file = Upload(filename, bytes(body[content:stop]))
            else:
                file = Upload(filename, *digest(body, content, stop)[::-1])
            form.files.setdefault(field, []).append(file)
        else:
            text = body[content:stop].decode(errors="replace")
            form.fields.setdefault(field, []).append(text)
        start = end + len(separator)
    if start < len(separator) or not body.startswith(b"--", start):
        raise FormError("The form ends before its last boundary.")
    return form


@lru_cache(maxsize=256)
def _separator(content_type: str) -> bytes:
    """Return the separator of the parts. Raises `FormError`."""
    boundary = _BOUNDARY.search(content_type)
    if media_type(content_type) != MULTIPART or boundary is None:
        raise FormError(f"Invalid content type of a form: {content_type}")
    return b"--" + (boundary[1] or boundary[2]).encode()


# Cached, because the same few fields are sent again and again.
@lru_cache(maxsize=256)
def _read_head(head: bytes) -> tuple[str | None, str | None]:
    """Return the field's name and the file's name of a part; None for a missing one."""
    for line in head.decode(errors="replace").split("\r\n"):
        header, _, value = line.partition(":")
        if header.strip().lower() == "content-disposition":
            parameters: dict[str, str] = {
                name.lower(): re.sub(r"\\(.)", r"\1", quoted) if quoted else plain
                for name, quoted, plain in _PARAMETER.findall(value)
            }
            filename = parameters.get("filename", "")
            if "filename*" in parameters:
                # RFC 5987: charset'language'value.
                filename = unquote(parameters["filename*"].rpartition("'")[2])
            return parameters.get("name"), bare_name(filename) if filename else None
    return None, None


@lru_cache(maxsize=256)
def bare_name(filename: str) -> str:
    """Return a file's name without folders and unprintable characters."""
    name = filename.rsplit("/", 1)[-1].rsplit("\\", 1)[-1]
    return "".join(filter(str.isprintable, name))
