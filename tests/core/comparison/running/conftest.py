"""A journal in a file, and its clock."""

import pytest
from core.comparison.running.studies import write_study

from facematch_core.comparison.running import Journal
from facematch_core.testing import ManualClock


@pytest.fixture
def clock():
    """Time that stands still."""
    return ManualClock()


@pytest.fixture
def address(tmp_path):
    """Where a journal may be made."""
    return f"sqlite:///{tmp_path}/study.sqlite3"


@pytest.fixture
def journal(address, clock):
    """A new journal."""
    opened = Journal(address, clock=clock)
    yield opened
    opened.close()


@pytest.fixture
def study(tmp_path):
    """Six pairs."""
    return write_study(tmp_path / "pictures")
