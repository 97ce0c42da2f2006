import contextlib
import os
import sqlite3
import stat
import subprocess
import sys

import attrs
import pytest
from kit.comparison.studies import (
    SYSTEM_SETTINGS,
    charged_answer,
    enter_system,
    opener,
    pair_states,
    run_once,
    stored_system,
    write_study,
)
from kit.fakes import FakeBackend, picture

from facematch_comparison import RunDatabase, StudyRun, read_answers, run_study
from facematch_comparison.run.records import StoredSystem
from facematch_core import ConfigurationError, InvalidRequest

pytestmark = pytest.mark.usefixtures("in_file_order")

IN_USE = "is in use by process"


def with_another_picture(study):
    study.pairs[0].probe.write_bytes(picture((9, 9, 9)).data)
    return study


@pytest.mark.parametrize(
    ("change", "is_other"),
    [
        (lambda study: attrs.evolve(study, name="renamed"), False),
        (lambda study: attrs.evolve(study, pairs=study.pairs[:-1]), True),
        (lambda study: attrs.evolve(study, groups={"sex": {"Anna 0": "f"}}), True),
        (with_another_picture, True),
    ],
    ids=["name", "pairs", "groups", "picture"],
)
def test_a_database_accepts_one_test_set(database, study, tmp_path, change, is_other):
    with pytest.raises(InvalidRequest, match="has no test set yet"):
        database.study()
    run_once(database, study, opener())
    changed, system = change(study), opener()
    with pytest.raises(InvalidRequest) if is_other else contextlib.nullcontext() as caught:
        run_once(database, changed, system)
    assert system.backend.calls == []
    assert database.study().name == "people"
    if is_other:
        assert str(caught.value) == (
            f"The run database {tmp_path}/study.sqlite3 has the test set 'people', whose "
            "pictures, pairs or groups differ. Nothing was sent: pass another file with --store."
        )


@pytest.mark.parametrize(
    "changed", [{"threshold": 60.0}, {"backend": "b"}, {"rule": "above"}, {"environment": "mock"}]
)
def test_settings_that_change_answers_may_not_change(database, changed):
    enter_system(database)
    with pytest.raises(InvalidRequest, match=str(*changed.values())):
        database.enter_system(
            database.study(), StoredSystem(name="fake", settings=SYSTEM_SETTINGS | changed)
        )


@pytest.mark.parametrize(
    "where", ["postgresql+psycopg://me:canary@db/faces", "study.sqlite3", "sqlite://"]
)
def test_a_run_database_is_a_local_file(where):
    with pytest.raises(ConfigurationError, match="must be a local SQLite file") as caught:
        RunDatabase(where)
    assert "canary" not in str(caught.value)


def test_nothing_personal_is_stored(tmp_path, database):
    study = write_study(tmp_path / "Photographs-of-Anna", groups={"sex": {"Anna 0": "f"}})
    run_study(study, {"fake": opener()}, database)
    assert database.study().content["groups"]["sex"][0] == ["f"]
    database.close()
    stored_bytes = b"".join(path.read_bytes() for path in tmp_path.glob("study.sqlite3*"))
    assert b"answered" in stored_bytes
    # Nor a piece of a picture: the same 16 bytes nowhere.
    data = study.pairs[0].probe.read_bytes()
    pieces = [data[at : at + 16] for at in range(0, len(data) - 16, 16)]
    for canary in (b"Anna", b"Bertha", b"Photographs", b".jpg", *pieces):
        assert canary not in stored_bytes


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE facematch_study SET content = '{'", "damaged"),
        ("UPDATE facematch_systems SET settings = '{}'", "damaged"),
        ("UPDATE facematch_systems SET price = '-5 USD'", r"damaged .*\(ValueError\)"),
        ("UPDATE facematch_comparisons SET state = 'frei' WHERE pair = 5", "damaged"),
        ("UPDATE facematch_comparisons SET billed = 'maybe' WHERE pair = 5", "damaged"),
        ("DROP TABLE facematch_comparisons", "failed .no such table"),
        ("UPDATE facematch_comparison_store SET version = 3", "version 3 is not supported"),
    ],
)
def test_damage_is_detected_before_sending(database, study, address, statement, words):
    run_once(database, study, opener())
    database.close()
    with contextlib.closing(sqlite3.connect(address.removeprefix("sqlite:///"))) as file, file:
        file.execute(statement)
    system = opener()
    with (
        pytest.raises(ConfigurationError, match=words) as caught,
        contextlib.closing(RunDatabase(address)) as damaged,
    ):
        run_once(damaged, study, system)
    assert (caught.value.__cause__, system.backend.calls) == (None, [])


