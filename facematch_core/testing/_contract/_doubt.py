"""R10-R15: whatever is missing, unknown or impossible lets nobody in."""

from __future__ import annotations

from facematch_core import Severity, UnexpectedResponse, WarningCode
from facematch_core.testing._situations import GOOD, Situation

from ._bench import Bench
from ._money import unreadable_costs
from ._outcome import FAIL, INCONCLUSIVE, PASS, REVIEW
from ._rules import Rules


class DoubtRules(Rules):
    """Whatever is missing, unknown or impossible lets nobody in."""

    def test_r10_none_is_not_zero(self, bench: Bench) -> None:
        """A score that is missing stays None, and passes no threshold that the caller set.

        0 would say "certainly two people" where the vendor said nothing; a pass would say that
        the caller's own threshold was met.
        """
        for operation in bench.operations_for(Situation.NULL_SCORE):
            # Its score may be left lying about.
            assert bench.ask(operation, GOOD[operation]).error is None
            result = bench.ask(operation, Situation.NULL_SCORE).answer
            assert result.score is None
            assert result.decision is not FAIL[operation], "no score is no mismatch"
            if bench.scale(operation) is None:
                continue  # Only the verdict counts: there is no score to hold a threshold against.
            for ask in (bench.ask_directly, bench.ask):
                result = ask(operation, Situation.NULL_SCORE, threshold=40.0).answer
                assert result.score is None
                assert result.decision in (REVIEW[operation], INCONCLUSIVE[operation])

    def test_r11_no_face_is_inconclusive(self, bench: Bench) -> None:
        """Without a face there is no verdict, no score, and a warning that says why.

        "No match" would accuse somebody whose photograph was merely cut off; a score of 0 would
        pass a threshold of 0.
        """
        for operation in bench.operations_for(Situation.NO_FACE):
            for ask in (bench.ask_directly, bench.ask):
                for threshold in (None, 0.0):
                    result = ask(operation, Situation.NO_FACE, threshold=threshold).answer
                    assert result.decision is INCONCLUSIVE[operation]
                    assert result.score is None
                    codes = {warning.code for warning in result.warnings}
                    assert WarningCode.NO_FACE in codes
                    assert WarningCode.LOW_SIMILARITY not in codes, "says nothing about people"

    def test_r12_two_faces_are_told(self, bench: Bench) -> None:
        """More than one face in a picture is told as a warning.

        Whose face was compared is otherwise anybody's guess: a bystander can pass for the bearer.
        """
        for operation in bench.operations_for(Situation.TWO_FACES):
            result = bench.ask(operation, Situation.TWO_FACES).answer
            assert WarningCode.MULTIPLE_FACES in {warning.code for warning in result.warnings}

    def test_r13_unknown_status_is_review(self, bench: Bench) -> None:
        """A verdict that no document names goes to a person, with the vendor's word kept.

        Vendors add words without asking. One that means "held back" must not open a door because
        the score beside it is high.
        """
        for operation in bench.operations_for(Situation.UNKNOWN_STATUS):
            for ask in (bench.ask_directly, bench.ask):
                result = ask(operation, Situation.UNKNOWN_STATUS).answer
                assert result.decision is REVIEW[operation]
                assert result.vendor_status == bench.double.unknown_status

    def test_r14_unknown_warning_is_kept(self, bench: Bench) -> None:
        """A grave warning that no document names is kept word for word, and nobody passes by it.

        It may be the vendor's new way to tell a deep fake.
        """
        tag, text = bench.double.unknown_warning
        for operation in bench.operations_for(Situation.UNKNOWN_WARNING):
            for ask in (bench.ask_directly, bench.ask):
                result = ask(operation, Situation.UNKNOWN_WARNING).answer
                kept = [warning for warning in result.warnings if warning.tag == tag]
                assert kept, f"the warning {tag} is gone: {result.warnings}"
                for warning in kept:
                    assert warning.text == text
                    assert warning.code is WarningCode.OTHER
                    assert warning.severity in (Severity.ERROR, Severity.UNKNOWN)
            assert result.decision is not PASS[operation]

    def test_r15_impossible_score_is_no_score(self, bench: Bench) -> None:
        """A number that is not on the vendor's scale is an error that was paid, or no score.

        250 of 100 means that we misread the vendor. Clamped to 100 it would be the best match ever.
        """
        for operation in bench.operations_for(Situation.IMPOSSIBLE_SCORE):
            outcome = bench.ask_directly(operation, Situation.IMPOSSIBLE_SCORE, threshold=10.0)
            if outcome.result is None:
                assert isinstance(outcome.error, UnexpectedResponse)
                assert outcome.error.billing.charged in unreadable_costs(bench, operation)
            else:
                assert outcome.result.score is None
                assert outcome.result.decision is not PASS[operation]
