"""The rows of a vendor in the tables of tests: the class `Tables` in tests/vendors/NAME.py."""

from functools import cache
from importlib import import_module
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "vendors"


@cache
def _modules():
    names = sorted(file.stem for file in FOLDER.glob("[a-z]*.py"))
    return {name: import_module(f"vendors.{name}") for name in names}


def of_vendors(name):
    """Return the values of this name by vendor."""
    values = {}
    for vendor, module in _modules().items():
        tables = getattr(module, "Tables", None)
        if hasattr(tables, name):
            values[vendor] = getattr(tables, name)
    return values


def rows_of_vendors(name):
    """Return rows for a test's table, each with its vendor first."""
    rows = []
    for vendor, values in of_vendors(name).items():
        for value in values:
            rows.append((vendor, *value))
    return rows
