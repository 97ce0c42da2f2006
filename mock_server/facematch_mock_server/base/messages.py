"""Requests, responses and forms as plain data, and the headers that mark a mock's response."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, Protocol, overload
from urllib.parse import parse_qsl, unquote

import attrs

Headers = tuple[tuple[str, str], ...]
#: Match a valid header name and value; anything else would break the framing.
HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
HEADER_VALUE = re.compile(r"([!-~\x80-\xff]([\t -~\x80-\xff]*[!-~\x80-\xff])?)?")
#: Headers that the transport or the mock sets, so no rule of a test can set them, in lower case.
RESERVED_HEADERS = frozenset(
    {"connection", "content-length", "date", "keep-alive", "server", "te", "trailer"}
    | {"transfer-encoding", "upgrade", "x-facematch-mock", "x-facematch-claims"}
)

#: The mock's own paths: the control API and the console, and the pages of hosted sessions.
CONTROL = "/__mock__"
PERSON = f"{CONTROL}/person/"
#: The path that tells whether the server runs, for every client and vendor.
HEALTH = f"{CONTROL}/health"

#: The request header with the token of the control API.
TOKEN_HEADER = "X-Mock-Token"  # noqa: S105 - the name of a header, no secret
#: The request header that requests the claims, and the response header that lists them.
CLAIMS_HEADER = "X-Facematch-Claims"

#: Matches the token of a hosted session's page in a URL.
_PAGE_TOKEN = re.compile(r"(/session/)[A-Za-z0-9_-]{12}(?![A-Za-z0-9_-])")


def hide_token(address: str) -> str:
    """Mask the token of a hosted session's page in a URL."""
    return _PAGE_TOKEN.sub(r"\1***", address)


def _hide_query(target: str) -> str:
    # A query may contain a person's name, or the signature of a picture URL.
    path, mark, _ = target.partition("?")
    return repr(hide_token(path) + ("?…" if mark else ""))


class ReadHeader(Protocol):
    """Return a header, by default None."""

    @overload
    def __call__(self, name: str, /) -> str | None: ...
    @overload
    def __call__(self, name: str, default: str, /) -> str: ...


@attrs.define(kw_only=True)
class Request:
    """A request. The head never changes; the body is added later.

    The head is sufficient to choose a fault or to refuse the request.
    """

    method: str
    #: Path and query as sent; the query is not in `repr`.
    target: str = attrs.field(repr=_hide_query)
    #: Headers in the order sent; `make` converts the names to lower case.
    headers: Headers = attrs.field(default=(), repr=False)
    peer: str = "127.0.0.1"
    #: The body without its transfer coding; never modified.
    body: bytes | bytearray = attrs.field(default=b"", repr=False)
    #: The `Fault` that applies to this call, once known.
    fault: Any = attrs.field(default=None, eq=False, repr=False)
    #: The vendor as it was when the call began, once known.
    vendor: Any = attrs.field(default=None, eq=False, repr=False)
    #: The result of `MockVendor.find`, once called.
    routed: Any = attrs.field(default=None, eq=False, repr=False)
    path: str = attrs.field(init=False, eq=False, repr=False)
    #: Whether the path belongs to the control API.
    is_control: bool = attrs.field(init=False, eq=False, repr=False)
    #: Whether the request is for the control API or the console, not for a vendor.
    is_for_mock: bool = attrs.field(init=False, eq=False, repr=False)
    #: Returns the first header with that name (in lower case), or the default.
    header: ReadHeader = attrs.field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        """Derive what is asked often: headers by name, the decoded path, and whose request it is.

        Of a header that is sent twice the first one counts. ``GET /`` is for the mock's own page
        unless a header names a vendor's action.
        """
        # If a header is sent twice, the first one wins.
        self.header = dict(self.headers[::-1]).get
        target = self.target
        path, _, _ = target.partition("?")
        if "%" in path:
            path = unquote(path)
        self.path = path
        self.is_control = path.startswith(CONTROL) and path[len(CONTROL) :][:1] in ("", "/")
        self.is_for_mock = self.is_control
        if path == "/" and self.method in ("GET", "HEAD"):
            # Calls to Alibaba, Rekognition and Tencent have this path, too, and a header's name.
            self.is_for_mock = all(self.header(name) is None for name in ACTION_HEADERS)

    @classmethod
    def make(cls, *, headers: Iterable[tuple[str, str]] = (), **fields: Any) -> Request:
        """Make a request from headers with names in any case."""
        return cls(headers=tuple((name.lower(), value) for name, value in headers), **fields)

    def with_headers(self, headers: Mapping[str, str]) -> Request:
        """Return the request with these headers, by lower-case names, in place of its own ones."""
        kept = [header for header in self.headers if header[0] not in headers]
        return attrs.evolve(self, headers=(*kept, *headers.items()))

    @property
    def media_type(self) -> str:
        """The media type in lower case, without parameters; "" if there is none."""
        return media_type(self.header("content-type", ""))

    @property
    def query(self) -> tuple[tuple[str, str], ...]:
        """The decoded query parameters in order; names may repeat."""
        _, _, query = self.target.partition("?")
        return tuple(parse_qsl(query, keep_blank_values=True))


