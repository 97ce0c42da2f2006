"""Read scores from CSV, JSON, Excel, Parquet, pandas or Arrow, in one file or several.

A long table has one line for each pair and system. A wide table has one line for each pair and
several columns of scores, which the user names. Several files are joined by pair.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import attrs
import numpy as np
import pandas as pd

from facematch_comparison.values.numbers import join_names
from facematch_core.errors import InvalidRequest
from facematch_core.models import Charged, Decision, ThresholdRule

from .answers import BILLED, DECISIONS, NO_DECISION, NOT_ASKED, Answers, Grouping, frame_of
from .attributes import groupings, system_attributes
from .cells import distinct_words, first_rows, note_of_spellings, texts_of
from .checks import check_labels, check_scales, notes_of_blanks
from .columns import LONG, PEOPLE, PICTURES, WIDE
from .files import Tables, read_tables
from .joining import join
from .lines import (
    decode,
    finish_scores,
    lines_by_system,
    names_of_people,
    pair_name,
    read_lines,
    words_in,
)
from .missing import Below, check_missing_scores, rekognition_cut, with_scores_below
from .problems import problems_of_cells, problems_of_pairs
from .recognition import notes_of_columns, recognise
from .source_table import Problem, SourceTable, problems_at

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .source_table import Ints

#: How a system's threshold is passed: by a score above it or at least as high, or by a distance
#: below it or at most as high.
ScoreRule: TypeAlias = Literal["above", "at_least", "below", "at_most"]

#: The rules of scores. A distance is read as a score, minus the distance.
_RULES: Final = {
    "above": ThresholdRule.ABOVE,
    "at_least": ThresholdRule.AT_LEAST,
    "below": ThresholdRule.ABOVE,
    "at_most": ThresholdRule.AT_LEAST,
}

#: Maximum number of systems; a file with more was probably misread.
MOST_SYSTEMS: Final = 100


def read_scores(
    source: Path | pd.DataFrame | Any,
    *,
    columns: Mapping[str, str | Sequence[str]] | None = None,
    rule: ScoreRule | None = None,
    no_scores: Sequence[float | str] = (),
    below: Below = None,
    independent_pairs: bool = False,
    name: str | None = None,
    note: Callable[[str], object] | None = None,
) -> list[Answers]:
    """Read the answers of one or more systems.

    Columns are recognised by name; the documentation lists the names. Numbers are read as scores
    only from columns with a known name (``score``, ``similarity``, ``distance``) or named in
    `columns`. A system's own answer (``match``, ``verified``) is its decision, never the ground
    truth. An answer without a score or a decision is a failure to acquire, which is an error for a
    mated pair. A line with an ``error`` has no answer and is excluded from all error rates.

    ``probe_subject`` and ``reference_subject`` name the people; names that differ only in capitals,
    or in how an accent is stored, are one person, with a note. Without both columns,
    `Answers.people_known` is False, and the file needs ``person`` (one person per line) or the
    pictures ``image1`` and ``image2``: pictures connected by mated pairs are treated as one person.

    Args:
        source: A CSV file (commas, or semicolons or tabs with decimal commas), JSON records, an
            Excel workbook, a Parquet file, a pandas DataFrame, or any table that has
            ``__arrow_c_stream__`` (of Arrow or Polars, a relation of DuckDB); or a list of files,
            which are joined by pair. In a list, the stem of each file names its system, and a file
            without scores provides the labels and people.
        columns: Names of the source's columns, keyed by our name or a known name: ``{"mated":
            "same_guy"}``. ``{"decision": ""}`` ignores a column. For ``score``, pass a list of
            columns if there is one per system. In a list of files, the key ``"azure:score"``
            applies only to the file ``azure.csv``.
        rule: How a threshold is passed if no column has the rule: ``above`` or, by default,
            ``at_least``. With ``below`` and ``at_most``, all scores are distances, regardless of
            column names. Scores and thresholds are then negative distances: -0.4 passes distances
            up to 0.4.
        no_scores: Numbers and words that mean that no face was found, such as -1 or ``no face``;
            "" says so of empty cells.
            By default, a word is rejected, and so is a number that seems to mean a missing score;
            NaN declares that all numbers are scores.
        below: The threshold below which a system returns no score (Rekognition: 80). An empty cell
            then means a lower score, not a failure to acquire. If a file in a list has no empty
            cell, so does a missing line for a pair that another file labels. Can be a mapping by
            system.
        independent_pairs: Whether no person is in more than one pair, for files that name no
            people. If that is wrong, intervals are too narrow.
        name: Name of the system if no column names one; by default the stem of the file.
        note: Called with a sentence about each assumption made.

    Returns:
        The answers of each system, in the order of the file. Pairs are in the order of their first
        lines.

    Raises:
        ColumnsNotRecognised: a column is missing or ambiguous; or the answers match the labels
            perfectly, and the column of labels is not in `columns`, and no name such as
            ``expected`` says that it is the truth.
        InvalidRequest: a file cannot be read, files cannot be joined, or lines are invalid; the
            error lists all of them.
    """
    if rule is not None and rule not in _RULES:
        raise InvalidRequest(f"`rule` must be one of {', '.join(_RULES)}, not {rule!r}.")
    notify = note or (lambda _text: None)
    columns = dict(columns or {})
    # Only `_checked_lines` keeps the cells, and frees them.
    cells_of = _read_sources(source, name)
    for file in cells_of:
        for text in file.notes:
            notify(text)
        file.independent_pairs = independent_pairs
        file.all_are_distances = rule in ("below", "at_most")
        file.missing_score_marks = no_scores
    recognise(cells_of, columns)
    files = list(cells_of)
    threshold_of: dict[str, float] = {}
    lines_of = _checked_lines(cells_of, below, notify, threshold_of)
    judged = next(iter(lines_of))
    answers = []
    for file, lines in lines_of.items():
        answers += _answers_of(file, lines, _RULES[rule or "at_least"])
    check_labels(files, judged, answers, notify)
    check_missing_scores(answers, judged, below, no_scores)
    # A number among the marks, such as NaN, says that all other numbers are scores.
    if all(isinstance(mark, str) for mark in no_scores):
        check_scales(answers, notify)
    if below is not None:
        answers = with_scores_below(answers, below, notify)
        if isinstance(below, Mapping):
            threshold_of.update(below)
        else:
            threshold_of.update((system.name, below) for system in answers)
    for text in (*notes_of_columns(files, judged), *notes_of_blanks(answers, threshold_of)):
        notify(text)
    return answers


def _read_sources(source: object, name: str | None) -> Tables:
    """Return each table of each source; its name is that of the system if no column names one."""
    sources = list(source) if isinstance(source, (list, tuple)) else [source]
    cells_of: Tables = {}
    for part in sources:
        tables = read_tables(part, row_name="comparison", example=f"{WIDE} or {LONG}")
        stem = Path(part).stem if isinstance(part, (str, Path)) else "scores"
        for file in tables:
            file.name = file.name or file.sheet or stem
        cells_of |= tables
    if len(cells_of) == 1 and name is not None:
        for file in cells_of:
            file.name = name
    return cells_of


def _checked_lines(
    cells_of: Tables,
    below: Below,
    notify: Callable[[str], object],
    threshold_of: dict[str, float],
) -> Tables:
    """Return the joined lines, those of the only file, or those of each system of a wide one.

    Raise if cells are invalid. `cells_of` is emptied, to free the memory. Rekognition's own
    threshold is added to `threshold_of` for each system that omits scores below it.
    """
    is_one_file = len(cells_of) == 1
    all_lines: Tables = {}
    for file in list(cells_of):
        cells = cells_of.pop(file)
        lines_of = lines_by_system(file, cells)
        if file.merged_spellings:
            of_file = "" if is_one_file else f"{file.name}: "
            notify(of_file + note_of_spellings(file.merged_spellings))
        cuts = {}
        for system, lines in lines_of.items():
            cut = rekognition_cut(system, cells, lines, below, notify)
            cuts[system] = cut
            if cut is not None:
                names = distinct_words(words_in(lines, "system"))
                threshold_of.update(dict.fromkeys(names, cut))
        problems: list[Problem] = []
        for system, lines in lines_of.items():
            numbers = lines["score"].to_numpy()
            scores = finish_scores(system, cells, numbers, cuts[system])
            problems += problems_of_cells(system, cells, lines, scores)
            lines["score"] = scores
        next(iter(lines_of)).refuse(problems)
        all_lines |= lines_of
    if is_one_file:
        return all_lines
    joined, cells = join(all_lines, below, notify)
    lines = read_lines(joined, cells)
    lines["score"] = cells.get("score", np.nan)
    return {joined: lines}


@attrs.frozen
class _SystemLines:
    """The lines of one system.

    Attributes:
        model: The model that answered; None if it is unknown.
        line_of_pair: Ints, (pairs,): the line with the answer to each pair; -1 without an answer.
    """

    name: str
    model: str | None
    line_of_pair: Ints


def _answers_of(file: SourceTable, lines: pd.DataFrame, rule: ThresholdRule) -> list[Answers]:
    """Return the answers of each system; raise if lines contradict each other."""
    count = len(words_in(lines, "system").categories)
    if count > MOST_SYSTEMS:
        text = f"there are {count:,} systems, but at most {MOST_SYSTEMS} can be compared"
        file.refuse([Problem(text)])
    first_of_pair = lines["pair_number"].to_numpy()
    if "pair" in lines or file.has_all(PICTURES):  # otherwise, each line is a pair of its own
        first_of_pair = first_rows(first_of_pair)
    problems = list(problems_of_pairs(file, lines, first_of_pair))
    systems = [
        _lines_of_system(file, lines, code, first_of_pair=first_of_pair, problems=problems)
        for code in range(count)
    ]
    attributes = system_attributes(file, lines)
    groups = groupings(file, lines)
    file.refuse([*problems, *attributes.problems, *groups.problems])
    frame = _frame_of_lines(file, lines, attributes.of_systems, groups.by_name)
    answers = []
    for system, stated in zip(systems, attributes.of_systems, strict=True):
        known_columns: dict[str, Any] = {"rule": rule, "people_known": True, **stated}
        known_columns["people_known"] &= file.people_fields == PEOPLE
        part = _frame_of_system(frame, system, first_of_pair)
        answers.append(Answers(name=system.name, frame=part, model=system.model, **known_columns))
    return answers


def _lines_of_system(
    file: SourceTable,
    lines: pd.DataFrame,
    code: int,
    *,
    first_of_pair: Ints,
    problems: list[Problem],
) -> _SystemLines:
    """Return the lines of a system, by its code; add problems with missing or repeated pairs."""
    systems = words_in(lines, "system")
    name = str(systems.categories[code])
    own_lines: Ints = np.flatnonzero(systems.codes == code)
    unit = file.unit
    pairs = lines["pair_number"].to_numpy()
    count = len(first_of_pair)
    line_of_pair = first_of_pair
    if len(own_lines) < len(lines):
        line_of_pair = first_rows(pairs, own_lines, size=count)
    if file.name:  # if not, `join` has noted missing pairs
        problems += problems_at(
            first_of_pair[line_of_pair < 0],
            lambda line: (
                f"the pair {pair_name(lines, line)} has no {unit} for {name[:60]!r}; all systems "
                f"need the same pairs (if there was no answer, add a {unit} with an error)"
            ),
        )
    model = _model_of(name, own_lines, words_in(lines, "model"))
    is_once = np.count_nonzero(line_of_pair >= 0) == len(own_lines)
    if not is_once:
        problems += problems_at(
            own_lines[line_of_pair[pairs[own_lines]] != own_lines],
            lambda line: (
                f"the pair {pair_name(lines, line)} of {name[:60]!r} appears twice: it is also in "
                f"{file.place_of(line_of_pair[pairs[line]])}; keep one of the two {unit}s"
            ),
        )
    return _SystemLines(name, model, line_of_pair)


def _model_of(name: str, lines: Ints, model_of_line: pd.Categorical) -> str | None:
    """Return the model of a system, or None; raise `InvalidRequest` if it has several."""
    if not len(model_of_line.categories):
        return None
    texts = texts_of(model_of_line)[lines]
    counts = pd.Series(texts[texts != ""]).value_counts(sort=False)
    if len(counts) > 1:
        model_counts = join_names(
            [f"{model!r} ({count:,} lines)" for model, count in counts.items()]
        )
        raise InvalidRequest(
            f"{name} answered with several models: {model_counts}. Keep the lines of one, or, if "
            "each answered every pair, name their column system."
        )
    return next(iter(counts.index), None)


def _frame_of_system(
    frame: pd.DataFrame, system: _SystemLines, first_of_pair: Ints
) -> pd.DataFrame:
    """Return one row for each pair; pairs without a line of the system were not asked."""
    is_missing = system.line_of_pair < 0
    if len(is_missing) == len(frame) and not is_missing.any():
        return frame
    lines = np.where(is_missing, first_of_pair, system.line_of_pair)
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
    file: SourceTable,
    lines: pd.DataFrame,
    attributes: Sequence[Mapping[str, Any]],
    groups: Mapping[str, Grouping],
) -> pd.DataFrame:
    """Return a frame with the columns of `Answers` and a row for each line of all systems."""
    decisions = decode(lines, "decision", default=NO_DECISION, dtype=np.int8)
    has_failed = lines["has_failed"].to_numpy()
    optional: dict[str, Any] = {}
    names = _names_of_people(file, lines)
    if len(names):
        optional["people"] = names
    if file.has_all(PICTURES):
        optional["pictures"] = tuple(words_in(lines, end) for end in PICTURES)
    if has_failed.any():
        optional["errors"] = _errors(lines)
    if "billed" in lines or any("price" in of_system for of_system in attributes):
        optional["billed"] = _billed(lines, attributes)
    if "elapsed_s" in lines:
        optional["elapsed_s"] = lines["elapsed_s"].to_numpy()
    return frame_of(
        mated=lines["is_mated"].to_numpy(),
        probe_subjects=lines["person_1"].to_numpy(),
        reference_subjects=lines["person_2"].to_numpy(),
        scores=lines["score"].to_numpy(),
        decisions=decisions,
        acquired=_acquired(lines, decisions),
        answered=~has_failed,
        groups=groups,
        **optional,
    )


def _acquired(lines: pd.DataFrame, decisions: NDArray[np.int8]) -> NDArray[np.bool_]:
    """Return whether two faces were compared: as a column says, or by a score or a decision."""
    is_compared = ~np.isnan(lines["score"].to_numpy())
    if "decision" in lines:
        is_compared |= (decisions >= 0) & (decisions != DECISIONS.index(Decision.INCONCLUSIVE))
    if "acquired" in lines:
        stated = decode(lines, "acquired", default=-1, dtype=np.int8)
        is_compared = np.where(stated < 0, is_compared, stated > 0)
    return np.asarray(is_compared & ~lines["has_failed"].to_numpy())


def _errors(lines: pd.DataFrame) -> pd.Categorical:
    """Return the reason for each missing answer."""
    errors = words_in(lines, "error")
    words = distinct_words(errors)
    reasons = list(dict.fromkeys([NOT_ASKED, *words]))
    # The last code is of an empty cell, which has the code -1.
    code_of_error = [reasons.index(word) for word in words]
    code_of_error.append(reasons.index(NOT_ASKED))
    codes = np.full(len(lines), -1, np.int32)
    failed_lines = np.flatnonzero(lines["has_failed"])
    codes[failed_lines] = np.array(code_of_error)[errors.codes[failed_lines]]
    return pd.Categorical.from_codes(codes, reasons)


def _billed(lines: pd.DataFrame, attributes: Sequence[Mapping[str, Any]]) -> NDArray[np.int8]:
    """Return the charge of each line.

    If a system has a price, an answer is treated as charged unless its line has another charge.
    """
    usual_charge = [
        BILLED.index(Charged.YES if "price" in of_system else Charged.NO)
        for of_system in attributes
    ]
    charges = np.array(usual_charge, np.int8)[words_in(lines, "system").codes]
    charges[lines["has_failed"].to_numpy()] = BILLED.index(Charged.NO)
    if "billed" in lines:
        stated = decode(lines, "billed", default=-1, dtype=np.int8)
        charges = np.where(stated < 0, charges, stated)
    return np.asarray(charges)


def _names_of_people(file: SourceTable, lines: pd.DataFrame) -> pd.Index | list[str]:
    """Return the name of each person's number; people without a name are ``unknown 3``."""
    names = names_of_people(file, lines)
    count = 1 + int(max(lines["person_1"].max(), lines["person_2"].max()))
    if count <= len(names) or not len(names):
        return names
    unknown = [f"unknown {number}" for number in range(len(names), count)]
    return [*map(str, names), *unknown]
