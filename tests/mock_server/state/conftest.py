"""What the tests of the store share."""

import contextlib

import pytest

from facematch_mock_server.sqlite import SqliteStore


@pytest.fixture
def path(tmp_path):
    """Where the store is."""
    return tmp_path / "mock.db"


@pytest.fixture
def opened(path, at_end):
    """Opens the store, again and again; all are closed at the end."""
    return lambda: at_end.enter_context(contextlib.closing(SqliteStore(path)))
