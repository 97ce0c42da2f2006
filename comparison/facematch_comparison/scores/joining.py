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
from .cells import Cells, Words
from .columns import COLUMNS, PAIR_KEYS, PEOPLE, PICTURES, TRUTH, group_of
from .lines import Lines

if TYPE_CHECKING:
    from pandas import DataFrame, Series

    from .cells import Ints

#: A system with fewer of the labelled pairs than this share does not belong to them.
_LEAST_JOINED: Final = 0.5


def join_files(
    stems: Sequence[str], files: Sequence[Lines], note: Callable[[str], object]
) -> Lines:
    """Join the lines of files that were read one by one.

    Args:
        stems: Name of each file, without its ending.
        files: Lines of each; all have one of `PAIR_KEYS`.
        note: Called with a sentence about pairs that did not join.

    Raises:
        InvalidRequest: the files share no pairs, or contradict each other.
    """
    if twice := [stem for stem in stems if stems.count(stem) > 1]:
        raise InvalidRequest(
            f"Two files are called {twice[0]!r}: rename one, because a system is named by its file."
        )
    key = next(key for key in PAIR_KEYS if all({*key} <= {*each.words} for each in files))
    whole = pd.concat(map(_frame_of, files), ignore_index=True)
    whole["file"] = np.repeat(stems, [len(each) for each in files])
    numbers = [name for name in whole.columns if whole[name].dtype == np.float64]
    words = [name for name in whole.columns if name not in (*numbers, "is_answer")]
    whole[words] = whole[words].fillna("")
    whole["number"] = _pairs_of(whole, key, note)
    _share_facts_of_pairs(whole, key)
    labelled = whole["mated"] != "" if "mated" in whole else pd.Series(True, whole.index)
    keep = whole["is_answer"] & (labelled | ~labelled.any())
    _check_shares(whole, keep, note)
    whole = whole[keep]
    places = whole["place"].tolist()
    said = [name for name in words if name not in ("pair", "place", "file")]
    table = pa.table({name: whole[name].tolist() for name in said if (whole[name] != "").any()})
    cells = Cells("The comparison", table, places=lambda: places, unit="")
    codes, _ = pd.factorize(whole["number"])
    names = whole.drop_duplicates("number")[[*key]].agg(" and ".join, axis=1)
    return Lines(
        cells,
        {name: cells.words(name) for name in cells.header}
        | {"pair": Words(codes.astype(np.int64), pa.array(names, pa.string()))},
        numbers={name: whole[name].to_numpy() for name in numbers},
        distances=frozenset().union(*(each.distances for each in files)),
        independent_pairs=files[0].independent_pairs,
    )


def _frame_of(lines: Lines) -> DataFrame:
    """Return the lines of one file as texts and numbers."""
    columns: dict[str, Any] = {
        ours: words.texts for ours, words in lines.words.items() if ours not in TRUTH
    }
    if {*TRUTH} & lines.words.keys():
        columns["mated"] = np.where(lines.mated, "1", "0").astype(object)
    file = PurePath(lines.cells.name.removeprefix("The file ")).name
    columns["place"] = [f"{file} {lines.cells.place(line)}" for line in range(len(lines))]
    is_answer = bool({"decision", "error"} & lines.words.keys() or "score" in lines.numbers)
    return pd.DataFrame({**columns, **lines.numbers, "is_answer": is_answer})


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
