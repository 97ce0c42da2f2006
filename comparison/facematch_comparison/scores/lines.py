"""The lines of a score file as one frame: a pair and a system on each, a column for each field.

Columns are recognised by known names or by the user's arguments, never by their cells: a guess from
cells once took a system's own answers as the ground truth, so it had no errors. Columns with
unknown names are skipped, with a note. If a column is missing, the error lists every column with
two of its cells, so that the user can name it (`recognition`).

The frame has a column for each field that the file has: words as categories, numbers as float64.
Two pictures, and two people, have the same categories. Further columns are:

- `system`, also if no column names it
- `score`: float64; NaN if there is none. Words are infinite until `finish_scores`
- `has_failed`: whether the call failed

If the file has labels or both people, also:

- `is_mated`
- `pair_number`: the number of the pair, in order of first appearance
- `person_1`, `person_2`: the number of the person in the probe and in the reference, from 0
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import attrs
import numpy as np
import pandas as pd

from .cells import (
    TEXT,
    Spellings,
    codes_of,
    common_words,
    constant,
    is_filled,
    is_one_of,
    number_pairs,
    numbers_of,
    word_at,
    words_of,
)
from .columns import FIELDS, LABELS, NO_ERROR, PEOPLE, PERSON, PICTURES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .source_table import Ints, SourceTable

#: How programs write the logarithm of 0.
MINUS_INFINITY: Final = ("-inf", "-Inf", "-INF", "-infinity", "-Infinity")

#: Scale of scores that were read from distances.
MINUS_DISTANCE: Final = "minus the distance"

#: End of the column of similarities, if Rekognition's JSON answers are read.
_REKOGNITION_SIMILARITY: Final = "FaceMatches.0.Similarity"


def read_lines(file: SourceTable, cells: pd.DataFrame) -> pd.DataFrame:
    """Return the lines of a file, without scores; store which spellings of names were merged."""
    columns: dict[str, Any] = {}
    people_spellings = Spellings(ignores_case=True)
    picture_spellings = Spellings(ignores_case=False)  # names of files
    spellings_of_ends = {PICTURES: picture_spellings, PEOPLE: people_spellings}
    for ends, spellings in spellings_of_ends.items():
        if file.has_all(ends):
            columns_of_ends = [cells[file.column_of[end]] for end in ends]
            words = common_words(columns_of_ends, is_sorted=ends == PEOPLE, spellings=spellings)
            columns.update(zip(ends, words, strict=True))
    for field, column in file.column_of.items():
        if field in FIELDS and FIELDS[field].is_number:
            columns[field] = numbers_of(cells[column], decimal_commas=file.decimal_commas)
        elif field == PERSON:
            (columns[field],) = common_words(
                [cells[column]], is_sorted=True, spellings=people_spellings
            )
        elif field not in columns:
            columns[field] = words_of(cells[column])
    file.merged_spellings = [*picture_spellings.merged, *people_spellings.merged]
    if "system" not in columns:
        columns["system"] = constant(file.name, file.row_count)
    lines = pd.DataFrame(columns, copy=False)
    lines["has_failed"] = _has_failed(lines)
    if file.has_any(LABELS) or file.has_all(PEOPLE):
        lines["pair_number"] = _pair_numbers(file, lines)
        lines["is_mated"] = _is_mated(file, lines)
        lines["person_1"], lines["person_2"] = _people(file, lines)
    return lines


def lines_by_system(file: SourceTable, cells: pd.DataFrame) -> dict[SourceTable, pd.DataFrame]:
    """Return the lines of a file; of a file with several columns of scores, those of each system.

    Each system has a record of its own.
    """
    lines = read_lines(file, cells)
    if not file.score_columns:
        return {file: lines.assign(score=np.nan)}
    lines_of = {}
    for column in file.score_columns:
        system = file
        own_lines = lines
        if len(file.score_columns) > 1:
            system = attrs.evolve(file, name=column, score_columns=[column])
            own_lines = lines.assign(system=constant(column, len(lines)))
        numbers = numbers_of(cells[column], decimal_commas=file.decimal_commas)
        if not file.is_distance:
            numbers = _below_all(numbers, cells[column])
        lines_of[system] = own_lines.assign(score=numbers)
    return lines_of


def _below_all(numbers: NDArray[np.float64], cells: pd.Series) -> NDArray[np.float64]:
    """Return the numbers with one just below all others for ``-inf``, a log-likelihood ratio.

    Without any other number, it stays a word.
    """
    is_word = np.isinf(numbers)
    is_number = np.isfinite(numbers)
    if not is_word.any() or not is_number.any():
        return numbers
    is_lowest = is_word & is_one_of(words_of(cells.astype(TEXT)), MINUS_INFINITY)
    return np.where(is_lowest, just_below(numbers[is_number].min(), numbers[is_number]), numbers)


def finish_scores(
    file: SourceTable, cells: pd.DataFrame, numbers: NDArray[np.float64], cut: float | None
) -> NDArray[np.float64]:
    """Return numbers as scores: higher means more similar, NaN if there is none.

    `cut` is Rekognition's own threshold, if its `unmatched` faces count as just below it.
    """
    scores = numbers
    if not file.score_columns:
        return scores
    if file.missing_score_numbers:
        scores = np.where(np.isin(scores, file.missing_score_numbers), np.nan, scores)
    if file.missing_score_words:
        words = words_of(cells[file.score_columns[0]])
        scores = np.where(is_one_of(words, file.missing_score_words), np.nan, scores)
    if cut is not None:
        is_unmatched = unmatched(file, cells, numbers)
        scores = np.where(is_unmatched, just_below(cut, scores), scores)
    return -scores if file.is_distance else scores


def unmatched(
    file: SourceTable, cells: pd.DataFrame, numbers: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Return whether Rekognition compared a face, but returned no similarity: bool, (N,).

    Its JSON answer then has a face in UnmatchedFaces and none in FaceMatches.
    """
    is_unmatched = np.zeros(len(cells), np.bool_)
    for column in file.score_columns:
        if column.endswith(_REKOGNITION_SIMILARITY):
            face = column.removesuffix(_REKOGNITION_SIMILARITY) + "UnmatchedFaces.0."
            for name in file.header:
                if name.startswith(face):
                    is_unmatched |= is_filled(words_of(cells[name]))
            is_unmatched &= np.isnan(numbers)
    return is_unmatched


