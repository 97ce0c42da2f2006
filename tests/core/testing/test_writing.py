import contextlib
import os
import socket
import sqlite3
import sys
import threading
from pathlib import Path

import pytest
from mutants.reference import ReferenceBackend, ReferenceSimulator

from facematch_core.testing.contract.privacy import traces


class Writing(ReferenceBackend):
    def do(self, work):
        return work()


class WritingSimulator(ReferenceSimulator):
    def do(self, work):
        return work()


def written_by(work):
    with traces() as written:
        Writing(None).do(work)
    return written


def stored(path):
    sqlite3.connect(path).close()


@pytest.mark.parametrize(
    "write",
    [
        stored,
        lambda path: path.write_text("x"),
        lambda path: path.open("a").close(),
        lambda path: path.mkdir(),
        lambda path: (path.parent / "there").rename(path),
    ],
)
def test_files_are_heard(tmp_path, write):
    (tmp_path / "there").write_text("xyz")
    written = written_by(lambda: write(tmp_path / "made"))
    assert written
    assert all(f", in {__name__}." in entry for entry in written)
    assert any(str(tmp_path) in entry for entry in written)


def test_reading_and_devices_are_not_heard(tmp_path):
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
    (tmp_path / "a_module_of_this_test.py").write_text("SEVEN = 7")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "pycache_prefix", None)
    assert written_by(lambda: __import__("a_module_of_this_test")) == []
    assert list(tmp_path.glob("__pycache__/*.pyc"))
    sys.modules.pop("a_module_of_this_test")


def test_an_address_beyond_this_machine_is_named():
    with socket.socket(type=socket.SOCK_DGRAM) as line:

        def send(host):
            with contextlib.suppress(OSError):  # no network here, perhaps
                Writing(None).do(lambda: line.sendto(b"x", (host, 9)))

        with traces() as events:
            send("127.0.0.1")
            send("192.0.2.1")
        assert [each.startswith("('192.0.2.1', 9)") for each in events] == [True]


def test_a_backend_is_heard_in_every_thread_and_nobody_else(tmp_path):
    """A test runner may write, in any thread, too, and so may a simulator that a backend calls."""
    backend, simulator = Writing(None), WritingSimulator()

    def write():
        (tmp_path / "made").write_text("x")

    def in_a_thread(work):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()

    with traces() as written:
        write()
        in_a_thread(write)
        simulator.do(write)
        backend.do(lambda: simulator.do(write))
        assert written == []
        simulator.do(lambda: backend.do(write))
        assert len(written) == 1
        in_a_thread(lambda: backend.do(write))
    heard = len(written)
    assert heard == 2
    backend.do(write)
    assert len(written) == heard  # it is deaf while nobody looks
