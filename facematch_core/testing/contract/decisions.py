"""R06-R09, R33: who passes, and who does not."""

from __future__ import annotations

from typing import Any

import attrs

from facematch_core import (
    FaceMatchError,
    LiveMatchDecision,
    LiveMatchResult,
    Operation,
    ThresholdRule,
    ThresholdSource,
)
from facematch_core.testing.bench import (
    FAIL,
    MIDDLE,
    PASS,
    REVIEW,
    Bench,
    Script,
    answer_of,
    does_not_apply,
)
from facematch_core.testing.simulator import BAD, GOOD, Situation

from ._frame import Rules

#: Less than any vendor's score tells apart that matters to a person, more than rounding moves it.
STEP = 0.01

_BOTH = (Operation.LIVENESS, Operation.MATCH)


class DecisionRules(Rules):
    """Who passes, and who does not."""

    def test_r06_verdicts_are_not_swapped(self, bench: Bench) -> None:
        """The same person matches, two people do not; a live face is live, a photograph is not.

        The first thing that a table of the vendor's words can get wrong, and the worst.
        """
        for operation in bench.operations:
            for situation, wanted in ((GOOD, PASS), (BAD, FAIL)):
                decision = bench.ask(operation, situation[operation]).answer.decision
                assert decision is wanted[operation], f"{situation[operation]} is {decision}"

    def test_r07_threshold_edge(self, bench: Bench) -> None:
        """A score exactly at the threshold is decided by the declared rule, ABOVE or AT_LEAST.

        Two readings of "above" agree on most days, and differ on the day of the audit for the one
        person whose score is exactly the threshold. A fraction of 0.57 is 57 per cent, and times
        100 it is a little less.
        """
        at_edge = bench.can.threshold_rule is ThresholdRule.AT_LEAST
        for operation in bench.edges():
            situation, told, score = bench.scored(operation)
            for threshold, passes in (
                (score - STEP, True),
                (score, at_edge),
                (score + STEP, False),
            ):
                own = bench.ask_directly(operation, situation, score=told, threshold=threshold)
                result = bench.ask(operation, situation, score=told, threshold=threshold).answer
                decisions = {own.answer.decision, result.decision}
                wanted = {PASS[operation]} if passes else {FAIL[operation], REVIEW[operation]}
                assert decisions <= wanted, f"score {score}, threshold {threshold}: {decisions}"
                assert result.threshold is not None, "the result does not name its threshold"
                assert result.threshold.value == threshold
                assert result.threshold.rule is bench.can.threshold_rule
                assert result.threshold.source is ThresholdSource.CALLER
            if situation is Situation.SCORE:
                self._whole_per_cents(bench, operation, passes=at_edge)

    def _whole_per_cents(self, bench: Bench, operation: Operation, *, passes: bool) -> None:
        """Each is itself, and decided by the rule at a threshold that is the same number."""
        wanted = {PASS[operation]} if passes else {FAIL[operation], REVIEW[operation]}
        for whole in map(float, range(101)):
            result = bench.ask_directly(
                operation, Situation.SCORE, score=whole, threshold=whole
            ).answer
            assert result.score is not None, f"the vendor said {whole:g}, the result says None"
            assert result.score.value == whole, f"{whole:g} percent became {result.score.value!r}"
            assert result.decision in wanted, f"score and threshold {whole:g}: {result.decision}"

    def test_r08_no_pass_below_the_threshold(self, bench: Bench) -> None:
        """No call passes with a score that fails its own threshold.

        The verifier would turn such an answer into REVIEW, so the backend is asked directly: a
        wrong pass must not depend on a second line of defence.
        """
        for operation in bench.edges():
            for situation in (GOOD[operation], BAD[operation]):
                for value in (0.0, 30.0, 50.0, 70.0, 90.0, 99.99, 100.0):
                    result = bench.ask_directly(operation, situation, threshold=value).answer
                    if result.decision is not PASS[operation] or result.score is None:
                        continue
                    threshold = bench.threshold(operation, value)
                    assert threshold is not None
                    assert threshold.passes(result.score.value), f"{result.score} passed {value}"

    def test_r09_review_threshold(self, bench: Bench) -> None:
        """A pass that is not above the review threshold goes to a person.

        That is how a team lets clear cases through and looks at the others.
        """
        for operation in bench.edges():
            situation, told, score = bench.scored(operation)
            low = score - 1
            for review, wanted in (
                (score - STEP, PASS[operation]),
                (score, REVIEW[operation]),
                (score + STEP, REVIEW[operation]),
            ):
                result = bench.ask(
                    operation, situation, score=told, threshold=low, review_threshold=review
                ).answer
                assert result.decision is wanted, f"score {score}, review up to {review}"

    def test_r33_check_and_comparison_together(self, bench: Bench) -> None:
        """`verify_live` accepts only a live face that matches, and a spoof costs one call.

        The comparison must not ride on the check, nor the check on an earlier comparison: else a
        live stranger is accepted, or a photograph of the right person.
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
        assert told.requests == visitor.requests[Operation.LIVENESS], "a spoof was compared, too"
        stranger = Situation.DIFFERENT_PEOPLE
        told = visitor.tries(Situation.LIVE, stranger, shown=stranger)
        assert not told.answer.is_verified, "verified by being live"
        # Where pictures decide, the stranger's need not pass a check.
        if told.answer.liveness.is_live:
            assert told.answer.decision is LiveMatchDecision.NO_MATCH
            assert told.requests == sum(visitor.requests.values())
        self._both_are_asked(visitor)
        self._thresholds_stay_apart(bench, visitor)
        if Situation.LOST_ANSWER in bench.simulator.situations:
            self._a_paid_check_is_told(visitor)

    def _both_are_asked(self, visitor: _Visitor) -> None:
        fine = Situation.SAME_PERSON
        told = visitor.tries(fine, fine, shown=fine)
        result = told.answer
        assert result.is_verified, f"{result.decision}: SAME_PERSON has to pass a check, too"
        assert result.match is not None
        assert told.requests == sum(visitor.requests.values()), "the vendor was not called for both"
        assert told.charges == visitor.price
        assert result.liveness.ids.call != result.match.ids.call, "two calls with one id"
        assert result.liveness.ids.caller == result.match.ids.caller == visitor.REF

    def _thresholds_stay_apart(self, bench: Bench, visitor: _Visitor) -> None:
        exact = Situation.SCORE
        scaled = all(bench.scale(operation) for operation in _BOTH)
        known = scaled and bench.can.threshold_rule is not ThresholdRule.VENDOR
        if not known or exact not in bench.simulator.situations:
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


@attrs.frozen(kw_only=True)
class _Told:
    """What one `verify_live` gave: result or error, and by how much the counters rose."""

    result: LiveMatchResult | None
    error: FaceMatchError | None
    requests: int
    charges: int

    @property
    def answer(self) -> LiveMatchResult:
        found: LiveMatchResult = answer_of(self.result, self.error)
        return found


class _Visitor:
    """Somebody who tries again and again, at one verifier and under one reference."""

    REF = "visitor 7"

    def __init__(self, bench: Bench) -> None:
        self._simulator = bench.simulator
        self._script = Script(bench)
        self._verifier = bench.open_verifier(on_event=self._script)
        # What one call alone asks and costs is another rule's business.
        alone = {operation: bench.ask(operation, Situation.SAME_PERSON) for operation in _BOTH}
        self.requests = {operation: outcome.requests for operation, outcome in alone.items()}
        self.price = sum(outcome.charges for outcome in alone.values())

    def tries(
        self, check: Situation, comparison: Situation, shown: Situation, **options: Any
    ) -> _Told:
        """Check and comparison meet what is named for each, with the pictures of `shown`."""
        simulator = self._simulator
        pictures = simulator.pictures_for(shown)
        before = simulator.requests_seen, simulator.charges
        result, error = None, None
        self._script.play((check, comparison))
        try:
            result = self._verifier.verify_live(*pictures, caller_ref=self.REF, **options)
        except FaceMatchError as raised:
            error = raised
        self._script.check()
        return _Told(
            result=result,
            error=error,
            requests=simulator.requests_seen - before[0],
            charges=simulator.charges - before[1],
        )
