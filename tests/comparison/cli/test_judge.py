"""`facematch compare report` and `gate`: what answers come to."""

import csv
import hashlib
import json

import attrs
import pandas as pd
import pytest
from kit.comparison.studies import write_study
from kit.comparison.tables import as_decisions, as_real, crowd, in_transactions, without_answers
from kit.fakes import picture

from facematch_comparison import (
    RunDatabase,
    evaluate,
    export,
    read_answers,
    read_scores,
    report_html,
)
from facematch_comparison.study.reading import write_pairs_csv
from facematch_core import Environment

REPORT = ("compare", "report", "--scores", "s.csv", "--fmr", "0.01")


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
def test_page_json_and_stdout_agree(run, screens, tmp_path):
    outs = ("--out", "made/report.html", "--out", "report.json")
    with screens("report") as show:
        show("", *REPORT, *outs)
    written = json.loads((tmp_path / "report.json").read_text())
    page = (tmp_path / "made" / "report.html").read_text()
    evaluation = evaluate(read_scores(tmp_path / "s.csv"), required_fmr=0.01, name="s")
    assert written["headline"] == evaluation.headline
    assert written["systems"] == json.loads(json.dumps(evaluation.to_dict()["systems"]))
    assert page.count("<table") == report_html(evaluation).count("<table")
    # The name of a system is somebody else's text.
    export([crowd("a\x1b[31mb", people=30)], tmp_path / "odd.csv")
    assert "\x1b" not in run("compare", "report", "--scores", "odd.csv", "--fmr", "0.01").output
    # The page contains the notes on the scores, without folders.
    pd.read_csv("s.csv").assign(mood=1).to_csv("moods.csv", index=False)
    run("compare", "report", "--scores", tmp_path / "moods.csv", "--out", "moods.html")
    page = (tmp_path / "moods.html").read_text()
    assert "&#39;mood&#39;" in page
    assert str(tmp_path) not in page
    error = json.loads(run("compare", "report", "--scores", "nothing.csv", "--json").stdout)
    assert error["error"]["class"] == "InvalidRequest"


@pytest.mark.usefixtures("three")
def test_a_report_overwrites_its_own_files_and_never_its_input(run, tmp_path):
    outs = ("--out", "r.html", "--out", "r.json", "--wrong", "w.csv", "--answers", "a.csv")
    assert run(*REPORT, *outs).exit_code == 0
    first = (tmp_path / "r.json").read_text()
    assert run(*REPORT, "--fmr", "0.02", *outs).exit_code == 0
    assert (tmp_path / "r.json").read_text() != first
    before = (tmp_path / "s.csv").read_bytes()
    assert run(*REPORT, "--answers", "s.csv").exit_code == 2
    assert (tmp_path / "s.csv").read_bytes() == before


def test_several_files_are_several_systems(run, run_json, tmp_path):
    """The last file alone was judged once, and the gate passed."""
    good, bad = crowd("good", people=80, mean=85), crowd("bad", people=80, mean=45)
    for answers in (good, bad):
        frame = answers.frame.rename(columns={"pair": "pair_id"})
        frame[["pair_id", "score"]].to_csv(tmp_path / f"{answers.name}.csv", index=False)
    truth = frame[["pair_id", "mated", "person_1", "person_2"]]
    truth.to_csv(tmp_path / "truth.csv", index=False)
    files = ("--scores", "truth.csv", "--scores", "bad.csv", "--scores", "good.csv")
    code, document = run_json("compare", "report", *files, "--fmr", "1/100")
    assert (document["study"]["name"], document["required_fmr"]) == ("bad + good", 0.01)
    assert (code, [system["name"] for system in document["systems"]]) == (0, ["bad", "good"])
    assert document["differences"][0]["better"] == "good"
    digest = hashlib.sha256(b"".join((tmp_path / name).read_bytes() for name in files[1::2]))
    evidence = document["evidence"]
    assert (evidence["file"], evidence["sha256"]) == (
        "truth.csv + bad.csv + good.csv",
        digest.hexdigest(),
    )
    (tmp_path / "door.toml").write_text("max_fmr = 0.01\nmax_frr = 0.05\n")
    gate = ("compare", "gate", "--requirements", "door.toml")
    assert run(*gate, *files).exit_code == 1
    assert run(*gate, *files[:2], *files[4:]).exit_code == 0
    assert run(*gate, *files, "--system", "good").exit_code == 0


SCORES = """image1,image2,same,probe_subject,reference_subject,score
=1.png,2.png,1,anna,anna,20
3.png,4.png,1,bert,bert,90
1.png,3.png,0,anna,bert,70
2.png,4.png,0,anna,bert,60
2.png,3.png,0,anna,bert,10
"""


def test_wrong_pairs_are_equal_in_csv_and_json_without_formulas(run, tmp_path):
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
    # Nothing wrong is a table without a line.
    (tmp_path / "mine.csv").write_text(SCORES.replace(",20", ",80"))
    assert run(*words[:-1], "mine=75", "--wrong", "none.csv").exit_code == 0
    assert len((tmp_path / "none.csv").read_text().splitlines()) == 1


