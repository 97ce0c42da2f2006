"""`facematch compare report` and `gate`: what answers come to."""

import csv
import hashlib
import json
import os

import attrs
import numpy as np
import pytest
from kit.comparison.studies import charged_answer as answered
from kit.comparison.studies import opener, run_once, write_study
from kit.comparison.tables import (
    as_decisions,
    as_real,
    crowd,
    in_transactions,
    system_answers,
    with_columns,
)
from kit.fakes import picture

from facematch_comparison import export, read_scores
from facematch_comparison.cli.common import Source
from facematch_comparison.evaluation import evaluate
from facematch_comparison.model import Evaluation
from facematch_comparison.report import report_html
from facematch_comparison.run import RunDatabase, read_answers
from facematch_comparison.stats import Rates, bounds, threshold_for_fmr
from facematch_comparison.study import write_pairs_csv
from facematch_core import Calibration, Decision, Environment, ThresholdRule

REPORT = ("compare", "report", "--scores", "s.csv", "--fmr", "0.01")
COSTS = ("--cost-false-match", "500", "--cost-false-reject", "2", "--impostors", "0.01")


@pytest.fixture
def scores(tmp_path):
    """Writes answers to s.csv."""
    return lambda *answers: export(answers, tmp_path / "s.csv")


@pytest.fixture
def three(scores):
    """Scores of two systems, one of them a mock, and of one that gives decisions only."""
    first = attrs.evolve(crowd("one", people=60), environment=Environment.MOCK)
    scores(
        first, crowd("two", people=60, mean=60, seed=2), as_decisions(crowd("decides", people=60))
    )


@pytest.mark.usefixtures("three")
def test_page_document_and_stdout_say_the_same(run, screens, tmp_path):
    outs = ("--out", "made/report.html", "--out", "report.json")
    with screens("report") as show:
        show("", *REPORT, *outs)
    written = json.loads((tmp_path / "report.json").read_text())
    evaluation = Evaluation.from_dict(written)
    assert (tmp_path / "made" / "report.html").read_text() == report_html(evaluation)
    assert (evaluation.study.name, evaluation.required_fmr) == ("s", 0.01)
    assert [system.name for system in evaluation.systems] == ["one", "two", "decides"]
    # A name of a system is somebody else's text.
    export([crowd("a\x1b[31mb", people=30)], tmp_path / "odd.csv")
    assert "\x1b" not in run("compare", "report", "--scores", "odd.csv", "--fmr", "0.01").output
    error = json.loads(run("compare", "report", "--scores", "nothing.csv", "--json").stdout)
    assert error["error"]["class"] == "InvalidRequest"


def test_costs_are_in_the_verdict_the_table_and_the_document(run, run_json, scores):
    scores(crowd("first", people=60, failures=0.1), crowd("second", people=60, seed=3))
    answer = run(*REPORT, *COSTS)
    assert (answer.exit_code, answer.stderr) == (0, "")
    _, document = run_json(*REPORT, *COSTS)
    assert answer.stdout.splitlines()[1:3] == [document["limit"], document["on_cost"]]
    assert document["costs"]["false_match"] == 500
    assert "no_price" in {caveat["code"] for caveat in document["caveats"]}


def test_prices_complete_the_costs_in_one_currency(run, run_json, scores):
    scores(attrs.evolve(as_real(crowd("a", people=60)), currency="EUR"))
    for more in ((), ("--currency", "EUR")):
        code, document = run_json(*REPORT, *COSTS, *more)
        assert (code, document["costs"]["currency"]) == (0, "EUR")
    mixed = run(*REPORT, *COSTS, "--currency", "USD")
    assert (mixed.exit_code, "a charges in EUR" in mixed.stderr) == (2, True)
    scores(crowd("a", people=60), crowd("b", people=60, seed=3))
    prices = ("--price", "a=0.05", "--price", "b=0", "--currency", "EUR")
    _, document = run_json(*REPORT, *COSTS, *prices)
    assert document["costs"]["currency"] == "EUR"
    assert [system["service"]["price"] for system in document["systems"]] == [0.05, 0]
    assert document["systems"][0]["cost"]["at_required"]["calls"] == pytest.approx(0.05)
    assert "no_price" not in {caveat["code"] for caveat in document["caveats"]}


