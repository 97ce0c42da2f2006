"""Rows of a written contract, and the claims and tests that they name."""

import fnmatch
import re
from pathlib import Path

from facematch_mock_server.vendors import all_claims

CONTRACTS = Path(__file__).parents[3] / "shared" / "contracts"
IDS = frozenset(claim.id for claim in all_claims())
VENDORS = Path(__file__).parents[1] / "mock_server" / "vendors"


def ids_of(vendor, claims):
    """The ids of claims that a cell names (* for all of a group), by the word that names them.

    The words are ids without the vendor; those of the mock itself are with it.
    """
    words = {
        word: word if word.startswith("mock.") else f"{vendor}.{word}"
        for word in claims.split()
        if "::" not in word
    }
    return {word: fnmatch.filter(IDS, name) for word, name in words.items()}


def guards_of(cell):
    """The tests that a cell names (``didit/test_match.py::test_verdict``): whether each exists."""
    named = [word.split("::") for word in cell.split() if "::" in word]
    return {
        f"{path}::{name}": (VENDORS / path).exists()
        and f"def {name}(" in (VENDORS / path).read_text()
        for path, name in named
    }


def first_cells(text):
    """The first cell of every row of the tables, by section, without marks of Markdown."""
    parts = re.split(r"^#{2,3} (\d+(?:\.\d+)?)\.? ", text, flags=re.MULTILINE)
    found = {}
    for section, body in zip(parts[1::2], parts[2::2], strict=True):
        tables = re.findall(r"^\|[-|: ]+\|\n((?:\|.*\n?)*)", body, flags=re.MULTILINE)
        rows = [row for table in tables for row in table.splitlines()]
        found[section] = [re.sub(r"[`*]", "", row.split("|")[1]).strip() for row in rows]
    return found
