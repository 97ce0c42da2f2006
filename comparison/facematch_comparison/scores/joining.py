"""Join several score files by pair: several vendors' exports, and a list of the pairs with labels.

Each file is read on its own terms, with its own columns. A file without scores is a list of pairs.
The result is one table with one line for each pair and system.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from facematch_comparison.values.numbers import join_names
from facematch_core.errors import InvalidRequest

from .answers import PROBE_GROUP, REFERENCE_GROUP
from .cells import Cells
from .columns import PEOPLE, PERSON, PICTURES, TRUTH, Roles, group_of
from .table import ScoreCells, problems_of_cells

if TYPE_CHECKING:
    from pandas import DataFrame, Series

#: The scale of distances that were read as scores.
MINUS_DISTANCE: Final = "minus the distance"

#: Ways in which lines of two files are found to be of one pair; the first that all files have.
_KEYS: Final = (("pair",), PICTURES, PEOPLE)

#: A system with fewer of the labelled pairs than this share does not belong to them.
_LEAST_JOINED: Final = 0.5

_SO: Final = "nothing was judged"


def join_files(
    files: Sequence[tuple[str, ScoreCells]], note: Callable[[str], object]
) -> tuple[Cells, Roles]:
    """Return the lines of all files as one table, with the roles of its columns.

    Args:
        files: Name of the system (the stem of the file) and table of each.
        note: Called with a sentence for what did not join.

    Raises:
        InvalidRequest: a file has wrong cells, or the files share no pairs.
    """
    tables = [table for _, table in files]
    key = next((key for key in _KEYS if all({*key} <= table.of.keys() for table in tables)), None)
    if key is None:
        have = [f"{table.cells.name} has {_ways(table)}" for table in tables]
        raise InvalidRequest(
            "The files cannot be joined. Each must name pairs in the same way: by both pictures, a "
            f"pair id or both people. {'; '.join(have)}."
        )
    for table in tables:
        table.cells.refuse(problems_of_cells(table), so=_SO)
    frames = [_lines_of(table, name) for table, name in zip(tables, _stems(files), strict=True)]
    whole = pd.concat(frames, ignore_index=True)
    words = [name for name in whole.columns if name not in ("score", "is_answer")]
    whole[words] = whole[words].fillna("")
    codes = _pair_codes(whole, key, note)
    _share_facts_of_pairs(whole, codes, key)
    labelled = whole["mated"].ne("") if "mated" in whole else pd.Series(True, whole.index)
    labelled |= not labelled.any()
    keep = whole["is_answer"] & labelled
    _check_shares(whole, codes, keep, note)
    whole = whole[keep].assign(pair=codes[keep].astype(str)).drop(columns=["is_answer", "file"])
    places = whole.pop("place").tolist()
    filled = [name for name in whole.columns if name == "score" or whole[name].ne("").any()]
    of = {name: name for name in filled if name != "score"}
    cells = Cells("The comparison", whole[filled], places=lambda: places, unit="")
    return cells, Roles(of, ["score"])


def _ways(table: ScoreCells) -> str:
    """Return the ways in which a file names pairs, as a sentence has them."""
    return join_names([" and ".join(key) for key in _KEYS if {*key} <= table.of.keys()] or ["none"])


def _stems(files: Sequence[tuple[str, ScoreCells]]) -> list[str]:
    stems = [name for name, _ in files]
    twice = sorted({stem for stem in stems if stems.count(stem) > 1})
    if twice:
        raise InvalidRequest(
            f"Two files are called {twice[0]!r}: rename one, because a system is named by its file."
        )
    return stems


def _lines_of(table: ScoreCells, stem: str) -> DataFrame:
    """Return a line for each pair and system of one file, in our names and as text."""
    cells, roles = table.cells, table.roles
    columns: dict[str, Any] = {}
    for ours in roles.of:
        if ours in TRUTH:
            columns["mated"] = table.mated.astype(int).astype(str)
        else:
            word = table.words(ours)
            columns[ours] = np.array(word.words, object)[word.codes]
    file = cells.name.removeprefix("The file ")
    columns["place"] = [f"{PurePath(file).name} {cells.place(row)}" for row in range(len(cells))]
    parts = []
    scores: list[str | None] = [*roles.scores]
    for column in scores or [None]:
        part = pd.DataFrame(columns)
        part["score"] = table.scores(column) if column else np.nan
        if "system" not in columns:
            part["system"] = column if roles.is_wide else stem
        if roles.is_distance(column):
            part["scale"] = part["scale"] if "scale" in columns else MINUS_DISTANCE
            if "threshold" in columns:
                part["threshold"] = [f"{-number:.17g}" for number in table.numbers("threshold")]
        parts.append(part)
    whole = pd.concat(parts, ignore_index=True)
    is_answer = bool(roles.scores) or "decision" in roles.of or "error" in roles.of
    return whole.assign(file=stem, is_answer=is_answer)


def _pair_codes(whole: DataFrame, key: Sequence[str], note: Callable[[str], object]) -> Any:
    """Return the pair of each line; if folders of pictures differ, their files' names decide."""

    def codes_of(columns: list[Series]) -> Any:
        # Two pictures are one pair in either order.
        ends = np.sort(
            np.stack([column.to_numpy(object).astype(str) for column in columns]), axis=0
        )
        return pd.factorize(pd.Series(["\0".join(each) for each in ends.T.tolist()]))[0]

    def joins_all(codes: Any) -> bool:
        most = whole["file"].groupby(codes).nunique().max()
        return bool(most == whole["file"].nunique())

    columns = [whole[name] for name in key]
    codes = codes_of(columns)
    if key == PICTURES and not joins_all(codes):
        by_file = codes_of(
            [column.str.replace("\\", "/").str.rpartition("/")[2] for column in columns]
        )
        if joins_all(by_file):
            note("pictures were joined by the names of their files, because their folders differ")
            return by_file
    return codes


