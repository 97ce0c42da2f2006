"""Every exit code, and what is said with it."""

import json
import sys

import click
import pytest
from click.testing import CliRunner
from kit.fakes import SCALE, liveness_result, match_result
from kit.plugins import Site

from facematch_core import (
    Charged,
    Decision,
    Environment,
    FaceVerifier,
    LiveMatchDecision,
    LivenessDecision,
    Score,
    errors,
)
from facematch_core.cli import common
from facematch_core.cli.app import facematch
from facematch_core.cli.common import Exit

CODES = {
    errors.InvalidImage("m"): 2,
    errors.InvalidRequest("m"): 2,
    errors.Unsupported("m", backend="fake", what="x"): 2,
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
    """Make `verify` raise an error."""

    def fail(error):
        def call(*_args, **_options):
            raise error

        monkeypatch.setattr(FaceVerifier, "verify", call)

    return fail


@pytest.mark.parametrize(("error", "code"), CODES.items(), ids=lambda it: type(it).__name__)
def test_error(error, code, failing, run, photos):
    """An error ends with its code and one sentence on stderr; nothing stands on stdout."""
    failing(error)
    answer = run("verify", *photos)
    assert answer.exit_code == code
    assert answer.stdout == ""
    assert answer.stderr.startswith("error: ")
    assert len(answer.stderr.splitlines()) == 1


@pytest.mark.parametrize(("error", "code"), CODES.items(), ids=lambda it: type(it).__name__)
def test_error_as_json(error, code, failing, run, photos):
    """With --json the same error is a document on stdout as well."""
    failing(error)
    answer = run("verify", *photos, "--json")
    told = json.loads(answer.stdout)["error"]
    assert answer.exit_code == told["exit_code"] == code
    assert told["class"] == type(error).__name__
    assert {"message", "billing", "ids", "retryable"} <= set(told)
    assert len(answer.stderr.splitlines()) == 1


def test_every_error_of_the_tree_has_a_code():
    """None of our errors falls through to 70."""
    tree = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    ours = {k for k in tree if issubclass(k, errors.FaceMatchError)} - {errors.FaceMatchError}
    coded = {kind for kind in ours if any(issubclass(kind, line) for line, _ in common.ERRORS)}
    assert ours == coded


def test_every_decision_has_a_code():
    """The table of decisions is total, and each code that it can give is explained in the help."""
    words = {d.value for kind in (Decision, LivenessDecision, LiveMatchDecision) for d in kind}
    assert set(common.DECISIONS) == words
    codes = {*common.DECISIONS.values(), *(code for _, code in common.ERRORS), Exit.BUG}
    assert codes <= set(common.MEANING)


@pytest.mark.parametrize("decision", Decision, ids=str)
def test_match_decisions(decision, run, photos, scripted):
    """A mismatch is no error, but has a code of its own."""
    scripted.script = [match_result(decision, score=Score(90, SCALE))]
    expected = {"match": 0, "no_match": 1, "review": 3, "inconclusive": 3}
    assert run("verify", *photos).exit_code == expected[decision.value]


@pytest.mark.parametrize("decision", LivenessDecision, ids=str)
def test_liveness_decisions(decision, run, photos, scripted):
    """The same for liveness."""
    scripted.script = [liveness_result(decision, score=Score(90, SCALE))]
    expected = {"live": 0, "not_live": 1, "review": 3, "inconclusive": 3}
    assert run("liveness", photos[0]).exit_code == expected[decision.value]


def test_unknown_charge_is_said(run, photos, scripted):
    """A call that may have been charged says so, with our id of it."""
    scripted.script = [errors.OutcomeUnknown("The connection broke.")]
    answer = run("verify", *photos)
    assert answer.exit_code == 6
    assert "may have been charged (call " in answer.stderr
    attempt = answer.stderr.split("(call ")[1].split(")")[0]
    assert len(attempt) == 36


def test_charge_is_said(run, photos, scripted):
    """So does one that was charged, and one that was not."""
    scripted.script = [errors.UnexpectedResponse("Odd."), errors.RateLimited("Slower.")]
    assert "This call was charged (call " in run("verify", *photos).stderr
    assert "This call was not charged." in run("verify", *photos).stderr


def test_paid_liveness_is_not_lost(run_json, run, photos, scripted):
    """When the comparison after a liveness check fails, the paid check is told."""
    scripted.script = [None, errors.RateLimited("Slower.")] * 2
    code, document = run_json("verify", *photos, "--live")
    assert code == 5
    assert document["error"]["liveness"]["decision"] == "live"
    assert document["error"]["liveness"]["billing"]["charged"] == Charged.YES
    told = run("verify", *photos, "--live").stderr
    assert "The liveness check before it was answered: live, charged: yes." in told


def test_bug_gives_no_traceback(run, photos, scripted):
    """A bug is one sentence; a plug-in's words, which may hold anything, are not repeated."""
    scripted.script = [RuntimeError("key=hunter2")]
    answer = run("verify", *photos)
    assert "hunter2" not in answer.output


@pytest.mark.parametrize(("error", "code"), CODES.items(), ids=lambda it: type(it).__name__)
def test_debug_adds_the_traceback(error, code, failing, run, photos):
    """`--debug` shows the traceback on stderr, and changes neither the code nor the document."""
    failing(error)
    plain = run("verify", *photos, "--json")
    answer = CliRunner().invoke(facematch, ["--debug", "verify", *photos, "--json"])
    assert answer.exit_code == code
    assert answer.stdout == plain.stdout
    assert answer.stderr.startswith("Traceback")
    assert answer.stderr.endswith(plain.stderr)


def test_debug_of_wrong_usage(run):
    """Wrong usage is no error of a program, and has no traceback."""
    assert run("--debug", "verify").exit_code == 2


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), click.Abort()], ids=["ctrl-c", "abort"])
def test_stopped(stop, failing, run, photos):
    """Ctrl-C ends with 130 and no traceback."""
    failing(stop)
    answer = run("verify", *photos)
    assert answer.exit_code == 130
    assert answer.stdout == ""
    assert answer.stderr.strip() == "stopped"


