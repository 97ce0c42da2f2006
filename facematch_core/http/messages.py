"""HTTP messages as data: `HttpRequest` and `HttpReply`.

A backend creates requests and reads replies, without sockets. `encode_request` encodes the headers
and the body of a request, usually a multipart form.
"""

from __future__ import annotations

import contextlib
import enum
import functools
import json
import math
import os
import re
from collections.abc import Collection, Mapping
from typing import Any, Literal, TypeAlias
from urllib.parse import urldefrag, urlencode, urljoin

import attrs
from urllib3 import HTTPHeaderDict

from facematch_core import errors
from facematch_core.base.masking import Secret

#: A value that `json.loads` returns. Nothing is known of it before it is checked.
Json: TypeAlias = Any

_URL = re.compile(
    r"https?://[^\s/@?#\\\x00-\x1f\x7f]+(/[^\s?#\\\x00-\x1f\x7f]*(\?[^\s#\\\x00-\x1f\x7f]*)?)?"
)
#: These values become part of a header, where a line break would start a new header.
_ONE_LINE = attrs.validators.matches_re(r"[^\x00-\x1f\x7f]*")


@attrs.frozen(kw_only=True)
class FilePart:
    """A file of a multipart form.

    Attributes:
        name: Name of the form field.
        filename: Name of the file; some vendors check the extension.
        content_type: The media type.
        data: The bytes; not in `repr`.
    """

    name: str = attrs.field(validator=_ONE_LINE)
    filename: str = attrs.field(validator=_ONE_LINE)
    content_type: str = attrs.field(validator=_ONE_LINE)
    data: bytes = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class HttpRequest:
    """A request to send. Its `repr` shows only the method and the URL without the query.

    Attributes:
        method: The HTTP method, in upper case.
        url: The URL, without a user or fragment. It is not masked, so a key must be in `headers`,
            `fields` or `params`. A query in it is sent unchanged.
        headers: Header values: text, or a `Secret` that is revealed only while sending.
        params: Further query parameters: text, or a `Secret` that is revealed only while sending.
            Servers and proxies may log a URL, so prefer a header if the vendor accepts one.
        fields: The fields of a form: multipart if there are files, else urlencoded.
        files: Files of a multipart form, sent after the fields.
        json: A JSON body instead of a form, or None.
        body: Raw bytes instead of a form or JSON, or None. Add a ``Content-Type`` header.
        expects: Statuses of replies that are passed to `steps` or `parse`.
        charges: Number of charges for an expected reply, 0 or more.
        on_refusal: How to treat a lost reply or an unexpected status: ``end`` ends the call.
            ``raise`` (free requests only) raises the error at the `yield`, so that a poll can be
            retried, but ends the call after the deadline.
        masked: Further secrets that a reply may echo, for example the token in ``Bearer TOKEN``.

    Raises:
        ConfigurationError: the URL is malformed, more than one of form, JSON and body is given, or
            a request with a charge has ``on_refusal="raise"``.
    """

    method: str = "POST"
    url: str = attrs.field(repr=lambda url: repr(url.partition("?")[0]))
    headers: Mapping[str, str | Secret] = attrs.field(factory=dict, repr=False)
    params: Mapping[str, str | Secret] = attrs.field(factory=dict, repr=False)
    fields: Mapping[str, str | Secret] = attrs.field(factory=dict, repr=False)
    files: tuple[FilePart, ...] = attrs.field(
        default=(), converter=tuple[FilePart, ...], repr=False
    )
    json: Any = attrs.field(default=None, repr=False)
    body: bytes | None = attrs.field(default=None, repr=False)
    expects: Collection[int] = attrs.field(default=frozenset({200}), repr=False)
    charges: int = attrs.field(default=1, repr=False)
    on_refusal: Literal["end", "raise"] = attrs.field(default="end", repr=False)
    masked: tuple[Secret, ...] = attrs.field(default=(), repr=False)

    def __attrs_post_init__(self) -> None:
        """Raise ConfigurationError for a URL that is not of http, and for two bodies.

        A charged request whose refusal would be raised is refused, too.
        """
        object.__setattr__(self, "expects", frozenset(self.expects))
        if not _URL.fullmatch(self.url):
            raise errors.ConfigurationError(
                "The URL of a request must have the form https://host/path?query (or http://...), "
                "without a user or a fragment. Put keys into headers."
            )
        body_kinds = [self.fields or self.files, self.json is not None, self.body is not None]
        if sum(map(bool, body_kinds)) > 1:
            raise errors.ConfigurationError("A request must have only one of form, JSON and body.")
        if self.charges and self.on_refusal == "raise":
            raise errors.ConfigurationError(
                'on_refusal="raise" is only for requests without a charge: set charges=0.'
            )

    def encoded(self) -> HttpRequest:
        """Return the request with its final bytes in `body` and its ``Content-Type``, for signing.

        Raises:
            ConfigurationError: a header cannot be sent.
            InvalidRequest: a field is not text, or the body cannot be encoded.
        """
        headers, body = encode_request(self)
        return attrs.evolve(
            self,
            # `headers` has the secrets revealed; here they stay hidden.
            headers={**headers, **self.headers},
            fields={},
            files=(),
            json=None,
            body=body,
            # The secrets of the fields are now part of `body`, where nothing finds them.
            masked=self.secrets,
        )

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """The secrets to mask in the reply: from headers, params, fields and `masked`."""
        sources = (
            self.headers.values(),
            self.params.values(),
            self.fields.values(),
            self.masked,
        )
        secrets: list[Secret] = []
        for values in sources:
            secrets.extend(value for value in values if isinstance(value, Secret))
        return tuple(secrets)