def _share_facts_of_pairs(whole: DataFrame, codes: Any, key: Sequence[str]) -> None:
    """Give each line what other files say of its pair: label, people, groups."""
    facts = [name for name in whole.columns if name in _OF_PAIR or group_of(name)]
    first = whole[key[0]].groupby(codes).transform("first") if len(key) == 2 else None
    if first is not None:
        turned = (whole[key[0]] != first) & (whole[key[1]] == first)
        for one, two in [(PICTURES), (PEOPLE), *_sides_of_groups(facts)]:
            if {one, two} <= {*whole.columns}:
                both = whole.loc[turned, [two, one]].to_numpy()
                whole.loc[turned, [one, two]] = both
    for name in facts:
        known = whole[name].where(whole[name] != "")
        shared = known.groupby(codes).transform("first").fillna("")
        clash = known.notna() & known.ne(shared)
        if name not in PICTURES and clash.any():
            line = whole[clash].iloc[0]
            raise InvalidRequest(
                f"{line['place']}: {name} of this pair is {line[name][:60]!r}, and another file "
                f"says {shared[clash].iloc[0][:60]!r}; {_SO}."
            )
        whole[name] = shared


_OF_PAIR: Final = ("mated", *PEOPLE, PERSON, *PICTURES, "transaction", "attempt")


def _sides_of_groups(facts: Sequence[str]) -> list[tuple[str, str]]:
    names = [name.removeprefix(PROBE_GROUP) for name in facts if name.startswith(PROBE_GROUP)]
    return [(PROBE_GROUP + name, REFERENCE_GROUP + name) for name in names]


def _check_shares(
    whole: DataFrame, codes: Any, keep: Series, note: Callable[[str], object]
) -> None:
    """Note the pairs that a system lacks; refuse a system that lacks most of them."""
    count = len(np.unique(codes[keep]))
    for name, lines in whole[whole["is_answer"]].groupby("system", sort=False):
        known = keep[lines.index]
        missing = count - len(np.unique(codes[lines.index[known]]))
        if missing > _LEAST_JOINED * count or not count:
            ends = pd.concat([lines[:1], whole[whole["system"] != name][:1]])
            shown = [
                " and ".join(repr(str(line[each])[:60]) for each in PICTURES if line.get(each))
                or repr(str(line.get("pair", ""))[:60])
                for _, line in ends.iterrows()
            ]
            raise InvalidRequest(
                f"{name} has {count - missing:,} of {count:,} pairs of the other files: {_SO}. "
                f"Its first pair is {shown[0]}, and theirs is {shown[-1]}: name pairs alike in all "
                "files."
            )
        if left_out := int((~known).sum()):
            note(f"{name}: {left_out:,} lines are left out, because no file labels their pairs")
        if missing:
            note(
                f"{name}: {missing:,} of {count:,} pairs are not in its file; they count as "
                "not asked, and in no rate"
            )
