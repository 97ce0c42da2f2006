"""Acme, simulated on this machine, as its documents describe it.

For tests alone, and for `facematch conformance`, which finds it by its entry point. Nothing else
imports this module: it needs ``facematch-acme[testing]``.
"""

import base64
import itertools
from collections.abc import Mapping
from typing import Any

from facematch_core.backend import ImageFormat, ImageLimits
from facematch_core.testing import HttpSimulator, SimulatorReply, SimulatorRequest, Situation

from ._backend import AcmeBackend

KEY = "an-example-of-a-key-4f7e1c2ab9"
PICTURES = ("probe", "reference")

#: What each refusal says.
REFUSALS = {
    Situation.NO_CREDIT: (402, "The account is empty."),
    Situation.REJECTED: (422, "The field probe is missing."),
    Situation.THROTTLED: (429, "Too many calls."),
    Situation.OUTAGE: (500, "Something went wrong."),
}

#: How alike two faces are, where it is not the usual 93.5.
SIMILARITIES = {Situation.DIFFERENT_PEOPLE: 12.25, Situation.IMPOSSIBLE_SCORE: 250.0}

#: What is in an answer instead of the usual.
INSTEAD: dict[Situation, dict[str, Any]] = {
    Situation.NO_FACE: {"verdict": "unsure", "similarity": None},
    Situation.NULL_SCORE: {"verdict": "same", "similarity": None},
    Situation.UNKNOWN_STATUS: {"verdict": HttpSimulator.unknown_status},
}


class AcmeSimulator(HttpSimulator):
    """Answers over a port of this machine; `set_situation` says how."""

    situations = HttpSimulator.FAULTS | {
        Situation.SAME_PERSON,
        Situation.SCORE,
        Situation.UNREADABLE_200,
        Situation.BAD_KEY,
        *REFUSALS,
        *SIMILARITIES,
        *INSTEAD,
    }
    cannot_happen: Mapping[Situation, str] = {
        Situation.SPOOF: "Acme has no word for a photograph of a photograph.",
        Situation.TWO_FACES: "Acme does not count the faces in a picture.",
        Situation.UNKNOWN_WARNING: "Acme sends no warnings.",
        Situation.DEMOGRAPHICS: "Acme guesses nothing about people.",
    }
    secrets = (KEY,)
    limits = ImageLimits(formats={ImageFormat.JPEG, ImageFormat.PNG}, max_bytes=1_000_000)
    _numbers = itertools.count(1)

    def backend(self, **settings: Any) -> AcmeBackend:
        usual: dict[str, Any] = {"api_key": KEY, "base_url": self.url}
        return AcmeBackend(**usual | settings)

    @property
    def received(self) -> dict[str, Any]:
        if self.last is None:
            return {}
        sent = self.last.json()
        pictures = {name: base64.b64decode(sent[name]) for name in PICTURES}
        return {"threshold": sent["threshold"], **pictures}

    def answer(
        self, request: SimulatorRequest, situation: Situation, score: float | None
    ) -> SimulatorReply:
        if request.path != "/compare":
            return SimulatorReply(status=404, body={"error": "There is nothing here."})
        if request.headers["X-Api-Key"] != KEY or situation is Situation.BAD_KEY:
            # As careless as real vendors are.
            return SimulatorReply(status=401, body={"error": f"Unknown key {KEY}."})
        sent = request.json()
        if set(sent) != {*PICTURES, "threshold"}:
            situation = Situation.REJECTED
        if situation in REFUSALS:
            status, told = REFUSALS[situation]
            return SimulatorReply(status=status, body={"error": told})
        if situation is Situation.UNREADABLE_200:
            return SimulatorReply(body={"result": "ok"})
        similarity = SIMILARITIES.get(situation, 93.5) if score is None else score
        verdict = "same" if similarity >= sent["threshold"] else "different"
        body = {"verdict": verdict, "similarity": similarity, "id": f"cmp_{next(self._numbers)}"}
        return SimulatorReply(body=body | INSTEAD.get(situation, {}))
