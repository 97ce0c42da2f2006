"""That all answers of a contender are on one scale and from one place: else they do not compare."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from facematch_core.errors import UnexpectedResponse
from facematch_core.models import Billing, Charged, Ids

from ._records import Outcome, PairState, StoredContender

if TYPE_CHECKING:
    from ._journal import Journal

#: What becomes of a pair whose answer cannot stand beside the others.
_STATES: Final = {
    Charged.YES: PairState.LOST,
    Charged.UNKNOWN: PairState.UNKNOWN,
    Charged.NO: PairState.FREE,
}


class Origin:
    """What the first answer of a contender said, whichever process had it.

    Args:
        journal: Where it stands.
        contender: Whose.
    """

    def __init__(self, journal: Journal, contender: StoredContender) -> None:
        self._journal = journal
        self._number, self._name = contender.number, contender.name
        self._scale, self._from = contender.scale, contender.answered_from

    @property
    def is_known(self) -> bool:
        """Whether there was an answer."""
        return self._from is not None

    def checked(self, outcome: Outcome) -> tuple[Outcome, UnexpectedResponse | None]:
        """An answer that fits as it is, with None; else what is kept of it, and the reason."""
        if outcome.decision is None:
            return outcome, None
        new = (outcome.scale is not None and self._scale is None) or self._from is None
        if new:
            self._scale, self._from = self._journal.fix_origin(
                self._number, outcome.scale, outcome.environment
            )
        if outcome.scale not in (None, self._scale):
            what = f"a score on the scale {outcome.scale}, and before on {self._scale}"
        elif outcome.environment is not self._from:
            what = f"from {outcome.environment}, and before from {self._from}"
        else:
            return outcome, None
        error = UnexpectedResponse(
            f"{self._name} answered {what}: such answers do not belong together. Was the model, an "
            "address or a setting changed? Ask it under another name, or in another store.",
            billing=Billing(outcome.billed),
            ids=Ids(call=outcome.attempt_id),
        )
        kept = Outcome(
            state=_STATES[outcome.billed],
            billed=outcome.billed,
            environment=outcome.environment,
            error=type(error).__name__,
            attempt_id=outcome.attempt_id,
        )
        return kept, error
