"""`verify --pairs`: all checked first, each outcome written as it comes."""

import csv
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from facematch_core import Charged, MatchResult, errors
from facematch_core.cli.common import Stopping


@pytest.fixture
def pairs(tmp_path, photos):
    """Write a file of pairs beside the pictures."""

    def write(text, name="pairs.csv", encoding="utf-8"):
        (tmp_path / name).write_bytes(text.encode(encoding))
        return name

    return write


THREE = "probe,reference,key\nselfie.jpg,id.jpg,a\nid.jpg,selfie.jpg,\nselfie.jpg,selfie.jpg,c\n"


def batch(run, *words, out="out.jsonl"):
    return run("verify", "--pairs", "pairs.csv", "--out", out, *words)


def lines(tmp_path, name="out.jsonl"):
    return [json.loads(line) for line in (tmp_path / name).read_text().splitlines()]


def test_all_answered(run, tmp_path, pairs, scripted):
    """One line per pair, in order, with line, key and result; a mismatch is an answer."""
    pairs(THREE)
    answer = batch(run, "--threshold", 90, "--workers", 2, "--caller-ref", "night run")
    assert answer.exit_code == 0
    found = lines(tmp_path)
    assert [(line["index"], line["line"], line["key"]) for line in found] == [
        (0, 2, "a"),
        (1, 3, None),
        (2, 4, "c"),
    ]
    result = MatchResult.from_dict(found[0]["result"])
    assert result.decision.value == "no_match"
    assert result.ids.caller == "night run"
    assert all(line["error"] is None for line in found)
    assert answer.stdout.splitlines()[:3] == [
        "3 pairs: 3 answered, 0 failed",
        "  no match 3",
        "  charged 3",
    ]
    assert answer.stderr == ""


def test_as_a_table(run, tmp_path, pairs, scripted):
    """--out takes the form from its suffix; no cell is a formula to a spreadsheet."""
    pairs(THREE.replace(",a\n", ",=1+1\n"))
    scripted.script = [None, errors.RateLimited("Slower."), None]
    assert batch(run, "--workers", 1, out="out.csv").exit_code == 5
    with (tmp_path / "out.csv").open(newline="") as file:
        first, second, _ = csv.DictReader(file)
    assert (first["key"], first["decision"], first["score"]) == ("'=1+1", "match", "80.0")
    assert (first["threshold"], first["charged"], first["error"]) == ("50.0", "yes", "")
    assert (second["line"], second["decision"], second["error"]) == ("3", "", "RateLimited")
    refused = batch(run, out="out.xlsx")
    assert refused.exit_code == 2
    assert "--out writes .jsonl or .ndjson or .csv" in refused.stderr


def test_single_errors(run, tmp_path, pairs, scripted):
    """Errors of single pairs do not end the batch; the highest of their codes is the exit code."""
    pairs(THREE)
    scripted.script = [errors.RateLimited("Slower."), errors.OutcomeUnknown("Broken."), None]
    answer = batch(run, "--workers", 1)
    assert answer.exit_code == 6
    found = lines(tmp_path)
    assert [line["error"] and line["error"]["class"] for line in found] == [
        "RateLimited",
        "OutcomeUnknown",
        None,
    ]
    assert found[1]["error"]["billing"]["charged"] == Charged.UNKNOWN
    assert "  charged 1, perhaps charged 1" in answer.stdout
    assert "error: line 3: Broken. This call may have been charged" in answer.stderr


def test_fatal_error(run, run_json, tmp_path, pairs, scripted):
    """What would meet every further pair ends the batch, and the rest is counted as not asked."""
    pairs("probe,reference\n" + "selfie.jpg,id.jpg\n" * 50)
    scripted.script = [errors.InsufficientCredit("No credit.")]
    answer = batch(run, "--workers", 1)
    assert answer.exit_code == 5
    assert "not compared" in answer.stdout
    assert "stopped early: every further pair would fail with InsufficientCredit" in answer.stderr
    assert len(lines(tmp_path)) == len(scripted.calls) < 50


def test_summary_as_json(run_json, pairs, scripted):
    """With --json the summary is a document."""
    pairs(THREE)
    scripted.script = [errors.AuthenticationFailed("Wrong key.")]
    code, document = batch(run_json, "--workers", 1)
    assert code == 5
    assert document["pairs"] == 3
    assert document["errors"] == {"AuthenticationFailed": 1}
    assert document["stopped_by"]["class"] == "AuthenticationFailed"
    assert document["out"] == "out.jsonl"


