"""Checks of answers against misreadings that no check of single cells could reveal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

import attrs
import numpy as np

from facematch_comparison.values.numbers import join_names
from facematch_core.backend.kinds import format_argument
from facematch_core.errors import InvalidRequest
from facematch_core.models import Decision

from .answers import DECISIONS, Answers
from .columns import LABELS, PEOPLE, ColumnsNotRecognised, names_truth
from .lines import MINUS_DISTANCE
from .missing import FEWEST_TO_COMPARE, REKOGNITION_CUT
from .source_table import SourceTable

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: The least share of the scores that makes a scale of its own.
LEAST_OF_A_SCALE: Final = 0.2
#: A score above it is not on a scale from 0 to 1.
ABOVE_SMALL_SCALE: Final = 10.0

#: If this many mated pairs and as many others are apart, the labels may be the system's answers.
ENOUGH_APART: Final = 20

#: If this many non-mated pairs, and at least half, have the lowest score, it may mean no score.
_MANY_ALIKE: Final = 20


@attrs.frozen
class _LabelColumn:
    """A column of labels that stands beside a system's answers."""

    field: str
    name: str


def check_labels(
    files: Sequence[SourceTable],
    judged: SourceTable,
    answers: Sequence[Answers],
    note: Callable[[str], object],
) -> None:
    """Raise if answers match labels perfectly, unless the user or people's names confirm them.

    A log may use many column names for a system's own answers. If they were read as labels, the
    system would have no errors, and no check of its scores could reveal the mistake. A match is
    only noted if the column's name says that it is the truth, such as ``expected``: a good system
    makes no error in few pairs. Only labels in a file with answers are doubted, and only if there
    are `ENOUGH_APART` pairs of each kind. `judged` is the joined table, or the only one.

    Raises:
        ColumnsNotRecognised: with the first column whose name does not say that it is the truth.
    """
    columns = _unconfirmed_labels_beside_answers(files)
    if not columns or judged.people_fields == PEOPLE:
        return
    doubtful_columns = [column for column in columns if not names_truth(column.name)]
    for system in answers:
        match = _describe_exact_match(system)
        if match is None:
            continue
        if not doubtful_columns:
            note(
                f"{columns[0].name[:60]!r} follows {match}. Make sure that it is the ground truth, "
                f"and not the answer of {system.name}"
            )
            continue
        column = doubtful_columns[0]
        raise ColumnsNotRecognised(
            f"{judged.title}: {column.name[:60]!r} follows {match}; nothing was judged. Make sure "
            f"that it is the ground truth, and not the answer of {system.name}.",
            columns={column.field: column.name},
        )


def _unconfirmed_labels_beside_answers(files: Sequence[SourceTable]) -> list[_LabelColumn]:
    """Return the columns of labels that may be a system's own answers.

    They stand in a file with scores or decisions, and were recognised by their names alone. None if
    the user has named a column of labels for any file: that confirms all of them.
    """
    columns = []
    for file in files:
        has_answers = not file.fields.isdisjoint(("score", "decision"))
        for field in LABELS:
            if field in file.column_of:
                if field in file.fields_named:
                    return []
                if has_answers:  # and so not a list of pairs
                    columns.append(_LabelColumn(field, file.column_of[field]))
    return columns


def _describe_exact_match(system: Answers) -> str | None:
    """Return how the answers match the labels if they do so perfectly, or else None."""
    is_mated = system.mated
    if system.scored.any():
        mated = system.scores[system.scored & is_mated]
        non_mated = system.scores[system.scored & ~is_mated]
        if min(len(mated), len(non_mated)) < ENOUGH_APART or mated.min() <= non_mated.max():
            return None
        return (
            f"the scores of {system.name} exactly: all {len(mated):,} mated pairs score above all "
            f"{len(non_mated):,} others"
        )
    is_decided = system.decisions >= 0
    is_match = system.decisions == DECISIONS.index(Decision.MATCH)
    mated_count = np.count_nonzero(is_decided & is_mated)
    non_mated_count = np.count_nonzero(is_decided & ~is_mated)
    if min(mated_count, non_mated_count) < ENOUGH_APART or (is_match != is_mated)[is_decided].any():
        return None
    return (
        f"the decisions of {system.name} exactly: all {mated_count:,} mated pairs are matches, and "
        f"none of the {non_mated_count:,} others is"
    )


