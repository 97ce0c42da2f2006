"""What a run remembers of each pair and contender: how far it has come, and what was answered."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import attrs

from facematch_core.models import CallRecord, Charged, Decision, Environment

#: A record of a call that is missing after this time will not come any more.
SURELY_LATE: Final = timedelta(minutes=15)


class PairState(enum.StrEnum):
    """How far one pair has come with one contender."""

    #: Nobody has it; it may be asked.
    FREE = "free"
    #: A process has it. Nothing was sent.
    CLAIMED = "claimed"
    #: A process has it, and the first byte may have left.
    ASKED = "asked"
    #: The contender said something of it, or refuses its pictures.
    ANSWERED = "answered"
    #: It failed, was certainly not charged, and is asked again by the next start.
    FAILED = "failed"
    #: It may have been charged, and nothing tells. Never asked again by itself.
    UNKNOWN = "unknown"
    #: It was charged, and there is no answer. Never asked again.
    LOST = "lost"


@attrs.frozen(kw_only=True)
class Claim:
    """One pair that whoever has this may ask one contender about.

    Attributes:
        contender: Its number in the journal.
        pair: Place of the pair in the study, from 0.
        token: Of this claim alone. A process that lost a pair and claimed it again has two claims,
            of which the first is worth nothing.
    """

    contender: int
    pair: int
    token: str


@attrs.frozen(kw_only=True)
class Outcome:
    """What became of one pair. No picture, no name of a file or of a person.

    Attributes:
        state: Where it stands.
        billed: Whether it was charged, as far as is known.
        decision: At the threshold of the run; None without a result.
        score: 0-100 on `scale`; None if none was given.
        scale: Of the score.
        elapsed_s: What the call took, in seconds; None if that is not known.
        environment: Where the answer came from; None if nothing tells.
        backend, model: As the result says.
        error: Class name of the error; None for a result.
        attempt_id: Of the call; None if none was made.
    """

    state: PairState
    billed: Charged
    decision: Decision | None = None
    score: float | None = None
    scale: str | None = None
    elapsed_s: float | None = None
    environment: Environment | None = None
    backend: str | None = None
    model: str | None = None
    error: str | None = None
    attempt_id: str | None = None


@attrs.frozen(kw_only=True)
class Left:
    """A pair whose call has no answer, and may have been charged or was.

    Attributes:
        contender: Its number in the journal.
        name: Its name.
        pair: Place of the pair in the study, from 0.
        state: `UNKNOWN`, or `LOST`.
        attempt: The call; None if it was not written down.
        error: Class name of the error that it ended in; None if its process is gone.
        since: When it was asked, UTC.
        looked_at: When it was last looked for in the vendor's records in vain, UTC; None if never.
    """

    contender: int
    name: str
    pair: int
    state: PairState
    attempt: CallRecord | None
    error: str | None
    since: datetime
    looked_at: datetime | None = None

    def is_due(self, now: datetime) -> bool:
        """Whether to look for it without being told: at once, and once more when it is late.

        To look for a call that was never made means to look through the records of a whole day.
        """
        if self.attempt is None or not self.attempt.kept:
            return False
        if self.looked_at is None:
            return True
        return self.looked_at - self.since < SURELY_LATE <= now - self.since


@attrs.frozen(kw_only=True)
class Standing:
    """How one contender stands in one study.

    Attributes:
        states: How many pairs are in each state; a state without a pair is not there.
        not_acquired: Of those that are answered: those in which no two faces could be compared.
        charged: Pairs that were charged.
        maybe_charged: Pairs that may have been.
    """

    states: Mapping[PairState, int]
    not_acquired: int
    charged: int
    maybe_charged: int

    @property
    def pairs(self) -> int:
        """All of them."""
        return sum(self.states.values())

    @property
    def left(self) -> int:
        """Pairs that a start would ask: free ones, and those that failed without a charge."""
        return self.states.get(PairState.FREE, 0) + self.states.get(PairState.FAILED, 0)


@attrs.frozen(kw_only=True)
class StoredStudy:
    """A study as the journal has it: who is alike, without pictures and names.

    Attributes:
        digest: SHA-256 of its pictures, pairs and groups, in hex.
        name: What it was called when it was first run.
        pairs: How many there are.
        made_at: When it was first run, UTC.
        content: Who is alike and in which group, by numbers; see `_content`.
    """

    digest: str
    name: str
    pairs: int
    made_at: datetime
    content: Mapping[str, Any] = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class StoredContender:
    """A contender as the journal has it.

    Attributes:
        number: Its own.
        study: Digest of the study.
        name: Of the backend or profile.
        settings: What it was asked with; see `Contender`.
        scale: Of its scores; None before the first.
        answered_from: Where its answers come from; None before the first.
        price: Of one comparison, in `currency`; None if nobody said.
        currency: Three letters; None without a price.
    """

    number: int
    study: str
    name: str
    settings: Mapping[str, Any]
    scale: str | None
    answered_from: Environment | None
    price: Decimal | None
    currency: str | None

    def reference(self, pair: int) -> str:
        """What a call that is kept carries, so that it is found quickly; of nobody's data."""
        return f"facematch-{self.study[:16]}-{pair}"
