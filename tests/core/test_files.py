"""Files that are there whole or not at all."""

import os
import socket
import stat
from pathlib import Path

import pytest

from facematch_core.files import replacing, write_file

posix = pytest.mark.skipif(os.name != "posix", reason="the system has no such rights")


@pytest.fixture
def umask():
    """The usual one of a server: others may read, not write."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture
def place(tmp_path):
    return tmp_path / "report.html"


def mode(path):
    return stat.S_IMODE(Path(path).stat().st_mode)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_it_is_written_and_replaced(place):
    """By a name of any kind, byte for byte, and nothing lies beside it."""
    write_file(str(place), b"old\r\n\x1a")
    write_file(place, b"new\n")
    assert place.read_bytes() == b"new\n"
    assert names(place.parent) == ["report.html"]


def test_a_name_in_the_current_folder(tmp_path, monkeypatch):
    """The folder need not be named."""
    monkeypatch.chdir(tmp_path)
    write_file("a.txt", b"a")
    assert Path("a.txt").read_bytes() == b"a"


@posix
@pytest.mark.usefixtures("umask")
def test_a_new_file_has_the_usual_rights(place):
    """Those that `open` would give it."""
    write_file(place, b"")
    assert mode(place) == 0o644


@posix
@pytest.mark.usefixtures("umask")
@pytest.mark.parametrize("rights", [0o600, 0o640, 0o664])
def test_a_file_that_is_replaced_leaves_its_rights(place, rights):
    """Whoever hid a report need not hide the next one again."""
    place.write_bytes(b"old")
    place.chmod(rights)
    with replacing(place) as new:
        assert mode(new) == 0o600
        new.write_bytes(b"new")
    assert (mode(place), place.read_bytes()) == (rights, b"new")
    write_file(place, b"newer")
    assert (mode(place), place.read_bytes()) == (rights, b"newer")


@posix
@pytest.mark.usefixtures("umask")
@pytest.mark.parametrize("there", [True, False])
def test_a_private_file_is_private_from_the_beginning(place, there):
    """Also where others could read the old one."""
    if there:
        place.write_bytes(b"old")
        place.chmod(0o644)
    with replacing(place, private=True) as new:
        assert mode(new) == 0o600
        new.write_bytes(b"key")
    assert (mode(place), place.read_bytes()) == (0o600, b"key")
    place.unlink()
    write_file(place, b"key", private=True)
    assert mode(place) == 0o600


@posix
@pytest.mark.parametrize("there", [True, False], ids=["file", "nothing"])
def test_a_link_keeps_pointing_where_it_points(tmp_path, there):
    """What it points to is replaced or made, whole, with the rights it had."""
    target, link, second = tmp_path / "folder" / "target", tmp_path / "link", tmp_path / "second"
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


@posix
def test_a_circle_of_links(place):
    """Is an error that names it, and stays a circle."""
    place.symlink_to(place.name)
    with pytest.raises(OSError, match="report") as caught:
        write_file(place, b"")
    assert (caught.value.filename, place.is_symlink()) == (str(place), True)


def by_name(place, content):
    with replacing(place) as new:
        new.write_bytes(content)


writers = pytest.mark.parametrize("write", [write_file, by_name])


@posix
@writers
@pytest.mark.parametrize("linked", [False, True], ids=["itself", "by a link"])
def test_a_pipe_is_written_to(place, write, linked):
    """As the shell's `>(program)` gives one; it is still a pipe, and nothing lies beside it."""
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
def test_a_device_is_written_to(place, write):
    """A device that swallows all, of our own, is still one afterwards."""
    try:
        os.mknod(place, stat.S_IFCHR | 0o600, os.makedev(1, 3))
    except OSError:
        pytest.skip("only root makes devices")
    write(place, b"page")
    assert place.is_char_device()
    assert names(place.parent) == ["report.html"]


@posix
@writers
def test_what_can_be_neither_written_nor_replaced_is_refused(place, write, monkeypatch):
    """A socket, say: it stays."""
    monkeypatch.chdir(place.parent)  # the names of sockets are short
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind(place.name)
        with pytest.raises(OSError, match="it is a device or a socket") as caught:
            write(place, b"page")
    assert (caught.value.filename, place.is_socket()) == (str(place), True)
    assert names(place.parent) == ["report.html"]


def test_a_folder_is_refused_before_anything_is_written(place):
    """By its name: what is to be written may take hours."""
    place.mkdir()
    with pytest.raises(IsADirectoryError) as caught, replacing(place):
        pytest.fail("it has begun")
    assert (caught.value.filename, names(place.parent)) == (str(place), ["report.html"])


def test_writing_by_name(place):
    """The other file has the ending of the place, for those who choose a form by it."""
    with replacing(place) as new:
        assert new.suffix == ".html"
        new.write_bytes(b"page")
    assert place.read_bytes() == b"page"


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
@pytest.mark.parametrize("there", [True, False])
def test_writing_by_name_that_fails(place, there, error):
    """The old one stays, and nothing else does."""
    if there:
        place.write_bytes(b"old")
    with pytest.raises(error), replacing(place) as new:
        new.write_bytes(b"half")
        raise error
    assert names(place.parent) == ["report.html"] * there
    assert not there or place.read_bytes() == b"old"


def test_errors_name_the_file_that_was_asked_for(place):
    """And never the one beside it."""
    inside = place / "a.txt"
    with pytest.raises(FileNotFoundError) as caught:
        write_file(inside, b"")
    assert caught.value.filename == str(inside)
    place.mkdir()
    with pytest.raises(OSError, match="report") as caught:
        write_file(place, b"")
    assert (caught.value.filename, names(place.parent)) == (str(place), ["report.html"])
    assert ".facematch." not in str(caught.value)


@posix
@pytest.mark.skipif(os.name != "posix" or os.getuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written(place):
    """Is named as the reason, and the old file stays."""
    place.write_bytes(b"old")
    place.parent.chmod(0o500)
    try:
        with pytest.raises(PermissionError) as caught:
            write_file(place, b"new")
    finally:
        place.parent.chmod(0o700)
    assert (caught.value.filename, place.read_bytes()) == (str(place), b"old")


def test_a_disk_without_room(place, monkeypatch):
    """Keeps the old file, and no half of the new one."""
    place.write_bytes(b"old")

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left on device") as caught:
        write_file(place, b"new")
    assert (caught.value.filename, place.read_bytes()) == (str(place), b"old")
    assert names(place.parent) == ["report.html"]
