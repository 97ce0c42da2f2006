"""Answers as a file of scores."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from facematch_core.errors import InvalidRequest
from facematch_core.models import Charged

from ._answers import BILLED, NOT_ASKED, Answers
from ._scores_faults import NEEDED, TOLD
from .metrics import DECISIONS, Grouping, ScoreTable
from .study._pairs_csv import PROBE_GROUP, REFERENCE_GROUP

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Lines that are written together.
_LINES: Final = 50_000


def write_scores(path: Path, answers: Sequence[Answers]) -> None:
    """Write answers as `read_scores` reads them; people and pairs are numbers.

    A file that is there is replaced when the new one is whole. What the answers tell only as a sum
    (how many pairs lack an answer for which reason) stands on pairs that lack one, in any order.

    Args:
        path: The file.
        answers: Of each contender, all of the same pairs.

    Raises:
        InvalidRequest: there are none, two have one name, or their pairs or groups differ.
        OSError: it cannot be written.
    """
    _check(answers)
    columns = [dict(_columns(one)) for one in answers]
    said = {name for one in answers for name in _said(one)}
    header = [name for name in columns[0] if name in said]
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(header)
            for one in columns:
                writer.writerows(zip(*map(one.__getitem__, header), strict=True))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _check(answers: Sequence[Answers]) -> None:
    if not answers:
        raise InvalidRequest("There are no answers to write.")
    names = [one.table.name for one in answers]
    if len({*names}) < len(names):
        raise InvalidRequest("Two contenders have the same name: give each its own.")
    first = answers[0].table
    for other in (one.table for one in answers[1:]):
        same = all(
            np.array_equal(getattr(first, column), getattr(other, column))
            for column in ("mated", "probe_subjects", "reference_subjects")
        )
        if not same or not _same_groups(first.groups, other.groups):
            raise InvalidRequest(
                f"{first.name} and {other.name} were not asked about the same pairs: only answers "
                "to one study go into one file."
            )


def _same_groups(first: Mapping[str, Grouping], other: Mapping[str, Grouping]) -> bool:
    return first.keys() == other.keys() and all(
        group.labels == other[name].labels
        and np.array_equal(group.probe, other[name].probe)
        and np.array_equal(group.reference, other[name].reference)
        for name, group in first.items()
    )


def _said(one: Answers) -> Iterator[str]:
    """Names of the columns in which there is something to say of a contender."""
    table = one.table
    yield from (*NEEDED, "score", "acquired", *_group_names(table))
    for name, rows in {
        "decision": table.decisions >= 0,
        "error": ~table.answered,
        "elapsed_s": ~np.isnan(one.elapsed_s),
        # What is left out of these is a guess by the price.
        "billed": (one.billed != BILLED.index(Charged.NO)) | (one.price is not None),
    }.items():
        if rows.any():
            yield name
    yield from (name for name, value in _told(one).items() if value is not None)


def _columns(one: Answers) -> Iterator[tuple[str, Iterable[Any]]]:
    table = one.table
    number = len(table)
    yield "contender", repeat(table.name, number)
    yield "pair", range(number)
    yield "same", _words(table.mated.astype(np.int8), ("0", "1"))
    yield "probe_subject", _each(table.probe_subjects, str)
    yield "reference_subject", _each(table.reference_subjects, str)
    yield "score", _numbers(table.scores)
    yield "decision", _words(table.decisions, (*DECISIONS, ""))
    yield "acquired", _words(np.where(table.answered, table.acquired, -1), ("0", "1", ""))
    yield "error", _errors(one)
    yield "elapsed_s", _numbers(one.elapsed_s)
    yield "billed", _words(one.billed, BILLED)
    groups = [side for group in table.groups.values() for side in _sides(group)]
    yield from zip(_group_names(table), groups, strict=True)
    for name, value in _told(one).items():
        # On the first line only: once is enough, and a sentence on each would be most of the file.
        yield name, chain([value], repeat("", number - 1))


def _told(one: Answers) -> dict[str, Any]:
    table = one.table
    own = {"rule": table.rule, "threshold": table.threshold, "scale": table.scale}
    return own | {name: getattr(one, name) for name in TOLD if name not in own}


def _sides(group: Grouping) -> Iterator[Iterator[str]]:
    for side in (group.probe, group.reference):
        yield _words(side, (*group.labels, ""))


def _group_names(table: ScoreTable) -> Iterator[str]:
    for column in table.groups:
        yield PROBE_GROUP + column
        yield REFERENCE_GROUP + column


def _each(values: NDArray[Any], show: Any) -> Iterator[str]:
    for start in range(0, len(values), _LINES):
        yield from map(show, values[start : start + _LINES].tolist())


def _numbers(values: NDArray[np.float64]) -> Iterator[str]:
    return _each(values, lambda value: "" if value != value else repr(value))  # noqa: PLR0124 - NaN


def _words(places: NDArray[Any], words: Sequence[str]) -> Iterator[str]:
    return _each(places, words.__getitem__)


def _errors(one: Answers) -> Iterator[str]:
    reasons = chain.from_iterable(repeat(why, count) for why, count in one.not_answered.items())
    told = chain(reasons, repeat(NOT_ASKED))
    return ("" if answered else next(told) for answered in one.table.answered.tolist())
