import json
import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from facematch_core import Charged, Environment, FaceVerifier, errors
from facematch_core.batch.errors import RecordInUse
from facematch_core.cli import app, main, text

CODES = {
    errors.InvalidImage("m"): 2,
    errors.InvalidRequest("m"): 2,
    errors.Unsupported("m", backend="fake", what="x"): 2,
    RecordInUse("m"): 3,
    errors.ConfigurationError("m"): 4,
    errors.BackendUnavailable("m"): 4,
    errors.EnvironmentMismatch("m", environment=Environment.MOCK): 4,
    errors.Unsupported("m", backend="fake", what="liveness"): 4,
    errors.BudgetExceeded("m"): 5,
    errors.RequestRejected("m"): 5,
    errors.AuthenticationFailed("m"): 5,
    errors.PermissionDenied("m"): 5,
    errors.InsufficientCredit("m"): 5,
    errors.RateLimited("m"): 5,
    errors.VendorUnavailable("m"): 5,
    errors.UnexpectedResponse("m"): 5,
    errors.OutcomeUnknown("m"): 6,
    errors.DeadlineExceeded("m"): 6,
    RuntimeError("m"): 70,
    PermissionError(13, "Permission denied", "out.png"): 4,
}


@pytest.fixture
def failing(monkeypatch, scripted):
    def fail(error):
        def call(*_args, **_options):
            raise error

        monkeypatch.setattr(FaceVerifier, "verify", call)

    return fail


@pytest.mark.parametrize(("error", "code"), CODES.items(), ids=lambda error: type(error).__name__)
def test_each_error_has_its_exit_code(error, code, failing, run, photos):

    failing(error)
    answer = run("verify selfie.jpg id.jpg")
    assert (answer.exit_code, answer.stdout) == (code, "")
    assert answer.stderr.startswith("error: ")
    assert len(answer.stderr.splitlines()) == 1
    document = run("verify selfie.jpg id.jpg --json")
    assert document.stderr == answer.stderr
    fields = json.loads(document.stdout)["error"]
    assert document.exit_code == fields["exit_code"] == code
    assert fields["class"] == type(error).__name__
    assert {"message", "billing", "ids", "retryable"} <= set(fields)
    debug = CliRunner().invoke(app.facematch, ["--debug", "verify", *photos, "--json"])
    assert (debug.exit_code, debug.stdout) == (code, document.stdout)
    assert debug.stderr.startswith("Traceback")


def test_every_error_class_has_an_exit_code():
    tree = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    ours = {k for k in tree if issubclass(k, errors.FaceMatchError)} - {errors.FaceMatchError}
    coded = {kind for kind in ours if any(issubclass(kind, line) for line, _ in text.ERRORS)}
    assert ours == coded


def test_error_after_paid_liveness_check_includes_the_liveness_result(
    run_json, run, photos, scripted
):
    scripted.script = [None, errors.RateLimited("Slower.")] * 2
    code, document = run_json("verify selfie.jpg id.jpg --live")
    assert code == 5
    assert document["error"]["liveness"]["decision"] == "live"
    assert document["error"]["liveness"]["billing"]["charged"] == Charged.YES
    answer = run("verify selfie.jpg id.jpg --live")
    assert "The preceding liveness check returned live (charged: yes)." in answer.stderr


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("verify a.png b.png --threshold 0,5", "'0,5' is not a number"),
        ("mock --port 8.080", "'8.080' is not a whole number"),
        ("compare drift x --since yesterday", "'yesterday' is not a time"),
        ("compare plan --fmr 0,05 --frr 0.1", "'0,05' is not a number"),
    ],
)
def test_what_is_no_value_is_refused_without_names_of_types(command, expected, run):
    answer = run(command)
    assert answer.exit_code == 2
    assert expected in answer.stderr
    assert "%Y" not in answer.stderr
    assert "valid" not in answer.stderr.splitlines()[-1].removeprefix("error: Invalid value")


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), click.Abort()], ids=["ctrl-c", "abort"])
def test_ctrl_c_exits_with_130(stop, failing, run, run_json, photos):
    failing(stop)
    answer = run("verify selfie.jpg id.jpg")
    assert (answer.exit_code, answer.stdout, answer.stderr.strip()) == (130, "", "stopped")
    code, document = run_json("verify selfie.jpg id.jpg")
    assert code == document["error"]["exit_code"] == 130
    assert document["error"]["message"] == "stopped"


