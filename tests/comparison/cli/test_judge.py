"""`facematch compare report`, `gate` and `threshold`: what answers come to."""

import json
import os
import re
import shlex

import attrs
import numpy as np
import pytest
from kit.comparison.studies import answer as answered
from kit.comparison.studies import entered, once, opener, write_study
from kit.comparison.tables import answers, changed, crowd, decided, real

from facematch_comparison import write_scores
from facematch_comparison.evaluation import evaluate
from facematch_comparison.model import Evaluation
from facematch_comparison.report import report_html
from facematch_comparison.run import RunDatabase
from facematch_comparison.stats import threshold_for_fmr
from facematch_core import Calibration, Decision, Environment, ThresholdRule

# --- report ---------------------------------------------------------------------------------------


@pytest.fixture
def scores(tmp_path):
    """Scores of two systems, one of them a mock, and of one that gives decisions only."""
    one = attrs.evolve(crowd("one", people=60), environment=Environment.MOCK)
    two = crowd("two", people=60, mean=60, seed=2)
    write_scores(tmp_path / "autumn.csv", [one, two, decided(crowd("decides", people=60))])
    return ("compare", "report", "--scores", "autumn.csv")


def test_page_and_document_say_the_same(run, scores, tmp_path):
    """Both are written, and the page is that of the document."""
    outs = ("--out", "made/report.html", "--out", "report.json")
    answer = run(*scores, "--fmr", "0.01", *outs)
    assert answer.exit_code == 0, answer.output
    evaluation = Evaluation.from_dict(json.loads((tmp_path / "report.json").read_text()))
    assert (tmp_path / "made" / "report.html").read_text() == report_html(evaluation)
    assert evaluation.study.name == "autumn"
    assert evaluation.required_fmr == 0.01
    assert [one.name for one in evaluation.systems] == ["one", "two", "decides"]


def test_the_verdict_comes_first_then_one_table(run, scores):
    """No file is needed to see them."""
    answer = run(*scores, "--fmr", "0.01")
    assert answer.exit_code == 0, answer.output
    note, first, empty, header, one, two, decides, why, *_ = answer.stdout.splitlines()
    assert note.startswith("note: practice only: one")
    assert "one turns away 2 of 300 " in first
    assert "and that is not chance" in first
    assert empty == ""
    assert re.split(r"\s{2,}", header) == [
        *("system", "threshold", "FMR", "FMR, 95 %", "FRR", "FRR, 95 %")
    ]
    assert (one.split()[0], "0.7 %" in one) == ("one", True)
    assert two.split()[0] == "two"
    assert decides.split()[:2] == ["decides", "50"]
    assert why.startswith("decides: ")


def test_empty_scores_are_noted(run, tmp_path):
    """They count as failures to acquire: a line for each system, and a column of the table."""
    lines = ["image1,image2,same,half,whole"]
    for n in range(60):
        lines.append(f"{n}a,{n}b,1,{'' if n % 10 == 0 else 80 + n % 9},{70 + n % 17}")
        lines.append(f"{n}a,{n + 1}b,0,{n % 9},{n % 17}")
    (tmp_path / "s.csv").write_text("\n".join(lines))
    answer = run("compare", "report", "--scores", "s.csv", "--fmr", "0.1")
    assert answer.stderr.splitlines() == [
        "note: half: 6 pairs without a score count as failures to acquire"
    ]
    header, half, whole = (
        re.split(r"\s{2,}", line)
        for line in answer.stdout.splitlines()
        if line.startswith(("system ", "half  ", "whole  "))
    )
    at = header.index("FTA")
    assert (half[at], whole[at]) == ("5.0 %", "0 %")


def test_options_reach_the_evaluation(run_json, scores):
    """Confidence, the split and its seed."""
    code, whole = run_json(*scores, "--confidence", "0.9")
    assert (code, whole["confidence"], whole["study"]["calibration"]) == (0, 0.9, None)
    halves = [run_json(*scores, "--split", "--seed", seed, "--fmr", "0.05")[1] for seed in range(4)]
    assert all(one["study"]["calibration"] for one in halves)
    assert len({one["systems"][0]["at_required"]["threshold"] for one in halves}) > 1


