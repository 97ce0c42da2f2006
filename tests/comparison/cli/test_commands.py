"""`facematch compare`: its commands and what they import; `plan`."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import facematch_comparison
from facematch_comparison.cli import COMMANDS

#: What no help text needs, and what costs most of the time of those who load it.
HEAVY = {"numpy", "scipy", "sqlalchemy", "pandas", "pyarrow", "jinja2", "rich"}
LATER = {"facematch_comparison.values.model", "facematch_comparison.scores.answers"}

PRINT_HELP = """
import sys
import facematch_core
from facematch_core.cli.app import facematch
print(*(name for name in sys.modules if name == "facematch_comparison"), file=sys.stderr)
for words in (["-h"], *([name, "-h"] for name in sys.argv[1:])):
    try:
        facematch(["compare", *words])
    except SystemExit as end:
        assert not end.code, (words, end.code)
print(*sys.modules, sep="\\n", file=sys.stderr)
"""


def test_no_help_waits_for_the_statistics_and_the_core_knows_none_of_it():
    code = [sys.executable, "-c", PRINT_HELP, *COMMANDS]
    done = subprocess.run(code, capture_output=True, text=True, timeout=60, check=True)
    assert all(f"Usage: facematch compare {name}" in done.stdout for name in COMMANDS)
    by_the_core, *loaded = done.stderr.split("\n")
    assert by_the_core == ""
    assert not {*loaded} & (HEAVY | LATER)


WRONG_NAME = """
import sys
from facematch_core.cli.app import facematch
for name in "nope.toml", "nope":
    try:
        facematch(["compare", "gate", "--requirements", name])
    except SystemExit as end:
        assert end.code == 2, end.code
print(*sys.modules, sep="\\n")
"""


def test_a_gate_without_its_file_says_so_before_the_statistics_are_loaded():
    code = [sys.executable, "-c", WRONG_NAME]
    done = subprocess.run(code, capture_output=True, text=True, timeout=60, check=True)
    assert "nope.toml" in done.stderr
    assert "nope" in done.stderr.replace("nope.toml", "")
    assert not {*done.stdout.split("\n")} & {"scipy", "pandas", "numpy", "pyarrow"}


def test_a_package_that_is_missing_is_named_with_its_extra(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "facematch_comparison.judging.plan", None)

    def missing(name, *rest, real=__import__, **more):
        if name.startswith("facematch_comparison"):
            raise ModuleNotFoundError("No module named 'numpy'", name="numpy")
        return real(name, *rest, **more)

    monkeypatch.setattr("builtins.__import__", missing)
    answer = run("compare", "plan", "--fmr", "1e-3", "--frr", "0.01")
    assert answer.exit_code == 4
    assert "pandas" in answer.stderr


#: An option of a command, or a line for a shell; the plan of a verdict is one by its contract.
OF_A_SHELL = re.compile(r"(?<![\w-])--[a-z]|facematch compare|python3? |<<")
ROOM = Path(facematch_comparison.__file__).parent


def test_the_library_speaks_of_arguments_and_the_commands_alone_of_options():
    for path in ROOM.rglob("*.py"):
        if "cli" in path.parts or path.name == "gate.py":
            continue
        every = [*ast.walk(ast.parse(path.read_text()))]
        docstrings = {id(each.value) for each in every if isinstance(each, ast.Expr)}
        for part in every:
            if (
                isinstance(part, ast.Constant)
                and type(part.value) is str
                and id(part) not in docstrings
            ):
                assert not OF_A_SHELL.search(part.value), (path.name, part.lineno)


PLAN = ("compare", "plan", "--fmr", "1e-3", "--frr", "0.01")


def test_what_a_plan_prints(screens):
    with screens("plan") as show:
        show("", *PLAN, "--split")
        show("", *PLAN)


def test_a_plan_as_json(run_json):
    code, plan = run_json(*PLAN, "--split")
    assert (code, plan["fmr"], plan["frr"], plan["split"]) == (0, 0.001, 0.01, True)
    assert plan["confidence"] == 0.95
    floor = plan["needs"][0]
    assert (floor["mated"], floor["non_mated"]) == (299, 5000)
    assert (floor["draw_mated"], floor["draw_non_mated"]) == (598, 10000)


def test_wrong_words_of_plan(refused):
    refused("plan", "--fmr 0 --frr 0.01", "--fmr much --frr 0.01")
