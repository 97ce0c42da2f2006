"""Numbers with what is needed to trust them: a rate and its interval."""

from __future__ import annotations

import enum

import attrs


class Method(enum.StrEnum):
    """How an interval was made."""

    #: Clopper and Pearson's, for independent pairs.
    EXACT = "exact"
    #: From the variation between people: pairs that share a person are not independent.
    CLUSTERED = "clustered"
    #: The wider, careful way for few errors or few people.
    CONSERVATIVE = "conservative"


@attrs.frozen(kw_only=True)
class Interval:
    """Where a true value lies, unless the study was unlucky.

    Attributes:
        low, high: Its ends, both included.
        confidence: How often such an interval holds the true value: 0-1, for example 0.95.
        method: How it was made.
        effective: How many independent pairs would tell as much about a rate; None for a
            difference.
        freedom: Degrees of freedom of the variance that tells it; None if it was not estimated.
        sure_freedom: The same, fewer where a few people bring most of the errors: for bounds, which
            are one-sided and stay on the careful side.
        care: How far the ends lie from those that are right on the average towards those that are
            never wrong, 0-1.
    """

    low: float
    high: float
    confidence: float
    method: Method
    effective: float | None = None
    freedom: float | None = None
    sure_freedom: float | None = None
    care: float = 1


@attrs.frozen(kw_only=True)
class Rate:
    """How often something went wrong.

    Attributes:
        errors: How often it did.
        trials: How often it could have.
        subjects: How many people stand behind the trials; None if that is not known.
        interval: For the true rate; None without a trial, and for what is only counted.
    """

    errors: int
    trials: int
    subjects: int | None = None
    interval: Interval | None = None

    @property
    def value(self) -> float | None:
        """`errors` / `trials`, 0-1; None without a trial."""
        return self.errors / self.trials if self.trials else None
