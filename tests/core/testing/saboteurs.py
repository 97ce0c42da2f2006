"""Backends with one fault each, and the rule that must name it.

Each is the paragon with one small method replaced; its docstring says what is wrong with it.
"""

import base64
import logging
import time

import attrs
from core.testing.paragon import PASS, ParagonBackend

from facematch_core import (
    AuthenticationFailed,
    Billed,
    Decision,
    Operation,
    OutcomeUnknown,
    RateLimited,
    RequestRejected,
    Retention,
    Score,
    Severity,
    ThresholdRule,
    VendorError,
    VendorUnavailable,
    WarningCode,
)
from facematch_core.backend import ImageLimits

#: Name of the saboteur to the number of the rule that must catch it, and its class.
SABOTEURS = {}


def caught_by(rule):
    """Register a saboteur."""

    def register(cls):
        SABOTEURS[cls.__name__] = (rule, cls)
        return cls

    return register


def can(**changes):
    return attrs.evolve(ParagonBackend.capabilities, **changes)


# Shape


@caught_by("R01")
class SignsWithAnotherName(ParagonBackend):
    """Results carry the vendor's name instead of the backend's."""

    def result(self, call, body):
        return attrs.evolve(super().result(call, body), backend="Paragon Inc.")


@caught_by("R01")
class RemembersTheAnswer(ParagonBackend):
    """Hands out the first answer for every later call of the same kind."""

    def exchange(self, call):
        answers = self.__dict__.setdefault("answers", {})
        if call.operation not in answers:
            answers[call.operation] = super().exchange(call)
        return answers[call.operation]


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


# Decisions


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
        return self.capabilities.default_for(call.operation)


@caught_by("R09")
class EveryPassIsCertain(ParagonBackend):
    """A pass carries the score 100, "because it is certain"."""

    def result(self, call, body):
        result = super().result(call, body)
        if result.decision is PASS[call.operation]:
            return attrs.evolve(result, score=super().score(call, 100.0))
        return result


# Doubt


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


# Money


@caught_by("R16")
class EverythingIsFree(ParagonBackend):
    """Results say that nothing was charged."""

    def billed(self, call):
        return Billed.NO


@caught_by("R16")
class UndeclaredPrice(ParagonBackend):
    """Does not declare that liveness costs money."""

    capabilities = can(billed_operations=frozenset({Operation.MATCH}))


@caught_by("R17")
class SwappedBilled(ParagonBackend):
    """A refused key was paid, a wrong form was not."""

    def refusal(self, status):
        if status == 401:
            return AuthenticationFailed("Refused.", billed=Billed.YES, status_code=401)
        return super().refusal(status)


@caught_by("R17")
class LostIsUnavailable(ParagonBackend):
    """A lost answer is called "unavailable, try again"."""

    def lost(self):
        return VendorUnavailable("Please try again.")


@caught_by("R17")
class BusyIsForGood(ParagonBackend):
    """A busy minute is told as an empty account."""

    def refusal(self, status):
        return super().refusal(402 if status == 429 else status)


@caught_by("R17")
class WaitsInThePast(ParagonBackend):
    """The vendor's "wait" is read as a negative number of seconds."""

    def refusal(self, status):
        error = super().refusal(status)
        if isinstance(error, RateLimited):
            error.retry_after_s = -5.0
        return error


@caught_by("R18")
class RepeatsLostCalls(ParagonBackend):
    """Asks again when the answer is lost."""

    def exchange(self, call):
        answer = super().exchange(call)
        return super().exchange(call) if isinstance(answer[2], OutcomeUnknown) else answer


@caught_by("R18")
class AsksTwiceToBeSure(ParagonBackend):
    """Compares twice and believes the second answer."""

    def exchange(self, call):
        super().exchange(attrs.evolve(call, on_sent=lambda: None))
        return super().exchange(call)


@caught_by("R19")
class IgnoresTheDeadline(ParagonBackend):
    """Waits as long as the vendor likes."""

    def exchange(self, call):
        return super().exchange(attrs.evolve(call, deadline_s=None))


@caught_by("R20")
class NeverTellsTheFirstByte(ParagonBackend):
    """`on_sent` is never called."""

    def exchange(self, call):
        return super().exchange(attrs.evolve(call, on_sent=lambda: None))


@caught_by("R20")
class TellsTheFirstByteTooEarly(ParagonBackend):
    """`on_sent` is called before there is a connection."""

    def exchange(self, call):
        call.on_sent()
        return super().exchange(attrs.evolve(call, on_sent=lambda: None))


# Privacy


@caught_by("R21")
class KeyInTheMessage(ParagonBackend):
    """The error quotes the key."""

    def refusal(self, status):
        error = super().refusal(status)
        error.args = (f"The key {self.key.reveal()} was refused.",)
        return error


@caught_by("R21")
class KeyInTheFrames(ParagonBackend):
    """The request, key and pictures, is a local variable of the frame that raises."""

    def answer(self, call):
        request = self.request(call)
        assert request
        return super().answer(call)


