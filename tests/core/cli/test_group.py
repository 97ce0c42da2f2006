import subprocess
import sys
from importlib.metadata import entry_points

import click
import pytest

import facematch_core
from facematch_core.cli.text import Exit
from facematch_core.config.plugins import COMMANDS as GROUP
from facematch_core.config.plugins import CORE_DISTRIBUTION


def test_help_lists_exit_codes_and_commands(run):
    """The exit codes and each command, others as they say it."""
    from facematch_core.cli.app import COMMANDS
    from facematch_core.cli.app import facematch as group

    screen = run("-h").stdout
    for code in Exit:
        assert f"  {code:d} " in screen
        assert code.meaning.split(":")[0][:40] in screen
    points = [point for point in entry_points(group=GROUP) if point.dist.name == CORE_DISTRIBUTION]
    names = group.list_commands(click.Context(group))
    assert {"verify", "doctor", *(point.name for point in points)} <= {*names}
    words = " ".join(screen.split())
    for name in names:
        member = group.get_command(click.Context(group), name)
        assert member.name == name
        says = COMMANDS.get(name, member.get_short_help_str(100))
        assert f" {name} {says}" in words


def test_missing_or_unknown_commands_are_usage_errors(run):
    """A script whose words got lost gets help, and not the code of a match."""
    assert run("--version").stdout == f"facematch {facematch_core.__version__}\n"
    assert "--version" in run("version").stderr
    answer = run()
    assert answer.exit_code == 2
    assert "Usage:" in answer.stdout
    answer = run("compare")
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert answer.stderr.count("Usage:") == 1
    assert "error:" not in answer.stderr
    for command, right in (("verfy", "verify"), ("compare repotr", "report")):
        answer = run(command)
        assert answer.exit_code == 2
        assert f"did you mean {right}?" in answer.stderr
    assert "known: " in run("help").stderr
    assert run("--bogus").exit_code == run("--debug verify").exit_code == 2


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("verify a.jpg b.jpg --vendor didit", "write --backend didit."),
        ("doctor --vendor=didit", "write --backend didit."),
        ("mock --backend azure", "write --vendor azure."),
        ("mock --backend", "write --vendor NAME."),
    ],
)
def test_word_of_another_command_is_answered_with_the_commands_own(run, words, line):
    answer = run(words)
    assert answer.exit_code == 2
    assert line in " ".join(answer.stderr.split())


@pytest.mark.parametrize(("words", "known"), [("cards list", "make"), ("budget list", "reconcile")])
def test_group_names_its_commands_for_an_unknown_one(run, words, known):
    answer = run(words)
    assert answer.exit_code == 2
    assert "No such command 'list'" in answer.stderr
    assert known in answer.stderr


def test_module_runs_the_command_where_another_package_has_replaced_it():
    words = [sys.executable, "-m", "facematch_core", "--version"]
    ended = subprocess.run(words, capture_output=True, text=True, check=True)
    assert ended.stdout == f"facematch {facematch_core.__version__}\n"


PLUGIN = """
    import click

    @click.command()
    @click.option("--json", "as_json", is_flag=True)
    def hello(as_json):
        "Say it."
        click.echo("hello from a plug-in")

    @click.command()
    def bad():
        raise ValueError("secret words")

    not_a_command = 7
"""


@pytest.fixture
def commands(plugin):
    points = {"hello": "hello", "bad": "bad", "lost": "nothing", "odd": "not_a_command"}
    plugin(PLUGIN, {"facematch.commands": {**points, "verify": "hello"}})


def test_plug_ins_with_the_same_command_name_are_refused(run, plugin):
    for name in ("one", "two"):
        plugin(PLUGIN, {"facematch.commands": {"hello": "hello"}}, name=name)
    answer = run("hello")
    assert (answer.exit_code, "one" in answer.stderr, "two" in answer.stderr) == (4, True, True)


def test_a_bundled_command_cannot_be_replaced(run, plugin):
    plugin(PLUGIN, {"facematch.commands": {"mock": "hello"}})
    assert "Serve mock vendors" in run("mock -h").stdout
    assert "stranger" not in run("-h").stdout


def test_broken_plug_in_command_does_not_affect_others(run, commands):
    for name, why in (("lost", "AttributeError"), ("odd", "is not a click command")):
        answer = run(f"{name} --any words")
        assert answer.exit_code == 4
        assert why in answer.stderr
        assert "of stranger" in answer.stderr
    answer = run("bad")
    assert answer.exit_code == 70
    assert "ValueError" in answer.stderr
    assert "secret words" not in answer.stderr
    assert run("hello").exit_code == 0