def test_stopped_as_json(failing, run_json, photos):
    """With --json Ctrl-C prints a document too."""
    failing(KeyboardInterrupt())
    code, document = run_json("verify", *photos)
    assert code == document["error"]["exit_code"] == 130
    assert document["error"]["class"] == "KeyboardInterrupt"
    assert document["error"]["message"] == "stopped"


def test_terminal_is_not_steered(run, photos, scripted):
    """Control characters of a vendor's text do not reach the terminal."""
    scripted.script = [errors.RequestRejected("bad \x1b[2J field\r")]
    answer = run("verify", *photos)
    assert "\x1b" not in answer.stderr
    assert "\r" not in answer.stderr


@pytest.mark.parametrize("given", [(), (0,), (3,), ("bye",)])
def test_a_plug_in_that_leaves_lets_nobody_in(run, photos, scripted, given):
    """``sys.exit()`` in it says nothing of a match, whatever it is given.

    For a program it is an interruption, as from its own handler of signals; see test_trust.
    """

    def leave(_call):
        sys.exit(*given)

    scripted.script = [leave]
    answer = run("verify", *photos)
    assert answer.exit_code == 70
    assert "SystemExit was not expected here: a bug" in answer.stderr


def test_a_command_that_leaves_lets_nobody_in(run, plugin):
    """Not even one that says that all is well."""
    code = """
        import sys
        import click
        leaves = click.Command("leaves", callback=lambda: sys.exit(0))
    """
    plugin(code, {"facematch.commands": {"leaves": "leaves"}})
    answer = run("leaves")
    assert answer.exit_code == 70
    assert "SystemExit was not expected here: a bug" in answer.stderr


@pytest.mark.parametrize("code", [0, 3])
def test_an_import_that_leaves_harms_no_other_backend(run, tmp_path, monkeypatch, photos, code):
    """It is told in one sentence, and the others are listed."""
    site = Site(tmp_path / "site", monkeypatch)
    leaving = f"raise SystemExit({code})"
    site.add("leaver", [("facematch.backends", "leaver", "Made")], source=leaving)
    answer = run("backends")
    assert answer.exit_code == 0
    assert "local" in answer.stdout
    assert "cannot be imported (SystemExit" in answer.stdout + answer.stderr
    asked = run("verify", *photos, "--backend", "leaver")
    assert asked.exit_code == 4
    assert "The backend leaver of leaver cannot be imported (SystemExit" in asked.stderr