def test_faces_are_in_a_page_only_if_asked_for_and_with_a_warning(run, tmp_path):
    (tmp_path / "pictures").mkdir()
    face = write_study(tmp_path / "pictures").pairs[0].probe.read_bytes()
    lines = ["image1,image2,same,a"]
    for number in range(41):
        for side in "", "b":
            (tmp_path / f"{number}{side}.png").write_bytes(face)
        if number < 40:
            lines.append(f"{number}.png,{number}b.png,1,{90 - 2 * number}")
            lines.append(f"{number}.png,{number + 1}b.png,0,{number}")
    (tmp_path / "s.csv").write_text("\n".join(lines))
    words = (*REPORT, "--fmr", "0.1", "--out", "r.html")
    assert run(*words).exit_code == 0
    assert "data:image/jpeg" not in (tmp_path / "r.html").read_text()
    answer = run(*words, "--gallery", "3", "--force")
    assert answer.exit_code == 0, answer.output
    assert (tmp_path / "r.html").read_text().count("data:image/jpeg") == 12
    assert os.name == "nt" or (tmp_path / "r.html").stat().st_mode & 0o777 == 0o600
    assert "warning: r.html holds photographs of people" in answer.stderr


SCORES = """image1,image2,same,probe_subject,reference_subject,score
=1.png,2.png,1,anna,anna,20
3.png,4.png,1,bert,bert,90
1.png,3.png,0,anna,bert,70
2.png,4.png,0,anna,bert,60
2.png,3.png,0,anna,bert,10
"""


