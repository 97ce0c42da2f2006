import pytest
from kit.comparison.studies import in_file_order, write_study  # noqa: F401 - a fixture

from facematch_comparison import RunDatabase


@pytest.fixture
def address(tmp_path):
    return f"sqlite:///{tmp_path}/study.sqlite3"


@pytest.fixture
def database(address, clock):
    opened = RunDatabase(address, clock=clock)
    yield opened
    opened.close()


@pytest.fixture
def study(tmp_path):
    return write_study(tmp_path / "pictures")
