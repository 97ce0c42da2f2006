"""`facematch compare run`: what it shows, asks, and ends with."""

import contextlib
import os
import re
import shlex
import signal
import threading

import pytest
from kit.comparison.studies import charged_answer, fail_with, write_study
from kit.fakes import FakeBackend, match_result, open_always

from facematch_comparison import RunDatabase
from facematch_comparison.study.reading import write_pairs_csv
from facematch_core import Billing, Charged, Decision, Environment, OutcomeUnknown, Score
from facematch_core.cli.text import Stopping
from facematch_core.errors import AuthenticationFailed, ConfigurationError, RateLimited

RUN = ("compare", "run", "pairs.csv", "--backend", "fake")
ONE_BY_ONE = (*RUN, "--yes", "--workers", "1")

pytestmark = pytest.mark.usefixtures("pairs")


@pytest.fixture
def pairs(tmp_path, scripted):
    """A file of six pairs, pairs.csv."""
    path = tmp_path / "pairs.csv"
    write_pairs_csv(path, write_study(tmp_path / "pictures"))
    return path


def test_every_pair_is_sent_once_and_a_repeated_command_sends_nothing(
    screens, scripted, configured, tmp_path
):
    configured('[profiles.a]\nbackend = "fake"\n[profiles.b]\nbackend = "fake"\n')
    profiles = ("--profile", "a", "--profile", "b", "--price", "a=0.05", "--price", "b=0.10")
    with screens("run") as show:
        show("at first", "compare", "run", "pairs.csv", *profiles, "--yes", "--store", "mine.db")
        show("again", "compare", "run", "pairs.csv", *profiles, "--store", "mine.db")
    assert len(scripted.calls) == 12
    assert (tmp_path / "mine.db").stat().st_mode & 0o777 == 0o600


def test_columns_of_the_pairs_are_named_by_the_line_to_paste(run, scripted, tmp_path):
    file = tmp_path / "pairs.csv"
    head, *lines = file.read_text().splitlines()
    file.write_text("\n".join([head.replace("probe_subject", "who"), *lines]))
    refusal = run(*ONE_BY_ONE)
    (pasted,) = re.findall(r"^ +facematch (.*)$", refusal.stderr, re.MULTILINE)
    assert (refusal.exit_code, scripted.calls) == (2, [])
    answer = run(*shlex.split(pasted.replace("COLUMN", "who")))
    assert (answer.exit_code, len(scripted.calls)) == (0, 6)
    # The report reads the same file for the names of its people.
    report = ("compare", "report", "--pairs", "pairs.csv", "--answers", "answers.csv")
    assert run(*report).exit_code == 2
    assert run(*report, "--column", "probe_subject=who").exit_code == 0


def test_pairs_that_name_no_people_are_not_advised_to_use_an_option_of_another_command(
    run, scripted, tmp_path
):
    (tmp_path / "pairs.csv").write_text("probe,reference,expected\na.jpg,b.jpg,same\n")
    refusal = run(*ONE_BY_ONE)
    assert (refusal.exit_code, scripted.calls) == (2, [])
    assert "add probe_subject and reference_subject" in " ".join(refusal.stderr.split())
    assert "--independent-pairs" not in refusal.stderr


def test_summary_reports_unfinished_pairs_with_reasons(screens, scripted):
    lost = fail_with(OutcomeUnknown("Lost."))
    unsaid = match_result(score=Score(80.0, "fake/v1"), billing=Billing(Charged.UNKNOWN))
    faceless = match_result(Decision.INCONCLUSIVE, billing=Billing(Charged.YES))
    with screens("run-ends") as show:
        for title, script, code in (
            ("unresolved", [lost], 6),
            ("failed", [fail_with(RateLimited("Slower."))], 5),
            ("fatal", [fail_with(AuthenticationFailed("No."))], 5),
            ("charged", [lost, unsaid, faceless], 6),
            ("models", [charged_answer(model="v1"), charged_answer(model="v2")], 0),
        ):
            scripted.script = script
            show(title, *ONE_BY_ONE, "--store", f"{title}.db", code=code)
        show("without a failure of its own", *ONE_BY_ONE, "--store", "failed.db")


def test_total_cost_is_confirmed_before_sending(run, scripted, request):
    words = (*RUN, "--price", "fake=0.05")
    unattended = run(*words)
    assert (unattended.exit_code, "pass --yes to confirm" in unattended.stderr) == (2, True)
    request.getfixturevalue("terminal")
    refused = run(*words, input="n\n")
    assert (refused.exit_code, scripted.calls) == (130, [])
    assert "fake    fake     production  minimal    6 of 6      0.3 USD" in refused.stderr
    assert "at most 0.3 USD total" in refused.stderr
    assert "Make 6 calls that may be charged? [y/N]:" in refused.stderr
    granted = run(*words, input="y\n")
    assert (granted.exit_code, len(scripted.calls)) == (0, 6)


