"""What one call gave, and the words for it."""

from __future__ import annotations

from typing import Any

import attrs

from facematch_core import (
    CallEvent,
    Decision,
    FaceMatchError,
    LivenessDecision,
    LivenessResult,
    MatchResult,
    Operation,
)

Result = MatchResult | LivenessResult

#: The decision that lets somebody in, and the one that does not, per operation.
PASS = {Operation.MATCH: Decision.MATCH, Operation.LIVENESS: LivenessDecision.LIVE}
FAIL = {Operation.MATCH: Decision.NO_MATCH, Operation.LIVENESS: LivenessDecision.NOT_LIVE}
REVIEW = {
    Operation.MATCH: Decision.REVIEW,
    Operation.LIVENESS: LivenessDecision.REVIEW,
}
INCONCLUSIVE = {
    Operation.MATCH: Decision.INCONCLUSIVE,
    Operation.LIVENESS: LivenessDecision.INCONCLUSIVE,
}

#: What a score on either side of the threshold may become, per operation that has one.
ABOVE: dict[Operation, set[Any]] = {
    Operation.MATCH: {Decision.MATCH},
    Operation.LIVENESS: {LivenessDecision.LIVE},
}
BELOW: dict[Operation, set[Any]] = {
    Operation.MATCH: {Decision.NO_MATCH, Decision.REVIEW},
    Operation.LIVENESS: {LivenessDecision.NOT_LIVE, LivenessDecision.REVIEW},
}


@attrs.frozen(kw_only=True)
class Outcome:
    """What one call gave, and what the vendor saw of it.

    Attributes:
        result, error: One of the two; the other is None.
        requests, charges: By how much the double's counters rose.
        events: What the verifier told its hook.
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
        if self.result is None:
            assert self.error is not None
            raise self.error
        return self.result
