"""Wrong about what an answer says: its status, its bytes, its values, and their order."""

from __future__ import annotations

import functools
import json
import math
from typing import ClassVar

import attrs

from facematch_core import (
    Charged,
    OutcomeUnknown,
    RateLimited,
    VendorUnavailable,
)
from facematch_core.models import Billing

from ._http_paragon import HttpParagon, HttpParagonDouble
from ._registry import caught_by

#: All of them need answers that are bytes.
caught = functools.partial(caught_by, double=HttpParagonDouble)


@caught("R38")
class TakesAPageForAnOutage(HttpParagon):
    """A gateway's page of markup is the vendor's own fault, so free and worth another try."""

    def error(self, reply, call):
        if reply.status in (500, 503, 504) and reply.body.startswith(b"<"):
            return VendorUnavailable("Paragon is down.", status_code=reply.status)
        return super().error(reply, call)


@caught("R38")
class TriesAgainAfterATimeOut(HttpParagon):
    """A gateway that gave up waiting (504) is asked again, whatever became of the call."""

    def error(self, reply, call):
        error = super().error(reply, call)
        error.retryable = error.retryable or reply.status == 504
        return error


@caught("R38")
class ForgetsTheStatus(HttpParagon):
    """Every fault of the vendor's is told as 500."""

    def error(self, reply, call):
        error = super().error(reply, call)
        error.status_code = min(reply.status, 500)
        return error


@caught("R38")
class QuotesTheBody(HttpParagon):
    """The error shows what was answered, all of it."""

    def error(self, reply, call):
        error = super().error(reply, call)
        error.message += f" It answered {reply.body!r}."
        return error


@caught("R38")
class WaitsForEver(HttpParagon):
    """Whatever float() makes of the header is a time to wait."""

    def error(self, reply, call):
        error = super().error(reply, call)
        if isinstance(error, RateLimited):
            try:
                error.retry_after_s = float(reply.headers.get("Retry-After", ""))
            except ValueError:
                error.retry_after_s = None
        return error


@caught("R38")
class LostWithoutDoubt(HttpParagon):
    """What may have been charged is told as not charged, in an error that says it is not known."""

    def error(self, reply, call):
        error = super().error(reply, call)
        if isinstance(error, OutcomeUnknown) and 520 <= reply.status < 530:
            error.billing = Billing(Charged.NO)
        return error


@caught("R38")
class BelievesAnAnswerOfAnyStatus(HttpParagon):
    """Every 2xx with an object in it is a pass: the vendor "accepted" it."""

    def parse_refusal(self, call, reply):
        if not 200 <= reply.status < 300:
            return None
        return self.result(call, {"verdict": "yes", "score": 99.0, "warnings": (), "id": "-"})


class _Lax(HttpParagon):
    """Reads the number of a body in a way of its own."""

    def parse(self, call, reply):
        body = self.body(reply)
        return super().parse(
            call,
            attrs.evolve(
                reply, body=json.dumps({**body, "score": self.number(body["score"])}).encode()
            ),
        )

    def number(self, value):
        return value


@caught("R39")
class TrueIsOne(_Lax):
    """A flag where the score stands is read as 1 or 0."""

    def number(self, value):
        return float(value) if isinstance(value, bool) else value


@caught("R39")
class DigitsAreANumber(_Lax):
    """A text where the score stands is read as the number that it spells, without a word."""

    def number(self, value):
        return float(value) if isinstance(value, str) else value


@caught("R39")
class NothingIsNought(_Lax):
    """An empty list or object where the score stands is read as 0."""

    def number(self, value):
        return 0.0 if value in ([], {}) else value


@caught("R39")
class BeyondIsTheBest(_Lax):
    """NaN and what is too large for a float become the best of all scores."""

    def body(self, reply):
        # Past the core's decoder, which refuses both.
        return json.loads(reply.body)

    def number(self, value):
        odd = isinstance(value, float) and not math.isfinite(value)
        return 100.0 if odd else value


class _Filled(HttpParagon):
    """Puts something where a body has nothing."""

    missing: ClassVar = {}

    def body(self, reply):
        body = super().body(reply)
        return {**self.missing, **body} if "warnings" in body else body


@caught("R40")
class NoVerdictIsYes(_Filled):
    """A body without a verdict is read as a yes."""

    missing: ClassVar = {"verdict": "yes"}


@caught("R40")
class NoScoreIsTheBest(_Filled):
    """A body without a score is read as 100."""

    missing: ClassVar = {"score": 100.0}


@caught("R40")
class LooksForYesInTheWord(HttpParagon):
    """Any word with a yes in it is one."""

    def decision(self, call, body, score):
        verdict = "yes" if "yes" in body["verdict"] else body["verdict"]
        return super().decision(call, {**body, "verdict": verdict}, score)


@caught("R40")
class NoObjectIsNoAnswer(HttpParagon):
    """A 200 that is no JSON object was never an answer: not charged, try again."""

    def body(self, reply):
        body = super().body(reply)
        if not isinstance(body, dict):
            raise VendorUnavailable("Paragon did not answer.")
        return body


@caught("R41")
class RemembersWarnings(HttpParagon):
    """The warnings of one answer are still in the list when the next is read."""

    def warnings(self, body):
        kept = vars(self).setdefault("kept", {})
        for warning in super().warnings(body):
            kept.setdefault(warning.tag, warning)
        return tuple(kept.values())


@caught("R41")
class SmoothsItsScores(HttpParagon):
    """A score is drawn a little towards the one before it."""

    def score(self, call, number):
        score = super().score(call, number)
        if score is None:
            return None
        before = vars(self).get("before", score)
        self.before = score
        return attrs.evolve(score, value=score.value + (before.value - score.value) * 1e-5)


@caught("R41")
class ReadsByPosition(HttpParagon):
    """The first value of a body is the verdict, the second the score, whatever they are called."""

    def body(self, reply):
        body = super().body(reply)
        if "warnings" not in body:
            return body
        names = ("verdict", "score", "warnings", "id", "guesses")
        return dict(zip(names, body.values(), strict=False))


@caught("R41")
class CountsItsAnswers(HttpParagon):
    """Every answer comes from another edition of the model."""

    def result(self, call, body):
        self.count = vars(self).get("count", 0) + 1
        return attrs.evolve(super().result(call, body), model=f"paragon-{self.count}")
