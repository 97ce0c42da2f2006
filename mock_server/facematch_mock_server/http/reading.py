"""Requests taken from a stream of bytes, one after the other, wherever it is cut."""

from __future__ import annotations

import re
from importlib.util import find_spec
from typing import TYPE_CHECKING

import attrs

from facematch_mock_server.http.exchange import MAX_HEAD_BYTES
from facematch_mock_server.messages import Head

if TYPE_CHECKING:
    import h11

if find_spec("h11") is None:
    # It is loaded when a request is out of the ordinary; that it is missing is said at once.
    raise ModuleNotFoundError("No module named 'h11'", name="h11")

_NOTHING = memoryview(b"")

#: A target that is a whole address.
_WHOLE = re.compile(r"https?://([^/?#]*)([^?]*)(\?.*)?", re.IGNORECASE)


@attrs.frozen(kw_only=True)
class HeadRead:
    """A head was read. `RequestReader.begin_body` or nothing further is called next.

    Attributes:
        head: It.
        length: Of the body as declared, 0 if there is none; None for a chunked one.
        keep_alive: Whether the client lets the connection stay open.
        expects_continue: Whether it waits for a 100 before it sends the body.
    """

    head: Head
    length: int | None
    keep_alive: bool
    expects_continue: bool


@attrs.frozen(kw_only=True)
class BodyRead:
    """The body, and with it the request, is complete."""

    body: bytes = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class TooLong:
    """A chunked body has grown over the limit. Nothing more can be read."""


@attrs.frozen(kw_only=True)
class Broken:
    """What came is no request. Nothing more can be read.

    Attributes:
        status: Of the answer.
        why: What is wrong, for the journal.
    """

    status: int
    why: str


Event = HeadRead | BodyRead | TooLong | Broken


