import csv
import json
import os
import signal
import sys
from pathlib import Path

import attrs
import click
import pytest

from facematch_core import errors
from facematch_core.batch.system import MOST_FAILURES
from facematch_core.models import Billing, Charged, Retention

try:
    import resource
except ImportError:  # Windows
    resource = None

THREE = "probe,reference,key\nselfie.jpg,id.jpg,a\nid.jpg,selfie.jpg,\nselfie.jpg,selfie.jpg,c\n"
MANY = "probe,reference\n" + "selfie.jpg,id.jpg\n" * 200
BATCH = "verify --pairs pairs.csv --yes --out"


@pytest.fixture
def pairs(photos):
    def write(text, encoding="utf-8"):
        Path("pairs.csv").write_bytes(text.encode(encoding))

    write(THREE)
    return write


def batch(run, options="", out="out.jsonl"):
    return run(f"{BATCH} {out} {options}")


def lines(name="out.jsonl"):
    return [json.loads(line) for line in Path(name).read_text().splitlines()]


def test_output_matches_golden_file(screens, pairs, scripted):
    with screens("verify-pairs") as show:
        show("all answered", f"{BATCH} out.jsonl --threshold 90 --workers 2")
        scripted.script = [errors.RateLimited("Slower."), errors.OutcomeUnknown("Broken."), None]
        command = f"{BATCH} two.jsonl"
        show("errors of single pairs", f"{command} --workers 1", code=6)
        show("the same command asks what was not charged", command, code=6)
        show("unknown calls are repeated when asked for", f"{command} --repeat unknown")
        show("everything is answered", command)
        show("another threshold", f"{command} --threshold 60", code=2)
        scripted.script = [errors.InsufficientCredit("No credit.")]
        show("what every pair would meet", f"{command} --repeat all --workers 1", code=5)
        show("the replacement is begun", f"{command} --repeat all", code=2)
        show("the replacement is complete", f"{BATCH} two.new.jsonl")
        Path("two.jsonl").unlink()
        show("the results are missing", command)
        command = f"{BATCH} three.jsonl"
        for name in ("text.jpg", "empty.jpg"):
            Path(name).write_text("not a picture" if name == "text.jpg" else "")
        pairs("probe,reference\ntext.jpg,id.jpg\nempty.jpg,id.jpg\n")
        show("errors of one class are counted", command, code=2)


def test_csv_cells_are_escaped_against_formulas(run, pairs, scripted):
    pairs(THREE.replace(",a\n", ",=1+1\n"))
    scripted.script = [None, errors.RateLimited("Slower."), None]
    assert batch(run, "--workers 1", out="out.csv").exit_code == 5
    with Path("out.csv").open(newline="") as file:
        first, second, _ = csv.DictReader(file)
    assert (first["key"], first["decision"], first["score"]) == ("'=1+1", "match", "80.0")
    assert (first["threshold"], first["charged"], first["error"]) == ("50.0", "yes", "")
    assert (second["line"], second["decision"], second["error"]) == ("3", "", "RateLimited")


