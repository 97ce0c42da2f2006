"""Recognise the columns of score files, and ask the user for those that are missing.

A *question* is a message for the user, by the field to name: ``mated``, or of several files
``labels:mated``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from facematch_comparison.values.numbers import join_names
from facematch_core.backend.kinds import format_argument, suggest_name
from facematch_core.base.tables import format_problems
from facematch_core.errors import InvalidRequest

from .cells import distinct_words, numbers_of, words_of
from .columns import (
    COLUMN,
    FIELDS,
    LABELS,
    LONG,
    MATED,
    PAIR_KEYS,
    PEOPLE,
    PERSON,
    PICTURES,
    WIDE,
    ColumnsNotRecognised,
    field_for,
    group_column,
    is_distance,
    is_nested_score,
    is_of_comparison,
    is_own_name,
    last_part,
    plain,
)
from .files import SEPARATE, Tables
from .source_table import NOTHING_JUDGED, Problem, SourceTable

#: Alternatives: if the user names a column for one, no column is recognised as the other.
_ALTERNATIVES: Final = (LABELS, *((PERSON, person) for person in PEOPLE))

#: Fields that are needed together.
_TOGETHER: Final = (PEOPLE, PICTURES)

#: Fields of one answer, which cannot be of several scores on one line.
_OF_ONE_ANSWER: Final = ("acquired", "error", "answered", "system")

#: The end of the name of a picture's file.
_PICTURE_FILE: Final = re.compile(r"[.](jpe?g|png|webp|bmp|pgm|heic|tiff?)$", re.IGNORECASE)

#: Names of columns whose numbers are no scores.
_OTHER_QUANTITY: Final = re.compile(
    r"time|latency|duration|elapsed|second|\bm?s\b|price|cost|amount|fee|age\b|year|date|size|width|"
    r"height|latitude|longitude|quality",
    re.IGNORECASE,
)

#: The end of a vendor's own name of a score, in the form that `plain` returns: ``rek_score``.
_SCORE_NAME: Final = re.compile(".*(score|similarity|distance|dist)s?%?")

#: Names of scores of another check than of two faces.
_OTHER_CHECK: Final = re.compile(
    r"live|spoof|attack|detect|quality|risk|fraud|credit|trust|ocr|document|name|address|expected|average",
    re.IGNORECASE,
)

#: Names, in the form that `plain` returns, of a score and of a column beside it: the score may be
#: the confidence of a prediction, which is high for two people, too.
_CONFIDENCE: Final = re.compile("confidence(score|%)?|conf")
_PREDICTION: Final = re.compile("(y)?pred(icted|iction)?(s|label|class|result)?|ypred")

#: The fewest different numbers in a column that may have scores.
_FEWEST_SCORES: Final = 10

#: Maximum number of columns in an error message.
_MOST_COLUMNS_SHOWN: Final = 40


def recognise(cells_of: Tables, columns: Mapping[str, str | Sequence[str]]) -> None:
    """Recognise the columns of each file by the user's arguments, or else by known names.

    The records of the files are completed.

    Raises:
        ColumnsNotRecognised: a column is ambiguous, or missing from all files.
        InvalidRequest: one of the user's arguments is invalid.
    """
    files = list(cells_of)
    for file in files:
        _check_separator(file)
    questions = _assign_columns(files, columns, so=NOTHING_JUDGED)
    for file in files:
        _skip_unneeded(file)
    missing = _missing_fields(cells_of, questions)
    if not missing and len(files) > 1:
        missing = _missing_to_join(files, questions)
    questions.update(missing)
    for file in files:
        question = _question_of_confidence(file)
        if question is not None:
            questions[_key(files, file, "score")] = question
    possible_scores = _columns_that_may_be_scores(cells_of)
    if possible_scores:
        questions["score"] = (
            f"are the numbers in {_quoted(possible_scores)} scores of how similar both faces are? "
            "Name each such column as score"
        )
        if any("decision" in file.column_of for file in files):
            questions["score"] += (
                ", or judge the decisions alone with --column score= (columns={'score': ''})"
            )
    for file in files:
        # They are proposed as scores, and name no people.
        file.skipped_columns = [
            column for column in file.skipped_columns if column not in possible_scores
        ]
    if questions:
        raise _refusal(cells_of, questions, scores_to_confirm=possible_scores)


def recognise_labels(
    file: SourceTable,
    cells: pd.DataFrame,
    columns: Mapping[str, str | Sequence[str]],
    *,
    so: str,
) -> None:
    """Recognise the pictures, people and labels of pairs; skip what a system answered.

    The label is not needed, because both people are.

    Raises:
        ColumnsNotRecognised: a column is ambiguous or missing; `so` states the consequence.
        InvalidRequest: one of the user's arguments is invalid.
    """
    questions = _assign_columns([file], columns, so=so)
    for field in list(file.column_of):
        if field in FIELDS and FIELDS[field].describes != "pair":
            file.skipped_columns.append(file.column_of.pop(field))
    file.skipped_columns += file.score_columns
    file.score_columns.clear()
    for field in (*PICTURES, *PEOPLE):
        if field not in file.column_of and field not in questions:
            questions[field] = f"the column {field} is missing"
    if questions:
        raise _refusal({file: cells}, questions, people_needed=True, so=so)


def _check_separator(file: SourceTable) -> None:
    """Raise if a text has one column: its columns are probably separated in another way."""
    if file.unit == "line" and len(file.header) == 1:
        (column,) = file.header
        advice = f"Scores need labels: write {WIDE}." if field_for(column) == "score" else SEPARATE
        raise InvalidRequest(f"{file.title} has only the column {column[:60]!r}. {advice}")


def _assign_columns(
    files: Sequence[SourceTable], columns: Mapping[str, str | Sequence[str]], *, so: str
) -> dict[str, str]:
    """Assign the columns that the user names or that have known names.

    Return a question for each ambiguous field.
    """
    _assign_named_columns(files, columns, so=so)
    questions = {}
    for file in files:
        for field, question in _assign_known_columns(file).items():
            questions[_key(files, file, field)] = question
    return questions


def _key(files: Sequence[SourceTable], file: SourceTable, field: str) -> str:
    """Return the key of a question: with the file's name, if there are several files."""
    return f"{file.name}:{field}" if len(files) > 1 else field