@attrs.define(kw_only=True)
class Response:
    """A complete response to one request."""

    status: int
    #: The server adds Date, Server, Connection, and Content-Length or Transfer-Encoding.
    headers: Headers = ()
    body: bytes = attrs.field(default=b"", repr=False)
    claims: tuple[str, ...] = ()
    #: The time for the Date header; None for the machine's time.
    date: dt.datetime | None = None
    #: Returns the next part of an endless body, until disconnected. Called on the event loop.
    more: Callable[[], bytes] | None = attrs.field(default=None, eq=False, repr=False)
    #: The `Fault` to apply while sending. If it is postponed, the call is not carried out yet.
    fault: Any = attrs.field(default=None, eq=False, repr=False)
    #: Seconds of real time that the call takes in addition to the latency of its operation.
    delay_s: float = 0.0
    #: The call's entry in the journal, once written.
    entry: Any = attrs.field(default=None, eq=False, repr=False)

    def header(self, name: str) -> str | None:
        """Return the first header with that name in any case, or None."""
        for header, value in self.headers:
            if header.lower() == name.lower():
                return value
        return None

    def json(self) -> Any:
        """Return the decoded body. Raises ValueError if it is not JSON."""
        return json.loads(self.body)


#: Matches a name, an IPv4 address, or an IPv6 address in brackets, with or without a port.
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?")


@lru_cache(maxsize=256)
def host_in(header: str) -> str | None:
    """Return the host of a Host header in lower case, without port; None if it is invalid."""
    host = _HOST.fullmatch(header)
    return None if host is None else host[1].strip("[]").lower()


#: The headers that name the call at Alibaba Cloud, Amazon and Tencent Cloud, whose calls have one
#: path.
ACTION_HEADERS = ("x-acs-action", "x-amz-target", "x-tc-action")

MULTIPART = "multipart/form-data"
URLENCODED = "application/x-www-form-urlencoded"

_BOUNDARY = re.compile(
    r'boundary=(?:"([ -!#-~]{0,200}[!#-~])"|([!#-+\--:<-~]{1,200}))', re.IGNORECASE
)
_PARAMETER = re.compile(r';\s*([\w*-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;]*))')


class FormError(ValueError):
    """Raised if a body is not a valid form; the message contains the reason."""


@attrs.define
class Upload:
    """A file in a form. Its name contains no folders."""

    name: str
    content: bytes = attrs.field(repr=False)
    #: SHA-256 in hexadecimal; None if `read_form` was called without `pictures`.
    digest: str | None = None


