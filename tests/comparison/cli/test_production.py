"""`facematch compare shadow` and `drift`, from a log to a page."""

import csv
import datetime as dt
import itertools
import json
import os
import re
import shutil
import signal
import stat
import subprocess
from collections import defaultdict

import numpy as np
import pytest
import requests
from kit.comparison.logs import simulate_month

import facematch_core as fm

KEY = "key-canary-9a7e"
SHADOW = "compare shadow calls.sqlite3"
DRIFT = "compare drift calls.sqlite3 --system didit"


def open_log(folder):
    return fm.CallLog(f"sqlite:///{folder}/calls.sqlite3", key=KEY)


@pytest.fixture(scope="module")
def logged_month(tmp_path_factory):
    folder = tmp_path_factory.mktemp("log")
    month = simulate_month(np.random.default_rng(7))
    with open_log(folder) as log:
        for row in month.rows():
            log.add(row)
    return month, folder / "calls.sqlite3"


@pytest.fixture
def month(logged_month, tmp_path):
    """A month of calls, which are logged in `calls.sqlite3`."""
    month, file = logged_month
    shutil.copy(file, tmp_path)
    return month


def read_review(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def fill_in(path, truth, labelled=None):
    """Label the first calls of a review file, or all, as a person does."""
    rows = read_review(path)
    for row in rows[:labelled]:
        row["same_person"] = "yes" if truth[row["call"]] else "no"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys(), delimiter=";")
        writer.writeheader()
        writer.writerows(rows)


@pytest.mark.usefixtures("month")
def test_a_log_without_labels_ends_in_a_private_review_file(run, tmp_path):
    answer = run(f"{SHADOW} --review review.csv")
    assert answer.exit_code == 3, answer.output
    assert "who is right is unknown until these are labelled" in answer.stdout
    assert "fill in same_person from the top" in answer.stdout
    assert stat.S_IMODE((tmp_path / "review.csv").stat().st_mode) == 0o600


def test_a_labelled_review_ends_in_a_verdict(run, run_json, month, monkeypatch, tmp_path):
    review = tmp_path / "review.csv"
    run(f"{SHADOW} --review {review}")
    fill_in(review, month.truth)
    # It is only read, so it may be protected.
    allowed = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != review and allowed(path, mode))
    filled = review.read_bytes()
    command = f"{SHADOW} --review {review} --cost-false-match 50 --cost-false-reject 2"
    answer = run(f"{command} --out shadow.html --out s.json")
    assert answer.exit_code == 0, answer.output
    assert "Per 1,000 calls deepvue makes" in answer.stdout
    assert review.read_bytes() == filled
    code, document = run_json(command)
    assert code == 0
    assert document["headline"] in answer.stdout.replace("\n", " ")
    assert document["money"]["currency"] == "USD"
    written = json.loads((tmp_path / "s.json").read_text())
    assert written | {"made_at": ""} == document | {"made_at": ""}
    assert "<!doctype html>" in (tmp_path / "shadow.html").read_text()


def call_of(call_id, person, decision, row):
    return fm.call_log.LoggedCall(
        call_id=call_id,
        person=person,
        decision=decision,
        side=row.side,
        at=row.at,
        operation=row.operation,
        system=row.system,
    )


@pytest.fixture
def own_reference(month, tmp_path):
    """A call of customer-17, a list of customers, and the key in a file."""
    with open_log(tmp_path) as log:
        for row in month.rows(systems=("a", "b"))[:2]:
            decision = "match" if row.system == "a" else "no_match"
            person = log.digest("customer-17")
            log.add(call_of("known", person, decision, row))
    (tmp_path / "refs.csv").write_text("caller_ref\ncustomer-17\ncustomer-18\n")
    (tmp_path / "key").write_text(f"{KEY}\n")
    (tmp_path / "key").chmod(0o600)


REFERENCES = "--candidate b --review review.csv --refs refs.csv"


@pytest.mark.usefixtures("own_reference")
def test_own_references_are_named_in_a_new_review(run, tmp_path):
    answer = run(f"{SHADOW} {REFERENCES} --key-file key")
    assert answer.exit_code == 3, answer.output
    (row,) = read_review(tmp_path / "review.csv")
    assert (row["call"], row["caller_ref"]) == ("known", "customer-17")