def test_a_database_of_another_version_cannot_be_opened(database, address):
    enter_system(database)
    with contextlib.closing(sqlite3.connect(address.removeprefix("sqlite:///"))) as file, file:
        file.execute("UPDATE facematch_comparison_store SET version = 3")
    with pytest.raises(ConfigurationError, match="version 3 is not supported"):
        RunDatabase(address)


def test_answers_to_other_pairs_are_reported_as_damage(database, study, address):
    run_once(database, study, opener())
    with contextlib.closing(sqlite3.connect(address.removeprefix("sqlite:///"))) as file, file:
        file.execute("UPDATE facematch_comparisons SET pair = 7 WHERE pair = 2")
    with pytest.raises(ConfigurationError, match="damaged"):
        read_answers(database)


def test_incomplete_rows_are_rejected_or_reported_as_damage(database, address):
    enter_system(database)
    with contextlib.closing(sqlite3.connect(address.removeprefix("sqlite:///"))) as file, file:
        for needed in ("study SET content", "systems SET settings", "comparisons SET state"):
            with pytest.raises(sqlite3.IntegrityError, match="NOT NULL"):
                file.execute(f"UPDATE facematch_{needed} = NULL")
        file.execute("DELETE FROM facematch_comparisons WHERE pair = 3")
    with pytest.raises(ConfigurationError, match="damaged"):
        read_answers(database)


HOLDER = """
import os, sys
from facematch_comparison import RunDatabase
database = RunDatabase(sys.argv[1])
database.lock()
if "fork" in sys.argv and os.fork() == 0:
    sys.stdin.read()
    os._exit(0)
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_process_is_rejected_and_kill_9_releases_the_lock(
    database, study, address, tmp_path
):
    """Not even if the process that had it leaves a child behind."""
    child = ["fork"] if hasattr(os, "fork") else []
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, address, *child],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout.readline() == "held\n"
        system = opener()
        with pytest.raises(ConfigurationError, match="nothing was sent") as caught:
            run_study(study, {"fake": system}, database)
        assert f"{tmp_path}/study.sqlite3 {IN_USE} {holder.pid} on " in caught.value.message
        assert (system.backend.calls, database.systems()) == ([], ())
        holder.kill()
        holder.wait(30)
        assert run_once(database, study, opener()).asked == 6


def test_an_active_run_can_be_read_but_not_changed(database, study, address):
    seen = []

    def meanwhile(call):
        other = RunDatabase(address)
        with pytest.raises(ConfigurationError, match=f"{IN_USE} {os.getpid()} on "):
            run_study(study, {"fake": opener()}, other)
        with pytest.raises(ConfigurationError, match=IN_USE):
            database.lock()
        system = stored_system(other)
        seen.append((pair_states(other, system), other.progress(system.number).left))
        assert not read_answers(other)[0].answered.any()
        assert other.unresolved(system) == ()
        other.close()
        return charged_answer()(call)

    assert run_once(database, study, opener(FakeBackend(script=[meanwhile]))).asked == 6
    assert seen == [(["asked", *["free"] * 5], 5)]


def test_a_run_releases_its_lock_at_its_end_and_on_failure(database, study, address):
    def closed(on_event):
        raise ConfigurationError("No key for fake.")

    run = StudyRun(study, {"fake": opener()}, database)
    run.close()
    with pytest.raises(ConfigurationError, match="No key for fake"):
        StudyRun(study, {"fake": closed}, database)
    other = RunDatabase(address)
    other.lock()
    run.close()
    database.unlock()
    with pytest.raises(ConfigurationError, match=IN_USE):
        database.lock()
    other.close()
    database.lock()


@pytest.mark.skipif(os.name == "nt", reason="links need a right there")
def test_all_names_of_a_file_share_one_lock(database, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "study.sqlite3")
    other = RunDatabase(f"sqlite:///{tmp_path}/link")
    database.lock()
    with pytest.raises(ConfigurationError, match=IN_USE):
        other.lock()
    other.close()
    # Whoever could open the lock could keep others out.
    (lock,) = tmp_path.glob("*.lock")
    assert (lock.name, lock.read_bytes()) == ("study.sqlite3.lock", b"")
    assert stat.S_IMODE(lock.stat().st_mode) == 0o600
