"""The vendor behind the paragon, in this process: it knows every situation, and keeps books."""

from __future__ import annotations

import threading

from facematch_core.testing._double import VendorDouble
from facematch_core.testing._pictures import noise
from facematch_core.testing._situations import Situation

#: By which the vendor decides if it is sent none.
OWN_THRESHOLD = 25.0


def stranger():
    """The reference of which the vendor knows that nobody else's picture is like it."""
    return noise(3, (96, 96))


class Vendor:
    """The other side: does what it was told to, and keeps books."""

    def __init__(self):
        self.situation, self.score = None, None
        self.seen, self.charged, self.last = 0, 0, {}
        self.records = {}
        self._lock = threading.Lock()

    def connect(self):
        if self.situation is Situation.UNREACHABLE:
            raise ConnectionRefusedError

    def ask(self, request, timeout_s):
        """Status and decoded body; like a socket it may raise with the request at hand."""
        with self._lock:
            self.seen += 1
            self.last = request
            number = self.seen
        if self.situation is Situation.SLOW:
            raise TimeoutError if timeout_s is not None else ConnectionResetError
        refusals = {"bad_key": 401, "no_credit": 402, "throttled": 429, "rejected": 400}
        refusals |= {"outage": 503, "gateway_error": 502}
        if self.situation.value in refusals:
            return refusals[self.situation.value], {"error": f"no, {request['key']}"}
        with self._lock:
            self.charged += 1
        if self.situation in (Situation.LOST_ANSWER, Situation.BROKEN_ANSWER):
            raise ConnectionResetError
        if self.situation is Situation.UNREADABLE_200:
            return 200, {"hello": "world"}
        return 200, self._answer(request, number)

    def _answer(self, request, number):
        situation = self.situation
        low = situation in (Situation.DIFFERENT_PEOPLE, Situation.SPOOF)
        low = low or request.get("reference") == stranger().data
        score = 7.25 if low else 93.5
        if situation is Situation.SCORE:
            score = self.score
        verdict = "yes" if score > request.get("threshold", OWN_THRESHOLD) else "no"
        warnings = []
        if situation is Situation.NO_FACE or (
            situation is Situation.TURNED and not request["rotate"]
        ):
            verdict, score, warnings = "no", None, [("NO_FACE", "No face.", "high")]
        elif situation is Situation.TWO_FACES:
            warnings = [("MANY_FACES", "Two faces.", "low")]
        elif situation is Situation.NULL_SCORE:
            verdict, score = "yes", None
        elif situation is Situation.IMPOSSIBLE_SCORE:
            score = 250.0
        elif situation is Situation.UNKNOWN_STATUS:
            verdict = VendorDouble.unknown_status
        elif situation is Situation.UNKNOWN_WARNING:
            # The vendor's own gravest weight, and one that nobody knows.
            warnings = [(*VendorDouble.unknown_warning, weight) for weight in ("high", "molten")]
        body = {"verdict": verdict, "score": score, "warnings": warnings, "id": f"call-{number}"}
        if situation is Situation.DEMOGRAPHICS:
            body["guesses"] = [{"age": 41.75, "gender": "guessed-gender"}]
        return body
