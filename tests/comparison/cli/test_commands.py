"""`facematch compare`: its commands and what they import; `plan` and `simulate`."""

import math
import subprocess
import sys

import pytest

from facematch_comparison import read_scores
from facematch_comparison.cli import COMMANDS
from facematch_comparison.stats import rates_at

#: What no help text needs, and what costs most of the time of those who load it.
HEAVY = {"numpy", "scipy", "sqlalchemy", "pandas", "pyarrow", "jinja2", "rich"}
LATER = {"facematch_comparison.model", "facematch_comparison.answers"}

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


def test_a_package_that_is_missing_is_named_with_its_extra(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "facematch_comparison.plan", None)

    def missing(name, *rest, real=__import__, **more):
        if name.startswith("facematch_comparison"):
            raise ModuleNotFoundError("No module named 'numpy'", name="numpy")
        return real(name, *rest, **more)

    monkeypatch.setattr("builtins.__import__", missing)
    answer = run("compare", "plan", "--fmr", "1e-3", "--frr", "0.01")
    assert answer.exit_code == 4
    assert "[compare]" in answer.stderr


PLAN = ("compare", "plan", "--fmr", "1e-3", "--frr", "0.01")


def test_what_a_plan_prints(screens):
    with screens("plan") as show:
        for words in (
            "--split --price didit=0.05 --price other=1 --currency EUR",
            "--price a=0.05 --budget 100",
            "--price a=0.05 --difference 0.02 0.1",
        ):
            show("", *PLAN, *words.split())


def test_a_plan_as_json_has_exact_amounts(run_json):
    code, plan = run_json(*PLAN, "--price", "a=0.10", "--budget", "100", "--split")
    assert (code, plan["fmr"], plan["frr"], plan["split"]) == (0, 0.001, 0.01, True)
    assert (plan["confidence"], plan["currency"]) == (0.95, "USD")
    floor, (less,) = plan["needs"][0], plan["less"]
    assert (floor["mated"], floor["non_mated"], floor["cost"]) == (299, 5000, {"a": "1059.80"})
    assert (floor["draw_mated"], floor["draw_non_mated"]) == (598, 10000)
    assert (less["vendor"], less["budget"], less["mated"]) == ("a", "100", 56)
    assert less["fmr"] == pytest.approx(0.006327, rel=1e-3)


def test_wrong_words_of_plan(refused):
    rates = "--fmr 1e-3 --frr 0.01"
    lines = ["--price didit", "--price didit=-1", "--budget 0 --price a=1", "--budget 5"]
    refused("plan", "--fmr 0 --frr 0.01", "--fmr much --frr 0.01", *(f"{rates} {x}" for x in lines))


@pytest.fixture
def simulate(run):
    return lambda *words: run("compare", "simulate", *map(str, words))


def test_simulated_scores_have_the_rates_that_were_asked_for(simulate, tmp_path):
    answer = simulate(
        *("--vendor", "good:fmr=0.01,fnmr=0.02"),
        *("--vendor", "poor:fmr=0.05,fnmr=0.1,fta=0.02,price=0.05"),
        *("--people", 150, "--mated", 900, "--non-mated", 4000, "--group", "sex:f=1,m=1"),
        *("--seed", 3, "--out", "new/scores.csv"),
    )
    assert answer.exit_code == 0, answer.output
    _, good, poor, _ = (line.split() for line in answer.stdout.splitlines())
    assert good == ["good", "50", "0.01", "0.02", "0.01", "0.02"]
    assert poor == ["poor", "50", "0.05", "0.1", "0.04802", "0.1356"]
    good, poor = read_scores(tmp_path / "new" / "scores.csv")
    assert (len(good.table), good.table.name, poor.currency) == (4900, "good", "USD")
    assert good.table.groups["sex"].labels == ("f", "m")
    for answers, true in ((good, 0.01), (poor, 0.05)):
        rate = rates_at(answers.table, 50.0).fmr
        assert abs(rate.value - true) < 4 * math.sqrt(true * (1 - true) / rate.trials)


def test_wrong_words_of_simulate(refused):
    lines = ["--vendor a: --vendor a:", "--vendor a:fmr", "--vendor a:far=1"]
    lines += ["--vendor a:fmr=.1,fmr=.2", "--vendor a:x.y.fmr=.1", "--vendor a: --group sex:f=x"]
    refused("simulate", *(f"--out a.csv {words}" for words in lines))