def _assign_named_columns(
    files: Sequence[SourceTable], columns: Mapping[str, str | Sequence[str]], *, so: str
) -> None:
    """Assign the columns that the user names; raise if that is impossible."""
    for key, named in columns.items():
        file_name, _, field_name = key.rpartition(":")
        own_files = [file for file in files if file.name in (file_name, Path(file_name).stem)]
        if file_name and not own_files:
            near = suggest_name(file_name, [file.name for file in files])
            raise InvalidRequest(f"There is no file {file_name[:60]!r}; {near}")
        for column in [named] if isinstance(named, str) else named:
            # A name without a file applies to every file that has such a column.
            having_it = [file for file in files if column and column in file.header]
            affected = own_files or having_it or files
            for file in affected:
                problem = _assign_named_column(file, field_name, column)
                if problem is not None:
                    file.problems.append(Problem(problem))
    for file in files:
        for alternatives in _ALTERNATIVES:
            if file.has_all(alternatives):
                problem = f"name {' or '.join(alternatives)}, not both"
                file.problems.append(Problem(problem))
        file.refuse_header(so=so)


def _assign_named_column(file: SourceTable, field_name: str, column: str) -> str | None:
    """Assign a column that the user names for a field of ours; return the problem, if any.

    An empty `column` (``decision=``) means that no column is read as this field. The name of the
    field may be a known one of a column, such as ``label``. It is a problem if the file has no such
    column, or if the field or the column is assigned already; only ``score`` takes several columns.
    """
    field = field_for(field_name)
    if not field:
        near = suggest_name(field_name, [*FIELDS, "group_NAME"])
        return f"{field_name[:60]!r} is not a known name; {near.rstrip('.')}"
    if not column:
        file.fields_named.add(field)  # read no column as this field
        return None
    if column not in file.header:
        near = suggest_name(column, file.header)
        return f"there is no column {column[:60]!r}; {near.rstrip('.')}"
    if field in file.column_of:
        return f"two columns are named as {field}: name one"
    if column in _columns_read(file):
        return f"the column {column[:60]!r} is named twice"
    file.assign(field, column)
    file.fields_named.add(field)
    return None


