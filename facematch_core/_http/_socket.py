"""A connected socket that reports to the current `Exchange` and waits no longer than it allows."""

from __future__ import annotations

import io
import socket
from typing import Any

from ._exchange import CURRENT, Exchange


def _set_timeout(sock: socket.socket, timeout_s: float) -> None:
    # Setting it is a system call, during which another thread takes its turn.
    if sock.gettimeout() != timeout_s:
        sock.settimeout(timeout_s)


class TimedSocket:
    """A connected socket whose every wait ends with the deadline of the current exchange.

    Args:
        sock: The socket, TLS included. What is not defined here is asked of it.
        patience_s: Longest single wait, in seconds.
    """

    def __init__(self, sock: socket.socket, patience_s: float) -> None:
        self._sock = sock
        self._patience_s = patience_s
        self._files: list[io.BufferedReader[TimedReader]] = []
        self.idle_since: float | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def fileno(self) -> int:
        """The descriptor, for `poll`."""
        return self._sock.fileno()

    def sendall(self, data: bytes, flags: int = 0) -> None:
        """Send everything, piece by piece, each with what is left of the time."""
        exchange = CURRENT.get()
        with memoryview(data).cast("B") as view:
            done = 0
            while done < len(view):
                timeout_s = exchange.wait_s(self._patience_s)
                self._beginning(exchange)
                _set_timeout(self._sock, timeout_s)
                try:
                    done += self._sock.send(view[done:], flags)
                except TimeoutError as error:
                    exchange.timed_out(error)
                    raise

    def _beginning(self, exchange: Exchange) -> None:
        pass

    def makefile(self, mode: str = "rb", *_: Any, **__: Any) -> io.BufferedReader[TimedReader]:
        """A reader over the socket; `http.client` asks for ``rb`` alone."""
        if mode != "rb":
            raise ValueError("Only reading of bytes is offered.")
        # The unbuffered file of the socket keeps count of its users, so that the descriptor lives
        # until the answer is read even if the connection is closed before.
        raw = self._sock.makefile("rb", buffering=0)
        file = io.BufferedReader(TimedReader(raw, self._sock, self._patience_s))
        self._files = [open_file for open_file in self._files if not open_file.closed]
        self._files.append(file)
        return file

    def drop(self) -> None:
        """Close the socket and every file over it."""
        for file in self._files:
            file.close()
        self._sock.close()


class RequestSocket(TimedSocket):
    """The socket that carries requests: past the proxy's tunnel and the TLS handshake."""

    def _beginning(self, exchange: Exchange) -> None:
        exchange.begin(self)


class TimedReader(io.RawIOBase):
    """Reads with what is left of the time, wait by wait: a dribbling answer ends as well.

    Attributes:
        ended: Whether the peer has closed its side, and a read has met that.
    """

    def __init__(self, raw: socket.SocketIO, sock: socket.socket, patience_s: float) -> None:
        self._raw = raw
        self._sock = sock
        self._patience_s = patience_s
        self.ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        exchange = CURRENT.get()
        _set_timeout(self._sock, exchange.wait_s(self._patience_s))
        try:
            count = self._raw.readinto(buffer)
        except TimeoutError as error:
            exchange.timed_out(error)
            raise
        exchange.received(count or 0)
        self.ended = count == 0
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()
