"""Export answers as a DataFrame, CSV or Parquet, and list the pairs that are wrong.

`read_scores` reads these files back without loss of precision.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
import pandas as pd
import pyarrow as pa
from pandas import DataFrame
from pyarrow import csv

from facematch_comparison.scores.answers import Answers, check_alike
from facematch_comparison.study.reading import Study, StudyPair
from facematch_core.base.files import replacing
from facematch_core.base.tables import escaped
from facematch_core.errors import InvalidRequest

#: Attributes of a system that are columns of a file.
_FACTS: Final = (
    "rule",
    "threshold",
    "scale",
    "price",
    "currency",
    "backend",
    "model",
    "environment",
    "people_known",
)

#: Columns with the names of pictures and people, if known.
_NAMES: Final = ("probe", "reference", "person_1", "person_2")

#: Columns of `wrong_pairs`.
WRONG_COLUMNS: Final = ("system", "kind", "pair", *_NAMES, "score", "threshold")

#: Columns that are omitted if they are empty for all systems.
_OPTIONAL: Final = ("decision", "error", "elapsed_s", *_FACTS)


def to_frame(answers: Sequence[Answers], study: Study | None = None) -> DataFrame:
    """Return answers as one pandas DataFrame: a row for each pair and system.

    Columns: ``system``, the columns of `Answers.frame`, and facts of each system (``rule``,
    ``threshold``, ``scale``, ``price``, ``currency``, ``backend``, ``model``, ``environment``,
    ``people_known``). Columns that are empty for all systems are omitted.

    Args:
        study: The test set, for names of pictures and people; without it, people are numbers or
            named as in the score file.

    Raises:
        InvalidRequest: there are no answers, two systems have the same name, or the pairs differ.
    """
    return _long(answers, study, once=False)


def export(what: Sequence[Answers] | DataFrame, path: Path, study: Study | None = None) -> None:
    """Write answers, or a frame such as that of `wrong_pairs`, to a ``.csv`` or ``.parquet`` file.

    An existing file is replaced atomically; only its owner can read it. In CSV, formulas are
    escaped, and only each system's first row contains its facts. For `study` see `to_frame`.

    Raises:
        InvalidRequest: the suffix is not supported, or an error of `to_frame` occurs.
        OSError: the file cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".parquet"):
        raise InvalidRequest(f"{path} must end with .csv or .parquet.")
    frame = what if isinstance(what, DataFrame) else _long(what, study, once=suffix == ".csv")
    with replacing(path, private=True) as new, new.open("wb") as file:
        _write_csv(frame, file) if suffix == ".csv" else frame.to_parquet(file, index=False)


def digest_answers(answers: Sequence[Answers]) -> str:
    """Return the SHA-256, in hex, of the CSV file of `export` (errors: see `to_frame`)."""
    file = io.BytesIO()
    _write_csv(_long(answers, None, once=True), file)
    return hashlib.sha256(file.getvalue()).hexdigest()


def wrong_pairs(answers: Answers, threshold: float | None, study: Study | None = None) -> DataFrame:
    """Return the pairs that a system got wrong at a threshold, a row for each, worst first.

    Columns: ``system``; ``kind`` (``false match``, highest score first; ``false non-match``, lowest
    score first; ``failure to acquire`` of a mated pair); ``pair``, the index from 0; ``probe``,
    ``reference``, ``person_1`` and ``person_2``, if known; ``score``; ``threshold``. Pairs without
    an answer are omitted and, at a threshold, acquired pairs without a score.

    Args:
        threshold: A threshold on the scores' scale; None for the system's own decisions.
        study: The test set, for names of pictures and people; by default, those of the score file.

    Raises:
        InvalidRequest: the system has no scores or an unknown rule, or without a threshold no
            decisions; or the study has other pairs.
    """
    frame = _frame(answers, study).assign(system=answers.name, threshold=threshold)
    if not hasattr(frame["person_1"], "cat"):  # numbers, not names
        frame = frame.drop(columns=["person_1", "person_2"])
    passed = answers.passed(threshold)
    scores = answers.scores
    mated = answers.mated
    judged = answers.acquired if threshold is None else answers.scored
    wrong = [
        frame[rows].assign(kind=column_type).iloc[np.argsort(key[rows], kind="stable")]
        for column_type, rows, key in (
            ("false match", ~mated & passed, -scores),
            ("false non-match", mated & judged & ~passed, scores),
            ("failure to acquire", mated & answers.answered & ~answers.acquired, scores),
        )
    ]
    whole = pd.concat(wrong, ignore_index=True).reindex(columns=WRONG_COLUMNS)
    dictionary = dict.fromkeys(("system", "kind", *_NAMES), "string")
    return whole.astype(dictionary | {"score": "float", "threshold": "float"})


