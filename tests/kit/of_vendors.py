"""The rows of a vendor in the tables of tests: the class `Tables` in tests/vendors/NAME.py.

A vendor without the class has its rows in the tables themselves.
"""

from functools import cache
from importlib import import_module
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "vendors"


@cache
def _tables():
    """Return the classes by vendor. Other modules are not imported: some take a vendor's SDK."""
    tables = {}
    for file in sorted(FOLDER.glob("*.py")):
        if "\nclass Tables:\n" in file.read_text(encoding="utf-8"):
            tables[file.stem] = import_module(f"vendors.{file.stem}").Tables
    return tables


def of_vendors(name):
    """Return an attribute of each class that has it, by vendor."""
    values = {}
    for vendor, rows in _tables().items():
        if hasattr(rows, name):
            values[vendor] = getattr(rows, name)
    return values


def rows_of_vendors(name):
    """Return the rows of a test's table, each with its vendor first."""
    rows = []
    for vendor, rows_of_vendor in of_vendors(name).items():
        rows += [(vendor, *row) for row in rows_of_vendor]
    return rows
