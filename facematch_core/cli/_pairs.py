"""The file of pairs: read and checked as a whole, before anything is sent."""

from __future__ import annotations

import csv
import difflib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import attrs

from facematch_core.errors import InvalidRequest

#: Columns that a file of pairs must have.
NEEDED = ("probe", "reference")


@attrs.frozen(kw_only=True)
class Row:
    """One line of a CSV file with a header.

    Attributes:
        line: Its number in the file, from 1.
        cells: Column to text, without the spaces around it.
    """

    line: int
    cells: dict[str, str]


@attrs.frozen(kw_only=True)
class Pair:
    """One pair of a file.

    Attributes:
        line: Its number in the file, from 1; the header is line 1.
        probe, reference: As they stand in the file.
        key: The caller's own name of the pair; None if there is none.
        folder: What relative names are relative to.
    """

    line: int
    probe: str
    reference: str
    key: str | None
    folder: Path

    @property
    def paths(self) -> tuple[Path, Path]:
        """The two pictures."""
        return self.folder / self.probe, self.folder / self.reference


def read_pairs(path: Path) -> list[Pair]:
    """Read a file of pairs.

    Raises:
        InvalidRequest: it cannot be read, a column or a cell is missing, or a picture does not
            exist; every such place is named with its line.
    """
    rows = read_csv(path, needed=NEEDED, known=(*NEEDED, "key"))
    pairs = [
        Pair(
            line=row.line,
            probe=row.cells["probe"],
            reference=row.cells["reference"],
            key=row.cells.get("key") or None,
            folder=path.parent,
        )
        for row in rows
    ]
    refuse(path, (problem for pair in pairs for problem in _missing(pair)))
    return pairs


def _missing(pair: Pair) -> Iterator[str]:
    names = (pair.probe, pair.reference)
    for column, name, picture in zip(NEEDED, names, pair.paths, strict=True):
        if not _is_file(picture):
            yield f"line {pair.line}: {column}: there is no file {name[:200]!r}"


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that is too long, or no name at all
        return False


def read_csv(path: Path, *, needed: tuple[str, ...], known: tuple[str, ...]) -> list[Row]:
    """Read a CSV file with a header, UTF-8 with or without a byte order mark.

    Raises:
        InvalidRequest: it cannot be read, has no lines, lacks a column or has a misspelt one, or
            has an empty cell in a column that is needed; every such place is named with its line.
            Other columns are passed by.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            lines = [(reader.line_num, cells) for cells in reader if any(map(str.strip, cells))]
    except (OSError, ValueError, csv.Error) as error:
        raise InvalidRequest(f"The file {path} {_why_unreadable(path, error)}.") from None
    if not lines:
        raise InvalidRequest(f"The file {path} is empty: its first line names {','.join(needed)}.")
    (header_line, header), *rest = lines
    header = [name.strip() for name in header]
    refuse(path, _of_header(header_line, header, needed, known))
    refuse(
        path, (problem for line, cells in rest for problem in _of_row(line, cells, header, needed))
    )
    if not rest:
        raise InvalidRequest(f"The file {path} has a header and no lines below it.")
    return [
        Row(line=line, cells=dict(zip(header, map(str.strip, cells), strict=False)))
        for line, cells in rest
    ]


def _why_unreadable(path: Path, error: Exception) -> str:
    match error:
        case FileNotFoundError():
            return "does not exist; check the name"
        case OSError() if os.path.isdir(path):  # noqa: PTH112 - Path.is_dir may raise
            return "is a folder; name a file in it"
        case PermissionError():
            return "may not be read by this user; check its permissions"
        case UnicodeDecodeError():
            return "is not a UTF-8 text file; save it as CSV in UTF-8"
        case csv.Error():
            return f"is not valid CSV: {error}"
        case _:
            return f"cannot be read: {getattr(error, 'strerror', None) or type(error).__name__}"


def _of_header(
    line: int, header: list[str], needed: tuple[str, ...], known: tuple[str, ...]
) -> Iterator[str]:
    hint = ""
    if len(header) == 1 and (";" in header[0] or "\t" in header[0]):
        hint = " (columns are parted by commas)"
    for name in needed:
        if name not in header:
            yield f"line {line}: the column {name} is missing{hint}"
    for name in header:
        absent = [column for column in known if column not in header]
        meant = difflib.get_close_matches(name.lower(), absent, n=1)
        if name not in known and meant and meant[0] not in needed:
            yield f"line {line}: the column {name[:60]!r}: did you mean {meant[0]}?"
        elif header.count(name) > 1 and name in known:
            yield f"line {line}: the column {name} stands there twice"


def _of_row(
    line: int, cells: list[str], header: list[str], needed: tuple[str, ...]
) -> Iterator[str]:
    if len(cells) > len(header):
        yield f"line {line}: {len(cells)} cells under {len(header)} columns"
    found = dict(zip(header, cells, strict=False))
    for name in needed:
        if not found.get(name, "").strip():
            yield f"line {line}: {name} is empty"


def refuse(path: Path, problems: Iterable[str]) -> None:
    """Raise `InvalidRequest` with every problem of a file, if there is one."""
    found = list(dict.fromkeys(problems))
    if found:
        how_many = "1 problem" if len(found) == 1 else f"{len(found)} problems"
        raise InvalidRequest("\n  ".join([f"{path} has {how_many}; nothing was sent:", *found]))
