"""R01-R05, R32, R45: what a result says, and that it means what it says."""

from __future__ import annotations

import inspect
import json
import math
import re
import uuid
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest

from facematch_core import (
    CallRecord,
    Charged,
    Environment,
    LivenessResult,
    MatchResult,
    Operation,
    Reconciled,
    Reconciliation,
    Retention,
    ThresholdRule,
    ThresholdSource,
    Unsupported,
    VendorError,
)
from facematch_core.backend import API_VERSION, Backend
from facematch_core.testing.bench import FAIL, MIDDLE, PASS, REVIEW, Bench, Result, does_not_apply
from facematch_core.testing.simulator import ANSWERS, BAD, GOOD, Situation, required

from ._frame import Rules

_KIND = {Operation.MATCH: MatchResult, Operation.LIVENESS: LivenessResult}

#: Scores at the ends of the scale, one that looks like a fraction, some that fewer bits or decimals
#: would move.
SCORES = (0.0, 0.87, 1.0, 12.5, 50.1, 49.996, 61.23, 99.99, 99.99999, 100.0)

#: A threshold that is nobody's default, for a verifier that is opened with one.
OPENED_WITH = 42.5


class ShapeRules(Rules):
    """What a result says, and that it means what it says."""

    def test_r01_result_names_its_call(self, bench: Bench) -> None:
        """A result says who answered which call.

        An auditor who finds a decision in a database must see which vendor gave it for which
        request, and that it is not the answer to another one.
        """
        for operation in bench.operations:
            mine: dict[str, Any] = {"caller_ref": "order 7", "metadata": {"desk": 3}}
            first = bench.ask(operation, GOOD[operation], **mine).answer
            second = bench.ask(operation, GOOD[operation]).answer
            assert isinstance(first, _KIND[operation])
            assert first.backend == bench.backend.name
            assert (first.ids.caller, first.metadata) == ("order 7", {"desk": 3})
            assert (second.ids.caller, second.metadata) == (None, None)
            assert str(uuid.UUID(first.ids.call)) == first.ids.call
            assert first.ids.call != second.ids.call
            assert first.ids.vendor is None or first.ids.vendor != second.ids.vendor
            assert first.elapsed_s >= 0
            assert first.environment in (bench.backend.environment, Environment.MOCK)
            own = bench.ask_directly(operation, GOOD[operation]).answer
            assert own.backend == bench.backend.name

    def test_r02_score_lies_on_its_scale(self, bench: Bench) -> None:
        """A score is a finite number from 0 to 100 on the declared scale, or None.

        A threshold is a number on one scale: a score of another scale, or NaN, which is neither
        above nor below anything, lets anybody in.
        """
        for operation in bench.operations:
            scale = bench.scale(operation)
            for situation in (GOOD[operation], BAD[operation]):
                result = bench.ask(operation, situation).answer
                numbers = [None if result.score is None else result.score.raw, result.elapsed_s]
                if isinstance(result, LivenessResult):
                    numbers += [result.quality, result.luminance]
                assert all(math.isfinite(n) for n in numbers if n is not None), numbers
                if scale is None:
                    assert result.score is None, "a score, but no scale is declared"
                    continue
                if situation is GOOD[operation]:
                    assert result.score is not None, "a scale is declared, but no score comes"
                if result.score is not None:
                    assert result.score.scale == scale
                    assert 0 <= result.score.value <= 100
                    assert result.score.source is not None, (
                        "the score has no `source`: how is its scale known?"
                    )

    def test_r03_score_is_the_vendors_number(self, bench: Bench) -> None:
        """The vendor's number arrives unchanged: not clamped, rounded or rescaled.

        0.87 of 100 is a clear mismatch. Read as a fraction it becomes 87, and a match.
        """
        bench.need(Situation.SCORE)
        for operation in bench.operations:
            if bench.scale(operation) is None:
                continue
            for value in SCORES:
                result = bench.ask(operation, Situation.SCORE, score=value).answer
                assert result.score is not None, f"the vendor said {value}, the result says None"
                # A fraction that was made a percentage moves by less.
                found = result.score.value
                assert found == pytest.approx(value, rel=1e-12, abs=1e-12), (
                    f"the vendor said {value} of 100, and the score is {found}"
                )

    def test_r04_json_form_is_complete(self, bench: Bench) -> None:
        """A result survives a round trip through JSON.

        What a database keeps is what a court reads later.
        """
        for operation, situation in bench.cases(ANSWERS):
            result = bench.ask(operation, situation).result
            if result is None and situation is Situation.NULL_SCORE:
                continue  # R10 takes an error for it, too
            assert result is not None, f"{situation.name} gave no result"
            text = json.dumps(result.to_dict(), allow_nan=False)
            again = type(result).from_dict(json.loads(text))
            assert again == result, situation
            assert again.raw == json.loads(json.dumps(dict(result.raw)))

    def test_r05_declarations_can_be_tested(self, bench: Bench) -> None:
        """Everything declared is tested, and nothing undeclared works.

        A capability that nobody could test is a promise; one that works undeclared is used without
        its rules.
        """
        assert re.fullmatch(r"[a-z][a-z0-9_.-]*", bench.backend.name), bench.backend.name
        assert bench.backend.api_version == API_VERSION
        assert bench.operations, "no operation is declared"
        assert bench.can.billed_operations <= bench.can.operations
        settings = inspect.signature(type(bench.backend)).parameters
        unknown = set(bench.backend.environment_variables) - set(settings)
        assert not unknown, f"environment variables for settings that do not exist: {unknown}"
        unnamed = [name for name, text in bench.secrets() if text not in bench.simulator.secrets]
        assert not unnamed, f"the simulator does not name the secret in {', '.join(unnamed)}"
        missing = sorted(s.name for s in required(bench.can) - bench.simulator.situations)
        assert not missing, f"the simulator must produce {', '.join(missing)}"
        for operation in set(GOOD) - bench.can.operations:
            outcome = bench.ask_directly(operation, GOOD[bench.operations[0]])
            assert isinstance(outcome.error, Unsupported), f"{operation} is not declared"
            assert outcome.requests == 0

    def test_r32_another_call_is_never_found(self, bench: Bench) -> None:
        """`reconcile` finds only the call with the id that it was given.

        Two visitors come in one second. The newest record, or the one with the same reference, may
        be the other one's: mistaken for the lost call, it lets a stranger in.
        """
        if type(bench.backend).reconcile is Backend.reconcile:
            does_not_apply(f"{bench.backend.name} cannot look into its vendor's records.")
        if Retention.KEEP not in bench.can.retention:
            does_not_apply(f"{bench.backend.name} keeps nothing that could be found.")
        own: dict[str, Any] = {"retention": Retention.KEEP, "caller_ref": "visitor 7"}
        for operation in bench.operations:
            for _ in range(2):  # so that the newest record is not the only one
                result = bench.ask(operation, GOOD[operation], **own).answer
            made = attrs.evolve(record_of(bench, operation, result), caller_ref=own["caller_ref"])
            charges = bench.simulator.charges
            told = look(bench, made)
            if told is not None:
                assert told.call.id == made.id, "an answer about another call"
                if told.outcome is Reconciled.FOUND:
                    assert type(told.result) is type(result)
                    assert told.result.ids.call == made.id, (
                        f"the record says the call {told.result.ids.call}: one that is found names "
                        "the call it was asked about, in `ids.call`"
                    )
            # With the same reference; and another one that begins or ends alike.
            others = (str(uuid.uuid4()), made.id[:-12] + "0" * 12, "0" * 8 + made.id[8:])
            for other in others:
                told = look(bench, attrs.evolve(made, id=other))
                if told is not None:
                    assert told.outcome is not Reconciled.FOUND, (
                        "found what nobody sent: it goes by the reference, or by a part of the id"
                    )
            assert bench.simulator.charges == charges, "looking has a price"

    def test_r45_threshold_is_told(self, bench: Bench) -> None:
        """A result names the threshold that decided, its rule, and who set it.

        "No match" means nothing without it. Whoever moves from the default to a number of their
        own, or is asked in court which one it was, finds it in the result and nowhere else.
        """
        for operation in bench.operations:
            opened = bench.open_verifier(threshold=OPENED_WITH, liveness_threshold=OPENED_WITH)
            default = bench.can.default_for(operation)
            taken = False
            for source, value, how in (
                (ThresholdSource.CALLER, MIDDLE, {"threshold": MIDDLE, "review_threshold": 97.5}),
                (ThresholdSource.PROFILE, OPENED_WITH, {"verifier": opened}),
                (ThresholdSource.DEFAULT, default, {}),
            ):
                result = bench.ask(operation, GOOD[operation], **how).answer
                told, review = result.threshold, result.review_threshold
                if value is None:
                    assert told is None or told.source is ThresholdSource.VENDOR, (
                        "a threshold that nobody set"
                    )
                    continue
                assert told is not None, f"the result does not name the threshold of the {source}"
                assert (told.value, told.source) == (value, source)
                assert told.rule is bench.can.threshold_rule
                assert (None if review is None else review.value) == how.get("review_threshold")
                sent = bench.simulator.received.get("threshold")
                taken = taken or sent is not None
                if taken:
                    # Left out, the vendor's default of today would decide, and ours be reported.
                    assert sent is not None, (
                        f"the vendor was not sent the threshold of the {source}"
                    )
                    assert sent == pytest.approx(value), "the vendor was sent another threshold"
            _no_other_threshold_decides(bench, operation)


