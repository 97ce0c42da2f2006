"""Problems with the cells, lines and pairs of score files."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import attrs
import numpy as np
import pandas as pd

from facematch_core.backend.kinds import format_argument

from .attributes import first_values
from .cells import (
    NUMBER,
    NUMBER_ADVICE,
    TEXT,
    distinct_words,
    first_rows,
    is_filled,
    is_one_of,
    number_pairs,
    problems_of_empty_cells,
    problems_of_words,
    word_at,
    words_beside,
    words_of,
)
from .columns import FIELDS, LABELS, PEOPLE, PICTURES, Field
from .lines import decode, pair_name, words_in
from .source_table import Problem, SourceTable, problems_at, problems_where

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .source_table import Ints

#: The fewest lines with the lowest score, and the most different words beside them, if they are
#: compared with the words beside other scores.
_FEWEST_FAILURES: Final = 3
_MOST_STATES: Final = 10

#: Words about a call that failed, whatever the pictures show.
_FAILED_CALL: Final = re.compile(
    r"time.?d?.?out|throttl|rate.?limit|too.?many|quota|unavailable|connection|network|internal|"
    r"server|\b(429|5\d\d)\b",
    re.IGNORECASE,
)

#: Words about a comparison that was not made.
_FAILURE: Final = re.compile(rf"fail|error|enrol|no.?face|{_FAILED_CALL.pattern}", re.IGNORECASE)
#: Above this share of the lines, one number may stand for failures.
_FREQUENT: Final = 0.01

#: A number with an exponent: a digit, the decimals and the exponent.
_EXPONENT: Final = re.compile(r"[0-9](?:[.,]([0-9]+))?[eE][+]?([0-9]+)")
#: A name that is a number, also with thousands separators or an exponent.
_ID: Final = r"([0-9]+|[1-9][0-9]{0,2}(,[0-9]{3})+)([.][0-9]+)?([eE][+]?[0-9]{1,2})?"

#: Maximum number of distinct values or words that may mean a missing score.
_MOST_MARKS: Final = 3


def problems_of_cells(
    file: SourceTable, cells: pd.DataFrame, lines: pd.DataFrame, scores: NDArray[np.float64]
) -> Iterator[Problem]:
    """Yield problems with the cells of a file, and with single lines, of one system.

    The scores in `lines` are the numbers of the file; `scores` are finished.
    """
    yield from file.problems
    for field, column in file.column_of.items():
        yield from problems_of_column(file, cells[column], lines[field], field)
    for column in file.score_columns:
        numbers = lines["score"].to_numpy()
        yield from _words_among_scores(file, cells[column], numbers)
        if not any(map(np.isnan, file.missing_score_numbers)):
            yield from _thousands_or_decimals(cells[column], numbers)
        if not file.missing_score_numbers:
            yield from _missing_score_numbers(column, numbers)
            yield from _scores_beside_failures(file, cells, numbers)
        if "" not in file.missing_score_words:
            yield from _empty_scores_beside_failures(file, cells, numbers)
    if file.has_any(("acquired", "answered", "error")):
        yield from _contradictions_of_answers(lines, scores)
    yield from _problems_of_people(file, lines)


def problems_of_column(
    file: SourceTable, cells: pd.Series, values: pd.Series, field: str
) -> Iterator[Problem]:
    """Yield problems with the cells of a field, which are read as `values`."""
    column = str(cells.name)
    known_field = FIELDS.get(field, Field())  # groups are not among them
    if known_field.is_number:
        numbers = values.to_numpy()
        yield from _words_among_numbers(cells, numbers)
        if field != "threshold":
            yield from problems_where(numbers < 0, f"{column} is below 0")
        return
    if known_field.advice:
        advice = known_field.advice
        if field == "decision" and _are_scores(values.array):
            score = format_argument("columns", {"score": column})
            advice = f"if these are scores, use {score}"
        yield from problems_of_words(values.array, column, known_field.is_valid, advice)
    if known_field.is_required or field in file.people_fields:
        yield from problems_of_empty_cells(values.array, column)


def _are_scores(words: pd.Categorical) -> bool:
    """Return whether a column of decisions has numbers only, and more than two."""
    distinct = distinct_words(words)
    return len(distinct) > 2 and all(re.fullmatch(NUMBER, word) for word in distinct)


def _words_among_numbers(
    cells: pd.Series,
    numbers: NDArray[np.float64],
    *,
    allowed_words: Collection[str] = (),
    advice: str = NUMBER_ADVICE,
) -> Iterator[Problem]:
    """Yield a problem for each word in a column of numbers that is not allowed."""
    invalid = words_beside(cells, numbers).difference(allowed_words)
    if invalid:
        words = words_of(cells)
        yield from problems_of_words(
            words, str(cells.name), lambda word: word not in invalid, advice
        )


def _words_among_scores(
    file: SourceTable, cells: pd.Series, numbers: NDArray[np.float64]
) -> Iterator[Problem]:
    """Yield a problem for each word in a column of scores, with the option that explains it."""
    unexplained = words_beside(cells, numbers) - file.missing_score_words
    if not unexplained and not np.isinf(numbers).all():
        return
    is_misspelt_number = any(re.match(r"[-+.,]?\d", word) for word in unexplained)  # such as 97,5
    if is_misspelt_number or len(unexplained) > _MOST_MARKS or np.isinf(numbers).all():
        yield from _words_among_numbers(cells, numbers)
        return
    advice = _explain_words(file, str(cells.name), sorted(unexplained))
    if np.flatnonzero(np.isinf(numbers)).tolist() == [0]:
        advice = f"is this line a second head? Then delete it; {advice}"
    yield from _words_among_numbers(
        cells, numbers, allowed_words=file.missing_score_words, advice=advice
    )


def _explain_words(file: SourceTable, column: str, unexplained: list[str]) -> str:
    """Return what to do about unexplained words among the scores."""
    if unexplained == [column]:
        return "this line is the header again: remove it"
    if re.fullmatch(r">=? *[0-9.]+", unexplained[0]):
        return "write the number itself: scores above it cannot be told apart"
    no_scores = format_argument("no_scores", unexplained)
    limit = re.fullmatch(r"<=? *(\d+([.]\d+)?)", unexplained[0]) if len(unexplained) == 1 else None
    if limit is None:
        return (
            f"if no face was found, use {no_scores}; if the call failed, leave the score empty and "
            "write why in a column error"
        )
    threshold = _shortest(float(limit[1]))
    below = format_argument("below", {file.name: threshold})
    return f"if the vendor omits scores below {threshold}, use {no_scores} {below}"


def _thousands_or_decimals(cells: pd.Series, numbers: NDArray[np.float64]) -> Iterator[Problem]:
    """Yield a problem if points or commas read as decimal may separate thousands: 7.123 beside 850.

    With decimals, some numbers would have another number of them, or be below 1.
    """
    if pd.api.types.is_numeric_dtype(cells.dtype):
        return
    words = words_of(cells)
    texts = pd.Series(distinct_words(words), dtype=TEXT)
    texts = texts[texts.str.fullmatch("[-+]?[0-9.,]+")]
    is_separated = texts.str.fullmatch("[-+]?[1-9][0-9]{0,2}[.,][0-9]{3}")
    is_below_1000 = texts.str.fullmatch("[-+]?[0-9]{1,3}")
    if not is_separated.any() or not is_below_1000.any():
        return
    if not (is_separated | is_below_1000).all():
        return
    separated = str(texts[is_separated].iloc[0])
    whole = str(texts[is_below_1000].iloc[0])
    mark = "point" if "." in separated else "comma"
    number = re.sub("[.,]", "", separated)
    rows = np.flatnonzero(is_one_of(words, [str(text) for text in texts[is_separated]]))
    if abs(numbers[rows[0]]) >= 1000:
        return
    yield Problem(
        f"{cells.name} is {separated!r}, and {whole!r} on another line: is the {mark} one of "
        f"thousands? Then write {number}; if it is a decimal {mark}, use "
        f"{format_argument('no_scores', [np.nan])}",
        rows,
    )


def _missing_score_numbers(column: str, scores: NDArray[np.float64]) -> Iterator[Problem]:
    """Yield a problem if negative numbers, or 9s such as 99, lie far from all other scores."""
    lowest = np.fmin.reduce(scores)
    highest = np.fmax.reduce(scores)
    has_nines = re.fullmatch("99+", f"{highest:g}") or re.fullmatch("99+", f"{lowest:g}")
    if lowest >= 0 and not has_nines:
        return
    # Sorting a million scores takes longer than reading them.
    possible = scores[np.isfinite(scores) & ((scores < 0) | (scores >= 99))]
    values, counts = np.unique(possible[possible % 1 == 0], return_counts=True)
    marks = [
        value
        for value in values[counts > 1].tolist()
        if value < 0 or re.fullmatch("99+", f"{value:.0f}")
    ]
    if not marks:
        return
    if len(marks) > _MOST_MARKS:
        marks = [marks[0], marks[-1]]
    other_scores = scores[np.isfinite(scores) & ~np.isin(scores, marks)]
    if not len(other_scores):
        return
    low = float(other_scores.min())
    high = float(other_scores.max())
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


def _scores_beside_failures(
    file: SourceTable, cells: pd.DataFrame, scores: NDArray[np.float64]
) -> Iterator[Problem]:
    """Yield a problem for each number that stands on the lines with some words, and on no other.

    Logs have a score of 0 beside a status such as ``TIMEOUT``, in a column with an unknown name, or
    0.5 beside ``FAILED_TO_ENROL``. Any word may explain the lowest score, but only one of a failure
    a higher score, which may be a band of good ones.
    """
    if not file.skipped_columns:
        return
    lowest = float(np.fmin.reduce(scores))
    for number in [lowest, *_frequent_numbers(scores, above=lowest)]:
        is_number = scores == number
        if np.count_nonzero(is_number) < _FEWEST_FAILURES:
            continue
        for status in _statuses_of(file, cells, is_number):
            if number > lowest and not any(map(_FAILURE.search, status.words)):
                continue
            no_score = format_argument("no_scores", [_shortest(number)])
            yield Problem(
                f"{file.score_columns[0]} is {number:g} where {status}, and on no other line: if "
                f"no face was found, use {no_score}; if the calls failed, use {no_score} "
                f"{status.option}; if every number is a score, use nan instead",
                np.flatnonzero(is_number),
            )
            break


def _frequent_numbers(scores: NDArray[np.float64], *, above: float) -> list[float]:
    """Return the numbers above another one that stand on more than 1 % of the lines."""
    values, counts = np.unique(scores[scores > above], return_counts=True)
    frequent: list[float] = values[counts > _FREQUENT * len(scores)].tolist()
    return frequent


def _empty_scores_beside_failures(
    file: SourceTable, cells: pd.DataFrame, scores: NDArray[np.float64]
) -> Iterator[Problem]:
    """Yield a problem if scores are empty where a word says that the call failed, and only there.

    A call that failed is no answer; without one, an empty score means that no face was found.
    """
    is_empty = np.isnan(scores)
    if file.has_any(("acquired", "answered", "error")):
        return
    for status in _statuses_of(file, cells, is_empty):
        if any(map(_FAILED_CALL.search, status.words)):
            yield Problem(
                f"{file.score_columns[0]} is empty where {status}, and on no other line: if the "
                f"calls failed, use {status.option}; if no face was found, use "
                f"{format_argument('no_scores', [''])}",
                np.flatnonzero(is_empty),
            )
            return


@attrs.frozen
class _Status:
    """An unknown column, and its words on some lines, which stand on no other line."""

    column: str
    words: list[str]

    def __str__(self) -> str:
        return f"{self.column[:60]!r} is {' or '.join(map(repr, self.words))[:90] or 'empty'}"

    @property
    def option(self) -> str:
        """The option that reads the column as errors."""
        return format_argument("columns", {"error": self.column})


def _statuses_of(
    file: SourceTable, cells: pd.DataFrame, is_affected: NDArray[np.bool_]
) -> Iterator[_Status]:
    """Yield each column that may say why lines are affected; none if all lines are, or none is."""
    if is_affected.all() or not is_affected.any():
        return
    for name in file.skipped_columns:
        words = words_of(cells[name])
        codes = np.unique(words.codes[is_affected])
        if (
            len(words.categories) <= _MOST_STATES
            and not np.isin(words.codes[~is_affected], codes).any()
        ):
            affected_words = [str(words.categories[code]) for code in codes if code >= 0]
            yield _Status(name, affected_words)


def _shortest(number: float) -> float | int:
    """Return a whole number as an int, so that it is written without a point."""
    return int(number) if number.is_integer() else number


def _contradictions_of_answers(
    lines: pd.DataFrame, scores: NDArray[np.float64]
) -> Iterator[Problem]:
    """Yield problems: lines with both an answer and a failure."""
    has_score = np.isfinite(scores)
    acquired = decode(lines, "acquired", default=-1, dtype=np.int8)
    is_answered = has_score | (acquired == 1) | is_filled(words_in(lines, "decision"))
    yield from problems_where(
        lines["has_failed"].to_numpy() & is_answered,
        "there is both an error and an answer (a score, a decision or acquired)",
    )
    yield from problems_where((acquired == 0) & has_score, "acquired is 0, but there is a score")


def _problems_of_people(file: SourceTable, lines: pd.DataFrame) -> Iterator[Problem]:
    """Yield problems: labels that contradict the people, and pictures compared with themselves.

    Also numbers among the names that are written in two forms, and names of which none is equal.
    """
    for ends in (PEOPLE, PICTURES):
        if file.has_all(ends):
            yield from _ids_in_two_forms(file, words_in(lines, ends[0]), ends)
    if "is_mated" in lines and not file.has_any(LABELS) and not lines["is_mated"].any():
        columns = " and ".join(repr(file.column_of[end][:60]) for end in PEOPLE)
        yield Problem(
            f"no line has the same name in {columns}, so no pair would be mated: write the names "
            f"in one form, or add a column of labels ({LABELS[0]})"
        )
    for field in LABELS:
        if field in lines:
            yield from _problems_of_labels(file, lines, field)
    if file.has_all(PICTURES):
        probe, reference = (words_in(lines, end) for end in PICTURES)
        yield from problems_at(
            np.flatnonzero((probe.codes == reference.codes) & is_filled(probe)),
            lambda row: (
                f"the picture {word_at(probe, row)[:60]!r} is compared with itself; if it is a "
                "person, use probe_subject and reference_subject; if two folders have it, write "
                "the folder, too"
            ),
        )


def _ids_in_two_forms(
    file: SourceTable, words: pd.Categorical, ends: Sequence[str]
) -> Iterator[Problem]:
    """Yield a problem if a number among the names is written as 7 and as 7.0, 007 or 7e+00.

    pandas writes whole numbers as 7.0 if a cell of their column is empty, and drops leading zeros.
    `words` are those of both `ends`.
    """
    if pd.api.types.is_integer_dtype(words.categories.dtype):
        return
    names = pd.Series(words.categories, dtype=TEXT)
    columns = " and ".join(repr(file.column_of[end][:60]) for end in ends)
    numbers = names[names.str.fullmatch(_ID)]
    exponents_or_floats = names[names.str.fullmatch(f"{_EXPONENT.pattern}|[0-9]{{16,}}[.]0")]
    for name in filter(_has_lost_digits, exponents_or_floats):
        yield Problem(
            f"{columns} have {name[:60]!r}: a spreadsheet has rounded long ids, so several people "
            "may have the same one; export the ids as text"
        )
        return
    if numbers.str.fullmatch("0|[1-9][0-9]*").all():
        return
    form_of_number: dict[Decimal, str] = {}
    for name in map(str, numbers):
        number = Decimal(name.replace(",", ""))
        form = form_of_number.setdefault(number, name)
        if form != name:
            yield Problem(
                f"{columns} have both {form[:60]!r} and {name[:60]!r}: pandas adds .0 to the ids "
                "of a column with an empty cell, and drops leading zeros; write each id in one form"
            )
            return


def _has_lost_digits(name: str) -> bool:
    """Return whether a number has fewer digits than the whole number that it was.

    Spreadsheets write 202502011234 as 2.02502E+11, and floats of 2**53 or more are not exact.
    """
    written = _EXPONENT.fullmatch(name)
    if written is not None:
        return int(written[2]) > len(written[1] or "")
    return re.fullmatch("[0-9]+[.]0", name) is not None and float(name) >= 2**53


def _problems_of_labels(file: SourceTable, lines: pd.DataFrame, field: str) -> Iterator[Problem]:
    """Yield problems: -1 beside 0, and labels that contradict the people."""
    labels = words_in(lines, field)
    if {"0", "-1"} <= set(distinct_words(labels)):
        rows = np.flatnonzero(is_one_of(labels, ["-1"]))
        yield Problem(f"{file.column_of[field]} is -1, but 0 on other lines: write 1 or 0", rows)
    if len(file.people_fields) < 2:
        return
    label_column = file.column_of[field]
    decision = format_argument("columns", {"decision": label_column})
    hint = f"if {label_column[:60]!r} is a system's own answer and not the truth, use {decision}"
    is_mated = lines["is_mated"].to_numpy()
    is_label = decode(lines, field, default=-1, dtype=np.int8) >= 0

    def describe(row: int) -> str:
        """Say how the label of a pair contradicts its people, or the other mated pairs."""
        ends = [word_at(words_in(lines, end), row)[:60] for end in file.people_fields]
        names = " and ".join(map(repr, ends))
        pair_kind = "mated" if is_mated[row] else "non-mated"
        if file.people_fields == PEOPLE:
            return (
                f"the pair is marked as {pair_kind}, but its people are named {names}; for "
                f"pictures, use image1 and image2; {hint}"
            )
        return (
            f"the pair is marked as {pair_kind}, but mated pairs connect {names} as one person; "
            f"{hint}"
        )

    is_one_person = lines["person_1"].to_numpy() == lines["person_2"].to_numpy()
    yield from problems_at(np.flatnonzero(is_label & (is_mated != is_one_person)), describe)


def _pictures_of_two_people(
    file: SourceTable, lines: pd.DataFrame, pictures: Sequence[str], people: Sequence[str]
) -> Iterator[Problem]:
    """Yield problems: pictures that have another person than above, or on the same line.

    `people` are the fields of the people in `pictures`. Pictures with one name are one picture.
    """
    # An entry is one end of one line.
    entries = [
        np.stack([words_in(lines, field).codes for field in fields], axis=1).ravel()
        for fields in (pictures, people)
    ]
    picture_names, names = (words_in(lines, fields[0]).categories for fields in (pictures, people))
    is_named = np.logical_and(*(codes >= 0 for codes in entries))
    picture_of, person_of = (codes[is_named] for codes in entries)
    line_of = np.flatnonzero(is_named) // len(pictures)
    stated = first_values(picture_of, person_of, len(picture_names))
    # Of each line, report the first contradiction.
    contradictions = stated.contradicting_rows[::-1].tolist()
    entry_of_line = {int(line_of[entry]): entry for entry in contradictions}

    def describe(line: int) -> str:
        entry = entry_of_line[line]
        first_entry = stated.first_row[picture_of[entry]]
        return (
            f"the picture {str(picture_names[picture_of[entry]])[:60]!r} is of "
            f"{str(names[person_of[entry]])[:60]!r}, but in {file.place_of(line_of[first_entry])} "
            f"of {str(names[person_of[first_entry]])[:60]!r}; if two folders have it, write the "
            "folder, too"
        )

    yield from problems_at(sorted(entry_of_line), describe)


def problems_of_pairs(
    file: SourceTable, lines: pd.DataFrame, first_of_pair: Ints, *, in_one_folder: bool = False
) -> Iterator[Problem]:
    """Yield problems: pairs whose people differ between lines, and pictures of two people.

    Also two pictures that are used in two pairs.

    Args:
        first_of_pair: The first line of each pair.
        in_one_folder: Whether probes and references with one name are one picture. If not, they
            may be in two folders, and each end is looked at alone.
    """
    pairs = lines["pair_number"].to_numpy()
    if len(first_of_pair) < len(lines):
        first_line = first_of_pair[pairs]
        has_other_people = np.zeros(len(lines), np.bool_)
        for column in ("is_mated", "person_1", "person_2"):
            values = lines[column].to_numpy()
            has_other_people |= values != values[first_line]
        yield from problems_at(
            np.flatnonzero(has_other_people),
            lambda row: (
                f"the pair {pair_name(lines, row)} has other people than in "
                f"{file.place_of(first_line[row])}"
            ),
        )
    if not file.has_all(PICTURES):
        return
    if file.people_fields == PEOPLE:
        each_end = zip(zip(PICTURES), zip(PEOPLE), strict=True)
        for pictures, people in [(PICTURES, PEOPLE)] if in_one_folder else each_end:
            yield from _pictures_of_two_people(file, lines, pictures, people)
    ends = [words_in(lines, end).codes[first_of_pair] for end in PICTURES]
    numbers = number_pairs(ends, in_any_order=True)
    first_with_pictures = first_of_pair[first_rows(numbers)[numbers]]
    yield from problems_at(
        first_of_pair[first_with_pictures != first_of_pair],
        lambda row: (
            f"the same two pictures as in {file.place_of(first_with_pictures[pairs[row]])}, but "
            "as another pair"
        ),
    )
