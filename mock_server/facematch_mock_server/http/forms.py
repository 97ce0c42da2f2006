"""Forms as the framework reads them: fields, files, and what it does with malformed bodies."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import parse_qsl, unquote

import attrs
from multipart import (  # type: ignore[import-untyped]  # it ships no types
    MultipartError,
    MultipartSegment,
    ParserLimitReached,
    PushMultipartParser,
)

#: Content to SHA-256 in hexadecimal.
Digest = Callable[[bytes], str]

MULTIPART = "multipart/form-data"
URLENCODED = "application/x-www-form-urlencoded"
#: As many fields, files and bytes of texts as the framework takes, and bytes of a part's head.
MAX_FIELDS, MAX_FILES, MAX_TEXT_BYTES, MAX_HEAD_BYTES = 1000, 100, 2_621_440, 1024

_BOUNDARY = re.compile(r""";\s*boundary\s*=\s*("(?:\\.|[^"\\])*"|[^;]*)""", re.IGNORECASE)
_USABLE_BOUNDARY = re.compile(r"[ -~]{0,200}[!-~]")
_EXTENDED_NAME = re.compile(r";\s*filename\*\s*=\s*\"?([^;\"]*)", re.IGNORECASE)


class FormError(ValueError):
    """The form cannot be taken apart at all; the message is what the framework says."""


class TooManyParts(FormError):
    """There are more fields, files or texts than the framework takes."""


@attrs.frozen
class Upload:
    """One file of a form.

    Attributes:
        name: Of the file, without folders.
        content: Its bytes.
        digest: SHA-256 in hexadecimal; None where digests are off.
    """

    name: str
    content: bytes = attrs.field(repr=False)
    digest: str | None = None


@attrs.frozen
class Form:
    """A form that was read.

    Attributes:
        fields: Texts by name, in the order sent.
        files: Files by name, in the order sent.
        problem: Why the rest of a malformed body was not read; None for a whole one.
    """

    fields: dict[str, list[str]] = attrs.field(factory=dict)
    files: dict[str, list[Upload]] = attrs.field(factory=dict)
    problem: str | None = None


def media_type(content_type: str) -> str:
    """The type without parameters, in lower case."""
    return content_type.partition(";")[0].strip().lower()


def read_form(content_type: str, body: bytes, *, digest: Digest | None) -> Form:
    """Read a multipart or urlencoded body.

    Args:
        content_type: The whole header.
        body: All of it.
        digest: What files are digested with; None for not at all.

    Raises:
        FormError: it cannot be taken apart at all.
    """
    if media_type(content_type) == URLENCODED:
        return _read_urlencoded(body)
    return _read_multipart(_boundary(content_type), body, _Parts(digest))


def _read_urlencoded(body: bytes) -> Form:
    text = body.decode(errors="replace")
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        raise TooManyParts("Too many fields.") from None
    form = Form()
    for name, value in pairs:
        form.fields.setdefault(name, []).append(value)
    return form


def _boundary(content_type: str) -> str:
    if not content_type.isascii():
        raise FormError(f"Invalid non-ASCII Content-Type in multipart: {content_type}")
    if not content_type.startswith("multipart/"):
        raise FormError(f"Invalid Content-Type: {content_type}")
    found = _BOUNDARY.search(content_type)
    boundary = found[1].strip().strip('"') if found else "None"
    if not found or not _USABLE_BOUNDARY.fullmatch(boundary):
        raise FormError(f"Invalid boundary in multipart: {boundary}")
    return boundary


def _read_multipart(boundary: str, body: bytes, parts: _Parts) -> Form:
    # Header bytes are read one to one and decoded later: a part whose head is no UTF-8 is left
    # out by the framework, and does not end the form.
    parser = PushMultipartParser(
        boundary,
        header_charset="latin-1",
        max_header_count=1024,
        max_segment_count=MAX_FIELDS + MAX_FILES,
    )
    problem = None
    try:
        for event in parser.parse(body):
            parts.take(event)
        # A whole body has nothing more to give; one that breaks off is ended here.
        for event in parser.parse(f"\r\n--{boundary}--\r\n".encode()):
            problem = "the body ends before its last boundary"
            parts.is_broken = True
            parts.take(event)
    except ParserLimitReached as limit:
        if "header" in str(limit):
            raise FormError(_LONG_HEAD) from None
        raise TooManyParts(f"{limit}.") from None
    except MultipartError as error:
        problem = str(error)
    return Form(parts.fields, parts.files, problem)


_LONG_HEAD = "Request max total header size exceeded."


class _Parts:
    """The parts of a multipart body, collected from the parser's events."""

    def __init__(self, digest: Digest | None) -> None:
        self.fields: dict[str, list[str]] = {}
        self.files: dict[str, list[Upload]] = {}
        self._digest = digest
        #: Whether the body has ended, and a part with it.
        self.is_broken = False
        self._texts = self._text_bytes = self._uploads = 0
        self._name: str | None = None
        self._file_name: str | None = None
        self._chunks: list[bytes] = []

    def take(self, event: MultipartSegment | bytes | None) -> None:
        """Note what the parser found: the head of a part, some of its body, or its end."""
        if event is None:
            self._keep()
        elif isinstance(event, bytes):
            self._chunks.append(event)
        else:
            if sum(len(n) + len(v) + 4 for n, v in event.headerlist) > MAX_HEAD_BYTES:
                raise FormError(_LONG_HEAD)
            self._chunks = []
            self._name, self._file_name = _utf8(event.name), _file_name(event)
            if self._name is not None:
                self._name = self._name.strip()
            if event.filename is not None and self._file_name is None:
                # A head that cannot be read is left out with its part.
                self._name = None

    def _keep(self) -> None:
        chunks, name, filename = self._chunks, self._name, self._file_name
        if not name:
            return
        content = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        if not filename:
            self._texts, self._text_bytes = self._texts + 1, self._text_bytes + len(content)
            if self._texts > MAX_FIELDS or self._text_bytes > MAX_TEXT_BYTES:
                raise TooManyParts("Too many fields.")
            text = content.decode(errors="replace")
            self.fields.setdefault(name, []).append(text)
            return
        self._uploads += 1
        if self._uploads > MAX_FILES:
            raise TooManyParts("Too many files.")
        bare = bare_name(filename)
        # A file that breaks off is none; a text that does is what there is of it.
        if bare and not self.is_broken:
            digest = self._digest(content) if self._digest else None
            self.files.setdefault(name, []).append(Upload(bare, content, digest))


def bare_name(filename: str) -> str:
    """A file's name as the framework keeps it: no folders, nothing that cannot be printed."""
    name = filename.rsplit("/", 1)[-1].rsplit("\\", 1)[-1]
    name = name if name.isprintable() else "".join(filter(str.isprintable, name))
    return "" if name in {".", ".."} else name


def _file_name(segment: MultipartSegment) -> str | None:
    extended = _EXTENDED_NAME.search(segment.header("Content-Disposition") or "")
    if extended and extended[1].count("'") == 2:
        charset, _, quoted = extended[1].split("'")
        try:
            return unquote(quoted.strip(), charset or "utf-8", "replace")
        except LookupError:
            return None
    return _utf8(segment.filename)


def _utf8(text: str | None) -> str | None:
    if text is None or text.isascii():
        return text
    try:
        return text.encode("latin-1").decode()
    except UnicodeError:
        return None
