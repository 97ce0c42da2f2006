"""An answer as bytes, and a fault as the order in which they leave. Pure."""

from __future__ import annotations

import datetime as dt
import enum
import http
from collections.abc import Callable

import attrs

from facematch_mock_server._messages import Response
from facematch_mock_server.exchange import has_body
from facematch_mock_server.faults import Fault, Kind, Stage

SERVER = "facematch-mock"

#: What the front writes itself; in an engine's answer they are dropped.
FRONT_HEADERS = frozenset(
    {"connection", "content-length", "date", "keep-alive", "server", "transfer-encoding"}
)

#: Bytes that are no HTTP, without an end of line.
GARBAGE = b"\x00\xff\x16\x03 this is no HTTP \x80\x81"

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

#: Written here: `email.utils` has it too, and would be loaded at every start for nothing else.
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)

_REASONS = {status.value: status.phrase for status in http.HTTPStatus}


class End(enum.Enum):
    """What becomes of the connection after the bytes of an answer."""

    #: The next request, unless the request or the front wants it closed.
    KEEP = enum.auto()
    FIN = enum.auto()
    RESET = enum.auto()


@attrs.frozen(kw_only=True)
class Script:
    """How one answer leaves.

    Attributes:
        wait_s: Seconds before the first byte.
        first: What is sent at once.
        then: What follows byte by byte.
        every_s: Seconds before each of these bytes.
        end: What comes after the last byte.
    """

    wait_s: float = 0.0
    first: bytes = b""
    then: bytes = b""
    every_s: float = 0.0
    end: End = End.KEEP


def machine_time() -> dt.datetime:
    """The machine's time, UTC."""
    return dt.datetime.now(dt.UTC)


def http_date(moment: dt.datetime) -> str:
    """A time with a zone as HTTP writes it (RFC 9110, section 5.6.7): no locale has a say."""
    utc = moment.astimezone(dt.UTC)
    day, month = _DAYS[utc.weekday()], _MONTHS[utc.month - 1]
    return f"{day}, {utc.day:02} {month} {utc.year:04} {utc:%H:%M:%S} GMT"


class DateHeader:
    """The value of the Date header, written anew once a second.

    Args:
        now: The time of day, with a time zone.
    """

    def __init__(self, now: Callable[[], dt.datetime]) -> None:
        self._now = now
        self._second: dt.datetime | None = None
        self._text = ""

    def __call__(self) -> str:
        second = self._now().replace(microsecond=0)
        if second != self._second:
            self._text = http_date(second)
            self._second = second
        return self._text


def reason(status: int) -> str:
    """The words beside a status; empty if HTTP has none."""
    return _REASONS.get(status, "")


def headers(
    response: Response, *, method: str, date: str, close: bool = False
) -> list[tuple[str, str]]:
    """All headers of an answer in the order in which they are sent."""
    lines = [("Date", date), ("Server", SERVER)]
    lines += [line for line in response.headers if line[0].lower() not in FRONT_HEADERS]
    # An answer to HEAD tells the length that GET would give.
    if method == "HEAD" or has_body(method, response.status):
        lines.append(("Content-Length", str(len(response.body))))
    if close:
        lines.append(("Connection", "close"))
    return lines


def head(response: Response, *, method: str, date: str, close: bool) -> bytes:
    """Status line and headers of an answer, with the empty line."""
    lines = [f"HTTP/1.1 {response.status} {reason(response.status)}"]
    lines += [
        f"{name}: {value}"
        for name, value in headers(response, method=method, date=date, close=close)
    ]
    lines.append("\r\n")
    return "\r\n".join(lines).encode("latin-1")


def body(response: Response, *, method: str) -> bytes:
    """The bytes that follow the head."""
    return response.body if has_body(method, response.status) else b""


def head_cut(head: bytes) -> int:
    """Where a head breaks: within the name of its second header, after the Date."""
    return head.index(b"\r\nServer:") + 6


def body_cut(length: int) -> int:
    """Where a body of that length breaks."""
    return length // 2


def script(head: bytes, body: bytes, fault: Fault | None) -> Script:
    """How an answer of these bytes leaves under a fault; without any bytes if there is none."""
    if fault is None:
        return Script(first=head + body)
    whole = head + body
    cut = {
        Stage.MID_HEADERS: lambda: head_cut(head),
        Stage.MID_BODY: lambda: len(head) + body_cut(len(body)),
    }.get(fault.stage, lambda: 0)()
    return _SCRIPTS[fault.kind](whole, cut, fault.seconds)


_SCRIPTS: dict[Kind, Callable[[bytes, int, float], Script]] = {
    Kind.RESET: lambda whole, cut, _: Script(first=whole[:cut], end=End.RESET),
    Kind.TRUNCATE: lambda whole, cut, _: Script(first=whole[:cut], end=End.FIN),
    Kind.GARBAGE: lambda whole, cut, _: Script(first=whole[:cut] + GARBAGE, end=End.FIN),
    Kind.DELAY: lambda whole, _, seconds: Script(wait_s=seconds, first=whole),
    Kind.DRIBBLE: lambda whole, cut, seconds: Script(
        first=whole[:cut], then=whole[cut:], every_s=seconds
    ),
}
