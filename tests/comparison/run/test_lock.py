import os
import stat
import subprocess
import sys

import pytest
from kit.comparison.studies import charged_answer, opener, pair_states, run_once, stored_system
from kit.fakes import FakeBackend

from facematch_comparison.run import RunDatabase, StudyRun, read_answers, run_study
from facematch_core import ConfigurationError

pytestmark = pytest.mark.usefixtures("in_file_order")

HOLDER = """
import os, sys
from facematch_comparison.run import RunDatabase
database = RunDatabase(sys.argv[1])
database.lock()
if "fork" in sys.argv and os.fork() == 0:
    sys.stdin.read()
    os._exit(0)
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_process_is_refused_and_kill_9_leaves_no_lock_behind(
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
        file = tmp_path / "study.sqlite3"
        assert f"{file} is in use by process {holder.pid} on " in caught.value.message
        assert (system.backend.calls, database.studies()) == ([], ())
        holder.kill()
        holder.wait(30)
        assert run_once(database, study, opener()).asked == 6


def test_a_run_that_is_under_way_is_left_alone_and_may_be_read(database, study, address):
    seen = []

    def meanwhile(call):
        other = RunDatabase(address)
        with pytest.raises(ConfigurationError, match=f"in use by process {os.getpid()} on "):
            run_study(study, {"fake": opener()}, other)
        for open_database in (other, database):
            with pytest.raises(ConfigurationError, match="is in use by"):
                open_database.lock()
        system = stored_system(other)
        seen.append((pair_states(other, system), other.progress(system.number).left))
        assert not read_answers(other, other.study())[0].answered.any()
        assert other.unresolved(system) == ()
        other.close()
        return charged_answer()(call)

    assert run_once(database, study, opener(FakeBackend(script=[meanwhile]))).asked == 6
    assert seen == [(["asked", *["free"] * 5], 5)]


def test_a_run_lets_go_at_its_end_and_when_it_cannot_begin(database, study, address):

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
    with pytest.raises(ConfigurationError, match="is in use by process"):
        database.lock()
    other.close()
    database.lock()


@pytest.mark.skipif(os.name == "nt", reason="links need a right there")
def test_a_file_has_one_lock_of_its_owner_by_whatever_name(database, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "study.sqlite3")
    other = RunDatabase(f"sqlite:///{tmp_path}/link")
    database.lock()
    with pytest.raises(ConfigurationError, match="is in use by process"):
        other.lock()
    other.close()
    # Whoever could open the lock could keep others out.
    (lock,) = tmp_path.glob("*.lock")
    assert (lock.name, lock.read_bytes()) == ("study.sqlite3.lock", b"")
    assert stat.S_IMODE(lock.stat().st_mode) == 0o600
