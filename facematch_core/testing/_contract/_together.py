"""R33: a check and a comparison that are one question."""

from __future__ import annotations

from typing import Any

import attrs

from facematch_core import (
    FaceMatchError,
    LiveMatchDecision,
    LiveMatchResult,
    Operation,
    ThresholdRule,
)
from facematch_core.testing._situations import Situation

from ._bench import MIDDLE, Bench, does_not_apply
from ._rules import Rules
from ._script import Script

_BOTH = (Operation.LIVENESS, Operation.MATCH)


@attrs.frozen
class _Told:
    """What one `verify_live` gave: result or error, and by how much the counters rose."""

    result: LiveMatchResult | None
    error: FaceMatchError | None
    requests: int
    charges: int

    @property
    def answer(self) -> LiveMatchResult:
        if self.result is None:
            assert self.error is not None
            raise self.error
        return self.result


class _Visitor:
    """Somebody who tries again and again, at one verifier and under one reference."""

    REF = "visitor 7"

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._script = Script(bench)
        self._verifier = bench.open_verifier(on_event=self._script)
        # What one call alone asks and costs is another rule's business.
        self._alone = {
            operation: bench.ask(operation, Situation.SAME_PERSON) for operation in _BOTH
        }

    def asked(self, *operations: Operation) -> int:
        """How many requests these calls are, each alone."""
        return sum(self._alone[operation].requests for operation in operations)

    @property
    def price(self) -> int:
        """How many charges check and comparison are, each alone."""
        return sum(outcome.charges for outcome in self._alone.values())

    def tries(
        self, check: Situation, comparison: Situation, shown: Situation, **options: Any
    ) -> _Told:
        """Check and comparison meet what is named for each, with the pictures of `shown`."""
        double = self._bench.double
        pictures = double.pictures_for(shown)
        before = double.requests_seen, double.charges
        result, error = None, None
        self._script.play((check, comparison))
        try:
            result = self._verifier.verify_live(*pictures, caller_ref=self.REF, **options)
        except FaceMatchError as raised:
            error = raised
        self._script.check()
        requests, charges = double.requests_seen - before[0], double.charges - before[1]
        return _Told(result, error, requests, charges)


class TogetherRules(Rules):
    """A check and a comparison that are one question."""

    def test_r33_check_and_comparison_together(self, bench: Bench) -> None:
        """`verify_live` is verified only by a live face that matches, and a spoof costs one call.

        The comparison must not ride on the check, nor the check on an earlier comparison: else a
        live stranger is let in, or a photograph of the right person.
        """
        for operation in _BOTH:
            if operation not in bench.operations:
                does_not_apply(f"{bench.backend.name} declares no {operation} call.")
        visitor = _Visitor(bench)
        fine, spoof = Situation.SAME_PERSON, Situation.SPOOF
        self._both_are_asked(visitor)
        told = visitor.tries(spoof, fine, shown=spoof)
        assert told.answer.decision is LiveMatchDecision.NOT_LIVE
        assert told.answer.match is None
        assert told.requests == visitor.asked(Operation.LIVENESS), "a spoof is compared, too"
        stranger = Situation.DIFFERENT_PEOPLE
        told = visitor.tries(Situation.LIVE, stranger, shown=stranger)
        assert not told.answer.is_verified, "verified by being live"
        # Where pictures decide, the stranger's need not pass a check.
        if told.answer.liveness.is_live:
            assert told.answer.decision is LiveMatchDecision.NO_MATCH
            assert told.requests == visitor.asked(*_BOTH)
        self._both_are_asked(visitor)
        self._thresholds_stay_apart(bench, visitor)
        if Situation.LOST_ANSWER in bench.double.situations:
            self._a_paid_check_is_told(visitor)

    def _both_are_asked(self, visitor: _Visitor) -> None:
        fine = Situation.SAME_PERSON
        told = visitor.tries(fine, fine, shown=fine)
        result = told.answer
        assert result.is_verified, f"{result.decision}: SAME_PERSON has to pass a check, too"
        assert result.match is not None
        assert told.requests == visitor.asked(*_BOTH), "check and comparison are not both asked"
        assert told.charges == visitor.price
        assert result.liveness.ids.call != result.match.ids.call, "two calls with one id"
        assert result.liveness.ids.caller == result.match.ids.caller == visitor.REF

    def _thresholds_stay_apart(self, bench: Bench, visitor: _Visitor) -> None:
        exact = Situation.SCORE
        scaled = all(bench.scale(operation) for operation in _BOTH)
        known = scaled and bench.can.threshold_rule is not ThresholdRule.VENDOR
        if not known or exact not in bench.double.situations:
            return
        low, high = MIDDLE - 1, MIDDLE + 1
        for check, comparison in ((low, low), (low, high), (high, low)):
            result = visitor.tries(
                exact, exact, shown=exact, liveness_threshold=check, threshold=comparison
            ).answer
            assert result.liveness.is_live == (check == low)
            assert result.is_verified == (check == comparison)
            for part, asked in ((result.liveness, check), (result.match, comparison)):
                if part is not None:
                    assert part.threshold is not None
                    assert part.threshold.value == asked, "the threshold of the other call"

    def _a_paid_check_is_told(self, visitor: _Visitor) -> None:
        fine, lost = Situation.SAME_PERSON, Situation.LOST_ANSWER
        told = visitor.tries(fine, lost, shown=fine)
        assert told.error is not None, "a result without an answer"
        assert told.error.liveness is not None, "the result of the check is lost as well"
        assert told.error.liveness.is_live
        told = visitor.tries(lost, fine, shown=fine)
        assert told.error is not None, "nobody knows whether the face is live"
        assert told.error.liveness is None, "the result of an earlier check"
