"""Files that facematch wrote itself: results of a batch, and a log of calls."""

import re
from pathlib import Path

import numpy as np
import pytest
from kit.commands import open_always
from kit.fakes import FakeBackend

import facematch_core as fm
from facematch_comparison import read_scores
from facematch_core import Environment, errors
from facematch_core.models import Decision

PAIRS = "probe,reference\nselfie.jpg,id.jpg\nid.jpg,third.jpg\nthird.jpg,selfie.jpg\n"
LABELS = "probe,reference,same\nselfie.jpg,id.jpg,1\nid.jpg,third.jpg,0\nthird.jpg,selfie.jpg,0\n"


@pytest.fixture
def batch(run, photos, monkeypatch):
    """Compares three pairs, of which the vendor loses the second; the files are in the folder."""
    vendor = FakeBackend(environment=Environment.MOCK)
    vendor.script = [None, errors.OutcomeUnknown("Lost."), None]
    open_always(monkeypatch, vendor)
    Path("third.jpg").write_bytes(Path(photos[0]).read_bytes() + b"\0")
    Path("pairs.csv").write_text(PAIRS)
    Path("labels.csv").write_text(LABELS)

    def write(name):
        run(f"verify --pairs pairs.csv --yes --workers 1 --out {name}")
        return name

    return write


@pytest.mark.parametrize("name", ["results.jsonl", "results.csv"])
def test_results_of_a_batch_are_read_at_once(run, batch, name):
    (answers,) = read_scores(["labels.csv", batch(name)])
    assert answers.scores.tolist() == pytest.approx([80.0, np.nan, 80.0], nan_ok=True)
    assert answers.mated.tolist() == [True, False, False]
    assert answers.answered.tolist() == [True, False, True]
    assert answers.frame["decision"].tolist()[0] == Decision.MATCH
    assert answers.environment is Environment.MOCK
    assert answers.threshold == 50
    report = run(f"compare report --fmr 0.5 --scores labels.csv --scores {name}")
    assert "practice only: results" in report.stdout


def test_a_log_of_calls_is_sent_to_the_command_that_judges_it(run, tmp_path):
    with fm.CallLog(f"sqlite:///{tmp_path}/calls.sqlite3", key=b"k" * 32):
        pass
    for option in ("--scores", "--store"):
        answer = run(f"compare report {option} calls.sqlite3")
        assert answer.exit_code == 2
        assert re.search(r"call log.*compare\s+shadow", answer.stderr, re.DOTALL)