def _frame(answers: Answers, study: Study | None) -> DataFrame:
    """Return the frame of answers, with the names of people and pictures of the test set."""
    if study is None:
        return answers.frame
    pairs: Sequence[StudyPair] = study.pairs
    if answers.parts is not None and answers.parts.pairs == len(pairs):
        # Parts may be missing.
        pairs = [pairs[number] for number in answers.frame["pair"]]
    if not np.array_equal(answers.mated, [pair.mated for pair in pairs]):
        raise InvalidRequest(
            f"{answers.name} answered {len(answers):,} pairs, but the test set {study.name} "
            f"has {len(study.pairs):,} or different pairs: pass the test set of the run."
        )
    sides = ("probe", "reference", "probe_subject", "reference_subject")
    columns = {
        name: pd.Series([str(getattr(pair, side)) for pair in pairs], dtype="category")
        for name, side in zip(_NAMES, sides, strict=True)
    }
    return answers.frame.assign(**columns)


def _long(answers: Sequence[Answers], study: Study | None, *, once: bool) -> DataFrame:
    """Return all answers; with `once`, only each system's first row contains its facts."""
    if not answers:
        raise InvalidRequest("There are no answers to write.")
    if len({each.name for each in answers}) < len(answers):
        raise InvalidRequest("Two systems have the same name: use different names.")
    check_alike(answers)
    frames = []
    for each in answers:
        frame = _frame(each, study).copy(deep=False)
        frame.insert(0, "system", pd.Categorical.from_codes(np.zeros(len(frame), int), [each.name]))
        for name in _FACTS:
            value = getattr(each, name)
            if name == "people_known":
                value = None if value else "no"
            column_type = float if isinstance(value, float) else "category"
            value = value if isinstance(value, float | None) else str(value)
            cells = pd.Series(value, frame.index, column_type)
            frame[name] = cells.where(np.arange(len(frame)) == 0) if once else cells
        frames.append(frame)
    whole = pd.concat(frames, ignore_index=True) if len(frames) > 1 else frames[0]
    return whole.drop(columns=[name for name in _OPTIONAL if whole[name].isna().all()])


def _write_csv(frame: DataFrame, file: BinaryIO) -> None:
    table = pa.Table.from_pandas(frame, preserve_index=False)
    header = pa.table({str(number): [name] for number, name in enumerate(table.column_names)})
    rows = pa.table(list(map(_cells, table.columns)), names=table.column_names)
    for part in (header, rows):  # otherwise pyarrow quotes every column name
        csv.write_csv(part, file, csv.WriteOptions(include_header=False))


def _cells(column: Any) -> Any:
    """Return a column for CSV; escape text that a spreadsheet would read as a formula."""
    if pa.types.is_boolean(column.type):
        return column.cast(pa.int8())
    if pa.types.is_primitive(column.type):
        return column
    dictionary = column.combine_chunks().dictionary_encode()
    texts = [
        None if word is None else escaped(str(word)) for word in dictionary.dictionary.to_pylist()
    ]
    return pa.array(texts, pa.string()).take(dictionary.indices)
