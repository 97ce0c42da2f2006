"""A scripted TCP server for what no proper server does: resets, broken framing, dribbling.

Each connection runs a script, a sequence of steps; the first connection runs the first script, and
so on, and the last script serves every further connection::

    with RawServer([read_request, send(http_reply(200, b"{}"))]) as server:
        requests.get(server.url)
    assert server.requests[0].startswith(b"GET / ")

A step is a function of the `Connection`; write further ones in the test where they are needed.
After its last step a connection is closed in good order (FIN). Steps end early, without an error,
when the client goes away or the server is closed; nothing sleeps without a reason.
"""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self

Step = Callable[["Connection"], None]
Script = Sequence[Step]


class ClientGone(Exception):
    """The client has gone, or the server is being closed: the script ends here."""


class Connection:
    """One accepted connection.

    Attributes:
        sock: The socket; over TLS once that has begun.
        received: Every byte that the steps took in (decrypted), in order.
        requests: The requests that `read_request` took in, one by one.
        stopping: Set when the server is being closed.
        done: Set when the script is over and the connection closed.
    """

    def __init__(self, sock: socket.socket, stopping: threading.Event) -> None:
        self.sock = sock
        self.stopping = stopping
        self.received = bytearray()
        self.requests: list[bytes] = []
        self.done = threading.Event()
        self._taken = 0

    def take(self, size: int) -> bytes:
        try:
            data = self.sock.recv(size)
        except OSError:
            raise ClientGone from None
        if not data:
            raise ClientGone
        self.received += data
        return data

    def give(self, data: bytes) -> None:
        try:
            self.sock.sendall(data)
        except OSError:
            raise ClientGone from None

    def take_request(self) -> bytes:
        """One whole request, up to its Content-Length; what follows stays for the next."""
        while self.received.find(b"\r\n\r\n", self._taken) < 0:
            self.take(65536)
        end = self.received.index(b"\r\n\r\n", self._taken) + 4
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", self.received[self._taken : end])
        end += int(length[1]) if length else 0
        while len(self.received) < end:
            self.take(min(65536, end - len(self.received)))
        request = bytes(self.received[self._taken : end])
        self._taken = end
        self.requests.append(request)
        return request

    def run(self, script: Script, tls: ssl.SSLContext | None) -> None:
        try:
            if tls is not None:
                start_tls(tls)(self)
            for step in script:
                step(self)
        except ClientGone:
            pass
        finally:
            self.sock.close()
            self.done.set()


class RawServer:
    """Listens on loopback while it is open; each connection has a thread of its own.

    Args:
        scripts: One script for every connection, or a list of scripts, one per connection.
        tls: Context with a certificate, to speak TLS from the first byte; None for plain TCP.

    Attributes:
        port: Where it listens.
        connections: In the order in which they were accepted.
        scripts: May be changed while it runs; counts for connections that are still to come.
    """

    def __init__(
        self, scripts: Script | Sequence[Script] = (), *, tls: ssl.SSLContext | None = None
    ) -> None:
        many = bool(scripts) and not callable(scripts[0])
        self.scripts: list[Script] = list(scripts) if many else [scripts]  # type: ignore[arg-type, list-item]  # as `many` says
        self.tls = tls
        self.connections: list[Connection] = []
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]

    @property
    def url(self) -> str:
        if self.tls is not None:
            return f"https://localhost:{self.port}/"
        return f"http://127.0.0.1:{self.port}/"

    @property
    def received(self) -> bytes:
        return b"".join(c.received for c in self.connections)

    @property
    def requests(self) -> list[bytes]:
        return [request for c in self.connections for request in c.requests]

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        # Wakes accept() up, on every system.
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
            pass
        for connection in self.connections:
            # Wakes up a step that is reading or sending; the socket may be closed already.
            with contextlib.suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def _start(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with self._listener:
            while True:
                sock, _ = self._listener.accept()
                if self._stopping.is_set():
                    sock.close()
                    return
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                script = self.scripts[min(len(self.connections), len(self.scripts) - 1)]
                connection = Connection(sock, self._stopping)
                self.connections.append(connection)
                self._start(connection.run, script, self.tls)


def read_request(connection: Connection) -> None:
    connection.take_request()


def read_bytes(size: int) -> Step:
    def step(connection: Connection) -> None:
        missing = size
        while missing:
            missing -= len(connection.take(missing))

    return step


def read_to_end(connection: Connection) -> None:
    with contextlib.suppress(ClientGone):
        while True:
            connection.take(65536)


def send(data: bytes) -> Step:
    return lambda connection: connection.give(data)


def dribble(data: bytes, every_s: float) -> Step:
    def step(connection: Connection) -> None:
        for byte in data:
            connection.give(bytes([byte]))
            if connection.stopping.wait(every_s):
                raise ClientGone

    return step


def reset(connection: Connection) -> None:
    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.sock.close()
    raise ClientGone


def close(connection: Connection) -> None:
    raise ClientGone


def hold(connection: Connection) -> None:
    read_to_end(connection)


def start_tls(context: ssl.SSLContext) -> Step:
    def step(connection: Connection) -> None:
        try:
            connection.sock = context.wrap_socket(connection.sock, server_side=True)
        except OSError:
            raise ClientGone from None

    return step


def http_reply(
    status: int, body: bytes = b"", *headers: str, length: int | None = None, reason: str = "Word"
) -> bytes:
    """An HTTP answer with a Content-Length (that of the body, or `length`)."""
    head = [f"HTTP/1.1 {status} {reason}", *headers]
    head.append(f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join([*head, "", ""]).encode("latin-1") + body


def one_each(*answers: bytes, **more: Any) -> RawServer:
    """A server that gives one answer to one request of each connection."""
    return RawServer([[read_request, send(reply), close] for reply in answers], **more)


@contextlib.contextmanager
def closed_port() -> Iterator[int]:
    """A port of the loopback that is taken, but at which nothing listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]