def _columns_read(file: SourceTable) -> list[str]:
    return [*file.column_of.values(), *file.score_columns]


def _assign_known_columns(file: SourceTable) -> dict[str, str]:
    """Assign the other columns with known names; return a question for each ambiguous field."""
    header = file.header
    fields_taken = set(file.fields_named)
    for alternatives in _ALTERNATIVES:
        if not file.fields_named.isdisjoint(alternatives):
            fields_taken.update(alternatives)
    # pandas writes the index of a frame as the first column.
    passed_over = {"", "Unnamed: 0"}.intersection(header[:1]).union(_columns_read(file))
    candidates: dict[str, list[str]] = {}
    unknown = []
    for column in header:
        field = field_for(column)
        if plain(column) == "target" and "source" in map(plain, header):
            field = "reference"  # AWS calls the pictures source and target
        if column in passed_over:
            continue
        if field and field not in fields_taken:
            candidates.setdefault(field, []).append(column)
        else:
            unknown.append(column)
    # The only dotted name that ends with a name of scores, unless it may be of another check, such
    # as liveness.
    nested = [column for column in unknown if is_nested_score(column)]
    if len(nested) == 1 and is_of_comparison(nested[0]) and "score" not in fields_taken:
        candidates.setdefault("score", nested)
    questions = {}
    for field, columns in candidates.items():
        own_name = [column for column in columns if is_own_name(column, field)]
        if len(columns) == 1 or own_name:
            file.assign(field, (own_name or columns)[0])
        else:
            questions[field] = _question_of_choice(file, field, columns)
            passed_over.update(columns)
    passed_over.update(_columns_read(file))
    file.skipped_columns += [column for column in header if column not in passed_over]
    return questions


def _question_of_confidence(file: SourceTable) -> str | None:
    """Ask whether a score is the confidence of a prediction in another column; or None."""
    if "score" in file.fields_named:
        return None
    predictions = [column for column in file.header if _PREDICTION.fullmatch(plain(column))]
    for column in file.score_columns:
        if predictions and _CONFIDENCE.fullmatch(plain(last_part(column))):
            return (
                f"is {column[:60]!r} how similar both faces are, or the confidence of "
                f"{predictions[0][:60]!r}, which is high for two people, too? Name the similarity "
                "as score"
            )
    return None


def _question_of_choice(file: SourceTable, field: str, columns: Sequence[str]) -> str:
    question = f"the columns {_quoted(columns)} of {file.name} may each be {field}: choose one"
    if {plain(column) for column in columns} == {"similarity", "confidence"}:
        # botocore's model of CompareFaces, read 2026-11-28.
        question += (
            " (Rekognition's score is Similarity; its Confidence says how certain it is of having "
            "found a face)"
        )
    return question


def _skip_unneeded(file: SourceTable) -> None:
    """Skip columns that repeat others, or that have one value for several scores."""
    doubtful = []
    if file.has_all(LABELS):
        doubtful.append("non_mated")
    for names in (PEOPLE, PICTURES):
        # One alone is not needed if other columns distinguish people.
        if file.has_any(names) and not file.has_all(names) and file.people_fields:
            doubtful += [field for field in names if field in file.column_of]
    if len(file.score_columns) > 1:
        file.refuse(
            Problem(
                f"the column {file.column_of[field][:60]!r} is for one answer, but each line has "
                f"several scores: write one line for each pair and system, as {LONG},error"
            )
            for field in _OF_ONE_ANSWER
            if field in file.column_of
        )
        for field in file.column_of:
            if field in FIELDS and FIELDS[field].describes == "answer":
                doubtful.append(field)
    elif "backend" in file.column_of:
        file.column_of.setdefault("system", file.column_of["backend"])
    for field in doubtful:
        file.skipped_columns.append(file.column_of.pop(field))


