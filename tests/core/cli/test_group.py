"""The command itself: light, lazy, open to plug-ins, and completed by shells."""

import re
import sys
from importlib.metadata import entry_points

import click
import pytest

import facematch_core
from facematch_core.cli.app import BUNDLED, COMMANDS, facematch
from facematch_core.cli.common import MEANING
from facematch_core.plugins import COMMANDS as GROUP
from facematch_core.plugins import OWN

LIGHT = """
    import sys
    sys.argv = ["facematch", *{words!r}]
    from facematch_core.cli import main
    try:
        main()
    except SystemExit as end:
        assert end.code in (0, 2), end.code
    heavy = {{"requests", "PIL", "numpy", "rich", "stevedore", "cattrs", "dlib", "onnxruntime"}}
    loaded = heavy & set(sys.modules)
    loaded |= {{name for name in sys.modules if name == "facematch_core.cli._drawing"}}
    assert not loaded, loaded
"""


@pytest.mark.parametrize(
    "words",
    [["--help"], [], ["--version"], ["verify", "-h"], ["demo", "-h"], ["new-backend", "-h"]],
)
def test_help_is_light(words):
    """Help imports neither requests nor Pillow, numpy, rich or stevedore."""
    import subprocess
    import sys
    import textwrap

    code = textwrap.dedent(LIGHT.format(words=words))
    ended = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr


def test_help_tells_codes_and_completion(run):
    """The exit codes stand in the help, and how a shell learns the words."""
    answer = run("-h")
    assert answer.exit_code == 0
    for code, meaning in MEANING.items():
        assert f"  {code} " in answer.stdout
        assert meaning.split(":")[0][:40] in answer.stdout
    assert "_FACEMATCH_COMPLETE=bash_source" in answer.stdout


def test_nothing_is_not_a_match(run):
    """A script whose words got lost gets help, and not the code of a match."""
    answer = run()
    assert answer.exit_code == 2
    assert "Usage:" in answer.stdout


@pytest.mark.parametrize("name", [*COMMANDS, *BUNDLED])
def test_list_says_what_the_command_says(name):
    """The list, which imports nothing, agrees with the commands themselves."""
    command = facematch.get_command(click.Context(facematch), name)
    assert command.name == name
    assert command.get_short_help_str(100) == {**COMMANDS, **BUNDLED}[name]


def test_the_list_has_all_that_this_distribution_brings():
    """Each of its entry points, with a line."""
    points = [point for point in entry_points(group=GROUP) if point.dist.name == OWN]
    assert sorted(point.name for point in points) == list(BUNDLED)


def test_version(run):
    """The version of the distribution."""
    assert run("--version").stdout == f"facematch {facematch_core.__version__}\n"


@pytest.mark.parametrize("group", ["cards", "didit"])
def test_a_group_without_a_verb_shows_its_help_once(run, group):
    """And nothing is called an error."""
    answer = run(group)
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert answer.stderr.count("Usage:") == 1
    assert "error" not in answer.stderr


def test_unknown_command(run):
    """An unknown command gets the nearest one, and code 2."""
    answer = run("verfy")
    assert answer.exit_code == 2
    assert "did you mean verify?" in answer.stderr
    assert "known: backends, " in run("zzzz").stderr
    assert run("--bogus").exit_code == 2


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

    @click.command()
    def five():
        return 5

    not_a_command = 7
"""


@pytest.fixture
def commands(plugin):
    """A distribution with commands, some of them faulty."""
    points = {
        "hello": "hello",
        "bad": "bad",
        "five": "five",
        "lost": "nothing",
        "odd": "not_a_command",
    }
    plugin(PLUGIN, {"facematch.commands": {**points, "verify": "hello"}})


def test_plugin_command(run, commands):
    """A plug-in's command is listed with its origin, and runs; ours cannot be replaced."""
    listed = run("-h").stdout
    ours, plugins = listed.split("Commands of plug-ins")
    assert "  hello  from stranger\n" in plugins
    assert "  lost   from stranger\n" in plugins
    assert re.search(
        r"^  mock +Serve mock vendors until Ctrl-C, all on one port.$", ours, re.MULTILINE
    )
    assert run("hello").stdout == "hello from a plug-in\n"
    assert run("five").exit_code == 5
    assert "Is it the same person" in run("verify", "-h").stdout


def test_a_bundled_command_cannot_be_replaced(run, plugin):
    """A stranger's command of that name is neither run nor listed."""
    plugin(PLUGIN, {"facematch.commands": {"mock": "hello"}})
    assert "Serve mock vendors" in run("mock", "-h").stdout
    assert "stranger" not in run("-h").stdout


def test_a_bundled_command_that_is_broken_says_why(run, monkeypatch):
    """Its entry point tells what cannot be imported."""
    monkeypatch.setitem(sys.modules, "facematch_mock_server.cli", None)
    answer = run("mock")
    assert answer.exit_code == 4
    assert "of facematch-core cannot be imported (ModuleNotFoundError" in answer.stderr


def test_failing_plugin_command(run, commands):
    """A command that fails says why when it is used, and hurts no other."""
    for name, why in (("lost", "AttributeError"), ("odd", "is no click command")):
        answer = run(name, "--any", "words")
        assert answer.exit_code == 4
        assert why in answer.stderr
        assert "of stranger" in answer.stderr
    answer = run("bad")
    assert answer.exit_code == 70
    assert "ValueError" in answer.stderr
    assert "secret words" not in answer.stderr
    assert run("hello").exit_code == 0


def test_two_plugins_of_one_name(run, plugin):
    """Two distributions with one command: neither runs, both are named."""
    plugin(PLUGIN, {"facematch.commands": {"hello": "hello"}}, name="one")
    plugin(PLUGIN, {"facematch.commands": {"hello": "hello"}}, name="two")
    answer = run("hello")
    assert answer.exit_code == 4
    assert "one" in answer.stderr
    assert "two" in answer.stderr


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("facematch ver", "verify"),
        ("facematch verify --thr", "--threshold"),
        ("facematch h", "hello"),
    ],
)
def test_completion(words, found, run, commands):
    """A shell completes commands, options and plug-ins, also beside a broken plug-in."""
    count = str(len(words.split()) - 1)
    env = {"_FACEMATCH_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": count}
    answer = run(env=env, prog_name="facematch")
    assert f"plain,{found}" in answer.stdout.splitlines()