class RequestReader:
    """Reads the requests of one connection, one after the other.

    Bytes are handed in by `advance`; those of a body with a declared length may be read straight
    into `space` instead and counted by `filled`.

    Args:
        buffers: Where the bodies come in.
        peer: Address of the client, for the heads.

    Attributes:
        in_body: Whether it reads a body.
        seen: How many bytes of the body have come.
    """

    def __init__(self, buffers: Buffers, peer: str) -> None:
        self._buffers = buffers
        self._peer = peer
        self._buffer: bytearray | None = None
        self._next_head()

    @property
    def idle(self) -> bool:
        """Whether nothing of a request has come yet."""
        return not self.in_body and self._fed == 0

    @property
    def half_read(self) -> bool:
        """Whether the first half of a body of declared length is there, or any of a chunked one."""
        return self.seen > 0 and 2 * self.seen >= (self._length or 0)

    def begin_body(self, limit: int) -> None:
        """Go on to the body of the request whose head was just read, of at most `limit` bytes."""
        self.in_body = True
        self._limit = limit

    def space(self) -> memoryview | None:
        """Where the rest of the body belongs; None if its length is not known."""
        if self._buffer is None or self._length is None:
            return None
        return memoryview(self._buffer)[self.seen : self._length]

    def filled(self, count: int) -> None:
        """Count bytes that were written into `space`."""
        self.seen += count

    def advance(self, data: memoryview) -> tuple[Event | None, memoryview]:
        """Read on.

        Args:
            data: The next bytes of the stream; none to look at what is there.

        Returns:
            What was read, or None if more bytes are needed; and the bytes that it left over.
        """
        if self.in_body and self._length is not None:
            return self._advance_counted(data, self._length)
        if self.idle and not data:
            return None, _NOTHING
        plain = None if self._fed else self._advance_plain(data)
        if plain is not None:
            return plain
        import h11  # not above: it takes 7 ms of a start, and plain requests pass by it

        try:
            return self._advance_chunks(data) if self.in_body else self._advance_head(data)
        except h11.RemoteProtocolError as error:
            return Broken(status=error.error_status_hint, why=str(error)), _NOTHING

    def ended(self) -> Broken | None:
        """What it means that nothing more comes; None if that is no loss."""
        if self.idle:
            return None
        return Broken(status=400, why="the client ended its side within a request")

    def drop(self) -> None:
        """Give everything back; nothing more will be read."""
        if self._buffer is not None:
            self._buffers.give(self._buffer)
            self._buffer = None

    def _next_head(self) -> None:
        # One h11 connection for each request: a counted body does not pass through it.
        self._own_h11: h11.Connection | None = None
        self.in_body = False
        self._fed = 0
        self._length: int | None = 0
        self._limit = 0
        self._chunks = bytearray()
        self.seen = 0

    @property
    def _h11(self) -> h11.Connection:
        if self._own_h11 is None:
            import h11

            self._own_h11 = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD_BYTES)
        return self._own_h11

    def _advance_plain(self, data: memoryview) -> tuple[Event, memoryview] | None:
        text = bytes(data).lstrip(b"\r\n")
        end = text.find(b"\r\n\r\n") + 4
        plain = plain_head(text[:end], self._peer) if 3 < end <= MAX_HEAD_BYTES else None
        if plain is None:
            return None
        self._fed, self._length = end, plain.length
        return plain, memoryview(text)[end:]

    def _advance_head(self, data: memoryview) -> tuple[Event | None, memoryview]:
        import h11

        text = bytes(data)
        if not self._fed:
            # Some clients end a body with an empty line that belongs to nothing.
            text = text.lstrip(b"\r\n")
        if not text:
            return None, _NOTHING
        # What follows the head is not put through h11, which would copy it twice.
        end = text.find(b"\r\n\r\n") + 4
        end = end if end > 3 else len(text)
        self._h11.receive_data(text[:end])
        self._fed += end
        event = self._h11.next_event()
        if not isinstance(event, h11.Request):
            return None, memoryview(text)[end:]
        unread = self._h11.trailing_data[0]
        if self._fed - len(unread) > MAX_HEAD_BYTES:
            return Broken(status=431, why="the head is too long"), _NOTHING
        if not event.http_version.startswith(b"1."):
            return Broken(status=505, why="another version of HTTP"), _NOTHING
        read = self._head_read(event)
        if unread and self._length is not None:
            return read, memoryview(unread + text[end:])
        # Of chunks, h11 keeps what it has.
        return read, memoryview(text)[end:]

    def _head_read(self, event: h11.Request) -> HeadRead:
        self._length, keep_alive = 0, event.http_version >= b"1.1"
        # Iterating over its headers costs h11 three times as much.
        headers = [
            (name.lower().decode("latin-1"), value.decode("latin-1"))
            for name, value in event.headers.raw_items()
        ]
        for name, value in headers:
            if name == "content-length" and self._length is not None:
                self._length = int(value)
            elif name == "transfer-encoding":
                self._length = None
            elif name == "connection" and "close" in _tokens(value):
                keep_alive = False
        target = event.target.decode("latin-1")
        if whole := _WHOLE.fullmatch(target):
            # A client behind a proxy sends the whole address; its host is the one that counts
            # (RFC 9112, 3.2.2).
            host, path, query = whole.groups(default="")
            target = (path or "/") + query
            headers = [("host", host), *(one for one in headers if one[0] != "host")]
        return HeadRead(
            head=Head(
                method=event.method.decode("latin-1"),
                target=target,
                headers=headers,
                peer=self._peer,
            ),
            length=self._length,
            keep_alive=keep_alive,
            expects_continue=self._h11.they_are_waiting_for_100_continue,
        )

    def _advance_counted(self, data: memoryview, length: int) -> tuple[Event | None, memoryview]:
        buffer = self._buffer
        if buffer is None and len(data) >= length:
            # All of it came with the head: it needs no buffer.
            self._next_head()
            return BodyRead(body=bytes(data[:length])), data[length:]
        if buffer is None:
            buffer = self._buffer = self._buffers.take(length)
        taken = min(len(data), length - self.seen)
        if taken:
            buffer[self.seen : self.seen + taken] = data[:taken]
            self.seen += taken
        if self.seen < length:
            return None, _NOTHING
        with memoryview(buffer) as view:
            body = bytes(view[:length])
        self.drop()
        self._next_head()
        return BodyRead(body=body), data[taken:]

    def _advance_chunks(self, data: memoryview) -> tuple[Event | None, memoryview]:
        import h11

        if data:
            self._h11.receive_data(bytes(data))
        while True:
            event = self._h11.next_event()
            if isinstance(event, h11.Data):
                self.seen += len(event.data)
                if self.seen > self._limit:
                    return TooLong(), _NOTHING
                self._chunks += event.data
            elif isinstance(event, h11.EndOfMessage):
                left = self._h11.trailing_data[0]
                body = bytes(self._chunks)
                self._next_head()
                return BodyRead(body=body), memoryview(left)
            else:
                return None, _NOTHING


