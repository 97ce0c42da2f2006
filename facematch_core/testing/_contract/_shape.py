"""R01-R05: what a result says, and that it means what it says."""

from __future__ import annotations

import inspect
import json
import math
import re
import uuid
from typing import Any

import pytest

from facematch_core import (
    Environment,
    LivenessResult,
    MatchResult,
    Operation,
    Unsupported,
)
from facematch_core.backend import API_VERSION
from facematch_core.testing._situations import ANSWERS, BAD, GOOD, Situation, required

from ._bench import Bench
from ._rules import Rules

_KIND = {Operation.MATCH: MatchResult, Operation.LIVENESS: LivenessResult}

#: Scores at the ends of the scale, one that looks like a fraction, some that fewer bits or decimals
#: would move.
SCORES = (0.0, 0.87, 1.0, 12.5, 50.1, 49.996, 61.23, 99.99, 99.99999, 100.0)


class ShapeRules(Rules):
    """What a result says, and that it means what it says."""

    def test_r01_result_names_its_call(self, bench: Bench) -> None:
        """A result says who answered which call.

        An auditor who finds a decision in a database must be able to tell which vendor gave it to
        which request, and that it is not the answer to another one.
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
        above nor below anything, lets in whoever comes.
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
                    assert result.score.source is not None, "how is the scale known?"

    def test_r03_score_is_the_vendors_number(self, bench: Bench) -> None:
        """The vendor's number arrives as it is: not clamped, rounded away or rescaled.

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
                assert result.score.value == pytest.approx(value, rel=1e-12, abs=1e-12)

    def test_r04_json_form_is_complete(self, bench: Bench) -> None:
        """A result survives the way through JSON unchanged.

        What a database keeps is what a court reads later.
        """
        for operation, situation in bench.cases(ANSWERS):
            result = bench.ask(operation, situation).answer
            text = json.dumps(result.to_dict(), allow_nan=False)
            again = type(result).from_dict(json.loads(text))
            assert again == result, situation
            assert again.raw == json.loads(json.dumps(dict(result.raw)))

    def test_r05_declarations_can_be_tested(self, bench: Bench) -> None:
        """What is declared is tested here, and what is not declared is not there.

        A capability that nobody could test is a promise; one that is there undeclared is used
        without its rules.
        """
        assert re.fullmatch(r"[a-z][a-z0-9_.-]*", bench.backend.name), bench.backend.name
        assert bench.backend.api_version == API_VERSION
        assert bench.operations, "no operation is declared"
        assert bench.can.billed_operations <= bench.can.operations
        unknown = set(bench.backend.environment_variables) - set(
            inspect.signature(type(bench.backend)).parameters
        )
        assert not unknown, f"environment variables for settings that do not exist: {unknown}"
        unnamed = [name for name, text in bench.secrets() if text not in bench.double.secrets]
        assert not unnamed, f"the double does not name the secret in {', '.join(unnamed)}"
        missing = sorted(s.name for s in required(bench.can) - bench.double.situations)
        assert not missing, f"the double must produce {', '.join(missing)}"
        for operation in set(GOOD) - bench.can.operations:
            outcome = bench.ask_directly(operation, GOOD[bench.operations[0]])
            assert isinstance(outcome.error, Unsupported), f"{operation} is not declared"
            assert outcome.requests == 0
