"""Join several score files by pair: several vendors' exports, and a list of the pairs with labels.

Each file is read on its own terms, with its own columns. A file without scores is a list of pairs.
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
from .columns import PAIR_KEYS, PEOPLE, PERSON, PICTURES, TRUTH, group_of
from .lines import Lines

if TYPE_CHECKING:
    from pandas import DataFrame, Series

#: What each file may say of a pair, for all files.
_OF_PAIR: Final = ("mated", *PEOPLE, PERSON, *PICTURES, "transaction", "attempt")

#: A system with fewer of the labelled pairs than this share does not belong to them.
_LEAST_JOINED: Final = 0.5


def join_files(
    stems: Sequence[str], files: Sequence[Lines], note: Callable[[str], object]
) -> Lines:
    """Return the lines of all files, which were read one by one.

    Args:
        stems: Name of each file, without its ending.
        files: Lines of each; all have one of `PAIR_KEYS`.
        note: Called with a sentence for what did not join.

    Raises:
        InvalidRequest: the files share no pairs, or contradict each other.
    """
    if twice := [stem for stem in stems if stems.count(stem) > 1]:
        raise InvalidRequest(
            f"Two files are called {twice[0]!r}: rename one, because a system is named by its file."
        )
    key = next(key for key in PAIR_KEYS if all({*key} <= {*each.words} for each in files))
    frames = [_frame_of(lines, stem) for stem, lines in zip(stems, files, strict=True)]
    whole = pd.concat(frames, ignore_index=True)
    numbers = [name for name in whole.columns if whole[name].dtype == np.float64]
    words = [name for name in whole.columns if name not in (*numbers, "is_answer")]
    whole[words] = whole[words].fillna("")
    pairs = _pairs_of(whole, key, note)
    _share_facts_of_pairs(whole, pairs, key)
    labelled = whole["mated"] != "" if "mated" in whole else pd.Series(True, whole.index)
    labelled |= not labelled.any()
    keep = whole["is_answer"] & labelled
    _check_shares(whole, pairs, keep, note)
    whole = whole[keep].assign(pair=pairs[keep].astype(str))
    places = whole["place"].tolist()
    said = [name for name in words if name not in ("place", "file") and (whole[name] != "").any()]
    table = pa.table({name: whole[name].tolist() for name in said})
    cells = Cells("The comparison", table, places=lambda: places, unit="")
    return Lines(
        cells,
        np.arange(len(whole)),
        words={name: cells.words(name) for name in said},
        numbers={name: whole[name].to_numpy() for name in numbers},
        distances=frozenset().union(*(each.distances for each in files)),
        independent_pairs=files[0].independent_pairs,
    )


def _frame_of(lines: Lines, stem: str) -> DataFrame:
    """Return the lines of one file as texts and numbers."""
    columns: dict[str, Any] = {
        ours: words.texts for ours, words in lines.words.items() if ours not in TRUTH
    }
    if {*TRUTH} & lines.words.keys():
        columns["mated"] = lines.mated.astype(int).astype(str).astype(object)
    file = PurePath(lines.cells.name.removeprefix("The file ")).name
    columns["place"] = [f"{file} {lines.place(line)}" for line in range(len(lines))]
    is_answer = bool({"decision", "error"} & lines.words.keys() or "score" in lines.numbers)
    return pd.DataFrame({**columns, **lines.numbers, "file": stem, "is_answer": is_answer})


def _pairs_of(whole: DataFrame, key: Sequence[str], note: Callable[[str], object]) -> Any:
    """Return the pair of each line; if folders of pictures differ, their files' names decide."""

    def codes_of(columns: list[Series]) -> Any:
        # Two pictures are one pair in either order.
        ends = np.sort(np.stack([column.to_numpy().astype(str) for column in columns]), axis=0)
        return pd.factorize(pd.Series(["\0".join(each) for each in ends.T.tolist()]))[0]

    def joins_all(codes: Any) -> bool:
        most = whole["file"].groupby(codes).nunique().max()
        return bool(most == whole["file"].nunique())

    columns = [whole[name] for name in key]
    codes = codes_of(columns)
    if key == PICTURES and not joins_all(codes):
        files = [column.str.replace("\\", "/").str.rpartition("/")[2] for column in columns]
        if joins_all(by_file := codes_of(files)):
            note("pictures were joined by the names of their files, because their folders differ")
            return by_file
    return codes


def _share_facts_of_pairs(whole: DataFrame, pairs: Any, key: Sequence[str]) -> None:
    """Give each line what other files say of its pair: label, people, groups."""
    facts = [name for name in whole.columns if name in _OF_PAIR or group_of(name)]
    if len(key) == 2:
        first = whole[key[0]].groupby(pairs).transform("first")
        turned = (whole[key[0]] != first) & (whole[key[1]] == first)
        kinds = [name.removeprefix(PROBE_GROUP) for name in facts if name.startswith(PROBE_GROUP)]
        sides = [(PROBE_GROUP + kind, REFERENCE_GROUP + kind) for kind in kinds]
        for one, two in (PICTURES, PEOPLE, *sides):
            if {one, two} <= {*whole.columns}:
                whole.loc[turned, [one, two]] = whole.loc[turned, [two, one]].to_numpy()
    for name in facts:
        known = whole[name].where(whole[name] != "")
        shared = known.groupby(pairs).transform("first").fillna("")
        clash = known.notna() & known.ne(shared)
        if name not in PICTURES and clash.any():
            line = whole[clash].iloc[0]
            raise InvalidRequest(
                f"{line['place']}: {name} of this pair is {line[name][:60]!r}, and another file "
                f"says {shared[clash].iloc[0][:60]!r}; nothing was judged."
            )
        whole[name] = shared


def _check_shares(
    whole: DataFrame, pairs: Any, keep: Series, note: Callable[[str], object]
) -> None:
    """Note the pairs that a system lacks; refuse a system that lacks most of them."""
    count = len(np.unique(pairs[keep]))
    for name, lines in whole[whole["is_answer"]].groupby("system", sort=False):
        known = keep[lines.index]
        missing = count - len(np.unique(pairs[lines.index[known]]))
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
