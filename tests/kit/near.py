"""An index for the database of pytest-testmon, of `make test-near`.

Without it, what a broad change has made useless takes minutes to delete: for each of thousands of
rows, SQLite looks through hundreds of thousands that may refer to it.
"""

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session):
    recorded = getattr(session.config, "testmon_data", None)
    if recorded is not None and not hasattr(session.config, "workerinput"):
        recorded.db.con.execute(
            "CREATE INDEX IF NOT EXISTS of_fingerprint ON test_execution_file_fp (fingerprint_id)"
        )
