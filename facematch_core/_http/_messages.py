"""A request before it is sent and the reply to it, as data."""

from __future__ import annotations

import enum
import json
import math
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NoReturn

import attrs
from requests.structures import CaseInsensitiveDict

from facematch_core._basics import Secret
from facematch_core.errors import ConfigurationError

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_ADDRESS = re.compile(r"https?://[^\s/@?#\\\x00-\x1f\x7f]+(/[^\s?#\\\x00-\x1f\x7f]*)?")


def _in_one_line(_: object, attribute: attrs.Attribute[str], value: str) -> None:
    # These go into the head of a multipart part as they are.
    if _CONTROL.search(value):
        raise ConfigurationError(
            f"The {attribute.name} of a file must not hold control characters."
        )


def _plain_address(_: object, __: object, value: str) -> None:
    if not _ADDRESS.fullmatch(value):
        raise ConfigurationError(
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


def revealed(value: str | Secret) -> str:
    """The text to send, for the moment of sending."""
    return value.reveal() if isinstance(value, Secret) else value


def _any_case(headers: Mapping[str, str]) -> Mapping[str, str]:
    return headers if isinstance(headers, CaseInsensitiveDict) else CaseInsensitiveDict(headers)


def _parts(files: Iterable[FilePart]) -> tuple[FilePart, ...]:
    return tuple(files)


@attrs.frozen(kw_only=True)
class HttpRequest:
    """What to send. Its `repr` tells method and address alone.

    Attributes:
        method: In capitals.
        url: Without user, query and fragment: addresses are logged, so no key belongs there.
        headers: Text, or a `Secret` that is revealed only while it is sent.
        params: The query. It is part of the address, so no secret belongs there.
        fields: Of the form: multipart if there are files, else urlencoded. Text, or a `Secret`.
        files: Files of a multipart form, sent after the fields.
        json: A JSON body, instead of a form; None for none.
        masked: Secrets that stand nowhere above by themselves, but that an answer may repeat: the
            token alone, where a header holds ``Bearer TOKEN``.

    Raises:
        ConfigurationError: the address is malformed, or there is a form and a JSON body.
    """

    method: str = "POST"
    url: str = attrs.field(validator=_plain_address)
    headers: Mapping[str, str | Secret] = attrs.field(factory=dict, repr=False)
    params: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    fields: Mapping[str, str | Secret] = attrs.field(factory=dict, repr=False)
    files: tuple[FilePart, ...] = attrs.field(default=(), converter=_parts, repr=False)
    json: Any = attrs.field(default=None, repr=False)
    masked: tuple[Secret, ...] = attrs.field(default=(), repr=False)

    def __attrs_post_init__(self) -> None:
        if self.json is not None and (self.fields or self.files):
            raise ConfigurationError("A request has a form or a JSON body, not both.")

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """Every secret that the request carries, and those that are to be masked besides."""
        values = (*self.headers.values(), *self.fields.values(), *self.masked)
        return tuple(value for value in values if isinstance(value, Secret))


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
    """A complete answer. Its `repr` tells status and size alone.

    Attributes:
        status: 100-999; whatever the server said.
        headers: Case does not matter in names.
        body: Decompressed; never longer than the client's limit.
        elapsed_s: Seconds from the call to the last byte, at least 0.
        secrets: Those of the request, so that they can be masked if the vendor echoes them.
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
        problem, value = _decoded(self.body)
        if problem:
            # Not inside an except block: json's own error carries the whole body.
            raise ValueError(f"The body is not JSON: {problem}.")
        return value

    @property
    def shape(self) -> BodyShape:
        """What kind of body this is; whatever the headers say, JSON is JSON."""
        body = self.body.strip()
        if not body:
            return BodyShape.EMPTY
        problem, value = _decoded(self.body)
        if not problem:
            return BodyShape.JSON_OBJECT if isinstance(value, dict) else BodyShape.OTHER_JSON
        if body.startswith(b"<") or "html" in self.headers.get("Content-Type", "").lower():
            return BodyShape.HTML
        return BodyShape.OTHER


def _refused(word: str) -> NoReturn:
    raise ValueError(word)


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refused(text)


def _decoded(body: bytes) -> tuple[str, Any]:
    """What is wrong (empty if nothing is), and the value."""
    try:
        return "", json.loads(body, parse_constant=_refused, parse_float=_finite)
    except UnicodeDecodeError:
        return "it is no text", None
    except RecursionError:
        return "it is nested too deeply", None
    except ValueError:
        return "it cannot be parsed", None


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
