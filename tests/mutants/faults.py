"""What mutants of several rules are made of."""

import attrs
from mutants.reference import PASS, ReferenceBackend, can

import facematch_core as fm
from facematch_core import models
from facematch_core.backend import Backend

evolve = attrs.evolve
MATCH = fm.Operation.MATCH
LIVENESS = fm.Operation.LIVENESS
FAIL = {MATCH: fm.Decision.NO_MATCH, LIVENESS: fm.LivenessDecision.NOT_LIVE}
REVIEW = {MATCH: fm.Decision.REVIEW, LIVENESS: fm.LivenessDecision.REVIEW}
INCONCLUSIVE = {MATCH: fm.Decision.INCONCLUSIVE, LIVENESS: fm.LivenessDecision.INCONCLUSIVE}
FREE = fm.Billing(fm.Charged.NO)
PAID = fm.Billing(fm.Charged.YES)
UNKNOWN_PRICE = fm.Billing(fm.Charged.UNKNOWN)
#: What a vendor answers of whom it accepts.
A_PASS = {"verdict": "yes", "score": 93.5, "warnings": [], "faces": {}, "id": "-"}


class DecidesByItself(ReferenceBackend):
    """Conforms; its vendor decides by a rule of its own, unless it is sent a threshold."""

    capabilities = can(
        threshold_rule=models.ThresholdRule.VENDOR,
        default_threshold=None,
        default_liveness_threshold=None,
    )

    def request(self, call):
        fields = super().request(call)
        return {name: value for name, value in fields.items() if value is not None}

    def threshold(self, call):
        if call.threshold is None:
            return None
        return call.threshold.value


class ComparesAlone(ReferenceBackend):
    """Conforms; its vendor looks into nothing but a comparison."""

    capabilities = can(operations=frozenset({MATCH}), billed_operations=frozenset({MATCH}))
    check_liveness = Backend.check_liveness


class BelievesAVerdictAlone:
    """Of a score that it drops, the verdict stays."""

    def result(self, call, body):
        if not self.drops(as_dict(body).get("score")):
            return super().result(call, body)
        return evolve(super().result(call, {**body, "score": None}), decision=PASS[call.operation])


def quiet(call):
    """The call, without word that it is on its way."""
    return attrs.evolve(call, on_sent=lambda: None)


def remember(backend, key, value):
    """The value that this backend was first given under this key."""
    return vars(backend).setdefault("remembered", {}).setdefault(key, value)


def refuse(error):
    raise error


def nobody(call):
    """The result of a picture without a face."""
    if call.operation is MATCH:
        return fm.MatchResult(decision=fm.Decision.INCONCLUSIVE, backend="reference")
    return fm.LivenessResult(decision=fm.LivenessDecision.INCONCLUSIVE, backend="reference")


def as_dict(body):
    if isinstance(body, dict):
        return body
    return {}
