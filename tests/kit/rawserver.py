"""A scripted TCP server for what no proper server does: resets, broken framing, dribbling.

Each connection runs a script of steps, functions of its `Connection`, and ends with FIN::

    with RawServer([read_request, send(http_reply(200, b"{}"))]) as server:
        requests.get(server.url)
"""

import contextlib
import re
import secrets
import socket
import struct
import threading


class ClientGone(Exception):
    """The script ends here: the client has gone, or the server is being closed."""


class Connection:
    """One accepted connection: its socket, every byte received, and the requests read.

    `stopping` is set when the server is being closed, `done` when this connection is closed.
    """

    def __init__(self, sock, stopping):
        self.sock = sock
        self.stopping = stopping
        self.received = bytearray()
        self.requests = []
        self.done = threading.Event()
        self._taken = 0

    def take(self, size):
        try:
            data = self.sock.recv(size)
        except OSError:
            raise ClientGone from None
        if not data:
            raise ClientGone
        self.received += data
        return data

    def give(self, data):
        try:
            self.sock.sendall(data)
        except OSError:
            raise ClientGone from None

    def take_request(self):
        while self.received.find(b"\r\n\r\n", self._taken) < 0:
            self.take(65536)
        end = self.received.index(b"\r\n\r\n", self._taken) + 4
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", self.received[self._taken : end])
        end += int(length[1]) if length else 0
        while len(self.received) < end:
            self.take(min(65536, end - len(self.received)))
        self.requests.append(bytes(self.received[self._taken : end]))
        self._taken = end
        return self.requests[-1]

    def run(self, script, tls):
        try:
            for step in [*([start_tls(tls)] if tls else []), *script]:
                step(self)
        except ClientGone:
            pass
        finally:
            self.sock.close()
            self.done.set()


class RawServer:
    """Listens on loopback while it is open; each connection has a thread of its own.

    `scripts` is one script, or one per connection, of which the last serves every further one.
    """

    def __init__(self, scripts=(), *, tls=None):
        many = bool(scripts) and not callable(scripts[0])
        self.scripts = list(scripts) if many else [scripts]
        self.tls = tls
        self.connections = []
        self._stopping = threading.Event()
        self._threads = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self._listener.getsockname()[1]
        start = "http://127.0.0.1" if tls is None else "https://localhost"
        self.url = f"{start}:{self.port}/"

    @property
    def received(self):
        return b"".join(c.received for c in self.connections)

    @property
    def requests(self):
        return [request for c in self.connections for request in c.requests]

    def __enter__(self):
        self._start(self._accept)
        return self

    def __exit__(self, *_):
        self._stopping.set()
        # Wakes accept() up, on every system.
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
            pass
        accepting, *serving = self._threads
        # It may still be accepting a connection that came before.
        accepting.join()
        for connection in self.connections:
            # Wakes up a step that is reading or sending; the socket may be closed already.
            with contextlib.suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)
        for thread in serving:
            thread.join()

    def _start(self, target, *args):
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self):
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


def read_request(connection):
    connection.take_request()


def read_bytes(size):
    def step(connection):
        missing = size
        while missing:
            missing -= len(connection.take(missing))

    return step


def send(data):
    return lambda connection: connection.give(data)


def dribble(data, every_s):
    def step(connection):
        for byte in data:
            connection.give(bytes([byte]))
            if connection.stopping.wait(every_s):
                raise ClientGone

    return step


def reset(connection):
    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.sock.close()
    raise ClientGone


def close(connection):
    raise ClientGone


def hold(connection):
    while True:
        connection.take(65536)


def start_tls(context):
    def step(connection):
        try:
            connection.sock = context.wrap_socket(connection.sock, server_side=True)
        except OSError:
            raise ClientGone from None

    return step


def http_reply(status, body=b"", *headers, length=None):
    head = [f"HTTP/1.1 {status} Word", *headers]
    head.append(f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join([*head, "", ""]).encode("latin-1") + body


def one_each(*answers, **more):
    """Return a server that gives one answer to one request of each connection."""
    return RawServer([[read_request, send(reply), close] for reply in answers], **more)


@contextlib.contextmanager
def closed_port():
    """Yield a port of the loopback that is taken, but at which nothing listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


def free_port():
    """Return a port for a server of another process.

    It is below those that the system gives to whoever asks for any port, so that nobody else gets
    it before that server.
    """
    while True:
        port = 15_000 + secrets.randbelow(17_000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
