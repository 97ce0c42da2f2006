"""``pairs.csv``: one pair in a line, with the people and the groups that they belong to."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from facematch_core.comparison._unreadable import unreadable
from facematch_core.errors import InvalidRequest

from ._faults import faults_of, refuse
from ._study import Study, StudyPair

#: Columns that a file of pairs must have.
NEEDED: Final = ("probe", "reference", "same", "probe_subject", "reference_subject")

#: Columns of groups: ``probe_group_sex`` and ``reference_group_sex``; ``group_sex`` says both.
PROBE_GROUP, REFERENCE_GROUP, GROUP = "probe_group_", "reference_group_", "group_"

#: What `same` may be.
SAME: Final[Mapping[str, bool]] = {
    **dict.fromkeys(("1", "true", "yes", "same", "mated"), True),
    **dict.fromkeys(("0", "false", "no", "different", "non-mated"), False),
}


#: How a spreadsheet recognises a formula.
FORMULA: Final = ("=", "+", "-", "@")


def quoted(label: str) -> str:
    """A person or a group as a cell that no spreadsheet takes for a formula."""
    return f"'{label}" if label.startswith((*FORMULA, "'")) else label


def unquoted(cell: str) -> str:
    """What `quoted` made a cell of; any other cell as it stands."""
    return cell[1:] if cell[:1] == "'" and cell[1:].startswith((*FORMULA, "'")) else cell


def read_pairs_csv(path: Path) -> Study:
    """Read a file of pairs: CSV with a header, UTF-8 with or without a byte order mark.

    The columns are ``probe``, ``reference`` (files, relative to the folder of the CSV file),
    ``same`` (1 or 0), ``probe_subject`` and ``reference_subject`` (any name or number for each
    person), and as many as you like of ``group_NAME`` (the group of both people) or
    ``probe_group_NAME`` and ``reference_group_NAME``. Other columns are passed by.

    Raises:
        InvalidRequest: it cannot be read, or something is wrong in it; every place is named.
    """
    header, rows = read_rows(path, NEEDED, "pair")
    refuse(path, header_faults(header, NEEDED))
    faults = list(_of_cells(header, rows))
    broken = {line for line, _ in faults}
    pairs = []
    groups: dict[str, dict[str, str]] = {}
    clashes: list[str] = []
    for line, cells in rows:
        if line in broken:
            continue
        row = dict(zip(header, cells, strict=False))
        pairs.append(
            StudyPair(
                probe=path.parent / row["probe"],
                reference=path.parent / row["reference"],
                mated=SAME[row["same"].lower()],
                probe_subject=unquoted(row["probe_subject"]),
                reference_subject=unquoted(row["reference_subject"]),
                line=line,
            )
        )
        for column, subject, group in _groups_in(row):
            known = groups.setdefault(column, {}).setdefault(subject, group)
            if known != group:
                clashes.append(
                    f"line {line}: {subject[:60]!r} is in the group {group[:60]!r} of {column}, "
                    f"and above in {known[:60]!r}"
                )
    # All of it at once, whatever kind it is of.
    told = [f"line {line}: {what}" for line, what in faults] + clashes
    refuse(path, [*told, *(faults_of(pairs) if pairs or not told else ())])
    return Study(name=path.stem, pairs=tuple(pairs), groups=groups)


def read_rows(
    path: Path, needed: Sequence[str], what: str
) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The header of a CSV file, and each further line with its number; empty ones left out.

    Args:
        path: The file.
        needed: Columns, and `what` a line is, for the message about a file without one.

    Raises:
        InvalidRequest: it cannot be read, or has no line below its header.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            lines = [
                (reader.line_num, [cell.strip() for cell in cells])
                for cells in reader
                if any(map(str.strip, cells))
            ]
    except (OSError, ValueError, csv.Error) as error:
        raise unreadable(path, error) from None
    if len(lines) < 2:
        raise InvalidRequest(
            f"The file {path} has no {what}: its first line names {','.join(needed)}, and each "
            f"further line is one {what}."
        )
    return lines[0][1], lines[1:]


def header_faults(header: list[str], needed: Sequence[str]) -> Iterator[str]:
    """What is wrong with the names of the columns."""
    hint = ""
    if len(header) == 1 and (";" in header[0] or "\t" in header[0]):
        hint = " (separate columns with commas)"
    for name in needed:
        if name not in header:
            yield f"line 1: the column {name} is missing{hint}"
    for name in dict.fromkeys(header):
        if header.count(name) > 1:
            yield f"line 1: the column {name[:60]!r} stands there twice"


def _of_cells(header: list[str], rows: list[tuple[int, list[str]]]) -> Iterator[tuple[int, str]]:
    for line, cells in rows:
        if len(cells) > len(header):
            yield line, f"{len(cells)} cells under {len(header)} columns"
        row = dict(zip(header, cells, strict=False))
        for name in NEEDED:
            if not row.get(name):
                yield line, f"{name} is empty"
        said = row.get("same", "")
        if said and said.lower() not in SAME:
            yield line, f"same is {said[:40]!r}; write 1 for one person and 0 for two"


def _groups_in(row: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Column, subject and group of every cell that tells one."""
    for name, group in row.items():
        for prefix, subjects in (
            (PROBE_GROUP, ("probe_subject",)),
            (REFERENCE_GROUP, ("reference_subject",)),
            (GROUP, ("probe_subject", "reference_subject")),
        ):
            if name.startswith(prefix) and len(name) > len(prefix) and group:
                for subject in subjects:
                    yield name.removeprefix(prefix), unquoted(row[subject]), unquoted(group)
                break