@pytest.mark.usefixtures("own_reference")
def test_own_references_need_the_key_of_the_log(run, tmp_path):
    assert run(f"{SHADOW} {REFERENCES}").exit_code == 2
    (tmp_path / "key").write_text("another\n")
    answer = run(f"{SHADOW} {REFERENCES} --key-file key")
    assert answer.exit_code == 4
    assert "another key" in answer.stderr
    assert not (tmp_path / "review.csv").exists()


def test_a_second_reviewer_ends_in_agreement_and_a_third_file(run, run_json, month, tmp_path):
    run(f"{SHADOW} --review a.csv")
    shutil.copy(tmp_path / "a.csv", tmp_path / "b.csv")
    fill_in(tmp_path / "a.csv", month.truth)
    wrong = dict(month.truth)
    first_call = read_review(tmp_path / "b.csv")[0]["call"]
    wrong[first_call] = not wrong[first_call]
    fill_in(tmp_path / "b.csv", wrong)
    answer = run(f"{SHADOW} --review a.csv --review b.csv --review c.csv")
    assert answer.exit_code == 0, answer.output
    assert "a.csv and b.csv agree about" in answer.stdout
    (contradiction,) = read_review(tmp_path / "c.csv")
    assert contradiction["call"] == first_call
    fill_in(tmp_path / "c.csv", month.truth)
    code, document = run_json(f"{SHADOW} --review a.csv --review b.csv --review c.csv")
    assert code == 0
    assert document["reviewed"]["files"] == ["a.csv", "b.csv", "c.csv"]
    assert document["reviewed"]["contradicted"] == 0
    (reviewers,) = document["reviewed"]["reviewers"]
    labelled = reviewers["agreement"]["of"]
    assert reviewers["agreement"]["count"] == labelled - 1
    again = run(f"{SHADOW} --review a.csv --review b.csv --review c.csv --review d.csv")
    assert again.exit_code == 2
    assert "nothing to write to d.csv" in again.stderr


@pytest.mark.usefixtures("month")
@pytest.mark.parametrize(
    ("command", "code", "message"),
    [
        ("shadow missing.sqlite3", 2, "There is no call log 'missing.sqlite3'"),
        ("shadow plain.sqlite3", 2, "no call log"),
        (
            "shadow calls.sqlite3 --review review.csv",
            2,
            "nothing was read:   line 1: the column number is",
        ),
        ("shadow calls.sqlite3 --review review.xlsx", 2, "--review must end in .csv"),
        ("shadow calls.sqlite3 --cost-false-match 5", 2, "go together"),
        ("shadow calls.sqlite3 --cost-false-match -5", 2, "-5"),
        ("shadow calls.sqlite3 --currency euros", 2, "'euros' is not three capital letters"),
        ("shadow calls.sqlite3 --price didit=cheap", 2, "is not a number, such as didit=0.05"),
        ("shadow calls.sqlite3 --price azure=1", 2, "neither of"),
        ("shadow calls.sqlite3 --refs refs.csv", 2, "--key-file"),
        ("shadow calls.sqlite3 --agreements 9", 2, "--review"),
        (
            "shadow calls.sqlite3 --review review.csv --review x.csv --agreements 9",
            2,
            "random sample",
        ),
        ("shadow calls.sqlite3 --review review.csv --review ./review.csv", 2, "the same file"),
        ("shadow calls.sqlite3 --review x.csv --review y.csv", 2, "written at a time"),
        ("shadow calls.sqlite3 --refs refs.csv --key-file key", 2, "--review"),
        ("shadow calls.sqlite3 --out x.pdf", 2, ".html or .json"),
        ("shadow calls.sqlite3 --since yesterday", 2, "is not a time, such as 2026-11-28"),
        ("shadow calls.sqlite3 --since 2027-01-01", 2, "no match call"),
        ("shadow calls.sqlite3 --operation liveness", 2, "no liveness call"),
        ("drift calls.sqlite3", 2, "--system"),
        ("drift calls.sqlite3 --system didit --out x.pdf", 2, ".html or .json"),
        ("drift calls.sqlite3 --by day", 2, "day"),
    ],
)
def test_wrong_usage_is_refused_and_writes_nothing(run, tmp_path, command, code, message):
    (tmp_path / "review.csv").write_text("call,same_person\nx,yes\n")
    (tmp_path / "plain.sqlite3").touch()
    (tmp_path / "refs.csv").write_text("caller_ref\nx\n")
    (tmp_path / "key").write_text(KEY)
    (tmp_path / "key").chmod(0o600)
    before = {path: path.read_bytes() for path in tmp_path.glob("*.csv")}
    answer = run(f"compare {command}")
    assert answer.exit_code == code, answer.output
    assert message in answer.stderr.replace("\n", " ")
    assert answer.stdout == ""
    assert {path: path.read_bytes() for path in tmp_path.glob("*.csv")} == before


