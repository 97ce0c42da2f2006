"""`facematch compare`: its commands, and what they import."""

import subprocess
import sys

import click
import pytest

from facematch_comparison.cli import COMMANDS, command

#: What no help text needs, and what costs most of the time of those who load it.
HEAVY = ("numpy", "scipy", "sqlalchemy", "pandas", "pyarrow", "jinja2", "rich")

PRINT_HELP = """
import sys
from facematch_core.cli.app import facematch
for words in (["-h"], *([name, "-h"] for name in sys.argv[1:])):
    try:
        facematch(["compare", *words])
    except SystemExit as end:
        assert not end.code, (words, end.code)
print(*sys.modules, sep="\\n", file=sys.stderr)
"""


def test_no_help_waits_for_the_statistics():
    """Loading numpy takes ten times as long as everything else of a help text."""
    code = [sys.executable, "-c", PRINT_HELP, *COMMANDS]
    done = subprocess.run(code, capture_output=True, text=True, timeout=60, check=True)
    assert all(f"Usage: facematch compare {name}" in done.stdout for name in COMMANDS)
    loaded = {*done.stderr.splitlines()}
    assert not loaded & {*HEAVY}
    assert "facematch_comparison.model" not in loaded
    assert "facematch_comparison.answers" not in loaded


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_and_the_command_agree(name):
    """Every command is there, has a docstring and an option for each of its arguments."""
    found = command.get_command(click.Context(command), name)
    assert found is not None
    assert found.name == name
    assert found.help
    assert all(
        option.help
        for option in found.params
        if isinstance(option, click.Option) and not option.hidden
    )


def test_a_package_that_is_missing(run, monkeypatch):
    """One sentence that says what to install; the code is that of a missing package."""
    monkeypatch.setitem(sys.modules, "facematch_comparison.plan", None)

    def missing(name, *rest, real=__import__, **more):
        if name.startswith("facematch_comparison"):
            raise ModuleNotFoundError("No module named 'numpy'", name="numpy")
        return real(name, *rest, **more)

    monkeypatch.setattr("builtins.__import__", missing)
    answer = run("compare", "plan", "--fmr", "1e-3", "--frr", "0.01")
    assert answer.exit_code == 4
    assert 'needs numpy, which is not installed: pip install "facematch-core[compare]".' in (
        answer.stderr
    )


def test_an_unknown_command_or_option_names_the_nearest(run):
    """As everywhere on this command line."""
    assert "did you mean report?" in run("compare", "raport").stderr
    answer = run("compare", "plan", "--fmr", "1e-3", "--fnmr", "0.01")
    assert answer.exit_code == 2
    assert "--frr" in answer.stderr