def _no_other_threshold_decides(bench: Bench, operation: Operation) -> None:
    """Neither the default nor a second look has a say."""
    vendors = bench.can.threshold_rule is ThresholdRule.VENDOR
    told = Situation.SCORE in bench.simulator.situations
    if vendors or not told or bench.scale(operation) is None:
        return
    # On both sides of every usual default, and thresholds close to them.
    for score in (8.75, 20.5, 45.25, 88.5):
        for threshold in (score - 0.25, score + 0.25):
            result = bench.ask(operation, Situation.SCORE, score=score, threshold=threshold).answer
            failed = (FAIL[operation], REVIEW[operation])
            wanted = (PASS[operation],) if score > threshold else failed
            assert result.decision in wanted, (
                f"score {score}, threshold {threshold}: {result.decision}"
            )


def record_of(bench: Bench, operation: Operation, result: Result) -> CallRecord:
    """What one would look for to find the call that gave `result`, if it was kept."""
    return CallRecord(
        id=str(result.ids.call),
        operation=operation,
        backend=bench.backend.name,
        started_at=result.created_at or datetime.now(UTC),
        kept=True,
    )


def look(bench: Bench, record: CallRecord) -> Reconciliation | None:
    """What the backend says; None if the simulator cannot tell what its vendor's records hold."""
    try:
        return bench.backend.reconcile(record)
    except VendorError as error:
        charged = error.billing.charged
    assert charged is Charged.NO, "looking has a price"
    return None
