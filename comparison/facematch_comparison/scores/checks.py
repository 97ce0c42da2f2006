"""Checks of answers against misreadings that no check of single cells could reveal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from facematch_comparison.values.numbers import join_names
from facematch_core.backend.kinds import format_argument
from facematch_core.errors import InvalidRequest
from facematch_core.models import Decision

from .answers import DECISIONS, Answers
from .columns import PEOPLE, TRUTH, ColumnsNotRecognised
from .lines import MINUS_DISTANCE, Lines
from .missing import FEWEST_TO_COMPARE

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: The least share of the scores that makes a scale of its own.
LEAST_OF_A_SCALE: Final = 0.2
#: A score above it is not on a scale from 0 to 1.
ABOVE_SMALL_SCALE: Final = 10.0

#: If this many mated pairs score above this many others, the labels may be the system's answers.
ENOUGH_APART: Final = 20

#: If this many non-mated pairs, and at least half, have the lowest score, it may mean no score.
_MANY_ALIKE: Final = 20


def check_labels(files: Sequence[Lines], lines: Lines, answers: Sequence[Answers]) -> None:
    """Raise if scores match labels perfectly, unless the user or people's names confirm the labels.

    A log may use any column name for a system's own answers. If they were read as labels, the
    system would have no errors, and no check of its scores could reveal the mistake.
    """
    truth = {
        ours: each.of[ours]
        for each in files
        for ours in TRUTH
        if ours in each.of and {"score", "decision"} & each.held  # not a list of pairs
    }
    is_given = any({*TRUTH} & each.given & each.of.keys() for each in files)
    if is_given or not truth or lines.people_by == PEOPLE:
        return
    for each in answers:
        is_there, scores = each.scored, each.scores
        if not is_there.any():
            is_there = each.decisions >= 0
            scores = each.decisions == DECISIONS.index(Decision.MATCH)
        mated, others = scores[is_there & each.mated], scores[is_there & ~each.mated]
        if min(len(mated), len(others)) >= ENOUGH_APART and mated.min() > others.max():
            ours, column = next(iter(truth.items()))
            raise ColumnsNotRecognised(
                f"{lines.cells.name}: {column[:60]!r} matches the answers of {each.name} exactly: "
                f"all {len(mated):,} mated pairs score above all {len(others):,} others; nothing "
                f"was judged. Is it the ground truth, and not the answer of {each.name}?",
                columns={ours: column},
            )


def check_scales(answers: Sequence[Answers], say: Callable[[str], object]) -> None:
    """Note the systems whose scores may be on two scales; raise if those of mated pairs are, too.

    After a change of an API's version, half of a log may have scores from 0 to 1, and half from 0
    to 100. Every threshold then rejects or accepts one of the halves. Strangers alone may well have
    scores below 1 on a scale to 100.
    """
    for system in answers:
        _check_scale(system, say)


def _check_scale(system: Answers, say: Callable[[str], object]) -> None:
    scores = system.scores[system.scored]
    if system.scale == MINUS_DISTANCE or not _are_on_two_scales(scores):
        return
    low = np.count_nonzero(scores <= 1)
    high = np.count_nonzero(scores > ABOVE_SMALL_SCALE)
    counts = f"{low:,} scores are at most 1, and {high:,} above {ABOVE_SMALL_SCALE:g}"
    if not _are_on_two_scales(system.scores[system.scored & system.mated]):
        say(f"{system.name}: {counts}: if the scale changed, write all scores on one scale")
        return
    raise InvalidRequest(
        f"{system.name} seems to have scores on two scales: {counts}, also among mated pairs; "
        "nothing was judged. Write all scores on one scale, or each scale in a file of its own. If "
        f"they are on one, use {format_argument('no_scores', [np.nan])}."
    )


def _are_on_two_scales(scores: NDArray[np.float64]) -> bool:
    """Return whether many scores are fractions of 1, many are far above 1, and few lie between."""
    if len(scores) < FEWEST_TO_COMPARE or scores.min() < -1:
        return False
    many = LEAST_OF_A_SCALE * len(scores)
    fractions = np.count_nonzero((scores <= 1) & (scores % 1 > 0))
    high = np.count_nonzero(scores > ABOVE_SMALL_SCALE)
    between = np.count_nonzero((scores > 1) & (scores <= ABOVE_SMALL_SCALE))
    return bool(fractions >= many and high >= many and between < many)


def notes_of_blanks(answers: Sequence[Answers]) -> Iterator[str]:
    """Yield notes about empty cells and about scores that may mean a missing score."""
    empty = []
    for system in answers:
        if count := int((system.answered & ~system.acquired & (system.decisions < 0)).sum()):
            empty.append(f"{count:,} of {system.name}")
        others = system.scores[system.scored & ~system.mated]
        lowest = others[others == others.min(initial=np.inf)]
        if len(lowest) >= max(_MANY_ALIKE, len(others) / 2):
            yield (
                f"{system.name}: {len(lowest):,} of {len(others):,} non-mated pairs have the score "
                f"{lowest[0]:g}, so a threshold just above it may be chosen"
            )
    if empty:
        yield (
            f"pairs without a score count as failures to acquire: {join_names(empty)}. If the "
            f"vendor omits scores below its own threshold (Rekognition: 80), use "
            f"{format_argument('below', 80)}"
        )