def words_in(lines: pd.DataFrame, field: str) -> pd.Categorical:
    """Return the words of a field; every cell of a missing field is empty."""
    if field in lines:
        words: pd.Categorical = lines[field].array
        return words
    no_words = np.broadcast_to(np.int8(-1), len(lines))
    return pd.Categorical.from_codes(no_words, pd.Index([], dtype=TEXT), validate=False)


def decode(
    lines: pd.DataFrame, field: str, *, default: Any, dtype: type[np.generic]
) -> NDArray[Any]:
    """Return the meaning of each cell of a field, (N,); `default` for an unknown word."""
    words = words_in(lines, field)
    meanings = FIELDS[field].meanings
    values = [meanings.get(str(word).lower(), default) for word in words.categories]
    if not values:
        return np.broadcast_to(np.array(default, dtype), len(lines))
    values.append(default)  # for the code -1 of an empty cell
    return np.asarray(np.array(values, dtype)[words.codes])


def _has_failed(lines: pd.DataFrame) -> NDArray[np.bool_]:
    """Return whether the call on each line failed: bool, (N,)."""
    has_answer = decode(lines, "answered", default=True, dtype=np.bool_)
    if "error" not in lines:
        return ~has_answer
    errors = words_in(lines, "error")
    no_error = [word for word in errors.categories if str(word).lower() in NO_ERROR]
    has_error = is_filled(errors) & ~is_one_of(errors, map(str, no_error))
    return ~has_answer | has_error


def _pair_numbers(file: SourceTable, lines: pd.DataFrame) -> Ints:
    if "pair" in lines:
        return codes_of(words_in(lines, "pair"))
    if file.has_all(PICTURES):
        ends = [words_in(lines, end).codes for end in PICTURES]
        return number_pairs(ends, in_any_order=False)
    return np.arange(len(lines))


def _is_mated(file: SourceTable, lines: pd.DataFrame) -> NDArray[np.bool_]:
    for truth in LABELS:
        if truth in lines:
            return decode(lines, truth, default=False, dtype=np.bool_)
    probe, reference = (words_in(lines, end).codes for end in file.people_fields)
    return np.asarray(probe == reference)


def _people(file: SourceTable, lines: pd.DataFrame) -> tuple[Ints, Ints]:
    """Return the number of the person in each probe and in each reference."""
    is_mated = lines["is_mated"].to_numpy()
    codes = [codes_of(words_in(lines, field)) for field in file.people_fields]
    if file.people_fields == PEOPLE:
        probe, reference = codes
        return probe, reference
    if file.people_fields == PICTURES:
        # Pictures connected by mated pairs are one person.
        probe, reference = codes
        count = len(lines["probe"].cat.categories) + 1  # the last is of pictures without a name
        person_of_picture = components(probe[is_mated] % count, reference[is_mated] % count, count)
        return person_of_picture[probe], person_of_picture[reference]
    # The other person of a non-mated pair has no name.
    stranger = lines["pair_number"].to_numpy()
    person = codes[0] if codes else stranger
    return person, np.where(is_mated, person, stranger + (int(person.max()) + 1))


def names_of_people(file: SourceTable, lines: pd.DataFrame) -> pd.Index:
    """Return the name of each person's number; no names if only pictures or pairs tell people."""
    if file.people_fields in (PEOPLE, (PERSON,)):
        return lines[file.people_fields[0]].cat.categories
    return pd.Index([], dtype=TEXT)


def pair_name(lines: pd.DataFrame, row: int) -> str:
    """Return the name of a line's pair, for messages."""
    names = []
    for field in ("pair",) if "pair" in lines else PICTURES:
        if field in lines:
            names.append(repr(word_at(words_in(lines, field), row)[:60]))
    return " and ".join(names) or str(row)


def just_below(threshold: float, scores: NDArray[np.float64]) -> float:
    """Return the threshold minus one unit of the last decimal place of the scores (at most 6)."""
    present = scores[~np.isnan(scores)]
    decimals = 0
    while decimals < 6 and (present != present.round(decimals)).any():
        decimals += 1
    return float(round(threshold - 10.0**-decimals, decimals))


def components(starts: Ints, ends: Ints, size: int) -> Ints:
    """Return each node's connected component, Ints, (size,); edges link `starts` to `ends`."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(starts), np.int8), (starts, ends)), shape=(size, size))
    return connected_components(graph, directed=False)[1].astype(np.int64)
