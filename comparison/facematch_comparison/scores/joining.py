"""Join several score files by pair."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import PurePath
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa

from facematch_core.errors import InvalidRequest

from .answers import PROBE_GROUP, REFERENCE_GROUP
from .columns import FIELDS, PAIR_KEYS, PEOPLE, PICTURES, TRUTH, group_column
from .raw_table import PlaceInFile, RawTable
from .score_table import MINUS_DISTANCE, ScoreTable

#: A file is joined only if its system has more than this share of the labelled pairs.
_LEAST_JOINED: Final = 0.5

#: Columns of a joined frame that are no fields.
_NO_FIELDS: Final = ("place", "file", "number", "is_answer")


def join(files: Sequence[ScoreTable], note: Callable[[str], object]) -> ScoreTable:
    """Join files by pair. A file without scores provides only labels and people."""
    names = [file.name for file in files]
    for name in names:
        if names.count(name) > 1:
            raise InvalidRequest(
                f"Two files or columns of scores have the name {name!r}, which is also the name of "
                "the system: rename one."
            )
    pair_key = _pair_key_of(files)
    lines = pd.concat(map(_frame_of_file, files), ignore_index=True)
    lines["number"] = _number_pairs(lines, pair_key, note)
    _copy_facts_of_pairs(lines, pair_key)
    is_kept = lines["is_answer"]
    if "mated" in lines:
        is_kept = is_kept & lines["mated"].notna()
    _check_coverage(lines, pair_key, is_kept, note)
    lines = lines[is_kept]
    pair_names = lines.groupby("number")[pair_key].transform("first").fillna("")
    name_of_pair = pair_names[pair_key[0]].str.cat(pair_names[pair_key[1:]], sep=" and ")
    lines = lines.assign(pair=name_of_pair)
    places = lines["place"].tolist()
    lines = lines.drop(columns=[*_NO_FIELDS]).dropna(axis=1, how="all")
    raw = RawTable(
        "The comparison",
        pa.table({**lines}),
        find_places=lambda: places,
        unit="line",
    )
    joined = ScoreTable(raw=raw, name="", independent_pairs=files[0].independent_pairs)
    for field in lines:
        joined.assign(field, field)
    return joined


def _pair_key_of(files: Sequence[ScoreTable]) -> list[str]:
    """Return the fields that identify a pair in all files; `recognise` has asked for them."""
    for pair_key in PAIR_KEYS:
        if all(file.has_all(pair_key) for file in files):
            return [*pair_key]
    raise AssertionError("files without a common key are refused")


def _frame_of_file(file: ScoreTable) -> pd.DataFrame:
    """Return the lines of one file as numbers and texts, with None for an empty cell."""
    columns: dict[str, Any] = {}
    for field in file.column_of:
        if field in TRUTH:
            continue
        is_number = field in FIELDS and FIELDS[field].is_number
        columns[field] = file.numbers(field) if is_number else file.categories(field).texts
    columns["system"] = file.systems.texts
    if file.has_any(TRUTH):
        columns["mated"] = np.where(file.mated, "1", "0").astype(object)
    if file.score_columns:
        columns["score"] = file.scores
    if file.is_distance:
        columns["scale"] = MINUS_DISTANCE
    frame = pd.DataFrame(columns).replace("", None)
    file_name = PurePath(file.raw.name.removeprefix("The file ")).name
    return frame.assign(
        place=[PlaceInFile(number, file_name) for number in file.raw.places],
        file=file.name,
        is_answer=not file.fields.isdisjoint(("decision", "error", "score")),
    )


def _number_pairs(
    lines: pd.DataFrame, pair_key: list[str], note: Callable[[str], object]
) -> pd.Series:
    """Return the number of each line's pair; the order of its two ends does not matter.

    If the folders of pictures differ between files, pictures are identified by their file names.
    """
    ends = lines[pair_key].fillna("")
    numbers = _number_rows(ends)
    if pair_key != [*PICTURES] or _is_in_all_files(numbers, lines):
        return numbers
    by_file_name = _number_rows(ends.replace(r".*[/\\]", "", regex=True))
    pairs_before = numbers.groupby(lines["file"]).nunique()
    pairs_by_name = by_file_name.groupby(lines["file"]).nunique()
    if _is_in_all_files(by_file_name, lines) and pairs_by_name.equals(pairs_before):
        note("pictures were joined by file name, because their folders differ")
        return by_file_name
    return numbers


def _number_rows(ends: pd.DataFrame) -> pd.Series:
    sorted_ends = pd.DataFrame(np.sort(ends.to_numpy(str), axis=1))
    return sorted_ends.groupby([*sorted_ends], sort=False).ngroup()


def _is_in_all_files(numbers: pd.Series, lines: pd.DataFrame) -> bool:
    """Return whether all files have one of these pairs."""
    return bool(lines["file"].groupby(numbers).nunique().max() == lines["file"].nunique())


def _copy_facts_of_pairs(lines: pd.DataFrame, pair_key: list[str]) -> None:
    """Copy the label, people and groups of a pair to all of its lines, in all files."""
    facts = []
    for field in lines:
        if group_column(field) or (field in FIELDS and FIELDS[field].describes == "pair"):
            facts.append(field)
    if len(pair_key) == 2:
        _turn_to_first_order(lines, pair_key, facts)
    for field in facts:
        shared = lines.groupby("number")[field].transform("first")
        clashes = lines[field].notna() & lines[field].ne(shared)
        if field not in PICTURES and clashes.any():
            line = lines[clashes].iloc[0]
            raise InvalidRequest(
                f"line {line['place']}: {field} of this pair is {line[field][:60]!r}, but "
                f"{shared[clashes].iloc[0][:60]!r} in another file; nothing was judged."
            )
        lines[field] = shared


def _turn_to_first_order(lines: pd.DataFrame, pair_key: list[str], facts: Sequence[str]) -> None:
    """Exchange the two ends of lines whose order is not that of the pair's first line."""
    first_end = lines.groupby("number")[pair_key[0]].transform("first")
    is_turned = (lines[pair_key[0]] != first_end) & (lines[pair_key[1]] == first_end)
    ends = [[*PICTURES], [*PEOPLE]]
    for field in facts:
        if field.startswith(PROBE_GROUP):
            ends.append([field, REFERENCE_GROUP + field.removeprefix(PROBE_GROUP)])
    for both in ends:
        if {*both} <= {*lines}:
            lines.loc[is_turned, both] = lines.loc[is_turned, both[::-1]].to_numpy()


