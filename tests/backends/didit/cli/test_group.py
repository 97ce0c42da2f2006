"""The group itself: its commands, their help, and what it imports."""

import subprocess
import sys
from importlib.metadata import entry_points

import click
import pytest

from facematch_didit.cli import command


def test_the_entry_point_leads_here():
    """What an installation offers as `facematch didit` is this group."""
    (point,) = (p for p in entry_points(group="facematch.commands") if p.name == "didit")
    assert point.load() is command


@pytest.mark.parametrize("name", ["balance", "top-up", "decision", "delete"])
def test_every_command_has_help(run, name):
    """`-h` asks for no key."""
    answer = run(name, "-h", here=False)
    assert answer.exit_code == 0
    assert answer.stdout.startswith(f"Usage: facematch didit {name}")


def test_no_secret_is_an_option():
    """A key would stay in the shell's history."""
    for found in command.commands.values():
        for option in (p for p in found.params if isinstance(p, click.Option)):
            secretive = any(word in option.name for word in ("password", "key", "secret", "token"))
            assert not secretive or option.is_flag, (found.name, option.name)


def test_lists_and_completion_import_no_client():
    """Neither the account, nor what sends."""
    code = (
        "import sys\nfrom facematch_didit.cli import command\n"
        "command(['--help'], standalone_mode=False)\n"
        "assert not {'requests', 'facematch_didit.account'} & set(sys.modules)\n"
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
