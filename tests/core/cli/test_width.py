"""In a terminal of 80 columns no line of a help text is wider, and no table of ours."""

import click
import pytest

from facematch_core.cli.app import facematch


def commands(group=facematch, path=()):
    """Every command that there is, as words, groups included."""
    yield path
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name)


def test_help_of_every_command(capsys, monkeypatch):
    """Also their examples, which click leaves as they are."""
    monkeypatch.setenv("COLUMNS", "80")
    found = list(commands())
    assert {("compare", "run"), ("didit", "top-up")} <= {*found}
    # Not by a `CliRunner`, which has a width of its own.
    for words in found:
        with pytest.raises(SystemExit) as ended:
            facematch.main([*words, "-h"])
        assert ended.value.code == 0
        told = capsys.readouterr().out
        assert max(map(len, told.splitlines())) <= 80, told


@pytest.mark.parametrize("words", [("backends",), ("demo",)])
def test_tables(words, run):
    """Abilities and what a pair shows are wrapped."""
    lines = run(*words, env={"COLUMNS": "80"}).stdout.partition("\n\n")[0].splitlines()
    table = [line for line in lines if ": " not in line]
    assert len(table) > 3
    assert max(map(len, table)) <= 80
