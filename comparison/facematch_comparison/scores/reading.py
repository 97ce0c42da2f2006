"""Read scores: CSV, JSON, Excel, Parquet, pandas and Arrow, from one file or several.

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
from facematch_core.backend.kinds import argument, nearest
from facematch_core.errors import InvalidRequest
from facematch_core.models import Charged, Decision, ThresholdRule

from .answers import BILLED, DECISIONS, NO_DECISION, NOT_ASKED, Answers, Grouping, frame_of
from .cells import Problem, first_rows, problems_at, read_cells
from .checks import facts_of, groups_of, problems_of_cells, problems_of_pairs
from .columns import LONG, PEOPLE, PERSON, TRUTH, WIDE, ColumnsNotRecognised
from .joining import join_files
from .lines import MINUS_DISTANCE, Lines
from .recognise import check_complete, recognise

if TYPE_CHECKING:
    from pandas import DataFrame

    from .cells import Ints

#: Maximum number of systems; a file with more was misread.
MOST: Final = 100

#: If this many mated pairs all score above this many others, labels may be the system's answers.
ENOUGH_APART: Final = 20

#: If this many pairs, and half of all, have the lowest score, it may mean a missing score.
_MANY_ALIKE: Final = 20

#: Columns of a pair about which a system was not asked.
_BLANK: Final = {
    "score": np.nan,
    "decision": None,
    "acquired": False,
    "answered": False,
    "error": NOT_ASKED,
    "elapsed_s": np.nan,
    "billed": str(Charged.NO),
}


def read_scores(
    source: Path | DataFrame | Any,
    *,
    columns: Mapping[str, str | Sequence[str]] | None = None,
    rule: ThresholdRule | None = None,
    distance: bool = False,
    no_scores: Sequence[float] = (),
    below: float | Mapping[str, float] | None = None,
    independent_pairs: bool = False,
    models: Sequence[str] = (),
    name: str | None = None,
    note: Callable[[str], object] | None = None,
) -> list[Answers]:
    """Read the answers of systems to pairs.

    Columns are recognised by name; the reference lists the names. Numbers are read as scores only
    from columns with a known name (``score``, ``similarity``, ``distance``) or named in `columns`.
    A system's own answer (``match``, ``verified``) is its decision, never the ground truth. An
    answer without a score or a decision is a failure to acquire and counts as an error of a mated
    pair. An answer with an ``error`` is not counted in any rate.

    People are named by ``probe_subject`` and ``reference_subject``. Without both names,
    `Answers.people_known` is False, and the file needs ``person`` (one person a line) or the
    pictures ``image1`` and ``image2``: pictures joined by mated pairs are of one person.

    Args:
        source: A CSV file (commas, or semicolons or tabs with decimal commas), JSON records, an
            Excel workbook, a Parquet file, a pandas DataFrame or a pyarrow Table; or a list of
            files, which are joined by pair. In a list, each file with one system is named by its
            stem, and a file without scores gives labels and people.
        columns: Names of the source's columns, keyed by our name or a known name: ``{"mated":
            "same_guy"}``. Pass a list of columns for ``score`` if each is a system. In a list of
            files, the key ``"azure:score"`` applies only to the file ``azure.csv``.
        rule: How scores are compared with a threshold if the file does not say; AT_LEAST by
            default.
        distance: Whether all scores are distances, whatever their columns are called. Scores and
            thresholds are then negative distances: -0.4 passes distances up to 0.4.
        no_scores: Numbers that mean a missing score, such as -1. By default a number that
            looks like a missing score is rejected; NaN declares that no number means one.
        below: A threshold below which the system returns no score: an empty cell means a score
            below it (Rekognition: 80), not a failure. For several systems, thresholds by name.
        independent_pairs: Whether no person is in more than one pair, for files that name no
            people. If that is wrong, intervals are too narrow.
        models: Models whose answers count if a system answered with several; the answers of its
            other models count as not asked.
        name: Name of the system if no column names one; by default the stem of the file.
        note: Called with a sentence about each assumption made.

    Returns:
        The answers of each system, in the order of the file; pairs in the order of their first
        lines.

    Raises:
        ColumnsNotRecognised: a column is missing or ambiguous; or the scores exactly follow labels
            that are not in `columns`.
        InvalidRequest: a file cannot be read, files do not join, or lines are wrong; all of them
            are listed.
    """
    say = note or (lambda _text: None)
    sources = list(source) if isinstance(source, (list, tuple)) else [source]
    stems = [Path(each).stem if isinstance(each, (str, Path)) else "scores" for each in sources]
    is_joined = len(sources) > 1
    files = [
        Lines(
            cells=read_cells(each, what="comparison", example=f"{WIDE} or {LONG}"),
            name=stem if is_joined else name or stem,
            independent_pairs=independent_pairs,
            distance=distance,
            no_scores=no_scores,
        )
        for each, stem in zip(sources, stems, strict=True)
    ]
    for text in [text for lines in files for text in lines.cells.notes]:
        say(text)
    _recognise(files, stems, columns or {})
    check_complete(files)
    for lines in files:
        lines.cells.refuse(problems_of_cells(lines))
    lines = join_files(files, say) if is_joined else files[0]
    answers = _answers(lines, ThresholdRule(rule or "at_least"), models)
    _ask_whose_labels(files, lines, answers)
    if below is not None:
        answers = _with_scores_below(answers, below, say)
    for text in (*_notes(lines, files), *_notes_of_blanks(answers)):
        say(text)
    return answers


def _recognise(
    files: Sequence[Lines], stems: Sequence[str], columns: Mapping[str, str | Sequence[str]]
) -> None:
    """Recognise the columns of each file: those that the user names, and those with known names."""
    named = [
        (Path(file).stem, ours, column)
        for key, of in columns.items()
        for file, _, ours in [key.rpartition(":")]
        for column in ([of] if isinstance(of, str) else of)
    ]
    for file, _, _ in named:
        if file and file not in stems:
            raise InvalidRequest(f"No file is called {file[:60]!r}; {nearest(file, stems)}")
    headers = {name for lines in files for name in lines.cells.header}
    for stem, lines in zip(stems, files, strict=True):
        own = [
            (ours, column)
            for file, ours, column in named
            # A name without a file applies to every file that has such a column.
            if file == stem
            or (not file and (column in lines.cells.header or column not in headers))
        ]
        recognise(lines, own)


def _ask_whose_labels(files: Sequence[Lines], lines: Lines, answers: Sequence[Answers]) -> None:
    """Raise if scores exactly follow labels that neither the user nor people's names confirm.

    A log may call a system's own answers anything. If they were taken for labels, the system would
    never err, and no test of its scores could reveal the mistake.
    """
    truth = {
        ours: each.of[ours]
        for each in files
        for ours in TRUTH
        if ours in each.of and {"score", "decision"} & each.held  # not a list of pairs
    }
    if not truth or lines.people_by == PEOPLE or any({*TRUTH} & each.named for each in files):
        return
    column, name = next(iter(truth.items()))
    for each in answers:
        is_there, scores = each.scored, each.scores
        if not is_there.any():
            is_there = each.decisions >= 0
            scores = each.decisions == DECISIONS.index(Decision.MATCH)
        mated, others = (scores[is_there & kind] for kind in (each.mated, ~each.mated))
        if min(len(mated), len(others)) >= ENOUGH_APART and mated.min() > others.max():
            what = (
                f"{lines.cells.name}: {name[:60]!r} follows the answers of {each.name} exactly, "
                f"all {len(mated):,} mated pairs above all {len(others):,} others; nothing was "
                f"judged. Does it say who is in the pictures, and not what {each.name} answered?"
            )
            raise ColumnsNotRecognised(what, columns={column: name})


def _answers(lines: Lines, rule: ThresholdRule, models: Sequence[str]) -> list[Answers]:
    """Return the answers of each system; raise if lines contradict each other."""
    system, size = lines.system, len(lines.first)
    if len(system.words) > MOST:
        text = f"there are {len(system.words):,} systems, and at most {MOST} can be compared"
        lines.cells.refuse([Problem(text)])
    model_of, counts = _choose_models(lines, models)
    # The first line of each system and pair: of any model, and of the models that count.
    keys = system.codes.astype(np.int64) * size + lines.pairs
    of_any = first_rows(keys, size=len(system.words) * size)
    first = of_any if counts is None else first_rows(keys, counts, size=len(of_any))
    rows = np.arange(len(lines), dtype=np.int32) if counts is None else counts
    is_once = np.count_nonzero(first >= 0) == len(rows)
    again = rows[:0] if is_once else rows[first[keys[rows]] != rows]
    problems = [*problems_of_pairs(lines, again, first[keys[again]])]
    unit = lines.cells.unit
    for name, its in zip(system.words, of_any.reshape(-1, size), strict=True):
        problems += problems_at(
            lines.first[its < 0] if unit else [],  # unjoined pairs were noted
            lambda row, name=name: (
                f"the pair {lines.pair_of(row)} has no {unit} for {name[:60]!r}; all systems need "
                "the same pairs (a line whose error is filled says that there was no answer)"
            ),
        )
    facts, of_facts = facts_of(lines)
    groups, of_groups = groups_of(lines)
    lines.cells.refuse([*problems, *of_facts, *of_groups])
    frame = _frame_of(lines, facts, groups)
    answers = []
    for name, model, its, said in zip(
        system.words, model_of, first.reshape(-1, size), facts, strict=True
    ):
        its_rows = np.where(its < 0, lines.first, its)
        is_block = (np.diff(its_rows) == 1).all()
        part = frame[its_rows[0] : its_rows[-1] + 1] if is_block else frame.take(its_rows)
        part = part.set_axis(range(size))
        if its.min() < 0:
            part.loc[its < 0, [*_BLANK]] = [*_BLANK.values()]
        known: dict[str, Any] = {"rule": rule, "people_known": True} | said
        known["people_known"] &= lines.people_by == PEOPLE
        if name in lines.distances:
            known["scale"] = MINUS_DISTANCE
            known |= {"threshold": -said["threshold"]} if "threshold" in said else {}
        answers.append(Answers(name=name, frame=part, model=model, **known))
    return answers


def _choose_models(lines: Lines, models: Sequence[str]) -> tuple[list[str | None], Ints | None]:
    """Return each system's model, and the lines of chosen models; None for all lines."""
    system, words = lines.system, lines.words("model")
    if not words.words:
        return [None] * len(system.words), None
    counts, texts = ~words.filled, words.texts
    model_of: list[str | None] = []
    for at, name in enumerate(system.words):
        its = words.filled & (system.codes == at)
        lines_of = pd.Series(texts[its]).value_counts(sort=False)
        chosen = [word for word in lines_of.index if word in models]
        if len(lines_of) > 1 and len(chosen) != 1:
            shown = [f"{word!r} ({count:,} lines)" for word, count in lines_of.items()]
            raise InvalidRequest(
                f"{name} answered with several models: {join_names(shown)}. Two models are two "
                "systems: say whose answers count, such as "
                f"{argument('models', [lines_of.index[0]])}."
            )
        model = next(iter(chosen or lines_of.index), None)
        model_of.append(model)
        counts |= its & (texts == model)
    return model_of, np.flatnonzero(counts)


