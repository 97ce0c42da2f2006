"""Wrong about verdicts and thresholds."""

from __future__ import annotations

import attrs

from facematch_core import (
    ThresholdRule,
)

from ._paragon import PASS, ParagonBackend
from ._registry import can, caught_by


@caught_by("R06")
class SwappedVerdicts(ParagonBackend):
    """ "yes" read as no."""

    def decision(self, call, body, score):
        swapped = {"yes": "no", "no": "yes"}
        verdict = swapped.get(body["verdict"], body["verdict"])
        return super().decision(call, {**body, "verdict": verdict}, score)


@caught_by("R07")
class AtLeastForAbove(ParagonBackend):
    """>= where > is declared."""

    def decision(self, call, body, score):
        decision = super().decision(call, body, score)
        if score is not None and score.value == self.threshold(call):
            return PASS[call.operation]
        return decision


@caught_by("R07")
class DeclaresTheOtherRule(ParagonBackend):
    """AT_LEAST is declared, the vendor says above."""

    capabilities = can(threshold_rule=ThresholdRule.AT_LEAST)


@caught_by("R08")
class ForgetsTheThreshold(ParagonBackend):
    """The vendor is always sent the default."""

    def threshold(self, call):
        return self.capabilities.default_for(call.operation) or 0.0


@caught_by("R09")
class EveryPassIsCertain(ParagonBackend):
    """A pass carries the score 100, "because it is certain"."""

    def result(self, call, body):
        result = super().result(call, body)
        if result.decision is PASS.get(call.operation):
            return attrs.evolve(result, score=super().score(call, 100.0))
        return result
