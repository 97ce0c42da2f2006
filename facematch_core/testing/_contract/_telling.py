"""R45, R47: what a result tells of its threshold, and a backend of itself."""

from __future__ import annotations

import json
from contextlib import closing, suppress
from typing import Any

import pytest

from facematch_core import (
    ConfigurationError,
    FaceVerifier,
    Operation,
    ThresholdRule,
    ThresholdSource,
)
from facematch_core.backend import Backend
from facematch_core.testing._leaks import captured_log, find_leaks
from facematch_core.testing._situations import BEST, GOOD, Situation

from ._bench import MIDDLE, Bench
from ._outcome import FAIL, PASS, REVIEW
from ._rules import Rules

#: A threshold that is nobody's default, for a verifier that is opened with one.
OPENED_WITH = 42.5

#: Scores on both sides of every usual default, and how far beside them thresholds are put.
SCORES, BESIDE = (8.75, 20.5, 45.25, 88.5), 0.25


class TellingRules(Rules):
    """What a result tells of its threshold, and a backend of itself."""

    def test_r45_threshold_is_told(self, bench: Bench) -> None:
        """A result tells the threshold that decided, by which rule, and who set it.

        "No match" means nothing without it. Who moves from the default to a number of their own,
        or is asked in court which one it was, finds it in the result and nowhere else.
        """
        for operation in bench.operations:
            self._is_told(bench, operation)
            if operation in GOOD:
                self._decides(bench, operation)

    def _is_told(self, bench: Bench, operation: Operation) -> None:
        opened = bench.open_verifier(threshold=OPENED_WITH, liveness_threshold=OPENED_WITH)
        default = bench.can.default_for(operation)
        taken = False
        for source, value, how in (
            (ThresholdSource.CALLER, MIDDLE, {"threshold": MIDDLE, "review_threshold": 97.5}),
            (ThresholdSource.PROFILE, OPENED_WITH, {"verifier": opened}),
            (ThresholdSource.DEFAULT, default, {}),
        ):
            result = bench.ask(operation, BEST[operation], **how).answer
            told, review = result.threshold, result.review_threshold
            if value is None:
                assert told is None or told.source is ThresholdSource.VENDOR, "nobody has set it"
                continue
            assert told is not None, f"the threshold of the {source} is not told"
            assert (told.value, told.source) == (value, source)
            assert told.rule is bench.can.threshold_rule
            assert (None if review is None else review.value) == how.get("review_threshold")
            sent = bench.double.received.get("threshold")
            taken = taken or sent is not None
            if taken:
                # Left out, the vendor's default of today would decide, and ours be told.
                assert sent is not None, f"the vendor is not sent the one of the {source}"
                assert sent == pytest.approx(value), "the vendor was sent another one"

    def _decides(self, bench: Bench, operation: Operation) -> None:
        """No other threshold has a say: neither the default nor a second look."""
        vendors = bench.can.threshold_rule is ThresholdRule.VENDOR
        told = Situation.SCORE in bench.double.situations
        if vendors or not told or bench.scale(operation) is None:
            return
        for score in SCORES:
            for threshold in (score - BESIDE, score + BESIDE):
                result = bench.ask(
                    operation, Situation.SCORE, score=score, threshold=threshold
                ).answer
                failed = (FAIL[operation], REVIEW[operation])
                wanted = (PASS[operation],) if score > threshold else failed
                assert result.decision in wanted, (
                    f"score {score}, threshold {threshold}: {result.decision}"
                )

    def test_r47_diagnose_costs_nothing(self, bench: Bench) -> None:
        """`diagnose` tells what is set, asks nothing that costs, and shows no secret.

        It is what somebody runs first when nothing works, and pastes into a question to strangers.
        """
        operation = bench.declared[0]
        situation = BEST[operation]
        bench.double.prepare(situation)
        with closing(bench.double.backend()) as backend:
            _diagnosed(bench, backend)
            assert bench.ask(operation, situation, verifier=FaceVerifier(backend)).error is None
            _diagnosed(bench, backend)
        # A backend may say that it is closed.
        with suppress(ConfigurationError):
            _diagnosed(bench, backend)
        if Situation.UNREACHABLE in bench.double.situations:
            bench.double.prepare(Situation.UNREACHABLE)
            _diagnosed(bench, bench.open_backend())


def _diagnosed(bench: Bench, backend: Backend) -> None:
    """Ask the backend of itself, and see that nobody else was asked or told."""
    before = bench.double.requests_seen, bench.double.charges
    with captured_log() as log:
        told: dict[Any, Any] = dict(backend.diagnose())
    after = bench.double.requests_seen, bench.double.charges
    assert after == before, "diagnose has asked the vendor"
    assert all(isinstance(name, str) and name.strip() for name in told), "a line without a name"
    # As `facematch doctor --json` prints it.
    text = json.dumps(told, ensure_ascii=False, allow_nan=False)
    # The forms only: a failing assertion prints what it compares.
    forms = {f for secret in bench.double.secrets for f in find_leaks(secret, text, log.getvalue())}
    assert not forms, "a secret in what diagnose tells or logs"