COSTS = ("--cost-false-match", "500", "--cost-false-reject", "2", "--impostors", "0.01")


def test_costs(run, run_json, tmp_path):
    """In a sentence, in the table and in the document."""
    first = crowd("first", people=60, failures=0.1)
    write_scores(tmp_path / "s.csv", [first, crowd("second", people=60, seed=3)])
    words = ("compare", "report", "--scores", "s.csv", "--fmr", "0.01", *COSTS)
    answer = run(*words)
    assert answer.exit_code == 0, answer.output
    assert answer.stderr == "", "failures that the file calls so are no news"
    _, told = run_json(*words)
    _, on_cost, _, header, *_ = answer.stdout.splitlines()
    assert on_cost == told["on_cost"]
    assert header.endswith("an attempt costs")
    assert told["costs"]["false_match"] == 500
    costs = told["systems"][0]["cost"]["at_required"]["expected"]
    assert costs["interval"]["low"] <= costs["value"] <= costs["interval"]["high"]


@pytest.mark.parametrize("more", [(), ("--currency", "EUR")])
def test_costs_are_in_the_currency_of_the_prices(run, run_json, tmp_path, more):
    """Unless somebody says otherwise; two currencies are not added up."""
    priced = attrs.evolve(real(crowd("a", people=60)), currency="EUR")
    write_scores(tmp_path / "s.csv", [priced])
    words = ("compare", "report", "--scores", "s.csv", "--fmr", "0.01", *COSTS)
    code, told = run_json(*words, *more)
    assert (code, told["costs"]["currency"]) == (0, "EUR")
    mixed = run(*words, "--currency", "USD")
    assert mixed.exit_code == 2
    assert "a charges in EUR, and the costs are in USD" in mixed.stderr


def test_costs_without_prices_say_so(run, run_json, tmp_path):
    """Costs of errors alone do not pass as all costs; --price completes them."""
    write_scores(tmp_path / "s.csv", [crowd("a", people=60), crowd("b", people=60, seed=3)])
    words = ("compare", "report", "--scores", "s.csv", "--fmr", "0.01")
    assert run(*words, *COSTS).stdout.splitlines()[-1].startswith("No price of a call")
    assert "No price" not in run(*words).stdout
    prices = ("--price", "a=0.05", "--price", "b=0", "--currency", "EUR")
    code, told = run_json(*words, *COSTS, *prices)
    assert (code, told["costs"]["currency"]) == (0, "EUR")
    assert [one["service"]["price"] for one in told["systems"]] == [0.05, 0]
    assert told["systems"][0]["cost"]["at_required"]["calls"] == pytest.approx(0.05)
    assert "no_price" not in {one["code"] for one in told["caveats"]}
    wrong = run(*words, "--price", "c=1")
    assert (wrong.exit_code, wrong.stdout) == (2, "")
    assert "--price: no system is called 'c' here" in wrong.stderr