def printed_rows(text, title):
    """The cells of each row of the printed table whose first column has this title."""
    lines = text.splitlines()
    (start,) = (n for n, line in enumerate(lines) if re.match(rf"{title} {{2,}}", line))
    rows = itertools.takewhile(str.strip, lines[start + 1 :])
    return [re.split(" {2,}", line.strip()) for line in rows]


def test_the_errors_of_a_shadow_are_printed(run, month, tmp_path):
    run(f"{SHADOW} --review review.csv")
    fill_in(tmp_path / "review.csv", month.truth)
    answered, candidate = month.accepts
    expected = {}
    for kind, is_affected, is_right in (
        ("false rejects", month.genuine, True),
        ("false matches", ~month.genuine, False),
    ):
        wrong = [is_affected & (accepts != is_right) for accepts in (answered, candidate)]
        only = [(wrong[0] & ~wrong[1]).sum(), (wrong[1] & ~wrong[0]).sum()]
        expected[kind] = [str(count) for count in only]
    printed = printed_rows(run(f"{SHADOW} --review review.csv").stdout, "Errors")
    counts = {cells[0]: cells[1:3] for cells in printed}
    assert {kind: counts[kind] for kind in expected} == expected


def test_drift_prints_periods_and_writes_pages(run, run_json, month, tmp_path):
    answer = run(f"{DRIFT} --out drift.html --out drift.json")
    assert answer.exit_code == 0, answer.output
    assert "more than chance" in answer.stdout
    rows_of_week = defaultdict(list)
    for row in month.rows():
        if row.system == "didit":
            monday = row.at.date() - dt.timedelta(days=row.at.weekday())
            rows_of_week[str(monday)].append(row)
    expected = []
    for monday, rows in rows_of_week.items():
        accepted = sum(row.decision == "match" for row in rows) / len(rows)
        people = len({row.person for row in rows})
        expected.append([monday, str(len(rows)), str(people), f"{100 * accepted:.1f} %"])
    printed = printed_rows(answer.stdout, "Period")
    assert [[*cells[:3], cells[3].partition(" (")[0]] for cells in printed] == expected
    code, document = run_json(DRIFT)
    assert (code, document["system"]) == (0, "didit")
    written = json.loads((tmp_path / "drift.json").read_text())
    assert written["periods"] == document["periods"]
    assert document["headline"] in (tmp_path / "drift.html").read_text()


def test_a_page_to_label_is_served_until_ctrl_c(run, started, month, tmp_path):
    run(f"{SHADOW} --review review.csv")
    first_call = read_review(tmp_path / "review.csv")[0]["call"]
    pictures = tmp_path / "pictures" / first_call
    pictures.mkdir(parents=True)
    (pictures / "selfie.jpg").write_bytes(b"\xff\xd8\xff")
    words = ["compare", "review", "review.csv", "--pictures", "pictures"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with started(*words, run=subprocess.Popen, cwd=tmp_path, text=True, **pipes) as process:
        url = process.stdout.readline().split()[-1]
        body = {"place": 0, "label": "no", "remark": ""}
        assert requests.post(f"{url}answers", json=body, timeout=30).status_code == 200
        process.send_signal(signal.SIGINT)
        rest, notes = process.communicate(timeout=240)
    assert process.returncode == 0, notes
    assert "review.csv: 1 of" in rest
    assert "have no picture in pictures" in notes
    assert read_review(tmp_path / "review.csv")[0]["same_person"] == "no"


@pytest.mark.usefixtures("month")
def test_a_page_needs_a_review_file_and_pictures_of_its_calls(run, tmp_path):
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    assert run("compare review other.csv --pictures .").exit_code == 2
    assert run("compare review missing.csv --pictures .").exit_code == 2
    run(f"{SHADOW} --review review.csv")
    answer = run("compare review review.csv --pictures .")
    assert answer.exit_code == 2
    assert "no picture of any of the" in answer.stderr.replace("\n", " ")
