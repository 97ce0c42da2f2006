"""What every rule works with: one simulator, and calls whose traces are counted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import Any, NoReturn

import attrs
import pytest

from facematch_core import (
    CallEvent,
    Charged,
    Decision,
    EventKind,
    FaceMatchError,
    FaceVerifier,
    Image,
    LivenessDecision,
    LivenessResult,
    MatchResult,
    Operation,
    Retention,
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
    OutOfTime,
    Secret,
    run_within,
)

from .report import DOES_NOT_APPLY, NOT_TESTED
from .simulator import FAILURES, GOOD, OPERATION_OF, STALLS, Situation, VendorSimulator

Result = MatchResult | LivenessResult

#: The decision that lets somebody in, and the others, per operation.
PASS = {Operation.MATCH: Decision.MATCH, Operation.LIVENESS: LivenessDecision.LIVE}
FAIL = {Operation.MATCH: Decision.NO_MATCH, Operation.LIVENESS: LivenessDecision.NOT_LIVE}
REVIEW = {Operation.MATCH: Decision.REVIEW, Operation.LIVENESS: LivenessDecision.REVIEW}
INCONCLUSIVE = {
    Operation.MATCH: Decision.INCONCLUSIVE,
    Operation.LIVENESS: LivenessDecision.INCONCLUSIVE,
}

#: A score in the middle of the scale, with more digits than a careless vendor keeps.
MIDDLE = 61.23

#: Seconds that a call may take where the vendor's answer has no end.
DEADLINE_S = 0.25

#: Seconds after which any other call is given up: no run of the kit waits for ever.
ENDS_S = 20.0


def not_tested(reason: str) -> NoReturn:
    """Leave a rule open: it could be tested with a simulator that can do more."""
    pytest.skip(NOT_TESTED + reason)


def does_not_apply(reason: str) -> NoReturn:
    """Leave a rule out: this backend declares, or its vendor knows, nothing that it speaks of."""
    pytest.skip(DOES_NOT_APPLY + reason)


@attrs.frozen(kw_only=True)
class Outcome:
    """What one call gave, and what the vendor saw of it.

    Attributes:
        result, error: One of the two; the other is None.
        requests, charges: By how much the simulator's counters rose.
        events: What the verifier reported to its hook.
    """

    result: Result | None
    error: FaceMatchError | None
    requests: int
    charges: int
    events: tuple[CallEvent, ...] = ()

    @property
    def told(self) -> str:
        """Whichever of the two it is, for messages."""
        return repr(self.error if self.result is None else self.result)

    @property
    def answer(self) -> Result:
        """The result; the error is raised if there is none."""
        found: Result = answer_of(self.result, self.error)
        return found


def answer_of(result: Any, error: FaceMatchError | None) -> Any:
    """The result of a call; its error is raised if there is none."""
    if result is None:
        assert error is not None
        raise error
    return result


class Bench:
    """One simulator under test, with what was opened on it."""

    def __init__(self, simulator: VendorSimulator) -> None:
        self.simulator = simulator
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
        backend = self.simulator.backend()
        self._opened.append(backend)
        return backend

    def open_verifier(self, **options: Any) -> FaceVerifier:
        """A verifier over a backend of its own; closed at the end of the test."""
        verifier = FaceVerifier(self.simulator.backend(), **options)
        self._opened.append(verifier)
        return verifier

    # What is declared.

    @property
    def operations(self) -> list[Operation]:
        """The declared operations, always in the same order."""
        return [operation for operation in GOOD if operation in self.can.operations]

    def scale(self, operation: Operation) -> str | None:
        """The declared scale of the operation's scores."""
        return self.can.score_scale if operation is Operation.MATCH else self.can.liveness_scale

    def secrets(self) -> list[tuple[str, str]]:
        """Name and text of every `Secret` among the backend's attributes."""
        backend = type(self.backend)
        # A frozen attrs class keeps its fields in slots, where vars() does not look.
        names = [field.name for field in attrs.fields(backend)] if attrs.has(backend) else []
        found = {name: getattr(self.backend, name, None) for name in names} | vars(self.backend)
        return [
            (name, value.reveal()) for name, value in found.items() if isinstance(value, Secret)
        ]

    def threshold(self, operation: Operation, value: float | None) -> Threshold | None:
        """A threshold as the verifier hands it to the backend: the caller's, or the default."""
        source = ThresholdSource.DEFAULT if value is None else ThresholdSource.CALLER
        value = self.can.default_for(operation) if value is None else value
        return None if value is None else Threshold(value, self.can.threshold_rule, source)

    def paid_if_unreadable(self, operation: Operation, charges: int = 1) -> tuple[Charged, ...]:
        """What an answer 200 that cannot be read may be said to have cost.

        Args:
            operation: Of the call.
            charges: What the vendor counted: a request of a call may be free.
        """
        free = operation not in self.can.billed_operations or not charges
        return (Charged.YES, Charged.NO) if free else (Charged.YES,)

    def wishes(self) -> Iterator[dict[str, Any]]:
        """What a caller may ask for besides, of what is declared, one thing at a time."""
        if self.can.rotate:
            yield {"rotate": True}
        if Retention.KEEP in self.can.retention:
            yield {"retention": Retention.KEEP}
        if self.can.options is not None:
            simulator, declared = self.simulator, self.can.options
            for options in (simulator.options(declared), *simulator.other_options(declared)):
                yield {"options": options}

    # What can be tested.

    def need(self, *situations: Situation) -> None:
        """Skip the rule, and say why, unless the simulator can produce all of `situations`."""
        missing = [s for s in situations if s not in self.simulator.situations]
        for situation in missing:
            if reason := self.simulator.cannot_happen.get(situation):
                does_not_apply(reason)
        if missing:
            names = " or ".join(situation.name for situation in missing)
            not_tested(f"{type(self.simulator).__name__} cannot produce {names}.")

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
        return [one for one in self.operations if only in (None, one)]

    def cases(self, situations: Iterable[Situation]) -> Iterator[tuple[Operation, Situation]]:
        """Those of `situations` that can be produced, with every operation that each fits."""
        for situation in situations:
            if situation in self.simulator.situations:
                for operation in self._meet(situation):
                    yield operation, situation

    def edges(self) -> list[Operation]:
        """The operations whose threshold has an edge that can be known; skips if there is none."""
        if self.can.threshold_rule is ThresholdRule.VENDOR:
            does_not_apply(f"{self.backend.name} leaves the threshold rule to its vendor.")
        scaled = [operation for operation in self.operations if self.scale(operation)]
        if not scaled:
            does_not_apply(f"{self.backend.name} declares no scale of scores.")
        return scaled

    def scored(self, operation: Operation) -> tuple[Situation, float | None, float]:
        """A situation whose score is known, to put thresholds beside it.

        Returns:
            The situation, what to set it with, and the score, 0-100.
        """
        if Situation.SCORE in self.simulator.situations:
            return Situation.SCORE, MIDDLE, MIDDLE
        situation = GOOD[operation]
        score = self.ask(operation, situation).answer.score
        assert score is not None, f"{operation}: a pass carries no score, but a scale is declared"
        assert 1 <= score.value <= 99, (
            f"{situation.name} scores {score.value}, too near the end of the scale to put a "
            "threshold on either side: let the simulator take other pictures"
        )
        return situation, None, score.value

    def steps(self, operation: Operation) -> int:
        """How many requests one call needs."""
        steps = self.simulator.steps
        return steps if isinstance(steps, int) else steps[operation]

    def each_step(self, operation: Operation, situation: Situation) -> list[int | None]:
        """The steps of a call that `situation` can meet; None alone for the whole of it."""
        several = range(1, self.steps(operation) + 1)
        if len(several) == 1 or situation is Situation.UNREACHABLE:
            return [None]
        if situation is Situation.BAD_KEY:
            return [None, *several[1:]]
        return [*several] if situation in (*FAILURES, *STALLS) else [None]

    # Calls.

    def ask(
        self,
        operation: Operation,
        situation: Situation,
        *,
        score: float | None = None,
        step: int | None = None,
        verifier: FaceVerifier | None = None,
        images: tuple[Image, Image] | None = None,
        **options: Any,
    ) -> Outcome:
        """Set the situation and make one call, as an application would."""
        self.prepare(situation, score, step)
        if situation in STALLS:
            options.setdefault("deadline_s", DEADLINE_S)
        events: list[CallEvent] = []
        verifier = verifier or FaceVerifier(self.backend, on_event=events.append)
        pictures = images or self.simulator.pictures_for(situation)
        outcome = self._counted(application_call(verifier, operation, pictures, options))
        return attrs.evolve(outcome, events=tuple(events))

    def ask_directly(
        self,
        operation: Operation,
        situation: Situation,
        *,
        score: float | None = None,
        step: int | None = None,
        **fields: Any,
    ) -> Outcome:
        """The same past the verifier, whose own rules would hide a fault of the backend."""
        self.prepare(situation, score, step)
        if situation in STALLS:
            fields.setdefault("deadline_s", DEADLINE_S)
        return self.made(self.call(operation, situation, **fields))

    def call(
        self,
        operation: Operation,
        situation: Situation,
        *,
        threshold: float | None = None,
        **fields: Any,
    ) -> Call:
        """A call as the verifier would hand it over, with the pictures of `situation`."""
        limits = self.can.image_limits
        probe, reference = (p.prepared(limits) for p in self.simulator.pictures_for(situation))
        fields |= {"probe": probe, "threshold": self.threshold(operation, threshold)}
        if operation is Operation.MATCH:
            return MatchCall(reference=reference, **fields)
        return LivenessCall(**fields)

    def made(self, call: Call) -> Outcome:
        """The outcome of a call in the situation that is set."""
        backend = self.backend
        if isinstance(call, MatchCall):
            return self._counted(lambda: backend.match(call))
        assert isinstance(call, LivenessCall)
        return self._counted(lambda: backend.check_liveness(call))

    def prepare(
        self, situation: Situation, score: float | None = None, step: int | None = None
    ) -> None:
        """Set the situation; a step only where there are several."""
        aim = {} if step is None else {"step": step}
        self.simulator.set_situation(situation, score=score, **aim)

    def _counted(self, ask: Callable[[], Result]) -> Outcome:
        before = self.simulator.requests_seen, self.simulator.charges
        result, error = None, None
        try:
            result = run_within(ENDS_S, lambda _: ask(), lambda: None)
        except OutOfTime:
            raise AssertionError(
                f"a call without a deadline did not end in {ENDS_S:.0f} s: does it try again, "
                "or ask until another answer comes?"
            ) from None
        except FaceMatchError as raised:
            error = raised
        return Outcome(
            result=result,
            error=error,
            requests=self.simulator.requests_seen - before[0],
            charges=self.simulator.charges - before[1],
        )


def application_call(
    verifier: FaceVerifier,
    operation: Operation,
    pictures: tuple[Image, Image],
    options: dict[str, Any],
) -> Callable[[], Result]:
    """One call as an application makes it, not yet made."""
    if operation is Operation.MATCH:
        return lambda: verifier.verify(*pictures, **options)
    return lambda: verifier.check_liveness(pictures[0], **options)


class Script:
    """The event hook of a verifier: sets the next situation as each call begins.

    For calls made one after another: between two of them nothing is under way.
    """

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._left: Iterator[Situation] = iter(())
        self._problem: Exception | None = None

    def play(self, situations: Iterable[Situation]) -> None:
        """Begin anew with `situations`, one per call; SCORE is the middle of the scale."""
        self._left = iter(situations)

    def __call__(self, event: CallEvent) -> None:
        if event.kind is not EventKind.STARTED:
            return
        try:
            situation = next(self._left)
            self._bench.prepare(situation, MIDDLE if situation is Situation.SCORE else None)
        except Exception as error:  # noqa: BLE001 - a verifier logs it and goes on: kept for `check`
            self._problem = error

    def check(self) -> None:
        """Raise what kept the situation from being set."""
        if self._problem is not None:
            raise self._problem
