"""Requests that the mock itself sends: webhooks, and pictures that a client names by a link."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
import time
from collections.abc import Container, Iterable
from urllib.parse import SplitResult, urlsplit

import attrs

from facematch_core.base.addresses import is_loopback


@attrs.frozen(kw_only=True)
class RemoteResponse:
    """The answer to a request of the mock.

    Attributes:
        status: The HTTP status; None if there was no answer.
        body: The body, or as much of it as was read.
        problem: Why the answer is missing or incomplete; None if it is neither.
        elapsed_ms: How long it took, in milliseconds.
    """

    status: int | None = None
    body: bytes = attrs.field(default=b"", repr=False)
    problem: str | None = None
    elapsed_ms: int = 0


def split_url(url: str) -> SplitResult:
    """Return the parts of a URL; of a text that is none, such as ``http://[``, they are empty."""
    try:
        return urlsplit(url)
    except ValueError:
        return urlsplit("")


def is_web_url(url: str) -> bool:
    """Return whether a text is an http or https URL with a host."""
    parts = split_url(url)
    return parts.scheme in ("http", "https") and bool(parts.netloc)


def may_send(url: str, hosts: Container[str]) -> bool:
    """Return whether the mock may send a request to a URL: only to this machine or these hosts."""
    try:
        parts = urlsplit(url)
        is_web_url = parts.scheme in ("http", "https") and parts.port != 0
    except ValueError:
        return False
    # Clients differ in what a backslash ends, and so in the host.
    if not is_web_url or not url.isascii() or not url.isprintable() or {" ", "\\"} & set(url):
        return False
    return is_loopback(parts.hostname or "") or parts.hostname in hosts


def send(
    method: str,
    url: str,
    *,
    headers: Iterable[tuple[str, str]] = (),
    body: bytes | None = None,
    timeout_s: float,
    max_answer_bytes: int,
    thread_name: str,
) -> RemoteResponse:
    """Send a request and return the answer. Uses no proxy and follows no redirects.

    Args:
        method, url: The request; `may_send` allows the URL.
        headers: Headers in order, except connection headers.
        body: The body; None for none.
        timeout_s: The deadline of the whole exchange, even if the server answers byte by byte.
        max_answer_bytes: How many bytes of the answer's body are read.
        thread_name: The name of the thread that keeps the deadline.
    """
    began = time.monotonic()
    parts = urlsplit(url)
    target = parts.path or "/"
    if parts.query:
        target = f"{target}?{parts.query}"
    connection_class = (
        http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    )
    connection = connection_class(parts.hostname or "", parts.port, timeout=timeout_s)
    is_late = threading.Event()

    def shut_down(sock: socket.socket) -> None:
        is_late.set()
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)

    status = None
    content = b""
    problem = None
    deadline = None
    try:
        connection.connect()
        left_s = max(0.0, timeout_s - (time.monotonic() - began))
        # The connection drops its socket, and reads on, if the server announces that it will close.
        deadline = threading.Timer(left_s, shut_down, args=(connection.sock,))
        deadline.name = thread_name
        deadline.daemon = True
        deadline.start()
        connection.putrequest(method, target, skip_accept_encoding=True)
        for name, value in headers:
            connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.putheader("Connection", "close")
        connection.endheaders(body)
        response = connection.getresponse()
        if is_late.is_set():
            raise TimeoutError
        status = response.status
        # Closing with unread bytes would reset the connection.
        content = response.read(max_answer_bytes)
        # A body that ends early raises no error if a number of bytes is read.
        if response.length and len(content) < max_answer_bytes:
            raise http.client.IncompleteRead(content, response.length)
        if is_late.is_set():
            raise TimeoutError
    except (OSError, ValueError, http.client.HTTPException) as error:
        is_timeout = isinstance(error, TimeoutError) or is_late.is_set()
        problem = "timeout" if is_timeout else f"no answer: {type(error).__name__}"
    finally:
        if deadline is not None and deadline.is_alive():
            deadline.cancel()
            deadline.join()
        connection.close()
    elapsed_ms = int((time.monotonic() - began) * 1000)
    return RemoteResponse(status=status, body=content, problem=problem, elapsed_ms=elapsed_ms)
