"""Acme, played on this machine."""

import itertools
from typing import Any

from facematch_acme import AcmeBackend

from facematch_core import ImageFormat
from facematch_core.backend import ImageLimits
from facematch_core.testing import DoubleReply, DoubleRequest, HttpDouble, Situation

KEY = "acme-key-4f7e1c2ab9"

#: What Acme's documents call each refusal.
REFUSALS = {
    Situation.NO_CREDIT: (402, "The account is empty."),
    Situation.REJECTED: (422, "The field probe is missing."),
    Situation.THROTTLED: (429, "Too many calls."),
    Situation.OUTAGE: (500, "Something went wrong."),
}
SIMILARITIES = {Situation.DIFFERENT_PEOPLE: 12.25, Situation.IMPOSSIBLE_SCORE: 250.0}


class AcmeDouble(HttpDouble):
    """Answers as Acme's documents say."""

    situations = HttpDouble.FAULTS | {
        Situation.SAME_PERSON,
        Situation.DIFFERENT_PEOPLE,
        Situation.SCORE,
        Situation.NO_FACE,
        Situation.NULL_SCORE,
        Situation.IMPOSSIBLE_SCORE,
        Situation.UNKNOWN_STATUS,
        Situation.UNREADABLE_200,
        Situation.BAD_KEY,
        *REFUSALS,
    }
    secrets = (KEY,)
    limits = ImageLimits(formats={ImageFormat.JPEG, ImageFormat.PNG}, max_bytes=1_000_000)
    _numbers = itertools.count(1)

    def backend(self, **settings: Any) -> AcmeBackend:
        return AcmeBackend(**{"api_key": KEY, "base_url": self.url} | settings)

    @property
    def received(self) -> dict[str, Any]:
        return {"threshold": float(self.last.fields["threshold"])} if self.last else {}

    def answer(
        self, request: DoubleRequest, situation: Situation, score: float | None
    ) -> DoubleReply:
        if request.headers["X-Api-Key"] != KEY or situation is Situation.BAD_KEY:
            # Acme is as careless as real vendors are.
            return DoubleReply(status=401, body={"error": f"Unknown key {KEY}."})
        if set(request.files) != {"probe", "reference"}:
            situation = Situation.REJECTED
        if situation in REFUSALS:
            status, text = REFUSALS[situation]
            return DoubleReply(status=status, body={"error": text})
        if situation is Situation.UNREADABLE_200:
            return DoubleReply(body={"result": "ok"})
        similarity = SIMILARITIES.get(situation, 93.5) if score is None else score
        verdict = "same" if similarity >= float(request.fields["threshold"]) else "different"
        number = f"cmp_{next(self._numbers)}"
        if situation is Situation.NO_FACE:
            return DoubleReply(body={"verdict": "unsure", "similarity": None, "id": number})
        if situation is Situation.NULL_SCORE:
            return DoubleReply(body={"verdict": "same", "similarity": None, "id": number})
        if situation is Situation.UNKNOWN_STATUS:
            verdict = self.unknown_status
        return DoubleReply(body={"verdict": verdict, "similarity": similarity, "id": number})