def test_budget_price_is_used_by_the_run_and_its_database(run, scripted, tmp_path, configured):
    configured(
        '[profiles.a]\nbackend = "fake"\n[profiles.a.budget]\ncap = "1.00"\n'
        'currency = "USD"\nprice = { match = "0.05" }\nstore = "sqlite:///study.sqlite3"\n'
        '[profiles.b]\nbackend = "fake"\n'
    )
    answer = run("compare", "run", "pairs.csv", "--profile", "a", "--profile", "b", "--yes")
    assert answer.exit_code == 0, answer.output
    assert "0.3 USD" in answer.stderr
    assert "not known" in answer.stderr
    with contextlib.closing(RunDatabase(f"sqlite:///{tmp_path}/study.sqlite3")) as database:
        a, b = database.systems()
        with contextlib.closing(database.calls()) as store:
            assert int(store.budgets()[0].spent * 100) == 30
    assert (str(a.price.amount), a.price.currency, b.price) == ("0.05", "USD", None)


def test_a_mock_is_free_and_needs_no_confirmation(screens, monkeypatch):
    with screens("run-mock") as show:
        for where, prices in (
            ("mock", ("--price", "fake=1", "--currency", "EUR")),
            ("sandbox", ()),
        ):
            scripted = open_always(monkeypatch, FakeBackend(environment=Environment(where)))
            show(where, *RUN, *prices, "--store", f"{where}.db")
            assert len(scripted.calls) == 6


def test_ctrl_c_lets_sent_calls_finish(run, scripted, monkeypatch):
    heard = threading.Event()

    class Listening(Stopping):
        def __setattr__(self, name, value):
            super().__setattr__(name, value)
            if self.__dict__.get("signal"):
                heard.set()

    def interrupt(_call):
        os.kill(os.getpid(), signal.SIGINT)
        # Python hands it to the main thread, which this is not.
        assert heard.wait(30)

    monkeypatch.setattr("facematch_core.cli.text.Stopping", Listening)
    scripted.script = [None, interrupt]
    stopped = run(*ONE_BY_ONE)
    assert stopped.exit_code == 130
    assert len(scripted.calls) < 6
    assert run(*ONE_BY_ONE).exit_code == 0
    assert len(scripted.calls) == 6


@pytest.mark.usefixtures("scripted")
def test_printed_report_command_can_be_pasted(run, run_json):
    answer = run(*RUN, "--yes", "--store", "my study.db")
    facematch, *words = shlex.split(answer.stdout.splitlines()[-1])
    assert (facematch, words[:2]) == ("facematch", ["compare", "report"])
    _, document = run_json(*words, "--fmr", "0.5")
    assert (document["kind"], document["study"]["name"]) == ("comparison", "pairs")


def test_invalid_arguments_of_run_send_nothing(refused, pairs, scripted, configured, tmp_path):
    profile = '[profiles.{0}]\nbackend = "fake"\n'
    configured(
        profile.format("a") + profile.format("b") + '[profiles.both]\nmembers = ["a", "b"]\n'
    )
    (tmp_path / "fault.csv").write_text(pairs.read_text().replace("pictures", "nowhere", 1))
    lines = ["--price fake=cheap", "--price fake=-1", "--price other=1", "--keep other"]
    lines += ["--workers 0", "--backend fake", "--config facematch.toml"]
    of_fake = [f"pairs.csv --backend fake {words}" for words in lines]
    of_fake += [f"{path} --backend fake --yes" for path in ("pictures", "fault.csv", "none.csv")]
    refused("run", "pairs.csv", "pairs.csv --profile both --yes", *of_fake)
    assert scripted.calls == []


def test_a_charge_that_cannot_be_stored_is_printed(run_json, scripted, monkeypatch):
    """A full disk: the call was made, and nothing says what it ended in."""

    def full(*_):
        raise ConfigurationError("The run database failed (database or disk is full).")

    monkeypatch.setattr("facematch_comparison.run.system._STORE_DELAYS_S", ())
    monkeypatch.setattr(RunDatabase, "end", full)
    code, document = run_json(*ONE_BY_ONE)
    (fake,) = document["systems"]
    counts = [fake[key] for key in ("answered", "unresolved", "left", "charged", "maybe_charged")]
    assert (code, counts, len(scripted.calls)) == (6, [0, 1, 5, 0, 1], 1)
