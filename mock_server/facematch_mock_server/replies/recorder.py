"""Forward a program's calls to the real vendor, at most so many, and record them."""

from __future__ import annotations

import threading
from collections.abc import Callable

import attrs

from facematch_core import __version__
from facematch_core.base.addresses import MOCK_HEADER
from facematch_mock_server.base.messages import Request, Response
from facematch_mock_server.claims import JSON, encode, response

from .recording_file import RecordingFile
from .upstream import NoAnswer, NotSent, Upstream, decode_body


class Recorder:
    """Sends each call once, and counts it before: the vendor may charge it. Thread-safe.

    Args:
        recording: Where the replies are kept.
        upstream: The way to the vendors.
        max_calls: How many calls are sent.
        report: Called with each call that was not recorded, a sentence.

    Attributes:
        calls: How many calls the vendor may have charged.
    """

    def __init__(
        self,
        recording: RecordingFile,
        upstream: Upstream,
        max_calls: int,
        report: Callable[[str], None],
    ) -> None:
        self.recording = recording
        self.max_calls = max_calls
        self.calls = 0
        self._upstream = upstream
        self._report = report
        self._lock = threading.Lock()

    def forward(self, vendor: str, request: Request) -> Response:
        """Send a call to a vendor and return its reply.

        If there is none, return the mock's sentence: a 503 at the limit, a 502 without an answer.
        """
        with self._lock:
            if self.calls >= self.max_calls:
                return self._refuse(
                    503,
                    f"The call was not sent: --max-calls allows {self.max_calls} calls to the real "
                    "vendor.",
                )
            self.calls += 1
        try:
            reply = self._upstream.send(request)
        except NotSent as error:
            with self._lock:
                self.calls -= 1
            return self._refuse(
                502, f"The call was not sent: no connection to the vendor ({error})."
            )
        except NoAnswer as error:
            return self._refuse(
                502, f"The vendor did not answer ({error}); it may have charged the call."
            )
        try:
            body = decode_body(reply)
        except ValueError as error:
            self._report(f"A call was not recorded: {error}.")
            return reply
        host = self._upstream.host_for(request)
        self.recording.add(vendor, host, request, attrs.evolve(reply, body=body))
        return reply

    def close(self) -> None:
        """Send no more calls. Those that wait for an answer get none, as they may be charged."""
        self._upstream.close()

    def _refuse(self, status: int, sentence: str) -> Response:
        self._report(sentence)
        # The vendor's own replies have no such header.
        return response(status, JSON, encode({"mock": sentence}), [(MOCK_HEADER, __version__)])