def test_existing_file_is_kept(run, tmp_path, pairs, scripted):
    """Results that are there are not overwritten, unless asked for."""
    pairs(THREE)
    (tmp_path / "out.jsonl").write_text("precious")
    answer = batch(run)
    assert answer.exit_code == 2
    assert "--force" in answer.stderr
    assert (tmp_path / "out.jsonl").read_text() == "precious"
    assert not scripted.calls
    assert batch(run, "--force").exit_code == 0
    assert len(lines(tmp_path)) == 3


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--threshold", "101"], "--threshold must be a number from 0 to 100, not '101'"),
        (["--workers", "300"], "--workers must be a whole number from 1 to 256, not '300'"),
        (["--review-threshold", "40"], "review_threshold must be above threshold (50)"),
        (["--caller-ref", ""], "caller_ref"),
        (["-o", "levl=1"], "did you mean level?"),
    ],
)
def test_wrong_usage_leaves_nothing(words, says, run, pairs, scripted):
    """What every pair would be refused for is told before the file of --out is created."""
    pairs(THREE)
    answer = batch(run, *words, out="new/out.jsonl")
    assert answer.exit_code == 2
    assert says in answer.stderr
    assert not Path("new").exists()
    assert not scripted.calls


def test_profile_is_checked_too(run, configured, pairs, scripted):
    """The thresholds of a profile count in that check."""
    pairs(THREE)
    profile = '[profiles.p]\nbackend = "fake"\nthreshold = 60\nliveness_threshold = 5\n'
    configured(profile)
    answer = batch(run, "--profile", "p", "--review-threshold", 55)
    assert answer.exit_code == 2
    assert "must be above threshold (60)" in answer.stderr
    assert not Path("out.jsonl").exists()


@pytest.mark.parametrize(
    ("out", "says"),
    [
        (".", "--out names a folder"),
        ("selfie.jpg/out.jsonl", "cannot be written: Not a directory"),
        ("x" * 300, "cannot be written: File name too long"),
        ("/proc/x", "--out: /proc/x cannot be written"),
    ],
)
def test_unwritable_file(out, says, run, pairs, scripted):
    """A file of --out that cannot be written is wrong usage, before anything is sent."""
    pairs(THREE)
    answer = batch(run, out=out)
    assert answer.exit_code == 2
    assert says in answer.stderr
    assert not scripted.calls


def test_file_without_permission(run, pairs, scripted, monkeypatch):
    """So is an existing one that may not be written."""
    pairs(THREE)
    Path("out.jsonl").write_text("precious")
    monkeypatch.setattr("os.access", lambda _path, mode: mode != os.W_OK)
    answer = batch(run, "--force")
    assert answer.exit_code == 2
    assert "out.jsonl cannot be written: Permission denied" in answer.stderr


def test_full_disk(run, pairs, scripted):
    """Writing that fails on the way ends with 4, and names the file that was asked for."""
    pairs(THREE)
    answer = batch(run, "--force", out="/dev/full")
    assert answer.exit_code == 4
    assert answer.stderr == "error: No space left on device: /dev/full.\n"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_needs_no_force(run, pairs, scripted):
    """Nothing is overwritten: whoever reads gets the results, and it is still a pipe."""
    pairs(THREE)
    os.mkfifo("out.jsonl")
    reader = os.open("out.jsonl", os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert batch(run).exit_code == 0
        assert len(os.read(reader, 1 << 16).splitlines()) == 3
    finally:
        os.close(reader)
    assert Path("out.jsonl").is_fifo()


def test_folder_of_the_file_is_made(run, tmp_path, pairs, scripted):
    """Missing folders of --out are created."""
    pairs(THREE)
    assert batch(run, out="new/deep/out.jsonl").exit_code == 0
    assert len(lines(tmp_path, "new/deep/out.jsonl")) == 3


def test_errors_of_one_class(run, tmp_path, pairs, scripted):
    """Further errors of a class are counted as that, and not as the first one again."""
    for name in ("text.jpg", "empty.jpg"):
        (tmp_path / name).write_text("not a picture" if name == "text.jpg" else "")
    pairs("probe,reference\ntext.jpg,id.jpg\nempty.jpg,id.jpg\n")
    told = batch(run).stderr
    assert told.startswith("error: line 2: ")
    assert told.endswith(" (and 1 more InvalidImage: see out.jsonl)\n")


def test_pairs_are_not_overwritten(run, pairs, scripted):
    """Not even with --force may the results replace the pairs."""
    pairs(THREE)
    assert batch(run, "--force", out="pairs.csv").exit_code == 2


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", ["line 1: the column probe is missing"]),
        ("probe,reference\n", ["no lines below"]),
        ("probe,key\na,b\n", ["line 1: the column reference is missing"]),
        ("probe;reference\na;b\n", ["the column probe is missing (separate columns with commas)"]),
        ("probe,reference,Keys\na,b,c\n", ["'Keys': did you mean key?"]),
        ("probe,reference,probe\na,b,c\n", ["the column probe appears twice"]),
        ("probe,reference\na.jpg\n", ["line 2: reference is empty"]),
        ("probe,reference\na,b,c\n", ["line 2: 3 cells under 2 columns"]),
        (
            "probe,reference\nselfie.jpg,x.jpg\n\ny.jpg,z.jpg\n",
            ["has 3 problems", "line 2: reference: there is no file 'x.jpg'", "line 4: probe: ",
             "line 4: reference: "],
        ),
        ("probe,reference\n" + "x" * 5000 + ",id.jpg\n", ["line 2: probe: there is no file"]),
        ('probe,reference\n"a,b\n', ["cannot be read as CSV: unexpected end of data"]),
    ],
)  # fmt: skip
def test_faulty_file(text, says, run, pairs, scripted):
    """Every fault is named with its line, before anything is sent or written."""
    pairs(text)
    answer = batch(run)
    assert answer.exit_code == 2
    assert all(words in answer.stderr for words in says)
    assert not scripted.calls
    assert not Path("out.jsonl").exists()


