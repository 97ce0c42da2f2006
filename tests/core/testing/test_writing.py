"""Who is heard writing a file, and who is not."""

import contextlib
import os
import socket
import sqlite3
import sys
import tempfile
import threading
from pathlib import Path

import pytest
from mutants.reference import ReferenceBackend, ReferenceSimulator

from facematch_core.testing.contract.privacy import traces


class Writing(ReferenceBackend):
    """Does what it is told to."""

    def do(self, work):
        return work()


class WritingSimulator(ReferenceSimulator):
    """The vendor keeps books on disk."""

    def do(self, work):
        return work()


def written_by(work):
    """What is heard while a backend does `work`."""
    with traces() as written:
        Writing(None).do(work)
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
    assert write is spooled or any(str(tmp_path) in entry for entry in written)


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


def test_an_import_is_not_heard(tmp_path, monkeypatch):
    """Python writes what it compiles; that says nothing of a picture."""
    (tmp_path / "a_module_of_this_test.py").write_text("SEVEN = 7")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "pycache_prefix", None)
    assert written_by(lambda: __import__("a_module_of_this_test")) == []
    assert list(tmp_path.glob("__pycache__/*.pyc"))
    sys.modules.pop("a_module_of_this_test")


def in_a_thread(work):
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def test_a_backend_is_heard_in_every_thread_and_nobody_else(tmp_path):
    """A pool of its own is no hiding place; a test runner may write, in any thread, too."""

    def write():
        (tmp_path / "made").write_text("x")

    with traces() as written:
        write()
        in_a_thread(write)
        assert written == []
        in_a_thread(lambda: Writing(None).do(write))
    heard = len(written)
    assert heard
    Writing(None).do(write)
    assert len(written) == heard  # it is deaf while nobody looks


def test_a_simulator_may_write(tmp_path):
    """Also when a backend of this process calls it, but not in the backend's name."""
    backend, simulator, path = Writing(None), WritingSimulator(), tmp_path / "books"

    def write():
        path.write_text("x")

    with traces() as written:
        simulator.do(write)
        backend.do(lambda: simulator.do(write))
        assert written == []
        simulator.do(lambda: backend.do(write))
    assert written


def test_an_address_beyond_this_machine_is_named():
    """One on this machine is the vendor's simulator."""
    with socket.socket(type=socket.SOCK_DGRAM) as line:

        def send(host):
            with contextlib.suppress(OSError):  # no network here, perhaps
                Writing(None).do(lambda: line.sendto(b"x", (host, 9)))

        with traces() as found:
            send("127.0.0.1")
            send("192.0.2.1")
        assert [each.startswith("('192.0.2.1', 9)") for each in found] == [True]
