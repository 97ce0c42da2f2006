"""How the answers of one system change over time: "the answers moved", not "it got worse".

Without labels, a change of the people and a change of the vendor look alike. So each period is
compared with the first one that has enough results, and only said to differ or not.

Every question is about a share: of accepted calls, of inconclusive ones, or of errors. The p-value
of its difference allows for people with several calls, perhaps in both periods (sums by person);
with few calls of a kind the exact test of R. A. Fisher counts if it is higher. All p-values are
corrected by Holm's method.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Mapping
from typing import Any, Final

import attrs
import numpy as np
import pandas as pd
from pandas import DataFrame, Series
from scipy.special import betaln, chdtrc

from facematch_comparison.stats import holm
from facematch_comparison.stats.rates import Bools, Ints
from facematch_comparison.values.model import Share
from facematch_core._version import __version__
from facematch_core.call_log import UNFINISHED
from facematch_core.documents import written

from .calls import (
    Selection,
    accepts,
    choose_system,
    count_practice,
    count_values,
    digest_of,
    people_of,
    select,
    share_of,
)

#: Version of the JSON form, as of a report's: minor releases may change it until 1.0.
SCHEMA: Final = 0
#: The quantiles of scores in the JSON form.
QUANTILES: Final = (0.1, 0.5, 0.9)
#: A period with fewer results is shown, and not compared.
FEWEST_CALLS: Final = 30


class Span(enum.StrEnum):
    """The length of a period."""

    #: From Monday to Sunday, UTC.
    WEEK = "week"
    #: A calendar month, UTC.
    MONTH = "month"


@attrs.frozen(kw_only=True)
class Change:
    """A difference between a period and the first comparable one.

    Attributes:
        of: ``accepted``, ``inconclusive`` or ``errors``.
        first, now: The shares in both periods, 0-1.
        p_value, p_adjusted: Before and after Holm's correction for all questions.
        is_real: Whether `p_adjusted` is below 1 - confidence.
    """

    of: str
    first: float
    now: float
    p_value: float
    p_adjusted: float = 1.0
    is_real: bool = False


@attrs.frozen(kw_only=True)
class Period:
    """The calls of one week or month.

    Attributes:
        name: The first day of the week, or the month.
        calls, people: Number of calls and of people.
        accepted, inconclusive: The shares of results.
        errors: The share of calls without a result.
        decisions, error_classes, warnings, models, thresholds: Counts.
        quantiles: Quantiles of the scores, by quantile, without a comparison; empty without scores.
        half_within_s: The median duration of calls with a result; None without one.
        changes: The differences from the first comparable period; empty for that one, and for
            periods with few results.
    """

    name: str
    calls: int
    people: int
    accepted: Share
    inconclusive: Share
    errors: Share
    decisions: Mapping[str, int]
    error_classes: Mapping[str, int]
    warnings: Mapping[str, int]
    models: Mapping[str, int]
    thresholds: Mapping[str, int]
    quantiles: Mapping[str, float]
    half_within_s: float | None
    changes: tuple[Change, ...] = ()

    @property
    def is_comparable(self) -> bool:
        """Whether the period has enough results to be compared."""
        return self.accepted.of >= FEWEST_CALLS


@attrs.frozen(kw_only=True)
class Drift:
    """One system over time.

    Attributes:
        log, digest: The name of the log, and the SHA-256 of the selected rows.
        selection: The part of the log.
        system: The system.
        span: The length of a period.
        review_is_accepted: Whether REVIEW counts as accepted.
        confidence: The level of every interval.
        scale: The scale of the scores; None if there are none, or several scales.
        practice_answers: Answers from a mock or a sandbox.
        questions: Number of comparisons for which p-values are corrected.
    """

    log: str
    digest: str
    selection: Selection
    system: str
    span: Span
    review_is_accepted: bool
    confidence: float
    made_at: dt.datetime
    scale: str | None
    practice_answers: int
    questions: int
    periods: tuple[Period, ...]
    headline: str = ""
    caveats: tuple[str, ...] = ()
    version: str = __version__

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"schema": SCHEMA, "kind": "drift", **written(self)}


def measure_drift(
    table: DataFrame,
    selection: Selection,
    *,
    log: str,
    made_at: dt.datetime,
    system: str | None = None,
    span: Span = Span.WEEK,
    review_is_accepted: bool = False,
    confidence: float = 0.95,
) -> Drift:
    """Compare the periods of one system with its first comparable one.

    Raises:
        InvalidRequest: there is no call, or the system must be named.
    """
    selected = select(table, selection)
    # A call that was not made, or whose answer our process did not live to see, says nothing.
    is_made = selected["not_asked"].isna() & (selected["error"] != UNFINISHED)
    asked_calls = selected[is_made]
    system = choose_system(asked_calls["system"], system, "--system")
    rows = asked_calls[asked_calls["system"] == system].reset_index(drop=True)
    persons = people_of(rows)
    is_accepted = accepts(
        rows["decision"], selection.operation, review_is_accepted=review_is_accepted
    )
    scales = count_values(rows["scale"])
    scale = next(iter(scales)) if len(scales) == 1 else None
    slices: list[_Slice] = []
    for name, indices in rows.groupby(_period_names(rows["at"], span)).indices.items():
        period_rows = rows.iloc[indices]
        slices.append(
            _Slice(
                name=str(name),
                rows=period_rows,
                persons=persons[indices],
                is_accepted=is_accepted[indices],
            )
        )
    periods = [each.summary(confidence, has_one_scale=scale is not None) for each in slices]
    periods, questions = _with_changes(periods, slices, 1 - confidence)
    return Drift(
        log=log,
        digest=digest_of(rows),
        selection=selection,
        system=system,
        span=span,
        review_is_accepted=review_is_accepted,
        confidence=confidence,
        made_at=made_at,
        scale=scale,
        practice_answers=count_practice(rows),
        questions=questions,
        periods=tuple(periods),
    )


def _period_names(times: Series, span: Span) -> Series:
    """Return the period of each time: its Monday, or its month."""
    if span is Span.MONTH:
        return times.dt.strftime("%Y-%m")
    mondays = times.dt.normalize() - pd.to_timedelta(times.dt.day_of_week, unit="D")
    return mondays.dt.strftime("%Y-%m-%d")


@attrs.frozen
class _Marks:
    """Which of some calls count, and whose calls they are: arrays of (N,)."""

    counted: Bools
    persons: Ints

    def share(self, confidence: float) -> Share:
        return share_of(self.counted, self.persons, confidence)

    @property
    def mean(self) -> float:
        """The share of the calls that count, 0-1."""
        return float(self.counted.mean())


@attrs.frozen(kw_only=True)
class _Slice:
    """The calls of a period, as arrays of (N,).

    Attributes:
        persons: The number of each call's person, the same in all periods.
        is_accepted: Whether each call is accepted; False for an error.
    """

    name: str
    rows: DataFrame
    persons: Ints
    is_accepted: Bools

    @property
    def has_result(self) -> Bools:
        has_decision: Bools = self.rows["decision"].notna().to_numpy(dtype=bool)
        return has_decision

    def marks(self) -> dict[str, _Marks]:
        """Return the accepted and the inconclusive among the results, and the errors of all."""
        results = self.has_result
        inconclusive: Bools = (self.rows["decision"] == "inconclusive").to_numpy(dtype=bool)
        return {
            "accepted": _Marks(self.is_accepted[results], self.persons[results]),
            "inconclusive": _Marks(inconclusive[results], self.persons[results]),
            "errors": _Marks(~results, self.persons),
        }

    def summary(self, confidence: float, *, has_one_scale: bool) -> Period:
        """Return the facts of the period; its `changes` stay empty, for `_with_changes` to fill.

        Without `has_one_scale`, for all periods together, quantiles of scores would mix scales.
        """
        rows = self.rows
        shares = {name: marks.share(confidence) for name, marks in self.marks().items()}
        half_within_s = None
        if self.has_result.any():
            half_within_s = float(rows.loc[self.has_result, "elapsed_s"].median())
        # A call has several warnings in one text.
        warnings = rows["warnings"].str.split().explode()
        return Period(
            name=self.name,
            calls=len(rows),
            people=len(np.unique(self.persons)),
            accepted=shares["accepted"],
            inconclusive=shares["inconclusive"],
            errors=shares["errors"],
            decisions=count_values(rows["decision"]),
            error_classes=count_values(rows["error"]),
            warnings=count_values(warnings),
            models=count_values(rows["model"]),
            thresholds=count_values(rows["threshold"]),
            quantiles=self._quantiles() if has_one_scale else {},
            half_within_s=half_within_s,
        )

    def _quantiles(self) -> dict[str, float]:
        """Return the quantiles of the scores, by the text of the quantile (``0.5``)."""
        scores = self.rows["score"].dropna()
        if scores.empty:
            return {}
        return {f"{quantile:g}": float(scores.quantile(quantile)) for quantile in QUANTILES}


def _with_changes(
    periods: list[Period], slices: list[_Slice], level: float
) -> tuple[list[Period], int]:
    """Return the periods with their changes, and the number of comparisons."""
    first_index = next(
        (number for number, period in enumerate(periods) if period.is_comparable), None
    )
    if first_index is None:
        return periods, 0
    changes: dict[int, list[Change]] = {}
    for number in range(first_index + 1, len(periods)):
        if periods[number].is_comparable:
            changes[number] = _changes_between(slices[first_index], slices[number])
    flat = [change for of_period in changes.values() for change in of_period]
    adjusted = iter(holm([change.p_value for change in flat]))
    changed = list(periods)
    for number, of_period in changes.items():
        # The p-values of later periods stay in `adjusted`.
        corrected = [
            attrs.evolve(change, p_adjusted=p_adjusted, is_real=p_adjusted < level)
            for change, p_adjusted in zip(of_period, adjusted, strict=False)
        ]
        changed[number] = attrs.evolve(periods[number], changes=tuple(corrected))
    return changed, len(flat)


def _changes_between(first: _Slice, now: _Slice) -> list[Change]:
    """Return the changes from the first comparable period to another, with uncorrected p-values."""
    changes = []
    first_marks = first.marks()
    for aspect, marks in now.marks().items():
        before = first_marks[aspect]
        p_value = _p_value(before, marks)
        changes.append(Change(of=aspect, first=before.mean, now=marks.mean, p_value=p_value))
    return changes


def fisher_exact(before: Bools, after: Bools) -> float:
    """Return the p-value of Fisher's exact test, two-sided, that two shares are equal.

    As `scipy.stats.fisher_exact`, whose module takes half a second and 46 MB to import.
    """
    seen = int(before.sum())
    total = seen + int(after.sum())
    counts = np.arange(max(0, total - len(after)), min(total, len(before)) + 1)
    # Logarithms of the probabilities, but for a common term.
    weights = -betaln(counts + 1, len(before) - counts + 1)
    weights -= betaln(total - counts + 1, len(after) - total + counts + 1)
    shares = np.exp(weights - weights.max())
    is_as_extreme = shares <= shares[counts == seen] * (1 + 1e-7)
    return float(shares[is_as_extreme].sum() / shares.sum())


def _p_value(before: _Marks, after: _Marks) -> float:
    """Return the p-value of the difference of two shares: by person, or exact if that is higher."""
    exact = fisher_exact(before.counted, after.counted)
    # Each call's part in the difference of the two shares.
    parts_before = (before.mean - before.counted) / len(before.counted)
    parts_after = (after.counted - after.mean) / len(after.counted)
    persons = np.concatenate([before.persons, after.persons])
    _, numbers = np.unique(persons, return_inverse=True)
    sums = np.bincount(numbers, np.concatenate([parts_before, parts_after]))
    people = len(sums)
    variance = float((sums**2).sum()) * people / max(people - 1, 1)
    if not variance:
        return exact
    statistic = (after.mean - before.mean) ** 2 / variance
    return max(exact, float(chdtrc(1, statistic)))