def test_a_gallery_is_asked_for_and_warned_of(run, tmp_path):
    """The page shows the worst pairs of each system, and says that it does."""
    lines = ["image1,image2,same,a"]
    for number in range(40):
        lines.append(f"{number}.png,{number}b.png,1,{90 - 2 * number}")
        lines.append(f"{number}.png,{number + 1}b.png,0,{number}")
    (tmp_path / "s.csv").write_text("\n".join(lines))
    (tmp_path / "pictures").mkdir()
    study = write_study(tmp_path / "pictures")
    for number in range(41):
        for side in "", "b":
            (tmp_path / f"{number}{side}.png").write_bytes(study.pairs[0].probe.read_bytes())
    words = ("compare", "report", "--scores", "s.csv", "--fmr", "0.1", "--out", "r.html")
    assert run(*words).exit_code == 0
    assert "data:image/jpeg" not in (tmp_path / "r.html").read_text()
    answer = run(*words, "--gallery", "3", "--force")
    assert answer.exit_code == 0, answer.output
    assert (tmp_path / "r.html").read_text().count("data:image/jpeg") == 12
    assert os.name == "nt" or (tmp_path / "r.html").stat().st_mode & 0o777 == 0o600
    assert "warning: r.html holds photographs of people" in answer.stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--out", "x", "--out", "x"), "name the same file"),
        (("--out", "x.pdf"), "--out writes .html or .json"),
        (("--out", "there.html"), "--force"),
        (("--out", "x", "--fmr", "0"), "--fmr"),
        (("--out", "x", "--confidence", "0.5"), "--confidence"),
        (("--out", "x", "--store", "s"), "--scores goes without"),
        (("--impostors", "2"), "--impostors"),
        (("--impostors", "0.1"), "needs --cost-false-match and --cost-false-reject too"),
        (("--cost-review", "-1"), "--cost-review"),
        (
            ("--cost-review", "1"),
            "needs --cost-false-match and --cost-false-reject and --impostors",
        ),
        (("--gallery", "3"), "--gallery goes with a page"),
        (("--gallery", "3", "--out", "x.html"), "Nothing says which pictures these are"),
        (("--ignore", "nothing"), "there is no column 'nothing'"),
    ],
)
def test_what_is_refused(run, scores, tmp_path, words, sentence):
    """In one sentence; no file is made."""
    (tmp_path / "there.html").write_text("mine")
    before = sorted(tmp_path.iterdir())
    answer = run(*scores, *words)
    assert answer.exit_code == 2
    assert sentence in answer.stderr
    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "there.html").read_text() == "mine"


def test_a_store_that_is_not_there(run, tmp_path):
    """A name that is mistyped makes no store; without one, the ways to answers are named."""
    answer = run("compare", "report", "--store", "nothing.sqlite3", "--out", "x.html")
    assert answer.exit_code == 2
    assert "nothing.sqlite3" in answer.stderr
    alone = run("compare", "report")
    assert alone.exit_code == 2
    assert {"run`,", "--scores"} <= {*alone.stderr.split()}
    assert not [*tmp_path.iterdir()]
    mixed = run("compare", "report", "--rule", "above")
    assert "--column, --ignore and --rule go with --scores." in mixed.stderr


def test_a_store(run, run_json, tmp_path):
    """What `compare run` has written so far; before the first answer nothing is judged: code 3."""
    database = RunDatabase(f"sqlite:///{tmp_path}/study.sqlite3")
    entered(database, pairs=20)
    database.close()
    words = ("compare", "report", "--store", "study.sqlite3")
    answer = run(*words, "--out", "x.html", "--out", "x.json")
    assert (answer.exit_code, run_json(*words)[0]) == (3, 3), answer.output
    document = json.loads((tmp_path / "x.json").read_text())
    assert document["study"]["name"] == "people"
    assert document["study"]["digest"] == "0" * 64
    (system,) = document["systems"]
    assert system["service"]["not_answered"] == {"not asked": 20}
    assert "not asked" in (tmp_path / "x.html").read_text()


def test_json_prints_the_document(run, run_json, scores, tmp_path):
    """As it is written; an error is a document, too."""
    code, document = run_json(*scores, "--out", "a.json")
    written = json.loads((tmp_path / "a.json").read_text())
    assert code == 0
    assert {**document, "made_at": None} == {**written, "made_at": None}
    other = run("compare", "report", "--scores", "nothing.csv", "--json")
    assert json.loads(other.stdout)["error"]["class"] == "InvalidRequest"


WIDE = ["case_no,Selfie,Passport photo,Same person?,country,Vendor A,Vendor B"]
for number in range(60):
    other = (number + 1) % 30 + number // 30 * 30
    rest = f"{'DF'[number // 30]},{80 + number % 9},70"
    WIDE.append(f"{number},{number}a,{number}b,yes,{rest}")
    WIDE.append(f"{number},{number}a,{other}b,no,{rest[0]},{number % 9},{number % 17}")


