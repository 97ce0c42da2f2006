"""`facematch compare shadow` and `drift`, from a log to a page."""

import csv
import json
import stat

import numpy as np
import pytest
from kit.comparison.logs import simulate_month

import facematch_core as fm

KEY = "key-canary-9a7e"
SHADOW = ("compare", "shadow", "calls.sqlite3")
COSTS = ("--cost-false-match", 50, "--cost-false-reject", 2)


@pytest.fixture
def month(tmp_path):
    month = simulate_month(np.random.default_rng(7))
    with fm.CallLog(f"sqlite:///{tmp_path}/calls.sqlite3", key=KEY) as log:
        for row in month.rows():
            log.add(row)
    return month


def fill_in(path, truth, labelled=None):
    """Label a review file, as a person does."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows[:labelled]:
        row["same_person"] = "yes" if truth[row["call"]] else "no"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys(), delimiter=";")
        writer.writeheader()
        writer.writerows(rows)
    return rows


def test_from_a_log_to_a_verdict_in_two_commands(run, run_json, month, tmp_path):
    review = tmp_path / "review.csv"
    first = run(*SHADOW, "--review", review)
    assert first.exit_code == 3, first.output
    assert "who is right is unknown until these are labelled" in first.stdout
    assert "fill in same_person from the top" in first.stdout
    assert stat.S_IMODE(review.stat().st_mode) == 0o600
    fill_in(review, month.truth)
    filled = review.read_bytes()
    again = run(*SHADOW, "--review", review, *COSTS, "--out", "shadow.html", "--out", "s.json")
    assert again.exit_code == 0, again.output
    assert "Per 1,000 calls deepvue makes" in again.stdout
    assert review.read_bytes() == filled
    code, document = run_json(*SHADOW, "--review", review, *COSTS)
    assert code == 0
    assert document["headline"] in again.stdout.replace("\n", " ")
    assert document["money"]["currency"] == "USD"
    written = json.loads((tmp_path / "s.json").read_text())
    assert written | {"made_at": ""} == document | {"made_at": ""}
    assert "<!doctype html>" in (tmp_path / "shadow.html").read_text()


def test_half_a_review_is_a_sample(run_json, run, month, tmp_path):
    run(*SHADOW, "--review", "review.csv", "--agreements", 20)
    rows = fill_in(tmp_path / "review.csv", month.truth, labelled=40)
    code, document = run_json(*SHADOW, "--review", "review.csv")
    assert code == 0
    reviewed = document["reviewed"]
    assert reviewed["disagreements"] == len(rows) - 20
    assert 0 < reviewed["labelled"] < 40
    assert reviewed["both_wrong"]["of"] == 40 - reviewed["labelled"]


def test_own_references_are_named_in_a_new_review(run, month, tmp_path):
    with fm.CallLog(f"sqlite:///{tmp_path}/calls.sqlite3", key=KEY) as log:
        for row in month.rows(systems=("a", "b"))[:2]:
            person = log.digest("customer-17")
            fields = {"call_id": "known", "person": person, "system": row.system}
            decision = "match" if row.system == "a" else "no_match"
            log.add(fm.call_log.LoggedCall(
                side=row.side, at=row.at, operation=row.operation, decision=decision, **fields
            ))  # fmt: skip
    (tmp_path / "refs.csv").write_text("caller_ref\ncustomer-17\ncustomer-18\n")
    (tmp_path / "key").write_text(f"{KEY}\n")
    (tmp_path / "key").chmod(0o600)
    words = ("--candidate", "b", "--review", "review.csv", "--refs", "refs.csv")
    assert run(*SHADOW, *words).exit_code == 2
    answer = run(*SHADOW, *words, "--key-file", "key")
    assert answer.exit_code == 3, answer.output
    with (tmp_path / "review.csv").open(newline="") as file:
        (only,) = csv.DictReader(file)
    assert (only["call"], only["caller_ref"]) == ("known", "customer-17")
    (tmp_path / "key").write_text("another\n")
    refused = run(*SHADOW, *words[:2], "--review", "new.csv", *words[4:], "--key-file", "key")
    assert refused.exit_code == 4
    assert "another key" in refused.stderr
    assert not (tmp_path / "new.csv").exists()


@pytest.mark.usefixtures("month")
def test_wrong_usage_is_refused_and_writes_nothing(run, tmp_path):
    (tmp_path / "review.csv").write_text("call,same_person\nx,yes\n")
    (tmp_path / "plain.sqlite3").touch()
    before = {path: path.read_bytes() for path in tmp_path.glob("*.csv")}
    for words, code, says in [
        (("compare", "shadow", "missing.sqlite3"), 2, "There is no call log 'missing.sqlite3'"),
        (("compare", "shadow", "plain.sqlite3"), 4, "no call log"),
        (
            (*SHADOW, "--review", "review.csv"),
            2,
            "nothing was read:   line 1: the column number is",
        ),
        ((*SHADOW, "--review", "review.xlsx"), 2, "--review must end in .csv"),
        ((*SHADOW, "--cost-false-match", 5), 2, "go together"),
        ((*SHADOW, "--cost-false-match", -5), 2, "-5"),
        ((*SHADOW, "--price", "didit=cheap"), 2, "is no amount"),
        ((*SHADOW, "--price", "azure=1"), 2, "neither of"),
        ((*SHADOW, "--refs", "refs.csv"), 2, "--key-file"),
        ((*SHADOW, "--out", "x.pdf"), 2, ".html or .json"),
        ((*SHADOW, "--since", "yesterday"), 2, "is not a time, such as 2026-11-28"),
        ((*SHADOW, "--since", "2027-01-01"), 2, "no match call"),
        ((*SHADOW, "--operation", "liveness"), 2, "no liveness call"),
        (("compare", "drift", "calls.sqlite3"), 2, "--system"),
        (("compare", "drift", "calls.sqlite3", "--by", "day"), 2, "day"),
    ]:
        answer = run(*words)
        assert answer.exit_code == code, (words, answer.output)
        assert says in answer.stderr.replace("\n", " "), (words, answer.stderr)
        assert answer.stdout == ""
    assert {path: path.read_bytes() for path in tmp_path.glob("*.csv")} == before


@pytest.mark.usefixtures("month")
def test_drift_prints_periods_and_writes_pages(run, run_json, tmp_path):
    words = ("compare", "drift", "calls.sqlite3", "--system", "didit")
    answer = run(*words, "--out", "drift.html", "--out", "drift.json")
    assert answer.exit_code == 0, answer.output
    assert "more than chance" in answer.stdout
    code, document = run_json(*words)
    assert (code, document["system"]) == (0, "didit")
    written = json.loads((tmp_path / "drift.json").read_text())
    assert written["periods"] == document["periods"]
    assert document["headline"] in (tmp_path / "drift.html").read_text()
