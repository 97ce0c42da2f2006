"""The files that are written: a key's, and a configuration's."""

import os
import stat
import tomllib
from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facematch_core import ConfigurationError, Secret
from facematch_didit.cli import _profile_file
from facematch_didit.cli._private_file import private_file
from facematch_didit.cli._profile_file import NewProfile

KEY = Secret("a-key-of-this-test")


def mode(path):
    return stat.S_IMODE(Path(path).stat().st_mode)


def profile(name="didit", key_file="didit.key", **settings):
    return NewProfile(name=name, key_file=Path(key_file), settings=settings)


def test_only_the_owner_reads_it():
    """Whatever the umask is, and the folder is made as private."""
    before = os.umask(0)
    try:
        with private_file(Path("new/a.key")) as keep:
            assert mode("new/a.key") == 0o600, "private before anything is in it"
            keep(KEY)
    finally:
        os.umask(before)
    assert (mode("new/a.key"), mode("new")) == (0o600, 0o700)
    assert Secret.from_file("new/a.key") == KEY


def test_nothing_is_left_without_a_key():
    """What was only reserved goes away again."""
    with pytest.raises(KeyboardInterrupt), private_file(Path("a.key")):
        raise KeyboardInterrupt
    assert not Path("a.key").exists()


@pytest.mark.parametrize("link", [False, True])
def test_what_is_there_is_not_written_through(link):
    """Neither a file, nor what a link leads to."""
    Path("other").write_text("other")
    if link:
        Path("a.key").symlink_to("other")
    else:
        Path("a.key").write_text("other")
    with pytest.raises(click.UsageError, match="is there already"), private_file(Path("a.key")):
        pass
    assert Path("a.key").read_text() == "other"


@pytest.mark.parametrize("told", [True, False])
def test_replacing_is_one_step(told):
    """The old file stays until the new one is whole, and becomes private."""
    Path("a.key").write_text("old")
    Path("a.key").chmod(0o644)
    with private_file(Path("a.key"), replace=True) as keep:
        if told:
            keep(KEY)
    assert Path("a.key").read_text() == (f"{KEY.reveal()}\n" if told else "old")
    assert mode("a.key") == (0o600 if told else 0o644)
    assert [path.name for path in Path().iterdir()] == ["a.key"]


def test_a_place_that_cannot_be_written():
    """Told before anything is asked of the vendor."""
    Path("a").write_text("")
    with pytest.raises(click.UsageError, match="cannot be written"), private_file(Path("a/b.key")):
        pass


def test_a_full_disk_tells_where_the_key_is(monkeypatch):
    """The vendor told it, and only its console does again."""

    def full(_):
        raise OSError(28, "No space left on device")

    with pytest.raises(ConfigurationError, match=r"No space.*console") as told:  # noqa: SIM117 - the order matters
        with private_file(Path("a.key")) as keep:
            monkeypatch.setattr(os, "fsync", full)
            keep(KEY)
    assert KEY.reveal() not in str(told.value)
    assert not Path("a.key").exists()


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
BEFORE = st.sampled_from(
    ["", "\n", "# a comment", 'default_profile = "x"\n[profiles.x]\nbackend = "local"', "a = 1\r\n"]
)


@given(
    before=BEFORE, name=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,9}", fullmatch=True), url=TEXTS
)
def test_adding_changes_nothing_else(before, name, url):
    """Whatever the file said, it says afterwards, and the new profile says what it should."""
    if name == "x":
        return
    added = _profile_file.added(before, profile(name, base_url=url, allow_base_url=True), Path())
    old, new = tomllib.loads(before), tomllib.loads(before + added)
    made = new["profiles"].pop(name)
    assert new == {"profiles": {}} | old
    settings = {"api_key": {"file": "didit.key"}, "base_url": url, "allow_base_url": True}
    assert made == {"backend": "didit", "settings": settings}


@pytest.mark.parametrize(
    ("before", "says"),
    [
        ('[profiles.didit]\nbackend = "local"', "a profile didit already"),
        ("[", "no TOML"),
        ("profiles = {}", "no TOML that can be added to"),
        ("profiles = 1", "no TOML that can be added to"),
        ("\udcff", "cannot be read: it is not UTF-8 text"),
    ],
)
def test_what_cannot_be_added_to(before, says):
    """Told with the file's name, and the file stays as it is."""
    file = Path("facematch.toml")
    data = before.encode(errors="surrogateescape")
    file.write_bytes(data)
    for attempt in (_profile_file.check, _profile_file.write):
        with pytest.raises(ConfigurationError, match=f"facematch.toml.*{says}"):
            attempt(file, profile())
    assert file.read_bytes() == data


def test_a_key_elsewhere_is_named_in_full(tmp_path):
    """A file beside the configuration is named by its name, so that both can be moved."""
    near = _profile_file.written(profile(), Path())
    far = _profile_file.written(profile(key_file=tmp_path / "else" / "k"), Path("conf"))
    assert 'file = "didit.key"' in near
    assert f'file = "{tmp_path}/else/k"' in far


@pytest.mark.parametrize("name", ["", "a b", "../x", "-x", "a" * 61, "é"])
def test_names_that_are_no_names(name):
    """A name becomes a bare key and the name of a file."""
    with pytest.raises(click.UsageError, match="letters, digits"):
        _profile_file.check_name(name)