@pytest.mark.parametrize(
    "more",
    [
        *((), ("--column", "mated=Same person?", "--ignore", "case_no")),
        ("--column", "image1=Selfie", "--column", "group_country=country"),
    ],
)
def test_a_file_as_people_have_it(run, tmp_path, more):
    """What is not recognised is asked for with a line to paste, which repeats the command."""
    (tmp_path / "our scores.csv").write_text("\n".join(WIDE))
    words = ("compare", "report", "--scores", "our scores.csv", "--fmr", "0.1", *more)
    asked = run(*words)
    assert (asked.exit_code, asked.stdout) == (2, "")
    line = asked.stderr.splitlines()[-1]
    facematch, *pasted = shlex.split(line)
    assert (facematch, pasted[: len(words)]) == ("facematch", [*words])
    named = [word.partition("=")[2] for word in pasted if "=" in word]
    assert len(named) == len({*named}), "a column is named once"
    answer = run(*pasted)
    assert answer.exit_code == 0, answer.output
    assert "Vendor A turns away 0 of 60 " in answer.stdout
    as_json = json.loads(run(*words, "--json").stdout)["error"]["message"]
    assert as_json.splitlines()[-1].replace(" --json", "") == line


def test_a_line_to_paste_is_not_broken(run, tmp_path, monkeypatch):
    """However narrow the terminal: a shell would run its beginning."""
    monkeypatch.setenv("COLUMNS", "60")
    (tmp_path / "s.csv").write_text("\n".join(WIDE))
    answer = run("compare", "report", "--scores", "s.csv", "--fmr", "0.1")
    assert run(*shlex.split(answer.stderr.splitlines()[-1])[1:]).exit_code == 0


def test_a_file_that_nobody_can_guess(run, tmp_path):
    """Then the options are named, and no argument of Python."""
    (tmp_path / "s.csv").write_text("a,b\nx,y\n")
    answer = run("compare", "report", "--scores", "s.csv")
    assert answer.exit_code == 2
    assert {"--column,", "--ignore."} <= {*answer.stderr.split()}
    assert "columns=" not in answer.stderr


def test_a_file_that_is_too_large(run, tmp_path):
    """The option that raises the limit is named; it is the command's own."""
    lines = ["image1,image2,same,a", *(f"{n}a,{n}b,1,{n}" for n in range(40))]
    (tmp_path / "s.csv").write_text("\n".join(lines))
    words = ("compare", "report", "--scores", "s.csv", "--max-rows")
    answer = run(*words, "1")
    assert (answer.exit_code, answer.stdout) == (2, "")
    more = answer.stderr.split("--max-rows ")[1].strip(".\n")
    assert run(*words, more).exit_code == 3  # without non-mated pairs nothing is judged


def test_equal_problems_are_one_line(run, tmp_path):
    """Thousands of lines with the same fault do not scroll the sentence away."""
    lines = ["system,pair,label,probe_subject,reference_subject,score,environment"]
    lines += [f"a,{n},1,p{n},p{n},{n % 90},moon" for n in range(3000)]
    (tmp_path / "s.csv").write_text("\n".join(lines))
    answer = run("compare", "report", "--scores", "s.csv")
    assert answer.exit_code == 2
    assert len(answer.stderr.splitlines()) < 8
    assert "moon" in answer.stderr


def test_names_cannot_steer_a_terminal(run, tmp_path):
    """A name of a system is somebody else's text."""
    write_scores(tmp_path / "s.csv", [crowd("a\x1b[31mb", people=30)])
    answer = run("compare", "report", "--scores", "s.csv", "--fmr", "0.01")
    assert "\x1b" not in answer.output
    assert "a\N{REPLACEMENT CHARACTER}[31mb" in answer.stdout


