"""Wrong about searches and ages."""

from __future__ import annotations

import attrs

from facematch_core import (
    Score,
)

from ._paragon import ParagonBackend
from ._registry import caught_by


@caught_by("R31")
class FindsOnAnotherScale(ParagonBackend):
    """The faces of a search carry the scale of a comparison."""

    def found(self, number, about):
        result = super().found(number, about)
        score = Score(number, "paragon/match")
        return attrs.evolve(result, matches=[attrs.evolve(result.matches[0], score=score)])


@caught_by("R31")
class AgeWithoutAnAge(ParagonBackend):
    """Old enough, without saying how old."""

    def aged(self, call, number, about):
        return attrs.evolve(super().aged(call, number, about), age=None)