@attrs.define(eq=False)
class Form:
    """The texts and files of a form by name, in the order sent."""

    fields: dict[str, list[str]] = attrs.field(factory=dict)
    files: dict[str, list[Upload]] = attrs.field(factory=dict)

    @property
    def texts(self) -> dict[str, str]:
        """The text of each field; for a repeated name, the last one wins."""
        return {name: texts[-1] for name, texts in self.fields.items()}


@lru_cache(maxsize=256)
def media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def read_form(
    content_type: str,
    body: bytes | bytearray,
    *,
    pictures: Any = None,
    unnamed: str | None = None,
) -> Form:
    """Parse a form; store its files in `pictures`, if given. Raises `FormError` if invalid.

    A part with a file name is a file. Without one it is a text, unless its field is `unnamed` and
    it is not empty.
    """
    form = Form()
    if media_type(content_type) == URLENCODED:
        for name, value in parse_qsl(body.decode(errors="replace"), keep_blank_values=True):
            form.fields.setdefault(name, []).append(value)
        return form
    separator = _separator(content_type)
    length = len(separator)
    is_long = pictures is not None and len(body) > pictures.long
    end = body.find(separator)
    # Each part is between two separators; two hyphens follow the last separator.
    while end >= 0:
        start = end + length
        if body.startswith(b"--", start):
            return form
        content = body.find(b"\r\n\r\n", start) + 4
        head = bytes(body[start:content])
        may_be_stored = is_long and b"filename" in head and separator not in head
        # If a long picture is already stored, look for the separator only at its end.
        stored = pictures.find_at(body, content) if may_be_stored else None
        search_from = start if stored is None else content + len(stored.content) - length
        end = body.find(separator, search_from)
        if end < 0:
            break
        # A part without an empty line has no head.
        field, filename = _read_head(head if content <= end else b"")
        if not field:
            raise FormError("A part of the form has no name.")
        # The line break before the separator is part of the separator.
        stop = end - 2
        if not filename and (field != unnamed or stop == content):
            text = body[content:stop].decode(errors="replace")
            form.fields.setdefault(field, []).append(text)
            continue
        if pictures is None:
            file = Upload(filename or "", bytes(body[content:stop]))
        else:
            if stored is None or len(stored.content) != stop - content:
                stored = pictures.store(body, content, stop)
            file = Upload(filename or "", stored.content, stored.digest)
        form.files.setdefault(field, []).append(file)
    raise FormError("The form ends before its last boundary.")


def form_of(request: Request) -> Form:
    """Return the form in a request; an empty one if its body is no form, or a malformed one."""
    try:
        return read_form(request.header("content-type", ""), request.body)
    except FormError:
        return Form()


@lru_cache(maxsize=256)
def _separator(content_type: str) -> bytes:
    """Return the separator: ``--`` and the boundary. Raises `FormError` without a boundary."""
    boundary = _BOUNDARY.search(content_type)
    if media_type(content_type) != MULTIPART or boundary is None:
        raise FormError(f"Invalid content type of a form: {content_type}")
    return b"--" + (boundary[1] or boundary[2]).encode()


# Cached, because clients send the same few fields repeatedly.
@lru_cache(maxsize=256)
def _read_head(head: bytes) -> tuple[str | None, str | None]:
    """Return a part's field name and file name; None for a missing name."""
    for line in head.decode(errors="replace").split("\r\n"):
        header, _, value = line.partition(":")
        if header.strip().lower() == "content-disposition":
            parameters: dict[str, str] = {}
            for name, quoted, plain in _PARAMETER.findall(value):
                unquoted = re.sub(r"\\(.)", r"\1", quoted)
                parameters[name.lower()] = unquoted or plain
            filename = parameters.get("filename", "")
            if "filename*" in parameters:
                # RFC 5987: charset'language'value.
                _, _, encoded = parameters["filename*"].rpartition("'")
                filename = unquote(encoded)
            if not filename:
                return parameters.get("name"), None
            *_, without_folders = re.split(r"[/\\]", filename)
            return parameters.get("name"), "".join(filter(str.isprintable, without_folders))
    return None, None
