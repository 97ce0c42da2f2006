"""`facematch compare plan`: what a claim needs, as a table and as JSON."""

import pytest


def test_a_plan_for_people(run):
    """Claims, needs and costs, then what less money shows."""
    answer = run(
        *("compare", "plan", "--fmr", "1e-4", "--frr", "0.01", "--split"),
        *("--price", "didit=0.05", "--price", "other=1", "--currency", "EUR"),
    )
    assert answer.exit_code == 0, answer.output
    lines = answer.stdout.splitlines()
    assert lines[:3] == [
        "To show, with 95 % confidence (one-sided),",
        "  an FMR of at most 0.0001 (1 in 10,000) and",
        "  an FRR of at most 0.01 (1 in 100):",
    ]
    assert lines[4].split("  ")[0] == "errors of each kind"
    assert lines[4].endswith("didit, EUR  other, EUR")
    floor = ["none", "299", "29,956", "598", "59,912", "60,510", "3,025.50", "60,510"]
    assert lines[5].split() == floor
    assert lines[8].startswith("up to 10")
    assert "What less money shows at best, without one error:" in lines
    assert "pairs of `compare draw --split` are judged" in answer.stdout
    assert lines[-6].split() == ["didit", "1,512.75", "299", "29,956", "0.0002", "0.02"]
    assert lines[-1].split() == ["other", "3,025.50", "29", "2,996", "0.002", "0.19"]


def test_by_default_everybody_is_judged(run):
    """On the pairs that chose the thresholds, as `compare report` does."""
    answer = run("compare", "plan", "--fmr", "1e-3", "--frr", "0.01")
    assert answer.stdout.splitlines()[4:6] == [
        "errors of each kind  mated  non-mated  in all",
        "none                 299    2,995      3,294",
    ]
    assert "draw" not in answer.stdout


def test_a_difference(run, run_json):
    """How many pairs it takes to see it."""
    words = ("compare", "plan", "--fmr", "1e-3", "--frr", "0.01", "--price", "a=0.05")
    words += ("--difference", "0.02", "0.1")
    answer = run(*words)
    assert answer.exit_code == 0, answer.output
    *_, sentence, _, header, numbers = answer.stdout.splitlines()
    assert sentence == (
        "To find, with a chance of 80 %, that systems with an FRR of 0.02 and 0.1 at that FMR "
        "differ:"
    )
    assert header.split("  ")[0] == "people, at least"
    _, told = run_json(*words)
    need = told["difference"]
    assert numbers.split()[1:3] == [f"{need['mated']:,}", f"{need['non_mated']:,}"]
    _, sure = run_json(*words, "--power", "0.95", "--systems", "4")
    assert sure["difference"]["mated"] > need["mated"]
    assert sure["difference"]["alpha"] < need["alpha"]


def test_without_a_price(run):
    """The numbers of comparisons alone."""
    answer = run("compare", "plan", "--fmr", "1e-3", "--frr", "0.05", "--confidence", "0.9")
    assert answer.exit_code == 0
    assert "with 90 % confidence" in answer.stdout
    assert "What less money" not in answer.stdout
    assert "USD" not in answer.stdout


def test_a_budget_that_shows_nothing_is_no_advice(run):
    """By default a share of the cost that only shows a rate above a half is left out."""
    words = ("compare", "plan", "--fmr", "0.05", "--frr", "0.1", "--price", "a=0.05")
    rows = run(*words).stdout.split("less money")[1].splitlines()[4:]
    assert rows
    assert all(float(row.split()[-1]) <= 0.5 for row in rows)
    assert run(*words, "--budget", "0.2").stdout.splitlines()[-1].split()[:2] == ["a", "0.20"]


def test_budgets(run):
    """Those that were named, also when they buy nothing of a kind."""
    answer = run(
        *("compare", "plan", "--fmr", "1e-3", "--frr", "0.01", "--price", "a=0.05"),
        *("--split", "--budget", "100", "--budget", "0.05"),
    )
    lines = answer.stdout.splitlines()
    assert lines[-2].split() == ["a", "100", "181", "1,819", "0.0033", "0.033"]
    assert lines[-1].split() == ["a", "0.05", "0", "1", "nothing", "nothing"]


def test_a_plan_as_json(run_json):
    """Amounts are text, so that they stay exact."""
    code, told = run_json(
        *("compare", "plan", "--fmr", "1e-3", "--frr", "0.01", "--price", "a=0.10"),
        *("--budget", "100", "--split"),
    )
    assert code == 0
    assert {name: told[name] for name in ("fmr", "frr", "confidence", "split", "currency")} == {
        "fmr": 0.001,
        "frr": 0.01,
        "confidence": 0.95,
        "split": True,
        "currency": "USD",
    }
    assert told["needs"][0] == {
        "errors": 0,
        "mated": 299,
        "non_mated": 2995,
        "draw_mated": 598,
        "draw_non_mated": 5990,
        "cost": {"a": "658.80"},
    }
    (less,) = told["less"]
    assert (less["vendor"], less["budget"], less["mated"], less["non_mated"]) == (
        "a",
        "100",
        90,
        910,
    )
    assert less["fmr"] == pytest.approx(0.006562, rel=1e-3)


@pytest.mark.parametrize(
    "words",
    [
        *(("--fmr", "0"), ("--fmr", "much"), ("--frr", "1")),
        *(("--price", "didit"), ("--price", "didit=free"), ("--price", "didit=-1")),
        *(("--budget", "inf", "--price", "a=1"), ("--budget", "0", "--price", "a=1")),
        *(("--budget", "5"), ("--currency", "dollars"), ("--confidence", "95")),
    ],
    ids=" ".join,
)
def test_wrong_words(run, words):
    """Exit code 2 and one sentence that names the option."""
    given = {"--fmr": "1e-3", "--frr": "0.01"} | dict(zip(words[::2], words[1::2], strict=True))
    answer = run("compare", "plan", *(word for two in given.items() for word in two))
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert words[0].strip("-") in answer.stderr.splitlines()[-1]