@pytest.mark.parametrize("as_json", [False, True])
def test_ctrl_c_during_a_call_reports_a_possible_charge(run, photos, scripted, as_json):
    def interrupt(call):
        call.on_send()
        raise KeyboardInterrupt

    scripted.script = [interrupt]
    answer = run(f"verify selfie.jpg id.jpg {'--json' if as_json else ''}")
    assert answer.exit_code == 6
    (call_id,) = re.findall(r"may have been charged \(call (\S+)\)", answer.stderr)
    if as_json:
        assert json.loads(answer.stdout)["error"]["ids"]["call"] == call_id


def test_message_of_a_plug_in_bug_is_not_printed(run, photos, scripted):
    scripted.script = [RuntimeError("key=hunter2")]
    assert "hunter2" not in run("verify selfie.jpg id.jpg").output


@pytest.fixture
def full():
    """A file on a full disk."""
    if not Path("/dev/full").exists():
        pytest.skip("this system has no full device")
    with Path("/dev/full").open("wb") as file:
        yield file


@pytest.fixture
def unread():
    """A pipe that nobody reads, as after `| head -1`."""
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


#: Output to a file or a pipe has a buffer, which is written once more at exit.
BUFFERED = {"PYTHONUNBUFFERED": ""}


@pytest.mark.parametrize("output", ["full", "unread"])
@pytest.mark.parametrize(
    ("command", "streams"),
    [
        # Without --json, nothing is printed to stdout.
        (("nope",), ("stderr",)),
        (("nope", "--json"), ("stdout",)),
        (("nope", "--json"), ("stdout", "stderr")),
    ],
)
def test_an_error_that_cannot_be_printed_keeps_its_exit_code(
    command, output, streams, request, started
):
    """Code 1 would mean no match."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    pipes |= dict.fromkeys(streams, request.getfixturevalue(output))
    ended = started(*command, env=BUFFERED, capture_output=False, **pipes)
    assert ended.returncode == 2
    assert "Traceback" not in (ended.stderr or "")
    if "stderr" not in streams:
        assert ended.stderr.splitlines()[-1].startswith("error: ")


def test_output_to_a_full_disk_is_a_failed_write(full, started):
    ended = started(
        "--help", env=BUFFERED, capture_output=False, stdout=full, stderr=subprocess.PIPE
    )
    assert (ended.returncode, ended.stderr) == (4, "error: No space left on device.\n")


def test_a_pipe_closed_by_its_reader_has_a_code_of_its_own(unread, started):
    ended = started(
        "--help", env=BUFFERED, capture_output=False, stdout=unread, stderr=subprocess.PIPE
    )
    assert (ended.returncode, ended.stderr) == (141, "")


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
@pytest.mark.parametrize(("word", "code"), [("doctor", 0), ("nope", 2)])
def test_a_program_without_an_output_has_the_same_exit_code(monkeypatch, stream, word, code):
    """As with `>&-`, and under pythonw."""
    monkeypatch.setattr(sys, stream, None)
    with pytest.raises(SystemExit) as ended:
        app.facematch.main([word])
    assert ended.value.code == code


def test_ctrl_c_during_the_imports_exits_with_130(monkeypatch, capsys):
    class Interrupting:
        def find_spec(self, name, *_):
            if name == app.__name__:
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, app.__name__)
    monkeypatch.setattr(sys, "meta_path", [Interrupting(), *sys.meta_path])
    with pytest.raises(SystemExit) as ended:
        main()
    assert (ended.value.code, capsys.readouterr().err) == (130, "stopped\n")