def test_other_files(run, tmp_path, pairs, scripted):
    """A missing file, a folder and another encoding are told in one sentence."""
    pairs("probe,reference\nsélfie.jpg,id.jpg\n", encoding="latin-1")
    for name in ("nowhere.csv", ".", "pairs.csv", "x" * 300):
        answer = run("verify", "--pairs", name, "--out", "out.jsonl")
        assert answer.exit_code == 2
        assert answer.stderr.startswith(f"error: The file {name} cannot be read as CSV: ")
        assert len(answer.stderr.splitlines()) == 1


def test_spreadsheet_file(run, tmp_path, pairs, scripted):
    """A byte order mark, Windows line ends and further columns do no harm."""
    pairs("\ufeffprobe,reference,note\r\nselfie.jpg,id.jpg,hello\r\n")
    assert batch(run).exit_code == 0
    assert len(lines(tmp_path)) == 1


def test_paths_are_relative_to_the_file(run, tmp_path, photos, scripted):
    """Names count from the folder of the CSV, not from the current one."""
    folder = tmp_path / "study"
    folder.mkdir()
    (folder / "pairs.csv").write_text("probe,reference\n../selfie.jpg,../id.jpg\n")
    answer = run("verify", "--pairs", "study/pairs.csv", "--out", "out.jsonl")
    assert answer.exit_code == 0
    assert lines(tmp_path)[0]["probe"] == "../selfie.jpg"


def test_broken_picture_is_one_outcome(run, tmp_path, pairs, scripted):
    """A file that is no picture costs its own pair only."""
    (tmp_path / "text.jpg").write_text("not a picture")
    pairs("probe,reference\ntext.jpg,id.jpg\nselfie.jpg,id.jpg\n")
    assert batch(run).exit_code == 2
    first, second = lines(tmp_path)
    assert first["error"]["class"] == "InvalidImage"
    assert second["result"] is not None


def test_written_as_they_come(run, tmp_path, pairs, scripted):
    """When the third call is made, the first outcome is already on disk."""
    pairs(THREE)
    seen = []
    moment = threading.Event()

    def look(_call):
        for _ in range(1000):
            if lines(tmp_path):
                seen.append(True)
                return
            moment.wait(0.005)

    scripted.script = [None, None, look]
    batch(run, "--workers", 1)
    assert seen


def test_interrupted(run, tmp_path, pairs, scripted):
    """Ctrl-C writes what was under way, tells the rest, and ends with 130."""
    pairs("probe,reference\n" + "selfie.jpg,id.jpg\n" * 200)
    scripted.script = [None, lambda _call: signal.raise_signal(signal.SIGINT)]
    answer = batch(run, "--workers", 2)
    assert answer.exit_code == 130
    assert len(lines(tmp_path)) == len(scripted.calls) < 200
    assert "not compared" in answer.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda s: s.name)
def test_interrupted_as_json(number, run_json, pairs, scripted):
    """With --json the summary names the signal that stopped it."""
    pairs("probe,reference\n" + "selfie.jpg,id.jpg\n" * 200)
    scripted.script = [None, lambda _call: signal.raise_signal(number)]
    code, document = batch(run_json, "--workers", 2)
    assert code == 128 + number
    assert document["stopped_by"] == number.name


def test_the_first_signal_ends_the_batch_alone():
    """Afterwards the handlers are those from before."""
    before = signal.getsignal(signal.SIGINT)
    with Stopping() as stopping:
        assert signal.getsignal(signal.SIGINT) != before
        signal.raise_signal(signal.SIGINT)
        assert stopping.signal == signal.SIGINT
        assert list(stopping.until_stopped([1, 2])) == []
    assert signal.getsignal(signal.SIGINT) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda s: s.name)
def test_the_second_signal_ends_the_process(number):
    """At once, whatever is under way in a thread, and without a traceback."""
    code = f"""
import signal, threading
from facematch_core.cli.common import Stopping

with Stopping():
    threading.Thread(target=threading.Event().wait).start()
    signal.raise_signal({int(number)})
    print("waits", flush=True)
    signal.raise_signal({int(number)})
    print("never")
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (128 + number, "waits\n")
    assert [line.partition(":")[0] for line in done.stderr.split("\n") if line] == [
        "stopping",
        "stopped",
    ]


def test_in_another_thread():
    """Where no signal can be handled, everything else works."""
    found = []

    def work():
        with Stopping() as stopping:
            found.extend(stopping.until_stopped([1, 2]))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [1, 2]
