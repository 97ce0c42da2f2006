"""What is sent to a vendor over HTTP, what comes back, and what that means; all of it is data.

No socket is met here: `_http` carries a request and brings the reply, `http` makes a backend of it.
"""

from __future__ import annotations

import enum
import json
import math
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode

import attrs
from requests.structures import CaseInsensitiveDict
from urllib3.fields import RequestField
from urllib3.filepost import choose_boundary

from . import errors
from ._basics import Secret, fit, masker
from .models import Billing, Charged, ResultWarning

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_URL = re.compile(r"https?://[^\s/@?#\\\x00-\x1f\x7f]+(/[^\s?#\\\x00-\x1f\x7f]*)?")


def _in_one_line(_: object, attribute: attrs.Attribute[str], value: str) -> None:
    # These go into the head of a multipart part as they are.
    if _CONTROL.search(value):
        raise errors.ConfigurationError(
            f"The {attribute.name} of a file must not hold control characters."
        )


def _plain_address(_: object, __: object, value: str) -> None:
    if not _URL.fullmatch(value):
        raise errors.ConfigurationError(
            "The address of a request must be http:// or https:// with a host and a path; a query "
            "belongs into params, a key into headers."
        )


@attrs.frozen(kw_only=True)
class FilePart:
    """A file of a multipart form.

    Attributes:
        name: Name of the form field.
        filename: Name of the file; some vendors judge the type by its extension.
        content_type: Its media type.
        data: The bytes; never shown.
    """

    name: str = attrs.field(validator=_in_one_line)
    filename: str = attrs.field(validator=_in_one_line)
    content_type: str = attrs.field(validator=_in_one_line)
    data: bytes = attrs.field(repr=False)


# Named and typed, because type checkers cannot follow a class as a converter.


def _any_case(headers: Mapping[str, str]) -> Mapping[str, str]:
    return headers if isinstance(headers, CaseInsensitiveDict) else CaseInsensitiveDict(headers)


def _parts(files: Iterable[FilePart]) -> tuple[FilePart, ...]:
    return tuple(files)


@attrs.frozen(kw_only=True)
class HttpRequest:
    """What to send. Its `repr` shows method and address alone.

    Attributes:
        method: In capitals.
        url: Without user, query and fragment: addresses are logged, so no key belongs there.
        headers: Text, or a `Secret` that is revealed only while it is sent.
        params: The query. It is part of the address, so no secret belongs there.
        fields: Of the form: multipart if there are files, else urlencoded. Text, or a `Secret`.
        files: Files of a multipart form, sent after the fields.
        json: A JSON body, instead of a form; None for none.
        body: The bytes themselves, instead of both, sent as they are; the header ``Content-Type``
            says what they are. None for none.
        charges: How many charges of the vendor's an answer 200 to this request is, 0 or more.
        masked: Secrets that stand nowhere above by themselves, but that an answer may repeat: the
            token alone, where a header holds ``Bearer TOKEN``.

    Raises:
        ConfigurationError: the address is malformed, or there is more than one of form, JSON and
            body.
    """

    method: str = "POST"
    url: str = attrs.field(validator=_plain_address)
    headers: Mapping[str, str | Secret] = attrs.field(factory=dict, repr=False)
    params: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    fields: Mapping[str, str | Secret] = attrs.field(factory=dict, repr=False)
    files: tuple[FilePart, ...] = attrs.field(default=(), converter=_parts, repr=False)
    json: Any = attrs.field(default=None, repr=False)
    body: bytes | None = attrs.field(default=None, repr=False)
    charges: int = attrs.field(default=1, repr=False)
    masked: tuple[Secret, ...] = attrs.field(default=(), repr=False)

    def __attrs_post_init__(self) -> None:
        form = bool(self.fields or self.files)
        if form + (self.json is not None) + (self.body is not None) > 1:
            raise errors.ConfigurationError(
                "A request has a form, JSON or a body of bytes: only one of them."
            )
        if self.body is not None and not isinstance(self.body, bytes):
            raise errors.ConfigurationError(
                f"A body must be bytes, not {type(self.body).__name__}."
            )

    def encoded(self) -> HttpRequest:
        """The same request with its final bytes in `body`, and with its ``Content-Type``.

        What a signature is made over: these bytes are sent as they are.

        Raises:
            InvalidRequest: a field is no text.
        """
        body, kind = _body(self)
        headers = dict(self.headers)
        if kind and "content-type" not in map(str.lower, headers):
            headers["Content-Type"] = kind
        return attrs.evolve(
            self,
            headers=headers,
            fields={},
            files=(),
            json=None,
            body=body.encode() if isinstance(body, str) else body,
            masked=self.secrets,
        )

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """Every secret that the request carries, and those that are to be masked besides."""
        values = (*self.headers.values(), *self.fields.values(), *self.masked)
        return tuple(value for value in values if isinstance(value, Secret))


