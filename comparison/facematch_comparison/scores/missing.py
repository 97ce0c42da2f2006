"""What an empty score means: no face, a failed call, or a score that the vendor omits.

Each has one meaning in `Answers`: a failure to acquire counts against the system, a failed call is
in no rate, and an omitted score is just below the vendor's own threshold. A table says so by its
columns `acquired` and `error`, or the user says so by `below`. What neither says is refused where
the labels show that it matters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

import attrs
import numpy as np

from facematch_comparison.values.numbers import join_names
from facematch_core.backend.kinds import format_argument, suggest_name
from facematch_core.errors import InvalidRequest
from facematch_core.models import Decision

from .answers import DECISIONS, Answers
from .lines import MINUS_DISTANCE, REKOGNITION_CUT, Lines, just_below

if TYPE_CHECKING:
    from typing import TypeAlias

#: The threshold below which a system returns no score: of each system, or of the only one.
Below: TypeAlias = "float | Mapping[str, float] | None"

#: The fewest pairs of each kind for which the shares of missing scores are compared.
FEWEST_TO_COMPARE: Final = 20
#: The largest share of strangers without a score that is taken for pictures without a face.
MOST_MISSING: Final = 0.2


def states_cut(name: str, below: Below) -> bool:
    """Return whether `below` says what a missing score of this system means."""
    if isinstance(below, Mapping):
        return name in below
    return below is not None


def set_rekognition_cuts(
    parts: Iterable[Lines],
    below: Below,
    say: Callable[[str], object],
) -> None:
    """Set `Lines.cut` where `below` does not say what a missing score of the system means."""
    for lines in parts:
        if not any(states_cut(system, below) for system in lines.system.words):
            lines.cut = _rekognition_cut(lines, say)


def _rekognition_cut(lines: Lines, say: Callable[[str], object]) -> float | None:
    """Return Rekognition's own threshold, with a note; None if no faces are `unmatched`.

    The caller of CompareFaces can lower it. If a smaller similarity stands in the file, the caller
    did, and only the caller knows the threshold.
    """
    count = np.count_nonzero(lines.unmatched)
    if not count:
        return None
    smallest = np.nanmin(lines.cells.numbers(lines.scores[0]))
    if smallest < REKOGNITION_CUT:
        option = format_argument("below", {lines.name: int(np.floor(smallest))})
        raise InvalidRequest(
            f"{lines.name} has {count:,} pairs with an empty FaceMatches beside UnmatchedFaces: "
            f"Rekognition omitted scores below the SimilarityThreshold of the call, which is at "
            f"most {smallest:g}, the smallest similarity; nothing was judged. If it was "
            f"{int(np.floor(smallest))}, use {option}."
        )
    say(
        f"{lines.name}: {count:,} pairs with an empty FaceMatches beside UnmatchedFaces count as "
        f"just below {REKOGNITION_CUT:g}, the threshold below which Rekognition omits scores; no "
        "lower threshold can be judged"
    )
    return REKOGNITION_CUT


def check_missing_scores(answers: Sequence[Answers], below: Below) -> None:
    """Raise if the labels explain which scores are missing: then the vendor omits low scores.

    A picture without a face is as likely among strangers as among mated pairs. A vendor that omits
    the scores below its own threshold (Rekognition: 80, by default) omits those of strangers. If
    they counted as failures to acquire, the FMR and the threshold would come from the few strangers
    above that threshold, and a system of equal quality would look worse.
    """
    for system in answers:
        if not states_cut(system.name, below):
            _check_missing_scores_of(system)


def _check_missing_scores_of(system: Answers) -> None:
    is_missing = system.answered & ~system.scored & (system.decisions < 0)
    is_mated = system.answered & system.mated
    is_stranger = system.answered & ~system.mated
    if not system.scored.any():
        return
    if min(np.count_nonzero(is_mated), np.count_nonzero(is_stranger)) < FEWEST_TO_COMPARE:
        return
    mated_share = float(is_missing[is_mated].mean())
    stranger_share = float(is_missing[is_stranger].mean())
    if stranger_share <= MOST_MISSING or stranger_share <= 3 * mated_share:
        return
    # A vendor's own threshold is usually a whole number, at or below its lowest score.
    own_threshold = int(np.floor(np.nanmin(system.scores)))
    option = format_argument("below", {system.name: own_threshold})
    raise InvalidRequest(
        f"{system.name} has no score for {stranger_share:.0%} of the non-mated pairs, but for "
        f"{mated_share:.0%} of the mated pairs: it seems to omit the scores below its own "
        f"threshold (Rekognition: below 80), and nothing was judged. Say so with {option}. If "
        "instead no face was found in these pictures, add a column acquired with 0 for each."
    )


def with_scores_below(
    answers: Sequence[Answers],
    below: float | Mapping[str, float],
    say: Callable[[str], object],
) -> list[Answers]:
    """Fill the empty scores of systems that return no score below a threshold."""
    named = {each.name: each for each in answers}
    if not isinstance(below, Mapping):
        if len(named) > 1:
            raise InvalidRequest(
                f"Name the system whose scores are missing below {below:g}, such as "
                f"{answers[0].name}={below:g}; systems are {join_names([*named])}."
            )
        below = dict.fromkeys(named, below)
    for name, threshold in below.items():
        if name not in named:
            raise InvalidRequest(
                f"No system is called {name[:60]!r} here; {suggest_name(name, named)}"
            )
        each = named[name]
        lower = int(np.count_nonzero(each.scores < threshold))
        if lower or each.scale == MINUS_DISTANCE:
            raise InvalidRequest(
                f"{name} has distances, or scores below {threshold:g} ({lower:,}), so its empty "
                "cells do not mean lower scores."
            )
        inconclusive = each.decisions == DECISIONS.index(Decision.INCONCLUSIVE)
        empty = each.answered & np.isnan(each.scores) & ~inconclusive
        # So close to the vendor's threshold that no lower threshold is chosen.
        filler = just_below(threshold, each.scores)
        scores = np.where(empty, filler, each.scores)
        frame = each.frame.assign(score=scores, acquired=each.acquired | empty)
        named[name] = attrs.evolve(each, frame=frame)
        say(
            f"{name}: {int(empty.sum()):,} pairs without a score count as {filler:g}, just "
            f"below {threshold:g}; no threshold below {threshold:g} can be judged"
        )
    return [*named.values()]