@pytest.mark.parametrize(
    "words",
    [
        ("report",),
        ("gate", "--requirements", "door.toml"),
        ("threshold", "--fmr", "0.1", "--out", "t.json"),
        ("wrong", "--fmr", "0.1"),
    ],
)
def test_scores_that_run_the_wrong_way(run, tmp_path, words):
    """Distances are judged by no command: a sentence asks whether they are some."""
    (tmp_path / "door.toml").write_text(DOOR)
    one = real(crowd("l2", people=30))
    write_scores(tmp_path / "s.csv", [changed(one, scores=100 - one.table.scores)])
    answer = run("compare", *words, "--scores", "s.csv")
    assert (answer.exit_code, answer.stdout) == (2, "")
    (line,) = answer.stderr.splitlines()
    assert "l2" in line
    assert "distances" in line
    assert not (tmp_path / "t.json").exists()


# --- gate -----------------------------------------------------------------------------------------

DOOR = 'title = "Our door"\nmax_fmr = 0.01\nmax_frr = 0.05\nleaves_out = "The weather."\n'


@pytest.fixture
def gate(tmp_path):
    """Writes answers to scores.csv; the words of the command."""
    (tmp_path / "door.toml").write_text(DOOR)

    def write(*made):
        write_scores(tmp_path / "scores.csv", made)
        return ("compare", "gate", "--scores", "scores.csv", "--requirements", "door.toml")

    return write


GOOD, BAD = crowd("good", people=80, mean=85), crowd("bad", people=80, mean=45)
OPEN = attrs.evolve(real(crowd("open", people=30, mean=85)), price=0.05)


@pytest.mark.parametrize(
    ("made", "code", "word"), [(GOOD, 0, "PASS"), (BAD, 1, "FAIL"), (OPEN, 3, "INCONCLUSIVE")]
)
def test_three_verdicts(run, gate, made, code, word):
    """The word and the sentence on stdout; what else there is to know on stderr."""
    answer = run(*gate(made))
    assert answer.exit_code == code
    assert answer.stdout.startswith(f"{word}  {made.table.name} at the threshold ")
    assert answer.stderr == "The weather.\n"
    assert ("pairs of new people, about " in answer.stdout) is (code == 3)


def test_of_several(run, gate):
    """Each has a line, and all of them together one; --system leaves others out."""
    words = gate(GOOD, BAD)
    answer = run(*words)
    assert answer.exit_code == 1
    lines = answer.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["PASS", "FAIL", "FAIL"]
    assert lines[-1].startswith("FAIL  overall, by Our door")
    assert run(*words, "--system", "good").exit_code == 0
    wrong = run(*words, "--system", "god")
    assert (wrong.exit_code, wrong.stdout) == (2, "")
    assert "did you mean good?" in wrong.stderr


def test_the_verdict_as_a_document(run_json, gate):
    """The whole verdict; the exit code is the same."""
    code, document = run_json(*gate(OPEN))
    assert (code, document["outcome"], document["kind"]) == (3, "inconclusive", "verdict")
    (one,) = document["systems"]
    assert one["cost"] == pytest.approx(0.05 * one["more"])


def test_of_a_report(run, gate, tmp_path):
    """What was concluded before gives the same verdict, if it was for the same FMR."""
    gate(GOOD)
    path = tmp_path / "report.json"
    for fmr, code in ((2e-3, 0), (1e-3, 2)):
        document = evaluate([GOOD], required_fmr=fmr).to_dict()
        path.write_text(json.dumps(document))
        answer = run("compare", "gate", "--report", path, "--requirements", "door.toml")
        assert answer.exit_code == code