_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"([!-~\xa1-\xff]([\t -~\xa0-\xff]*[!-~\xa1-\xff])?)?")


def encoded(request: HttpRequest) -> tuple[dict[str, str], bytes | str | None]:
    """The headers with their secrets, and the body as it is sent; None for none.

    A form without files is text, as doubles of requests know it.

    Raises:
        ConfigurationError: a header cannot be sent.
        InvalidRequest: a field is no text.
    """
    headers = {name: _revealed(value) for name, value in request.headers.items()}
    for name, text in headers.items():
        if not _HEADER_NAME.fullmatch(name):
            raise errors.ConfigurationError(
                "The name of a header has characters that HTTP cannot carry."
            )
        if not _HEADER_VALUE.fullmatch(text):
            raise errors.ConfigurationError(
                f"The value of the header {name} cannot be sent: a space or a line break at an end "
                "(of a key, often), or a character outside Latin-1."
            )
    body, kind = _body(request)
    if kind and "content-type" not in map(str.lower, headers):
        headers["Content-Type"] = kind
    return headers, body


def _body(request: HttpRequest) -> tuple[bytes | str | None, str]:
    """The body, None for none, and its media type, empty for what the request says itself."""
    fields = {name: _revealed(value) for name, value in request.fields.items()}
    for name, text in fields.items():
        if not isinstance(text, str):
            kind = type(text).__name__
            raise errors.InvalidRequest(
                f"The field {name} must be text, not {kind}: nothing was sent."
            )
    if request.files:
        return _multipart(fields, request.files)
    if fields:
        return urlencode(fields), "application/x-www-form-urlencoded"
    if request.json is not None:
        return json.dumps(request.json, allow_nan=False).encode(), "application/json"
    return request.body, ""


def _multipart(fields: Mapping[str, str], files: Iterable[FilePart]) -> tuple[bytes, str]:
    """A form with files, and its media type."""
    # urllib3 writes the heads. It would also join it all, in a buffer that grows and copies what is
    # in it anew: with many threads that costs a third of their calls.
    parts = [(RequestField.from_tuples(*field), field[1].encode()) for field in fields.items()]
    for file in files:
        value = (file.filename, file.data, file.content_type)
        parts.append((RequestField.from_tuples(file.name, value), file.data))
    boundary = choose_boundary()
    pieces: list[bytes] = []
    for part, data in parts:
        pieces += (f"--{boundary}\r\n{part.render_headers()}".encode(), data, b"\r\n")
    pieces.append(f"--{boundary}--\r\n".encode())
    return b"".join(pieces), f"multipart/form-data; boundary={boundary}"


def _revealed(value: str | Secret) -> str:
    return value.reveal() if isinstance(value, Secret) else value


class BodyShape(enum.Enum):
    """What kind of body a reply has. A body that broke off is no reply at all."""

    JSON_OBJECT = enum.auto()
    OTHER_JSON = enum.auto()
    #: Markup of any kind: error pages are.
    HTML = enum.auto()
    #: Nothing, or white space alone.
    EMPTY = enum.auto()
    OTHER = enum.auto()


@attrs.frozen(kw_only=True)
class HttpReply:
    """A complete answer. Its `repr` shows status and size alone.

    Attributes:
        status: 100-999; whatever the server said.
        headers: Case does not matter in names.
        body: Decompressed; never longer than the client's limit.
        elapsed_s: Seconds from the call to the last byte, at least 0.
        secrets: Those of the request, so that they can be masked if the vendor repeats them.
    """

    status: int
    headers: Mapping[str, str] = attrs.field(factory=dict, converter=_any_case)
    body: bytes = b""
    elapsed_s: float = 0.0
    secrets: tuple[Secret, ...] = attrs.field(default=(), eq=False)

    def __repr__(self) -> str:
        return f"<HttpReply {self.status}, {len(self.body)} bytes>"

    def json(self) -> Any:
        """The body as JSON; of a key that stands twice the last value counts.

        Raises:
            ValueError: it is not JSON, or holds NaN, an infinity or a number beyond a float.
        """
        problem, value = self._decoded()
        if problem:
            # Not inside an except block: json's own error carries the whole body.
            raise ValueError(f"The body is not JSON: {problem}.")
        return value

    def at(self, *path: str | int) -> Any:
        """What is at `path` in the body: keys of objects, places in lists.

        Returns:
            None if there is nothing there, whatever the body is: ``reply.at("error", "code")``.
        """
        _, value = self._decoded()
        for step in path:
            try:
                value = value[step]
            except (LookupError, TypeError):
                return None
        return value

    @property
    def shape(self) -> BodyShape:
        """What kind of body this is; whatever the headers say, JSON is JSON."""
        body = self.body.strip()
        if not body:
            return BodyShape.EMPTY
        problem, value = self._decoded()
        if not problem:
            return BodyShape.JSON_OBJECT if isinstance(value, dict) else BodyShape.OTHER_JSON
        if body.startswith(b"<") or "html" in self.headers.get("Content-Type", "").lower():
            return BodyShape.HTML
        return BodyShape.OTHER

    def _decoded(self) -> tuple[str, Any]:
        """What is wrong (empty if nothing is), and the value."""
        try:
            return "", json.loads(self.body, parse_constant=_finite, parse_float=_finite)
        except UnicodeDecodeError:
            return "it is not text", None
        except RecursionError:
            return "it is nested too deeply", None
        except ValueError:
            return "it cannot be parsed", None


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


