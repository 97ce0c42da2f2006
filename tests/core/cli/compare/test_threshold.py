"""`facematch compare threshold`: a file that verifiers read, or one sentence why not."""

import attrs
import numpy as np
import pytest
from core.comparison.tables import answers, changed, crowd, decided, real

from facematch_core import Calibration, Environment, ThresholdRule
from facematch_core.cli import _app
from facematch_core.comparison._scores_csv import write_scores
from facematch_core.comparison.metrics import threshold_for_fmr

WORDS = ("compare", "threshold", "--scores", "scores.csv", "--out", "t.json")


@pytest.fixture(autouse=True)
def _compare(monkeypatch):
    monkeypatch.setitem(_app.COMMANDS, "compare", "compare")


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
    assert made.chosen_on.startswith("all pairs of the study")
    for point in made.points:
        choice = threshold_for_fmr(one.table, point.max_fmr)
        assert (point.threshold, point.upper) == (choice.threshold, choice.upper)
        assert (point.errors, point.trials) == (choice.fmr.errors, 12_000)
        assert not point.is_bounded
    first, second, last = answer.stdout.splitlines()
    assert first.startswith(f"FMR 0.01: threshold {made.points[0].threshold:g} (fake/v1); 1")
    assert "of 12,000 pairs of different people pass, so the true FMR is below 0.01" in first
    assert second.startswith("FMR 0.001: ")
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


def test_json(run_json, tmp_path):
    """What is written is also printed."""
    write_scores(tmp_path / "scores.csv", [real(crowd(others=60))])
    code, document = run_json(*WORDS, "--fmr", "1e-2", "--valid-days", 90)
    assert code == 0
    made = Calibration.from_dict(document)
    assert made == Calibration.read(tmp_path / "t.json")
    assert (made.expires_at - made.made_at).days == 90


def test_too_few_pairs_for_the_rate(threshold, tmp_path):
    """A threshold for one in a thousand says nothing if a hundred were looked at."""
    one = real(answers([90] * 10, [10] * 100))
    answer = threshold(one, "--fmr", "1e-3")
    assert answer.exit_code == 2
    assert (
        "No threshold for an FMR of 0.001: it cannot be seen in 100 pairs of different people. At "
        "least 1,000 are needed (2,995 to show it)." in answer.stderr
    )
    assert not (tmp_path / "t.json").exists()
    assert threshold(one, "--fmr", "0.01").exit_code == 0


def without(one, **unknown):
    return attrs.evolve(one, **unknown)


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (decided(real(crowd())), "a does not tell every score"),
        (without(real(crowd()), backend=None), "The answers of a do not tell backend, which a"),
        (crowd(), "do not tell backend and environment"),
        (changed(real(crowd()), scale=None), "do not tell scale"),
        (changed(real(crowd()), rule=ThresholdRule.VENDOR), "ABOVE or AT_LEAST"),
        (
            real(answers([90], [95] * 20)),
            "Two different people have the highest score of all pairs (95)",
        ),
        (real(answers([90], [])), "No pair of different people was compared"),
        (
            real(answers([0.9] * 3, [0.2] * 20)),
            "The scores of a lie between 0.2 and 0.9, which looks like shares",
        ),
        (
            real(answers([900] * 3, [-2] * 20)),
            "The scores of a lie between -2 and 900: a calibration is for a verifier",
        ),
        (
            without(real(crowd()), environment=Environment.MOCK),
            "a answered from a mock: such a threshold says nothing about the vendor",
        ),
    ],
)
def test_what_has_no_threshold(threshold, tmp_path, made, told):
    """One sentence, and no file."""
    answer = threshold(made, "--fmr", "0.1")
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert told in answer.stderr
    assert not (tmp_path / "t.json").exists()


def test_a_mock_calibrates_itself(threshold, tmp_path):
    """With --allow-mock; the file says so, and a verifier of the vendor refuses it."""
    made = without(real(crowd()), environment=Environment.SANDBOX)
    assert threshold(made, "--fmr", "0.1", "--allow-mock").exit_code == 0
    assert Calibration.read(tmp_path / "t.json").environment is Environment.SANDBOX


def test_whose_threshold(threshold):
    """Of several one has to be named."""
    made = [real(crowd("a")), real(crowd("b", seed=1))]
    answer = threshold(made, "--fmr", "0.1")
    assert answer.exit_code == 2
    assert "--contender: name one of a, b." in answer.stderr
    assert "did you mean a?" in threshold(made, "--fmr", "0.1", "--contender", "aa").stderr
    assert threshold(made, "--fmr", "0.1", "--contender", "b").exit_code == 0


def test_a_file_that_exists(threshold, tmp_path):
    """It is left alone, unless --force says otherwise."""
    (tmp_path / "t.json").write_text("mine")
    answer = threshold(real(crowd()), "--fmr", "0.1")
    assert answer.exit_code == 2
    assert "t.json exists" in answer.stderr
    assert (tmp_path / "t.json").read_text() == "mine"
    assert threshold(real(crowd()), "--fmr", "0.1", "--force").exit_code == 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "--fmr"),
        (("--fmr", "2"), "--fmr must be a rate above 0 and at most 1, such as 1e-3, not '2'"),
        (("--fmr", "0"), "--fmr must be a rate"),
        (("--fmr", "nan"), "--fmr must be a rate"),
        (("--fmr", "one"), "--fmr must be a rate"),
        (("--fmr", "0.1", "--fmr", "0.1"), "Two thresholds are for an FMR of 0.1"),
        (("--fmr", "0.1", "--valid-days", "0"), "--valid-days"),
    ],
)
def test_wrong_usage(threshold, words, told):
    """Each has its sentence."""
    answer = threshold(real(crowd()), *words)
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert told in answer.stderr


def test_the_way_from_a_study_to_a_decision(threshold, tmp_path, run, photos, scripted):
    """Answers to threshold, threshold to profile, profile to a comparison on the command line."""
    scores = np.arange(3000) % 97
    one = changed(
        real(answers([99] * 10, scores.tolist())), rule=ThresholdRule.AT_LEAST, scale="fake/v1"
    )
    assert threshold(one, "--fmr", "0.05").exit_code == 0
    (point,) = Calibration.read(tmp_path / "t.json").points
    (tmp_path / "facematch.toml").write_text(
        '[profiles.desk]\nbackend = "fake"\ncalibration = "t.json"\n'
    )
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
