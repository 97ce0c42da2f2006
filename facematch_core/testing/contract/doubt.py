"""R10-R15: whatever is missing, unknown or impossible lets nobody in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from facematch_core import Operation, Severity, UnexpectedResponse, WarningCode
from facematch_core.testing.bench import FAIL, INCONCLUSIVE, PASS, REVIEW, Bench, Outcome
from facematch_core.testing.simulator import GOOD, Situation

from ._frame import Rules


class DoubtRules(Rules):
    """Whatever is missing, unknown or impossible lets nobody in."""

    def test_r10_none_is_not_zero(self, bench: Bench) -> None:
        """A missing score stays None, and passes no threshold that the caller set.

        0 would say "certainly two people" where the vendor said nothing; a pass would say that the
        caller's own threshold was met. An answer without its score may also be one that cannot be
        read.
        """
        for operation in bench.operations_for(Situation.NULL_SCORE):
            # Its score may be left lying about.
            assert bench.ask(operation, GOOD[operation]).error is None
            for threshold in (None, 40.0):
                for ask in (bench.ask_directly, bench.ask):
                    outcome = ask(operation, Situation.NULL_SCORE, threshold=threshold)
                    if isinstance(outcome.error, UnexpectedResponse):
                        assert outcome.error.billing.charged in bench.paid_if_unreadable(operation)
                        continue
                    result = outcome.answer
                    assert result.score is None, f"{operation}: a score where there is none"
                    assert result.decision is not FAIL[operation], "no score is no mismatch"
                    # Without a scale only the verdict counts: no threshold is held against it.
                    if threshold is not None and bench.scale(operation) is not None:
                        assert result.decision in (REVIEW[operation], INCONCLUSIVE[operation])

    def test_r11_no_face_is_inconclusive(self, bench: Bench) -> None:
        """Without a face there is no verdict, no score, and a warning that says why.

        "No match" would accuse somebody whose photograph was merely cut off; a score of 0 would
        pass a threshold of 0.
        """
        for operation in bench.operations_for(Situation.NO_FACE):
            probe, reference = bench.simulator.pictures_for(Situation.NO_FACE)
            asked: list[tuple[Callable[..., Outcome], dict[str, Any]]] = [
                (bench.ask_directly, {}),
                (bench.ask, {}),
            ]
            if operation is Operation.MATCH:
                # Where pictures decide, it is the other one that shows no face.
                asked.append((bench.ask, {"images": (reference, probe)}))
            for ask, shown in asked:
                for threshold in (None, 0.0):
                    result = ask(operation, Situation.NO_FACE, threshold=threshold, **shown).answer
                    assert result.decision is INCONCLUSIVE[operation], (
                        f"{operation}: without a face it is {result.decision}"
                    )
                    assert result.score is None, f"{operation}: a score without a face"
                    codes = {warning.code for warning in result.warnings}
                    assert WarningCode.NO_FACE in codes, f"{operation}: no NO_FACE warning"
                    assert WarningCode.LOW_SIMILARITY not in codes, "says nothing about people"

    def test_r12_two_faces_are_told(self, bench: Bench) -> None:
        """More than one face in a picture gives a warning.

        Whose face was compared is otherwise anybody's guess: a bystander can pass for the bearer.
        """
        for operation in bench.operations_for(Situation.TWO_FACES):
            result = bench.ask(operation, Situation.TWO_FACES).answer
            codes = {warning.code for warning in result.warnings}
            assert WarningCode.MULTIPLE_FACES in codes, f"{operation}: no MULTIPLE_FACES warning"

    def test_r13_unknown_status_is_review(self, bench: Bench) -> None:
        """An unknown verdict goes to a person, and the vendor's word is kept.

        Vendors add words without asking. One that means "held back" must not open a door because
        the score beside it is high.
        """
        for operation in bench.operations_for(Situation.UNKNOWN_STATUS):
            for ask in (bench.ask_directly, bench.ask):
                result = ask(operation, Situation.UNKNOWN_STATUS).answer
                word = bench.simulator.unknown_status
                assert result.decision is REVIEW[operation], (
                    f"{operation}: the unknown verdict {word!r} became {result.decision}, not "
                    f"{REVIEW[operation]}"
                )
                assert result.vendor_status == word, f"{operation}: the vendor's word is gone"

    def test_r14_unknown_warning_is_kept(self, bench: Bench) -> None:
        """An unknown serious warning is kept word for word, and nobody passes with it.

        It may be the vendor's new word for a deep fake.
        """
        tag, text = bench.simulator.unknown_warning
        for operation in bench.operations_for(Situation.UNKNOWN_WARNING):
            for ask in (bench.ask_directly, bench.ask):
                result = ask(operation, Situation.UNKNOWN_WARNING).answer
                kept = [warning for warning in result.warnings if warning.tag == tag]
                assert kept, f"the warning {tag} is gone: {result.warnings}"
                for warning in kept:
                    # A vendor that has codes alone has no text that could be kept.
                    assert text is None or warning.text == text
                    assert warning.code is WarningCode.OTHER
                    assert warning.severity in (Severity.ERROR, Severity.UNKNOWN)
            assert result.decision is not PASS[operation], f"{operation}: a pass with {tag}"

    def test_r15_impossible_score_is_no_score(self, bench: Bench) -> None:
        """A number off the vendor's scale becomes no score, or an error of a charged call.

        250 of 100 means that we misread the vendor. Clamped to 100 it would be the best match ever.
        """
        for operation in bench.operations_for(Situation.IMPOSSIBLE_SCORE):
            outcome = bench.ask_directly(operation, Situation.IMPOSSIBLE_SCORE, threshold=10.0)
            if isinstance(outcome.error, UnexpectedResponse):
                assert outcome.error.billing.charged in bench.paid_if_unreadable(operation)
            else:
                score, decision = outcome.answer.score, outcome.answer.decision
                assert score is None, f"{operation}: {score} was accepted"
                assert decision is not PASS[operation], f"{operation}: it is {decision}"