def _missing_fields(cells_of: Tables, ambiguous: Iterable[str]) -> dict[str, str]:
    """Return a question for each field that no file has; `ambiguous` are the keys of questions.

    Raise InvalidRequest if no file has scores, and a second head names them.
    """
    files = list(cells_of)
    fields = {key.rpartition(":")[2] for key in ambiguous}
    for file in files:
        fields |= file.fields
    questions = {}
    for together in _TOGETHER:
        if not fields.isdisjoint(together):
            for field in set(together) - fields:
                questions[field] = f"the column {field} is missing"
    if fields.isdisjoint((*PEOPLE, *PICTURES, PERSON)) and not files[0].independent_pairs:
        questions[PERSON] = (
            "no column names the people: name both people (probe_subject, reference_subject), one "
            "person per line (person) or both pictures (image1, image2), or use "
            f"{format_argument('independent_pairs', True)} if no person is in two pairs"
        )
    if fields.isdisjoint(LABELS):
        has_people = fields.issuperset(PEOPLE)
        question = _question_of_truth(cells_of) if has_people else _demand_of_truth(files)
        if question is not None:
            questions["mated"] = question
    if fields.isdisjoint(("score", "decision")):
        _refuse_second_heads(cells_of)
        questions["score"] = (
            "no column of scores has a known name (score, similarity, confidence, distance); if "
            "there is a column for each system, name each of them as score"
        )
    if _has_systems(cells_of) and "pair" not in fields and not fields.issuperset(PICTURES):
        questions["pair"] = "the column pair is missing, which identifies a pair across systems"
    return questions


def _refuse_second_heads(cells_of: Tables) -> None:
    """Raise if a first row names scores, and more fields than the header does.

    A single such cell may be a pair's metric, beside a label such as ``genuine``.
    """
    for file, cells in cells_of.items():
        names = {field_for(str(cell)) for cell in cells.iloc[0]} - {""}
        if "score" in names and len(names) > max(1, len(file.fields)):
            raise InvalidRequest(
                f"{file.title} has two heads, and the second one names the scores. Delete the "
                f"first, so that the first line names all columns, such as {WIDE} or {LONG}."
            )


def _has_systems(cells_of: Tables) -> bool:
    """Return whether the only file has lines of several systems."""
    (file, cells), *others = cells_of.items()
    if others or "system" not in file.column_of:
        return False
    return len(words_of(cells[file.column_of["system"]]).categories) > 1


def _question_of_truth(cells_of: Tables) -> str | None:
    """Ask whether a skipped column has labels, although people's names would do; or None."""
    question = None
    for file, cells in cells_of.items():
        for column in file.skipped_columns:
            if _may_be_truth(file, cells[column]):
                question = (
                    f"is {column[:60]!r} the ground truth? Name it as mated if 1 means one person, "
                    "as non_mated if 1 means two; --column mated= ignores it (columns={'mated': "
                    "''})"
                )
    return question


def _may_be_truth(file: SourceTable, cells: pd.Series) -> bool:
    """Return whether a column with an unknown name has words for both kinds of pairs."""
    if field_for(str(cells.name)) or not file.fields_named.isdisjoint(LABELS):
        return False
    labels = {MATED.get(word.lower()) for word in distinct_words(words_of(cells))}
    return labels == {True, False}


def _demand_of_truth(files: Sequence[SourceTable]) -> str:
    """Ask for the ground truth, without which nothing can be judged."""
    question = (
        "no column has the ground truth: name the column mated, or both people (probe_subject, "
        "reference_subject)"
    )
    decisions = [file.column_of["decision"] for file in files if "decision" in file.column_of]
    if decisions:
        question += f"; {decisions[-1][:60]!r} is the answer of the system, not the truth"
    return question


def _columns_that_may_be_scores(cells_of: Tables) -> list[str]:
    """Return columns that the user may mean as scores, if no column is known to have scores.

    Beside a `Result`, the columns of scores are often headed by the names of the vendors. Without
    decisions, the user is asked in any case, and only columns with a name such as ``rek_score`` are
    proposed.
    """
    if any(file.score_columns or "score" in file.fields_named for file in cells_of):
        return []
    has_decisions = any("decision" in file.column_of for file in cells_of)
    columns = []
    for file, cells in cells_of.items():
        if has_decisions and "decision" in file.fields_named:
            continue
        for column in file.skipped_columns:
            if (has_decisions or _is_named_as_score(column)) and _may_be_scores(
                file, cells[column]
            ):
                columns.append(column)
    return columns


