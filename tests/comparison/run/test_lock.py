"""One process at a time on one run database: others are told, and no end of it blocks."""

import os
import stat
import subprocess
import sys

import pytest
from kit.comparison.studies import answer, once, opener, states, stored
from kit.fakes import FakeBackend

from facematch_comparison.run import RunDatabase, StudyRun, read_answers, run_study
from facematch_core import ConfigurationError

pytestmark = pytest.mark.usefixtures("in_file_order")

HOLDER = """
import os, sys
from facematch_comparison.run import RunDatabase
database = RunDatabase(sys.argv[1])
database.hold()
if "fork" in sys.argv and os.fork() == 0:
    sys.stdin.read()
    os._exit(0)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder(request, address):
    """A process that holds the run database until it is killed."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, address, *getattr(request, "param", [])],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_process_is_refused_and_sends_nothing(database, study, holder, tmp_path):
    """The sentence names the file, who has it, and what to do."""
    system = opener()
    with pytest.raises(ConfigurationError) as caught:
        run_study(study, {"fake": system}, database)
    file = tmp_path / "study.sqlite3"
    told = caught.value.message
    assert told.startswith(f"The run database {file} is in use by process {holder.pid} on ")
    assert "nothing was sent. Wait for its end, or end it" in told
    assert system.backend.calls == []
    assert database.studies() == ()


@pytest.mark.parametrize(
    "holder",
    [
        [],
        pytest.param(["fork"], marks=pytest.mark.skipif(os.name == "nt", reason="no fork there")),
    ],
    ids=["alone", "with a child that lives on"],
    indirect=True,
)
def test_kill_9_leaves_no_lock_behind(database, study, holder):
    """The next one runs at once, and its own end leaves none either."""
    holder.kill()
    holder.wait(30)
    assert once(database, study, opener()).asked == 6
    assert once(database, study, opener()).asked == 0


def test_a_run_that_is_under_way_is_left_alone_and_may_be_read(database, study, address):
    """Another one in the same process, too; it goes on untouched, and so does whoever reads."""
    seen = []

    def meanwhile(call):
        other = RunDatabase(address)
        with pytest.raises(ConfigurationError, match=f"in use by process {os.getpid()} on "):
            run_study(study, {"fake": opener()}, other)
        for one in (other, database):
            with pytest.raises(ConfigurationError, match="is in use by"):
                one.hold()
        system = stored(other)
        seen.append((states(other, system), other.progress(system.number).left))
        assert not read_answers(other, other.study())[0].table.answered.any()
        assert other.unresolved(system) == ()
        other.close()
        return answer()(call)

    assert once(database, study, opener(FakeBackend(script=[meanwhile]))).asked == 6
    assert seen == [(["asked", *["free"] * 5], 5)]


def test_a_run_lets_go_at_its_end_and_when_it_cannot_begin(database, study, address):
    """Once: whoever holds it by then keeps it."""

    def closed(on_event):
        raise ConfigurationError("No key for fake.")

    run = StudyRun(study, {"fake": opener()}, database)
    run.close()
    with pytest.raises(ConfigurationError, match="No key for fake"):
        StudyRun(study, {"fake": closed}, database)
    other = RunDatabase(address)
    other.hold()
    run.close()
    database.let_go()
    with pytest.raises(ConfigurationError, match="is in use by process"):
        database.hold()
    other.close()
    database.hold()


@pytest.mark.skipif(os.name == "nt", reason="links need a right there")
def test_a_file_has_one_lock_by_whatever_name(database, tmp_path):
    """Relative, or through a link."""
    (tmp_path / "link").symlink_to(tmp_path / "study.sqlite3")
    other = RunDatabase(f"sqlite:///{tmp_path}/link")
    database.hold()
    with pytest.raises(ConfigurationError, match="is in use by process"):
        other.hold()
    other.close()


@pytest.mark.skipif(os.name == "nt", reason="no modes there")
def test_the_lock_is_its_owners_and_holds_nothing(database, tmp_path):
    """Whoever could open it could keep others out."""
    database.hold()
    (lock,) = tmp_path.glob("*.lock")
    assert (lock.name, lock.read_bytes()) == ("study.sqlite3.lock", b"")
    assert stat.S_IMODE(lock.stat().st_mode) == 0o600


def test_a_lock_that_cannot_be_made_is_told(database, tmp_path):
    """With its file, and what the system says."""
    (tmp_path / "study.sqlite3.lock").mkdir()
    with pytest.raises(ConfigurationError, match=r"study.sqlite3.lock cannot be taken: unable to"):
        database.hold()
