"""`facematch compare report` and `gate`: what answers come to."""

import contextlib
import csv
import hashlib
import json
import shlex

import attrs
import pandas as pd
import pytest
from kit.comparison.reading import read_html
from kit.comparison.studies import write_study
from kit.comparison.tables import as_decisions, as_real, crowd, without_answers
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

REPORT = "compare report --scores s.csv --fmr 0.01"
GATE = "compare gate --requirements door.toml"
GATE_OF_SCORES = f"{GATE} --scores s.csv"
DOOR = 'max_fmr = 0.01\nmax_frr = 0.05\nleaves_out = "The weather."\n'

GOOD = crowd("good", people=80, mean=85)
BAD = crowd("bad", people=80, mean=45)
OPEN = as_real(crowd("open", people=30, mean=85))


@pytest.fixture
def door(tmp_path):
    """The file of requirements."""
    path = tmp_path / "door.toml"
    path.write_text(DOOR)
    return path


@pytest.fixture
def scores(tmp_path):
    """Writes answers to s.csv."""
    return lambda *answers: export(answers, tmp_path / "s.csv")


@pytest.fixture
def three(scores):
    """Scores of two systems, one of them a mock, and of one that gives decisions only."""
    one = attrs.evolve(crowd("one", people=60), environment=Environment.MOCK)
    two = crowd("two", people=60, mean=60, seed=2)
    scores(one, two, as_decisions(crowd("decides", people=60)))


@pytest.mark.usefixtures("three")
def test_page_json_and_stdout_agree(screens, tmp_path):
    with screens("report") as show:
        show("", f"{REPORT} --out made/report.html --out report.json")
    document = json.loads((tmp_path / "report.json").read_text())
    evaluation = evaluate(read_scores(tmp_path / "s.csv"), required_fmr=0.01, name="s")
    assert document["headline"] == evaluation.headline
    assert document["systems"] == json.loads(json.dumps(evaluation.to_dict()["systems"]))
    page = (tmp_path / "made" / "report.html").read_text()
    assert page.count("<table") == report_html(evaluation).count("<table")


def test_the_name_of_a_system_is_somebody_elses_text(run, scores):
    scores(crowd("a\x1b[31mb", people=30))
    assert "\x1b" not in run(REPORT).output


@pytest.mark.usefixtures("three")
def test_the_page_contains_the_notes_on_the_scores_without_folders(run, tmp_path):
    pd.read_csv("s.csv").assign(mood=1).to_csv("moods.csv", index=False)
    run(f"compare report --scores {shlex.quote(str(tmp_path / 'moods.csv'))} --out moods.html")
    page = (tmp_path / "moods.html").read_text()
    assert "&#39;mood&#39;" in page
    assert str(tmp_path) not in page


def test_an_error_is_json_if_the_answer_would_be(run_json):
    _, document = run_json("compare report --scores nothing.csv")
    assert document["error"]["class"] == "InvalidRequest"


@pytest.mark.usefixtures("three")
def test_a_report_overwrites_its_own_files_and_never_its_input(run, tmp_path):
    outputs = "--out r.html --out r.json --wrong w.csv --answers a.csv"
    assert run(f"{REPORT} {outputs}").exit_code == 0
    first_report = (tmp_path / "r.json").read_text()
    assert run(f"{REPORT} --fmr 0.02 {outputs}").exit_code == 0
    assert (tmp_path / "r.json").read_text() != first_report
    scores_before = (tmp_path / "s.csv").read_bytes()
    assert run(f"{REPORT} --answers s.csv").exit_code == 2
    assert (tmp_path / "s.csv").read_bytes() == scores_before


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize(
    "outputs",
    [
        "--csv same.csv --wrong same.csv",
        "--csv ./same.csv --answers same.csv",
        "--wrong same.csv --answers link.csv",
        "--out same.json --wrong same.json",
        "--out same.html --out same.html",
    ],
)
def test_two_outputs_to_one_file_are_refused(run, tmp_path, outputs):
    (tmp_path / "link.csv").symlink_to("same.csv")
    answer = run(f"{REPORT} {outputs}")
    assert answer.exit_code == 2
    option, _, other = outputs.split()[:3]
    assert f"which {option} writes" in " ".join(answer.stderr.split())
    assert other in answer.stderr
    assert not list(tmp_path.glob("same.*"))


