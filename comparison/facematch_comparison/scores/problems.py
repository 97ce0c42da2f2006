"""Problems with the cells, lines and pairs of score files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from facematch_core.backend.kinds import format_argument

from .columns import FIELDS, LABELS, PEOPLE, Field
from .raw_table import Problem, first_rows, problems_at
from .score_table import ScoreTable

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .raw_table import Categories

#: The fewest lines with the lowest score, and the most different words beside them, if they are
#: compared with the words beside other scores.
_FEWEST_FAILURES: Final = 3
_MOST_STATES: Final = 10

#: Maximum number of distinct values or words that may mean a missing score.
_MOST_MARKS: Final = 3


def problems_of_cells(table: ScoreTable) -> Iterator[Problem]:
    """Yield problems with the cells of a file, and with single lines."""
    yield from table.raw.problems
    for field, column in table.column_of.items():
        yield from _problems_of_column(table, field, column)
    for column in table.score_columns:
        yield from _problems_of_scores(table, column)
    yield from _contradictions_of_answers(table)
    yield from _problems_of_people(table)


def _problems_of_column(table: ScoreTable, field: str, column: str) -> Iterator[Problem]:
    raw = table.raw
    known_field = FIELDS.get(field, Field())  # groups are not among them
    if known_field.is_number:
        yield from raw.problems_with_numbers(column)
        if field != "threshold":
            yield Problem(f"{column} is below 0", np.flatnonzero(raw.numbers(column) < 0))
    if known_field.advice:
        yield from raw.categories(column).problems(column, known_field.is_valid, known_field.advice)
    if known_field.is_required or field in table.people_fields:
        is_empty = ~raw.categories(column).is_filled
        yield Problem(f"{column} is empty", np.flatnonzero(is_empty))


def _problems_of_scores(table: ScoreTable, column: str) -> Iterator[Problem]:
    yield from _words_among_scores(table, column)
    if not table.missing_score_numbers:
        yield from _missing_score_numbers(column, table.raw.numbers(column))
        yield from _scores_beside_failures(table, column)


def _words_among_scores(table: ScoreTable, column: str) -> Iterator[Problem]:
    """Yield a problem for each word in a column of scores, with the option that explains it."""
    raw = table.raw
    is_word = np.isinf(raw.numbers(column))
    if not is_word.any():
        return
    categories = raw.categories(column)
    words = {categories.words[code] for code in np.unique(categories.codes[is_word])}
    unexplained = words - table.missing_score_words
    is_misspelt_number = any(re.match(r"[-+.,]?\d", word) for word in unexplained)  # such as 97,5
    if is_misspelt_number or len(unexplained) > _MOST_MARKS or is_word.all():
        yield from raw.problems_with_numbers(column)
        return
    if not unexplained:
        return
    yield from raw.problems_with_numbers(
        column,
        allowed_words=table.missing_score_words,
        advice=_explain_words(table, sorted(unexplained)),
    )


def _explain_words(table: ScoreTable, unexplained: list[str]) -> str:
    """Return the options that say what unexplained words among the scores mean."""
    no_scores = format_argument("no_scores", unexplained)
    limit = re.fullmatch(r"<=? *(\d+([.]\d+)?)", unexplained[0]) if len(unexplained) == 1 else None
    if limit is None:
        return (
            f"if no face was found, use {no_scores}; if the call failed, leave the score empty and "
            "write why in a column error"
        )
    threshold = _shortest(float(limit[1]))
    below = format_argument("below", {table.name: threshold})
    return f"if the vendor omits scores below {threshold}, use {no_scores} {below}"


def _missing_score_numbers(column: str, scores: NDArray[np.float64]) -> Iterator[Problem]:
    """Yield a problem if negative numbers, or 9s such as 99, lie far from all other scores."""
    lowest = np.fmin.reduce(scores)
    highest = np.fmax.reduce(scores)
    has_nines = re.fullmatch("99+", f"{highest:g}") or re.fullmatch("99+", f"{lowest:g}")
    if lowest >= 0 and not has_nines:
        return  # sorting a million scores takes longer than reading them
    values, counts = np.unique(scores[np.isfinite(scores)], return_counts=True)
    marks = []
    for value in values[(counts > 1) & (values % 1 == 0)].tolist():
        if value < 0 or re.fullmatch("99+", f"{value:.0f}"):
            marks.append(value)
    if len(marks) > _MOST_MARKS:
        marks = [marks[0], marks[-1]]
    other_values = values[~np.isin(values, marks)]
    if not len(other_values):
        return
    low = float(other_values.min())
    high = float(other_values.max())
    far = []
    for mark in marks:
        distance = min(abs(mark - low), abs(mark - high))
        if distance > high - low or mark < 0 <= low:
            far.append(mark)
    if far:
        far_marks = " or ".join(f"{mark:g}" for mark in far)
        no_scores = format_argument("no_scores", [int(mark) for mark in far])
        yield Problem(
            f"{column} is {far_marks}, and all other scores lie between {low:g} and {high:g}: if "
            f"this means a missing score, leave the cell empty or use {no_scores}; if every number "
            "is a score, use nan instead",
            np.flatnonzero(np.isin(scores, far)),
        )


def _scores_beside_failures(table: ScoreTable, column: str) -> Iterator[Problem]:
    """Yield a problem if the lowest score stands on the lines with some words, and on no other.

    Logs have a score of 0 beside a status such as ``TIMEOUT``, in a column with an unknown name.
    """
    scores = table.raw.numbers(column)
    lowest = float(np.fmin.reduce(scores))
    is_lowest = scores == lowest
    if np.count_nonzero(is_lowest) < _FEWEST_FAILURES or is_lowest.all():
        return
    for name in table.skipped_columns:
        states = table.raw.categories(name)
        if len(states.distinct) <= _MOST_STATES and _separates(states, is_lowest):
            words = [states.words[code] for code in np.unique(states.codes[is_lowest]) if code >= 0]
            listed_words = " or ".join(map(repr, words))[:90] or "empty"
            no_score = format_argument("no_scores", [_shortest(lowest)])
            error = format_argument("columns", {"error": name})
            yield Problem(
                f"{column} is {lowest:g} where {name[:60]!r} is {listed_words}, and on no other "
                f"line: if no face was found, use {no_score}; if the calls failed, use {no_score} "
                f"{error}; if every number is a score, use nan instead",
                np.flatnonzero(is_lowest),
            )
            return


def _separates(states: Categories, is_lowest: NDArray[np.bool_]) -> bool:
    """Return whether no word stands both on these lines and on others."""
    return not np.isin(states.codes[~is_lowest], states.codes[is_lowest]).any()


def _shortest(number: float) -> float | int:
    """Return a whole number as an int, so that it is written without a point."""
    return int(number) if number.is_integer() else number


def _contradictions_of_answers(table: ScoreTable) -> Iterator[Problem]:
    """Yield problems: lines with both an answer and a failure."""
    has_score = np.isfinite(table.scores)
    acquired = table.decode("acquired", default=-1, dtype=np.int8)
    is_answered = has_score | (acquired == 1) | table.categories("decision").is_filled
    yield Problem(
        "there is both an error and an answer (a score, a decision or acquired)",
        np.flatnonzero(table.has_failed & is_answered),
    )
    yield Problem(
        "acquired is 0, but there is a score", np.flatnonzero((acquired == 0) & has_score)
    )


def _problems_of_people(table: ScoreTable) -> Iterator[Problem]:
    """Yield problems: labels that contradict the people, and pictures compared with themselves."""
    for field in LABELS:
        if field in table.column_of:
            yield from _problems_of_labels(table, field)
    if table.pictures:
        probe, reference = table.pictures
        yield from problems_at(
            np.flatnonzero((probe.codes == reference.codes) & probe.is_filled),
            lambda row: (
                f"the picture {probe[row][:60]!r} is compared with itself; if it is a person, use "
                "probe_subject and reference_subject; if two folders have it, write the folder, too"
            ),
        )


def _problems_of_labels(table: ScoreTable, field: str) -> Iterator[Problem]:
    labels = table.categories(field)
    if {"0", "-1"} <= set(labels.words):
        rows = np.flatnonzero(labels.rows_with(["-1"]))
        column = table.column_of[field]
        yield Problem(f"{column} is -1, but 0 on other lines: write 1 or 0", rows)
    if len(table.people_fields) < 2:
        return
    probe, reference = table.people
    is_label = table.decode(field, default=-1, dtype=np.int8) >= 0

    def describe(row: int) -> str:
        names = " and ".join(repr(table.categories(end)[row][:60]) for end in table.people_fields)
        pair_kind = "mated" if table.mated[row] else "non-mated"
        if table.people_fields == PEOPLE:
            return (
                f"the pair is marked as {pair_kind}, but its people are named {names}; for "
                "pictures, use image1 and image2"
            )
        return f"the pair is marked as {pair_kind}, but mated pairs connect {names} as one person"

    rows = np.flatnonzero(is_label & (table.mated != (probe == reference)))
    yield from problems_at(rows, describe)


def problems_of_pairs(table: ScoreTable) -> Iterator[Problem]:
    """Yield problems: pairs whose people differ between lines, and pictures used in two pairs."""
    place_of = table.raw.place_of
    first_line = table.first_of_pair[table.pairs]
    has_other_people = table.mated != table.mated[first_line]
    for person in table.people:
        has_other_people |= person != person[first_line]
    yield from problems_at(
        np.flatnonzero(has_other_people),
        lambda row: (
            f"the pair {table.pair_name(row)} has other people than in {place_of(first_line[row])}"
        ),
    )
    if not table.pictures:
        return
    ends = [
        picture_column.codes[table.first_of_pair].astype(np.int64)
        for picture_column in table.pictures
    ]
    if not table.counts_both_orders:
        ends = [np.minimum(*ends), np.maximum(*ends)]
    probes, references = ends
    pictures = pd.factorize(probes * (1 + int(max(probes.max(), references.max()))) + references)[0]
    first_with_pictures = table.first_of_pair[first_rows(pictures)[pictures]]
    yield from problems_at(
        table.first_of_pair[first_with_pictures != table.first_of_pair],
        lambda row: (
            f"the same two pictures as in {place_of(first_with_pictures[table.pairs[row]])}, but "
            "as another pair"
        ),
    )