def test_the_price_of_more_pairs(run, gate, tmp_path):
    """A price that is given replaces the one that was known, of answers and of a report."""
    words = gate(OPEN)
    assert "USD" in run(*words).stdout
    dear = run(*words, "--price", "open=100", "--currency", "EUR")
    assert "00.00 EUR, would show" in dear.stdout
    (tmp_path / "report.json").write_text(
        json.dumps(evaluate([OPEN], required_fmr=2e-3, confidence=0.9).to_dict())
    )
    words = ("compare", "gate", "--report", tmp_path / "report.json", "--requirements", "door.toml")
    assert run(*words, "--price", "open=100", "--currency", "EUR").stdout == dear.stdout


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"kind": "match"}', None])
def test_what_is_no_report(run, gate, tmp_path, content):
    """Wrong usage, in one sentence."""
    gate(GOOD)
    path = tmp_path / "report.json"
    if content is not None:
        path.write_bytes(content)
    answer = run("compare", "gate", "--report", path, "--requirements", "door.toml")
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert answer.stderr.splitlines()[-1].startswith("error: ")


@pytest.mark.usefixtures("in_file_order")
def test_of_a_store(run, tmp_path):
    """Where `compare run` wrote: nothing is asked again."""
    database = RunDatabase(f"sqlite:///{tmp_path}/study.sqlite3")
    system = opener()
    right = [answered(decision=Decision.MATCH), answered(decision=Decision.NO_MATCH)]
    system.backend.script = 100 * right
    once(database, write_study(tmp_path / "pictures", pairs=200), system)
    database.close()
    (tmp_path / "own.toml").write_text(
        'title = "At its own threshold"\nmax_fmr = 0.3\nmax_frr = 0.3\nat = "default"\n'
    )
    words = ("compare", "gate", "--requirements", "own.toml")
    assert run(*words).exit_code == run(*words, "--store", "study.sqlite3").exit_code == 0
    answer = run(*words, "--study", "others")
    assert answer.exit_code == 2
    assert "no such test set; there are: people." in answer.stderr
    own = run(*words, "--calibration", "c.json")
    assert own.exit_code == 2
    assert "judges the threshold that systems were asked with" in own.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("", "--requirements"),
        ("--requirements door.toml", "there is no study.sqlite3 here"),
        ("--requirements no-such", "There are no requirements called 'no-such'"),
        ("--requirements door.toml --scores s.csv --store x", "--scores goes without --store"),
        ("--requirements door.toml --report r.json --study x", "--report goes without --store"),
        ("--requirements door.toml --report r.json --split", "--split goes without --report"),
    ],
)
def test_wrong_usage_of_the_gate(run, gate, words, told):
    """Is told before anything is read."""
    gate(GOOD)
    answer = run("compare", "gate", *words.split())
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert told in answer.stderr


def test_a_mock_passes_only_if_asked(run, gate):
    """A gate that a mock passes says nothing, so that it is asked for: by the option's name."""
    words = gate(attrs.evolve(real(GOOD), environment=Environment.MOCK))
    answer = run(*words)
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert "say --allow-mock to" in answer.stderr
    assert run(*words, "--allow-mock").exit_code == 0


def test_a_model_that_changed_is_named(run, gate):
    """By the option, as it is typed."""
    words = gate(attrs.evolve(real(GOOD), other_models={"m2": 40}))
    answer = run(*words)
    assert answer.exit_code == 2
    assert "such as --system 'good" in answer.stderr


def test_sp800_63a(run, tmp_path):
    """The requirements that come along: two hundred pairs cannot show it; what would is said."""
    write_scores(tmp_path / "s.csv", [answers([90] * 100, [10] * 100)])
    answer = run("compare", "gate", "--scores", "s.csv", "--requirements", "sp800-63a")
    assert answer.exit_code == 3
    assert "(limit 0.01 %)" in answer.stdout
    assert "section 3.1.11" in answer.stderr


def test_what_is_judged_is_what_is_shipped(run, gate, tmp_path):
    """The calibration of a PASS has the very threshold, for the FMR of the requirements."""
    words = (*gate(real(GOOD)), "--calibration", "good.json")
    answer = run(*words, "--valid-days", "30")
    assert answer.exit_code == 0, answer.output
    assert answer.stdout.splitlines()[-1] == "written to good.json"
    made = Calibration.read(tmp_path / "good.json")
    (point,) = made.points
    assert (
        f"good at the threshold {point.threshold:g}, chosen for an FMR of 0.2 %: " in answer.stdout
    )
    assert (point.max_fmr, point.is_bounded) == (0.01, True)
    assert point.upper <= 0.01
    assert (made.backend, made.model, made.expires_at is None) == ("fake", "m1", False)
    again = run(*words)
    assert (again.exit_code, "good.json exists" in again.stderr) == (2, True)
    assert run(*words, "--force").exit_code == 0