def _is_named_as_score(column: str) -> bool:
    """Return whether a column's name ends as that of a score, and names no other check."""
    if "." in column and not is_of_comparison(column):
        return False
    return bool(_SCORE_NAME.fullmatch(plain(column))) and not _OTHER_CHECK.search(column)


def _may_be_scores(file: SourceTable, cells: pd.Series) -> bool:
    """Return whether a column has many numbers, as scores are, and no name of another quantity."""
    column = str(cells.name)
    if field_for(column) or _OTHER_QUANTITY.search(column):
        return False
    numbers = numbers_of(cells, decimal_commas=file.decimal_commas)
    numbers = numbers[~np.isnan(numbers)]
    if np.isinf(numbers).any():  # a word
        return False
    distinct = np.unique(numbers)
    if len(distinct) < _FEWEST_SCORES:
        return False
    has_fractions = bool((distinct % 1 != 0).any())
    if has_fractions:
        return True
    # Whole numbers beyond 100, or one for each line, may be ids.
    return bool(distinct.max() <= 100) and len(distinct) < len(numbers)


def _missing_to_join(files: Sequence[SourceTable], ambiguous: Iterable[str]) -> dict[str, str]:
    """Return a question for each field that a file lacks for joining."""
    ambiguous = set(ambiguous)
    questions = {}
    for file in files:
        key = f"{file.name}:score"
        if not _adds_something(file) and key not in ambiguous:
            questions[key] = (
                f"{file.name} has no column of scores with a known name, and no labels, people or "
                "groups"
            )
    pair_key = min(PAIR_KEYS, key=lambda fields: sum(not file.has_all(fields) for file in files))
    for file in files:
        lacking = [
            field
            for field in pair_key
            if field not in file.column_of and ambiguous.isdisjoint((field, f"{file.name}:{field}"))
        ]
        for field in lacking:
            questions[f"{file.name}:{field}"] = (
                f"{file.name} has no column {' or '.join(lacking)}; all files must identify pairs "
                "in the same way: by both pictures, a pair id or both people"
            )
    return questions


def _adds_something(file: SourceTable) -> bool:
    """Return whether a file has answers, labels, people or groups, and not the pairs alone."""
    if file.score_columns or not file.fields_named.isdisjoint(("score", "decision")):
        return True
    if file.has_any(("decision", "error", *LABELS, *PEOPLE, PERSON)):
        return True
    return any(map(group_column, file.column_of))


def _refusal(
    cells_of: Tables,
    questions: Mapping[str, str],
    *,
    scores_to_confirm: Sequence[str] = (),
    people_needed: bool = False,
    so: str = NOTHING_JUDGED,
) -> ColumnsNotRecognised:
    """Return an error that lists all columns and asks the user to name the missing ones.

    `people_needed` is whether the file must name people; `so` states the consequence.
    """
    files = list(cells_of)
    title = files[0].title if len(files) == 1 else "The comparison"
    texts = [format_problems(title, questions.values(), so)]
    for file, cells in cells_of.items():
        texts += _list_columns(file, cells)
    is_shape_unclear = not questions.keys().isdisjoint(("mated", "score", PERSON))
    if is_shape_unclear and not scores_to_confirm:
        texts.append(f"Write one line per pair, not a matrix or a curve: {WIDE} or {LONG}.")
    columns: dict[str, str | Sequence[str]] = dict.fromkeys(
        _fields_to_name(cells_of, questions), COLUMN
    )
    if scores_to_confirm:
        columns["score"] = scores_to_confirm
    if len(scores_to_confirm) == 1:
        columns["score"] = scores_to_confirm[0]
    # If no column was skipped, none can name people.
    has_skipped = any(file.skipped_columns for file in files)
    return ColumnsNotRecognised(
        "\n".join(texts),
        columns=columns,
        independent_pairs=PERSON in questions and not has_skipped,
        people_needed=people_needed,
    )


