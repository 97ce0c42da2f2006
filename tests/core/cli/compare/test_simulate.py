"""`facematch compare simulate`: scores with known error rates, in a file that others judge."""

import math

import pytest

from facematch_core import ThresholdRule
from facematch_core.cli.compare._vendors import groups_of, vendor_of
from facematch_core.comparison._scores_csv import read_scores
from facematch_core.comparison.metrics import rates_at
from facematch_core.comparison.simulation import GroupRates


def test_scores_are_written_and_truth_is_told(run, tmp_path):
    """What is in the file has the rates that were asked for."""
    answer = run(
        *("compare", "simulate", "--vendor", "good:fmr=0.01,fnmr=0.02"),
        *("--vendor", "poor:fmr=0.05,fnmr=0.1,fta=0.02,price=0.05"),
        *("--people", 150, "--mated", 900, "--non-mated", 4000, "--group", "sex:f=1,m=1"),
        *("--seed", 3, "--out", "new/scores.csv"),
    )
    assert answer.exit_code == 0, answer.output
    lines = [line.split() for line in answer.stdout.splitlines()]
    assert lines[1] == ["good", "50", "0.01", "0.02", "0.01", "0.02"]
    assert lines[2] == ["poor", "50", "0.05", "0.1", "0.04802", "0.1356"]
    assert lines[3] == ["written", "to", "new/scores.csv"]
    good, poor = read_scores(tmp_path / "new" / "scores.csv")
    assert (len(good.table), good.table.name, poor.currency) == (4900, "good", "USD")
    assert good.table.groups["sex"].labels == ("f", "m")
    for one, true in ((good, 0.01), (poor, 0.05)):
        rate = rates_at(one.table, 50.0).fmr
        assert abs(rate.value - true) < 4 * math.sqrt(true * (1 - true) / rate.trials)


def test_a_seed_repeats_the_file(run, tmp_path):
    """To the byte; another one makes another."""
    words = ("compare", "simulate", "--vendor", "a:", "--mated", 20, "--non-mated", 20, "--out")
    for seed, name in ((1, "a.csv"), (1, "b.csv"), (2, "c.csv")):
        assert run(*words, name, "--seed", seed).exit_code == 0
    contents = [(tmp_path / name).read_bytes() for name in ("a.csv", "b.csv", "c.csv")]
    assert contents[0] == contents[1] != contents[2]
    answer = run(*words, "a.csv", "--seed", 2)
    assert answer.exit_code == 2
    assert "a.csv exists" in answer.stderr
    assert (tmp_path / "a.csv").read_bytes() == contents[0]


def test_without_pairs_of_a_kind(run):
    """Its rates are not told."""
    answer = run("compare", "simulate", "--vendor", "a:", "--mated", 0, "--out", "a.csv")
    assert answer.exit_code == 0
    assert answer.stdout.splitlines()[1].split() == ["a", "50", "0.001", "-", "0.001", "-"]


def test_a_vendor_as_typed():
    """Numbers, words, and rates of groups, which else are those of the vendor."""
    vendor = vendor_of(
        "v 1: fmr=1e-3,rule=above,decimals=none,decisions_only=true,goats=.2,price=0.1,"
        "skin.very dark.fmr=1e-2,skin.light.fnmr=.03"
    )
    assert (vendor.name, vendor.fmr, vendor.rule) == ("v 1", 1e-3, ThresholdRule.ABOVE)
    assert (vendor.decimals, vendor.decisions_only, vendor.goats) == (None, True, 0.2)
    assert (vendor.price, vendor.currency, vendor.column) == (0.1, "USD", "skin")
    assert vendor.groups == {
        "very dark": GroupRates(fmr=1e-2, fnmr=0.01),
        "light": GroupRates(fmr=1e-3, fnmr=0.03),
    }
    assert vendor_of("a:decimals=0,price=1,currency=EUR").currency == "EUR"
    assert groups_of(["sex:f=1,m=3"]) == {"sex": {"f": 1.0, "m": 3.0}}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--vendor", ":fmr=1"), "--vendor ':fmr=1' has no name: write good:fmr=1e-3"),
        (("--vendor", "a:fmr"), "'fmr' is not name=value"),
        (("--vendor", "a:fmr=.1,fmr=.2"), "--vendor a: fmr is given twice"),
        (("--vendor", "a:far=1"), "--vendor a: there is no 'far'; there are fmr, fnmr"),
        (("--vendor", "a:fmr=few"), "--vendor a: fmr cannot be 'few'"),
        (("--vendor", "a:decisions_only=1"), "--vendor a: decisions_only cannot be '1'"),
        (("--vendor", "a:fmr=2"), "fmr of a simulated vendor must be above 0 and below 1"),
        (("--vendor", "a:x.y.fmr=.1,z.y.fmr=.1"), "groups of one column only can differ"),
        (("--vendor", "a:x.y.fmr=.1"), "a has rates of groups of 'x': add that column"),
        (("--vendor", "a:", "--vendor", "a:"), "Two vendors have one name"),
        (("--vendor", "a:", "--group", "sex:f"), "'f' is not name=value"),
        (("--vendor", "a:", "--group", "sex:f=x"), "--group sex: f cannot be 'x'"),
        (("--vendor", "a:", "--group", "s:f=1", "--group", "s:f=1"), "--group s is given twice"),
        (("--vendor", "a:", "--mated", "0", "--non-mated", "0"), "at least one pair"),
    ],
)
def test_wrong_words(run, tmp_path, words, sentence):
    """Exit code 2 and one sentence; nothing is written."""
    answer = run("compare", "simulate", *words, "--out", "a.csv")
    assert answer.exit_code == 2
    assert sentence in answer.stderr
    assert list(tmp_path.glob("*.csv*")) == []
