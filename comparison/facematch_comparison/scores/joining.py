"""Join several score files by pair: several vendors' exports, and a list of the pairs with labels.

Each file has its own columns. A file without scores is a list of pairs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa

from facematch_core.errors import InvalidRequest

from .answers import PROBE_GROUP, REFERENCE_GROUP
from .cells import Cells
from .columns import COLUMNS, PAIR_KEYS, PEOPLE, PICTURES, TRUTH, group_of
from .lines import MINUS_DISTANCE, Lines

if TYPE_CHECKING:
    from pandas import DataFrame, Series

    from .cells import Ints

#: A system with fewer of the labelled pairs than this share does not belong to them.
_LEAST_JOINED: Final = 0.5


def join_files(files: Sequence[Lines], note: Callable[[str], object]) -> Lines:
    """Join the lines of files that were read one by one.

    Args:
        files: Lines of each file; all have one of `PAIR_KEYS`.
        note: Called with a sentence about pairs that did not join.

    Raises:
        InvalidRequest: the files share no pairs, or contradict each other.
    """
    stems = [lines.name for lines in files]
    if twice := [stem for stem in stems if stems.count(stem) > 1]:
        raise InvalidRequest(
            f"Two files are called {twice[0]!r}: rename one, because a system is named by its file."
        )
    key = next(key for key in PAIR_KEYS if all({*key} <= lines.of.keys() for lines in files))
    whole = pd.concat(map(_frame_of, files), ignore_index=True)
    texts = [name for name in whole.columns if whole[name].dtype not in (np.float64, np.bool_)]
    whole[texts] = whole[texts].fillna("")
    whole["number"] = _pairs_of(whole, key, note)
    _share_facts_of_pairs(whole, key)
    labelled = whole["mated"] != "" if "mated" in whole else pd.Series(True, whole.index)
    keep = whole["is_answer"] & (labelled | ~labelled.any())
    _check_shares(whole, keep, note)
    whole = whole[keep]
    places = whole["place"].tolist()
    first = whole.groupby("number")[[*key]].transform("first")
    whole = whole.drop(columns=["place", "file", "number", "is_answer"])
    whole = whole.assign(pair=first.iloc[:, 0].str.cat(first.iloc[:, 1:], sep=" and "))
    whole = whole.loc[:, (whole != "").any()]
    table = pa.table({name: pa.array(whole[name].tolist()) for name in whole.columns})
    lines = Lines(
        cells=Cells("The comparison", table, places=lambda: places, unit=""),
        name="",
        independent_pairs=files[0].independent_pairs,
    )
    for name in whole.columns:
        lines.put(name, name)
    return lines


def _frame_of(lines: Lines) -> DataFrame:
    """Return the lines of one file as texts and numbers."""
    columns: dict[str, Any] = {
        ours: lines.numbers(ours)
        if ours in COLUMNS and COLUMNS[ours].is_number
        else lines.words(ours).texts
        for ours in lines.of
        if ours not in TRUTH
    }
    columns["system"] = lines.system.texts
    if {*TRUTH} & lines.of.keys():
        columns["mated"] = np.where(lines.mated, "1", "0").astype(object)
    if lines.scores:
        columns["score"] = lines.score
    if lines.distances:
        is_distance = np.isin(columns["system"].astype(str), [*lines.distances])
        scale = columns.get("scale", np.array("", object))
        columns["scale"] = np.where(is_distance, MINUS_DISTANCE, scale)
        if "threshold" in columns:
            columns["threshold"] = columns["threshold"] * np.where(is_distance, -1, 1)
    file = PurePath(lines.cells.name.removeprefix("The file ")).name
    columns["place"] = [f"{file} {lines.cells.place(line)}" for line in range(len(lines))]
    is_answer = bool({"decision", "error", "score"} & lines.held)
    return pd.DataFrame({**columns, "file": lines.name, "is_answer": is_answer})


def _pairs_of(whole: DataFrame, key: Sequence[str], note: Callable[[str], object]) -> Ints:
    """Return the pair of each line; if folders of pictures differ, their files' names decide."""

    def codes_of(columns: list[Series]) -> Ints:
        # Two pictures are one pair in either order.
        ends = np.sort(np.stack([column.to_numpy().astype(str) for column in columns]), axis=0)
        return np.asarray(pd.factorize(pd.Series(map("\0".join, ends.T.tolist())))[0])

    def joins_all(codes: Ints) -> bool:
        files = whole["file"].groupby(codes).nunique()
        return bool(files.max() == whole["file"].nunique())

    columns = [whole[name] for name in key]
    codes = codes_of(columns)
    if key == PICTURES and not joins_all(codes):
        files = [column.str.replace("\\", "/").str.rpartition("/")[2] for column in columns]
        if joins_all(by_file := codes_of(files)):
            note("pictures were joined by the names of their files, because their folders differ")
            return by_file
    return codes


def _share_facts_of_pairs(whole: DataFrame, key: Sequence[str]) -> None:
    """Copy label, people and groups of a pair from other files to each of its lines."""
    facts = [
        name
        for name in whole.columns
        if group_of(name) or (name in COLUMNS and COLUMNS[name].of == "pair")
    ]
    if len(key) == 2:
        first = whole.groupby("number")[key[0]].transform("first")
        turned = (whole[key[0]] != first) & (whole[key[1]] == first)
        kinds = [name.removeprefix(PROBE_GROUP) for name in facts if name.startswith(PROBE_GROUP)]
        sides = [(PROBE_GROUP + kind, REFERENCE_GROUP + kind) for kind in kinds]
        for one, two in (PICTURES, PEOPLE, *sides):
            if {one, two} <= {*whole.columns}:
                whole.loc[turned, [one, two]] = whole.loc[turned, [two, one]].to_numpy()
    for name in facts:
        known = whole[name].where(whole[name] != "")
        shared = known.groupby(whole["number"]).transform("first").fillna("")
        clash = known.notna() & known.ne(shared)
        if name not in PICTURES and clash.any():
            line = whole[clash].iloc[0]
            raise InvalidRequest(
                f"{line['place']}: {name} of this pair is {line[name][:60]!r}, and another file "
                f"says {shared[clash].iloc[0][:60]!r}; nothing was judged."
            )
        whole[name] = shared


def _check_shares(whole: DataFrame, keep: Series, note: Callable[[str], object]) -> None:
    """Note the pairs that a system lacks; raise if a system lacks most of them."""
    count = whole["number"][keep].nunique()
    for name, lines in whole[whole["is_answer"]].groupby("system", sort=False):
        known = keep[lines.index]
        missing = count - lines["number"][known].nunique()
        if missing > _LEAST_JOINED * count or not count:
            ends = pd.concat([lines[:1], whole[whole["system"] != name][:1]])
            shown = [
                " and ".join(repr(str(line[each])[:60]) for each in PICTURES if line.get(each))
                or repr(str(line.get("pair", ""))[:60])
                for _, line in ends.iterrows()
            ]
            raise InvalidRequest(
                f"{name} has {count - missing:,} of {count:,} pairs of the other files: nothing "
                f"was judged. Its first pair is {shown[0]}, and theirs is {shown[-1]}: name pairs "
                "alike in all files."
            )
        if left_out := int((~known).sum()):
            note(f"{name}: {left_out:,} lines are left out, because no file labels their pairs")
        if missing:
            note(
                f"{name}: {missing:,} of {count:,} pairs are not in its file; they count as "
                "not asked, and in no rate"
            )