# What an answer means that is no result.

#: How we know that an answer 200 that cannot be used was charged.
PAID = "a 200 answer is taken as charged"

#: Why an outcome that nobody knows is not simply repeated, and what can be done about it.
KEPT = "The vendor was asked to keep the call: look for it in its records"
NOT_KEPT = (
    "It is not repeated, because that might be charged twice. The vendor was asked to keep "
    "nothing, so its records cannot say what happened"
)


@attrs.frozen
class ErrorRow:
    """What one kind of answer means.

    Attributes:
        error: The class to raise.
        charged: Whether the vendor charged.
        ground: Why we say so, in a few words.
        text: What it means for the reader, after "NAME answered STATUS: ".
        retryable: Whether a repeat is certain not to pay twice and may help; None for the usual of
            the class.
    """

    error: type[errors.VendorError]
    charged: Charged
    ground: str
    text: str
    retryable: bool | None = None


@attrs.frozen
class InconclusiveRow:
    """What a refusal means that is an answer about the faces: there was nothing to compare.

    It becomes a result, INCONCLUSIVE and with this warning, if its status is a 4xx.

    Attributes:
        warning: `NO_FACE`, say. The vendor's code becomes its tag, unless it has one.
        charged: Whether the vendor charged; UNKNOWN where no document says so.
        ground: Why we say so, in a few words.
    """

    warning: ResultWarning
    charged: Charged
    ground: str


#: From (status, shape of the body) to its meaning.
ErrorTable = Mapping[tuple[int, BodyShape], ErrorRow]


def rows(
    statuses: Iterable[int], row: ErrorRow, shapes: Iterable[BodyShape] = BodyShape
) -> dict[tuple[int, BodyShape], ErrorRow]:
    """The same row for many answers: ``error_table = {**rows(...), **rows(...)}``."""
    kinds = tuple(shapes)
    return {(status, shape): row for status in statuses for shape in kinds}


def default_row(status: int, shape: BodyShape) -> ErrorRow:
    """What an answer other than 200 means, for a vendor that says nothing of its own.

    What decides is who may have spoken, and how far the call had come by then. When in doubt it is
    UNKNOWN: an error that says "not charged" invites a repeat.

    - A refusal by its very status (401, 413, 429 ...) is given before any work, by the vendor or
      by a gateway before it, so its body does not matter: not charged.
    - Any other 4xx speaks of the vendor's own checks only if it comes in the vendor's own words, a
      JSON object. The same status as a page of markup, empty or in another form is some gateway's,
      and what became of the call behind it is not known.
    - 301, 307 and 308 say "ask elsewhere": not executed. 302 and 303 are also how a server says
      "done, look there": not known. None is followed: key and faces would go to an address that
      nobody set.
    - 408, 460 and 499 are a gateway's words for a call that was given up half way; 5xx, 1xx and
      what is no status at all say nothing certain. Not known.
    - Another 2xx than 200 is success of a kind that we cannot read: charged.
    """
    if status in _REFUSALS:
        error, text = _REFUSALS[status]
        return ErrorRow(error, Charged.NO, _4XX, text)
    if status in (301, 307, 308):
        return ErrorRow(
            errors.RequestRejected, Charged.NO, "a redirect; not executed here", _REDIRECT
        )
    if 200 <= status < 300:
        text = "success in a form that this backend does not know; please report it"
        return ErrorRow(
            errors.UnexpectedResponse, Charged.YES, "a 2xx answer is taken as charged", text
        )
    may = "the call may have been executed and charged"
    if status in (408, 460, 499):
        ground = "given up half way by the server or a gateway"
        text = f"it gave up waiting; {may}"
    elif 400 <= status < 500 and shape is BodyShape.JSON_OBJECT:
        return ErrorRow(errors.RequestRejected, Charged.NO, _4XX, "the request was rejected")
    elif 400 <= status < 500:
        ground = "a 4xx answer that is not in the vendor's own form"
        text = f"this is not the vendor's own form, so {may}"
    elif 300 <= status < 400:
        ground, text = "a redirect after the call", _REDIRECT
    elif status < 200:
        ground, text = "no final answer", f"no final answer came; {may}"
    else:
        ground, text = "a 5xx answer", "it may have executed and charged the call"
    return ErrorRow(errors.OutcomeUnknown, Charged.UNKNOWN, ground, text)


