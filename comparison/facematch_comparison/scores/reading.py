"""Read scores from CSV, JSON, Excel, Parquet, pandas or Arrow, in one file or several.

A long table has one line for each pair and system. A wide table has one line for each pair and
several columns of scores, which the user names. Several files are joined by pair.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from facematch_comparison.values.numbers import join_names
from facematch_core.backend.kinds import format_argument
from facematch_core.errors import InvalidRequest
from facematch_core.models import Charged, Decision, ThresholdRule

from .answers import BILLED, DECISIONS, NO_DECISION, NOT_ASKED, Answers, Grouping, frame_of
from .by_kind import LABEL, one_pair_per_line
from .cells import Problem, first_rows, problems_at
from .checks import check_labels, check_scales, notes_of_blanks
from .columns import LONG, PEOPLE, WIDE
from .files import read_tables
from .lines import (
    Lines,
    facts_of,
    groups_of,
    join,
    notes_of_columns,
    problems_of_cells,
    problems_of_pairs,
    recognise,
    without_repeats,
)
from .missing import Below, check_missing_scores, set_rekognition_cuts, with_scores_below

if TYPE_CHECKING:
    from .cells import Cells, Ints, Words

#: Maximum number of systems; a file with more was probably misread.
MOST: Final = 100


def read_scores(
    source: Path | pd.DataFrame | Any,
    *,
    columns: Mapping[str, str | Sequence[str]] | None = None,
    rule: ThresholdRule | None = None,
    distance: bool = False,
    no_scores: Sequence[float | str] = (),
    below: Below = None,
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
    columns = dict(columns or {})
    tables = _tables_of(source, name)
    files = []
    for own_name, cells in tables:
        apart = one_pair_per_line(cells, named=_columns_in(columns))
        if apart is not None:
            columns[f"{own_name}:mated"] = LABEL
        lines = Lines(
            cells=apart or cells,
            name=own_name,
            independent_pairs=independent_pairs,
            distance=distance,
            no_scores=no_scores,
        )
        files.append(lines)
        for text in lines.cells.notes:
            say(text)
    recognise(files, columns)
    parts: list[Lines] = []
    for lines in files:
        parts += _checked_parts(lines, below, say)
    if len(files) > 1:
        parts = [join(parts, say)]
    lines = parts[0]
    rule = ThresholdRule(rule or "at_least")
    answers = [each for part in parts for each in _answers(part, rule, models)]
    check_labels(files, lines, answers)
    if "acquired" not in lines.of:
        check_missing_scores(answers, below)
    if all(isinstance(mark, str) for mark in no_scores):  # a number says that all others are scores
        check_scales(answers, say)
    if below is not None:
        answers = with_scores_below(answers, below, say)
    for text in (*notes_of_columns(files, lines), *notes_of_blanks(answers)):
        say(text)
    return answers


def _checked_parts(lines: Lines, below: Below, say: Callable[[str], object]) -> Sequence[Lines]:
    """Return the table, or one for each system of a wide table; raise if cells are wrong."""
    parts = without_repeats(lines, say).parts()
    set_rekognition_cuts(parts, below, say)
    problems = [problem for part in parts for problem in problems_of_cells(part)]
    parts[0].cells.refuse(problems)
    return parts


def _tables_of(source: object, name: str | None) -> list[tuple[str, Cells]]:
    """Return each table of each source, with the name of its system if no column names one."""
    sources = list(source) if isinstance(source, (list, tuple)) else [source]
    tables = []
    for each in sources:
        stem = Path(each).stem if isinstance(each, (str, Path)) else "scores"
        for cells in read_tables(each, what="comparison", example=f"{WIDE} or {LONG}"):
            tables.append((cells.sheet or stem, cells))
    if len(tables) == 1 and name is not None:
        ((_, cells),) = tables
        return [(name, cells)]
    return tables


def _columns_in(columns: Mapping[str, str | Sequence[str]]) -> list[str]:
    """Return the names of all columns that the user names."""
    names: list[str] = []
    for named in columns.values():
        names += [named] if isinstance(named, str) else named
    return names


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
