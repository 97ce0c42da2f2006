"""Scores out: a frame, a CSV or Parquet file, and the pairs that a system got wrong.

What is written here `read_scores` reads again, to the last digit.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import attrs
import numpy as np
import pyarrow as pa
from pyarrow import csv

from facematch_core.base.files import replacing
from facematch_core.base.tables import escaped
from facematch_core.errors import InvalidRequest

from .answers import BILLED, DECISIONS, NOT_ASKED, Answers, Grouping, check_alike
from .model import WrongPair
from .study.reading import PROBE_GROUP, REFERENCE_GROUP, Study

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import DataFrame


def to_frame(answers: Sequence[Answers], study: Study | None = None) -> DataFrame:
    """Answers as a pandas DataFrame: a row for each pair and system, which `read_scores` reads.

    Args:
        study: Whose pictures and people are named; without it, people are numbers.

    Raises:
        InvalidRequest: there are none, two have one name, or their pairs or groups differ, or those
            of the study.
    """
    return _long(answers, study).to_pandas()


def export(
    what: Sequence[Answers] | Sequence[WrongPair], path: Path, study: Study | None = None
) -> None:
    """Write answers, or pairs that a system got wrong, to a file; its ending says the form.

    A file that is there is replaced when the new one is whole. No cell of a CSV file is a formula,
    and in it what is the same for a whole system is on its first line. What answers hold only as a
    sum (how many pairs lack an answer for which reason) is on pairs that lack one, in any order.

    Args:
        what: Answers, as of `to_frame`, or what `wrong_pairs` found, if only that nothing is wrong.
        path: Ends with ``.csv`` or ``.parquet``.
        study: As of `to_frame`.

    Raises:
        InvalidRequest: another ending; else as of `to_frame`.
        OSError: it cannot be written.
    """
    from pyarrow import parquet

    suffix = path.suffix.lower()
    if suffix not in (".csv", ".parquet"):
        raise InvalidRequest(f"{path} is no file to write scores to: end it .csv or .parquet.")
    if not what or isinstance(what[0], WrongPair):
        numbers = {"pair": pa.int64(), "score": pa.float64(), "threshold": pa.float64()}
        names = [field.name for field in attrs.fields(WrongPair)]
        schema = pa.schema([(name, numbers.get(name, pa.string())) for name in names])
        table = pa.Table.from_pylist(list(map(attrs.asdict, what)), schema)
    else:
        table = _long(what, study, once=suffix == ".csv")  # type: ignore[arg-type]  # of answers
    with replacing(path) as new, new.open("wb") as file:
        _write_csv(table, file) if suffix == ".csv" else parquet.write_table(table, file)


def digest_answers(answers: Sequence[Answers]) -> str:
    """SHA-256, in hex, of the CSV file that `export` writes of these answers, without a study.

    Raises:
        InvalidRequest: as of `to_frame`.
    """
    file = io.BytesIO()
    _write_csv(_long(answers, None, once=True), file)
    return hashlib.sha256(file.getvalue()).hexdigest()


def wrong_pairs(
    answers: Answers, threshold: float | None, study: Study | None = None
) -> list[WrongPair]:
    """The pairs that a system got wrong at a threshold, the worst first.

    False matches, the highest score first; false non-matches, the lowest first; then mated pairs
    that could not be acquired. Pairs without an answer, and acquired ones without a score, are none
    of them.

    Args:
        threshold: On the scale of its scores; None for its own decisions.
        study: Whose pictures and people are named; without it, those of the file of scores are, if
            it names any.

    Raises:
        InvalidRequest: there are no scores to hold against a threshold, or the study has other
            pairs.
    """
    table = answers.table
    if study is not None:
        _check_study(answers, study)
    names = dict(_names(answers, study))
    passed = table.passed(threshold)
    judged = table.acquired if threshold is None else table.scored
    scores = table.scores
    pairs = []
    for kind, rows, key in (
        ("false match", ~table.mated & passed, -scores),
        ("false non-match", table.mated & judged & ~passed, scores),
        ("failure to acquire", table.mated & table.answered & ~table.acquired, scores),
    ):
        places = np.flatnonzero(rows)
        for place in places[np.argsort(key[places], kind="stable")].tolist():
            score = None if np.isnan(scores[place]) else float(scores[place])
            of_pair = {
                name: str(names[name][place].as_py()) if name in names else None for name in _NAMES
            }
            pairs.append(
                WrongPair(
                    system=answers.name,
                    kind=kind,
                    pair=place,
                    score=score,
                    threshold=threshold,
                    **of_pair,  # type: ignore[arg-type]  # people always have a name
                )
            )
    return pairs


def _long(answers: Sequence[Answers], study: Study | None, *, once: bool = False) -> Any:
    """All answers without empty columns; `once`: what is the same for a system is on one line."""
    if not answers:
        raise InvalidRequest("There are no answers to write.")
    if len({each.name for each in answers}) < len(answers):
        raise InvalidRequest("Two systems have the same name: give each its own.")
    check_alike([each.table for each in answers])
    groups = _plain(answers[0].table.groups)
    for each in answers:
        if _plain(each.table.groups) != groups:
            raise InvalidRequest(
                f"{answers[0].name} and {each.name} have other groups: only answers to one test "
                "set go into one file."
            )
    if study is not None:
        _check_study(answers[0], study)
    tables = [pa.table(dict(_columns(each, study, once=once))) for each in answers]
    names = dict.fromkeys(name for table in tables for name in table.column_names)
    for name in names:
        if name in _OPTIONAL and all(table[name].null_count == len(table) for table in tables):
            tables = [table.drop_columns(name) for table in tables]
    return pa.concat_tables(tables).unify_dictionaries()


#: Columns that are left out where they say nothing.
_OPTIONAL: Final = (
    *("decision", "error", "elapsed_s", "billed", "rule", "threshold", "scale", "price"),
    *("currency", "backend", "model", "other_models", "environment", "privacy", "people_known"),
)


def _plain(groups: Mapping[str, Grouping]) -> dict[str, tuple[object, ...]]:
    return {
        name: (group.labels, group.probe.tobytes(), group.reference.tobytes())
        for name, group in groups.items()
    }


def _check_study(answers: Answers, study: Study) -> None:
    if not np.array_equal(answers.table.mated, study.mated):
        raise InvalidRequest(
            f"{answers.name} answered {len(answers.table):,} pairs, and the test set {study.name} "
            f"has {len(study.pairs):,} or others: give the test set that was asked."
        )


def _columns(answers: Answers, study: Study | None, *, once: bool) -> Iterator[tuple[str, Any]]:
    table = answers.table
    zeros = np.zeros(len(table), np.int64)
    yield "system", _encode_words(zeros, [answers.name])
    yield "pair", pa.array(np.arange(len(table)))
    if table.transactions is not None:
        yield "transaction", pa.array(table.transactions)
        yield "attempt", pa.array(table.attempts)
    yield "mated", pa.array(table.mated)
    yield from _names(answers, study)
    yield "score", pa.array(table.scores, from_pandas=True)
    yield "decision", _encode_words(table.decisions, [str(decision) for decision in DECISIONS])
    yield "acquired", pa.array(table.acquired, mask=~table.answered)
    yield "error", _errors(answers)
    yield "elapsed_s", pa.array(answers.elapsed_s, from_pandas=True)
    # Left out, it is a guess by the price.
    free = answers.price is None and not answers.billed.any()
    yield "billed", _encode_words(zeros - 1 if free else answers.billed, [*map(str, BILLED)])
    for column, group in table.groups.items():
        yield PROBE_GROUP + column, _encode_words(group.probe, group.labels)
        yield REFERENCE_GROUP + column, _encode_words(group.reference, group.labels)
    filled = np.arange(len(table)) == 0 if once else zeros == 0
    for name, value in (("threshold", table.threshold), ("price", answers.price)):
        number = np.nan if value is None else value
        yield name, pa.array(np.where(filled, number, np.nan), from_pandas=True)
    for name, word in {
        "rule": str(table.rule),
        "scale": table.scale,
        "currency": answers.currency,
        "backend": answers.backend,
        "model": answers.model,
        "other_models": json.dumps(dict(answers.other_models)) if answers.other_models else None,
        "environment": None if answers.environment is None else str(answers.environment),
        "privacy": answers.privacy,
        "people_known": None if answers.people_known else "no",
    }.items():
        yield name, _encode_words(np.where(filled & (word is not None), 0, -1), [str(word)])


_NAMES: Final = ("probe", "reference", "probe_subject", "reference_subject")

#: A name that is a number: a frame has it as one.
_NUMBER: Final = re.compile("0|[1-9][0-9]{0,17}")


def _names(answers: Answers, study: Study | None) -> Iterator[tuple[str, Any]]:
    """Pictures and people of each pair, by the study or the file that the answers are from."""
    if study is not None:
        yield "probe", pa.array([str(pair.probe) for pair in study.pairs], pa.string())
        yield "reference", pa.array([str(pair.reference) for pair in study.pairs], pa.string())
        people = [_encode_words(side, study.subjects) for side in study.subject_numbers]
        yield from zip(_NAMES[2:], people, strict=True)
        return
    names = answers.names
    if names is not None and names.pictures:
        yield "probe", _encode_words(names.probe, names.pictures)
        yield "reference", _encode_words(names.reference, names.pictures)
    sides = np.stack([answers.table.probe_subjects, answers.table.reference_subjects])
    people = [pa.array(side) for side in sides]
    if names is not None and names.subjects:
        numbers, places = np.unique(sides, return_inverse=True)
        places = places.reshape(sides.shape)
        words = [names.subjects.get(who, f"unknown {who}") for who in numbers.tolist()]
        people = [_encode_words(side, words) for side in places]
        if all(map(_NUMBER.fullmatch, words)):
            people = [pa.array(np.array(words, np.int64)[side]) for side in places]
    yield from zip(_NAMES[2:], people, strict=True)


def _encode_words(places: NDArray[Any], words: Sequence[str]) -> Any:
    """Words by their places; nothing where a place is below 0."""
    places = places.astype(np.int32)
    indices = pa.array(places, mask=places < 0)
    return pa.DictionaryArray.from_arrays(indices, pa.array(words, pa.string()))


def _errors(answers: Answers) -> Any:
    # Each once, or a frame of pandas cannot be made of it.
    words = [*dict.fromkeys([*answers.not_answered, NOT_ASKED])]
    counts = [*answers.not_answered.values()]
    missing = int((~answers.table.answered).sum())
    at = np.repeat(np.arange(len(counts)), counts)[:missing]
    places = np.full(len(answers.table), -1)
    padding = np.full(missing - len(at), words.index(NOT_ASKED))
    places[~answers.table.answered] = np.concatenate([at, padding])
    return _encode_words(places, words)


def _write_csv(table: Any, file: BinaryIO) -> None:
    """Without a formula: names are escaped, numbers are numbers."""
    columns = []
    for column in table.columns:
        plain = column.cast(pa.int8()) if pa.types.is_boolean(column.type) else column
        if pa.types.is_dictionary(column.type):
            words = [_escape_words(chunk.dictionary).take(chunk.indices) for chunk in column.chunks]
            plain = pa.chunked_array(words, pa.string())
        elif pa.types.is_string(column.type):
            plain = pa.chunked_array([_escape_words(chunk) for chunk in column.chunks], pa.string())
        columns.append(plain)
    header = pa.table({str(at): [name] for at, name in enumerate(table.column_names)})
    rows = pa.table(columns, names=table.column_names)
    for part in (header, rows):  # pyarrow would put every name in quotes
        csv.write_csv(part, file, csv.WriteOptions(include_header=False))


def _escape_words(words: Any) -> Any:
    texts = [None if word is None else escaped(word) for word in words.to_pylist()]
    return pa.array(texts, pa.string())