_PLAIN_LINE = re.compile(rb"(GET|POST|PATCH|DELETE|PUT) (/[!-~]*) HTTP/1\.1")
_PLAIN_HEADER = re.compile(rb"([A-Za-z0-9!#$%&'*+.^_`|~-]+):[ \t]*([!-~](?:[ -~\t]*[!-~])?|)[ \t]*")
#: Names of headers that change how a request is read.
_READ_BY_H11 = frozenset({"transfer-encoding", "expect", "upgrade", "connection"})


def plain_head(head: bytes, peer: str) -> HeadRead | None:
    """What h11 reads, at a tenth of its price; None for a head that is out of the ordinary.

    Args:
        head: With the empty line at its end.
        peer: Address of the client.
    """
    first, *lines = head[:-4].split(b"\r\n")
    line = _PLAIN_LINE.fullmatch(first)
    if line is None:
        return None
    headers, length, hosts = [], None, 0
    for one in lines:
        found = _PLAIN_HEADER.fullmatch(one)
        if found is None:
            return None
        name, value = found[1].lower().decode(), found[2].decode()
        if name == "host":
            hosts += 1
        elif name == "content-length":
            if length is not None or not value.isdigit() or len(value) > 12:
                return None
            length = int(value)
        elif name in _READ_BY_H11 and (name != "connection" or value.lower() != "keep-alive"):
            return None
        headers.append((name, value))
    if hosts != 1:
        return None
    return HeadRead(
        head=Head(method=line[1].decode(), target=line[2].decode(), headers=headers, peer=peer),
        length=length or 0,
        keep_alive=True,
        expects_continue=False,
    )


def _tokens(value: str) -> list[str]:
    return [token.strip(" \t") for token in value.lower().split(",")]


#: Smallest buffer of the pool; they come in powers of two of it.
_SMALLEST = 16 * 1024

#: How many bytes in all lie idle at most.
_IDLE_BYTES = 32 * 1024 * 1024


class Buffers:
    """A free list of buffers. For one thread.

    Allocating and freeing a body with every request makes the C library give the pages back and
    fault them in anew; with sixteen uploads under way that halves the throughput.

    Attributes:
        scratch: Where every connection of the thread reads what is no body; its content is taken
            before the next read.
    """

    def __init__(self) -> None:
        self.scratch = memoryview(bytearray(64 * 1024))
        self._free: dict[int, list[bytearray]] = {}
        self._idle_bytes = 0

    def take(self, size: int) -> bytearray:
        """A buffer of at least `size` bytes, with anything in it."""
        room = max(_SMALLEST, 1 << (size - 1).bit_length())
        free = self._free.get(room)
        if not free:
            return bytearray(room)
        self._idle_bytes -= room
        return free.pop()

    def give(self, buffer: bytearray) -> None:
        """Hand a buffer back that `take` gave."""
        if self._idle_bytes + len(buffer) > _IDLE_BYTES:
            return
        self._idle_bytes += len(buffer)
        self._free.setdefault(len(buffer), []).append(buffer)