_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"([!-~\xa1-\xff]([\t -~\xa0-\xff]*[!-~\xa1-\xff])?)?")


def encode_request(request: HttpRequest) -> tuple[dict[str, str], bytes | None]:
    """Return the headers and the body to send, with secrets revealed."""
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        if not _HEADER_NAME.fullmatch(name):
            raise errors.ConfigurationError("A header name has a character that HTTP forbids.")
        text = value.reveal() if isinstance(value, Secret) else value
        headers[name] = text
        if not _HEADER_VALUE.fullmatch(text):
            raise errors.ConfigurationError(
                f"The value of the header {name} cannot be sent: it begins or ends with a "
                "space, or contains a line break or a character outside Latin-1. Check the key."
            )
    media_type, body = _encode_body(request)
    if media_type and "content-type" not in map(str.lower, headers):
        headers["Content-Type"] = media_type
    return headers, body


def _encode_body(request: HttpRequest) -> tuple[str, bytes | None]:
    """Return the media type and the body."""
    fields: dict[str, str] = {}
    for name, value in request.fields.items():
        text = value.reveal() if isinstance(value, Secret) else value
        fields[name] = text
        if not isinstance(text, str):
            type_name = type(text).__name__
            raise errors.InvalidRequest(
                f"The field {name} must be text, not {type_name}: nothing was sent."
            )
    try:
        if request.files:
            return _multipart(fields, request.files)
        if fields:
            return "application/x-www-form-urlencoded", urlencode(fields).encode()
        if request.json is not None:
            return "application/json", json.dumps(request.json, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        problem = type(error).__name__
    else:
        return "", request.body
    # Raised outside the except block, because the original error contains the data.
    raise errors.InvalidRequest(
        f"The request cannot be encoded as HTTP ({problem}): nothing was sent."
    )


def _multipart(fields: dict[str, str], files: tuple[FilePart, ...]) -> tuple[str, bytes]:
    """Return the content type and the body of a form; pictures are copied once."""
    # Not left to requests, which copies the pictures repeatedly into a growing buffer.
    boundary = os.urandom(16).hex()
    start = f'--{boundary}\r\nContent-Disposition: form-data; name="'
    pieces: list[bytes] = []
    for name, text in fields.items():
        pieces.append(f'{start}{name.translate(_QUOTED)}"\r\n\r\n{text}\r\n'.encode())
    for file in files:
        name = file.name.translate(_QUOTED)
        filename = file.filename.translate(_QUOTED)
        header = f'{start}{name}"; filename="{filename}"'
        if file.content_type:
            header += f"\r\nContent-Type: {file.content_type}"
        pieces += (f"{header}\r\n\r\n".encode(), file.data, b"\r\n")
    pieces.append(f"--{boundary}--\r\n".encode())
    return f"multipart/form-data; boundary={boundary}", b"".join(pieces)


#: Escapes for quoted names, the same as in browsers.
_QUOTED = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A"})


class BodyShape(enum.Enum):
    """The format of a reply's body."""

    JSON_OBJECT = enum.auto()
    OTHER_JSON = enum.auto()
    #: Any markup, usually an error page.
    HTML = enum.auto()
    #: Empty, or only white space.
    EMPTY = enum.auto()
    OTHER = enum.auto()


@attrs.frozen(kw_only=True)
class HttpReply:
    """A complete response. Its `repr` shows only status and size.

    Attributes:
        status: HTTP status, 100-999.
        headers: Headers, with case-insensitive names.
        body: The decompressed body, limited to the client's `max_body_bytes`.
        url: The requested URL; empty if unknown.
        secrets: The secrets of the request, to mask if the vendor echoes them.
        is_free: Whether the request is free, and can therefore be retried.
    """

    status: int
    headers: Mapping[str, str] = attrs.field(factory=dict, converter=HTTPHeaderDict)
    body: bytes = b""
    url: str = attrs.field(default="", eq=False)
    secrets: tuple[Secret, ...] = attrs.field(default=(), eq=False)
    is_free: bool = attrs.field(default=False, eq=False)

    def __repr__(self) -> str:
        return f"<HttpReply {self.status}, {len(self.body)} bytes>"

    def json(self) -> Any:
        """Return the parsed JSON body. It is cached: do not modify it.

        Raises:
            ValueError: the body is not JSON, is nested too deeply, or has a non-finite number.
        """
        return self._parsed

    @functools.cached_property
    def _parsed(self) -> Any:
        try:
            return json.loads(self.body, parse_constant=_finite, parse_float=_finite)
        except (ValueError, RecursionError) as error:
            problem = type(error).__name__
        # Raised outside the except block, because json's error contains the whole body.
        raise ValueError(f"The body is not JSON: {problem}.")

    def at(self, *path: str | int) -> Any:
        """Return the value at a path of keys and indices: ``reply.at("error", "code")``.

        Return None if there is no such value, or the body is not JSON.
        """
        try:
            value = self.json()
            for key in path:
                value = value[key]
        except (LookupError, TypeError, ValueError):
            return None
        return value

    @property
    def location(self) -> str | None:
        """The absolute URL in ``Operation-Location``, else in ``Location``, or None."""
        location = self.headers.get("Operation-Location") or self.headers.get("Location")
        if not location:
            return None
        return urldefrag(urljoin(self.url, location)).url

    @property
    def is_json(self) -> bool:
        """Whether the body is JSON."""
        return self.shape in (BodyShape.JSON_OBJECT, BodyShape.OTHER_JSON)

    @property
    def shape(self) -> BodyShape:
        """The format of the body; ``Content-Type`` is ignored if the body is JSON."""
        body = self.body.strip()
        if not body:
            return BodyShape.EMPTY
        with contextlib.suppress(ValueError):
            return BodyShape.JSON_OBJECT if isinstance(self.json(), dict) else BodyShape.OTHER_JSON
        if body.startswith(b"<") or "html" in self.headers.get("Content-Type", "").lower():
            return BodyShape.HTML
        return BodyShape.OTHER


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number