def _frame_of(
    lines: Lines, facts: Sequence[Mapping[str, Any]], groups: Mapping[str, Grouping]
) -> DataFrame:
    """Return the frame of `Answers` of all systems, with a row for each line."""
    scores, failed = lines.score, lines.failed
    decisions = lines.meant("decision", NO_DECISION, np.int8)
    is_compared = (decisions >= 0) & (decisions != DECISIONS.index(Decision.INCONCLUSIVE))
    acquired = lines.meant("acquired", -1, np.int8)
    acquired = np.where(acquired < 0, ~np.isnan(scores) | is_compared, acquired > 0) & ~failed
    # If a system has a price, an answer counts as charged unless its line says otherwise.
    usual = [BILLED.index(Charged.YES if "price" in each else Charged.NO) for each in facts]
    charged = np.array(usual, np.int8)[lines.system.codes]
    charged = np.where(failed, BILLED.index(Charged.NO), charged)
    billed = lines.meant("billed", -1, np.int8)
    errors = lines.words("error")
    reasons = [*dict.fromkeys([NOT_ASKED, *errors.words])]
    codes = np.array([*map(reasons.index, errors.words), 0])[errors.codes]
    probe, reference = lines.people
    more: dict[str, Any] = {}
    if names := lines.person_names:
        count = 1 + max(probe.max(), reference.max())
        more["people"] = [*names, *(f"unknown {number}" for number in range(len(names), count))]
    if "transaction" in lines.of:
        attempts = lines.words("attempt")
        more["transactions"] = lines.words("transaction").codes
        more["attempts"] = np.array([*map(int, attempts.words)], np.int64)[attempts.codes]
    if lines.pictures:
        category = pd.CategoricalDtype(pd.Index(lines.pictures[0].words))
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
    ).assign(pair=lines.pairs.astype(np.int64))


