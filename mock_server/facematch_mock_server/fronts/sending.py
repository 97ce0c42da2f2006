"""Carries a `Script` out on a transport: late, byte by byte, broken off."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable

from .wire import End, Script

_NO_LINGER = struct.pack("ii", 1, 0)


def reset(transport: asyncio.Transport) -> None:
    """End a connection with a RST, whatever is still on its way."""
    with contextlib.suppress(OSError):
        transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER
        )
    transport.abort()


def end_of_answers(transport: asyncio.Transport) -> None:
    """Send a FIN after what was written; reading goes on."""
    try:
        if transport.can_write_eof() and not transport.is_closing():
            transport.write_eof()
    except OSError:
        transport.abort()  # the client has gone


class Sender:
    """Sends the answers of one connection, one at a time.

    Args:
        transport: Of the connection.
        loop: Whose timers are used.

    Attributes:
        waiting: Whether it holds an answer back (`Script.wait_s`).
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None
        self._reset_when_flushed = False
        self.waiting = False

    def perform(self, script: Script, done: Callable[[End], None]) -> None:
        """Send what `script` says.

        Args:
            script: What and when.
            done: Called with its end when the last byte is handed over, maybe before this returns;
                not if it ends in a RST, and not after `cancel`.
        """
        if script.wait_s:
            self.waiting = True
            self._timer = self._loop.call_later(script.wait_s, self._waited, script, done)
        else:
            self._begin(script, done)

    def cancel(self) -> None:
        """Send nothing more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def flushed(self) -> None:
        """Called when everything written has gone to the system."""
        if self._reset_when_flushed:
            reset(self._transport)

    def _waited(self, script: Script, done: Callable[[End], None]) -> None:
        self.waiting = False
        self._begin(script, done)

    def _begin(self, script: Script, done: Callable[[End], None]) -> None:
        if script.first:
            self._transport.write(script.first)
        if script.then:
            self._later(script, done, 0)
        else:
            self._end(script.end, done)

    def _later(self, script: Script, done: Callable[[End], None], index: int) -> None:
        self._timer = self._loop.call_later(script.every_s, self._byte, script, done, index)

    def _byte(self, script: Script, done: Callable[[End], None], index: int) -> None:
        self._transport.write(script.then[index : index + 1])
        if index + 1 < len(script.then):
            self._later(script, done, index + 1)
        else:
            self._end(script.end, done)

    def _end(self, end: End, done: Callable[[End], None]) -> None:
        self._timer = None
        if end is not End.RESET:
            done(end)
        elif self._transport.get_write_buffer_size():
            # A RST takes back what has not left yet; what the system holds (up to some megabytes,
            # if the client is slow) cannot be helped.
            self._reset_when_flushed = True
            self._transport.set_write_buffer_limits(0)
        else:
            reset(self._transport)
