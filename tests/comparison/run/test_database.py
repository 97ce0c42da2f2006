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
from facematch_core import ConfigurationError, InvalidRequest
from facematch_core.batch.records import StoredSystem

pytestmark = pytest.mark.usefixtures("in_file_order")

IN_USE = "is in use by process"


def with_another_picture(study):
    study.pairs[0].probe.write_bytes(picture((9, 9, 9)).data)
    return study


def test_a_new_database_has_no_test_set(database):
    with pytest.raises(InvalidRequest, match="has no test set yet"):
        database.study()


def test_a_test_set_keeps_its_first_name(database, study):
    run_once(database, study, opener())
    run_once(database, attrs.evolve(study, name="renamed"), opener())
    assert database.study().name == "people"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda study: attrs.evolve(study, pairs=study.pairs[:-1]), id="pairs"),
        pytest.param(
            lambda study: attrs.evolve(study, groups={"sex": {"Anna 0": "f"}}), id="groups"
        ),
        pytest.param(with_another_picture, id="picture"),
    ],
)
def test_a_database_accepts_one_test_set(database, study, tmp_path, change):
    run_once(database, study, opener())
    system = opener()
    with pytest.raises(InvalidRequest) as caught:
        run_once(database, change(study), system)
    assert str(caught.value) == (
        f"The run database {tmp_path}/study.sqlite3 has the test set 'people', whose "
        "pictures, pairs or groups differ. Nothing was sent: pass another file with --store."
    )
    assert system.backend.calls == []


@pytest.mark.parametrize(
    ("setting", "value"),
    [("threshold", 60.0), ("backend", "b"), ("rule", "above"), ("environment", "mock")],
)
def test_settings_that_change_answers_may_not_change(database, setting, value):
    enter_system(database)
    changed = StoredSystem(name="fake", settings=SYSTEM_SETTINGS | {setting: value})
    with pytest.raises(InvalidRequest, match=str(value)):
        database.enter_system(database.study(), changed)


@pytest.mark.parametrize(
    "address", ["postgresql+psycopg://me:canary@db/faces", "study.sqlite3", "sqlite://"]
)
def test_a_run_database_is_a_local_file(address):
    with pytest.raises(ConfigurationError, match="must be a local SQLite file") as caught:
        RunDatabase(address)
    assert "canary" not in str(caught.value)


def test_nothing_personal_is_stored(tmp_path, database):
    study = write_study(tmp_path / "Photographs-of-Anna", groups={"sex": {"Anna 0": "f"}})
    run_study(study, {"fake": opener()}, database)
    assert database.study().content["groups"]["sex"][0] == ["f"]
    database.close()
    stored_bytes = b"".join(path.read_bytes() for path in tmp_path.glob("study.sqlite3*"))
    assert b"answered" in stored_bytes
    for canary in (b"Anna", b"Bertha", b"Photographs", b".jpg"):
        assert canary not in stored_bytes
    picture_bytes = study.pairs[0].probe.read_bytes()
    for start in range(0, len(picture_bytes) - 16, 16):
        assert picture_bytes[start : start + 16] not in stored_bytes


def execute(address, statement):
    """Change the file of a run database behind its back."""
    with contextlib.closing(sqlite3.connect(address.removeprefix("sqlite:///"))) as file, file:
        file.execute(statement)


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("UPDATE facematch_study SET content = '{'", "damaged"),
        ("UPDATE facematch_systems SET settings = '{'", "damaged"),
        ("UPDATE facematch_systems SET price = '-5 USD'", r"damaged .*\(ValueError\)"),
        ("UPDATE facematch_comparisons SET state = 'frei' WHERE pair = 5", "damaged"),
        ("UPDATE facematch_comparisons SET billed = 'maybe' WHERE pair = 5", "damaged"),
        ("DROP TABLE facematch_comparisons", "failed .no such table"),
        ("UPDATE facematch_comparison_store SET version = 3", "version 3 is not supported"),
    ],
)
def test_damage_is_detected_before_sending(database, study, address, statement, message):
    run_once(database, study, opener())
    database.close()
    execute(address, statement)
    system = opener()
    with (
        pytest.raises(ConfigurationError, match=message) as caught,
        contextlib.closing(RunDatabase(address)) as damaged,
    ):
        run_once(damaged, study, system)
    assert caught.value.__cause__ is None
    assert system.backend.calls == []


def test_an_error_of_the_program_is_not_reported_as_damage(database):
    enter_system(database)
    system = StoredSystem(name="other", settings={"threshold": object()})
    with pytest.raises(TypeError, match="JSON serializable"):
        database.enter_system(database.study(), system)
    assert [stored.name for stored in database.systems()] == ["fake"]


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param(
            "UPDATE facematch_comparisons SET pair = 7 WHERE pair = 2", id="of another pair"
        ),
        pytest.param("DELETE FROM facematch_comparisons WHERE pair = 3", id="missing"),
    ],
)
def test_answers_to_other_pairs_are_reported_as_damage(database, address, statement):
    enter_system(database)
    execute(address, statement)
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


@pytest.mark.slow
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
        assert system.backend.calls == []
        assert database.systems() == ()
        holder.kill()
        holder.wait(30)
        assert run_once(database, study, opener()).asked == 6


def test_an_active_run_can_be_read_but_not_changed(database, study, address):
    states_during_run = []

    def read_during_run(call):
        other = RunDatabase(address)
        with pytest.raises(ConfigurationError, match=f"{IN_USE} {os.getpid()} on "):
            run_study(study, {"fake": opener()}, other)
        with pytest.raises(ConfigurationError, match=IN_USE):
            database.lock()
        system = stored_system(other)
        states_during_run.extend(pair_states(other, system))
        assert other.progress(system.number).left == 5
        assert not read_answers(other)[0].answered.any()
        assert other.unresolved(system) == ()
        other.close()
        return charged_answer()(call)

    assert run_once(database, study, opener(FakeBackend(script=[read_during_run]))).asked == 6
    assert states_during_run == ["asked"] + ["free"] * 5


def fail_to_open(on_event):
    raise ConfigurationError("No key for fake.")


def test_a_run_releases_its_lock_at_its_end_and_on_failure(database, study, address):
    run = StudyRun(study, {"fake": opener()}, database)
    run.close()
    with pytest.raises(ConfigurationError, match="No key for fake"):
        StudyRun(study, {"fake": fail_to_open}, database)
    with contextlib.closing(RunDatabase(address)) as other:
        other.lock()
        # Who no longer has the lock does not release that of another.
        run.close()
        database.unlock()
        with pytest.raises(ConfigurationError, match=IN_USE):
            database.lock()
    database.lock()


@pytest.mark.skipif(os.name == "nt", reason="links need a right there")
def test_all_names_of_a_file_share_one_lock(database, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "study.sqlite3")
    database.lock()
    with (
        contextlib.closing(RunDatabase(f"sqlite:///{tmp_path}/link")) as other,
        pytest.raises(ConfigurationError, match=IN_USE),
    ):
        other.lock()
    # Whoever could open the lock could keep others out.
    (lock,) = tmp_path.glob("*.lock")
    assert (lock.name, lock.read_bytes()) == ("study.sqlite3.lock", b"")
    assert stat.S_IMODE(lock.stat().st_mode) == 0o600