def check_scales(answers: Sequence[Answers], note: Callable[[str], object]) -> None:
    """Note the systems whose scores may be on two scales; raise if those of mated pairs are, too.

    After a change of an API's version, half of a log may have scores from 0 to 1, and half from 0
    to 100. Every threshold then rejects or accepts one of the halves. Strangers alone may well have
    scores below 1 on a scale to 100.
    """
    for system in answers:
        _check_scale(system, note)


def _check_scale(system: Answers, note: Callable[[str], object]) -> None:
    """Raise InvalidRequest if the mated scores are on two scales.

    It is only a note if all scores together are, and the mated ones are not. Distances are not
    looked at.
    """
    if system.scale == MINUS_DISTANCE or not _are_on_two_scales(system.scores):
        return
    low = np.count_nonzero(system.scores <= 1)
    high = np.count_nonzero(system.scores > ABOVE_SMALL_SCALE)
    counts = f"{low:,} scores are at most 1, and {high:,} above {ABOVE_SMALL_SCALE:g}"
    if not _are_on_two_scales(system.scores[system.mated]):
        note(f"{system.name}: {counts}: if the scale changed, write all scores on one scale")
        return
    raise InvalidRequest(
        f"{system.name} seems to have scores on two scales: {counts}, also among mated pairs; "
        "nothing was judged. Write all scores on one scale, or each scale in a file of its own. If "
        f"they are on one, use {format_argument('no_scores', [np.nan])}."
    )


def _are_on_two_scales(scores: NDArray[np.float64]) -> bool:
    """Return whether many scores are fractions of 1, many are far above 1, and few lie between."""
    count = np.count_nonzero(~np.isnan(scores))
    many = LEAST_OF_A_SCALE * count
    high = np.count_nonzero(scores > ABOVE_SMALL_SCALE)
    if count < FEWEST_TO_COMPARE or high < many or np.fmin.reduce(scores) < -1:
        return False
    low_scores = scores[scores <= 1]
    fractions = np.count_nonzero(low_scores % 1 > 0)
    return bool(fractions >= many and count - high - len(low_scores) < many)


def notes_of_blanks(answers: Sequence[Answers], threshold_of: Mapping[str, float]) -> Iterator[str]:
    """Yield notes about empty cells and about scores that may mean a missing score.

    `threshold_of` is the threshold, by system, below which a vendor omits scores; the score of such
    a pair is just below it.
    """
    counts_without_score = []
    for system in answers:
        is_blank = system.answered & ~system.acquired & (system.decisions < 0)
        count = int(is_blank.sum())
        if count:
            counts_without_score.append(f"{count:,} of {system.name}")
        non_mated = system.scores[system.scored & ~system.mated]
        lowest = non_mated.min(initial=np.inf)
        count_lowest = int(np.count_nonzero(non_mated == lowest))
        if count_lowest >= max(_MANY_ALIKE, len(non_mated) / 2):
            threshold = threshold_of.get(system.name)
            if threshold is not None and lowest < threshold:
                yield (
                    f"{system.name}: {count_lowest:,} of {len(non_mated):,} non-mated pairs have "
                    f"no score (below {threshold:g}), so a threshold of {threshold:g} or just "
                    "above may be chosen"
                )
                continue
            advice = ""
            others = system.scores[system.scored & (system.scores > lowest)]
            if lowest == 0 and others.min(initial=np.inf) >= REKOGNITION_CUT:
                no_score = format_argument("no_scores", [0])
                below = format_argument("below", {system.name: int(REKOGNITION_CUT)})
                advice = f"; if 0 stands for a score that the vendor omits, use {no_score} {below}"
            yield (
                f"{system.name}: {count_lowest:,} of {len(non_mated):,} non-mated pairs have the "
                f"score {lowest:g}, so a threshold just above it may be chosen{advice}"
            )
    if counts_without_score:
        yield (
            "pairs without a score count as failures to acquire: "
            f"{join_names(counts_without_score)}. If the vendor omits scores below its own "
            f"threshold (Rekognition: 80), use {format_argument('below', 80)}"
        )
