"""Which process a call is of, and whether that process is gone."""

import os
import subprocess
import sys

import attrs
import pytest

from facematch_core.store import Owner

ASK = "from facematch_core.store import Owner; o = Owner.here(); print(o.host, o.pid, o.run)"


def test_this_process_is_there():
    """And it is one and the same, however often it is asked."""
    here = Owner.here()
    assert here == Owner.here()
    assert here.pid == os.getpid()
    assert here.is_gone() is False


def test_a_process_that_has_ended_is_gone():
    """Its number belongs to nobody."""
    done = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, check=True)
    host, pid, run = done.stdout.split()
    assert Owner(host=host, pid=int(pid), run=run).is_gone()


def test_of_a_process_that_lives_nobody_can_tell():
    """Its number is in use: by it, or by a later one. So time decides, until it has ended."""
    code = f"{ASK}; import sys; sys.stdout.flush(); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        host, pid, run = process.stdout.readline().split()
        other = Owner(host=host, pid=int(pid), run=run)
        assert other.is_gone() is None
        process.stdin.close()
    assert other.is_gone()


def test_an_earlier_process_with_this_number_is_gone():
    """The number is ours now."""
    assert attrs.evolve(Owner.here(), run="another").is_gone()


@pytest.mark.parametrize("change", [{"host": "another-machine", "pid": 2**22 + 1}, {"pid": 2**80}])
def test_where_nobody_can_tell(change):
    """The numbers of another machine mean nothing here; some are no numbers of processes."""
    assert attrs.evolve(Owner.here(), **change).is_gone() is None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that fork")
def test_the_child_of_a_fork_is_another_one():
    """What it reserves is its own."""
    here, (read, write) = Owner.here(), os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(write, f"{Owner.here().run} {Owner.here().pid == os.getpid()}".encode())
        os._exit(0)
    os.waitpid(pid, 0)
    run, is_its_own = os.read(read, 1000).decode().split()
    os.close(read)
    os.close(write)
    assert run != here.run
    assert is_its_own == "True"
    assert Owner.here() == here
