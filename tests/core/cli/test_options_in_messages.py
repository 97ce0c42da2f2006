"""A message that tells a user to pass an option names one that exists."""

import ast
import re
from pathlib import Path

import click
import pytest

from facematch_core.backend.kinds import format_argument, show_arguments_as_options
from facematch_core.cli.app import facematch
from facematch_mock_server.first_calls.__main__ import main as first_calls

ROOT = Path(__file__).parents[3]
PACKAGES = [
    ROOT / "facematch_core",
    ROOT / "backends",
    ROOT / "comparison/facematch_comparison",
    ROOT / "mock_server/facematch_mock_server",
]
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*[a-z0-9]")

#: Options of curl, which two of the mock's vendors show in their help, and of Node.js.
OF_OTHER_PROGRAMS = {"--aws-sigv4", "--data-binary", "--user", "--require", "--autogenerate"}

#: An argument that stands for each kind of value in an error text.
STANDS_FOR = {ast.List: ["x"], ast.Dict: {"a": "x"}}


def options_of(command, context):
    """The names of the options of a command and of all commands below it."""
    # A command keeps the help option that the first context names.
    own = click.Context(command, parent=context, info_name=command.name, **command.context_settings)
    names = {"--help"}
    for parameter in command.get_params(own):
        if isinstance(parameter, click.Option):
            names.update(parameter.opts, parameter.secondary_opts)
    if isinstance(command, click.Group):
        for name in command.list_commands(own):
            names |= options_of(command.get_command(own, name), own)
    return names


@pytest.fixture(scope="module")
def options():
    return options_of(facematch, None) | options_of(first_calls, None)


def modules_with(pattern):
    """Yield the path and the tree of each module whose source has it; the others are not parsed."""
    for package in PACKAGES:
        for path in sorted(package.rglob("*.py")):
            source = path.read_text("utf-8")
            if re.search(pattern, source):
                yield path.relative_to(ROOT), ast.parse(source)


def test_every_option_in_a_text_exists(options):
    found = {}
    for path, module in modules_with(OPTION):
        for node in ast.walk(module):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                for option in OPTION.findall(node.value):
                    found.setdefault(option, path)
    assert len(found) > 50
    unknown = {option: path for option, path in found.items() if option not in options}
    assert unknown.keys() == OF_OTHER_PROGRAMS, unknown


@pytest.mark.parametrize(
    ("name", "value", "argument", "option"),
    [
        ("mated", 0, "`mated=0`", "--mated 0"),
        ("allow_mock", True, "`allow_mock=True`", "--allow-mock"),
        ("models", ["a", "b c"], "`models=['a', 'b c']`", "--model a --model 'b c'"),
        ("below", {"a": 80}, "`below={'a': 80}`", "--below a=80"),
    ],
)
def test_an_argument_is_shown_as_the_user_types_it(name, value, argument, option):
    assert format_argument(name, value) == argument
    with show_arguments_as_options():
        assert format_argument(name, value) == option


def test_every_argument_in_an_error_text_is_an_option(options):
    shown = []
    for _, module in modules_with("format_argument"):
        for node in ast.walk(module):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "format_argument":
                name, value = node.args
                is_flag = isinstance(value, ast.Constant) and value.value is True
                # A variable whose argument is in the plural is a list.
                stands = ["x"] if name.value.endswith("s") else "x"
                stands = True if is_flag else STANDS_FOR.get(type(value), stands)
                with show_arguments_as_options():
                    shown += OPTION.findall(format_argument(name.value, stands))
    assert len(shown) > 10
    assert set(shown) <= options