_4XX = "a 4xx answer; the vendor says nothing of charging"
_REDIRECT = "redirects are never followed; correct the address (base_url)"
_REFUSALS: dict[int, tuple[type[errors.VendorError], str]] = {
    401: (errors.AuthenticationFailed, "the key or token is not accepted"),
    402: (errors.InsufficientCredit, "the account has no credit"),
    403: (errors.PermissionDenied, "the key may not do this"),
    404: (errors.RequestRejected, "there is nothing at this address; check base_url"),
    405: (errors.RequestRejected, "the address does not accept this method; check base_url"),
    407: (
        errors.RequestRejected,
        "a proxy on the way asks for a login; put it into the proxy setting",
    ),
    413: (errors.RequestRejected, "the pictures are too large"),
    415: (errors.RequestRejected, "the form of the request is not accepted"),
    429: (errors.RateLimited, "too many calls; wait before the next"),
    **dict.fromkeys(
        (411, 414, 417, 421, 426, 428, 431),
        (errors.RequestRejected, "the request was rejected unread"),
    ),
}


def vendor_error(
    reply: HttpReply,
    table: ErrorTable,
    *,
    backend: str,
    now: datetime,
    reconcilable: bool = False,
    row: ErrorRow | None = None,
    **more: Any,
) -> errors.VendorError:
    """The error for `reply`: by `table`, and by `default_row` for what is not in it.

    Args:
        reply: An answer that gives no result.
        table: The vendor's own rows.
        backend: Name of the backend.
        now: Time of day, with its zone, for `RateLimited.retry_after_s`.
        reconcilable: Whether the vendor was asked to keep the call.
        row: What it means, where something else than status and shape decided that.
        **more: Further arguments of the error: ``ids``, ``field_errors``.
    """
    shape = reply.shape
    row = row or table.get((reply.status, shape)) or default_row(reply.status, shape)
    said = excerpt(reply)
    message = f"{backend} answered {reply.status}: {row.text}."
    if said:
        message += f' It says: "{said}".'
    if issubclass(row.error, errors.OutcomeUnknown):
        message += f" {KEPT if reconcilable else NOT_KEPT}."
        more["reconcilable"] = reconcilable
    if issubclass(row.error, errors.RateLimited):
        more["retry_after_s"] = retry_after_s(reply, now)
    return row.error(
        message,
        backend=backend,
        billing=Billing(row.charged, row.ground),
        retryable=row.retryable,
        status_code=reply.status,
        **more,
    )


def retry_after_s(reply: HttpReply, now: datetime) -> float | None:
    """Seconds to wait by the header ``Retry-After``, at least 0.

    Args:
        reply: Any reply.
        now: Time of day, with its zone, for the form that is a date.

    Returns:
        None if there is no such header or it makes no sense.
    """
    text = reply.headers.get("Retry-After", "").strip()
    if re.fullmatch(r"-?[0-9]{1,9}(\.[0-9]{0,9})?", text):
        return max(0.0, float(text))
    try:
        at = parsedate_to_datetime(text)
        # A date without a zone is UTC, as RFC 9110 has all dates.
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        return max(0.0, (at - now).total_seconds())
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


# What may be repeated of a vendor's words, and what not.


_SAID = ("detail", "error", "message", "Message", "exception")


def excerpt(reply: HttpReply) -> str:
    """What the vendor says in one of the usual places, fit for an error message.

    They are ``detail``, ``error``, ``message`` (``Message`` as well) and ``exception``, and the
    ``message`` in an object ``error``; the first that is text.

    Returns:
        Up to 200 printable characters, the request's secrets and anything that looks like a key
        masked; empty if the body is no JSON object or none of them is text.
    """
    try:
        body = reply.json()
    except ValueError:
        return ""
    if not isinstance(body, dict):
        return ""
    texts = [*(body.get(name) for name in _SAID), reply.at("error", "message")]
    said = next((text for text in texts if isinstance(text, str) and text.strip()), "")
    return fit(said, masker(reply.secrets))


def without_secrets(text: str, secrets: tuple[Secret, ...]) -> str:
    """`text` with every one of `secrets` masked: as it is, escaped for an address, in base64."""
    return masker(secrets)(text)
