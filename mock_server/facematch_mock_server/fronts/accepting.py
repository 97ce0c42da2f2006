"""Accepts connections.

asyncio's own server forgets those that it is setting up when it is closed: a stop would leave their
clients waiting, or a task behind.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import Any

_log = logging.getLogger("facematch_mock_server")

#: How many connections are accepted in one turn of the loop.
_AT_ONCE = 256

#: Seconds until the next try when the process has no descriptor left.
_PAUSE_S = 0.1


class Listener:
    """A listening socket, for use on the loop's thread.

    Args:
        sock: It; closed by `close`.
        make: Makes the protocol of a new connection.
        loop: Whose turn it is.
    """

    def __init__(
        self,
        sock: socket.socket,
        make: Callable[[], asyncio.BaseProtocol],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._sock = sock
        self._make = make
        self._loop = loop
        self._pause: asyncio.TimerHandle | None = None
        self._beginning: set[asyncio.Task[Any]] = set()
        sock.setblocking(False)
        self._watch()

    async def close(self) -> None:
        """Accept nothing more; returns when every connection that was accepted has its protocol."""
        if self._pause is not None:
            self._pause.cancel()
        self._loop.remove_reader(self._sock)
        self._sock.close()
        await asyncio.gather(*self._beginning, return_exceptions=True)

    def _watch(self) -> None:
        self._pause = None
        self._loop.add_reader(self._sock, self._accept)

    def _accept(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                connection, _peer = self._sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:
                _log.exception("no connection can be accepted; trying again in %s s", _PAUSE_S)
                self._loop.remove_reader(self._sock)
                self._pause = self._loop.call_later(_PAUSE_S, self._watch)
                return
            connection.setblocking(False)
            task = self._loop.create_task(
                self._loop.connect_accepted_socket(self._make, connection)
            )
            self._beginning.add(task)
            task.add_done_callback(self._begun)

    def _begun(self, task: asyncio.Task[Any]) -> None:
        self._beginning.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _log.error("a connection could not be set up", exc_info=task.exception())
