"""Read scores from CSV, JSON, Excel, Parquet, pandas or Arrow, in one file or several.

A long table has one line for each pair and system. A wide table has one line for each pair and
several columns of scores, which the user names. Several files are joined by pair.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs
import numpy as np
import pandas as pd

from facematch_comparison.values.numbers import join_names
from facematch_core.backend.kinds import format_argument
from facematch_core.errors import InvalidRequest
from facematch_core.models import Charged, Decision, ThresholdRule

from .answers import BILLED, DECISIONS, NO_DECISION, NOT_ASKED, Answers, Grouping, frame_of
from .attributes import groupings, system_attributes
from .by_kind import LABEL, one_pair_per_line
from .checks import check_labels, check_scales, notes_of_blanks
from .columns import LONG, PEOPLE, WIDE
from .files import read_tables
from .joining import join
from .missing import Below, check_missing_scores, set_rekognition_cuts, with_scores_below
from .problems import problems_of_cells, problems_of_pairs
from .raw_table import Problem, first_rows, problems_at
from .recognition import notes_of_columns, recognise
from .repeats import without_repeats
from .score_table import ScoreTable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .raw_table import Categories, Ints, RawTable

#: Maximum number of systems; a file with more was probably misread.
MOST_SYSTEMS: Final = 100


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
            then means a lower score, not a failure to acquire. If a file in a list has no empty
            cell, so does a missing line for a pair that another file labels. Can be a mapping by
            system.
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
    notify = note or (lambda _text: None)
    columns = dict(columns or {})
    files = []
    for own_name, raw in _named_tables(source, name):
        by_kind = one_pair_per_line(raw, columns_named=_columns_in(columns))
        if by_kind is not None:
            columns[f"{own_name}:mated"] = LABEL
        table = ScoreTable(
            raw=by_kind or raw,
            name=own_name,
            independent_pairs=independent_pairs,
            all_are_distances=distance,
            missing_score_marks=no_scores,
        )
        files.append(table)
        for text in table.raw.notes:
            notify(text)
    recognise(files, columns)
    tables = _checked_tables(files, below, notify)
    answers = []
    for table in tables:
        answers += _answers_of(table, ThresholdRule(rule or "at_least"), models)
    check_labels(files, tables[0], answers)
    check_missing_scores(answers, tables[0], below)
    # A number among the marks, such as NaN, says that all other numbers are scores.
    if all(isinstance(mark, str) for mark in no_scores):
        check_scales(answers, notify)
    if below is not None:
        answers = with_scores_below(answers, below, notify)
    for text in (*notes_of_columns(files, tables[0]), *notes_of_blanks(answers)):
        notify(text)
    return answers


def _named_tables(source: object, name: str | None) -> list[tuple[str, RawTable]]:
    """Return each table of each source, with the name of its system if no column names one."""
    sources = list(source) if isinstance(source, (list, tuple)) else [source]
    tables = []
    for part in sources:
        stem = Path(part).stem if isinstance(part, (str, Path)) else "scores"
        for table in read_tables(part, row_name="comparison", example=f"{WIDE} or {LONG}"):
            tables.append((table.sheet or stem, table))
    if len(tables) == 1 and name is not None:
        ((_, table),) = tables
        return [(name, table)]
    return tables


def _columns_in(columns: Mapping[str, str | Sequence[str]]) -> list[str]:
    """Return the names of all columns that the user names."""
    names: list[str] = []
    for named in columns.values():
        names += [named] if isinstance(named, str) else named
    return names


def _checked_tables(
    files: Sequence[ScoreTable], below: Below, notify: Callable[[str], object]
) -> Sequence[ScoreTable]:
    """Return the joined table, the only one, or one for each system of a wide table.

    Raise if cells are invalid.
    """
    all_tables: list[ScoreTable] = []
    for file in files:
        tables = without_repeats(file, notify).split_by_system()
        set_rekognition_cuts(tables, below, notify)
        problems: list[Problem] = []
        for table in tables:
            problems += problems_of_cells(table)
        tables[0].raw.refuse(problems)
        all_tables += tables
    return [join(all_tables, below, notify)] if len(files) > 1 else all_tables


@attrs.frozen
class _SystemLines:
    """The lines of one system.

    Attributes:
        model: The model whose answers are used; None if there is none.
        line_of_pair: Ints, (pairs,): the line with the answer to each pair; -1 without an answer of
            this model.
    """

    name: str
    model: str | None
    line_of_pair: Ints


def _answers_of(table: ScoreTable, rule: ThresholdRule, models: Sequence[str]) -> list[Answers]:
    """Return the answers of each system; raise if lines contradict each other."""
    names = table.systems.words
    if len(names) > MOST_SYSTEMS:
        text = f"there are {len(names):,} systems, but at most {MOST_SYSTEMS} can be compared"
        table.raw.refuse([Problem(text)])
    problems = list(problems_of_pairs(table))
    systems = []
    for code, name in enumerate(names):
        lines: Ints = np.flatnonzero(table.systems.codes == code)
        systems.append(_lines_of_system(table, name, lines, models, problems))
    attributes = system_attributes(table)
    groups = groupings(table)
    table.raw.refuse([*problems, *attributes.problems, *groups.problems])
    frame = _frame_of_lines(table, attributes.of_systems, groups.by_name)
    answers = []
    for system, stated in zip(systems, attributes.of_systems, strict=True):
        known_columns: dict[str, Any] = {"rule": rule, "people_known": True, **stated}
        known_columns["people_known"] &= table.people_fields == PEOPLE
        part = _frame_of_system(frame, table, system)
        answers.append(Answers(name=system.name, frame=part, model=system.model, **known_columns))
    return answers


def _lines_of_system(
    table: ScoreTable,
    name: str,
    lines: Ints,
    models: Sequence[str],
    problems: list[Problem],
) -> _SystemLines:
    """Return the line of each pair; add problems with pairs that are missing or repeated."""
    unit = table.raw.unit
    pairs = table.pairs
    count = len(table.first_of_pair)
    line_of_pair = first_rows(pairs, lines, size=count)
    if table.name:  # if not, `join` has noted missing pairs
        problems += problems_at(
            table.first_of_pair[line_of_pair < 0],
            lambda line: (
                f"the pair {table.pair_name(line)} has no {unit} for {name[:60]!r}; all systems "
                f"need the same pairs (if there was no answer, add a {unit} with an error)"
            ),
        )
    model, lines = _choose_model(name, lines, table.categories("model"), models)
    if model:
        line_of_pair = first_rows(pairs, lines, size=count)
    is_once = np.count_nonzero(line_of_pair >= 0) == len(lines)
    if not is_once:
        problems += problems_at(
            lines[line_of_pair[pairs[lines]] != lines],
            lambda line: (
                f"the pair {table.pair_name(line)} of {name[:60]!r} appears twice: it is also in "
                f"{table.raw.place_of(line_of_pair[pairs[line]])}; keep one of the two {unit}s"
            ),
        )
    return _SystemLines(name, model, line_of_pair)


def _choose_model(
    name: str, lines: Ints, model_of_line: Categories, models: Sequence[str]
) -> tuple[str | None, Ints]:
    """Return the model of a system, and its lines with this model or without a model."""
    if not model_of_line.words:
        return None, lines
    texts = model_of_line.texts[lines]
    counts = pd.Series(texts[texts != ""]).value_counts(sort=False)
    chosen = [model for model in counts.index if model in models]
    if len(counts) > 1 and len(chosen) != 1:
        model_counts = join_names(
            [f"{model!r} ({count:,} lines)" for model, count in counts.items()]
        )
        raise InvalidRequest(
            f"{name} answered with several models: {model_counts}. Choose the model whose answers "
            f"count, such as {format_argument('models', [counts.index[0]])}, or, to compare them, "
            "name their column system."
        )
    model = next(iter(chosen or counts.index), None)
    return model, lines[(texts == "") | (texts == model)]


def _frame_of_system(frame: pd.DataFrame, table: ScoreTable, system: _SystemLines) -> pd.DataFrame:
    """Return one row for each pair; pairs without a line of the system were not asked."""
    is_missing = system.line_of_pair < 0
    lines = np.where(is_missing, table.first_of_pair, system.line_of_pair)
    if (np.diff(lines) == 1).all():
        rows = frame[lines[0] : lines[-1] + 1]  # without a copy
    else:
        rows = frame.take(lines)
    rows = rows.set_axis(range(len(lines))).assign(pair=range(len(lines)))
    if is_missing.any():
        rows.loc[is_missing, ["score", "decision", "elapsed_s"]] = None
        rows.loc[is_missing, ["acquired", "answered"]] = False
        rows.loc[is_missing, "error"] = NOT_ASKED
        rows.loc[is_missing, "billed"] = str(Charged.NO)
    return rows


def _frame_of_lines(
    table: ScoreTable, attributes: Sequence[Mapping[str, Any]], groups: Mapping[str, Grouping]
) -> pd.DataFrame:
    """Return a frame with the columns of `Answers` and a row for each line of all systems."""
    decisions = table.decode("decision", default=NO_DECISION, dtype=np.int8)
    probe, reference = table.people
    optional: dict[str, Any] = {}
    if table.named_people:
        optional["people"] = _names_of_people(table)
    if "transaction" in table.column_of:
        optional["transactions"] = table.categories("transaction").codes
        optional["attempts"] = table.numbers("attempt").astype(np.int64)
    if table.pictures:
        dtype = pd.CategoricalDtype(table.pictures[0].index)
        optional["pictures"] = tuple(
            pd.Categorical.from_codes(picture_column.codes, dtype=dtype)
            for picture_column in table.pictures
        )
    return frame_of(
        mated=table.mated,
        probe_subjects=probe,
        reference_subjects=reference,
        scores=table.scores,
        decisions=decisions,
        acquired=_acquired(table, decisions),
        answered=~table.has_failed,
        errors=_errors(table),
        elapsed_s=table.numbers("elapsed_s"),
        billed=_billed(table, attributes),
        groups=groups,
        **optional,
    )


def _acquired(table: ScoreTable, decisions: NDArray[np.int8]) -> NDArray[np.bool_]:
    """Return whether two faces were compared: as a column says, or by a score or a decision."""
    stated = table.decode("acquired", default=-1, dtype=np.int8)
    inconclusive = DECISIONS.index(Decision.INCONCLUSIVE)
    is_compared = (decisions >= 0) & (decisions != inconclusive) | ~np.isnan(table.scores)
    return np.where(stated < 0, is_compared, stated > 0) & ~table.has_failed


def _errors(table: ScoreTable) -> pd.Categorical:
    """Return the reason for each missing answer."""
    errors = table.categories("error")
    reasons = list(dict.fromkeys([NOT_ASKED, *errors.words]))
    # The last code is of an empty cell, which has the code -1.
    code_of_error = [reasons.index(word) for word in errors.words]
    code_of_error.append(reasons.index(NOT_ASKED))
    codes = np.full(len(table), -1, np.int32)
    failed_lines = np.flatnonzero(table.has_failed)
    codes[failed_lines] = np.array(code_of_error)[errors.codes[failed_lines]]
    return pd.Categorical.from_codes(codes, reasons)


def _billed(table: ScoreTable, attributes: Sequence[Mapping[str, Any]]) -> NDArray[np.int8]:
    """Return the charge of each line.

    If a system has a price, an answer is treated as charged unless its line has another charge.
    """
    usual_charge = [
        BILLED.index(Charged.YES if "price" in of_system else Charged.NO)
        for of_system in attributes
    ]
    charges = np.array(usual_charge, np.int8)[table.systems.codes]
    charges[table.has_failed] = BILLED.index(Charged.NO)
    stated = table.decode("billed", default=-1, dtype=np.int8)
    return np.where(stated < 0, charges, stated)


def _names_of_people(table: ScoreTable) -> pd.Index | list[str]:
    """Return the name of each person's number; people without a name are ``unknown 3``."""
    names = table.named_people[0].index
    probe, reference = table.people
    count = 1 + int(max(probe.max(), reference.max()))
    if count <= len(names):
        return names
    unknown = [f"unknown {number}" for number in range(len(names), count)]
    return [*map(str, names), *unknown]
