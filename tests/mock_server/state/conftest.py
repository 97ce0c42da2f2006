"""What the tests of the store share."""

import pytest

from facematch_mock_server.sqlite import SqliteStore


@pytest.fixture
def path(tmp_path):
    """Where the store is."""
    return tmp_path / "mock.db"


@pytest.fixture
def opened(path):
    """Opens the store, again and again; all are closed at the end."""
    stores = []

    def open_it():
        stores.append(SqliteStore(path))
        return stores[-1]

    yield open_it
    for store in stores:
        store.close()
