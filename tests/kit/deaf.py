"""A host that takes no connections."""

import contextlib
import socket


@contextlib.contextmanager
def deaf_host():
    """Its host and port: its queue is full, so it drops each SYN."""
    with socket.socket() as listener, contextlib.ExitStack() as waiting:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(8):  # more than it has room for
            filling = waiting.enter_context(socket.socket())
            filling.setblocking(False)
            filling.connect_ex(listener.getsockname())
        yield listener.getsockname()
