import csv
import errno
import io
import json
import os
import signal
import threading
from pathlib import Path

import attrs
import pytest

from facematch_core import errors
from facematch_core.cli import verify
from facematch_core.models import Retention

THREE = "probe,reference,key\nselfie.jpg,id.jpg,a\nid.jpg,selfie.jpg,\nselfie.jpg,selfie.jpg,c\n"
MANY = "probe,reference\n" + "selfie.jpg,id.jpg\n" * 200
WORDS = ("verify", "--pairs", "pairs.csv", "--out", "out.jsonl")


@pytest.fixture
def pairs(photos):
    def write(text, encoding="utf-8"):
        Path("pairs.csv").write_bytes(text.encode(encoding))

    write(THREE)
    return write


def batch(run, *words, out="out.jsonl"):
    return run("verify", "--pairs", "pairs.csv", "--out", out, *words)


def lines(name="out.jsonl"):
    return [json.loads(line) for line in Path(name).read_text().splitlines()]


def test_output_matches_golden_file(screens, pairs, scripted):
    with screens("verify-pairs") as show:
        show("all answered", *WORDS, "--threshold", 90, "--workers", 2)
        scripted.script = [errors.RateLimited("Slower."), errors.OutcomeUnknown("Broken."), None]
        show("errors of single pairs", *WORDS, "--force", "--workers", 1, code=6)
        scripted.script = [errors.InsufficientCredit("No credit.")]
        show("what every pair would meet", *WORDS, "--force", "--workers", 1, code=5)
        for name in ("text.jpg", "empty.jpg"):
            Path(name).write_text("not a picture" if name == "text.jpg" else "")
        pairs("probe,reference\ntext.jpg,id.jpg\nempty.jpg,id.jpg\n")
        show("errors of one class are counted", *WORDS, "--force", code=2)


def test_csv_cells_are_escaped_against_formulas(run, pairs, scripted):
    pairs(THREE.replace(",a\n", ",=1+1\n"))
    scripted.script = [None, errors.RateLimited("Slower."), None]
    assert batch(run, "--workers", 1, out="out.csv").exit_code == 5
    with Path("out.csv").open(newline="") as file:
        first, second, _ = csv.DictReader(file)
    assert (first["key"], first["decision"], first["score"]) == ("'=1+1", "match", "80.0")
    assert (first["threshold"], first["charged"], first["error"]) == ("50.0", "yes", "")
    assert (second["line"], second["decision"], second["error"]) == ("3", "", "RateLimited")


def test_authentication_error_stops_the_batch(run_json, pairs, scripted):
    pairs(MANY)
    scripted.script = [errors.AuthenticationFailed("Wrong key.")]
    code, document = batch(run_json, "--workers", 1)
    assert (code, document["pairs"], document["out"]) == (5, 200, "out.jsonl")
    assert document["errors"] == {"AuthenticationFailed": 1}
    assert document["stopped_by"]["class"] == "AuthenticationFailed"
    assert len(lines()) == len(scripted.calls) < 200


def test_existing_results_are_overwritten_only_with_force(run, pairs, scripted, monkeypatch):
    Path("out.jsonl").write_text("precious")
    assert batch(run).exit_code == 2
    assert Path("out.jsonl").read_text() == "precious"
    assert not scripted.calls
    # Also if it comes to be there while the pairs are read.
    monkeypatch.setattr(verify, "check_target", lambda *_args, **_more: None)
    assert batch(run).exit_code == 2
    assert Path("out.jsonl").read_text() == "precious"
    assert batch(run, "--force").exit_code == 0
    assert len(lines()) == 3


#: What each file may hold that is wrong.
FAULTY = {
    "a head alone": "probe,reference\n",
    "one column": "probe,key\na,b\n",
    "an unknown column": "probe,reference,Keys\na,b,c\n",
    "a column twice": "probe,reference,probe\na,b,c\n",
    "an optional column twice": "probe,reference,key,key\na,b,c,d\n",
    "an empty cell": "probe,reference\na.jpg\n",
    "too many cells": "probe,reference\na,b,c\n",
    "missing files": "probe,reference\nselfie.jpg,x.jpg\n\ny.jpg,z.jpg\n",
}
#: Further words, each refused before the file of --out is made.
WRONG = """
--threshold 101
--liveness-threshold 50
--workers 300
--out out.xlsx
--out selfie.jpg/out.jsonl
--out pairs.csv --force
--out there.jsonl
"""


