"""What stands in for the vendor of the backend `simulated`: a table that says who is in noise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from facematch_core import Image
from facematch_core.backend import Backend, ImageLimits
from facematch_core.testing import EngineSimulator, Situation, noise

from .backend import SimulatedBackend

#: Seed of a picture of noise to who is in it.
_PEOPLE = {1: "Ada", 2: "Ada", 3: "Bob", 4: None}


class SimulatedSimulator(EngineSimulator):
    """Noise for pictures, and a table that says who is in them."""

    backend_class = SimulatedBackend
    pictures = {  # noqa: RUF012 - as simulators have it
        Situation.SAME_PERSON: (noise(1), noise(2)),
        Situation.DIFFERENT_PEOPLE: (noise(3), noise(2)),
        Situation.NO_FACE: (noise(4), noise(2)),
    }
    cannot_happen: Mapping[Situation, str] = {
        Situation.TWO_FACES: "Only a test card shows two, and this table is of noise.",
        Situation.TURNED: "No face is looked at, whichever way up.",
        Situation.DEMOGRAPHICS: "Nothing is guessed about people.",
    }

    def backend(self, **settings: Any) -> Backend:
        people = {noise(seed).digest: name for seed, name in _PEOPLE.items()}
        return super().backend(**{"people": people} | settings)

    def refused_pictures(self, declared: ImageLimits) -> Mapping[str, Image]:
        return {}
