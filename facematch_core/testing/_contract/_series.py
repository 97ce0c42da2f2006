"""R34: many pairs, one after another and side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from facematch_core import (
    AuthenticationFailed,
    FaceMatchError,
    InvalidImage,
    MatchResult,
    Operation,
    PairOutcome,
    PermissionDenied,
    VendorError,
)
from facematch_core.testing._situations import ANSWERS, FAILURES, OPERATION_OF, Situation

from ._bench import MIDDLE, Bench, does_not_apply
from ._outcome import Outcome
from ._rules import Rules
from ._script import Script

#: What ends a series, as `verify_many` documents it, or may make a client wait.
_NOT_ALONE = (Situation.BAD_KEY, Situation.NO_CREDIT, Situation.THROTTLED)

#: Calls at a time, the default of `verify_many`; pairs of each kind, and pairs that a key which
#: is refused must not use up.
_WORKERS, _PAIRS, _MANY = 4, 4, 40

#: How far two scores of the same pictures may be apart: an engine may add up in another order.
_SAME = 0.01


def _gist(told: Outcome | PairOutcome) -> tuple[Any, ...]:
    """What two calls of one kind have in common, whatever came before them."""
    error, result = told.error, told.result
    if result is None:
        return type(error), error.billing.charged if isinstance(error, VendorError) else None
    warnings = [(warning.code, warning.tag) for warning in result.warnings]
    return result.decision, result.vendor_status, result.billing.charged, warnings


def _score(told: Outcome | PairOutcome) -> float | None:
    return None if told.result is None or told.result.score is None else told.result.score.value


def _attempts(told: Sequence[MatchResult | FaceMatchError | None]) -> set[str]:
    """The ids of our own that are told."""
    ids = {each.ids.call for each in told if isinstance(each, (MatchResult, VendorError))}
    return {attempt_id for attempt_id in ids if attempt_id}


class SeriesRules(Rules):
    """Many pairs, one after another and side by side."""

    def test_r34_many_pairs_in_their_order(self, bench: Bench) -> None:
        """`verify_many` gives every pair its own outcome, in order, and an error spoils only its
        own pair.

        A night's work of ten thousand pairs meets every fault once. One that leaves a trace in the
        backend changes the answer about everybody after it.
        """
        if Operation.MATCH not in bench.operations:
            does_not_apply(f"{bench.backend.name} declares no {Operation.MATCH} call.")
        self._one_after_another(bench)
        self._side_by_side(bench)
        for situation in (Situation.REJECTED, Situation.LOST_ANSWER):
            if situation in bench.double.situations:
                self._each_fails_for_itself(bench, situation)
        if Situation.BAD_KEY in bench.double.situations:
            self._a_wrong_key_ends_it(bench)

    def _one_after_another(self, bench: Bench) -> None:
        """Every situation, and after each of them one that is as if nothing had been."""
        double = bench.double
        situations = [
            situation
            for situation in (*ANSWERS, Situation.SCORE, *FAILURES)
            if situation in double.situations
            and situation not in _NOT_ALONE
            and OPERATION_OF.get(situation, Operation.MATCH) is Operation.MATCH
        ]
        scores = {Situation.SCORE: MIDDLE}
        # In another order, so that what is left behind there meets another one here.
        alone = {
            situation: bench.ask(Operation.MATCH, situation, score=scores.get(situation))
            for situation in reversed(situations)
        }
        series = [each for situation in situations for each in (situation, Situation.SAME_PERSON)]
        script = Script(bench)
        script.play(series)
        verifier = bench.open_verifier(on_event=script)
        pairs = [(*double.pictures_for(each), f"key {at}") for at, each in enumerate(series)]
        before = double.requests_seen
        outcomes = list(verifier.verify_many(pairs, max_workers=1))
        script.check()
        assert [outcome.index for outcome in outcomes] == list(range(len(series)))
        assert [outcome.key for outcome in outcomes] == [key for *_, key in pairs]
        for outcome, situation in zip(outcomes, series, strict=True):
            wanted = alone[situation]
            assert _gist(outcome) == _gist(wanted), f"{situation} is another one after others"
            assert _score(outcome) == pytest.approx(_score(wanted), abs=_SAME)
        assert double.requests_seen - before == sum(alone[each].requests for each in series)

    def _side_by_side(self, bench: Bench) -> None:
        """Pairs of two kinds, which are answered differently where pictures decide."""
        double = bench.double
        fine = Situation.SAME_PERSON
        kinds = [double.pictures_for(each) for each in (fine, Situation.DIFFERENT_PEOPLE)]
        alone = [
            bench.ask(Operation.MATCH, fine, images=pair, verifier=bench.open_verifier())
            for pair in kinds
        ]
        pairs: list[tuple[Any, ...]] = [(*pair, n) for n in range(_PAIRS) for pair in kinds]
        spoilt = len(pairs) // 2
        pairs.insert(spoilt, (kinds[0][0], b"no picture", "spoilt"))
        verifier = bench.open_verifier()
        double.prepare(fine)
        before = double.requests_seen
        outcomes = list(verifier.verify_many(pairs, max_workers=_WORKERS))
        assert [outcome.key for outcome in outcomes] == [key for *_, key in pairs]
        assert isinstance(outcomes.pop(spoilt).error, InvalidImage)
        for outcome, wanted in zip(outcomes, alone * _PAIRS, strict=True):
            assert outcome.decision is wanted.answer.decision, f"{outcome}: another pair's"
        assert len(_attempts([outcome.result for outcome in outcomes])) == len(outcomes)
        assert double.requests_seen - before == _PAIRS * sum(each.requests for each in alone)

    def _each_fails_for_itself(self, bench: Bench, situation: Situation) -> None:
        double = bench.double
        alone = bench.ask(Operation.MATCH, situation)
        pairs = [double.pictures_for(situation)] * (2 * _PAIRS)
        verifier = bench.open_verifier()
        double.prepare(situation)
        before = double.requests_seen
        errors = [outcome.error for outcome in verifier.verify_many(pairs, max_workers=_WORKERS)]
        assert all(isinstance(error, VendorError) for error in errors), errors
        assert len(_attempts(errors)) == len(pairs), "an error tells of another pair's call"
        seen = double.requests_seen - before
        assert seen == len(pairs) * alone.requests, "a pair was given up for another one"

    def _a_wrong_key_ends_it(self, bench: Bench) -> None:
        pairs = [bench.double.pictures_for(Situation.BAD_KEY)] * _MANY
        verifier = bench.open_verifier()
        bench.double.prepare(Situation.BAD_KEY)
        outcomes = list(verifier.verify_many(pairs, max_workers=_WORKERS))
        kinds = {type(outcome.error) for outcome in outcomes}
        assert kinds <= {AuthenticationFailed, PermissionDenied}, kinds
        assert 0 < len(outcomes) < _MANY, "a key that is refused does not end the series"