def test_wrong_usage_sends_no_request_and_writes_no_file(screens, run, pairs, scripted):
    Path("there.jsonl").write_text("precious")
    with screens("verify-pairs-wrong-usage") as show:
        for words in WRONG.strip().splitlines():
            show("", *WORDS, *words.split(), code=2)
        can = scripted.capabilities
        scripted.capabilities = attrs.evolve(can, retention=frozenset({Retention.MINIMAL}))
        show("what each comparison would refuse", *WORDS, "--keep", code=2)
        for title, text in FAULTY.items():
            pairs(text)
            show(title, *WORDS, code=2)
        show("", "verify", "--pairs", "nowhere.csv", "--out", "out.jsonl", code=2)
    pairs("probe,reference\nselfie.jpg,id.jpg\0\n")
    answer = batch(run, out="new/out.jsonl")
    assert (answer.exit_code, len(answer.stderr.splitlines())) == (2, 1)
    assert not scripted.calls
    assert not Path("out.jsonl").exists()
    assert not Path("new").exists()
    assert Path("there.jsonl").read_text() == "precious"
    assert Path("pairs.csv").read_bytes()


def test_unwritable_output_file_is_wrong_usage(run, pairs, scripted, monkeypatch):
    Path("out.jsonl").write_text("precious")
    monkeypatch.setattr("os.access", lambda _path, mode: mode != os.W_OK)
    answer = batch(run, "--force")
    assert answer.exit_code == 2
    assert "out.jsonl cannot be written: Permission denied" in answer.stderr


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_results_lost_to_a_full_disk_are_printed(form, run, pairs, scripted, monkeypatch):
    pairs("probe,reference\nselfie.jpg,id.jpg\n" + "id.jpg,selfie.jpg\n" * 199)
    second, is_full = threading.Event(), threading.Event()

    class Full(io.StringIO):
        def flush(self):
            if scripted.calls:
                is_full.set()
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    first_reference = Path("id.jpg").read_bytes()

    def answer_in_turn(call):
        if call.reference.data == first_reference:
            assert second.wait(60)
            return
        second.set()
        assert is_full.wait(60)
        raise errors.OutcomeUnknown("Broken.")

    whole = Path.open
    monkeypatch.setattr(
        Path,
        "open",
        lambda path, *how, **more: Full() if how == ("x",) else whole(path, *how, **more),
    )
    scripted.script = [answer_in_turn] * 2
    answer = batch(run, "--workers", 2, out=f"out.{form}")
    assert answer.exit_code == 4
    first, *unwritten, charges, last = answer.stderr.splitlines()
    assert first == "The results cannot be written. Lines missing from the file:"
    if form == "csv":
        rows = [*csv.reader(unwritten)]
        bills = [row[8] for row in rows]
    else:
        rows = [json.loads(line) for line in unwritten]
        bills = [(row["result"] or row["error"])["billing"]["charged"] for row in rows]
    # Two calls a worker are read ahead, and no further one begins.
    assert len(rows) == len(scripted.calls) <= 4
    assert bills.count("unknown") == 1
    assert charges == f"of these calls: {bills.count('yes')} charged, 1 perhaps charged"
    assert last == f"error: No space left on device: out.{form}."


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full device")
def test_full_disk_at_the_csv_header_sends_no_request(run, pairs, scripted):
    Path("out.csv").symlink_to("/dev/full")
    answer = batch(run, out="out.csv")
    assert (answer.exit_code, answer.stderr) == (4, "error: No space left on device: out.csv.\n")
    assert not scripted.calls


@pytest.mark.parametrize(
    ("encoding", "notes"), [("cp1252", 1), ("utf-16", 0), ("utf-8-sig", 0), ("utf-8", 0)]
)
@pytest.mark.usefixtures("scripted")
def test_csv_encodings_and_separators_are_detected(run, pairs, encoding, notes):
    Path("sélfie.jpg").write_bytes(Path("selfie.jpg").read_bytes())
    text = "probe,reference,key\n\nsélfie.jpg,id.jpg\n,,\nid.jpg,sélfie.jpg,b\n"
    for separator, end in ((",", "\r\n"), (";", "\n"), ("\t", "\n")):
        pairs(text.replace(",", separator).replace("\n", end), encoding)
        answer = batch(run, "--force")
        assert (answer.exit_code, answer.stderr.count("note: ")) == (0, notes)
        assert [(line["line"], line["key"]) for line in lines()] == [(3, None), (5, "b")]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda s: s.name)
def test_signal_stops_the_batch_and_writes_calls_in_progress(number, run_json, pairs, scripted):
    pairs(MANY)
    scripted.script = [None, lambda _call: signal.raise_signal(number)]
    code, document = batch(run_json, "--workers", 2)
    assert (code, document["stopped_by"]) == (128 + number, number.name)
    assert len(lines()) == len(scripted.calls) < 200
