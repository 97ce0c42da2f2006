"""A store in memory, and one in a file."""

import contextlib

import pytest

from facematch_core.store import MemoryStore, SqlStore


@pytest.fixture
def sql(address):
    """A store in a file."""
    with contextlib.closing(SqlStore(address)) as opened:
        yield opened


@pytest.fixture(params=["memory", "sql"])
def store(request):
    """Each kind of store."""
    return MemoryStore() if request.param == "memory" else request.getfixturevalue("sql")
