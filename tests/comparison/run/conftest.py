"""A database in a file, its clock, and a study."""

import pytest
from kit.comparison.studies import in_file_order, write_study  # noqa: F401 - a fixture

from facematch_comparison.run import RunDatabase


@pytest.fixture
def address(tmp_path):
    """Where a database may be made."""
    return f"sqlite:///{tmp_path}/study.sqlite3"


@pytest.fixture
def database(address, clock):
    """A new database."""
    opened = RunDatabase(address, clock=clock)
    yield opened
    opened.close()


@pytest.fixture
def study(tmp_path):
    """Six pairs."""
    return write_study(tmp_path / "pictures")
