"""Who is heard writing a file, and who is not."""

import contextlib
import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest
from mutants.reference import ReferenceBackend, ReferenceSimulator

from facematch_core.testing.contract.privacy import traces


def written_by(work):
    """What is heard while `work` runs."""
    with traces() as written:
        work()
    return written


def spooled(_):
    with tempfile.TemporaryFile() as file:
        file.write(b"x")


def stored(path):
    sqlite3.connect(path).close()


@pytest.mark.parametrize(
    "write",
    [
        stored,
        spooled,
        lambda path: path.write_text("x"),
        lambda path: path.open("a").close(),
        lambda path: os.close(os.open(path, os.O_WRONLY | os.O_CREAT)),
        lambda path: path.mkdir(),
        lambda path: path.symlink_to("nowhere"),
        lambda path: stored(f"file:{path}"),
        lambda path: (path.parent / "there").rename(path),
        lambda path: os.truncate(path.parent / "there", 1),
        lambda path: os.link(path.parent / "there", path),
    ],
)
def test_files_are_heard(tmp_path, write):
    """However a file comes to be or is changed; it is named, with the function that did it."""
    (tmp_path / "there").write_text("xyz")
    written = written_by(lambda: write(tmp_path / "made"))
    assert written
    assert all(f", in {__name__}." in entry for entry in written)


def test_the_path_and_the_function_are_named(tmp_path):
    """So that the author finds it."""
    path = tmp_path / "made"
    assert written_by(lambda: path.write_text("x")) == [
        f"{path} (open, in {__name__}.test_the_path_and_the_function_are_named.<locals>.<lambda>)"
    ]


def test_reading_and_devices_are_not_heard(tmp_path):
    """Certificates are read, and a subprocess is given the null device."""
    path = tmp_path / "there"
    path.write_text("x")

    def work():
        path.read_text()
        Path(os.devnull).write_text("x")
        reading, writing = os.pipe()
        with os.fdopen(reading, "rb"), os.fdopen(writing, "wb"):
            pass
        stored(":memory:")
        stored("file:seven?mode=memory&cache=shared")

    assert written_by(work) == []


def test_nothing_is_heard_afterwards(tmp_path):
    """The hook stays for the life of the process, and is deaf while nobody looks."""
    with traces() as written:
        pass
    (tmp_path / "later").write_text("x")
    assert written == []


def test_an_import_is_not_heard(tmp_path, monkeypatch):
    """Python writes what it compiles; that says nothing of a picture."""
    (tmp_path / "a_module_of_this_test.py").write_text("SEVEN = 7")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "pycache_prefix", None)
    assert written_by(lambda: __import__("a_module_of_this_test")) == []
    assert list(tmp_path.glob("__pycache__/*.pyc"))
    sys.modules.pop("a_module_of_this_test")


class Writing(ReferenceBackend):
    """Writes wherever it is told to."""

    def note(self, path):
        path.write_text("x")

    def through(self, simulator, path):
        simulator.note(path)


class WritingSimulator(ReferenceSimulator):
    """The vendor keeps books on disk."""

    def note(self, path):
        path.write_text("x")

    def open_for(self, backend, path):
        backend.note(path)


def in_a_thread(work):
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def test_a_backend_is_heard_in_every_thread(tmp_path):
    """A pool of its own is no hiding place."""
    backend = Writing(None)
    assert written_by(lambda: in_a_thread(lambda: backend.note(tmp_path / "made")))


def test_other_threads_are_not_heard(tmp_path):
    """They may be the simulator's, a test runner's, anybody's."""
    path = tmp_path / "made"
    assert written_by(lambda: in_a_thread(lambda: path.write_text("x"))) == []


def test_a_simulator_may_write(tmp_path):
    """Also when a backend of this process calls it, but not in the backend's name."""
    backend, simulator = Writing(None), WritingSimulator()
    assert written_by(lambda: simulator.note(tmp_path / "books")) == []
    assert written_by(lambda: backend.through(simulator, tmp_path / "books")) == []
    assert written_by(lambda: simulator.open_for(backend, tmp_path / "made"))


def test_another_program_is_named(tmp_path):
    """What it does is not heard; that it was started is."""
    command = [sys.executable, "-S", "-c", f"open({str(tmp_path / 'made')!r}, 'w').close()"]
    null = subprocess.DEVNULL
    found = written_by(lambda: subprocess.run(command, check=True, stdin=null, stdout=null))
    # Some versions of Python report both the start and how it is done.
    assert found
    assert all(sys.executable in each for each in found)
    assert (tmp_path / "made").exists()


def test_an_address_beyond_this_machine_is_named():
    """One on this machine is the vendor's simulator, unless there is none."""
    with socket.socket(type=socket.SOCK_DGRAM) as line:

        def send(host):
            with contextlib.suppress(OSError):  # no network here, perhaps
                line.sendto(b"x", (host, 9))

        with traces() as found:
            send("127.0.0.1")
            send("192.0.2.1")
        assert [each.startswith("('192.0.2.1', 9)") for each in found] == [True]
        with traces(sends=False) as found:
            send("127.0.0.1")
        assert len(found) == 1
