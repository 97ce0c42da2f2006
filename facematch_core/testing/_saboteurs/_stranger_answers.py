"""Answers that are read wrongly: scores, verdicts, warnings; from the rules' titles alone."""

from __future__ import annotations

import struct

import attrs

from facematch_core import (
    Billing,
    Charged,
    Decision,
    Operation,
    RequestRejected,
    ResultWarning,
    Score,
    Severity,
    WarningCode,
)

from ._http_paragon import HttpParagon, HttpParagonDouble
from ._paragon import CODES, ParagonBackend
from ._registry import can, caught_by


@caught_by("R01")
class IdOfTheCallBefore(ParagonBackend):
    """Tells the vendor's id of the call before: it is written down after the result is made."""

    def result(self, call, body):
        before, self.before = getattr(self, "before", body["id"]), body["id"]
        result = super().result(call, body)
        return attrs.evolve(result, ids=attrs.evolve(result.ids, vendor=before))


@caught_by("R02")
class OneScaleForBoth(ParagonBackend):
    """Liveness is told on the scale of comparisons."""

    def score(self, call, number):
        return None if number is None else Score(number, self.capabilities.score_scale)


@caught_by("R03")
class ThroughSinglePrecision(ParagonBackend):
    """The number passes through an array of 32-bit floats: 50.1 becomes 50.0999985."""

    def result(self, call, body):
        number = body["score"]
        if number is not None:
            number = struct.unpack("f", struct.pack("f", number))[0]
        return super().result(call, {**body, "score": number})


@caught_by("R03")
class TwoDecimalsWillDo(ParagonBackend):
    """Scores are rounded to two decimals, as in the vendor's own console."""

    def score(self, call, number):
        return super().score(call, None if number is None else round(number, 2))


@attrs.frozen(kw_only=True)
class _DatedWarning(ResultWarning):
    since: str = "2026-11-20"


@caught_by("R04")
class AddsAFieldToWarnings(ParagonBackend):
    """Its warnings are of a subclass, whose own field no JSON form has."""

    def warnings(self, body):
        return tuple(
            _DatedWarning(code=w.code, severity=w.severity, tag=w.tag, text=w.text)
            for w in super().warnings(body)
        )


@caught_by("R05")
class ChecksUndeclared(ParagonBackend):
    """Declares no liveness check, and makes one."""

    capabilities = can(operations=frozenset({Operation.MATCH}))


@caught_by("R06")
class NeverSaysNo(ParagonBackend):
    """Leaves every comparison that the vendor declines to a person."""

    def decision(self, call, body, score):
        decision = super().decision(call, body, score)
        return Decision.REVIEW if decision is Decision.NO_MATCH else decision


@caught_by("R07")
class RoundsBeforeComparing(ParagonBackend):
    """Compares the rounded score: 50.7 at a threshold of 50.7 is 51, and above it."""

    def decision(self, call, body, score):
        if score is None or body["verdict"] not in ("yes", "no"):
            return super().decision(call, body, score)
        above = round(score.value) > self.threshold(call)
        return super().decision(call, {"verdict": "yes" if above else "no"}, score)


@caught_by("R10")
class ReusesTheLastScore(ParagonBackend):
    """Where the score is null, the variable still holds that of the call before."""

    def score(self, call, number):
        number = getattr(self, "latest", None) if number is None else number
        self.latest = number
        return super().score(call, number)


@caught_by("R11")
class SaysNotWhyThereIsNoScore(ParagonBackend):
    """The warning that no face was found is left out, for the decision says it already."""

    def warnings(self, body):
        return tuple(w for w in super().warnings(body) if w.code is not WarningCode.NO_FACE)


@caught_by("R12")
class CountsFacesOfComparisonsOnly(ParagonBackend):
    """A second face is told of a comparison and not of a liveness check."""

    def verdict(self, call, body):
        result = super().verdict(call, body)
        if call.operation is Operation.MATCH:
            return result
        kept = [w for w in result.warnings if w.code is not WarningCode.MULTIPLE_FACES]
        return attrs.evolve(result, warnings=kept)


@caught_by("R13")
class TidiesTheVendorsWord(ParagonBackend):
    """The status word is made an identifier: lower case, underscores."""

    def verdict(self, call, body):
        word = body["verdict"].lower().replace(" ", "_")
        return attrs.evolve(super().verdict(call, body), vendor_status=word)


@caught_by("R14", double=HttpParagonDouble)
class UnknownTagsWeighLittle(HttpParagon):
    """A warning that it does not know weighs little, also if the vendor says that it is grave."""

    def warnings(self, body):
        return tuple(
            attrs.evolve(w, severity=Severity.WARNING)
            if w.tag not in CODES and w.severity is Severity.ERROR
            else w
            for w in super().warnings(body)
        )


@caught_by("R15")
class ImpossibleScoreIsFree(ParagonBackend):
    """A score beyond the scale is taken for a refused request, which costs nothing."""

    def score(self, call, number):
        if number is not None and number > 100:
            raise RequestRejected(
                "Paragon's score is not on its scale.", billing=Billing(Charged.NO)
            )
        return super().score(call, number)


@caught_by("R39", double=HttpParagonDouble)
class FirstOfAList(HttpParagon):
    """Where a list stands for the score, as one face per entry, its first number is taken."""

    def result(self, call, body):
        number = body["score"]
        while isinstance(number, list) and number:
            number = number[0]
        return super().result(call, {**body, "score": number})


@caught_by("R39", double=HttpParagonDouble)
class PercentSignIsFine(HttpParagon):
    """Takes "93.5 %" for 93.5, as an older edition of the vendor wrote it."""

    def result(self, call, body):
        number = body["score"]
        if isinstance(number, str) and number.endswith("%"):
            number = float(number[:-1])
        return super().result(call, {**body, "score": number})


@caught_by("R40", double=HttpParagonDouble)
class HighScoreOverrulesNo(HttpParagon):
    """Passes where the score is above the threshold, although the vendor said no."""

    def decision(self, call, body, score):
        if body["verdict"] == "no" and score is not None and score.value > self.threshold(call):
            return super().decision(call, {"verdict": "yes"}, score)
        return super().decision(call, body, score)


@caught_by("R40", double=HttpParagonDouble)
class SkipsOddWarnings(HttpParagon):
    """A warning in a form that it cannot read is passed over, and the pass stands."""

    def warnings(self, body):
        found: list[ResultWarning] = []
        for item in body["warnings"]:
            try:
                found += super().warnings({"warnings": [item]})
            except (TypeError, ValueError):
                continue
        return tuple(found)

    def raw(self, call, body):
        return body


@caught_by("R41", double=HttpParagonDouble)
class EmptiesWhatItRead(HttpParagon):
    """Keeps each decoded body, and takes the warnings out of it: read again it has none."""

    def body(self, reply):
        return vars(self).setdefault("read", {}).setdefault(reply.body, reply.json())

    def warnings(self, body):
        found = super().warnings(body)
        body["warnings"] = []
        return found


@caught_by("R41", double=HttpParagonDouble)
class WarningsAsASet(HttpParagon):
    """Warnings go through a set: doubles are lost, and the order is another in each process."""

    def warnings(self, body):
        return tuple(set(super().warnings(body)))
