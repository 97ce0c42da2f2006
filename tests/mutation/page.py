"""The page of mutants: what was counted, and every survivor with the reason why it may live."""

import collections
import re
from pathlib import Path

from mutation.changes import KINDS

PAGE = Path(__file__).parents[2] / "docs" / "evidence" / "mutants.md"
PARTS = "(<!-- generated: {} -->\n).*?(<!-- end -->)"
COUNTED, LIVING = (
    ("Module", *KINDS, "All"),
    ("Module", "Function", "Line", "Change", "Why it lives"),
)


def counts():
    """By module, what the page says of its mutants: a row of cells."""
    return {module: cells for module, *cells in _rows("counts")}


def survivors():
    """By module, function, line and change, the reason of each that is listed."""
    return {tuple(cells[:4]): cells[4] for cells in _rows("survivors")}


def counted(mutants, lived):
    """The row of a module: killed of all, for each kind and in total.

    Args:
        mutants: All of them.
        lived: Whether each did, in the same order.
    """
    told = collections.Counter(one.kind for one in mutants)
    dead = collections.Counter(o.kind for o, lives in zip(mutants, lived, strict=True) if not lives)
    score = f"{dead.total()} of {told.total()} ({dead.total() / told.total():.1%})"
    return [*(f"{dead[kind]} of {told[kind]}" for kind in KINDS), score]


def write(module, row, living):
    """Put what a run has found into the page; reasons that are there stay.

    Args:
        module: Dotted name.
        row: As `counted` makes it.
        living: Function, line and change of each survivor.
    """
    rows = counts() | {module: row}
    _put("counts", COUNTED, [(name, *cells) for name, cells in rows.items()])
    known = survivors()
    others = [(*key, reason) for key, reason in known.items() if key[0] != module]
    own = [(module, *one, known.get((module, *one), "")) for one in living]
    _put("survivors", LIVING, sorted([*others, *own]))


def _rows(part):
    found = re.search(PARTS.format(part), PAGE.read_text(), re.DOTALL)
    lines = found[0].splitlines()[3:-1]
    for line in lines:
        cells = re.split(r"(?<!\\)\|", line.strip().strip("|"))
        yield [cell.strip().strip("`").replace("\\|", "|") for cell in cells]


def _put(part, head, rows):
    lines = [head, ("---",) * len(head), *map(_cells, rows)]
    table = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    text = re.sub(
        PARTS.format(part),
        lambda found: found[1] + table + found[2],
        PAGE.read_text(),
        flags=re.DOTALL,
    )
    PAGE.write_text(text)


def _cells(row):
    """Code as code: the module, and of survivors all but the reason."""
    code = 1 if len(row) == len(COUNTED) else 4
    cells = [cell.replace("|", "\\|") for cell in row]
    return [*(f"`{cell}`" for cell in cells[:code]), *cells[code:]]
