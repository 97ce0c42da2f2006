"""Pictures, requests and a load driver on raw sockets, for ``mock_server``.

The driver prepares all requests before it measures, and only looks for the end of each response. So
the driver costs less than any server. It runs as a separate process.
"""

from __future__ import annotations

import argparse
import base64
import functools
import io
import itertools
import json
import random
import selectors
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

#: Number of different pictures, used in rotation; each request has two.
PICTURES = 200
#: Width and height of a picture by size in KB, as in a camera's picture of that size.
_PIXELS = {200: (1024, 768), 20: (320, 240)}
#: As long as the multipart boundaries of requests and urllib3.
_BOUNDARY = "b8f1c0ffee5d4a3b9c2d7e6f50a1b2c3"

Pair = tuple[bytes, bytes]


def make_pictures(folder: Path, kilobytes: int) -> None:
    """Write `PICTURES` JPEGs of exactly this size."""
    for seed in range(PICTURES):
        (folder / f"{seed:03}.jpg").write_bytes(make_picture(seed, kilobytes))


def make_picture(seed: int, kilobytes: int) -> bytes:
    """Return a JPEG of exactly this size: smooth noise, always the same."""
    return _padded(_jpeg(seed, kilobytes, _quality(kilobytes)), 1000 * kilobytes)


@functools.cache
def _quality(kilobytes: int) -> int:
    """Return the best quality with which a picture is smaller than its size."""
    return next(q for q in range(98, 5, -1) if len(_jpeg(0, kilobytes, q)) < 950 * kilobytes)