def test_a_rate_that_is_unknown_is_shown_as_a_dash(run, tmp_path):
    """Few pairs support no threshold for this FMR, and the scores come without decisions."""
    (tmp_path / "mine.csv").write_text(SCORES)
    answer = run("compare", "report", "--scores", "mine.csv", "--fmr", "1e-6")
    assert answer.exit_code == 3, answer.output
    (row,) = (line for line in answer.stdout.splitlines() if line.startswith("mine "))
    assert row.split() == ["mine", *"-----"]


def test_people_and_pictures_of_a_run_are_named_only_on_request(run, run_json, scripted, tmp_path):
    write_pairs_csv(tmp_path / "pairs.csv", write_study(tmp_path / "pictures"))
    assert run("compare", "run", "pairs.csv", "--backend", "fake", "--yes").exit_code == 0
    report = ("compare", "report", "--fmr", "0.4")
    _, document = run_json(*report, "--answers", "bare.csv", "--wrong", "bare-wrong.csv")
    bare = (tmp_path / "bare.csv").read_bytes()
    # A run is proved by the answers that are written.
    assert document["evidence"]["sha256"] == hashlib.sha256(bare).hexdigest()
    assert document["evidence"]["file"] == "study.sqlite3"
    assert document["study"]["digest"]
    assert b"Anna" not in bare + (tmp_path / "bare-wrong.csv").read_bytes()
    named = (*report, "--pairs", "pairs.csv", "--answers", "named.csv")
    run(*named)
    assert "Anna 0" in (tmp_path / "named.csv").read_text()
    (stored,) = read_answers(database := RunDatabase("sqlite:///study.sqlite3"))
    database.close()
    (read,) = read_scores(tmp_path / "named.csv")
    assert read.scores.tolist() == stored.scores.tolist()
    # Other pictures under the same names would show the wrong people.
    (tmp_path / "pictures" / "Anna-1-a.jpg").write_bytes(picture((1, 2, 3)).data)
    other = run(*named)
    assert (other.exit_code, "is not the test set" in other.stderr) == (2, True)


@pytest.mark.usefixtures("three")
def test_invalid_arguments_of_report(refused):
    lines = ["--out x.pdf", "--confidence 0.5", "--out x --store s", "--column mated", "--below x"]
    lines += ["--at-threshold one", "--at-threshold one=high", "--at-threshold c=1"]
    lines += ["--wrong w.html", "--answers a.json"]
    of_scores = "--independent-pairs --no-score 0 --column mated=same"
    with_scores = [f"--scores s.csv {words}" for words in lines]
    years = ["--calls-per-year 1000", "--impostors 0.1", "--cost-false-match 5", "--currency USD"]
    year = "--calls-per-year 1000 --impostors 0.1"
    years += [f"{year} --cost-false-match 5", f"{year} --currency USD", "--curve x.json"]
    with_scores += [f"--scores s.csv {words}" for words in years]
    refused("report", "", "--rule above", of_scores, *with_scores)


YEAR = ("--calls-per-year", "1000000", "--impostors", "1/100")
ERRORS = ("--cost-false-match", "200", "--cost-false-reject", "3")


def test_a_year_is_told_in_json_text_and_page(run, run_json, scores, tmp_path):
    dear = attrs.evolve(as_real(crowd("dear", people=60)), currency="EUR", price=0.5)
    scores(dear, crowd("free", people=60, mean=60, seed=2))
    words = (*REPORT, *YEAR, *ERRORS, "--out", "year.html")
    _, document = run_json(*words)
    # Costs are in the currency of the prices, if there is one.
    costs = {"false_match": 200.0, "false_reject": 3.0, "currency": "EUR"}
    traffic = {"calls_per_year": 1_000_000, "impostors": 0.01, "costs": costs}
    assert document["traffic"] == traffic
    first, second = document["systems"]
    assert first["year"]["cost_of_calls"] == 500_000
    assert second["year"]["cost"] is None
    answer = " ".join(run(*words).stdout.split())
    page = (tmp_path / "year.html").read_text()
    assert "A year of calls" in page
    for system in (first, second):
        assert system["year"]["sentence"] in answer
        assert f'data-path="systems.{document["systems"].index(system)}.year' in page
    options = document["evidence"]["options"]
    assert options["--calls-per-year"] == ["1000000"]
    assert options["--cost-false-match"] == ["200"]
    _, in_dollars = run_json(*words, "--currency", "USD")
    assert in_dollars["systems"][0]["year"]["cost"] is None
    _, without_costs = run_json(*REPORT, *YEAR)
    assert without_costs["systems"][0]["year"]["cost_of_errors"] is None
    assert run_json(*REPORT)[1]["traffic"] is None


