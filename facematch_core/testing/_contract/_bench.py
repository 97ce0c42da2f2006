"""What every rule works with: one double, and calls whose traces are counted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import Any, NoReturn

import attrs
import pytest

from facematch_core import (
    FaceMatchError,
    FaceVerifier,
    Image,
    Operation,
    Threshold,
    ThresholdRule,
    ThresholdSource,
)
from facematch_core.backend import (
    Backend,
    Call,
    Capabilities,
    LivenessCall,
    MatchCall,
    Secret,
)
from facematch_core.events import CallEvent
from facematch_core.testing._double import VendorDouble
from facematch_core.testing._situations import (
    BEST,
    FAILURES,
    GOOD,
    OPERATION_OF,
    Situation,
)

from ._outcome import Outcome, Result

#: How the reason of a rule that did not run begins. `conformance` reads it.
NOT_TESTED, DOES_NOT_APPLY = "Not tested: ", "Does not apply: "


def not_tested(reason: str) -> NoReturn:
    """Leave a rule open: it could be tested with a double that can do more."""
    pytest.skip(NOT_TESTED + reason)


def does_not_apply(reason: str) -> NoReturn:
    """Leave a rule out: this backend declares, or its vendor knows, nothing that it speaks of."""
    pytest.skip(DOES_NOT_APPLY + reason)


#: A score in the middle of the scale, with more digits than a careless vendor keeps.
MIDDLE = 61.23

#: What every operation can meet, also one that is no question about one person.
_FOR_ALL = (*FAILURES, Situation.SLOW)

#: Seconds that a call may take in SLOW, whose double never answers by itself.
DEADLINE_S = 0.25


class Bench:
    """One double under test, with what was opened on it."""

    def __init__(self, double: VendorDouble) -> None:
        self.double = double
        self._opened: list[Backend | FaceVerifier] = []

    @cached_property
    def backend(self) -> Backend:
        """The backend under test, opened when it is first needed: some take their time."""
        return self.open_backend()

    @property
    def can(self) -> Capabilities:
        """What it declares."""
        return self.backend.capabilities

    def close(self) -> None:
        """Close whatever was opened."""
        for opened in reversed(self._opened):
            opened.close()

    def open_backend(self) -> Backend:
        """A further backend; closed at the end of the test."""
        backend = self.double.backend()
        self._opened.append(backend)
        return backend

    def open_verifier(self, **options: Any) -> FaceVerifier:
        """A verifier over a backend of its own; closed at the end of the test."""
        verifier = FaceVerifier(self.double.backend(), **options)
        self._opened.append(verifier)
        return verifier

    @property
    def operations(self) -> list[Operation]:
        """The declared operations that answer yes or no of a person, always in the same order."""
        return [operation for operation in GOOD if operation in self.can.operations]

    @property
    def declared(self) -> list[Operation]:
        """All of them."""
        return self.operations

    def secrets(self) -> list[tuple[str, str]]:
        """Name and text of every `Secret` among the backend's attributes."""
        backend = type(self.backend)
        # A frozen attrs class keeps its fields in slots, where vars() does not look.
        names = [field.name for field in attrs.fields(backend)] if attrs.has(backend) else []
        found = {name: getattr(self.backend, name, None) for name in names} | vars(self.backend)
        return [
            (name, value.reveal()) for name, value in found.items() if isinstance(value, Secret)
        ]

    def scale(self, operation: Operation) -> str | None:
        """The declared scale of the operation's scores."""
        return self.can.score_scale if operation is Operation.MATCH else self.can.liveness_scale

    def need(self, *situations: Situation) -> None:
        """Skip the rule, and say why, unless the double can produce all of `situations`."""
        missing = [s for s in situations if s not in self.double.situations]
        for situation in missing:
            if reason := self.double.absent.get(situation):
                does_not_apply(reason)
        if missing:
            names = " or ".join(situation.name for situation in missing)
            not_tested(f"{type(self.double).__name__} cannot produce {names}.")

    def operations_for(self, situation: Situation) -> list[Operation]:
        """The declared operations that can meet `situation`; skips if there is none."""
        meet = self._meet(situation)
        if not meet:
            only = OPERATION_OF.get(situation)
            does_not_apply(f"{self.backend.name} declares no {only} call.")
        self.need(situation)
        return meet

    def _meet(self, situation: Situation) -> list[Operation]:
        only = OPERATION_OF.get(situation)
        if only is not None:
            return [only] if only in self.can.operations else []
        # An answer about a person is one to a question about a person; failing is for all.
        return self.declared if situation in _FOR_ALL else self.operations

    def cases(self, situations: Iterable[Situation]) -> Iterator[tuple[Operation, Situation]]:
        """Those of `situations` that the double can produce, each with every operation it fits."""
        for situation in situations:
            if situation in self.double.situations:
                for operation in self._meet(situation):
                    yield operation, situation

    def ask(
        self,
        operation: Operation,
        situation: Situation,
        *,
        score: float | None = None,
        verifier: FaceVerifier | None = None,
        images: tuple[Image, Image] | None = None,
        **options: Any,
    ) -> Outcome:
        """Prepare the double and make one call, as an application would."""
        self.double.prepare(situation, score=score)
        _in_time(situation, options)
        events: list[CallEvent] = []
        verifier = verifier or FaceVerifier(self.backend, on_event=events.append)
        pictures = images or self.double.pictures_for(situation)
        outcome = self._counted(call(verifier, operation, pictures, options))
        return attrs.evolve(outcome, events=tuple(events))

    def ask_directly(
        self,
        operation: Operation,
        situation: Situation,
        *,
        score: float | None = None,
        threshold: float | None = None,
        **fields: Any,
    ) -> Outcome:
        """The same past the verifier, whose own rules would hide a fault of the backend."""
        self.double.prepare(situation, score=score)
        limits = self.can.image_limits
        probe, reference = (p.prepared(limits) for p in self.double.pictures_for(situation))
        _in_time(situation, fields)
        fields["threshold"] = self.threshold(operation, threshold)
        if operation is Operation.MATCH:
            fields["reference"] = reference
        ask, kind = _DIRECTLY[operation]
        made = kind(probe=probe, **fields)
        return self._counted(lambda: ask(self.backend, made))

    def threshold(self, operation: Operation, value: float | None) -> Threshold | None:
        """A threshold as the verifier hands it to the backend: the caller's, or the default."""
        if value is not None:
            return Threshold(value, self.can.threshold_rule, ThresholdSource.CALLER)
        default = self.can.default_for(operation)
        if default is None:
            return None
        return Threshold(default, self.can.threshold_rule, ThresholdSource.DEFAULT)

    def _counted(self, ask: Callable[[], Result]) -> Outcome:
        before = self.double.requests_seen, self.double.charges
        result, error = None, None
        try:
            result = ask()
        except FaceMatchError as raised:
            error = raised
        return Outcome(
            result=result,
            error=error,
            requests=self.double.requests_seen - before[0],
            charges=self.double.charges - before[1],
        )

    def scored(self, operation: Operation) -> tuple[Situation, float | None, float]:
        """A situation whose score is known, to put thresholds beside it.

        Returns:
            The situation, what to `prepare` it with, and the score, 0-100.
        """
        if Situation.SCORE in self.double.situations:
            return Situation.SCORE, MIDDLE, MIDDLE
        situation = BEST[operation]
        score = self.ask(operation, situation).answer.score
        assert score is not None, f"{operation}: a pass carries no score, but a scale is declared"
        assert 1 <= score.value <= 99, (
            f"{situation.name} scores {score.value}, too near the end of the scale to put a "
            "threshold on either side: let the double take other pictures"
        )
        return situation, None, score.value

    def edges(self) -> list[Operation]:
        """The operations whose threshold has an edge that can be known; skips if there is none."""
        if self.can.threshold_rule is ThresholdRule.VENDOR:
            does_not_apply(f"{self.backend.name} leaves the threshold rule to its vendor.")
        scaled = [operation for operation in self.operations if self.scale(operation)]
        if not scaled:
            does_not_apply(f"{self.backend.name} declares no scale of scores.")
        return scaled


def _in_time(situation: Situation, options: dict[str, Any]) -> None:
    if situation is Situation.SLOW:
        options.setdefault("deadline_s", DEADLINE_S)


def call(
    verifier: FaceVerifier,
    operation: Operation,
    pictures: tuple[Image, Image],
    options: dict[str, Any],
) -> Callable[[], Result]:
    """One call as an application makes it, not yet made."""
    ask = _BY_VERIFIER[operation]
    given = pictures if operation is Operation.MATCH else pictures[:1]
    return lambda: ask(verifier, *given, **options)


_BY_VERIFIER: dict[Operation, Callable[..., Any]] = {
    Operation.MATCH: FaceVerifier.verify,
    Operation.LIVENESS: FaceVerifier.check_liveness,
}

_DIRECTLY: dict[Operation, tuple[Callable[[Backend, Any], Any], type[Call]]] = {
    Operation.MATCH: (lambda backend, made: backend.match(made), MatchCall),
    Operation.LIVENESS: (lambda backend, made: backend.check_liveness(made), LivenessCall),
}
