import os
import socket
import stat
from pathlib import Path

import pytest

from facematch_core.base.files import is_stream, os_errors_naming, replacing, write_file

posix = pytest.mark.skipif(os.name != "posix", reason="the system has no such rights")


@pytest.fixture
def place(tmp_path):
    return tmp_path / "report.html"


def mode(path):
    return stat.S_IMODE(Path(path).stat().st_mode)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_write_file_replaces_a_file_given_by_str_or_path(place, monkeypatch):
    write_file(str(place), b"old\r\n\x1a")
    write_file(place, b"new\n")
    assert place.read_bytes() == b"new\n"
    assert (names(place.parent), is_stream("a\0b")) == (["report.html"], False)
    with pytest.raises(OSError, match=r"^unnumbered$"), os_errors_naming(place):
        raise OSError("unnumbered")
    monkeypatch.chdir(place.parent)
    write_file("a.txt", b"a")
    assert Path("a.txt").read_bytes() == b"a"
    with replacing(place) as new:
        assert new.suffix == ".html"
        new.write_bytes(b"page")
    assert place.read_bytes() == b"page"


@posix
@pytest.mark.parametrize("there", [True, False], ids=["file", "nothing"])
def test_replacing_through_a_symlink_keeps_the_symlink(tmp_path, there):
    target = tmp_path / "folder" / "target"
    link = tmp_path / "link"
    second = tmp_path / "second"
    target.parent.mkdir()
    if there:
        target.write_bytes(b"old")
        target.chmod(0o640)
    link.symlink_to("folder/target")
    second.symlink_to(link)
    with replacing(second) as new:
        assert new.parent == target.parent
        new.write_bytes(b"new")
        assert target.exists() is there
    assert (link.readlink(), second.readlink()) == (Path("folder/target"), link)
    assert target.read_bytes() == b"new"
    assert mode(target) == 0o640 or not there
    assert names(target.parent) == ["target"]


def by_name(place, content):
    with replacing(place) as new:
        new.write_bytes(content)


writers = pytest.mark.parametrize("write", [write_file, by_name])


@posix
@writers
@pytest.mark.parametrize("linked", [False, True], ids=["itself", "by a link"])
def test_named_pipe_is_written_to_and_not_replaced(place, write, linked):
    os.mkfifo(place)
    named = place.parent / "link.html"
    named.symlink_to(place)
    reader = os.open(place, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write(named if linked else place, b"page")
        assert os.read(reader, 100) == b"page"
    finally:
        os.close(reader)
    assert place.is_fifo()
    assert names(place.parent) == ["link.html", "report.html"]


@posix
@writers
def test_a_socket_is_not_replaced(tmp_path, monkeypatch, write):
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind("report")
        with pytest.raises(OSError, match="would be replaced"):
            write("report", b"page")
    assert Path("report").is_socket()


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
@pytest.mark.parametrize("there", [True, False])
def test_failed_write_keeps_the_old_file(place, there, error):
    if there:
        place.write_bytes(b"old")
    with pytest.raises(error), replacing(place) as new:
        new.write_bytes(b"half")
        raise error
    assert names(place.parent) == ["report.html"] * there
    assert not there or place.read_bytes() == b"old"


def test_full_disk_keeps_the_old_file(place, monkeypatch):
    place.write_bytes(b"old")

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left on device") as caught:
        write_file(place, b"new")
    assert (caught.value.filename, place.read_bytes()) == (str(place), b"old")
    assert names(place.parent) == ["report.html"]