def test_existing_results_are_overwritten_only_with_force(run, pairs, scripted, monkeypatch):
    Path("out.jsonl").write_text("precious")
    assert batch(run).exit_code == 2
    assert Path("out.jsonl").read_text() == "precious"
    assert not scripted.calls
    assert batch(run, "--repeat all").exit_code == 0
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
--out pairs.csv --repeat all
--out there.jsonl
"""


def test_wrong_usage_sends_no_request_and_writes_no_file(screens, run, pairs, scripted):
    Path("there.jsonl").write_text("precious")
    with screens("verify-pairs-wrong-usage") as show:
        for command in WRONG.strip().splitlines():
            show("", f"{BATCH} out.jsonl {command}", code=2)
        can = scripted.capabilities
        scripted.capabilities = attrs.evolve(can, retention=frozenset({Retention.MINIMAL}))
        show("what each comparison would refuse", f"{BATCH} out.jsonl --keep", code=2)
        for title, text in FAULTY.items():
            pairs(text)
            show(title, f"{BATCH} out.jsonl", code=2)
        show("", "verify --pairs nowhere.csv --out out.jsonl", code=2)
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
    answer = batch(run, "--repeat all")
    assert answer.exit_code == 2
    assert "out.jsonl cannot be written: Permission denied" in answer.stderr


@pytest.mark.skipif(resource is None, reason="this system has no limits of files")
@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_results_lost_to_a_full_disk_are_printed_and_never_paid_again(
    form, run, pairs, scripted, monkeypatch
):
    monkeypatch.setattr("facematch_core.batch.system._STORE_DELAYS_S", ())
    pairs("probe,reference\n" + "selfie.jpg,id.jpg\n" * 9)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill_the_disk(_call):
        size = Path(f"out.{form}").stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, limits[1]))

    scripted.script = [None, fill_the_disk]
    try:
        answer = batch(run, "--workers 1", out=f"out.{form}")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert answer.exit_code == 4
    # The calls and, below their title, one row that is missing.
    assert len(scripted.calls) == 2
    (lost,) = answer.stderr.partition("missing from the file:\n")[2].splitlines()[:1]
    assert "3" in (lost.split(",")[0] if form == "csv" else str(json.loads(lost)["line"]))
    assert f"The record of calls out.{form}.calls failed" in answer.stderr.splitlines()[-1]
    assert batch(run, out=f"out.{form}").exit_code == 6
    assert len(scripted.calls) == 9
    assert batch(run, "--repeat unknown", out=f"out.{form}").exit_code == 0
    assert len(scripted.calls) == 10


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full device")
def test_full_disk_at_the_csv_header_sends_no_request(run, pairs, scripted):
    Path("out.csv").symlink_to("/dev/full")
    answer = batch(run, out="out.csv")
    assert answer.exit_code == 4
    assert answer.stderr.endswith("error: No space left on device: out.csv.\n")
    assert not scripted.calls


@pytest.mark.parametrize(
    ("encoding", "notes"), [("cp1252", 1), ("utf-16", 0), ("utf-8-sig", 0), ("utf-8", 0)]
)
@pytest.mark.usefixtures("scripted")
def test_csv_encodings_and_separators_are_detected(run, pairs, encoding, notes):
    Path("sélfie.jpg").write_bytes(Path("selfie.jpg").read_bytes())
    text = "probe,reference,key\n\nsélfie.jpg,id.jpg\n,,\nid.jpg,sélfie.jpg,b\n"
    for separator, end in ((",", "\r\n"), (";", "\n"), ("\t", "\n")):
        for path in Path().glob("out.*"):
            path.unlink()
        pairs(text.replace(",", separator).replace("\n", end), encoding)
        answer = batch(run, "--workers 1")
        assert (answer.exit_code, answer.stderr.count("note: ")) == (0, notes)
        assert [(line["line"], line["key"]) for line in lines()] == [(3, None), (5, "b")]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda s: s.name)
def test_signal_stops_the_batch_and_writes_calls_in_progress(number, run_json, pairs, scripted):
    pairs(MANY)
    scripted.script = [None, lambda _call: signal.raise_signal(number)]
    code, document = batch(run_json, "--workers 2")
    assert (code, document["stopped_by"]) == (128 + number, number.name)
    assert len(lines()) == len(scripted.calls) < 200


def test_only_uncharged_errors_are_asked_again(run, run_json, pairs, scripted):
    pairs("probe,reference\n" + "selfie.jpg,id.jpg\n" * 4)
    charged = errors.UnexpectedResponse("Odd.", billing=Billing(Charged.YES, "a result"))
    scripted.script = [errors.RateLimited("Slower."), errors.OutcomeUnknown("Broken."), charged]
    assert batch(run, "--workers 1").exit_code == 6
    code, document = batch(run_json)
    assert (code, document["answered"], document["answered_before"]) == (6, 1, 1)
    assert (document["unknown"], document["not_asked"]) == ([3, 4], 0)
    assert len(scripted.calls) == 5


def test_a_bad_picture_can_be_replaced(run, pairs, scripted):
    good = Path("selfie.jpg").read_bytes()
    Path("bad.jpg").write_bytes(b"text")
    pairs("probe,reference\nbad.jpg,id.jpg\nselfie.jpg,id.jpg\n")
    assert batch(run).exit_code == 2
    Path("bad.jpg").write_bytes(good)
    assert batch(run).exit_code == 0
    assert len(scripted.calls) == len(lines()) == 2


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_resume_refuses_other_pictures_or_settings(form, run, pairs, scripted, configured):
    out = f"out.{form}"
    assert batch(run, out=out).exit_code == 0
    before = Path(out).read_bytes()
    answer = batch(run, "--keep", out=out)
    assert (answer.exit_code, f"{out} has 1 problem" in answer.stderr) == (2, True)
    configured('[profiles.other]\nbackend = "fake"\n')
    answer = batch(run, "--profile other", out=out)
    assert (answer.exit_code, "profile" in answer.stderr) == (2, True)
    configured("")
    Path("id.jpg").write_bytes(Path("selfie.jpg").read_bytes())
    answer = batch(run, out=out)
    # The third line compares the other picture alone.
    assert (answer.exit_code, f"{out} has 2 problems" in answer.stderr) == (2, True)
    assert Path(out).read_bytes() == before
    assert len(scripted.calls) == 3


def test_other_settings_are_taken_while_no_pair_is_finished(run, pairs, scripted):
    scripted.script = [errors.AuthenticationFailed("Wrong key.")]
    assert batch(run, "--workers 1").exit_code == 5
    assert batch(run, "--threshold 90").exit_code == 0
    assert batch(run).exit_code == 2
    assert [line["result"]["threshold"]["value"] for line in lines()] == [90, 90, 90]
    assert len(scripted.calls) == 4


def test_results_changed_by_another_program_are_refused(run, pairs, scripted):
    assert batch(run, out="out.csv").exit_code == 0
    changed = Path("out.csv").read_text().replace(",", ";")
    Path("out.csv").write_text(changed)
    assert batch(run, out="out.csv").exit_code == 2
    assert Path("out.csv").read_text() == changed


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_a_lost_or_torn_file_of_results_is_written_again(form, run, pairs, scripted):
    out = Path(f"out.{form}")
    assert batch(run, "--workers 1", out=out).exit_code == 0
    whole = out.read_bytes()
    out.write_bytes(whole[:-9])
    assert batch(run, out=out).exit_code == 0
    assert out.read_bytes() == whole
    out.unlink()
    assert batch(run, out=out).exit_code == 0
    assert out.read_bytes() == whole
    assert len(scripted.calls) == 3


def test_two_processes_do_not_write_the_same_results(run, pairs, scripted):
    pytest.importorskip("fcntl")
    scripted.script = [lambda _call: codes.append(batch(run).exit_code)]
    codes = []
    assert batch(run, "--workers 1").exit_code == 0
    assert codes == [2]
    assert len(scripted.calls) == 3


def test_file_that_is_no_record_of_calls_is_refused_unchanged(run, pairs, scripted):
    Path("out.jsonl.calls").write_text('\n{"line": 2, "state": "begun"}')
    before = Path("out.jsonl.calls").read_bytes()
    answer = batch(run)
    assert answer.exit_code == 4
    assert "out.jsonl.calls failed (file is not a database)" in answer.stderr
    assert Path("out.jsonl.calls").read_bytes() == before
    assert not scripted.calls


def test_a_vendor_that_is_down_ends_the_batch(run, run_json, pairs, scripted):
    pairs(MANY)
    scripted.script = [errors.VendorUnavailable("Down.")] * 200
    code, document = batch(run_json, "--workers 1")
    assert (code, len(scripted.calls)) == (5, MOST_FAILURES)
    assert document["stopped_by"]["class"] == "VendorUnavailable"
    assert document["not_asked"] == 200 - MOST_FAILURES
    scripted.script = []
    assert batch(run).exit_code == 0
    assert len(scripted.calls) == 200 + MOST_FAILURES


def test_an_open_breaker_is_waited_for(run, run_json, pairs, scripted):
    pause = errors.BreakerOpen("Down.", retry_after_s=0.01, billing=Billing(Charged.NO))
    scripted.script = [pause]
    code, document = batch(run_json, "--workers 1")
    assert (code, document["answered"], len(scripted.calls)) == (0, 3, 4)


def test_a_batch_needs_no_sqlalchemy(run, pairs, scripted, monkeypatch):
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    scripted.script = [errors.OutcomeUnknown("Lost.")]
    assert batch(run, "--workers 1").exit_code == 6
    assert batch(run).exit_code == 6
    assert run("budget --store out.jsonl.calls").exit_code == 0
    assert len(scripted.calls) == 3


@pytest.mark.parametrize(("verdict", "calls", "code"), [("charged", 0, 6), ("not-charged", 1, 0)])
def test_a_lost_call_is_listed_and_resolved(  # noqa: PLR0917 - fixtures
    run, run_json, pairs, scripted, verdict, calls, code
):
    scripted.script = [None, errors.OutcomeUnknown("Lost.")]
    assert batch(run, "--workers 1").exit_code == 6
    _, document = run_json("budget --store out.jsonl.calls")
    (call,) = document["unanswered"]
    # The number of the pair is that of its line.
    assert (call["system"], call["pair"], call["state"]) == ("fake", 3, "unresolved")
    resolve = f"budget resolve {call['call']} {verdict} --store out.jsonl.calls --yes"
    assert run(resolve).exit_code == 0
    assert run(resolve).exit_code == 2
    before = len(scripted.calls)
    assert batch(run).exit_code == code
    assert len(scripted.calls) - before == calls


def test_results_go_to_standard_output(run, pairs, scripted):
    for _ in range(2):
        answer = batch(run, out="-")
        rows = [json.loads(row) for row in answer.stdout.splitlines()]
        assert sorted(row["line"] for row in rows) == [2, 3, 4]
        assert "3 pairs: 3 answered" in answer.stderr
    assert len(scripted.calls) == 6
    assert not Path("-").exists()
    assert batch(run, "--json", out="-").exit_code == 2


def stop_at_the_question(question, *, err):
    """As Ctrl-C and Ctrl-D, which leave the cursor behind the question."""
    click.echo(question, nl=False, err=err)
    raise click.Abort


def test_paid_calls_need_a_confirmation(run, pairs, scripted, request, monkeypatch):
    command = "verify --pairs pairs.csv --out out.jsonl"
    answer = run(command)
    assert (answer.exit_code, len(scripted.calls)) == (2, 0)
    assert "calls left" in answer.stderr
    assert "--yes" in answer.stderr
    request.getfixturevalue("terminal")
    assert run(command, input="n\n").exit_code == 130
    with monkeypatch.context() as patch:
        patch.setattr(click, "confirm", stop_at_the_question)
        ended = run(command)
    assert (ended.exit_code, ended.stderr.splitlines()[-1]) == (130, "stopped")
    assert not scripted.calls
    assert run(command, input="y\n").exit_code == 0
    assert len(scripted.calls) == 3


def test_a_bill_names_the_price_of_the_budget(run, pairs, configured, scripted):
    configured(
        '[profiles.shop]\nbackend = "fake"\n[profiles.shop.budget]\ncap = "9"\ncurrency = "EUR"\n'
        'price = {match = "0.5"}\nstore = "memory"\n'
    )
    assert "1.5 EUR" in batch(run, "--profile shop").stderr
