"""Text for terminals and pipes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def clean(text: str) -> str:
    """`text` without what could steer a terminal: file names and vendors' texts are not ours."""
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)


def console(*, err: bool = False) -> Console:
    """Where people read: colours on a terminal (unless NO_COLOR), plain text in a pipe."""
    from rich.console import Console

    class Plain(Console):
        def on_broken_pipe(self) -> None:
            """Left to `_exit`: rich would exit with 1, which means no match here."""
            raise BrokenPipeError

    return Plain(stderr=err, highlight=False, markup=False, emoji=False, soft_wrap=True)


def number(value: float) -> str:
    """A score or a threshold. Enough digits that 49.999 never reads as 50."""
    return f"{value:.10g}"


def counted(how_many: int, thing: str) -> str:
    """``1 pair``, ``2 pairs``."""
    return f"{how_many} {thing}" if how_many == 1 else f"{how_many} {thing}s"


def print_table(
    to: Console,
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    prose: str | None = None,
    spare: Sequence[str] = (),
) -> None:
    """A table: framed on a terminal, plain columns in a pipe.

    Args:
        to: Where to.
        header: The titles of the columns.
        rows: The cells.
        prose: The one column that a terminal may wrap between words, the others staying whole;
            None to wrap any.
        spare: Columns that a terminal may leave out, in this order, if it is too narrow for all.
    """
    rows = [[clean(cell) for cell in row] for row in rows]
    if to.is_terminal:
        columns = [[title, *cells] for title, *cells in zip(header, *rows, strict=True)]
        _framed(to, _fitting(to.width, columns, prose, spare), prose)
        return
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    for row in (header, *rows):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        to.out("  ".join(cells).rstrip(), highlight=False)


def _fitting(
    width: int, columns: list[list[str]], prose: str | None, spare: Sequence[str]
) -> list[list[str]]:
    """The columns that fit into a terminal."""

    def needed(column: list[str]) -> int:
        parts = " ".join(column).split() if column[0] == prose else column
        return max(map(len, parts), default=0) + 2  # what parts it from the next

    for title in spare:
        if sum(map(needed, columns)) - 1 > width:
            columns = [column for column in columns if column[0] != title]
    return columns


def _framed(to: Console, columns: Sequence[Sequence[str]], prose: str | None) -> None:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for title, *_ in columns:
        table.add_column(title, overflow="fold", no_wrap=prose not in (None, title))
    for row in list(zip(*columns, strict=True))[1:]:
        table.add_row(*row)
    # Folded to the width of the terminal: cut off lines would hide cells.
    to.print(table, soft_wrap=False)