def test_wrong_pairs_are_the_same_in_both_files_and_no_cell_is_a_formula(run, tmp_path):
    (tmp_path / "mine.csv").write_text(SCORES)
    words = ("compare", "report", "--scores", "mine.csv", "--at-threshold", "mine=50")
    answer = run(*words, "--wrong", "w.csv")
    assert answer.exit_code == 0, answer.output
    assert run(*words, "--wrong", "w.json").exit_code == 0
    document = json.loads((tmp_path / "w.json").read_text())
    assert document["kind"] == "wrong pairs"
    assert [(row["pair"], row["score"]) for row in document["pairs"]] == [(2, 70), (3, 60), (0, 20)]
    with (tmp_path / "w.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["pair"] for row in rows] == ["2", "3", "0"]
    assert rows[-1]["probe"] == "'=1.png"
    assert run(*words, "--wrong", "w.csv").exit_code == 2, "the file exists"
    # Nothing wrong is a table without a line.
    (tmp_path / "mine.csv").write_text(SCORES.replace(",20", ",80"))
    assert run(*words[:-1], "mine=75", "--wrong", "none.csv").exit_code == 0
    assert len((tmp_path / "none.csv").read_text().splitlines()) == 1


def test_wrong_pairs_of_who_only_decides_are_those_of_its_decisions(run, tmp_path):
    lines = ["pair,label,probe_subject,reference_subject,decision,threshold"]
    for number, (label, decision) in enumerate([(1, "no_match"), (1, "match"), (0, "match")] * 9):
        other = number if label else number + 100
        lines.append(f"{number},{label},p{number},p{other},{decision},70")
    (tmp_path / "mine.csv").write_text("\n".join(lines))
    words = ("compare", "report", "--scores", "mine.csv", "--fmr", "0.5", "--wrong", "w.json")
    assert run(*words).exit_code == 0
    pairs = json.loads((tmp_path / "w.json").read_text())["pairs"]
    kinds = ["false match"] * 9 + ["false non-match"] * 9
    assert [pair["kind"] for pair in pairs] == kinds
    assert {pair["threshold"] for pair in pairs} == {None}


def test_people_and_pictures_of_a_run_are_named_only_if_asked(run, scripted, tmp_path):
    write_pairs_csv(tmp_path / "pairs.csv", write_study(tmp_path / "pictures"))
    assert run("compare", "run", "pairs.csv", "--backend", "fake", "--yes").exit_code == 0
    report = ("compare", "report", "--fmr", "0.4")
    run(*report, "--answers", "bare.csv", "--wrong", "bare-wrong.csv")
    assert "Anna" not in (tmp_path / "bare.csv").read_text()
    assert "Anna" not in (tmp_path / "bare-wrong.csv").read_text()
    run(*report, "--pairs", "pairs.csv", "--answers", "named.csv", "--wrong", "w.csv")
    assert "Anna 0" in (tmp_path / "named.csv").read_text()
    (stored,) = read_answers(database := RunDatabase("sqlite:///study.sqlite3"), database.study())
    database.close()
    (read,) = read_scores(tmp_path / "named.csv")
    assert read.table.scores.tolist() == stored.table.scores.tolist()
    page = (*report, "--gallery", "9", "--out", "w.html")
    nothing = run(*page)
    assert (nothing.exit_code, "add --pairs FILE" in nothing.stderr) == (2, True)
    run(*page, "--pairs", "pairs.csv")
    assert (tmp_path / "w.html").read_text().count("data:image/jpeg") == 6
    # Other pictures under the same names would show the wrong people.
    (tmp_path / "pictures" / "Anna-1-a.jpg").write_bytes(picture((1, 2, 3)).data)
    other = run(*page, "--pairs", "pairs.csv", "--force")
    assert (other.exit_code, "is not what was run" in other.stderr) == (2, True)


@pytest.mark.usefixtures("three")
def test_a_report_says_of_which_file_it_is_and_how_to_make_it_again(run_json, tmp_path):
    more = ["--at-threshold", "two=50.5", "--price", "one=0.05", "--split", "--seed", "3"]
    more += ["--confidence", "0.9"]
    words = ("compare", "report", "--scores", tmp_path / "s.csv", "--fmr", "0.02", *more)
    _, document = run_json(*words, "--column", "mated=mated", "--out", tmp_path / "r.json")
    evidence = document["evidence"]
    file = (tmp_path / "s.csv").read_bytes()
    assert (evidence["file"], evidence["sha256"]) == ("s.csv", hashlib.sha256(file).hexdigest())
    assert (document["seed"], document["confidence"]) == (3, 0.9)
    assert document["study"]["calibration"]
    assert document["systems"][1]["at_required"]["threshold"] == 50.5
    # Not what writes files, and nothing of where they are.
    assert {"--scores", "--fmr", "--split", "--column"} < {*evidence["options"]}
    assert "--out" not in evidence["options"]
    assert str(tmp_path) not in json.dumps(document)
    # The options, pasted, give the same.
    again = [
        word
        for option, values in evidence["options"].items()
        for value in values or [None]
        for word in ((option,) if value is None else (option, value))
    ]
    _, same = run_json("compare", "report", *again)
    assert same | {"made_at": 0} == document | {"made_at": 0}


@pytest.mark.usefixtures("in_file_order")
def test_a_run_is_proved_by_the_answers_that_are_written(run, run_json, tmp_path):
    database = RunDatabase(f"sqlite:///{tmp_path}/study.sqlite3")
    run_once(database, write_study(tmp_path / "pictures", pairs=20), opener())
    database.close()
    words = ("--fmr", "0.1", "--answers", "answers.csv")
    assert run("compare", "report", *words).exit_code == 0
    _, document = run_json("compare", "report", "--price", "fake=0.05", "--fmr", "0.1")
    digest = hashlib.sha256((tmp_path / "answers.csv").read_bytes()).hexdigest()
    assert document["evidence"]["sha256"] == digest
    assert document["evidence"]["file"] == "study.sqlite3"
    assert document["study"]["digest"]


@pytest.mark.usefixtures("three")
def test_wrong_words_of_report(refused, tmp_path):
    (tmp_path / "there.html").write_text("mine")
    lines = ["--out x.pdf", "--out there.html", "--confidence 0.5", "--out x --store s"]
    lines += ["--impostors 0.1", "--cost-review -1", "--gallery 3", "--price c=1"]
    lines += ["--at-threshold one=high", "--at-threshold c=1", "--wrong w.html", "--answers a.json"]
    refused("report", "", "--rule above", *(f"--scores s.csv {words}" for words in lines))


def test_more_rows_than_the_limit_are_refused_with_the_option(run, tmp_path):
    lines = ["image1,image2,same,score", *(f"{n}a,{n}b,1,{n}" for n in range(40))]
    (tmp_path / "s.csv").write_text("\n".join(lines))
    answer = run(*REPORT, "--max-rows", "1")
    assert (answer.exit_code, answer.stdout) == (2, "")
    more = answer.stderr.split("--max-rows ")[1].strip(".\n")
    assert run(*REPORT, "--max-rows", more).exit_code == 3  # no non-mated pair


DOOR = 'title = "Our door"\nmax_fmr = 0.01\nmax_frr = 0.05\nleaves_out = "The weather."\n'
GATE = ("compare", "gate", "--requirements", "door.toml")
GOOD, BAD = crowd("good", people=80, mean=85), crowd("bad", people=80, mean=45)
OPEN = as_real(crowd("open", people=30, mean=85))


@pytest.fixture
def gate(tmp_path, scores):
    """Writes answers; the words of the command."""
    (tmp_path / "door.toml").write_text(DOOR)

    def write(*answers):
        scores(*answers)
        return (*GATE, "--scores", "s.csv")

    return write


def test_three_verdicts_and_that_of_several(run, run_json, gate, screens):
    with screens("gate") as show:
        for answers, code, outcome in (
            ((GOOD,), 0, "pass"),
            ((BAD,), 1, "fail"),
            ((OPEN,), 3, "inconclusive"),
            ((GOOD, BAD), 1, "fail"),
        ):
            words = gate(*answers)
            answer = show(f"{outcome} of {len(answers)}", *words, code=code)
            assert answer.stdout.splitlines()[-1].split()[0] == outcome.upper()
            as_json, document = run_json(*words)
            assert (as_json, document["outcome"], document["kind"]) == (code, outcome, "verdict")
    assert run(*words, "--system", "good").exit_code == 0
    assert run(*words, "--system", "god").exit_code == 2


def test_a_report_gives_the_same_verdict_if_it_was_for_the_same_fmr(run, gate, tmp_path):
    gate(GOOD)
    for fmr, code in ((2e-3, 0), (1e-3, 2)):
        document = evaluate([GOOD], required_fmr=fmr).to_dict()
        (tmp_path / "report.json").write_text(json.dumps(document))
        assert run(*GATE, "--report", "report.json").exit_code == code
    (tmp_path / "report.json").write_text("[]")
    assert run(*GATE, "--report", "report.json").exit_code == 2
    words = gate(OPEN)
    document = evaluate([OPEN], required_fmr=2e-3, confidence=0.9).to_dict()
    (tmp_path / "report.json").write_text(json.dumps(document))
    assert run(*GATE, "--report", "report.json").stdout == run(*words).stdout


def test_transactions_have_a_line_and_are_judged_by_the_file(run, tmp_path, monkeypatch):
    answers = crowd("good", people=300, mated=3, others=60, mean=62)
    answers = in_transactions(answers, 3)
    source = Source(answers=[answers], name="hand", digest=None, evidence=None)
    monkeypatch.setattr("facematch_comparison.cli.common.answers_from", lambda _: source)
    for tries, words in ((1, "1 attempt"), (2, "2 attempts"), (None, "3 attempts")):
        aims = ("--fmr", "0.002", "--confidence", "0.9", "--out", f"{tries}.json")
        answer = run("compare", "report", *aims, *(("--attempts", str(tries)) if tries else ()))
        (line,) = (line for line in answer.stdout.splitlines() if "transactions" in line)
        assert line.startswith(f"good, transactions of up to {words}: FMR ")
    for counts, code in (('"transactions"\nattempts = 3', 0), ('"attempts"', 3)):
        (tmp_path / "door.toml").write_text(f"{DOOR}\ncounts = {counts}\n")
        answer = run(*GATE, "--report", "None.json")
        assert answer.exit_code == code
        assert (" in transactions of up to 3 attempts: " in answer.stdout) is (code == 0)
    (tmp_path / "door.toml").write_text(f'{DOOR}\ncounts = "transactions"\nattempts = 3\n')
    without = evaluate([GOOD], required_fmr=2e-3, confidence=0.9).to_dict()
    (tmp_path / "without.json").write_text(json.dumps(without))
    for report in ("2.json", "without.json"):
        assert run(*GATE, "--report", report).exit_code == 2


@pytest.mark.usefixtures("in_file_order")
def test_a_run_is_judged_where_it_was_written(run, tmp_path):
    database = RunDatabase(f"sqlite:///{tmp_path}/study.sqlite3")
    system = opener()
    right = [answered(decision=Decision.MATCH), answered(decision=Decision.NO_MATCH)]
    system.backend.script = 100 * right
    run_once(database, write_study(tmp_path / "pictures", pairs=200), system)
    database.close()
    (tmp_path / "own.toml").write_text(
        'title = "At its own threshold"\nmax_fmr = 0.3\nmax_frr = 0.3\nat = "default"\n'
    )
    words = ("compare", "gate", "--requirements", "own.toml")
    assert run(*words).exit_code == run(*words, "--store", "study.sqlite3").exit_code == 0
    answer = run(*words, "--calibration", "c.json")
    assert (answer.exit_code, (tmp_path / "c.json").exists()) == (2, False)


def test_wrong_words_of_gate(gate, refused):
    gate(GOOD)
    lines = ["", "--scores s.csv --store x", "--report r.json --split"]
    of_door = (f"--requirements door.toml {words}" for words in lines)
    refused("gate", "", "--requirements no-such", *of_door)


def test_a_mock_and_a_changed_model_pass_only_if_asked(run, gate):
    for environment in (Environment.MOCK, Environment.SANDBOX):
        practice = attrs.evolve(as_real(GOOD), environment=environment)
        words = gate(practice, as_real(crowd("real", people=80, mean=85)))
        answer = run(*words)
        assert (answer.exit_code, answer.stdout) == (2, "")
        assert "--allow-mock" in answer.stderr
        assert run(*words, "--allow-mock").exit_code == 0
        assert run(*words, "--system", "real").exit_code == 0
    words = gate(attrs.evolve(as_real(GOOD), other_models={"m2": 40}))
    answer = run(*words)
    assert (answer.exit_code, "--system 'good" in answer.stderr) == (2, True)
    assert run(*words, "--system", "good").exit_code == 0


def test_the_calibration_of_a_pass_has_the_threshold_that_was_judged(run, gate, tmp_path):
    words = (*gate(as_real(GOOD)), "--calibration", "good.json")
    answer = run(*words, "--valid-days", "30")
    assert answer.exit_code == 0, answer.output
    calibration = Calibration.read(tmp_path / "good.json")
    (point,) = calibration.points
    assert f"good at the threshold {point.threshold:g}, " in answer.stdout
    assert (point.max_fmr, point.is_bounded) == (0.01, True)
    assert point.upper <= 0.01
    assert (calibration.backend, calibration.model, calibration.expires_at is None) == (
        "fake",
        "m1",
        False,
    )
    assert run(*words).exit_code == 2
    assert run(*words, "--force").exit_code == 0
    for answers, code in (((as_real(BAD),), 1), ((as_real(GOOD), as_real(BAD)), 2)):
        assert run(*gate(*answers), "--calibration", "c.json").exit_code == code
        assert not (tmp_path / "c.json").exists()


THRESHOLD = ("compare", "report", "--scores", "s.csv", "--calibration", "t.json")


def test_a_threshold_is_written_for_verifiers(run, scores, tmp_path):
    answers = as_real(crowd(others=60, rule=ThresholdRule.ABOVE))
    scores(answers)
    answer = run(*THRESHOLD, "--fmr", "1e-2", "--valid-days", 90)
    assert answer.exit_code == 0, answer.output
    calibration = Calibration.read(tmp_path / "t.json")
    assert (calibration.backend, calibration.model, calibration.scale) == ("fake", "m1", "fake/v1")
    assert (calibration.rule, calibration.environment) == (
        ThresholdRule.ABOVE,
        Environment.PRODUCTION,
    )
    assert (calibration.study, calibration.study_digest) == ("s", None)
    assert (calibration.expires_at - calibration.made_at).days == 90
    # With those at the rates that reports have in common.
    assert [point.max_fmr for point in calibration.points] == [1e-2, 1e-3]
    for point in calibration.points:
        threshold = threshold_for_fmr(answers.table, point.max_fmr).threshold
        fmr = Rates(answers.table).at("fmr", threshold)
        upper = bounds(fmr, chosen_for=point.max_fmr)[1]
        assert (point.threshold, point.upper) == (threshold, pytest.approx(upper))
        assert (point.errors, point.trials, point.is_bounded) == (fmr.errors, 12_000, False)
    # It stays as it was unless it may be overwritten.
    assert run(*THRESHOLD, "--fmr", "1e-3").exit_code == 2
    assert Calibration.read(tmp_path / "t.json") == calibration
    scores(attrs.evolve(as_real(crowd()), environment=Environment.SANDBOX))
    assert run(*THRESHOLD, "--fmr", "0.1", "--allow-mock", "--force").exit_code == 0
    assert Calibration.read(tmp_path / "t.json").environment is Environment.SANDBOX


@pytest.mark.parametrize(
    ("answers", "fmr"),
    [
        *((as_decisions(as_real(crowd())), 0.1), (crowd(), 0.1)),
        (as_real(system_answers([90, 97], [97, 10])), 0.1),
        (attrs.evolve(as_real(crowd()), environment=Environment.MOCK), 0.1),
        (as_real(system_answers([90] * 10, [10] * 100)), 1e-3),
    ],
    ids=["decisions", "of nobody", "no threshold", "mock", "too few"],
)
def test_what_has_no_threshold_gets_no_file(run, scores, tmp_path, answers, fmr):
    scores(answers)
    answer = run(*THRESHOLD, "--fmr", fmr)
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert not (tmp_path / "t.json").exists()


def test_a_threshold_is_of_one_system(run, scores):
    scores(as_real(crowd("a")), as_real(crowd("b", seed=1)))
    for words, code in (((), 2), (("--system", "aa"), 2), (("--system", "b"), 0)):
        assert run(*THRESHOLD, "--fmr", "0.1", *words).exit_code == code


def test_the_way_from_a_study_to_a_decision(run, photos, scripted, configured, scores, tmp_path):  # noqa: PLR0917
    answers = as_real(system_answers([99] * 10, (np.arange(3000) % 97).tolist()))
    scores(with_columns(answers, rule=ThresholdRule.AT_LEAST, scale="fake/v1"))
    assert run(*THRESHOLD, "--fmr", "0.05").exit_code == 0
    point, *_ = Calibration.read(tmp_path / "t.json").points
    configured('[profiles.desk]\nbackend = "fake"\ncalibration = "t.json"\n')
    words = ("verify", *photos, "--profile", "desk", "--max-fmr", "0.05")
    answer = run(*words)
    assert answer.exit_code == 1
    assert f"threshold at least {point.threshold:g}, calibrated" in answer.stdout
    scripted.score = 99.0
    assert run(*words).exit_code == 0
    for more, code in (
        ((*words[:-1], "0.1"), 2),
        ((*words, "--threshold", "50"), 2),
        (("verify", *photos, "--backend", "fake", "--max-fmr", "0.05"), 4),
        (("verify", *photos, "--max-fmr", "7"), 2),
    ):
        assert run(*more).exit_code == code