def test_nothing_is_shipped_that_does_not_pass(run, gate, tmp_path):
    """Nor the threshold of one of several."""
    answer = run(*gate(real(BAD)), "--calibration", "c.json")
    assert answer.exit_code == 1
    assert "c.json was not written: nothing passed." in answer.stderr
    several = run(*gate(real(GOOD), real(BAD)), "--calibration", "c.json")
    assert several.exit_code == 2
    assert "--calibration is for one system: name it with --system, of good, bad." in several.stderr


# --- threshold ------------------------------------------------------------------------------------

WORDS = ("compare", "threshold", "--scores", "scores.csv", "--out", "t.json")


@pytest.fixture
def threshold(run, tmp_path):
    """Writes answers to scores.csv, and runs the command with these words."""

    def call(made, *words):
        write_scores(tmp_path / "scores.csv", made if isinstance(made, list) else [made])
        return run(*WORDS, *words)

    return call


def test_a_file_that_verifiers_read(threshold, tmp_path):
    """Bound to everything that the answers tell; chosen on all people."""
    one = real(crowd(others=60, rule=ThresholdRule.ABOVE))
    answer = threshold(one, "--fmr", "1e-2", "--fmr", "1e-3")
    assert answer.exit_code == 0
    made = Calibration.read(tmp_path / "t.json")
    assert (made.backend, made.model, made.scale) == ("fake", "m1", "fake/v1")
    assert (made.rule, made.environment) == (ThresholdRule.ABOVE, Environment.PRODUCTION)
    assert (made.study, made.study_digest, made.expires_at) == ("scores", None, None)
    assert made.chosen_on.startswith("all pairs; the bound is that of an order statistic")
    for point in made.points:
        choice = threshold_for_fmr(one.table, point.max_fmr)
        assert (point.threshold, point.upper) == (choice.threshold, choice.upper)
        assert (point.errors, point.trials) == (choice.fmr.errors, 12_000)
        assert not point.is_bounded
    first, second, last = answer.stdout.splitlines()
    assert first.startswith(f"FMR 1 %: threshold {made.points[0].threshold:g} (fake/v1); 1")
    assert "of 12,000 pairs of different people pass, so the true FMR is below 1.2 %" in first
    assert second.startswith("FMR 0.1 %: ")
    assert last == "written to t.json"


def test_bounded(threshold, tmp_path):
    """The upper bound keeps to the rate as well, or there is no file."""
    one = real(crowd(others=60))
    assert threshold(one, "--fmr", "1e-2", "--bounded").exit_code == 0
    (point,) = Calibration.read(tmp_path / "t.json").points
    assert point.is_bounded
    assert point.upper <= 1e-2
    answer = threshold(one, "--fmr", "1e-4", "--bounded", "--force")
    assert answer.exit_code == 2
    assert "No threshold for an FMR of 0.0001: No threshold bounds the FMR" in answer.stderr
    assert Calibration.read(tmp_path / "t.json").points == (point,)


def test_the_calibration_as_a_document(run, run_json, tmp_path):
    """What is written is also printed; a file that is there stays."""
    write_scores(tmp_path / "scores.csv", [real(crowd(others=60))])
    words = (*WORDS, "--fmr", "1e-2")
    code, document = run_json(*words, "--valid-days", 90)
    made = Calibration.read(tmp_path / "t.json")
    assert (code, Calibration.from_dict(document)) == (0, made)
    assert (made.expires_at - made.made_at).days == 90
    assert run(*words).exit_code == 2
    assert Calibration.read(tmp_path / "t.json") == made
    assert run(*words, "--force").exit_code == 0


