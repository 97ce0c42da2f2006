"""Recognise the columns of a score file by their known names, or as the user names them.

Nothing is inferred from the cells. A guess once took a system's own answers for the truth and found
no error in it. Columns with unknown names are skipped, with a note. If something is missing, the
refusal shows every column with two of its cells, so that the user can name it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from facematch_comparison.values.numbers import join_names
from facematch_core.backend.kinds import argument
from facematch_core.base.tables import refusal
from facematch_core.errors import InvalidRequest

from .cells import SEPARATE, Problem
from .columns import (
    COLUMN,
    COLUMNS,
    LONG,
    PAIR_KEYS,
    PEOPLE,
    PERSON,
    PICTURES,
    TRUTH,
    WIDE,
    ColumnsNotRecognised,
    our_name,
    plain,
)
from .lines import Lines

#: What the user names takes the place of the other one, too; both together are a mistake.
_EITHER: Final = (TRUTH, *((PERSON, person) for person in PEOPLE))

#: Maximum number of columns in an error message.
_SHOWN: Final = 40


def recognise(lines: Lines, named: Sequence[tuple[str, str]]) -> None:
    """Say what the columns of a file hold: as `named` (our name, column), else by their names."""
    cells, header = lines.cells, lines.cells.header
    if cells.unit == "line" and len(header) == 1:
        raise InvalidRequest(
            f"{cells.name}: the header is one column, {header[0][:60]!r}. {SEPARATE}"
        )
    _take_named(lines, named)
    taken = lines.named | {name for both in _EITHER if {*both} & lines.named for name in both}
    used = {column for _, column in named}
    found: dict[str, list[str]] = {}
    for place, name in enumerate(header):
        if name in used or (not place and name in ("", "Unnamed: 0")):  # the index of a frame
            continue
        ours = our_name(name)
        if plain(name) == "target" and "source" in map(plain, header):
            ours = "reference"  # AWS's words for the two pictures
        if ours and ours not in taken:
            found.setdefault(ours, []).append(name)
        else:
            lines.skipped.append(name)
    for ours, same in found.items():
        # Of several, the one with our own name.
        same.sort(key=lambda name: plain(name) != plain(ours))
        if len(same) > 1 and plain(same[0]) != plain(ours):
            both = join_names([repr(name[:60]) for name in same])
            lines.unclear[ours] = f"the columns {both} may each be {ours}: choose one"
        else:
            lines.put(ours, same[0])
            lines.skipped += same[1:]
    _drop_doubtful(lines)


def _take_named(lines: Lines, named: Sequence[tuple[str, str]]) -> None:
    """Take the columns that the user names; raise if that is impossible."""
    cells, of = lines.cells, lines.of
    problems = []
    for at, (key, column) in enumerate(named):
        ours = our_name(key)
        if not ours:
            known = ", ".join(COLUMNS)
            problems.append(f"no column holds {key[:60]!r}; one holds {known} or group_NAME")
        elif column not in cells.header:
            there = join_names([*map(repr, cells.header)])
            problems.append(f"there is no column {column[:60]!r}; there are {there}")
        elif ours in of or column in [before for _, before in named[:at]]:
            problems.append(f"the column {column[:60]!r} can fill one column only")
        else:
            lines.put(ours, column)
            lines.named.add(ours)
    problems += [f"name {' or '.join(both)}, not both" for both in _EITHER if {*both} <= of.keys()]
    cells.refuse(map(Problem, problems))


def _drop_doubtful(lines: Lines) -> None:
    """Skip columns that repeat others, or that hold one value for several scores."""
    of = lines.of
    drop = ["non_mated"] if {*TRUTH} <= of.keys() else []
    for both in (PEOPLE, PICTURES):  # one picture or person, where others tell people apart
        half = {*both} & of.keys()
        drop += half if len(half) == 1 and lines.people_by else ()
    if lines.is_wide:
        drop += [ours for ours in of if ours in COLUMNS and COLUMNS[ours].of == "answer"]
        single = ("acquired", "error", "answered", "system")
        lines.cells.refuse(
            Problem(
                f"the column {of[ours][:60]!r} is of one answer, and each line has several scores: "
                f"write one line for each pair and system, as {LONG},error"
            )
            for ours in single
            if ours in of
        )
    lines.skipped += map(of.pop, drop)
    if not lines.is_wide and "backend" in of:
        of.setdefault("system", of["backend"])


def check_complete(files: Sequence[Lines]) -> None:
    """Raise `ColumnsNotRecognised` if something is unclear, or missing in all files together."""
    missing = {ours: text for lines in files for ours, text in lines.unclear.items()}
    missing = missing or _missing(files) or _missing_to_join(files)
    if not missing:
        return
    name = files[0].cells.name if len(files) == 1 else "The comparison"
    texts = [refusal(name, missing.values(), "nothing was judged")]
    for lines in files:
        header = lines.cells.header
        held = {column: ours for ours, column in lines.of.items()}
        held |= dict.fromkeys(lines.scores, "score")
        texts.append(f"Columns of {lines.cells.name.removeprefix('The ')}:")
        width = max(len(column[:40]) for column in header)
        for column in header[:_SHOWN]:
            some = ", ".join(repr(word[:30]) for word in lines.cells.words(column).words[:2])
            held_by = held.get(column, "unknown")
            texts.append(f"  {column[:40]:{width}}  {held_by:17}  {some or 'empty'}")
        if len(header) > _SHOWN:
            texts.append(f"  and {len(header) - _SHOWN} more")
    if {"mated", "score", PERSON} & missing.keys():
        texts.append(f"A table looks like {WIDE} or {LONG}.")
    # No column is left that could name people; or two are, which are rather pictures.
    skipped = sum(len(lines.skipped) for lines in files)
    names_nobody = PERSON in missing and not skipped
    if PERSON in missing and skipped != 1:
        del missing[PERSON]
        missing |= dict.fromkeys(("image1", "image2") if skipped else (), "")
    columns = dict.fromkeys(missing, COLUMN)
    raise ColumnsNotRecognised("\n".join(texts), columns=columns, independent_pairs=names_nobody)


def _missing(files: Sequence[Lines]) -> dict[str, str]:
    """Return our names of missing columns, each with a sentence."""
    first, held = files[0], {ours for lines in files for ours in lines.held}
    missing = {}
    for both in (PEOPLE, PICTURES, ("transaction", "attempt")):
        for name in {*both} - held if {*both} & held else ():
            missing[name] = f"the column {name} is missing"
    if not {*PEOPLE, *PICTURES, PERSON} & held and not first.independent_pairs:
        missing[PERSON] = (
            "nothing says who is in the pictures: name both people (probe_subject, "
            "reference_subject), the one person of each line (person) or both pictures (image1, "
            f"image2), or give {argument('independent_pairs', True)} if nobody is in two pairs"
        )
    if not {*TRUTH} & held and not held >= {*PEOPLE}:
        missing["mated"] = (
            "nothing says which pairs show one person: the column mated, same or label is missing"
        )
        for name in [lines.of["decision"] for lines in files if "decision" in lines.of][-1:]:
            missing["mated"] += f"; {name[:60]!r} is what the system answered, not the truth"
    if not {"score", "decision"} & held:
        missing["score"] = (
            "no column of scores has a known name (score, similarity, confidence, distance); if "
            "each of several columns is a system, name each of them as score"
        )
    several = len(files) == 1 and len(first.system.words) > 1 and not first.is_wide
    if several and "pair" not in held and not {*PICTURES} <= held:
        missing["pair"] = "the column pair is missing: several systems have the same pairs"
    return missing


def _missing_to_join(files: Sequence[Lines]) -> dict[str, str]:
    """Return ``FILE:NAME`` for what a file lacks to name pairs as most files do, with a reason."""

    def lacking(key: Sequence[str]) -> int:
        return sum(not {*key} <= lines.of.keys() for lines in files)

    reason = "all files must name pairs alike, by both pictures, a pair id or both people"
    return {
        f"{lines.name}:{name}": f"{lines.name} has no column {name}, and others have; {reason}"
        for lines in (files if len(files) > 1 else ())
        for name in min(PAIR_KEYS, key=lacking)
        if name not in lines.of
    }
