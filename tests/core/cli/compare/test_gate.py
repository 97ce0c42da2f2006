"""`facematch compare gate`: three verdicts, each with an exit code of its own."""

import json

import attrs
import pytest
from core.comparison.running.studies import entered
from core.comparison.tables import answers, crowd, real

from facematch_core import Charged, Decision, Environment
from facematch_core.cli import _app
from facematch_core.comparison._evaluate import Asked, evaluate
from facematch_core.comparison._json import to_document
from facematch_core.comparison._scores_csv import write_scores
from facematch_core.comparison.running import Journal, PairState
from facematch_core.comparison.running._records import Outcome

DOOR = 'title = "Our door"\nmax_fmr = 0.01\nmax_fnmr = 0.05\nleaves_out = "The weather."\n'


@pytest.fixture(autouse=True)
def _compare(monkeypatch, tmp_path):
    """The command, and a profile in the current folder."""
    monkeypatch.setitem(_app.COMMANDS, "compare", "compare")
    (tmp_path / "door.toml").write_text(DOOR)


@pytest.fixture
def scores(tmp_path):
    """Writes answers to scores.csv."""

    def write(*made):
        write_scores(tmp_path / "scores.csv", made)
        return ("compare", "gate", "--scores", "scores.csv", "--profile", "door.toml")

    return write


GOOD, BAD = crowd("good", mean=85, others=60), crowd("bad", mean=45, others=60)
OPEN = attrs.evolve(real(crowd("open", people=30, mean=85)), price=0.05)


@pytest.mark.parametrize(
    ("made", "code", "word"), [(GOOD, 0, "PASS"), (BAD, 1, "FAIL"), (OPEN, 3, "INCONCLUSIVE")]
)
def test_three_verdicts(run, scores, made, code, word):
    """The word and the sentence on stdout; what else there is to know on stderr."""
    answer = run(*scores(made))
    assert answer.exit_code == code
    assert answer.stdout.startswith(f"{word}  {made.table.name} at the threshold ")
    assert answer.stderr == "The weather.\n"
    assert ("comparisons of new people, about " in answer.stdout) is (code == 3)


def test_of_several(run, scores):
    """Each has a line, and all of them together one; --contender leaves others out."""
    other = crowd("good", mean=85, others=60)
    words = scores(other, crowd("bad", mean=45, others=60))
    answer = run(*words)
    assert answer.exit_code == 1
    lines = answer.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["PASS", "FAIL", "FAIL"]
    assert lines[-1] == "FAIL  all of them, by Our door"
    assert run(*words, "--contender", "good").exit_code == 0
    wrong = run(*words, "--contender", "god")
    assert (wrong.exit_code, wrong.stdout) == (2, "")
    assert "did you mean good?" in wrong.stderr


def test_json(run_json, scores):
    """The whole verdict; the exit code is the same."""
    code, document = run_json(*scores(OPEN))
    assert (code, document["outcome"], document["kind"]) == (3, "inconclusive", "verdict")
    assert document["profile"]["title"] == "Our door"
    (one,) = document["contenders"]
    assert one["cost"] == pytest.approx(0.05 * one["more"])


def test_a_report(run, scores, tmp_path):
    """What was concluded before gives the same verdict, if it was for the same FMR."""
    path = tmp_path / "report.json"
    for fmr, code in ((2e-3, 0), (1e-3, 2)):
        document = to_document(evaluate([GOOD], Asked(required_fmr=fmr)))
        path.write_text(json.dumps(document))
        answer = run("compare", "gate", "--report", path, "--profile", "door.toml")
        assert answer.exit_code == code
    assert "chose thresholds for an FMR of 0.001, and the profile door judges" in answer.stderr


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"kind": "match"}', None])
def test_what_is_no_report(run, tmp_path, content):
    """Wrong usage, in one sentence."""
    path = tmp_path / "report.json"
    if content is not None:
        path.write_bytes(content)
    answer = run("compare", "gate", "--report", path, "--profile", "door.toml")
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert answer.stderr.splitlines()[-1].startswith("error: ")


def answered(is_match):
    """What the journal keeps of a pair that was answered."""
    return Outcome(
        state=PairState.ANSWERED,
        billed=Charged.YES,
        decision=Decision.MATCH if is_match else Decision.NO_MATCH,
        score=90.0 if is_match else 10.0,
        scale="fake/v1",
        environment=Environment.PRODUCTION,
        backend="fake",
    )


def test_a_store(run, tmp_path):
    """Where `compare run` wrote: nothing is asked again."""
    address = f"sqlite:///{tmp_path}/study.sqlite3"
    journal = Journal(address)
    one = entered(journal, pairs=400)
    journal.fix_origin(one.number, "fake/v1", Environment.PRODUCTION)
    claims = journal.claim(one.number, 400)
    for claim in claims:
        assert journal.ask(claim)
    # Every second pair is mated, and all of them are answered rightly.
    assert all(journal.end([(claim, answered(claim.pair % 2 == 1)) for claim in claims]))
    journal.close()
    (tmp_path / "own.toml").write_text(
        'title = "At its own threshold"\nmax_fmr = 0.3\nmax_fnmr = 0.3\nat = "default"\n'
    )
    words = ("compare", "gate", "--profile", "own.toml")
    assert run(*words).exit_code == run(*words, "--store", address).exit_code == 0
    answer = run(*words, "--study", "others")
    assert answer.exit_code == 2
    assert "no such study; there are: people." in answer.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "--profile"),
        (("--profile", "door.toml"), "there is no file 'study.sqlite3'"),
        (("--profile", "no-such"), "There is no profile 'no-such' of requirements"),
        (
            ("--profile", "door.toml", "--scores", "s.csv", "--store", "x"),
            "--scores goes without --store and --study",
        ),
        (
            ("--profile", "door.toml", "--report", "r.json", "--study", "x"),
            "--report goes without --store, --study and --scores",
        ),
    ],
)
def test_wrong_usage(run, words, told):
    """Is told before anything is read."""
    answer = run("compare", "gate", *words)
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert told in answer.stderr


def test_a_mock(run, scores):
    """A gate that a mock passes says nothing, so that it is asked for."""
    words = scores(attrs.evolve(real(GOOD), environment=Environment.MOCK))
    answer = run(*words)
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert "good answered from a mock, which says nothing" in answer.stderr
    assert run(*words, "--allow-mock").exit_code == 0


def test_sp800_63a(run, tmp_path):
    """The profile that comes along: two hundred pairs cannot show it, and what would is told."""
    write_scores(tmp_path / "s.csv", [answers([90] * 100, [10] * 100)])
    answer = run("compare", "gate", "--scores", "s.csv", "--profile", "sp800-63a")
    assert answer.exit_code == 3
    assert "(limit 0.0001)" in answer.stdout
    assert "section 3.1.11" in answer.stderr
