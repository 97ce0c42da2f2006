"""`facematch compare report`: a page, a document, and what is refused."""

import json

import pytest
from core.comparison.report.samples import Pairs
from core.comparison.running.studies import entered
from core.comparison.tables import changed, crowd

from facematch_core import Environment
from facematch_core.cli import _app
from facematch_core.comparison._json import from_document
from facematch_core.comparison._scores_csv import write_scores
from facematch_core.comparison.report import report_html
from facematch_core.comparison.running import Journal
from facematch_core.comparison.study import split_by_subject


@pytest.fixture(autouse=True)
def _compare(monkeypatch):
    """The command."""
    monkeypatch.setitem(_app.COMMANDS, "compare", "compare")


@pytest.fixture
def scores(tmp_path):
    """A file of scores of two contenders, one of them a mock."""
    pairs = Pairs(40, 200, 400)
    path = tmp_path / "autumn.csv"
    one = pairs.answers("one", environment=Environment.MOCK)
    write_scores(path, [one, pairs.answers("decides", seed=2, scored=False)])
    return path


def test_page_and_document_say_the_same(run, scores, tmp_path):
    """Both are written, and the page is that of the document."""
    answer = run(
        *("compare", "report", "--scores", scores, "--fmr", "0.01"),
        *("--out", "made/report.html", "--out", "report.json"),
    )
    assert answer.exit_code == 0, answer.output
    evaluation = from_document(json.loads((tmp_path / "report.json").read_text()))
    assert (tmp_path / "made" / "report.html").read_text() == report_html(evaluation)
    assert evaluation.study.name == "autumn"
    assert evaluation.required_fmr == 0.01
    assert [one.name for one in evaluation.contenders] == ["one", "decides"]
    lines = answer.stdout.splitlines()
    assert lines[0].startswith("one: ")
    assert lines[0].endswith("at its threshold for an FMR of 1 %")
    assert lines[1] == f"decides: {evaluation.contenders[1].why_not}"
    assert lines[2:] == ["written to made/report.html", "written to report.json"]


def test_options_reach_the_evaluation(run, scores, tmp_path):
    """Confidence, division and its seed."""
    words = ("compare", "report", "--scores", scores, "--out")
    assert run(*words, "a.json", "--confidence", "0.9", "--no-split").exit_code == 0
    undivided = json.loads((tmp_path / "a.json").read_text())
    assert undivided["confidence"] == 0.9
    assert undivided["study"]["development"] is None
    thresholds = set()
    for seed in range(4):
        assert run(*words, "b.json", "--seed", seed, "--fmr", "0.05", "--force").exit_code == 0
        document = json.loads((tmp_path / "b.json").read_text())
        thresholds.add(document["contenders"][0]["at_required"]["threshold"])
    assert len(thresholds) > 1


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "Name a file with --out"),
        (["--out", "x", "--out", "x"], "name the same file"),
        (["--out", "x.pdf"], "--out writes .html or .json"),
        (["--out", "there.html"], "--force"),
        (["--out", "x", "--fmr", "0"], "--fmr must be a rate"),
        (["--out", "x", "--confidence", "1"], "--confidence"),
        (["--out", "x", "--store", "s"], "--scores goes without"),
    ],
)
def test_what_is_refused(run, scores, tmp_path, words, sentence):
    """Before anything is read, in one sentence; no file is made."""
    (tmp_path / "there.html").write_text("mine")
    before = sorted(tmp_path.iterdir())
    answer = run("compare", "report", "--scores", scores, *words)
    assert answer.exit_code == 2
    assert sentence in answer.stderr
    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "there.html").read_text() == "mine"


def test_a_store_that_is_not_there(run, tmp_path):
    """A name that is mistyped makes no store."""
    answer = run("compare", "report", "--store", "nothing.sqlite3", "--out", "x.html")
    assert answer.exit_code == 2
    assert "nothing.sqlite3" in answer.stderr
    assert not [*tmp_path.iterdir()]


def test_a_store(run, tmp_path):
    """What `compare run` has written so far, also before the first answer."""
    journal = Journal(f"sqlite:///{tmp_path}/study.sqlite3")
    entered(journal, pairs=20)
    journal.close()
    words = ("compare", "report", "--store", "study.sqlite3", "--out", "x.html", "--out", "x.json")
    answer = run(*words)
    assert answer.exit_code == 0, answer.output
    document = json.loads((tmp_path / "x.json").read_text())
    assert document["study"]["name"] == "people"
    assert document["study"]["digest"] == "0" * 64
    (contender,) = document["contenders"]
    assert contender["service"]["not_answered"] == {"not asked": 20}
    assert "not asked" in (tmp_path / "x.html").read_text()


def test_json_prints_the_document(run, run_json, scores, tmp_path):
    """As it is written; an error is a document, too."""
    words = ("compare", "report", "--scores", scores)
    code, document = run_json(*words, "--out", "a.json")
    assert code == 0
    assert document == json.loads((tmp_path / "a.json").read_text())
    other = run("compare", "report", "--scores", "nothing.csv", "--json")
    assert json.loads(other.stdout)["error"]["class"] == "InvalidRequest"


def test_who_lets_in_more_than_should_be_is_told_with_it(run, tmp_path):
    """The half of the people that chose a threshold was luckier than the one that is judged."""
    one = crowd(people=80, others=60, seed=1)
    scores = one.table.scores.copy()
    _, test = split_by_subject(one.table.probe_subjects, one.table.reference_subjects)
    scores[test & ~one.table.mated] += 25
    write_scores(tmp_path / "odd.csv", [changed(one, scores=scores.clip(0, 100))])
    answer = run("compare", "report", "--scores", "odd.csv", "--fmr", "0.01", "--out", "a.json")
    assert answer.exit_code == 0, answer.output
    told = json.loads((tmp_path / "a.json").read_text())["contenders"][0]["at_required"]["fmr"]
    assert told["interval"]["low"] > 0.01
    first = answer.stdout.splitlines()[0]
    assert " at its threshold for an FMR of 1 %, where it lets in " in first
    assert first.endswith("): more than that")
