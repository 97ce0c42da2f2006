"""The page of what every fault costs, apart from its tables, which tests/money compares."""

import re
from pathlib import Path

from kit.money.page import HEAD

PAGE = Path(__file__).parents[2] / "docs" / "evidence" / "faults-and-money.md"


def test_every_column_is_explained():
    """Each has its sentence, in order."""
    told = re.findall(r"^- \*\*(.+?)\*\*:", PAGE.read_text(), re.MULTILINE)
    assert told == list(HEAD)
