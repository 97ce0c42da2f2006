"""Which profile is Didit's, and whose key is used."""

from pathlib import Path

import pytest

from facematch_core import ConfigurationError
from facematch_core.config import user_file
from facematch_didit.cli import Chosen, chosen

LOCAL = '[profiles.desk]\nbackend = "local"\n'
DIDIT = '[profiles.{}]\nbackend = "didit"\n'


def configured(text, path=None):
    """A configuration of the user's own, or another one."""
    path = Path(path) if path else user_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_no_file_means_the_environment():
    """Without any profile the key is the environment's."""
    assert chosen(None, None) is None


def test_a_file_without_one_of_didit_means_the_environment():
    """A profile of another vendor is not asked for Didit's account."""
    configured('default_profile = "desk"\n' + LOCAL)
    assert chosen(None, None) is None


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (LOCAL + DIDIT.format("work"), "work"),
        ('default_profile = "desk"\n' + LOCAL + DIDIT.format("work"), "work"),
        ('default_profile = "b"\n' + DIDIT.format("a") + DIDIT.format("b"), "b"),
    ],
    ids=["the only one", "the default is another's", "the default"],
)
def test_the_default_or_the_only_one(text, name):
    """Nobody has to name what there is no doubt about."""
    path = configured(text)
    assert chosen(None, None) == Chosen(config=path, profile=name)


def test_several_are_not_guessed():
    """Which account is charged or emptied is not for us to choose."""
    configured(DIDIT.format("a") + DIDIT.format("b"))
    with pytest.raises(ConfigurationError, match=r"--profile \(a, b\)"):
        chosen(None, None)


def test_a_named_file_must_have_one():
    """A file that was named is used or refused."""
    path = configured(LOCAL, "other.toml")
    with pytest.raises(ConfigurationError, match="no profile of the backend didit"):
        chosen(None, str(path))


def test_a_named_profile_is_left_to_the_core():
    """Which says that it does not exist, or is of another backend."""
    path = configured(LOCAL)
    assert chosen("desk", None) == Chosen(config=path, profile="desk")


@pytest.mark.parametrize("text", ["[", "profiles = 1\ndefault_profile = 2", '[profiles]\na = "b"'])
def test_whatever_a_file_says(text):
    """A file that cannot be read is the core's to complain about; other shapes have no profile."""
    path = configured(text)
    assert chosen(None, None) in (None, Chosen(config=path, profile=None))


def test_the_variable_names_a_file(monkeypatch):
    """Before the user's own, as for every command."""
    configured(DIDIT.format("own"))
    there = configured(DIDIT.format("there"), "there.toml")
    monkeypatch.setenv("FACEMATCH_CONFIG", str(there))
    assert chosen(None, None).profile == "there"


def test_no_key_at_all(run, monkeypatch):
    """A newcomer is told both ways to one."""
    monkeypatch.delenv("DIDIT_API_KEY")
    answer = run("balance", here=False)
    assert answer.exit_code == 4
    for way in ("DIDIT_API_KEY", "--profile"):
        assert way in answer.stderr
    assert "facematch.toml" not in answer.stderr
    configured(DIDIT.format("here"), "facematch.toml")
    answer = run("balance", here=False)
    assert "`facematch ... --config facematch.toml`" in answer.stderr


def test_a_profile_of_another_backend(run):
    """It has no account at Didit."""
    configured(LOCAL)
    answer = run("balance", "--profile", "desk", here=False)
    assert answer.exit_code == 4
    assert "of the backend local" in answer.stderr


def test_a_broken_file(run):
    """The core's own sentence, which names the file."""
    configured("[")
    answer = run("balance", here=False)
    assert answer.exit_code == 4
    assert "facematch.toml is not valid TOML" in answer.stderr


def test_a_strange_host_gets_no_key(run):
    """Unless somebody says that it may."""
    answer = run("balance", "--base-url", "https://somewhere.example", here=False)
    assert answer.exit_code == 4
    assert "allow_base_url" in answer.stderr
