"""A verdict, as data."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any

import attrs

from facematch_core.comparison.metrics import Rate

from ._profile import GateProfile


class Outcome(enum.StrEnum):
    """What a study shows of a requirement."""

    #: It is met: a bound on the right side proves it.
    PASS = "pass"  # noqa: S105 - no password
    #: It is not met: a bound on the wrong side proves it.
    FAIL = "fail"
    #: Neither: the study is too small, or the rates too close to the limits.
    INCONCLUSIVE = "inconclusive"


@attrs.frozen(kw_only=True)
class RateVerdict:
    """One rate beside its limit.

    Attributes:
        name: ``fmr``, or ``frr``: the FNMR with failures to acquire among the errors, which is what
            a profile's `max_fnmr` limits.
        limit: What it may be at most, 0-1.
        rate: What was seen.
        low, high: What the true rate lies above, and below, each with the confidence of the
            profile; None without a trial.
        outcome: Whether `high` is within the limit, `low` beyond it, or neither.
        more: How many more comparisons of this kind the study would need to pass, if the rate
            stays as it is and the people are new; None if it needs none, or if no number would do
            because the rate itself is beyond the limit.
    """

    name: str
    limit: float
    rate: Rate
    low: float | None
    high: float | None
    outcome: Outcome
    more: int | None


@attrs.frozen(kw_only=True)
class ContenderVerdict:
    """What the study shows of one contender.

    Attributes:
        contender: Its name.
        outcome: PASS if both rates are within their limits at one threshold that was not chosen on
            the pairs it is judged on; FAIL if one is beyond, and no other threshold would do.
        threshold: The one that is judged; None for the vendor's own, or if there is none.
        chosen_on: As in `OperatingPoint`; None if there is no threshold to judge.
        rates: FMR and FRR; empty if there is no threshold to judge.
        more: More comparisons of both kinds; None if none are needed or no number would do.
        cost: What they cost, in `currency`; None if that is not known.
        currency: Three letters, or None.
        leans_to_fail: Whether it is inconclusive with a rate that itself is not below the limit.
        sentence: All this in words.
    """

    contender: str
    outcome: Outcome
    threshold: float | None
    chosen_on: str | None
    rates: tuple[RateVerdict, ...]
    more: int | None
    cost: float | None
    currency: str | None
    leans_to_fail: bool
    sentence: str


@attrs.frozen(kw_only=True)
class Verdict:
    """What the study shows of all contenders that were asked for.

    Attributes:
        outcome: PASS if every one passes, FAIL if one fails, else INCONCLUSIVE.
        profile: What they were held against.
        contenders: Each, in the order of the comparison.
    """

    outcome: Outcome
    profile: GateProfile
    contenders: tuple[ContenderVerdict, ...]

    def to_dict(self) -> Mapping[str, Any]:
        """As JSON knows it (``"schema": 0``)."""
        from facematch_core.comparison._json import SCHEMA, written

        return {"schema": SCHEMA, "kind": "verdict", **written(self)}