def _check_coverage(
    lines: pd.DataFrame, pair_key: list[str], is_kept: pd.Series, note: Callable[[str], object]
) -> None:
    """Note the pairs that a system lacks; raise if a system lacks most of them."""
    count = lines["number"][is_kept].nunique()
    for name, of_system in lines[lines["is_answer"]].groupby("system", sort=False):
        is_labelled = is_kept[of_system.index]
        missing = count - of_system["number"][is_labelled].nunique()
        if missing >= _LEAST_JOINED * count:
            others = lines[lines["system"] != name]
            shared = len({*of_system["number"]} & {*others["number"]})
            raise InvalidRequest(
                f"{name} has {shared:,} of the {others['number'].nunique():,} pairs of other "
                f"files: nothing was judged. Its first pair is {_first_pair(of_system, pair_key)}, "
                f"and theirs is {_first_pair(others, pair_key)}: identify pairs in the same way in "
                "all files."
            )
        left_out = int((~is_labelled).sum())
        if left_out:
            note(f"{name}: {left_out:,} lines are left out, because no file labels their pairs")
        if missing:
            note(
                f"{name}: {missing:,} of {count:,} pairs are not in its file; they are treated as "
                "not asked and count in no rate"
            )


def _first_pair(lines: pd.DataFrame, pair_key: list[str]) -> str:
    ends = lines[pair_key].fillna("").iloc[0]
    return " and ".join(repr(end[:60]) for end in ends)
