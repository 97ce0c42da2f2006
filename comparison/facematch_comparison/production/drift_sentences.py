"""The sentences of a drift: what moved, and what that does not say."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from facematch_comparison.values import numbers
from facematch_comparison.values.numbers import counted, join_names

from .drift import FEWEST_CALLS, Change, Drift, Period
from .sentences import listed, practice_caveat, share


def with_sentences(drift: Drift) -> Drift:
    """Return the drift with its headline and caveats."""
    return attrs.evolve(drift, headline=_headline(drift), caveats=tuple(_caveats(drift)))


def _headline(drift: Drift) -> str:
    """Return what moved, the largest move first, or that nothing did or can be compared."""
    compared = [period for period in drift.periods if period.changes]
    if not compared:
        return (
            f"Nothing can be compared: {drift.system} needs two {drift.span}s with at least "
            f"{FEWEST_CALLS} results each."
        )
    moved = [period for period in compared if any(change.is_real for change in period.changes)]
    models = _models(drift)
    if not moved:
        return (
            f"Nothing that moved in {counted(len(compared), drift.span, f'{drift.span}s')} of "
            f"{drift.system} is more than chance.{models}"
        )
    moved.sort(key=_largest_move, reverse=True)
    parts = [f"in the {drift.span} of {period.name}, {_moves_in_words(period)}" for period in moved]
    return f"The answers of {drift.system} moved: {'; '.join(parts)}.{models}"


def _largest_move(period: Period) -> float:
    return max(_size(change) for change in period.changes if change.is_real)


def _size(change: Change) -> float:
    return abs(change.now - change.first)


def _moves_in_words(period: Period) -> str:
    """Return what moved in a period, the largest change first."""
    real = [change for change in period.changes if change.is_real]
    real.sort(key=_size, reverse=True)
    return join_names([describe_change(change) for change in real])


def _models(drift: Drift) -> str:
    """Return a sentence on a change of the model's name, or ""."""
    names = {model for period in drift.periods for model in period.models}
    if len(names) < 2:
        return ""
    return f" The name of its model changed: {join_names(sorted(names))}."


def describe_change(change: Change) -> str:
    """Return a change in words, with the digits that show it."""
    difference = _size(change)
    first_percent = numbers.percent(change.first, difference)
    now_percent = numbers.percent(change.now, difference)
    return f"{change.of} {now_percent} % instead of {first_percent} %"


def _caveats(drift: Drift) -> Iterator[str]:
    """Yield what the drift does not show.

    That a change is no judgement is always said, the rest where it applies.
    """
    if drift.practice_answers:
        yield practice_caveat(drift.practice_answers)
    yield (
        "A change says that answers moved, not that the vendor got better or worse: other people, "
        "cameras or fraudsters have the same effect. To tell them apart, run the same pairs again "
        "with compare run under another profile name."
    )
    thresholds = {threshold for period in drift.periods for threshold in period.thresholds}
    if len(thresholds) > 1:
        yield (f"The threshold changed ({join_names(sorted(thresholds))}): decisions move with it.")
    few = [period.name for period in drift.periods if not period.is_comparable]
    if few:
        yield (
            f"With fewer than {FEWEST_CALLS} results, these are shown and not compared: "
            f"{join_names(few)}."
        )
    if drift.questions:
        comparisons = counted(drift.questions, "comparison", "comparisons")
        yield (
            f"{comparisons} with the first comparable {drift.span} were made, and p-values are "
            "corrected for that (Holm)."
        )


def period_rows(drift: Drift) -> list[dict[str, str]]:
    """Return the facts of each period, by title; a title without a value has "".

    A share of 0 is shown with its interval if another period has more.
    """
    has_inconclusive = any(period.inconclusive.count for period in drift.periods)
    has_errors = any(period.errors.count for period in drift.periods)
    rows = []
    for period in drift.periods:
        half_within_s = period.half_within_s
        moved = [describe_change(change) for change in period.changes if change.is_real]
        rows.append(
            {
                "Period": period.name,
                "Calls": f"{period.calls:,}",
                "People": f"{period.people:,}",
                "Accepted": share(period.accepted),
                "Inconclusive": share(period.inconclusive) if has_inconclusive else "",
                "Errors": share(period.errors) if has_errors else "",
                "Half within": ""
                if half_within_s is None
                else f"{numbers.quantity(half_within_s)} s",
                "Models": listed(period.models),
                "Thresholds": listed(period.thresholds),
                "Moved": "; ".join(moved),
            }
        )
    return rows