def _with_scores_below(
    answers: list[Answers],
    below: float | Mapping[str, float],
    say: Callable[[str], object],
) -> list[Answers]:
    """Fill the empty scores of systems that return no score below a threshold."""
    names = [each.name for each in answers]
    if not isinstance(below, Mapping):
        if len(answers) > 1:
            raise InvalidRequest(
                f"Say whose scores are missing below {below:g}, such as "
                f"{names[0]}={below:g}; there are {join_names(names)}."
            )
        below = {names[0]: below}
    filled = list(answers)
    for name, threshold in below.items():
        if name not in names:
            raise InvalidRequest(f"No system is called {name[:60]!r} here; {nearest(name, names)}")
        each = answers[names.index(name)]
        lower = int(np.count_nonzero(each.scores < threshold))
        if lower or each.scale == MINUS_DISTANCE:
            raise InvalidRequest(
                f"{name} has distances, or scores below {threshold:g} ({lower:,}): its empty cells "
                "mean something else."
            )
        inconclusive = each.decisions == DECISIONS.index(Decision.INCONCLUSIVE)
        empty = each.answered & np.isnan(each.scores) & ~inconclusive
        # Fill in a score one unit of the last decimal below the vendor's threshold, so that no
        # lower threshold is chosen.
        given = each.scores[~np.isnan(each.scores)]
        places = next((n for n in range(6) if (given == given.round(n)).all()), 6)
        just_below = round(threshold - 10.0**-places, places)
        frame = each.frame.assign(
            score=np.where(empty, just_below, each.scores), acquired=each.acquired | empty
        )
        filled[names.index(name)] = attrs.evolve(each, frame=frame)
        say(
            f"{name}: {int(empty.sum()):,} pairs without a score count as {just_below:g}, just "
            f"below {threshold:g}; no threshold below {threshold:g} can be judged"
        )
    return filled


