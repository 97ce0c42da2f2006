"""R06-R09: who passes, and who does not."""

from __future__ import annotations

from facematch_core import ThresholdRule, ThresholdSource
from facematch_core.testing._situations import BAD, BEST

from ._bench import Bench
from ._outcome import ABOVE, BELOW, FAIL, PASS, REVIEW
from ._rules import Rules

#: Less than any vendor's score tells apart that matters to a person, more than rounding moves it.
STEP = 0.01


class DecisionRules(Rules):
    """Who passes, and who does not."""

    def test_r06_verdicts_are_not_swapped(self, bench: Bench) -> None:
        """One person matches, two people do not; a live face is live, a photograph is not.

        The first thing that a table of the vendor's words can get wrong, and the worst.
        """
        for operation in bench.operations:
            assert bench.ask(operation, BEST[operation]).answer.decision is PASS[operation]
            assert bench.ask(operation, BAD[operation]).answer.decision is FAIL[operation]

    def test_r07_threshold_edge(self, bench: Bench) -> None:
        """A score exactly at the threshold is decided by the declared rule, ABOVE or AT_LEAST.

        Two readings of "above" differ for nobody on most days, and on the day of an audit for the
        one person whose score is the threshold.
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
                wanted = ABOVE[operation] if passes else BELOW[operation]
                assert decisions <= wanted, f"score {score}, threshold {threshold}: {decisions}"
                assert result.threshold is not None, "the result does not tell its threshold"
                assert result.threshold.value == threshold
                assert result.threshold.rule is bench.can.threshold_rule
                assert result.threshold.source is ThresholdSource.CALLER

    def test_r08_no_pass_below_the_threshold(self, bench: Bench) -> None:
        """Nothing passes with a score that its own threshold does not let pass.

        The verifier would turn such an answer into REVIEW, so the backend is asked directly: a
        wrong pass must not depend on a second line of defence.
        """
        for operation in bench.edges():
            for situation in dict.fromkeys((BEST[operation], BAD.get(operation, BEST[operation]))):
                for value in (0.0, 30.0, 50.0, 70.0, 90.0, 99.99, 100.0):
                    result = bench.ask_directly(operation, situation, threshold=value).answer
                    if result.decision not in ABOVE[operation] or result.score is None:
                        continue
                    threshold = bench.threshold(operation, value)
                    assert threshold is not None
                    assert threshold.passes(result.score.value), f"{result.score} passed {value}"

    def test_r09_review_threshold(self, bench: Bench) -> None:
        """A pass whose score is not above the review threshold goes to a person.

        That is how a team lets clear cases through and looks at the others.
        """
        for operation in bench.edges():
            situation, told, score = bench.scored(operation)
            low = score - 1
            for review, wanted in (
                (score - STEP, ABOVE[operation]),
                (score, {REVIEW[operation]}),
                (score + STEP, {REVIEW[operation]}),
            ):
                result = bench.ask(
                    operation, situation, score=told, threshold=low, review_threshold=review
                ).answer
                assert result.decision in wanted, f"score {score}, review up to {review}"