@pytest.mark.parametrize("column", ["value", "method", "interval", "number"])
def test_groups_of_any_name_are_rows_of_the_table(run, scores, tmp_path, column):
    scores(crowd("one", people=60, grouped=True))
    frame = pd.read_csv("s.csv")
    of_groups = [name for name in frame if "group_number" in name]
    groups = dict(zip(sorted(set(frame[of_groups[0]])), ("value", "method"), strict=True))
    frame[of_groups] = frame[of_groups].map(groups.get)
    frame.columns = frame.columns.str.replace("group_number", f"group_{column}")
    frame.to_csv("s.csv", index=False)
    assert run(f"{REPORT} --csv all.csv").exit_code == 0
    rows = pd.read_csv(tmp_path / "all.csv").set_index("number")
    sizes = evaluate(read_scores(tmp_path / "s.csv")).study.groups[column]
    assert set(sizes) == {"value", "method"}
    for group, size in sizes.items():
        mated = rows.loc[f"study.groups.{column}.{group}.mated", "value"]
        assert mated == size.mated > 0


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize("output", ["--csv all.csv", "--wrong w.csv", "--answers a.csv"])
def test_the_page_is_written_before_a_table_that_cannot_be(run, tmp_path, monkeypatch, output):
    def disk_full(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("facematch_comparison.report.writing.export", disk_full)
    assert run(f"{REPORT} --out r.html --out r.json {output}").exit_code != 0
    assert (tmp_path / "r.html").stat().st_size
    assert json.loads((tmp_path / "r.json").read_text())["kind"] == "comparison"


TRUTH = "--scores truth.csv"
BOTH = f"{TRUTH} --scores bad.csv --scores good.csv"


@pytest.fixture
def two_files(tmp_path):
    """A file of scores for each of two systems, and one of the truth."""
    for answers in (GOOD, BAD):
        frame = answers.frame.rename(columns={"pair": "pair_id"})
        frame[["pair_id", "score"]].to_csv(tmp_path / f"{answers.name}.csv", index=False)
    truth = frame[["pair_id", "mated", "person_1", "person_2"]]
    truth.to_csv(tmp_path / "truth.csv", index=False)


@pytest.mark.usefixtures("two_files")
def test_several_files_are_several_systems(run_json, tmp_path):
    code, document = run_json(f"compare report {BOTH} --fmr 1/100")
    assert code == 0
    assert (document["study"]["name"], document["required_fmr"]) == ("bad + good", 0.01)
    assert [system["name"] for system in document["systems"]] == ["bad", "good"]
    assert document["differences"][0]["better"] == "good"
    digest = hashlib.sha256()
    for name in ("truth.csv", "bad.csv", "good.csv"):
        digest.update((tmp_path / name).read_bytes())
    assert document["evidence"]["file"] == "truth.csv + bad.csv + good.csv"
    assert document["evidence"]["sha256"] == digest.hexdigest()


@pytest.mark.usefixtures("two_files", "door")
@pytest.mark.parametrize(
    ("files", "code"),
    [
        # The last file alone was judged once, and the gate passed.
        pytest.param(BOTH, 1, id="both"),
        pytest.param(f"{TRUTH} --scores good.csv", 0, id="one"),
        pytest.param(f"{BOTH} --system good", 0, id="one of both"),
    ],
)
def test_the_gate_judges_every_file(run, files, code):
    assert run(f"{GATE} {files}").exit_code == code


SCORES = """image1,image2,same,probe_subject,reference_subject,score
=1.png,2.png,1,anna,anna,20
3.png,4.png,1,bert,bert,90
1.png,3.png,0,anna,bert,70
2.png,4.png,0,anna,bert,60
2.png,3.png,0,anna,bert,10
"""


def test_wrong_pairs_are_equal_in_csv_and_json_without_formulas(run, tmp_path):
    (tmp_path / "mine.csv").write_text(SCORES)
    report = "compare report --scores mine.csv --at-threshold mine=50"
    answer = run(f"{report} --wrong w.csv")
    assert answer.exit_code == 0, answer.output
    assert run(f"{report} --wrong w.json").exit_code == 0
    document = json.loads((tmp_path / "w.json").read_text())
    assert document["kind"] == "wrong pairs"
    assert [(row["pair"], row["score"]) for row in document["pairs"]] == [(2, 70), (3, 60), (0, 20)]
    with (tmp_path / "w.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["pair"] for row in rows] == ["2", "3", "0"]
    assert rows[-1]["probe"] == "'=1.png"


def test_nothing_wrong_is_a_table_without_a_line(run, tmp_path):
    (tmp_path / "mine.csv").write_text(SCORES.replace(",20", ",80"))
    report = "compare report --scores mine.csv"
    assert run(f"{report} --at-threshold mine=75 --wrong none.csv").exit_code == 0
    (head,) = (tmp_path / "none.csv").read_text().splitlines()
    # Nothing is wrong by a threshold that nobody can choose.
    assert run(f"{report} --fmr 1e-6 --wrong unknown.csv").exit_code == 3
    assert (tmp_path / "unknown.csv").read_text().splitlines() == [head]


def test_a_rate_that_is_unknown_is_shown_as_a_dash(run, tmp_path):
    """Few pairs support no threshold for this FMR, and the scores come without decisions."""
    (tmp_path / "mine.csv").write_text(SCORES)
    answer = run("compare report --scores mine.csv --fmr 1e-6")
    assert answer.exit_code == 3, answer.output
    (row,) = (line for line in answer.stdout.splitlines() if line.startswith("mine "))
    assert row.split() == ["mine", *"-----"]


@pytest.fixture
def finished_run(run, scripted, tmp_path):
    """A finished run of six pairs in study.sqlite3."""
    write_pairs_csv(tmp_path / "pairs.csv", write_study(tmp_path / "pictures"))
    assert run("compare run pairs.csv --backend fake --yes").exit_code == 0


REPORT_OF_RUN = "compare report --fmr 0.4"
NAMED = f"{REPORT_OF_RUN} --pairs pairs.csv --answers named.csv"


@pytest.mark.usefixtures("finished_run")
def test_a_run_is_proved_by_the_answers_that_are_written(run_json, tmp_path):
    _, document = run_json(f"{REPORT_OF_RUN} --answers a.csv")
    digest = hashlib.sha256((tmp_path / "a.csv").read_bytes()).hexdigest()
    assert document["evidence"]["sha256"] == digest
    assert document["evidence"]["file"] == "study.sqlite3"
    assert document["study"]["digest"]


@pytest.mark.usefixtures("finished_run")
def test_people_and_pictures_of_a_run_are_named_only_on_request(run, tmp_path):
    assert run(f"{REPORT_OF_RUN} --answers a.csv --wrong w.csv").exit_code == 0
    assert "Anna" not in (tmp_path / "a.csv").read_text()
    assert "Anna" not in (tmp_path / "w.csv").read_text()
    run(NAMED)
    assert "Anna 0" in (tmp_path / "named.csv").read_text()
    with contextlib.closing(RunDatabase("sqlite:///study.sqlite3")) as database:
        (stored,) = read_answers(database)
    (named,) = read_scores(tmp_path / "named.csv")
    assert named.scores.tolist() == stored.scores.tolist()


@pytest.mark.usefixtures("finished_run")
def test_other_pictures_under_the_same_names_would_show_the_wrong_people(run, tmp_path):
    (tmp_path / "pictures" / "Anna-1-a.jpg").write_bytes(picture((1, 2, 3)).data)
    answer = run(NAMED)
    assert answer.exit_code == 2
    assert "is not the test set" in answer.stderr


@pytest.mark.usefixtures("three")
def test_invalid_arguments_of_report(refused):
    year = "--calls-per-year 1000 --impostors 0.1"
    options = [
        "--out x.pdf",
        "--out x --store s",
        "--column mated",
        "--below x",
        "--at-threshold one",
        "--at-threshold one=high",
        "--at-threshold c=1",
        "--wrong w.html",
        "--answers a.json",
        "--calls-per-year 1000",
        "--impostors 0.1",
        "--cost-false-match 5",
        "--currency USD",
        f"{year} --cost-false-match 5",
        f"{year} --currency USD",
        f"{year} --cost-false-match 5 --cost-false-reject 1 --currency euros",
    ]
    of_scores = [f"--scores s.csv {option}" for option in options]
    without_scores = "--independent-pairs --no-score 0 --column mated=same"
    refused("report", "", "--rule above", without_scores, *of_scores)


REPORT_OF_YEAR = f"{REPORT} --calls-per-year 1000000 --impostors 1/100"
COSTS = "--cost-false-match 200 --cost-false-reject 3"


@pytest.fixture
def dear_and_free(scores):
    """Scores of two systems, one of which has a price in euros."""
    dear = attrs.evolve(as_real(crowd("dear", people=60)), currency="EUR", price=0.5)
    scores(dear, crowd("free", people=60, mean=60, seed=2))


@pytest.mark.usefixtures("dear_and_free")
def test_costs_are_in_the_currency_of_the_prices_if_there_is_one(run_json):
    _, document = run_json(f"{REPORT_OF_YEAR} {COSTS}")
    costs = {"false_match": 200.0, "false_reject": 3.0, "currency": "EUR"}
    traffic = {"calls_per_year": 1_000_000, "impostors": 0.01, "costs": costs}
    assert document["traffic"] == traffic
    dear, free = document["systems"]
    assert dear["year"]["cost_of_calls"] == 500_000
    assert free["year"]["cost"] is None
    _, in_dollars = run_json(f"{REPORT_OF_YEAR} {COSTS} --currency USD")
    assert in_dollars["systems"][0]["year"]["cost"] is None


@pytest.mark.usefixtures("dear_and_free")
def test_a_year_is_told_in_text_and_page(run, run_json, tmp_path):
    _, document = run_json(f"{REPORT_OF_YEAR} {COSTS}")
    answer = " ".join(run(f"{REPORT_OF_YEAR} {COSTS} --out year.html").stdout.split())
    root = read_html((tmp_path / "year.html").read_text())
    section = next(each for each in root.all("section") if each.attributes["id"] == "year")
    rows = [next(row.all("th")).text().strip() for row in section.all("tr")]
    assert rows[1:] == ["dear", "free"]
    for system in document["systems"]:
        assert system["year"]["sentence"] in answer
    options = document["evidence"]["options"]
    assert options["--calls-per-year"] == ["1000000"]
    assert options["--cost-false-match"] == ["200"]


@pytest.mark.usefixtures("three")
def test_all_numbers_are_written_as_a_table(run, run_json, tmp_path):
    _, document = run_json(f"{REPORT} --csv made/all.csv")
    frame = pd.read_csv(tmp_path / "made" / "all.csv", dtype={"case": "string"})
    for system in document["systems"]:
        rows = frame[frame["system"] == system["name"]].set_index("number")
        point = system["at_required"] or system["at_default"]
        frr = rows.loc["at_required.frr" if system["at_required"] else "at_default.frr"]
        assert (frr["value"], frr["errors"], frr["low"]) == (
            point["frr"]["value"],
            point["frr"]["errors"],
            point["frr"]["interval"]["low"],
        )
        curve = system["curve"]
        points = rows[rows.index == "curve.fnmr"]
        assert points["value"].tolist() == (curve["fnmr"] if curve else [])
    assert run(f"{REPORT} --csv all.json").exit_code == 2
    assert run(f"{REPORT} --csv s.csv").exit_code == 2  # the file that is read


@pytest.mark.usefixtures("door")
def test_gate_verdicts_of_one_and_several_systems(run_json, scores, screens):
    with screens("gate") as show:
        for systems, code, outcome in (
            ([GOOD], 0, "pass"),
            ([BAD], 1, "fail"),
            ([OPEN], 3, "inconclusive"),
            ([GOOD, BAD], 1, "fail"),
        ):
            scores(*systems)
            answer = show(f"{outcome} of {len(systems)}", GATE_OF_SCORES, code=code)
            assert answer.stdout.splitlines()[-1].split()[0] == outcome.upper()
            _, document = run_json(GATE_OF_SCORES)
            assert (document["outcome"], document["kind"]) == (outcome, "verdict")


def test_calls_without_an_answer_have_a_column(run, scores):
    scores(without_answers(crowd("one", people=60), range(9)), crowd("two", people=60))
    lines = run(REPORT).output.splitlines()
    titles, one, two = (line for line in lines if line.startswith(("system ", "one ", "two ")))
    calls = int(two.split()[-1].replace(",", ""))
    assert titles.endswith("  answered")
    assert one.split()[-3:] == [f"{calls - 9:,}", "of", f"{calls:,}"]


@pytest.mark.usefixtures("door")
def test_gate_at_the_threshold_in_production(run, scores):
    scores(GOOD)
    answer = run(f"{GATE_OF_SCORES} --at-threshold {GOOD.name}=99")
    assert (answer.exit_code, "at the threshold 99:" in answer.stdout) == (1, True)


@pytest.mark.usefixtures("door")
def test_gate_says_how_many_calls_have_no_answer(run, scores):
    scores(without_answers(GOOD, range(9)))
    answer = run(GATE_OF_SCORES)
    assert (answer.exit_code, "note: 9 of" in answer.stderr) == (0, True)


@pytest.mark.usefixtures("door")
def test_invalid_arguments_of_gate(refused, scores):
    scores(GOOD)
    door = "--requirements door.toml "
    of_scores = f"{door} --scores s.csv"
    refused(
        "gate",
        "",
        "--requirements no-such",
        door,
        f"{of_scores} --store x",
        f"{of_scores} --system god",
    )


@pytest.mark.usefixtures("door")
def test_gate_accepts_a_mock_only_with_allow_mock(run, scores):
    practice = attrs.evolve(as_real(GOOD), environment=Environment.SANDBOX)
    scores(practice, as_real(crowd("real", people=80, mean=85)))
    answer = run(GATE_OF_SCORES)
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert "--allow-mock" in answer.stderr
    assert run(f"{GATE_OF_SCORES} --allow-mock").exit_code == 0
    assert run(f"{GATE_OF_SCORES} --system real").exit_code == 0


@pytest.mark.parametrize("option", ["--wrong", "--answers"])
def test_output_file_without_a_suffix_is_refused_before_the_evaluation(
    run, scores, monkeypatch, option
):
    scores(GOOD)
    monkeypatch.setattr("facematch_comparison.judging.evaluation.evaluate", None)
    answer = run(f"{REPORT} {option} written")
    assert (answer.exit_code, "written.csv" in answer.stderr) == (2, True)