@caught_by("R21")
class KeyInTheCause(ParagonBackend):
    """The error is raised from one that holds the key."""

    def answer(self, call):
        try:
            return super().answer(call)
        except VendorError as error:
            raise error from ValueError({"x-api-key": self.key.reveal()})


@caught_by("R21")
class PictureInRaw(ParagonBackend):
    """The probe is kept in the raw body, as base64."""

    def raw(self, call, body):
        probe = base64.b64encode(b"data:" + call.probe.data).decode()
        return {**super().raw(call, body), "probe": probe}


@caught_by("R21")
class KeyInTheLog(ParagonBackend):
    """Logs its headers at DEBUG."""

    def request(self, call):
        request = super().request(call)
        logging.getLogger("paragon").debug("headers: %s", {"x-api-key": request["key"]})
        return request


@caught_by("R22")
class KeepsDemographics(ParagonBackend):
    """Age and gender survive in raw under names of its own."""

    def raw(self, call, body):
        raw = super().raw(call, body)
        if "guesses" in raw:
            raw["estimates"] = [
                {"years": guess["age"], "sex": guess["gender"]} for guess in raw.pop("guesses")
            ]
        return raw


@caught_by("R22")
class DeclaresNoDemographics(ParagonBackend):
    """Does not tell the core which keys of the body are guesses about people."""

    capabilities = can(demographic_keys=frozenset())


@caught_by("R23")
class ShowsItsKey(ParagonBackend):
    """A `repr` that helps with debugging."""

    def __repr__(self):
        return f"ShowsItsKey(key={self.key.reveal()!r})"


@caught_by("R23")
class PicklesItsKey(ParagonBackend):
    """Can be sent to another process, key and all."""

    def __reduce__(self):
        return ParagonBackend, (None, self.key.reveal())


# Refusals


@caught_by("R24")
class DeclaresNoLimits(ParagonBackend):
    """Lets the vendor refuse large pictures."""

    capabilities = can(image_limits=ImageLimits())


@caught_by("R25")
class TakesAnyOptions(ParagonBackend):
    """Accepts options of any type, and so those of another vendor."""

    capabilities = can(options=object)


@caught_by("R26")
class DropsRotate(ParagonBackend):
    """`rotate` is declared, accepted and forgotten."""

    def request(self, call):
        return {**super().request(call), "rotate": False}


@caught_by("R26")
class KeepsWhatItShouldNot(ParagonBackend):
    """The vendor is always asked to keep the call."""

    def request(self, call):
        return {**super().request(call), "retention": Retention.KEEP}


@caught_by("R27")
class WholeThresholds(ParagonBackend):
    """The threshold is sent as a whole number."""

    def threshold(self, call):
        return round(super().threshold(call))


# Sharing


@caught_by("R28")
class SharedBetweenThreads(ParagonBackend):
    """The call is kept on the object while it is made."""

    def exchange(self, call):
        self.current = call
        time.sleep(0.0005)  # gives the other threads their turn, as a real request does
        return super().exchange(self.current)


@caught_by("R28")
class RidesOnAnother(ParagonBackend):
    """One request id for all who ask at the same time: the second rides on the first."""

    def exchange(self, call):
        waiting = self.__dict__.setdefault("waiting", {})
        if call.operation in waiting:
            return waiting[call.operation]
        waiting[call.operation] = super().exchange(call)
        time.sleep(0.0005)
        return waiting.pop(call.operation)


class _OwnRejection(RequestRejected):
    def __init__(self, field):
        super().__init__(f"The field {field} was refused.", status_code=400)


@caught_by("R29")
class ErrorsThatDoNotTravel(ParagonBackend):
    """An error class of its own that pickle cannot rebuild."""

    def refusal(self, status):
        return _OwnRejection("probe") if status == 400 else super().refusal(status)


@caught_by("R30")
class OneSessionForAll(ParagonBackend):
    """Closing one backend closes the session that all share."""

    def close(self):
        self.vendor.__dict__["closed"] = True

    def exchange(self, call):
        if self.vendor.__dict__.get("closed"):
            return None, None, VendorUnavailable("The session is closed.")
        return super().exchange(call)


@caught_by("R30")
class ClosesOnce(ParagonBackend):
    """Closing a second time is an error."""

    def close(self):
        if self.__dict__.get("closed"):
            raise RuntimeError("already closed")
        self.closed = True


# Lookups


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


# Records


@caught_by("R32")
class TakesTheNewest(ParagonBackend):
    """The newest record of the kind must be the call's: nobody else asks at that moment."""

    def record(self, attempt):
        return next(reversed(self.vendor.records.values()), None)


@caught_by("R32")
class SignsItWithTheIdAskedFor(ParagonBackend):
    """Writes the id that is looked for on whatever is there."""

    def record(self, attempt):
        newest = next(reversed(self.vendor.records.values()), None)
        return newest and attrs.evolve(newest, attempt_id=attempt.id)


@caught_by("R32")
class AnswersForAnother(ParagonBackend):
    """The right record, told of an attempt that nobody asked about."""

    def reconcile(self, attempt, *, deadline_s=None):
        told = super().reconcile(attempt)
        return attrs.evolve(told, attempt=attrs.evolve(attempt, id="another"))
