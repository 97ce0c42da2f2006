"""`facematch compare simulate`: scores with known error rates, in a file that others judge."""

import math

import pytest

from facematch_comparison import read_scores
from facematch_comparison.stats import rates_at
from facematch_core import ThresholdRule


@pytest.fixture
def simulate(run):
    """Runs the command."""
    return lambda *words: run("compare", "simulate", *map(str, words))


def test_scores_are_written_and_truth_is_told(simulate, tmp_path):
    """What is in the file has the rates that were asked for."""
    answer = simulate(
        *("--vendor", "good:fmr=0.01,fnmr=0.02"),
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


def test_a_seed_repeats_the_file(simulate, tmp_path):
    """To the byte; another one makes another; a file that is there stays."""
    words = ("--vendor", "a:", "--mated", 20, "--non-mated", 20, "--out")
    for seed, name in ((1, "a.csv"), (1, "b.csv"), (2, "c.csv")):
        assert simulate(*words, name, "--seed", seed).exit_code == 0
    contents = [(tmp_path / name).read_bytes() for name in ("a.csv", "b.csv", "c.csv")]
    assert contents[0] == contents[1] != contents[2]
    answer = simulate(*words, "a.csv", "--seed", 2)
    assert answer.exit_code == 2
    assert "a.csv exists" in answer.stderr
    assert (tmp_path / "a.csv").read_bytes() == contents[0]
    assert simulate(*words, "a.csv", "--seed", 2, "--force").exit_code == 0
    assert (tmp_path / "a.csv").read_bytes() == contents[2]


def test_without_pairs_of_a_kind(simulate):
    """Its rates are not told."""
    answer = simulate("--vendor", "a:", "--mated", 0, "--out", "a.csv")
    assert answer.exit_code == 0
    assert answer.stdout.splitlines()[1].split() == ["a", "50", "0.001", "-", "0.001", "-"]


def test_a_vendor_as_typed(simulate, tmp_path):
    """Numbers, words, and rates of groups, which else are those of the vendor."""
    answer = simulate(
        *("--people", 40, "--mated", 400, "--non-mated", 400),
        *("--group", "skin:very dark=1,light=3", "--out", "a.csv", "--vendor"),
        "v 1: fmr=1e-3,rule=above,decimals=none,goats=.2,price=0.1,threshold=40,"
        "skin.very dark.fmr=1e-2,skin.light.fnmr=.5",
        *("--vendor", "b:decimals=0,price=1,currency=EUR,latency_s=2"),
        *("--vendor", "c:decisions_only=true,outage=0.1"),
    )
    assert answer.exit_code == 0, answer.output
    assert answer.stdout.splitlines()[1].startswith("v 1  ")
    # Of three quarters of the people, half is refused.
    assert "0.377" in answer.stdout
    exact, coarse, decided = read_scores(tmp_path / "a.csv")
    assert (exact.table.rule, exact.table.threshold) == (ThresholdRule.ABOVE, 40)
    assert (exact.price, exact.currency, coarse.currency) == (0.1, "USD", "EUR")
    assert exact.table.groups["skin"].labels == ("light", "very dark")
    assert any(score != round(score, 6) for score in exact.table.scores.tolist())
    assert all(score == round(score) for score in coarse.table.scores.tolist())
    assert 1 < sorted(coarse.elapsed_s.tolist())[400] < 4
    assert math.isnan(decided.table.scores[0])
    assert not decided.table.answered.all()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("--vendor :fmr=1", "':fmr=1' needs a name of its own"),
        ("--vendor a: --vendor a:", "'a:' needs a name of its own"),
        ("--vendor a:fmr", "'fmr' is not name=value"),
        ("--vendor a:fmr=.1,fmr=.2", "'fmr' is given twice"),
        ("--vendor a:far=1", "a: there is no 'far'; there are fmr, fnmr"),
        ("--vendor a:x.y.fmr=.1", "COLUMN.GROUP.fmr and COLUMN.GROUP.fnmr of a --group"),
        ("--vendor a:threshold=50.5,decimals=0", "more decimals than its scores"),
        (
            "--vendor a:x.y.fmr=.1,z.y.fmr=.1 --group x:y=1 --group z:y=1",
            "groups of one column only can differ",
        ),
        ("--vendor a: --group sex:f=x", "sex: f cannot be 'x'"),
        ("--vendor a: --group s:f=1 --group s:f=1", "needs a name of its own"),
        ("--vendor a: --mated 0 --non-mated 0", "at least one pair"),
    ],
)
def test_wrong_words(simulate, tmp_path, words, sentence):
    """Exit code 2 and one sentence; nothing is written."""
    answer = simulate(*words.split(), "--out", "a.csv")
    assert answer.exit_code == 2
    assert sentence in " ".join(answer.stderr.split())
    assert list(tmp_path.glob("*.csv*")) == []
