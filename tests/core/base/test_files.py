import os
import socket
import stat
from pathlib import Path

import pytest

from facematch_core.base.files import is_stream, os_errors_naming, replacing, write_file

posix = pytest.mark.skipif(os.name != "posix", reason="the system has no such rights")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "report.html"


def mode(path):
    return stat.S_IMODE(Path(path).stat().st_mode)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_write_file_replaces_a_file_given_by_str_or_path(path):
    write_file(str(path), b"old\r\n\x1a")
    write_file(path, b"new\n")
    assert path.read_bytes() == b"new\n"
    assert names(path.parent) == ["report.html"]


def test_write_file_takes_a_name_without_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_file("a.txt", b"a")
    assert Path("a.txt").read_bytes() == b"a"


def test_new_file_has_the_suffix_of_the_one_that_it_replaces(path):
    with replacing(path) as new:
        assert new.suffix == ".html"
        new.write_bytes(b"page")
    assert path.read_bytes() == b"page"


def test_name_that_no_file_can_have_is_no_stream():
    assert not is_stream("a\0b")


def test_error_without_a_number_is_passed_on_unchanged(path):
    with pytest.raises(OSError, match=r"^unnumbered$"), os_errors_naming(path):
        raise OSError("unnumbered")


@posix
@pytest.mark.parametrize("exists", [True, False], ids=["file", "nothing"])
def test_replacing_through_a_symlink_keeps_the_symlink(tmp_path, exists):
    target = tmp_path / "folder" / "target"
    link = tmp_path / "link"
    link_to_link = tmp_path / "second"
    target.parent.mkdir()
    if exists:
        target.write_bytes(b"old")
        target.chmod(0o640)
    link.symlink_to("folder/target")
    link_to_link.symlink_to(link)
    with replacing(link_to_link) as new:
        assert new.parent == target.parent
        new.write_bytes(b"new")
        assert target.exists() is exists
    assert (link.readlink(), link_to_link.readlink()) == (Path("folder/target"), link)
    assert target.read_bytes() == b"new"
    assert mode(target) == 0o640 or not exists
    assert names(target.parent) == ["target"]


def by_name(path, content):
    with replacing(path) as new:
        new.write_bytes(content)


writers = pytest.mark.parametrize("write", [write_file, by_name])


@posix
@writers
@pytest.mark.parametrize("linked", [False, True], ids=["itself", "by a link"])
def test_named_pipe_is_written_to_and_not_replaced(path, write, linked):
    os.mkfifo(path)
    named = path.parent / "link.html"
    named.symlink_to(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write(named if linked else path, b"page")
        assert os.read(reader, 100) == b"page"
    finally:
        os.close(reader)
    assert path.is_fifo()
    assert names(path.parent) == ["link.html", "report.html"]


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
@pytest.mark.parametrize("exists", [True, False])
def test_failed_write_keeps_the_old_file(path, exists, error):
    if exists:
        path.write_bytes(b"old")
    with pytest.raises(error), replacing(path) as new:
        new.write_bytes(b"half")
        raise error
    assert names(path.parent) == ["report.html"] * exists
    assert not exists or path.read_bytes() == b"old"


def test_full_disk_keeps_the_old_file(path, monkeypatch):
    path.write_bytes(b"old")

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left on device") as caught:
        write_file(path, b"new")
    assert (caught.value.filename, path.read_bytes()) == (str(path), b"old")
    assert names(path.parent) == ["report.html"]
