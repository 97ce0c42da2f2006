"""A file of groups: one person in a line, with the group that they are in by each column."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from pathlib import Path
from typing import Final

from ._faults import refuse
from ._pairs_csv import header_faults, read_rows

#: The column that says who.
PERSON: Final = "person"


def read_groups(path: Path, people: Container[str]) -> dict[str, dict[str, str]]:
    """Read a file of groups: CSV with a header, UTF-8 with or without a byte order mark.

    The column ``person`` names somebody; every other column is one of groups, for example ``sex``.
    An empty cell says nothing.

    Args:
        path: The file.
        people: Who may stand there: the names of their folders.

    Returns:
        Column to person to group; every column of the file.

    Raises:
        InvalidRequest: it cannot be read, or something is wrong in it; every place is named.
    """
    header, rows = read_rows(path, (PERSON, "sex"), "person")
    columns = [name for name in header if name != PERSON]
    refuse(path, _of_header(header), so="nothing was drawn")
    place = header.index(PERSON)
    refuse(path, _of_rows(header, rows, place, people), so="nothing was drawn")
    return {
        column: {
            cells[place]: cells[at]
            for _, cells in rows
            if (at := header.index(column)) < len(cells) and cells[at]
        }
        for column in columns
    }


def _of_header(header: list[str]) -> Iterator[str]:
    yield from header_faults(header, (PERSON,))
    if not any(name and name != PERSON for name in header):
        yield "line 1: there is no column of groups"
    if "" in header:
        yield "line 1: a column has no name"


def _of_rows(
    header: list[str],
    rows: Sequence[tuple[int, list[str]]],
    place: int,
    people: Container[str],
) -> Iterator[str]:
    seen: dict[str, int] = {}
    for line, cells in rows:
        if len(cells) > len(header):
            yield f"line {line}: {len(cells)} cells under {len(header)} columns"
        person = cells[place] if place < len(cells) else ""
        if not person:
            yield f"line {line}: {PERSON} is empty"
        elif person not in people:
            yield f"line {line}: nobody is called {person[:60]!r}"
        elif person in seen:
            yield f"line {line}: {person[:60]!r} as in line {seen[person]}"
        seen.setdefault(person, line)
