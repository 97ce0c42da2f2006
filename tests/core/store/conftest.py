import contextlib

import pytest

from facematch_core.store import MemoryStore, SqlStore


@pytest.fixture
def sql(address):
    with contextlib.closing(SqlStore(address)) as opened:
        yield opened


@pytest.fixture(params=["memory", "sql"])
def store(request):
    return MemoryStore() if request.param == "memory" else request.getfixturevalue("sql")
