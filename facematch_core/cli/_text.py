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


def print_table(to: Console, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table: framed on a terminal, plain columns in a pipe."""
    rows = [[clean(cell) for cell in row] for row in rows]
    if to.is_terminal:
        _framed(to, header, rows)
        return
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    for row in (header, *rows):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        to.out("  ".join(cells).rstrip(), highlight=False)


def _framed(to: Console, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for title in header:
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*row)
    # Folded to the width of the terminal: cut off lines would hide cells.
    to.print(table, soft_wrap=False)
