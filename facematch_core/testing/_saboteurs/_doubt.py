"""Wrong about what is missing, unknown or impossible."""

from __future__ import annotations

import attrs

from facematch_core import (
    Decision,
    Severity,
    WarningCode,
)

from ._paragon import PASS, ParagonBackend
from ._registry import caught_by


@caught_by("R10")
class ZeroForNone(ParagonBackend):
    """0 where the vendor gave no score."""

    def score(self, call, number):
        return super().score(call, number or 0.0)


@caught_by("R10")
class VerdictWithoutScore(ParagonBackend):
    """Believes a "yes" that cannot be held against the caller's threshold."""

    def unscored(self, call, decision):
        return decision if decision is PASS[call.operation] else type(decision).INCONCLUSIVE


@caught_by("R11")
class NoFaceIsMismatch(ParagonBackend):
    """A photograph without a face accuses whoever handed it in."""

    def unscored(self, call, decision):
        return decision


@caught_by("R12")
class DropsInformation(ParagonBackend):
    """Only grave warnings are handed on."""

    def warnings(self, body):
        return tuple(w for w in super().warnings(body) if w.severity is not Severity.INFORMATION)


@caught_by("R13")
class UnknownStatusByScore(ParagonBackend):
    """A verdict that nobody knows is decided by the score."""

    def decision(self, call, body, score):
        if body["verdict"] not in ("yes", "no") and score is not None:
            return PASS[call.operation] if score.value > self.threshold(call) else Decision.NO_MATCH
        return super().decision(call, body, score)


@caught_by("R14")
class KnownWarningsOnly(ParagonBackend):
    """A warning that nobody knows is left out."""

    def warnings(self, body):
        return tuple(w for w in super().warnings(body) if w.code is not WarningCode.OTHER)


@caught_by("R14")
class UnknownWeightIsHarmless(ParagonBackend):
    """A weight that nobody knows is taken for information."""

    def warnings(self, body):
        return tuple(
            attrs.evolve(w, severity=Severity.INFORMATION) if w.severity is Severity.UNKNOWN else w
            for w in super().warnings(body)
        )


@caught_by("R15")
class ClampsTheImpossible(ParagonBackend):
    """250 of 100 becomes 100."""

    def score(self, call, number):
        return super().score(call, None if number is None else min(number, 100.0))
