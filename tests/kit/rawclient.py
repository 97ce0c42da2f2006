"""A client over a bare socket, for what no proper client sends or shows."""

import socket

import attrs


class Closed(Exception):
    """The server ended the connection before an answer was complete."""


@attrs.frozen(kw_only=True)
class RawReply:
    status: int
    headers: tuple
    body: bytes

    def header(self, name):
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        assert len(values) < 2, f"{name} came {len(values)} times"
        return values[0] if values else None


class RawClient:
    """One connection to a port of the loopback; no step of it waits longer than ten seconds."""

    def __init__(self, port):
        self.sock = socket.create_connection(("127.0.0.1", port), 10)
        self._unread = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data)

    def half_close(self):
        self.sock.shutdown(socket.SHUT_WR)

    def head(self):
        while b"\r\n\r\n" not in self._unread:
            self._more()
        head, _, self._unread = self._unread.partition(b"\r\n\r\n")
        return head + b"\r\n\r\n"

    def answer(self, *, to_head=False):
        head = self.head()
        while head.startswith(b"HTTP/1.1 1"):
            head = self.head()
        status_line, *lines = head.decode("latin-1").strip().split("\r\n")
        headers = tuple(tuple(line.split(": ", 1)) for line in lines)
        answer = RawReply(status=int(status_line.split()[1]), headers=headers, body=b"")
        length = 0 if to_head else int(answer.header("Content-Length") or 0)
        while len(self._unread) < length:
            self._more()
        body = self._unread[:length]
        self._unread = self._unread[length:]
        return attrs.evolve(answer, body=body)

    def rest(self):
        """Everything that still comes, and how it ends: ``fin`` or ``reset``."""
        try:
            while True:
                self._more()
        except Closed:
            return self._unread, "fin"
        except ConnectionResetError:
            return self._unread, "reset"

    def end(self):
        rest, end = self.rest()
        assert rest == b""
        return end

    def _more(self):
        data = self.sock.recv(65536)
        if not data:
            raise Closed
        self._unread += data


def raw_request(method="POST", target="/x", *headers, body=None):
    lines = [f"{method} {target} HTTP/1.1", "Host: localhost", *headers]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b"")


def chunked(*pieces):
    return b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in pieces if p) + b"0\r\n\r\n"