def test_worst_people_stand_beside_each_other_if_a_difference_is_significant(run, scores):
    good, bad = crowd("good", people=80, mean=85), crowd("bad", people=80, mean=45)
    scores(good, bad)
    assert "worst person" in run(*REPORT).stdout
    scores(good, attrs.evolve(good, name="same"))
    assert "worst person" not in run(*REPORT).stdout


@pytest.mark.usefixtures("three")
def test_curves_are_written_for_each_system_with_scores(run, run_json, tmp_path):
    _, document = run_json(*REPORT, "--curve", "curve.csv")
    assert run(*REPORT, "--curve", "curve.parquet").exit_code == 0
    frame = pd.read_csv(tmp_path / "curve.csv")
    pd.testing.assert_frame_equal(
        frame, pd.read_parquet(tmp_path / "curve.parquet"), check_dtype=False
    )
    for system in document["systems"]:
        rows = frame[frame["system"] == system["name"]].drop(columns="system")
        if system["curve"] is None:
            assert rows.empty
            continue
        assert rows["threshold"].is_monotonic_increasing
        assert rows["threshold"].tolist() == sorted(system["curve"]["thresholds"])
        # Each row is a point of the curve, with its bounds.
        point = rows.iloc[len(rows) // 2]
        number = system["curve"]["thresholds"].index(point["threshold"])
        for name in rows.columns.drop("threshold"):
            assert point[name] == system["curve"][name][number]
    decisions_only = ["system", "threshold", "fmr", "fmr_low", "fmr_high", "fnmr", "fnmr_low"]
    decisions_only += ["fnmr_high", "frr", "frr_low", "frr_high"]
    export([as_decisions(crowd("decides", people=60))], tmp_path / "d.csv")
    run("compare", "report", "--scores", "d.csv", "--curve", "none.csv")
    (line,) = (tmp_path / "none.csv").read_text().splitlines()
    assert line.replace('"', "").split(",") == decisions_only


DOOR = 'max_fmr = 0.01\nmax_frr = 0.05\nleaves_out = "The weather."\n'
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


def test_gate_verdicts_of_one_and_several_systems(run, run_json, gate, screens):
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


def test_calls_without_an_answer_have_a_column(run, scores):
    scores(without_answers(crowd("one", people=60), range(9)), crowd("two", people=60))
    lines = run(*REPORT).output.splitlines()
    titles, one, two = (line for line in lines if line.startswith(("system ", "one ", "two ")))
    calls = int(two.split()[-1].replace(",", ""))
    assert titles.endswith("  answered")
    assert one.split()[-3:] == [f"{calls - 9:,}", "of", f"{calls:,}"]


def test_gate_judges_transactions_by_the_requirement_file(run, tmp_path, scores):
    scores(in_transactions(crowd("good", people=150, mated=3, others=60, mean=62), 3))
    for tries, words in ((1, "1 attempt"), (2, "2 attempts"), (None, "3 attempts")):
        aims = ("--scores", "s.csv", "--fmr", "0.002", "--confidence", "0.9")
        answer = run("compare", "report", *aims, *(("--attempts", str(tries)) if tries else ()))
        (line,) = (line for line in answer.stdout.splitlines() if "transactions" in line)
        assert line.startswith(f"good, transactions of up to {words}: FMR ")
    for counts, code in (('"transactions"\nattempts = 3', 0), ('"attempts"', 3)):
        (tmp_path / "door.toml").write_text(f"{DOOR}\ncounts = {counts}\n")
        answer = run(*GATE, "--scores", "s.csv")
        assert answer.exit_code == code
        assert (" in transactions of up to 3 attempts: " in answer.stdout) is (code == 0)


def test_invalid_arguments_of_gate(gate, refused):
    gate(GOOD)
    of_door = (f"--requirements door.toml {words}" for words in ("", "--scores s.csv --store x"))
    refused("gate", "", "--requirements no-such", *of_door)


def test_gate_accepts_a_mock_only_with_allow_mock(run, gate):
    for environment in (Environment.MOCK, Environment.SANDBOX):
        practice = attrs.evolve(as_real(GOOD), environment=environment)
        words = gate(practice, as_real(crowd("real", people=80, mean=85)))
        answer = run(*words)
        assert (answer.exit_code, answer.stdout) == (2, "")
        assert "--allow-mock" in answer.stderr
        assert run(*words, "--allow-mock").exit_code == 0
        assert run(*words, "--system", "real").exit_code == 0


def test_answers_of_two_models_need_the_model_option(run, tmp_path):
    frame = GOOD.frame[["pair", "mated", "person_1", "person_2", "score"]]
    frame = frame.assign(model=["v1"] * (len(frame) - 40) + ["v2"] * 40, error="")
    frame.to_csv(tmp_path / "good.csv", index=False)
    (tmp_path / "door.toml").write_text(DOOR)
    words = (*GATE, "--scores", "good.csv")
    answer = run(*words)
    assert (answer.exit_code, "--model 'v1'" in answer.stderr) == (2, True)
    assert run(*words, "--model", "v1").exit_code == 0
