"""A store in memory, and one in a file."""

import pytest

from facematch_core.store import MemoryStore, SqlStore


@pytest.fixture
def address(tmp_path):
    """Where a store may be made."""
    return f"sqlite:///{tmp_path}/attempts.sqlite3"


@pytest.fixture
def sql(address):
    """A store in a file."""
    store = SqlStore(address)
    yield store
    store.close()


@pytest.fixture(params=["memory", "sql"])
def store(request):
    """Each kind of store."""
    return MemoryStore() if request.param == "memory" else request.getfixturevalue("sql")
