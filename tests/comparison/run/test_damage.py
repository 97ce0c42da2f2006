import sqlite3

import pytest
from kit.comparison.studies import opener, write_study
from kit.fakes import FakeBackend

from facematch_comparison.run import RunDatabase, run_study
from facematch_core.errors import ConfigurationError


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A study of six pairs that was asked, and its database as bytes."""
    folder = tmp_path_factory.mktemp("damage")
    study = write_study(folder / "pictures")
    database = RunDatabase(f"sqlite:///{folder}/whole.sqlite3")
    run_study(study, {"fake": opener()}, database)
    database.close()
    with sqlite3.connect(folder / "whole.sqlite3") as file:
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    file.close()
    return study, (folder / "whole.sqlite3").read_bytes()


@pytest.fixture(scope="module")
def damaged(tmp_path_factory, whole):

    def change_copy(change):
        file = tmp_path_factory.mktemp("damaged") / "d.sqlite3"
        file.write_bytes(whole[1])
        change(file)
        return f"sqlite:///{file}"

    return change_copy


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE facematch_studies SET content = '{'", "damaged"),
        ("UPDATE facematch_systems SET settings = '{}'", "damaged"),
        ("UPDATE facematch_comparisons SET state = 'frei' WHERE pair = 5", "damaged"),
        ("UPDATE facematch_comparisons SET billed = 'maybe' WHERE pair = 5", "damaged"),
        ("DROP TABLE facematch_comparisons", "failed .no such table"),
        ("UPDATE facematch_comparison_store SET version = 3", "of version 3"),
    ],
)
def test_what_is_damaged_is_found_before_anything_is_sent(whole, damaged, statement, words):

    def change(path):
        with sqlite3.connect(path) as file:
            file.execute(statement)
        file.close()

    address, backend = damaged(change), FakeBackend()
    with pytest.raises(ConfigurationError, match=words) as caught:
        database = RunDatabase(address)
        try:
            run_study(whole[0], {"fake": opener(backend)}, database)
        finally:
            database.close()
    assert caught.value.__cause__ is None
    assert backend.calls == []
