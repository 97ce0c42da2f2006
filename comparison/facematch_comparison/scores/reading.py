"""Read scores from CSV, JSON, Excel, Parquet, pandas or Arrow, in one file or several.

A long table has one line for each pair and system. A wide table has one line for each pair and
several columns of scores, which the user names. Several files are joined by pair.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs
import numpy as np
import pandas as pd

from facematch_comparison.values.numbers import join_names
from facematch_core.backend.kinds import format_argument, suggest_name
from facematch_core.errors import InvalidRequest
from facematch_core.models import Charged, Decision, ThresholdRule

from .answers import BILLED, DECISIONS, NO_DECISION, NOT_ASKED, Answers, Grouping, frame_of
from .cells import Problem, first_rows, problems_at, read_cells
from .columns import LONG, PEOPLE, PERSON, TRUTH, WIDE, ColumnsNotRecognised, is_distance
from .lines import (
    MINUS_DISTANCE,
    REKOGNITION_CUT,
    Lines,
    facts_of,
    groups_of,
    join,
    just_below,
    problems_of_cells,
    problems_of_pairs,
    recognise,
)

if TYPE_CHECKING:
    from .cells import Ints, Words

#: The fewest pairs of each kind for which the shares of missing scores are compared.
FEWEST_TO_COMPARE_MISSING: Final = 20
#: The largest share of strangers without a score that is taken for pictures without a face.
MOST_MISSING: Final = 0.2

#: Maximum number of systems; a file with more was probably misread.
MOST: Final = 100

#: If this many mated pairs score above this many others, the labels may be the system's answers.
ENOUGH_APART: Final = 20

#: If this many non-mated pairs, and at least half, have the lowest score, it may mean no score.
_MANY_ALIKE: Final = 20


def read_scores(
    source: Path | pd.DataFrame | Any,
    *,
    columns: Mapping[str, str | Sequence[str]] | None = None,
    rule: ThresholdRule | None = None,
    distance: bool = False,
    no_scores: Sequence[float | str] = (),
    below: float | Mapping[str, float] | None = None,
    independent_pairs: bool = False,
    models: Sequence[str] = (),
    name: str | None = None,
    note: Callable[[str], object] | None = None,
) -> list[Answers]:
    """Read the answers of one or more systems.

    Columns are recognised by name; the documentation lists the names. Numbers are read as scores
    only from columns with a known name (``score``, ``similarity``, ``distance``) or named in
    `columns`. A system's own answer (``match``, ``verified``) is its decision, never the ground
    truth. An answer without a score or a decision is a failure to acquire, which is an error for a
    mated pair. A line with an ``error`` has no answer and is excluded from all error rates.

    ``probe_subject`` and ``reference_subject`` name the people. Without both columns,
    `Answers.people_known` is False, and the file needs ``person`` (one person per line) or the
    pictures ``image1`` and ``image2``: pictures connected by mated pairs are treated as one person.

    Args:
        source: A CSV file (commas, or semicolons or tabs with decimal commas), JSON records, an
            Excel workbook, a Parquet file, a pandas DataFrame or a pyarrow Table; or a list of
            files, which are joined by pair. In a list, the stem of each file names its system, and
            a file without scores provides the labels and people.
        columns: Names of the source's columns, keyed by our name or a known name: ``{"mated":
            "same_guy"}``. ``{"decision": ""}`` ignores a column. For ``score``, pass a list of
            columns if there is one per system. In a list of files, the key ``"azure:score"``
            applies only to the file ``azure.csv``.
        rule: How scores are compared with a threshold if no column has the rule; AT_LEAST by
            default.
        distance: Whether all scores are distances, regardless of column names. Scores and
            thresholds are then negative distances: -0.4 passes distances up to 0.4.
        no_scores: Numbers and words that mean that no face was found, such as -1 or ``no face``.
            By default, a word is rejected, and so is a number that seems to mean a missing score;
            NaN declares that all numbers are scores.
        below: The threshold below which a system returns no score (Rekognition: 80). An empty cell
            then means a lower score, not a failure to acquire. Can be a mapping by system.
        independent_pairs: Whether no person is in more than one pair, for files that name no
            people. If that is wrong, intervals are too narrow.
        models: Models whose answers are used if a system answered with several; pairs answered by
            other models are treated as not asked.
        name: Name of the system if no column names one; by default the stem of the file.
        note: Called with a sentence about each assumption made.

    Returns:
        The answers of each system, in the order of the file. Pairs are in the order of their first
        lines.

    Raises:
        ColumnsNotRecognised: a column is missing or ambiguous; or the scores match the labels
            perfectly, and the column of labels is not in `columns`.
        InvalidRequest: a file cannot be read, files cannot be joined, or lines are invalid; the
            error lists all of them.
    """
    say = note or (lambda _text: None)
    sources = list(source) if isinstance(source, (list, tuple)) else [source]
    is_joined = len(sources) > 1
    files = []
    for each in sources:
        stem = Path(each).stem if isinstance(each, (str, Path)) else "scores"
        lines = Lines(
            cells=read_cells(each, what="comparison", example=f"{WIDE} or {LONG}"),
            name=stem if is_joined else name or stem,
            independent_pairs=independent_pairs,
            distance=distance,
            no_scores=no_scores,
        )
        files.append(lines)
        for text in lines.cells.notes:
            say(text)
    recognise(files, columns or {})
    parts = []
    for lines in files:
        split = lines.parts()
        _set_rekognition_cuts(split, below, say)
        lines.cells.refuse(each for part in split for each in problems_of_cells(part))
        parts += split
    if is_joined:
        parts = [join(parts, say)]
    lines = parts[0]
    rule = ThresholdRule(rule or "at_least")
    answers = [each for part in parts for each in _answers(part, rule, models)]
    _check_labels(files, lines, answers)
    if "acquired" not in lines.of:
        for system in answers:
            if not _states_cut(system.name, below):
                _check_missing_scores(system)
    if below is not None:
        answers = _with_scores_below(answers, below, say)
    for text in (*_notes_of_columns(files, lines), *_notes_of_blanks(answers)):
        say(text)
    return answers


def _check_labels(files: Sequence[Lines], lines: Lines, answers: Sequence[Answers]) -> None:
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


def _states_cut(name: str, below: float | Mapping[str, float] | None) -> bool:
    """Return whether `below` says what a missing score of this system means."""
    if isinstance(below, Mapping):
        return name in below
    return below is not None


def _set_rekognition_cuts(
    parts: Iterable[Lines],
    below: float | Mapping[str, float] | None,
    say: Callable[[str], object],
) -> None:
    """Set `Lines.cut` where `below` does not say what a missing score of the system means."""
    for lines in parts:
        if not any(_states_cut(system, below) for system in lines.system.words):
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


def _check_missing_scores(system: Answers) -> None:
    """Raise if the labels explain which scores are missing: then the vendor omits low scores.

    A picture without a face is as likely among strangers as among mated pairs. A vendor that omits
    the scores below its own threshold (Rekognition: 80, by default) omits those of strangers. If
    they counted as failures to acquire, the FMR and the threshold would come from the few strangers
    above that threshold, and a system of equal quality would look worse.
    """
    is_missing = system.answered & ~system.scored & (system.decisions < 0)
    is_mated = system.answered & system.mated
    is_stranger = system.answered & ~system.mated
    if not system.scored.any():
        return
    if min(np.count_nonzero(is_mated), np.count_nonzero(is_stranger)) < FEWEST_TO_COMPARE_MISSING:
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


def _answers(lines: Lines, rule: ThresholdRule, models: Sequence[str]) -> list[Answers]:
    """Return the answers of each system; raise if lines contradict each other."""
    system, pairs, unit = lines.system, lines.pairs, lines.cells.unit
    if len(system.words) > MOST:
        text = f"there are {len(system.words):,} systems, but at most {MOST} can be compared"
        lines.cells.refuse([Problem(text)])
    model_of, rows_of = [], []
    problems = [*problems_of_pairs(lines)]
    for at, name in enumerate(system.words):
        its: Ints = np.flatnonzero(system.codes == at)
        first = first_rows(pairs, its, size=len(lines.first))
        problems += problems_at(
            lines.first[first < 0] if lines.name else [],  # `join` has noted missing pairs
            lambda row, name=name: (
                f"the pair {lines.pair_of(row)} has no {unit} for {name[:60]!r}; all systems need "
                f"the same pairs (if there was no answer, add a {unit} with an error)"
            ),
        )
        model, its = _choose_model(name, its, lines.words("model"), models)
        if model:
            first = first_rows(pairs, its, size=len(first))
        is_once = np.count_nonzero(first >= 0) == len(its)
        problems += problems_at(
            [] if is_once else its[first[pairs[its]] != its],
            lambda row, name=name, first=first: (
                f"the pair {lines.pair_of(row)} of {name[:60]!r} appears twice: it is also in "
                f"{lines.cells.place(first[pairs[row]])}; keep one of the two {unit}s"
            ),
        )
        model_of.append(model)
        rows_of.append(first)
    facts, of_facts = facts_of(lines)
    groups, of_groups = groups_of(lines)
    lines.cells.refuse([*problems, *of_facts, *of_groups])
    frame = _frame_of(lines, facts, groups)
    answers = []
    for name, model, first, said in zip(system.words, model_of, rows_of, facts, strict=True):
        rows = np.where(first < 0, lines.first, first)
        is_block = (np.diff(rows) == 1).all()
        part = frame[rows[0] : rows[-1] + 1] if is_block else frame.take(rows)
        part = part.set_axis(range(len(rows))).assign(pair=range(len(rows)))
        if (lacks := first < 0).any():
            part.loc[lacks, ["score", "decision", "elapsed_s"]] = None
            part.loc[lacks, ["acquired", "answered"]] = False
            part.loc[lacks, ["error", "billed"]] = NOT_ASKED, str(Charged.NO)
        known: dict[str, Any] = {"rule": rule, "people_known": True} | said
        known["people_known"] &= lines.people_by == PEOPLE
        answers.append(Answers(name=name, frame=part, model=model, **known))
    return answers


def _choose_model(
    name: str, rows: Ints, words: Words, models: Sequence[str]
) -> tuple[str | None, Ints]:
    """Return the model of a system, and its rows with this model or without a model."""
    if not words.words:
        return None, rows
    texts = words.texts[rows]
    counts = pd.Series(texts[texts != ""]).value_counts(sort=False)
    chosen = [word for word in counts.index if word in models]
    if len(counts) > 1 and len(chosen) != 1:
        shown = join_names([f"{word!r} ({count:,} lines)" for word, count in counts.items()])
        raise InvalidRequest(
            f"{name} answered with several models: {shown}. Choose the model whose answers count, "
            f"such as {format_argument('models', [counts.index[0]])}, or, to compare them, name "
            "their column system."
        )
    model = next(iter(chosen or counts.index), None)
    return model, rows[(texts == "") | (texts == model)]


def _frame_of(
    lines: Lines, facts: Sequence[Mapping[str, Any]], groups: Mapping[str, Grouping]
) -> pd.DataFrame:
    """Return a frame with the columns of `Answers` and a row for each line of all systems."""
    scores, failed = lines.score, lines.failed
    decisions = lines.meant("decision", NO_DECISION, np.int8)
    is_compared = (decisions >= 0) & (decisions != DECISIONS.index(Decision.INCONCLUSIVE))
    acquired = lines.meant("acquired", -1, np.int8)
    acquired = np.where(acquired < 0, ~np.isnan(scores) | is_compared, acquired > 0) & ~failed
    # If a system has a price, an answer is treated as charged unless its line has another charge.
    usual = [BILLED.index(Charged.YES if "price" in each else Charged.NO) for each in facts]
    charged = np.array(usual, np.int8)[lines.system.codes]
    charged[failed] = BILLED.index(Charged.NO)
    billed = lines.meant("billed", -1, np.int8)
    errors = lines.words("error")
    reasons = [*dict.fromkeys([NOT_ASKED, *errors.words])]
    codes = np.array([*map(reasons.index, errors.words), 0])[errors.codes]
    probe, reference = lines.people
    more: dict[str, Any] = {}
    if lines.named:
        more["people"] = names = lines.named[0].categories
        if unknown := range(len(names), 1 + max(probe.max(), reference.max())):
            more["people"] = [*map(str, names), *(f"unknown {number}" for number in unknown)]
    if "transaction" in lines.of:
        more["transactions"] = lines.words("transaction").codes
        more["attempts"] = lines.numbers("attempt").astype(np.int64)
    if lines.pictures:
        category = pd.CategoricalDtype(lines.pictures[0].categories)
        more["pictures"] = tuple(
            pd.Categorical.from_codes(side.codes, dtype=category) for side in lines.pictures
        )
    return frame_of(
        mated=lines.mated,
        probe_subjects=probe,
        reference_subjects=reference,
        scores=scores,
        decisions=decisions,
        acquired=acquired,
        answered=~failed,
        errors=pd.Categorical.from_codes(np.where(failed, codes, -1), reasons),
        elapsed_s=lines.numbers("elapsed_s"),
        billed=np.where(billed < 0, charged, billed),
        groups=groups,
        **more,
    )


def _with_scores_below(
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


def _notes_of_columns(files: Sequence[Lines], lines: Lines) -> Iterator[str]:
    def quoted(names: Iterable[str]) -> str:
        return join_names([repr(name[:60]) for name in names])

    for each in files:
        if each.skipped:
            of = f"{each.cells.name}: " if len(files) > 1 else ""
            yield (
                f"{of}read {quoted([*each.of.values(), *each.scores])}; columns that are "
                f"unknown or not needed were skipped: {quoted(each.skipped)}"
            )
        if distances := [name for name in each.scores if each.distance or is_distance(name)]:
            yield (
                f"scores of {quoted(distances)} are minus the distances: a threshold of -0.4 "
                "passes distances up to 0.4"
            )
    if not {*TRUTH} & lines.of.keys():
        yield "pairs with the same name on both sides are mated, because no column has labels"
    if lines.people_by == (PERSON,):
        column = next(each.of[PERSON] for each in files if PERSON in each.of)
        yield (
            f"each line names one person, {column!r}: the other people of non-mated pairs are "
            "unknown, and intervals are too narrow if one of them is in several pairs"
        )
    if not lines.people_by:
        yield "pairs are treated as independent: if a person is in two, intervals are too narrow"


def _notes_of_blanks(answers: Sequence[Answers]) -> Iterator[str]:
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