def _notes(lines: Lines, files: Sequence[Lines]) -> Iterator[str]:
    def quoted(names: Iterable[str]) -> str:
        return join_names([repr(name[:60]) for name in names])

    for each in files:
        if each.skipped:
            of = f"{each.cells.name}: " if len(files) > 1 else ""
            yield (
                f"{of}read {quoted([*each.of.values(), *each.scores])}; not read, because their "
                f"names are not known or not needed: {quoted(each.skipped)}"
            )
        if distances := [*filter(each.is_distance, each.scores)]:
            yield (
                f"scores of {quoted(distances)} are minus the distances: a threshold of -0.4 "
                "passes distances of 0.4 and less"
            )
    if not {*TRUTH} & lines.of.keys():
        yield "a pair is mated where both people have one name, for no column says which pairs are"
    if lines.people_by == (PERSON,):
        column = next(each.of[PERSON] for each in files if PERSON in each.of)
        yield (
            f"each line is of one person, {column!r}: who the others of non-mated pairs are is not "
            "known, and intervals are too narrow if they come again"
        )
    if not lines.people_by:
        yield "all pairs are treated as independent: intervals are too narrow if people come again"


def _notes_of_blanks(answers: Sequence[Answers]) -> Iterator[str]:
    """Yield notes about empty cells and about scores that may mean a missing score."""
    empty = []
    for each in answers:
        if count := int((each.answered & ~each.acquired & (each.decisions < 0)).sum()):
            empty.append(f"{count:,} of {each.name}")
        others = each.scores[each.scored & ~each.mated]
        lowest = others[others == others.min(initial=np.inf)]
        if len(lowest) >= max(_MANY_ALIKE, len(others) / 2):
            yield (
                f"{each.name}: {len(lowest):,} of {len(others):,} non-mated pairs have the score "
                f"{lowest[0]:g}, and a threshold just above it may be chosen"
            )
    if empty:
        yield (
            f"pairs without a score count as failures to acquire: {join_names(empty)}. If the "
            f"vendor omits scores below its own threshold (Rekognition: 80), give "
            f"{argument('below', 80)}"
        )
