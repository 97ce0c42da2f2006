"""Columns of a large CSV file as arrays: a part of the file at a time, words as numbers."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from facematch_core.errors import InvalidRequest

from ._unreadable import unreadable

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Lines that are looked at together: enough that numpy pays off, few enough for the cache.
_LINES: Final = 2_000

#: What is wrong with a line: its number, and what.
Fault = tuple[int, str]


class Words:
    """A column of words: each word once, and each line the place of its own."""

    def __init__(self) -> None:
        self._places: defaultdict[str, int] = defaultdict()
        self._places.default_factory = self._places.__len__

    def places(self, cells: Sequence[str]) -> NDArray[np.int64]:
        """int64, (N,): the place of each word."""
        if cells.count(cells[0]) == len(cells):
            return np.full(len(cells), self._places[cells[0]])
        return np.fromiter(map(self._places.__getitem__, cells), np.int64, len(cells))

    @cached_property
    def bare(self) -> tuple[list[str], NDArray[np.int64]]:
        """The words without spaces around them, each once, and where each place is among them.

        To be asked when all words are there: only then each needs to be looked at but once.
        """
        words: defaultdict[str, int] = defaultdict()
        words.default_factory = words.__len__
        places = np.array([words[word.strip()] for word in self._places], np.int64)
        return [*words], places


class Table:
    """A CSV file by columns.

    Attributes:
        header: Names of the columns.
        faults: What cannot be read as a number, or has too many cells.
    """

    def __init__(
        self, header: list[str], numbers: Container[str], kind: Callable[[str], str]
    ) -> None:
        """Without a line yet.

        Args:
            header: Names of the columns.
            numbers: Columns of numbers; the others hold words.
            kind: From a column to the name of what it holds: columns of one kind share words.
        """
        self.header = header
        self.faults: list[Fault] = []
        self._of = {name: kind(name) for name in header if name not in numbers}
        self._words: defaultdict[str, Words] = defaultdict(Words)
        self._parts: dict[str, list[NDArray[Any]]] = {name: [] for name in header}
        self._read: dict[str, tuple[list[str], NDArray[np.int64]]] = {}
        self._lines: list[NDArray[np.int64]] = []

    def add(self, lines: Sequence[int], rows: Sequence[Sequence[str]]) -> None:
        """Some more rows, each as long as the header."""
        self._lines.append(np.array(lines, np.int64))
        for name, cells in zip(self.header, zip(*rows, strict=True), strict=True):
            self._parts[name].append(
                self._words[self._of[name]].places(cells)
                if name in self._of
                else self._numbers(name, lines, cells)
            )

    @property
    def lines(self) -> NDArray[np.int64]:
        """int64, (N,): where each row ends in the file, from 1."""
        return np.concatenate(self._lines)

    def __contains__(self, name: str) -> bool:
        return name in self._parts

    def __len__(self) -> int:
        return sum(map(len, self._lines))

    def numbers(self, name: str) -> NDArray[np.float64]:
        """float64, (N,): a column of numbers; NaN for an empty cell, and without such a column."""
        if name not in self._parts:
            return np.full(len(self), np.nan)
        found: NDArray[np.float64] = np.concatenate(self._parts[name])
        return found

    def words(self, name: str) -> tuple[list[str], NDArray[np.int64]]:
        """The words of a column, and int64, (N,): the place of each; all empty without it."""
        if name not in self._read:
            if name in self._parts:
                words, bare = self._words[self._of[name]].bare
                self._read[name] = words, bare[np.concatenate(self._parts[name])]
            else:
                self._read[name] = [""], np.zeros(len(self), np.int64)
        return self._read[name]

    def _numbers(
        self, name: str, lines: Sequence[int], cells: Sequence[str]
    ) -> NDArray[np.float64]:
        try:
            found = np.array([float(cell) if cell else np.nan for cell in cells])
        except ValueError:
            found = np.array([_number(cell) for cell in cells])
        strange = np.count_nonzero(~np.isfinite(found)) - cells.count("")
        if strange or "_" in "".join(cells):  # float() takes 1_000
            for line, cell, number in zip(lines, cells, found, strict=True):
                if cell.strip() and ("_" in cell or not np.isfinite(number)):
                    self.faults.append(
                        (line, f"{name} is {cell[:40]!r}; write a number, or leave it empty")
                    )
        return found


def read_columns(
    path: Path, *, numbers: Container[str], kind: Callable[[str], str], example: str
) -> Table:
    """Read a CSV file, UTF-8 with or without a byte order mark; lines of empty cells are no rows.

    Args:
        path: The file.
        numbers, kind: As `Table` takes them.
        example: A header, for the message about a file without one.

    Raises:
        InvalidRequest: it cannot be read, or has no row.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = _filled(csv.reader(file, strict=True), numbers, kind)
    except (OSError, ValueError, csv.Error) as error:
        raise unreadable(path, error) from None
    if table is None or not len(table):
        raise InvalidRequest(f"The file {path} has no lines below a header such as {example}.")
    return table


def _filled(
    reader: Any,  # typeshed has a name for it that Python has not
    numbers: Container[str],
    kind: Callable[[str], str],
) -> Table | None:
    header = next((cells for cells in reader if _says(cells)), None)
    if header is None:
        return None
    table = Table([name.strip() for name in header], numbers, kind)
    width = len(header)
    while part := [(reader.line_num, cells) for cells in islice(reader, _LINES)]:
        lines, rows = zip(*part, strict=True)
        if {*map(len, rows)} != {width} or not all(cells[0].strip() for cells in rows):
            part = [(line, cells) for line, cells in part if _says(cells)]
            lines = tuple(line for line, _ in part)
            rows = tuple(_even(line, cells, width, table.faults) for line, cells in part)
        if rows:
            table.add(lines, rows)
    return table


def _says(cells: Iterable[str]) -> bool:
    """Whether a line holds more than empty cells."""
    return any(map(str.strip, cells))


def _even(line: int, cells: list[str], width: int, faults: list[Fault]) -> list[str]:
    """A row as long as the header."""
    if len(cells) > width:
        faults.append((line, f"{len(cells)} cells under {width} columns"))
    return (cells + [""] * width)[:width]


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return np.nan
