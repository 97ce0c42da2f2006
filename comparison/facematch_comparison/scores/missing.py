"""What an empty score means: no face, a failed call, or a score that the vendor omits.

Each has one meaning in `Answers`: a failure to acquire counts against the system, a failed call is
in no rate, and an omitted score is just below the vendor's own threshold. A table says so by its
columns `acquired` and `error`, or the user says so by `below`. What neither says is refused where
the labels show that it matters.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

import attrs
import numpy as np

from facematch_comparison.values.numbers import join_names
from facematch_core.backend.kinds import format_argument, suggest_name
from facematch_core.errors import InvalidRequest
from facematch_core.models import Decision

from .answers import DECISIONS, Answers
from .cells import distinct_words
from .lines import MINUS_DISTANCE, just_below, unmatched, words_in
from .source_table import SourceTable

if TYPE_CHECKING:
    from typing import TypeAlias

    import pandas as pd
    from numpy.typing import NDArray

#: The threshold below which a system returns no score: of each system, or of the only one.
Below: TypeAlias = "float | Mapping[str, float] | None"

#: Rekognition's CompareFaces returns no similarity below this number, unless the caller sets
#: SimilarityThreshold; the faces are then in UnmatchedFaces (botocore's model, read 2026-11-28).
REKOGNITION_CUT: Final = 80.0

#: The fewest pairs of each kind for which the shares of missing scores are compared.
FEWEST_TO_COMPARE: Final = 20
#: The largest share of strangers without a score, or of all pairs, that is taken for pictures
#: without a face.
MOST_MISSING: Final = 0.2


def states_cut(system: str, below: Below) -> bool:
    """Return whether `below` says what a missing score of this system means."""
    if isinstance(below, Mapping):
        return system in below
    return below is not None


def rekognition_cut(
    file: SourceTable,
    cells: pd.DataFrame,
    lines: pd.DataFrame,
    below: Below,
    note: Callable[[str], object],
) -> float | None:
    """Return Rekognition's own threshold, with a note.

    None if no faces are `unmatched`, or if `below` says what missing scores mean. The caller of
    CompareFaces can lower the threshold. If a smaller similarity stands in the file, the caller
    did, and only the caller knows it.
    """
    if any(states_cut(system, below) for system in distinct_words(words_in(lines, "system"))):
        return None
    similarities = lines["score"].to_numpy()
    count = np.count_nonzero(unmatched(file, cells, similarities))
    if not count:
        return None
    lowest = float(np.nanmin(similarities))
    if lowest < REKOGNITION_CUT:
        supposed_cut = math.floor(lowest)
        option = format_argument("below", {file.name: supposed_cut})
        raise InvalidRequest(
            f"{file.name} has {count:,} pairs with an empty FaceMatches beside UnmatchedFaces: "
            f"Rekognition omitted scores below the SimilarityThreshold of the call, which is at "
            f"most {lowest:g}, the smallest similarity; nothing was judged. If it was "
            f"{supposed_cut}, use {option}."
        )
    note(
        f"{file.name}: {count:,} pairs with an empty FaceMatches beside UnmatchedFaces count as "
        f"just below {REKOGNITION_CUT:g}, the threshold below which Rekognition omits scores; no "
        "lower threshold can be judged"
    )
    return REKOGNITION_CUT


def check_missing_scores(
    answers: Sequence[Answers],
    judged: SourceTable,
    below: Below,
    no_scores: Sequence[float | str],
) -> None:
    """Raise if the labels explain which scores are missing: then the vendor omits low scores.

    Raise also if many scores are missing and nothing says why: lines of an export may be of other
    checks, such as that of a document. Words in `no_scores` say why; "" is the empty cell.

    A picture without a face is as likely among strangers as among mated pairs. A vendor that omits
    the scores below its own threshold (Rekognition: 80, by default) omits those of strangers. If
    they counted as failures to acquire, the FMR and the threshold would come from the few strangers
    above that threshold, and a system of equal quality would look worse. A column `acquired` of the
    `judged` table says which pictures had no face.
    """
    if "acquired" in judged.column_of:
        return
    is_explained = any(isinstance(mark, str) for mark in no_scores)
    for system in answers:
        if not states_cut(system.name, below):
            _check_missing_scores_of(system)
            if not is_explained:
                _check_share_without_score(system)


def _check_share_without_score(system: Answers) -> None:
    """Raise InvalidRequest if too many answered pairs have no score, decision or reason.

    Few pairs, and a system without any score, are not judged.
    """
    is_missing = system.answered & ~system.scored & (system.decisions < 0)
    count = np.count_nonzero(system.answered)
    if count < FEWEST_TO_COMPARE or not system.scored.any():
        return
    share = np.count_nonzero(is_missing) / count
    if share <= MOST_MISSING:
        return
    raise InvalidRequest(
        f"{system.name} has no score for {share:.0%} of the pairs, and no column says why; nothing "
        "was judged. Leave out lines that compare no faces, such as a check of the document. If no "
        f"face was found in these pictures, use {format_argument('no_scores', [''])}; if calls "
        "failed, write why in a column error; if the vendor omits scores below its own threshold, "
        f"use {format_argument('below', {system.name: _supposed_threshold(system.scores)})}."
    )


def _check_missing_scores_of(system: Answers) -> None:
    """Raise InvalidRequest if scores are missing mostly where people differ.

    That is the sign of a vendor that omits scores below its own threshold. Few pairs of either kind
    are not judged.
    """
    is_missing = ~system.scored & (system.decisions < 0)
    shares = _uneven_shares(is_missing[system.answered], system.mated[system.answered])
    if shares is None or not system.scored.any():
        return
    own_threshold = _supposed_threshold(system.scores)
    option = format_argument("below", {system.name: own_threshold})
    raise InvalidRequest(
        f"{system.name} has no score for {shares.non_mated:.0%} of the non-mated pairs, but for "
        f"{shares.mated:.0%} of the mated pairs: it seems to omit the scores below its own "
        f"threshold (Rekognition: below 80), and nothing was judged. Say so with {option}. If "
        "instead no face was found in these pictures, add a column acquired with 0 for each."
    )


class _MissingShares(NamedTuple):
    """The shares of the mated and of the non-mated pairs that lack a score, 0-1."""

    mated: float
    non_mated: float


def _uneven_shares(
    is_missing: NDArray[np.bool_], is_mated: NDArray[np.bool_]
) -> _MissingShares | None:
    """Return the shares if scores are missing mostly where people differ; None for few pairs."""
    mated_count = np.count_nonzero(is_mated)
    if min(mated_count, len(is_mated) - mated_count) < FEWEST_TO_COMPARE:
        return None
    shares = _MissingShares(is_missing[is_mated].mean(), is_missing[~is_mated].mean())
    return shares if shares.non_mated > max(MOST_MISSING, 3 * shares.mated) else None


def _supposed_threshold(scores: NDArray[np.float64]) -> int:
    """Return the threshold below which a system with these scores seems to omit others."""
    lowest = float(np.nanmin(scores))
    if REKOGNITION_CUT <= lowest <= float(np.nanmax(scores)) <= 100:
        return int(REKOGNITION_CUT)
    # A vendor's own threshold is usually a whole number, at or below its lowest score.
    return math.floor(lowest)


def check_labelled_pairs(
    name: str,
    *,
    scores: NDArray[np.float64],
    is_missing: NDArray[np.bool_],
    is_mated: NDArray[np.bool_],
) -> None:
    """Raise if a file of Rekognition's scores seems to omit the lines of strangers.

    A line for each of `FaceMatches` leaves out the pairs below its threshold, and the FMR would
    come from the few strangers above it. A list of pairs may also be longer than what was asked, so
    only scores that all stand above Rekognition's own threshold are taken for such a file.

    Args:
        name: Name of the system.
        scores: float64, (N,): its scores.
        is_missing: bool, (P,): whether the file lacks each labelled pair.
        is_mated: bool, (P,): whether that pair is mated.
    """
    lowest = float(np.fmin.reduce(scores))
    highest = float(np.fmax.reduce(scores))
    if not REKOGNITION_CUT <= lowest <= highest <= 100:
        return
    shares = _uneven_shares(is_missing, is_mated)
    if shares is None:
        return
    option = format_argument("below", {name: int(REKOGNITION_CUT)})
    raise InvalidRequest(
        f"{name} has no line for {shares.non_mated:.0%} of the labelled non-mated pairs, but for "
        f"{shares.mated:.0%} of the mated pairs, and no score below {REKOGNITION_CUT:g}: it seems "
        f"to omit the pairs that Rekognition scores lower, and nothing was judged. Say so with "
        f"{option}. If it was not asked about these pairs, remove them from the labels."
    )


def with_scores_below(
    answers: Sequence[Answers],
    below: float | Mapping[str, float],
    note: Callable[[str], object],
) -> list[Answers]:
    """Fill the empty scores of systems that return no score below a threshold."""
    by_name = {system.name: system for system in answers}
    if not isinstance(below, Mapping):
        if len(by_name) > 1:
            raise InvalidRequest(
                f"Name the system whose scores are missing below {below:g}, such as "
                f"{answers[0].name}={below:g}; systems are {join_names(list(by_name))}."
            )
        below = dict.fromkeys(by_name, below)
    for name, threshold in below.items():
        if name not in by_name:
            raise InvalidRequest(
                f"No system is called {name[:60]!r} here; {suggest_name(name, by_name)}"
            )
        by_name[name] = _filled_below(by_name[name], threshold, note)
    return list(by_name.values())


def _filled_below(system: Answers, threshold: float, note: Callable[[str], object]) -> Answers:
    """Return the answers with a score just below `threshold` for each pair that has none.

    INCONCLUSIVE pairs stay without. Raise InvalidRequest for distances, and if a score is below the
    threshold, since an empty cell cannot mean a lower score then.
    """
    lower_count = int(np.count_nonzero(system.scores < threshold))
    if system.scale == MINUS_DISTANCE:
        raise InvalidRequest(
            f"{system.name} has distances, so its empty cells do not mean scores below "
            f"{threshold:g}."
        )
    if lower_count:
        advice = ""
        lowest = float(np.nanmin(system.scores))
        if np.count_nonzero(system.scores == lowest) == lower_count:
            no_score = format_argument("no_scores", [int(lowest) if lowest % 1 == 0 else lowest])
            advice = f" If {lowest:g} stands for an omitted score, add {no_score}."
        raise InvalidRequest(
            f"{system.name} has {lower_count:,} scores below {threshold:g}, so its empty cells do "
            f"not mean lower scores.{advice}"
        )
    is_inconclusive = system.decisions == DECISIONS.index(Decision.INCONCLUSIVE)
    is_below = system.answered & np.isnan(system.scores) & ~is_inconclusive
    # So close to the vendor's threshold that no lower threshold is chosen.
    score_below = just_below(threshold, system.scores)
    note(
        f"{system.name}: {int(is_below.sum()):,} pairs without a score count as just below "
        f"{threshold:g}; no threshold below {threshold:g} can be judged"
    )
    scores = np.where(is_below, score_below, system.scores)
    frame = system.frame.assign(score=scores, acquired=system.acquired | is_below)
    return attrs.evolve(system, frame=frame)