def _list_columns(file: SourceTable, cells: pd.DataFrame) -> Iterator[str]:
    """Yield a line for each column: its name, its field, and two of its words."""
    field_of_column = {column: field for field, column in file.column_of.items()}
    field_of_column.update(dict.fromkeys(file.score_columns, "score"))
    header = file.header
    width = max(len(column[:60]) for column in header)
    yield f"Columns of {file.title.removeprefix('The ')}:"
    for column in header[:_MOST_COLUMNS_SHOWN]:
        field = field_of_column.get(column, "unknown")
        words = words_of(cells[column]).categories[:2]
        examples = ", ".join(repr(str(word)[:30]) for word in words) or "empty"
        yield f"  {column[:60]:{width}}  {field:17}  {examples}"
    if len(header) > _MOST_COLUMNS_SHOWN:
        yield f"  and {len(header) - _MOST_COLUMNS_SHOWN} more"


def _fields_to_name(cells_of: Tables, questions: Iterable[str]) -> list[str]:
    """Return the fields for which the user is to name a column.

    Of several skipped columns, two may name both people, or both pictures, or each of them.
    """
    fields = list(questions)
    skipped_count = sum(len(file.skipped_columns) for file in cells_of)
    # A single skipped column can name just one person of each line.
    if PERSON not in fields or skipped_count == 1:
        return fields
    fields.remove(PERSON)
    if skipped_count and _have_pictures(cells_of):
        fields += PICTURES
        if _have_people(cells_of):
            fields += PEOPLE
    elif skipped_count:
        fields += PEOPLE
    return fields


def _have_people(cells_of: Tables) -> bool:
    """Return whether a file has two skipped columns with common words: the names of both people.

    Names of pictures, numbers and labels are no names of people.
    """
    for file, cells in cells_of.items():
        words_seen: set[str] = set()
        for column in file.skipped_columns:
            words = set(distinct_words(words_of(cells[column])))
            is_numeric = not np.isinf(numbers_of(cells[column], decimal_commas=True)).any()
            is_labels = all(word.lower() in MATED for word in words)
            if is_numeric or is_labels or any(map(_PICTURE_FILE.search, words)):
                continue
            if not words.isdisjoint(words_seen):
                return True
            words_seen |= words
    return False


def _have_pictures(cells_of: Tables) -> bool:
    """Return whether two of the skipped columns begin with the name of a picture's file."""
    count = 0
    for file, cells in cells_of.items():
        for column in file.skipped_columns:
            for word in words_of(cells[column]).categories[:1]:
                count += _PICTURE_FILE.search(str(word)) is not None
    return count >= 2


def notes_of_columns(files: Sequence[SourceTable], judged: SourceTable) -> Iterator[str]:
    """Yield notes on how columns were read; `judged` is the joined table, or the only one."""
    for file in files:
        if file.skipped_columns:
            of_file = f"{file.title}: " if len(files) > 1 else ""
            yield (
                f"{of_file}read {_quoted(_columns_read(file))}; columns that are unknown or not "
                f"needed were skipped: {_quoted(file.skipped_columns)}"
            )
        distances = [
            column for column in file.score_columns if file.all_are_distances or is_distance(column)
        ]
        if distances:
            yield (
                f"scores of {_quoted(distances)} are minus the distances: a threshold of -0.4 "
                "passes distances up to 0.4"
            )
    if not judged.has_any(LABELS):
        yield "pairs with the same name on both sides are mated, because no column has labels"
    if judged.people_fields == (PERSON,):
        columns = [file.column_of[PERSON] for file in files if PERSON in file.column_of]
        yield (
            f"each line names one person, {columns[0]!r}: the other people of non-mated pairs are "
            "unknown, and intervals are too narrow if one of them is in several pairs"
        )
    if not judged.people_fields:
        yield "pairs are treated as independent: if a person is in two, intervals are too narrow"


def _quoted(columns: Iterable[str]) -> str:
    return join_names([repr(column[:60]) for column in columns])
