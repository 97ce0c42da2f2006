"""`facematch compare run`: what it shows, asks, and ends with."""

import contextlib
import re
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

PROFILES = """
[profiles.a]
backend = "fake"
[profiles.b]
backend = "fake"
[profiles.both]
members = ["a", "b"]
"""
RUN = "compare run pairs.csv --backend fake"
ONE_BY_ONE = f"{RUN} --yes --workers 1"

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
    configured(PROFILES)
    profiles = "--profile a --profile b --price a=0.05 --price b=0.10"
    with screens("run") as show:
        show("at first", f"compare run pairs.csv {profiles} --yes --store mine.db")
        show("again", f"compare run pairs.csv {profiles} --store mine.db")
    assert len(scripted.calls) == 12
    assert (tmp_path / "mine.db").stat().st_mode & 0o777 == 0o600


def test_columns_of_the_pairs_are_named_by_the_line_to_paste(run, scripted, tmp_path):
    file = tmp_path / "pairs.csv"
    head, *lines = file.read_text().splitlines()
    file.write_text("\n".join([head.replace("probe_subject", "who"), *lines]))
    refusal = run(ONE_BY_ONE)
    assert refusal.exit_code == 2
    assert scripted.calls == []
    (pasted,) = re.findall(r"^ +facematch (.*)$", refusal.stderr, re.MULTILINE)
    assert run(pasted.replace("COLUMN", "who")).exit_code == 0
    assert len(scripted.calls) == 6
    # The report reads the same file for the names of its people.
    report = "compare report --pairs pairs.csv --answers answers.csv"
    assert run(report).exit_code == 2
    assert run(f"{report} --column probe_subject=who").exit_code == 0


def test_pairs_that_name_no_people_are_not_advised_to_use_an_option_of_another_command(
    run, scripted, tmp_path
):
    (tmp_path / "pairs.csv").write_text("probe,reference,expected\na.jpg,b.jpg,same\n")
    refusal = run(ONE_BY_ONE)
    assert refusal.exit_code == 2
    assert scripted.calls == []
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
            show(title, f"{ONE_BY_ONE} --store {title}.db", code=code)
        show("without a failure of its own", f"{ONE_BY_ONE} --store failed.db")


def test_without_a_terminal_the_cost_is_confirmed_by_an_option(run):
    answer = run(f"{RUN} --price fake=0.05")
    assert answer.exit_code == 2
    assert "pass --yes to confirm" in answer.stderr


@pytest.mark.usefixtures("terminal")
def test_total_cost_is_confirmed_before_sending(run, scripted):
    command = f"{RUN} --price fake=0.05"
    refused = run(command, input="n\n")
    assert refused.exit_code == 130
    assert scripted.calls == []
    assert "fake    fake     production  minimal    6 of 6      0.3 USD" in refused.stderr
    assert "at most 0.3 USD total" in refused.stderr
    assert "Make 6 calls that may be charged? [y/N]:" in refused.stderr
    assert run(command, input="y\n").exit_code == 0
    assert len(scripted.calls) == 6


def test_budget_price_is_used_by_the_run_and_its_database(run, scripted, tmp_path, configured):
    configured(
        '[profiles.a]\nbackend = "fake"\n[profiles.a.budget]\ncap = "1.00"\n'
        'currency = "USD"\nprice = { match = "0.05" }\nstore = "sqlite:///study.sqlite3"\n'
        '[profiles.b]\nbackend = "fake"\n'
    )
    answer = run("compare run pairs.csv --profile a --profile b --yes")
    assert answer.exit_code == 0, answer.output
    assert "0.3 USD" in answer.stderr
    assert "not known" in answer.stderr
    with contextlib.closing(RunDatabase(f"sqlite:///{tmp_path}/study.sqlite3")) as database:
        a, b = database.systems()
        with contextlib.closing(database.calls()) as store:
            assert int(store.budgets()[0].spent * 100) == 30
    assert (str(a.price.amount), a.price.currency, b.price) == ("0.05", "USD", None)


def test_profile_of_the_config_option_is_asked_and_not_its_namesake(
    run, scripted, configured, tmp_path
):
    configured(PROFILES)
    own = '[profiles.a]\nbackend = "fake"\nrequire_environment = "mock"\n'
    (tmp_path / "own.toml").write_text(own)
    refused = run("compare run pairs.csv --profile a --config own.toml --yes")
    assert "mock is required" in refused.stderr
    assert (refused.exit_code, scripted.calls) == (4, [])
    assert run("compare run pairs.csv --profile a --yes").exit_code == 0
    assert len(scripted.calls) == 6


def test_a_mock_is_free_and_needs_no_confirmation(screens, monkeypatch):
    with screens("run-mock") as show:
        for environment, prices in (
            ("mock", "--price fake=1 --currency EUR"),
            ("sandbox", ""),
        ):
            backend = FakeBackend(environment=Environment(environment))
            scripted = open_always(monkeypatch, backend)
            show(environment, f"{RUN} {prices} --store {environment}.db")
            assert len(scripted.calls) == 6


