"""What stands in for the vendor of the backend `simulated`: a table that says who is in noise."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from facematch_core import Image
from facematch_core.backend import ImageLimits, MatchCall
from facematch_core.models import MatchResult
from facematch_core.testing import Situation, VendorDouble, noise

from ._backend import SimulatedBackend

_NO_VENDOR = "Nothing leaves this machine: no vendor refuses, loses or bills a call."
_NO_ANSWER = "No vendor's answer is read: score and verdict are made up here."

#: What made-up scores cannot meet, and why.
_ABSENT = {
    **dict.fromkeys(Situation, _NO_VENDOR),
    Situation.NULL_SCORE: _NO_ANSWER,
    Situation.IMPOSSIBLE_SCORE: _NO_ANSWER,
    Situation.UNKNOWN_STATUS: _NO_ANSWER,
    Situation.UNKNOWN_WARNING: _NO_ANSWER,
    Situation.UNREADABLE_200: _NO_ANSWER,
    Situation.DEMOGRAPHICS: _NO_ANSWER,
    Situation.SCORE: "The table of people decides, and no score can be set.",
    Situation.TURNED: "No face is looked at, whichever way up.",
    Situation.TWO_FACES: "Only a test card shows two, and this table is of noise.",
}

#: Seed of a picture of noise to who is in it.
_PEOPLE = {1: "Ada", 2: "Ada", 3: "Bob", 4: None}


class _Counted(SimulatedBackend):
    """The backend, whose calls are counted."""

    ear: SimulatedDouble

    def match(self, call: MatchCall) -> MatchResult:
        self.ear.hear(call)
        return super().match(call)


class SimulatedDouble(VendorDouble):
    """Noise for pictures, and a table that says who is in them."""

    situations = frozenset({Situation.SAME_PERSON, Situation.DIFFERENT_PEOPLE, Situation.NO_FACE})
    absent = _ABSENT
    charges = 0
    requests_seen = 0

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._received: dict[str, Any] = {}

    @property
    def received(self) -> Mapping[str, Any]:
        return self._received

    def hear(self, call: MatchCall) -> None:
        """Count a call, and keep its pictures."""
        with self._lock:
            self.requests_seen += 1
            self._received = {"probe": call.probe.data, "reference": call.reference.data}

    def backend(self, **settings: Any) -> SimulatedBackend:
        people = {noise(seed).digest: name for seed, name in _PEOPLE.items()}
        backend = _Counted(**{"people": people} | settings)
        backend.ear = self
        return backend

    def prepare(self, situation: Situation, *, score: float | None = None) -> None:
        """Nothing: the pictures decide."""

    def pictures_for(self, situation: Situation) -> tuple[Image, Image]:
        probe = {Situation.DIFFERENT_PEOPLE: 3, Situation.NO_FACE: 4}.get(situation, 1)
        return noise(probe), noise(2)

    def refused_pictures(self, declared: ImageLimits) -> Mapping[str, Image]:
        return {}
