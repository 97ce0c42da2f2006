"""Whose an attempt is, and whether its process is gone."""

import os
import subprocess
import sys
from pathlib import Path

import attrs
import pytest

from facematch_core.store import Owner

SPACE, NAME = Path("/proc/self/ns/pid"), Path("/proc/self/comm")
ASK = "from facematch_core.store import Owner; o = Owner.here(); print(o.host, o.pid, o.run)"


def test_this_process_is_there():
    """And it is one and the same, however often it is asked."""
    here = Owner.here()
    assert here == Owner.here()
    assert here.pid == os.getpid()
    assert not here.is_gone()


def test_a_process_that_has_ended_is_gone():
    """Its number belongs to nobody."""
    done = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, check=True)
    host, pid, run = done.stdout.split()
    assert Owner(host=host, pid=int(pid), run=run).is_gone()


def test_a_process_that_lives_is_there():
    """Another one of this machine, until it ends."""
    code = f"{ASK}; import sys; sys.stdout.flush(); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        host, pid, run = process.stdout.readline().split()
        other = Owner(host=host, pid=int(pid), run=run)
        assert not other.is_gone()
        assert attrs.evolve(other, run=f"{run}0").is_gone(), "the same number, begun later"
        process.stdin.close()
    assert other.is_gone()


def test_a_process_that_nobody_waited_for_is_gone():
    """It has ended, though the system lists it until its parent asks."""
    with subprocess.Popen(
        [sys.executable, "-c", ASK], stdout=subprocess.PIPE, text=True
    ) as process:
        host, pid, run = process.stdout.read().split()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert Owner(host=host, pid=int(pid), run=run).is_gone()


def test_of_another_machine_nobody_can_tell():
    """Its numbers mean nothing here."""
    assert attrs.evolve(Owner.here(), host="another-machine", pid=2**22 + 1).is_gone() is None


def test_the_first_process_is_somebody_elses():
    """One that may not be asked is there."""
    assert not attrs.evolve(Owner.here(), pid=1, run=_run_of(1)).is_gone()


def _run_of(pid):
    from facematch_core.store._owner import _began

    return f"x@{_began(pid)}"


def test_the_child_of_a_fork_is_another_one():
    """What it reserves is its own."""
    here, (read, write) = Owner.here(), os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(write, f"{Owner.here().run} {here.is_gone()}".encode())
        os._exit(0)
    os.waitpid(pid, 0)
    run, gone = os.read(read, 1000).decode().split()
    os.close(read)
    os.close(write)
    assert run != here.run
    assert gone == "False"
    assert Owner.here() == here


def test_threads_that_ask_at_once_are_told_the_same():
    """The first calls of a process may come from several threads."""
    code = """
import threading
from facematch_core.store import Owner, _owner

made, all_there = _owner.Owner._made, threading.Barrier(8)

def slowly(pid):
    found = made(pid)
    all_there.wait()
    return found

_owner.Owner._made = slowly
told = []
threads = [threading.Thread(target=lambda: told.append(Owner.here())) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(len(told), len(set(told)), Owner.here() in told)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["8", "1", "True"]


def test_a_grandchild_is_not_its_grandparent():
    """Even with the number of a process before it, whose name the child would know."""
    code = """
import os
from facematch_core.store import Owner, _owner

Owner.here()
if os.fork() == 0:
    print(len(_owner._known), flush=True)
    os._exit(0)
os.wait()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "0\n"


@pytest.mark.skipif(not SPACE.exists(), reason="the system tells no spaces")
def test_of_another_container_nobody_can_tell():
    """It may have this machine's name; its numbers mean nothing here."""
    here = Owner.here()
    name, space = here.host.rsplit("/", 1)
    assert space.isdigit()
    other = attrs.evolve(here, host=f"{name}/{int(space) + 1}", pid=2**22 + 1)
    assert other.is_gone() is None


def test_a_process_of_which_nobody_knows_when_it_began():
    """Where nothing told it then, nothing can be said now, except that its number is gone."""
    here = Owner.here()
    assert attrs.evolve(here, pid=os.getppid(), run="x@").is_gone() is None
    assert attrs.evolve(here, pid=2**22 + 1, run="x@").is_gone()


@pytest.mark.skipif(not NAME.exists(), reason="the system tells no names")
def test_a_name_that_is_cut_in_a_letter():
    """The system cuts the names of processes after 15 bytes."""
    code = f"""
import sys
open("/proc/self/comm", "wb").write(("x" * 14 + chr(228)).encode()[:15])
{ASK}
sys.stdout.flush()
sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        host, pid, run = process.stdout.readline().split()
        other = Owner(host=host, pid=int(pid), run=run)
        assert other.is_gone() is False
        process.stdin.close()
    assert other.is_gone()
