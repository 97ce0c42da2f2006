"""Wrong about what a result says."""

from __future__ import annotations

import attrs

from facematch_core import (
    Operation,
    Score,
)

from ._paragon import ParagonBackend
from ._registry import can, caught_by


@caught_by("R01")
class SignsWithAnotherName(ParagonBackend):
    """Results carry the vendor's name instead of the backend's."""

    def result(self, call, body):
        return attrs.evolve(super().result(call, body), backend="Paragon Inc.")


@caught_by("R01")
class RemembersTheAnswer(ParagonBackend):
    """Hands out the first answer again for the same pictures at the same threshold."""

    def exchange(self, call):
        answers = self.__dict__.setdefault("answers", {})
        asked = call.operation, call.probe, getattr(call, "reference", None), call.threshold
        if asked not in answers:
            answers[asked] = super().exchange(call)
        return answers[asked]


@caught_by("R02")
class ScoreIsNaN(ParagonBackend):
    """NaN smuggled past the validator of `Score`."""

    def score(self, call, number):
        score = super().score(call, number)
        if score is not None:
            object.__setattr__(score, "value", float("nan"))
        return score


@caught_by("R02")
class OtherScale(ParagonBackend):
    """Scores on a scale that is not the declared one."""

    def score(self, call, number):
        return None if number is None else Score(number, "paragon/v0")


@caught_by("R03")
class ClampedScore(ParagonBackend):
    """No score may look too good to be true."""

    def score(self, call, number):
        return super().score(call, None if number is None else min(max(number, 1.0), 99.0))


@caught_by("R03")
class GuessesFractions(ParagonBackend):
    """What is below 1 "must be a fraction"."""

    def score(self, call, number):
        return super().score(call, number * 100 if number and number <= 1 else number)


@caught_by("R03")
class ZeroIsNone(ParagonBackend):
    """`if score` where `if score is not None` was meant."""

    def score(self, call, number):
        return super().score(call, number) if number else None


@caught_by("R04")
class ModelIsANumber(ParagonBackend):
    """A number where the result has text."""

    def result(self, call, body):
        return attrs.evolve(super().result(call, body), model=2026)


@caught_by("R05")
class UndeclaredLiveness(ParagonBackend):
    """Answers liveness calls without declaring them."""

    capabilities = can(
        operations=frozenset({Operation.MATCH}), billed_operations=frozenset({Operation.MATCH})
    )
