"""A port of this machine at which a double can be found, or cannot."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from ._http_messages import DoubleRequest

_HOST = "127.0.0.1"

#: Seconds after which a connection that says nothing is given up.
PATIENCE_S = 30.0


class Door:
    """One port of this machine, at which somebody listens, or nobody, for as long as it is held."""

    def __init__(self, serve: Callable[[DoubleRequest], bytes | None]) -> None:
        self._serve = serve
        self._socket = self._bound(0)
        self.port: int = self._socket.getsockname()[1]
        self._server: _Server | None = None

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://{_HOST}:{self.port}"

    def _bound(self, port: int) -> socket.socket:
        # Bound but not listening: nobody else gets the port, and connections are refused.
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((_HOST, port))
        return sock

    def open(self, *, listening: bool) -> None:
        """Begin or cease to listen."""
        if listening and self._server is None:
            self._server = _Server(self._socket, self._serve)
        elif not listening and self._server is not None:
            self._server.stop()
            self._server = None
            self._socket = self._bound(self.port)

    def close(self) -> None:
        """Give the port back."""
        if self._server is not None:
            self._server.stop()
        self._socket.close()


class _Server(ThreadingHTTPServer):
    """A server over a socket that is bound already."""

    # Threads that ask at the same moment must not wait for the system's repeat of a refused one.
    request_queue_size = 64
    daemon_threads = False

    def __init__(self, sock: socket.socket, serve: Callable[[DoubleRequest], bytes | None]) -> None:
        super().__init__((_HOST, 0), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = sock
        self.serve = serve
        self.server_activate()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.005,))
        self._thread.start()

    def stop(self) -> None:
        """Stop listening, and wait until everything that was begun is answered."""
        self.shutdown()
        self._thread.join()
        self.server_close()

    def handle_error(self, *_: object) -> None:
        """A client that went away is what some situations are about."""


class _Handler(BaseHTTPRequestHandler):
    timeout = PATIENCE_S
    server: _Server

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        answer = self.server.serve(
            DoubleRequest(method=self.command, path=self.path, headers=self.headers, body=body)
        )
        if answer is not None:
            self.wfile.write(answer)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Not on the screen: pytest would take it for output of the test."""

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle  # noqa: N815 - names of the standard library