def _jpeg(seed: int, kilobytes: int, quality: int) -> bytes:
    from PIL import Image

    width, height = _PIXELS[kilobytes]
    small = (width // 4, height // 4)
    noise = random.Random(seed).randbytes(3 * small[0] * small[1])
    file = io.BytesIO()
    picture = Image.frombytes("RGB", small, noise).resize((width, height), Image.Resampling.BICUBIC)
    picture.save(file, "JPEG", quality=quality)
    return file.getvalue()


def _padded(jpeg: bytes, size: int) -> bytes:
    """Return the picture with JPEG comments after its first marker."""
    comments = b""
    while (missing := size - len(jpeg) - len(comments)) >= 4:
        length = min(missing - 2, 0xFFFF)
        # Leave a rest that is too short for a comment to the next one.
        length -= 4 if 0 < missing - 2 - length < 4 else 0
        comments += b"\xff\xfe" + length.to_bytes(2, "big") + bytes(length - 2)
    return jpeg[:2] + comments + jpeg[2:]


def read_pairs(folder: Path) -> list[Pair]:
    """Return a folder's pictures in pairs."""
    pictures = [path.read_bytes() for path in sorted(folder.glob("*.jpg"))]
    return list(zip(pictures[::2], pictures[1::2], strict=True))


def form(pair: Pair) -> tuple[str, bytes]:
    """Return the content type and body of a face match."""
    body = b""
    for name, picture in zip(("user_image", "ref_image"), pair, strict=True):
        head = f'Content-Disposition: form-data; name="{name}"; filename="{name}.jpg"'
        body += f"--{_BOUNDARY}\r\n{head}\r\nContent-Type: image/jpeg\r\n\r\n".encode()
        body += picture + b"\r\n"
    return f"multipart/form-data; boundary={_BOUNDARY}", body + f"--{_BOUNDARY}--\r\n".encode()


def face_match(pair: Pair, port: int) -> bytes:
    """Return a complete request to Didit's face match."""
    content_type, body = form(pair)
    headers = ["x-api-key: mock-live-key", f"Content-Type: {content_type}"]
    return _post("/v3/face-match/", headers, body, port)


def compare_faces(pair: Pair, port: int) -> bytes:
    """Return a complete CompareFaces request to AWS Rekognition."""
    images = [{"Bytes": base64.b64encode(picture).decode()} for picture in pair]
    body = json.dumps({"SourceImage": images[0], "TargetImage": images[1]}).encode()
    scope = "mock/20261120/us-east-1/rekognition/aws4_request"
    headers = [
        "X-Amz-Target: RekognitionService.CompareFaces",
        "Content-Type: application/x-amz-json-1.1",
        f"Authorization: AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
    ]
    return _post("/", headers, body, port)


def _post(path: str, headers: Sequence[str], body: bytes, port: int) -> bytes:
    lines = [f"POST {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", *headers]
    lines += [f"Content-Length: {len(body)}", "\r\n"]
    return "\r\n".join(lines).encode() + body


class _Line:
    """One connection, kept alive until the server closes it."""

    def __init__(self, port: int, selector: selectors.BaseSelector) -> None:
        self._address = ("127.0.0.1", port)
        self._selector = selector
        self._socket: socket.socket | None = None

    def begin(self, request: bytes) -> None:
        self._unsent, self._answer, self._end = memoryview(request), bytearray(), -1
        if self._socket is None:
            self._socket = socket.create_connection(self._address)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket.setblocking(False)
            self._selector.register(self._socket, selectors.EVENT_READ, self)
        self._send(self._socket)
        if self._unsent:
            read_and_write = selectors.EVENT_READ | selectors.EVENT_WRITE
            self._selector.modify(self._socket, read_and_write, self)

    def ready(self, events: int) -> bool:
        """Continue sending or receiving; return whether the response is complete."""
        if self._socket is None:
            raise RuntimeError("a closed connection cannot be ready")
        if events & selectors.EVENT_WRITE:
            self._send(self._socket)
            if not self._unsent:
                self._selector.modify(self._socket, selectors.EVENT_READ, self)
        return bool(events & selectors.EVENT_READ) and self._receive(self._socket)

    def close(self) -> None:
        if self._socket is not None:
            self._selector.unregister(self._socket)
            self._socket.close()
            self._socket = None

    def _send(self, sock: socket.socket) -> None:
        try:
            self._unsent = self._unsent[sock.send(self._unsent) :]
        except BlockingIOError:
            return

    def _receive(self, sock: socket.socket) -> bool:
        data = sock.recv(65536)
        self._answer += data
        if self._end < 0:
            self._end = _end_of_answer(self._answer)
        if not 0 <= self._end <= len(self._answer):
            if not data:
                raise RuntimeError(f"no whole answer: {bytes(self._answer[:300])!r}")
            return False
        head = bytes(self._answer[:2000]).partition(b"\r\n\r\n")[0].lower()
        if not head.split(b" ")[1].startswith(b"200"):
            raise RuntimeError(f"an answer other than 200: {bytes(self._answer[:600])!r}")
        if head.startswith(b"http/1.0") or b"\r\nconnection: close" in head:
            self.close()
        return True


def _end_of_answer(answer: bytearray) -> int:
    """Return the end of a response by its Content-Length; -1 until its headers are complete."""
    head, separator, _ = bytes(answer).partition(b"\r\n\r\n")
    if not separator:
        return -1
    length = head.lower().partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0]
    return len(head) + 4 + int(length)


def drive(
    port: int, requests: Iterator[bytes], connections: int, more: Callable[[int], bool]
) -> float:
    """Send requests over several connections, while `more(number of started requests)` is true.

    Returns the responses per second.
    """
    answered = started = 0
    with selectors.DefaultSelector() as selector:
        lines = [_Line(port, selector) for _ in range(connections)]
        start = time.perf_counter()
        busy = 0
        for line in lines:
            line.begin(next(requests))
            started, busy = started + 1, busy + 1
        while busy:
            for key, events in selector.select():
                line = key.data
                if not line.ready(events):
                    continue
                answered += 1
                if more(started):
                    line.begin(next(requests))
                    started += 1
                else:
                    busy -= 1
        elapsed_s = time.perf_counter() - start
        for line in lines:
            line.close()
    return answered / elapsed_s


def main() -> None:
    """Send each picture once (cold), then in rotation (warm); print both results as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("port", type=int)
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--aws", action="store_true")
    parser.add_argument("--seconds", type=float, required=True)
    options = parser.parse_args()
    make = compare_faces if options.aws else face_match
    ready = [make(pair, options.port) for pair in read_pairs(options.folder)]
    cold = drive(options.port, iter(ready), options.connections, lambda n: n < len(ready))
    end = time.perf_counter() + options.seconds
    again = itertools.cycle(ready)
    warm = drive(options.port, again, options.connections, lambda _: time.perf_counter() < end)
    print(json.dumps({"cold": cold, "warm": warm}))


if __name__ == "__main__":
    main()
