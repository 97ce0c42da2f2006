"""The group of commands, and whose account is asked."""

from pathlib import Path

import click
import pytest

from facematch_core.config import user_file
from facematch_didit.cli import Chosen, chosen, command


def test_no_secret_is_an_option():
    for subcommand in command.commands.values():
        for option in (p for p in subcommand.params if isinstance(p, click.Option)):
            secretive = any(word in option.name for word in ("password", "key", "secret", "token"))
            assert not secretive or option.is_flag, (subcommand.name, option.name)


LOCAL = '[profiles.desk]\nbackend = "local"\n'
DIDIT = '[profiles.{}]\nbackend = "didit"\n'


def configured(text, path=None):
    """A configuration of the user's own, or another one."""
    path = Path(path) if path else user_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_without_a_profile_of_didit_the_key_is_the_environments():
    assert chosen(None, None) is None
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
def test_nobody_has_to_name_a_profile_of_which_there_is_no_doubt(text, name):
    path = configured(text)
    assert chosen(None, None) == Chosen(config=path, profile=name)


def test_without_a_key_both_ways_to_one_are_named(run, monkeypatch):
    monkeypatch.delenv("DIDIT_API_KEY")
    answer = run("balance", here=False)
    assert answer.exit_code == 4
    for way in ("DIDIT_API_KEY", "--profile"):
        assert way in answer.stderr


@pytest.mark.parametrize(
    ("text", "words", "says"),
    [
        # It has no account at Didit.
        (LOCAL, ["--profile", "desk"], "local"),
        ("[", [], "facematch.toml"),
        # A strange host gets no key, unless somebody says that it may.
        ("", ["--base-url", "https://somewhere.example"], "allow_base_url"),
    ],
    ids=["another backend", "a broken file", "another host"],
)
def test_a_place_that_cannot_be_used_is_a_fault_of_the_setting(run, text, words, says):
    configured(text)
    answer = run("balance", *words, here=False)
    assert answer.exit_code == 4
    assert says in answer.stderr
