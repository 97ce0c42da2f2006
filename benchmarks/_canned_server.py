"""A server that discards every request and always sends the same response.

python benchmarks/_canned_server.py FILE

FILE contains the complete response, headers and body. The server prints its port and runs until its
standard input ends. It imports no facematch code.
"""

import asyncio
import re
import sys
import threading
from pathlib import Path

_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)\r\n", re.IGNORECASE)


class Canned(asyncio.BufferedProtocol):
    """One connection: reads only the length of each request and discards that many bytes."""

    answer = b""

    def connection_made(self, transport):
        self.transport = transport
        self.room = memoryview(bytearray(1024 * 1024))
        self.head, self.missing_bytes = b"", 0

    def get_buffer(self, sizehint):
        return self.room

    def buffer_updated(self, nbytes):
        if self.missing_bytes:
            self.missing_bytes -= nbytes
        else:
            self.head += self.room[:nbytes]
            head, separator, start_of_body = self.head.partition(b"\r\n\r\n")
            if not separator:
                return
            length = _LENGTH.search(head + b"\r\n")
            self.head, self.missing_bytes = b"", int(length[1]) - len(start_of_body)
        if not self.missing_bytes:
            self.transport.write(self.answer)


if __name__ == "__main__":
    Canned.answer = Path(sys.argv[1]).read_bytes()
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(loop.create_server(Canned, "127.0.0.1", 0))
    threading.Thread(target=loop.run_forever, daemon=True).start()
    print(server.sockets[0].getsockname()[1], flush=True)
    sys.stdin.read()
