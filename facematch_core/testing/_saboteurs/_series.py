"""Wrong about calls that belong together, and about many that do not."""

from __future__ import annotations

import attrs

from facematch_core import (
    Operation,
    RequestRejected,
)

from ._paragon import PASS, ParagonBackend
from ._registry import caught_by


@caught_by("R33")
class ComparisonRidesOnTheCheck(ParagonBackend):
    """Who has passed the check is not compared any more: one visitor, one answer."""

    def exchange(self, call):
        checked = self.__dict__.setdefault("checked", {})
        if call.operation is Operation.MATCH and call.caller_ref in checked:
            return checked.pop(call.caller_ref)
        answer = super().exchange(call)
        if call.operation is Operation.LIVENESS and call.caller_ref:
            checked[call.caller_ref] = answer
        return answer


@caught_by("R33")
class KnownVisitorsAreLive(ParagonBackend):
    """Who was live once is not checked again: the answer of then is handed out."""

    def exchange(self, call):
        live = self.__dict__.setdefault("live", {})
        if call.operation is Operation.LIVENESS and call.caller_ref in live:
            return live[call.caller_ref]
        answer = super().exchange(call)
        if call.operation is Operation.LIVENESS and call.caller_ref and answer[0] == 200:
            live[call.caller_ref] = answer
        return answer


@caught_by("R34")
class KeepsTheFirstReference(ParagonBackend):
    """The reference is uploaded once, and every later probe is compared with that one."""

    def pictures(self, call):
        pictures = super().pictures(call)
        if call.operation is Operation.MATCH:
            pictures["reference"] = self.__dict__.setdefault("first", pictures["reference"])
        return pictures


@caught_by("R34")
class RaisesOneErrorForAll(ParagonBackend):
    """The error of a status is made once and raised again and again."""

    def refusal(self, status):
        errors = self.__dict__.setdefault("errors", {})
        return errors.setdefault(status, super().refusal(status))


@caught_by("R34")
class GivesUpAfterRefusals(ParagonBackend):
    """After five refusals nobody is asked any more."""

    def exchange(self, call):
        if self.__dict__.get("refused", 0) == 5:
            return None, None, RequestRejected("Refused too often.", status_code=400)
        answer = super().exchange(call)
        if answer[0] == 400:
            self.refused = self.__dict__.get("refused", 0) + 1
        return answer


@caught_by("R34")
class DoubtOutlastsItsPair(ParagonBackend):
    """A doubt about one pair is told of the next one, too, if that has passed."""

    def verdict(self, call, body):
        result = super().verdict(call, body)
        before, self.doubts = self.__dict__.get("doubts", ()), result.warnings
        if result.decision is PASS[call.operation] and not result.warnings:
            return attrs.evolve(result, warnings=before)
        return result
