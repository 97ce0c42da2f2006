"""Text and tables for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import click

NOTHING = "-"


def clean(text: object) -> str:
    """`text` without what could steer a terminal: a vendor's texts are not ours."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in str(text))


def say(text: object = "", *, err: bool = False) -> None:
    """Print one line."""
    click.echo(clean(text), err=err)


def document(value: Any) -> None:
    """Print JSON."""
    click.echo(json.dumps(value, indent=2))


def moment(when: datetime | None) -> str:
    """A time in UTC, to the second."""
    return NOTHING if when is None else f"{when:%Y-%m-%d %H:%M:%S}"


def iso(when: datetime | None) -> str | None:
    """A time for JSON."""
    return None if when is None else when.isoformat()


def counted(how_many: int, thing: str) -> str:
    """``1 session``, ``2 sessions``."""
    return f"{how_many} {thing}" if how_many == 1 else f"{how_many} {thing}s"


def table(header: Sequence[str], rows: Sequence[Sequence[object]], *, whole: str) -> None:
    """Print a table: framed on a terminal, plain columns in a pipe.

    Args:
        header: The titles of the columns.
        rows: The cells; None is shown as a dash.
        whole: The column that is never folded, because people copy it.
    """
    cells = [[NOTHING if cell is None else clean(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _framed(header, cells, whole)
        return
    widths = [max(map(len, column)) for column in zip(header, *cells, strict=True)]
    for row in (header, *cells):
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(padded).rstrip())


def _framed(header: Sequence[str], cells: Sequence[Sequence[str]], whole: str) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    framed = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for title in header:
        framed.add_column(title, overflow="fold", no_wrap=title == whole)
    for row in cells:
        framed.add_row(*row)
    Console(highlight=False, markup=False, emoji=False).print(framed)