def test_too_few_pairs_for_the_rate(threshold, tmp_path):
    """A threshold for one in a thousand says nothing if a hundred were looked at."""
    one = real(answers([90] * 10, [10] * 100))
    answer = threshold(one, "--fmr", "1e-3")
    assert answer.exit_code == 2
    assert "At least 1,000 are needed (2,995 to show it)." in answer.stderr
    assert not (tmp_path / "t.json").exists()
    assert threshold(one, "--fmr", "0.01").exit_code == 0


@pytest.mark.parametrize(
    "made",
    [
        *(decided(real(crowd())), crowd(), changed(real(crowd()), rule=ThresholdRule.VENDOR)),
        *(real(answers([90, 97], [97, 10])), real(answers([90], []))),
        attrs.evolve(real(crowd()), environment=Environment.MOCK),
    ],
    ids=["decisions", "of nobody", "no rule", "no threshold", "no pair", "mock"],
)
def test_what_has_no_threshold(threshold, tmp_path, made):
    """One sentence, and no file."""
    answer = threshold(made, "--fmr", "0.1")
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert not (tmp_path / "t.json").exists()


def test_a_mock_calibrates_itself(threshold, tmp_path):
    """With --allow-mock; the file says so, and a verifier of the vendor refuses it."""
    made = attrs.evolve(real(crowd()), environment=Environment.SANDBOX)
    assert threshold(made, "--fmr", "0.1", "--allow-mock").exit_code == 0
    assert Calibration.read(tmp_path / "t.json").environment is Environment.SANDBOX


def test_whose_threshold(threshold):
    """Of several one has to be named."""
    made = [real(crowd("a")), real(crowd("b", seed=1))]
    answer = threshold(made, "--fmr", "0.1")
    assert answer.exit_code == 2
    assert "--system: name one of a, b." in answer.stderr
    assert "did you mean a?" in threshold(made, "--fmr", "0.1", "--system", "aa").stderr
    assert threshold(made, "--fmr", "0.1", "--system", "b").exit_code == 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        *(((), "--fmr"), (("--fmr", "2"), "--fmr"), (("--fmr", "one"), "--fmr")),
        (("--fmr", "0.1", "--fmr", "0.1"), "Two thresholds are for an FMR of 0.1"),
        (("--fmr", "0.1", "--valid-days", "0"), "--valid-days"),
    ],
)
def test_wrong_usage_of_threshold(threshold, words, told):
    """Each has its sentence."""
    answer = threshold(real(crowd()), *words)
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert told in answer.stderr


def test_the_way_from_a_study_to_a_decision(
    threshold, tmp_path, run, photos, *, scripted, configured
):
    """Answers to threshold, threshold to profile, profile to a comparison on the command line."""
    scores = np.arange(3000) % 97
    one = changed(
        real(answers([99] * 10, scores.tolist())), rule=ThresholdRule.AT_LEAST, scale="fake/v1"
    )
    assert threshold(one, "--fmr", "0.05").exit_code == 0
    (point,) = Calibration.read(tmp_path / "t.json").points
    configured('[profiles.desk]\nbackend = "fake"\ncalibration = "t.json"\n')
    words = ("verify", *photos, "--profile", "desk", "--max-fmr", "0.05")
    answer = run(*words)
    assert answer.exit_code == 1
    assert f"threshold at least {point.threshold:g}, calibrated" in answer.stdout
    scripted.score = 99.0
    assert run(*words).exit_code == 0
    assert "for an FMR of 0.1; it has those for 0.05" in run(*words[:-1], "0.1").stderr
    both = run(*words, "--threshold", "50")
    assert (both.exit_code, "both say where a match begins" in both.stderr) == (2, True)
    bare = run("verify", *photos, "--backend", "fake", "--max-fmr", "0.05")
    assert (bare.exit_code, "max_fmr needs a calibration" in bare.stderr) == (4, True)
    assert run("verify", *photos, "--max-fmr", "7").exit_code == 2
