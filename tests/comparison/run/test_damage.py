import contextlib
import sqlite3

import pytest
from kit.comparison.studies import opener, run_once
from kit.fakes import FakeBackend

from facematch_comparison.run import RunDatabase
from facematch_core.errors import ConfigurationError


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE facematch_studies SET content = '{'", "damaged"),
        ("UPDATE facematch_systems SET settings = '{}'", "damaged"),
        ("UPDATE facematch_comparisons SET state = 'frei' WHERE pair = 5", "damaged"),
        ("UPDATE facematch_comparisons SET billed = 'maybe' WHERE pair = 5", "damaged"),
        ("DROP TABLE facematch_comparisons", "failed .no such table"),
        ("UPDATE facematch_comparison_store SET version = 3", "version 3 is not supported"),
    ],
)
def test_what_is_damaged_is_found_before_anything_is_sent(
    database, study, address, statement, words
):
    run_once(database, study, opener())
    database.close()
    with contextlib.closing(sqlite3.connect(address.removeprefix("sqlite:///"))) as file, file:
        file.execute(statement)
    backend = FakeBackend()
    with (
        pytest.raises(ConfigurationError, match=words) as caught,
        contextlib.closing(RunDatabase(address)) as damaged,
    ):
        run_once(damaged, study, opener(backend))
    assert caught.value.__cause__ is None
    assert backend.calls == []
