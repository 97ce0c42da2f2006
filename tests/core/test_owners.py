"""A configuration and a key are read as ssh reads a key: nobody else may change them."""

import os
import subprocess
import sys

import pytest

import facematch_core as fm
from facematch_core import Secret

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the system has no such rights")
as_root = pytest.mark.skipif(
    os.name != "posix" or os.geteuid() != 0, reason="only root can give a file away"
)

STRANGER = 1234


def open_profile(path):
    fm.open_verifier(profile="p", config=path).close()


def read_key(path):
    Secret.from_file(path)


readers = pytest.mark.parametrize("read", [open_profile, read_key])


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def path(folder):
    """A file that is a configuration and, by its first line, a key."""
    path = folder / "facematch.toml"
    path.write_text('[profiles.p]\nbackend = "local"\n')
    path.chmod(0o600)
    return path


def refuses(read, path, *words):
    with pytest.raises(fm.ConfigurationError) as caught:
        read(path)
    for word in words:
        assert word in str(caught.value)


@readers
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o755])
def test_what_others_cannot_write_is_read(read, path, mode):
    path.chmod(mode)
    path.parent.chmod(mode | 0o111)
    read(path)


@readers
@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666, 0o664])
@pytest.mark.parametrize("place", ["file", "folder"])
def test_what_the_group_or_others_may_write_is_refused_with_the_command(read, path, mode, place):
    """However the file is named: it says who gets keys and faces."""
    open_to_others = path if place == "file" else path.parent
    open_to_others.chmod(mode | (0o111 if place == "folder" else 0))
    refuses(read, path, f"`chmod go-w {open_to_others}`")


@readers
def test_nobody_replaces_what_lies_in_a_folder_with_the_sticky_bit(read, path):
    path.parent.chmod(0o1777)
    read(path)


@readers
@as_root
@pytest.mark.parametrize("place", ["file", "folder"])
def test_what_belongs_to_somebody_else_is_refused(read, path, place):
    os.chown(path if place == "file" else path.parent, STRANGER, -1)
    refuses(read, path, f"uid {STRANGER}", "chown")


@as_root
@pytest.mark.parametrize("owner", [0, STRANGER])
def test_the_user_reads_what_is_their_own_or_roots(path, monkeypatch, owner):
    """Played by root: another user of this machine may not be able to read the library."""
    for place in (path, path.parent):
        os.chown(place, owner, -1)
    monkeypatch.setattr("os.geteuid", lambda: STRANGER)
    open_profile(path)
    monkeypatch.setattr("os.geteuid", lambda: STRANGER + 1)
    if owner:
        refuses(open_profile, path, f"uid {STRANGER}")


@readers
def test_a_link_counts_with_its_folder_and_with_that_of_the_file(read, path, tmp_path):
    shelf = tmp_path / "shelf"
    shelf.mkdir(mode=0o700)
    link = shelf / "link"
    link.symlink_to(path)
    read(link)
    shelf.chmod(0o777)
    refuses(read, link, str(shelf))
    shelf.chmod(0o700)
    path.parent.chmod(0o777)
    refuses(read, link, str(path.parent))


def test_the_users_own_file_and_that_of_the_variable_are_held_to_the_same(path, monkeypatch):
    file = fm.config.opening.user_file()
    file.parent.mkdir(parents=True)
    file.write_bytes(path.read_bytes())
    file.chmod(0o644)
    file.parent.chmod(0o755)
    open_profile(None)
    file.parent.chmod(0o775)
    refuses(open_profile, None, str(file.parent))
    monkeypatch.setenv("FACEMATCH_CONFIG", str(path))
    open_profile(None)
    path.chmod(0o666)
    refuses(open_profile, None, "may be changed by others")


@as_root
def test_what_is_mounted_read_only_is_read_as_it_is(path, tmp_path):
    """A container has its configuration so, often with an owner and rights of another machine."""
    path.chmod(0o666)
    path.parent.chmod(0o777)
    os.chown(path, STRANGER, STRANGER)
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    bound = f"mount --bind '{path.parent}' '{mounted}' && mount -o remount,ro,bind '{mounted}' && "
    if subprocess.run(["unshare", "-m", "sh", "-c", f"{bound}true"], check=False).returncode:
        pytest.skip("nothing can be mounted here")
    place = str(mounted / path.name)
    program = f"import facematch_core; facematch_core.open_verifier(profile='p', config={place!r})"
    command = f'{bound}"$0" -c "$1"'
    subprocess.run(
        ["unshare", "-m", "sh", "-c", command, sys.executable, program], check=True, timeout=120
    )