def test_ctrl_c_lets_sent_calls_finish(run, scripted, monkeypatch):
    heard = threading.Event()

    class Listening(Stopping):
        def __setattr__(self, name, value):
            super().__setattr__(name, value)
            if self.__dict__.get("signal"):
                heard.set()

    def interrupt(_call):
        # The main thread hears of it, and nothing ends its wait: not even this signal.
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        assert heard.wait(30)

    monkeypatch.setattr("facematch_core.cli.text.Stopping", Listening)
    scripted.script = [None, interrupt]
    stopped = run(ONE_BY_ONE)
    assert stopped.exit_code == 130
    assert len(scripted.calls) < 6
    assert run(ONE_BY_ONE).exit_code == 0
    assert len(scripted.calls) == 6


def test_parts_are_run_one_by_one_and_reported_together(run, run_json, scripted):
    for number in (1, 3):
        command = f"{RUN} --yes --part {number}/3 --store run/{number}.sqlite3"
        assert run(command).exit_code == 0
        assert len(scripted.calls) == 2
        assert run(command).exit_code == 0
        assert len(scripted.calls) == 2
        scripted.calls.clear()
    report = "compare report --fmr 0.5 --pairs pairs.csv --answers answers.csv"
    code, document = run_json(f"{report} --store 'run/*.sqlite3'")
    assert code == 0
    assert "(of 3): 2." in document["headline"]
    assert document["study"]["size"]["pairs"] == 4
    _, by_files = run_json(f"{report} --store run/3.sqlite3 --store run/1.sqlite3")
    assert by_files["study"] == document["study"]
    gate = run("compare gate --store run/1.sqlite3 --requirements sp800-63a")
    assert "(of 3): 2-3." in gate.stderr
    # Unquoted, the shell makes several words of a pattern.
    refusal = run("compare report --store run/1.sqlite3 run/3.sqlite3")
    assert refusal.exit_code == 2
    assert "--store" in refusal.stderr
    assert run("compare report --store 'runs/*.sqlite3'").exit_code == 2


def test_a_part_that_another_process_runs_sends_nothing(run, scripted):
    command = f"{RUN} --yes --part 1/2 --store 1.sqlite3"
    with contextlib.closing(RunDatabase("sqlite:///1.sqlite3")) as database:
        database.lock()
        assert run(command).exit_code == 3
        assert scripted.calls == []
    assert run(command).exit_code == 0
    assert len(scripted.calls) == 3


@pytest.mark.usefixtures("scripted")
def test_printed_report_command_can_be_pasted(run, run_json):
    answer = run(f"{RUN} --yes --store 'my study.db'")
    (command,) = re.findall(r"^ *facematch (compare report .*)$", answer.stdout, re.MULTILINE)
    _, document = run_json(f"{command} --fmr 0.5")
    assert (document["kind"], document["study"]["name"]) == ("comparison", "pairs")


def test_invalid_arguments_of_run_send_nothing(refused, pairs, scripted, configured, tmp_path):
    configured(PROFILES)
    (tmp_path / "fault.csv").write_text(pairs.read_text().replace("pictures", "nowhere", 1))
    refused(
        "run",
        "pairs.csv",
        "pairs.csv --profile both --yes",
        "pairs.csv --backend fake --price fake=cheap",
        "pairs.csv --backend fake --price fake=-1",
        "pairs.csv --backend fake --price other=1",
        "pairs.csv --backend fake --currency euros",
        "pairs.csv --backend fake --keep other",
        "pairs.csv --backend fake --workers 0",
        "pairs.csv --backend fake --part 3",
        "pairs.csv --backend fake --part 0/2",
        "pairs.csv --backend fake --part 3/2",
        "pairs.csv --backend fake --part 1/7",
        "pairs.csv --backend fake --backend fake",
        "pairs.csv --backend fake --config facematch.toml",
        "pictures --backend fake --yes",
        "fault.csv --backend fake --yes",
        "none.csv --backend fake --yes",
    )
    assert scripted.calls == []


def test_a_charge_that_cannot_be_stored_is_printed(run_json, scripted, monkeypatch):
    """A full disk: the call was made, and nothing says what it ended in."""

    def fail(*_):
        raise ConfigurationError("The run database failed (database or disk is full).")

    monkeypatch.setattr("facematch_core.batch.system._STORE_DELAYS_S", ())
    monkeypatch.setattr(RunDatabase, "end", fail)
    code, document = run_json(ONE_BY_ONE)
    assert code == 6
    assert len(scripted.calls) == 1
    (system,) = document["systems"]
    assert (system["answered"], system["unresolved"], system["left"]) == (0, 1, 5)
    assert (system["charged"], system["maybe_charged"]) == (0, 1)
