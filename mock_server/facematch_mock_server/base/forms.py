"""Forms as the framework reads them: fields, files, and what it does with malformed bodies."""

from __future__ import annotations

import contextlib
import re
import string
from collections.abc import Callable
from functools import lru_cache
from urllib.parse import parse_qsl, unquote

import attrs

#: Of a body, and where a part of it starts and ends: the part's SHA-256 in hexadecimal, and itself.
Digest = Callable[..., tuple[str, bytes]]

MULTIPART = "multipart/form-data"
URLENCODED = "application/x-www-form-urlencoded"
#: As many fields, files and bytes of texts as the framework takes, and bytes of a part's head.
MAX_FIELDS, MAX_FILES, MAX_TEXT_BYTES, MAX_HEAD_BYTES = 1000, 100, 2_621_440, 1024

#: A parameter of a header: up to a semicolon that is not within quotes.
_PARAMETER = re.compile(r""";((?:[^";\\]+|\\"?|"(?:\\"|[^"])*"|".*)*)""", re.DOTALL)
#: A content type as nearly all clients write it.
_USUAL = re.compile(r"multipart/form-data; boundary=([0-9A-Za-z'()+_,./:=?-]{1,200})")
_USABLE_BOUNDARY = re.compile(r"[ -~]{0,200}[!-~]")


class FormError(ValueError):
    """The form cannot be taken apart at all; the message is what the framework says."""


class TooManyParts(FormError):
    """There are more fields, files or texts than the framework takes."""


@attrs.frozen
class Upload:
    """One file of a form: its name without folders, and its SHA-256 in hexadecimal."""

    name: str
    content: bytes = attrs.field(repr=False)
    #: None where digests are off.
    digest: str | None = None


@attrs.frozen
class Form:
    """A form that was read: texts and files by name, in the order sent."""

    fields: dict[str, list[str]] = attrs.field(factory=dict)
    files: dict[str, list[Upload]] = attrs.field(factory=dict)
    #: What is malformed in a body of which the rest was read; None for a whole one.
    problem: str | None = None


def media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def read_form(content_type: str, body: bytes | bytearray, *, digest: Digest | None) -> Form:
    """Read a multipart or urlencoded body; FormError if it cannot be taken apart at all."""
    usual = _USUAL.fullmatch(content_type)
    if usual is not None:
        return _read_multipart(usual[1], body, digest)
    if media_type(content_type) != URLENCODED:
        if not content_type.isascii():
            raise FormError(f"Invalid non-ASCII Content-Type in multipart: {content_type}")
        if not content_type.startswith("multipart/"):
            raise FormError(f"Invalid Content-Type: {content_type}")
        boundary = None
        with contextlib.suppress(UnicodeError, LookupError):
            boundary = _parameters(content_type).get("boundary")
        if boundary is None or not _USABLE_BOUNDARY.fullmatch(boundary):
            raise FormError(f"Invalid boundary in multipart: {boundary}")
        return _read_multipart(boundary, body, digest)
    form, text = Form(), body.decode(errors="replace")
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        raise TooManyParts("Too many fields.") from None
    for name, value in pairs:
        form.fields.setdefault(name, []).append(value)
    return form


def _read_multipart(boundary: str, body: bytes | bytearray, digest: Digest | None) -> Form:
    """One pass, as the framework makes it: what stands between two boundaries is a part."""
    form, separator = Form(), b"--" + boundary.encode()
    texts = uploads = text_bytes = start = 0
    length = len(body)
    while start < length:
        end = next_start = body.find(separator, start)
        if end < 0:
            end = next_start = length
        else:
            next_start += len(separator)
            end -= body.endswith(b"\n", start, end)
            end -= body.endswith(b"\r", start, end)
        head_end = body.find(b"\r\n\r\n", start, min(end, start + MAX_HEAD_BYTES))
        if head_end < 0 and end - start >= MAX_HEAD_BYTES:
            raise FormError("Request max total header size exceeded.")
        name, filename = (None, None) if head_end < 0 else _names(bytes(body[start:head_end]))
        start, content = next_start, head_end + 4
        if filename:
            uploads += name is not None
            bare = bare_name(filename)
            # A file that breaks off is none; a text that does is what there is of it.
            if name and bare and next_start < length:
                file = digest(body, content, end) if digest else (None, bytes(body[content:end]))
                form.files.setdefault(name, []).append(Upload(bare, file[1], file[0]))
        else:
            texts += 1
            if name is not None:
                text_bytes += end - content + len(name) + 2
            if name and text_bytes <= MAX_TEXT_BYTES:
                text = body[content:end].decode(errors="replace")
                form.fields.setdefault(name, []).append(text)
        # What is before the first boundary and after the last one counts there, too.
        if texts > MAX_FIELDS + 2 or text_bytes > MAX_TEXT_BYTES or uploads > MAX_FILES:
            raise TooManyParts("Too many fields or files.")
    last = body.rfind(separator)
    if last < 0 or not body.startswith(b"--", last + len(separator)):
        return attrs.evolve(form, problem="the body ends before its last boundary")
    return form


# The same few fields are sent again and again.
@lru_cache(maxsize=256)
def _names(head: bytes) -> tuple[str | None, str | None]:
    """Name and file name in the head of a part; None for one that it has not."""
    parameters: dict[str, str] = {}
    for line in head.split(b"\r\n"):
        with contextlib.suppress(UnicodeError, LookupError):
            text = line.decode()
            if text.strip()[:20].lower() == "content-disposition:":
                parameters = _parameters(text)
    name = parameters.get("name")
    return None if name is None else name.strip(string.whitespace), parameters.get("filename")


def _parameters(header: str) -> dict[str, str]:
    """As the standard library's `email` reads them; LookupError for an unknown character set."""
    plain: dict[str, str] = {}
    extended: dict[str, str] = {}
    for parameter in _PARAMETER.findall(f";{header}")[1:]:
        name, value = (text.strip() for text in parameter.partition("=")[::2])
        if len(value) > 1 and value[0] + value[-1] in {'""', "<>"}:
            value = value[1:-1].replace("\\\\", "\\").replace('\\"', '"')
        if name.endswith("*"):
            value = unquote(value, "latin-1")
            charset, _, text = value.split("'", 2) if value.count("'") > 1 else ("ascii", "", value)
            if charset:
                text = text.encode("raw-unicode-escape").decode(charset, "replace")
            extended[name[:-1].lower()] = text
        else:
            plain[name.lower()] = value
    return plain | extended


@lru_cache(maxsize=256)
def bare_name(filename: str) -> str:
    """A file's name as the framework keeps it: no folders, nothing that cannot be printed."""
    if "&" in filename:
        from html import unescape  # not above: it takes a millisecond of a start

        filename = unescape(filename)
    name = filename.rsplit("/", 1)[-1].rsplit("\\", 1)[-1]
    name = name if name.isprintable() else "".join(filter(str.isprintable, name))
    return "" if name in {".", ".."} else name
