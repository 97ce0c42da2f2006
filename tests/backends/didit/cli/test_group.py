"""The group itself: its list, its help, and what it imports."""

import subprocess
import sys
from importlib.metadata import entry_points

import click
import pytest

from facematch_didit.cli import COMMANDS, command

ALL = [
    *COMMANDS,
    "destinations list",
    "destinations create",
    "destinations delete",
    "webhook verify",
]


def test_the_entry_point_leads_here():
    """What an installation offers as `facematch didit` is this group."""
    (point,) = (p for p in entry_points(group="facematch.commands") if p.name == "didit")
    assert point.load() is command


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_says_what_the_command_says(name):
    """The list, which imports nothing, agrees with the commands themselves."""
    found = command.get_command(None, name)
    assert found.name == name
    assert found.short_help == COMMANDS[name]


@pytest.mark.parametrize("words", ALL)
def test_every_command_has_help(run, words):
    """`-h` asks for no key, and every option says what it does."""
    answer = run(*words.split(), "-h", here=False)
    assert answer.exit_code == 0
    assert answer.stdout.startswith("Usage: facematch didit")


def options(group):
    for found in (group.get_command(None, name) for name in group.list_commands(None)):
        if isinstance(found, click.Group):
            yield from options(found)
        else:
            yield from ((found.name, p) for p in found.params if isinstance(p, click.Option))


def test_no_secret_is_an_option():
    """Passwords, codes and keys would stay in the shell's history; there are flags and files."""
    for name, option in options(command):
        secretive = any(
            word in option.name for word in ("password", "code", "key", "secret", "token")
        )
        if secretive:
            assert option.is_flag or option.name.endswith(("_file", "_files")), (name, option.name)


def test_the_groups_help_imports_no_command():
    """Neither commands, nor the account, nor rich."""
    code = (
        "import sys\nfrom facematch_didit.cli import command\n"
        "command(['--help'], standalone_mode=False)\n"
        "mine = [n for n in sys.modules if n.startswith('facematch_didit.cli.')]\n"
        "assert not mine, mine\n"
        "assert not {'rich', 'facematch_didit.account'} & set(sys.modules)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr


def test_an_unknown_command(run):
    """Wrong usage, with a way to the help."""
    answer = run("balanc", here=False)
    assert answer.exit_code == 2
    assert "facematch didit -h" in answer.stderr
