"""A page on which one person labels the calls of a review file.

It is served on the loopback interface at an address with a random part, so that neither another
computer nor another website can open it. It does not say which system accepted a call, nor whether
the systems disagreed: the file does not have it either. Pictures are read when they are shown; the
browser is told not to store them, and nothing is written but the review file.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, Self

import attrs
from attrs.validators import instance_of

from facematch_comparison.production.labels.pictures import find_pictures, read_picture
from facematch_comparison.production.labels.sheet import ReviewSheet
from facematch_core.errors import InvalidRequest
from facematch_core.models import Operation

HOST: Final = "127.0.0.1"
_FOLDER: Final = Path(__file__).parent
#: The files of the page, by the last part of their path, and their media types.
_FILES: Final = {
    "": ("page.html", "text/html; charset=utf-8"),
    "desk.css": ("desk.css", "text/css; charset=utf-8"),
    "desk.mjs": ("desk.mjs", "text/javascript; charset=utf-8"),
}
_QUESTIONS: Final = {
    Operation.MATCH: "Is this the same person?",
    Operation.LIVENESS: "Is this a live person in front of the camera?",
}
#: Sent with each response.
_HEADERS: Final = {
    # No copy of a picture in the browser's cache.
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
#: Maximum size of an answer in bytes.
_MAX_BODY: Final = 10_000


class Desk:
    """Serves the page for one review file; a context manager.

    Attributes:
        sheet: The review file.
        without_pictures: Number of its calls without a picture in the folder.
        url: The address of the page.
    """

    def __init__(self, review: Path, pictures: Path) -> None:
        """Read the file and list the pictures.

        Raises:
            InvalidRequest: the file or the folder cannot be read, or no call has a picture.
        """
        self.sheet = ReviewSheet(review)
        call_ids = [row.call_id for row in self.sheet.rows]
        self._pictures = find_pictures(pictures, call_ids)
        if not self._pictures:
            raise InvalidRequest(
                f"{pictures} has no picture of any of the {len(call_ids):,} calls. Name a picture "
                f"by its call: {call_ids[0]}/selfie.jpg, or {call_ids[0]}-1.jpg."
            )
        self.without_pictures = sum(call_id not in self._pictures for call_id in call_ids)
        self._lock = threading.Lock()
        self._path = f"/{secrets.token_urlsafe(16)}/"
        self._server = _Server((HOST, 0), self)
        self.url = f"http://{self._server.host}{self._path}"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="facematch-desk", daemon=True
        )
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def path_below(self, path: str) -> str | None:
        """Return the part of a path below the page's address; None if it is elsewhere."""
        is_ours = secrets.compare_digest(path[: len(self._path)].encode(), self._path.encode())
        return path.removeprefix(self._path) if is_ours else None

    def describe(self) -> dict[str, Any]:
        """Return what the page shows."""
        with self._lock:
            rows = self.sheet.rows
        calls = []
        for row in rows:
            calls.append(
                {
                    "call": row.call_id,
                    "label": row.label,
                    "remark": row.remark,
                    "pictures": len(self._pictures.get(row.call_id, ())),
                }
            )
        return {"question": _QUESTIONS[self.sheet.operation], "calls": calls}

    def answer(self, place: int, label: str, remark: str) -> None:
        """Write an answer; errors as `ReviewSheet.answer`."""
        with self._lock:
            self.sheet.answer(place, label, remark)

    def picture_at(self, place: int, number: int) -> Path | None:
        """Return a picture of the call at `place`; None if there is none."""
        with self._lock:
            rows = self.sheet.rows
        if place >= len(rows):
            return None
        pictures = self._pictures.get(rows[place].call_id, [])
        return pictures[number] if number < len(pictures) else None


@attrs.frozen
class _Answer:
    """What the page sends."""

    place: int = attrs.field(validator=instance_of(int))
    label: str = attrs.field(validator=instance_of(str))
    remark: str = attrs.field(validator=instance_of(str))

    @classmethod
    def parse(cls, body: bytes) -> _Answer | None:
        """Return the answer in a body, or None if it is none."""
        try:
            return cls(**json.loads(body))
        except (ValueError, TypeError):
            return None


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], desk: Desk) -> None:
        self.desk = desk
        super().__init__(address, _Handler)

    @property
    def host(self) -> str:
        return f"{HOST}:{self.server_port}"

    def handle_error(self, _request: Any, _client_address: Any) -> None:
        """Say nothing: a browser that closes a connection is no error."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version = "facematch"
    sys_version = ""
    #: Seconds until a connection that sends nothing is closed.
    timeout = 60

    def do_GET(self) -> None:
        """Send the page, the calls or a picture; 404 for any path outside the desk's secret one."""
        below = self._path_below()
        if below is None:
            self._send_error(HTTPStatus.NOT_FOUND, "There is nothing here.")
        elif below in _FILES:
            name, media_type = _FILES[below]
            self._send((_FOLDER / name).read_bytes(), media_type)
        elif below == "calls":
            self._send_json(self.server.desk.describe())
        else:
            self._send_picture(below)

    def do_POST(self) -> None:
        """Store a reviewer's answer.

        404 for another path or another website, 400 for what is no answer, 409 if the answer is
        refused or the file cannot be written.
        """
        # Another website does not know the path, and a browser names its origin.
        if self._path_below() != "answers" or self._is_of_another_site():
            self._send_error(HTTPStatus.NOT_FOUND, "There is nothing here.")
            return
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > _MAX_BODY:
            self._send_error(HTTPStatus.BAD_REQUEST, "The answer is too long.")
            return
        answer = _Answer.parse(self.rfile.read(int(length)))
        if answer is None:
            self._send_error(HTTPStatus.BAD_REQUEST, "This is no answer.")
            return
        try:
            self.server.desk.answer(answer.place, answer.label, answer.remark)
        except InvalidRequest as error:
            self._send_error(HTTPStatus.CONFLICT, str(error))
        except OSError as error:
            reason = error.strerror or type(error).__name__
            self._send_error(HTTPStatus.CONFLICT, f"The file cannot be written: {reason}.")
        else:
            self._send_json({})

    def _path_below(self) -> str | None:
        """Return the path below the page's address; None if it or the host is another one."""
        # Another name that resolves to this address (DNS rebinding) is refused.
        if self.headers.get("Host") != self.server.host:
            return None
        return self.server.desk.path_below(self.path.partition("?")[0])

    def _is_of_another_site(self) -> bool:
        origin = self.headers.get("Origin")
        return origin is not None and origin != f"http://{self.server.host}"

    def _send_picture(self, below: str) -> None:
        """Send the picture of ``pictures/PLACE/NUMBER``."""
        parts = below.split("/")
        path = None
        if len(parts) == 3 and parts[0] == "pictures" and parts[1].isdigit() and parts[2].isdigit():
            path = self.server.desk.picture_at(int(parts[1]), int(parts[2]))
        picture = None if path is None else read_picture(path)
        if picture is None:
            self._send_error(HTTPStatus.NOT_FOUND, "No picture that a browser shows.")
        else:
            self._send(picture.content, picture.media_type)

    def _send_json(self, document: Any, status: HTTPStatus = HTTPStatus.OK) -> None:
        self._send(json.dumps(document).encode(), "application/json", status)

    def _send_error(self, status: HTTPStatus, message: str) -> None:
        self._send_json({"error": message}, status)

    def _send(self, body: bytes, media_type: str, status: HTTPStatus = HTTPStatus.OK) -> None:
        self.send_response(status)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Log nothing: paths contain the secret of the address."""
