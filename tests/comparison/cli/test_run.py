"""`facematch compare run`: what it shows, asks, and ends with."""

import json
import os
import signal
import subprocess
import sys
import threading

import pytest
from kit.comparison.studies import write_study
from kit.fakes import match_result

from facematch_comparison.run import RunDatabase
from facematch_core import Billing, Charged, Decision, Environment, OutcomeUnknown, Score
from facematch_core.cli import common
from facematch_core.errors import AuthenticationFailed, ConfigurationError, RateLimited


@pytest.fixture
def pairs(tmp_path):
    """A file of six pairs."""
    study = write_study(tmp_path / "pictures")
    lines = ["probe,reference,same,probe_subject,reference_subject"]
    lines += [
        f"{pair.probe},{pair.reference},{int(pair.mated)},{pair.probe_subject},{pair.reference_subject}"
        for pair in study.pairs
    ]
    path = tmp_path / "pairs.csv"
    path.write_text("\n".join(lines))
    return path


def test_it_asks_every_pair_once(run, pairs, scripted):
    """And says how it stands; the same command again asks nothing."""
    words = ("compare", "run", pairs, "--backend", "fake", "--yes", "--store", "mine.db")
    first = run(*words)
    assert first.exit_code == 0, first.output
    assert first.stdout.splitlines() == [
        "system  answered  failed  unresolved  no response  FTA  left  charged",
        "fake    6         0       0           0            0    0     6",
        "written to mine.db",
    ]
    assert "pairs: 6 pairs, 3 mated and 3 non-mated" in first.stderr
    assert "6 of 6" in first.stderr
    again = run(*words[:-3], "--store", "mine.db")
    assert again.exit_code == 0
    assert len(scripted.calls) == 6


def test_money_is_asked_for_first(run, pairs, scripted, terminal):
    """With the sum; no is no."""
    words = ("compare", "run", pairs, "--backend", "fake", "--price", "fake=0.05")
    refused = run(*words, input="n\n")
    assert (refused.exit_code, scripted.calls) == (130, [])
    assert "fake    fake     production  minimal    6 of 6      0.3 USD" in refused.stderr
    assert "in all 0.3 USD at most" in refused.stderr
    assert "Make 6 calls that may be charged? [y/N]:" in refused.stderr
    granted = run(*words, input="y\n")
    assert (granted.exit_code, len(scripted.calls)) == (0, 6)


def test_the_sum_is_that_of_all_systems(run, pairs, scripted, tmp_path):
    """Of what is left to be asked: the same command again costs nothing, and asks nobody."""
    config = tmp_path / "two.toml"
    config.write_text('[profiles.a]\nbackend = "fake"\n[profiles.b]\nbackend = "fake"\n')
    words = ("compare", "run", pairs, "--config", config, "--profile", "a", "--profile", "b")
    prices = ("--price", "a=0.05", "--price", "b=0.10")
    first = run(*words, *prices, "--yes")
    assert (first.exit_code, len(scripted.calls)) == (0, 12)
    assert "in all 0.9 USD at most" in first.stderr
    again = run(*words, *prices)
    assert (again.exit_code, len(scripted.calls)) == (0, 12)
    assert "in all 0 USD at most" in again.stderr
    assert "Make" not in again.stderr


def test_without_a_terminal_nobody_can_be_asked(run, pairs, scripted):
    """Then --yes must say it."""
    answer = run("compare", "run", pairs, "--backend", "fake")
    assert answer.exit_code == 2
    assert "add --yes to go ahead" in answer.stderr
    assert scripted.calls == []


@pytest.mark.parametrize(
    ("environment", "price", "told"),
    [
        (Environment.MOCK, "1", "nothing; 6 EUR if it were real"),
        (Environment.SANDBOX, None, "nothing"),
    ],
)
def test_a_mock_costs_nothing(  # noqa: PLR0917 - fixtures and parameters
    run, pairs, scripted, environment, price, told
):
    """And is not asked for."""
    scripted._environment = environment
    prices = ("--price", f"fake={price}", "--currency", "EUR") if price else ()
    answer = run("compare", "run", pairs, "--backend", "fake", *prices)
    assert (answer.exit_code, len(scripted.calls)) == (0, 6)
    assert f"  {told}\n" in answer.stderr
    assert "in all" not in answer.stderr


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (OutcomeUnknown("Lost."), 6, "facematch compare unresolved --store study.sqlite3"),
        (RateLimited("Slower."), 5, "1 call left: the same command goes on from here"),
        (AuthenticationFailed("No."), 5, "6 calls left: the same command goes on from here"),
    ],
    ids=["unresolved", "failed", "fatal"],
)
def test_what_it_ends_with(  # noqa: PLR0917 - fixtures and parameters
    run, pairs, scripted, error, code, words
):
    """What is unresolved weighs most; the next step is told."""

    def fail(_call):
        raise error

    scripted.script = [fail]
    answer = run("compare", "run", pairs, "--backend", "fake", "--yes", "--workers", "1")
    assert answer.exit_code == code
    assert words in answer.stdout
    if isinstance(error, AuthenticationFailed):
        assert "error: fake: No. This call was not charged." in answer.stderr


def test_ctrl_c_finishes_what_is_under_way(run, pairs, scripted, monkeypatch):
    """The rest is asked by the same command."""
    heard, stop = threading.Event(), common.Stopping._stop

    def hear(stopping, *signal_and_frame):
        stop(stopping, *signal_and_frame)
        heard.set()

    def interrupt(_call):
        os.kill(os.getpid(), signal.SIGINT)
        # Python hands it to the main thread, which this is not.
        assert heard.wait(30)

    monkeypatch.setattr(common.Stopping, "_stop", hear)
    scripted.script = [None, interrupt]
    words = ("compare", "run", pairs, "--backend", "fake", "--yes", "--workers", "1")
    stopped = run(*words, "--out", "page.json")
    assert stopped.exit_code == 130
    assert len(scripted.calls) < 6
    assert "judged" not in stopped.output
    assert run(*words).exit_code == 0
    assert len(scripted.calls) == 6


def test_the_answers_are_judged(run, pairs, scripted, tmp_path):
    """Into a document and a page, as they stand in the store."""
    words = ("compare", "run", pairs, "--backend", "fake", "--yes", "--name", "Ours")
    outs = ("--out", "made/all.json", "--out", "made/all.html")
    answer = run(*words, *outs)
    assert answer.exit_code == 0, answer.output
    told = json.loads((tmp_path / "made/all.json").read_text())
    assert (told["kind"], told["study"]["name"]) == ("comparison", "Ours")
    assert told["study"]["whole"]["pairs"] == 6
    assert "Ours" in (tmp_path / "made/all.html").read_text()
    again = run(*words, *outs)
    assert again.exit_code == 2
    assert "exists: name another file with --out, or overwrite it with --force" in again.stderr
    assert run(*words, *outs, "--force").exit_code == 0
    assert len(scripted.calls) == 6


def test_the_judgement_is_the_one_that_was_asked_for(run, pairs, scripted, tmp_path):
    """FMR, confidence and costs count, not only their defaults."""
    words = ("compare", "run", pairs, "--backend", "fake", "--yes", "--out", "all.json")
    words += ("--fmr", "0.2", "--confidence", "0.9", "--currency", "EUR")
    costs = ("--cost-false-match", "500", "--cost-false-reject", "2", "--impostors", "0.01")
    answer = run(*words, *costs)
    assert answer.exit_code == 0, answer.output
    told = json.loads((tmp_path / "all.json").read_text())
    assert (told["required_fmr"], told["confidence"]) == (0.2, 0.9)
    assert told["costs"] == {
        "impostors": 0.01,
        "false_match": 500.0,
        "false_reject": 2.0,
        "review": 0.0,
        "currency": "EUR",
    }
    assert told["headline"] in answer.stdout
    half = run(*words, *costs[:2], "--force")
    assert half.exit_code == 2
    assert "needs --cost-false-reject and --impostors too" in half.stderr


def test_a_model_that_changes_meanwhile_is_told(run, pairs, scripted):
    """Each model is judged as a system of its own."""
    facts = {"score": Score(80.0, "fake/v1"), "billing": Billing(Charged.YES)}
    scripted.script = [match_result(model=model, **facts) for model in ("v1", "v1", *4 * ["v2"])]
    words = ("compare", "run", pairs, "--backend", "fake", "--yes", "--workers", "1")
    answer = run(*words, "--out", "all.json")
    assert answer.exit_code == 0, answer.output
    assert (
        "warning: the model of fake changed during the run: v1 (2 pairs), v2 (4 pairs). Each is "
        "judged as a system of its own.\n"
    ) in answer.stderr
    told = json.loads(run("compare", "report", "--json").stdout)
    assert [one["model"] for one in told["systems"]] == ["v1", "v2"]
    assert len({one["name"] for one in told["systems"]}) == 2


def test_embeddings_are_for_engines_of_your_own(run, pairs, scripted, tmp_path):
    """Nothing that may be charged is computed elsewhere, and nothing is asked."""
    (tmp_path / "e.parquet").write_bytes(b"")
    words = ("compare", "run", pairs, "--backend", "fake", "--yes", "--embeddings", "e.parquet")
    answer = run(*words)
    assert answer.exit_code == 2
    assert "(fake: its calls may be charged)" in answer.stderr
    assert scripted.calls == []


def test_the_end_for_programs(run, pairs, scripted):
    """With --json how far every system is is a document on stdout, and nothing else is."""
    words = ("compare", "run", pairs, "--backend", "fake", "--yes", "--json", "--out", "all.html")
    answer = run(*words)
    (fake,) = json.loads(answer.stdout)["systems"]
    assert (fake["name"], fake["answered"], fake["left"], fake["error"]) == ("fake", 6, 0, None)
    assert "judged in all.html" in answer.stderr


def test_pairs_of_a_folder(run, tmp_path, scripted, pairs):
    """One folder for each person; how many pairs, and by which seed."""
    for person in ("anna", "bert"):
        (tmp_path / "people" / person).mkdir(parents=True)
    for number, picture in enumerate(sorted((tmp_path / "pictures").iterdir())[:6]):
        folder = tmp_path / "people" / ("anna" if number % 2 else "bert")
        picture.rename(folder / f"{number}.jpg")
    words = ("--mated", "2", "--non-mated", "3", "--seed", "5")
    answer = run("compare", "run", "people", *words, "--backend", "fake", "--yes")
    assert answer.exit_code == 0, answer.output
    assert "people: 5 pairs, 2 mated and 3 non-mated" in answer.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "Name at least one system"),
        (("--backend", "fake", "--backend", "fake"), "'fake' is named twice"),
        (("--backend", "fake", "--price", "fake=cheap"), "no amount from 0 on"),
        (("--backend", "fake", "--price", "fake=-1"), "no amount from 0 on"),
        (("--backend", "fake", "--price", "fake=1", "--currency", "euro"), "three capital letters"),
        (("--backend", "fake", "--price", "other=1"), "price names 'other'"),
        (("--backend", "fake", "--keep", "other"), "keep names 'other'"),
        (("--backend", "fake", "--mated", "3"), "Pairs are drawn of a folder"),
        (("--backend", "fake", "--split"), "Pairs are drawn of a folder"),
        (("--backend", "fake", "--out", "page", "--out", "page"), "name the same file"),
        (("--backend", "fake", "--out", "page.pdf"), "--out writes .html or .json"),
        (("--backend", "fake", "--workers", "0"), "--workers must be"),
        (("--backend", "fake", "--config", "x.toml"), "--config holds profiles: name one"),
    ],
)
def test_wrong_usage(run, pairs, scripted, words, said):
    """One sentence, and nothing is asked."""
    answer = run("compare", "run", pairs, *words)
    assert answer.exit_code == 2
    assert said in answer.stderr
    assert scripted.calls == []


def test_a_study_with_faults(run, pairs, scripted):
    """Every one with its line, before anything is asked."""
    pairs.write_text(pairs.read_text().replace("pictures", "nowhere", 1))
    answer = run("compare", "run", pairs, "--backend", "fake", "--yes")
    assert answer.exit_code == 2
    assert "line 2" in answer.stderr
    assert scripted.calls == []


def test_a_threshold_that_changed(run, pairs, scripted, configured):
    """The answers of before would not belong to those of now."""
    configured('[profiles.p]\nbackend = "fake"\nthreshold = 50\n')
    assert run("compare", "run", pairs, "--profile", "p", "--yes").exit_code == 0
    configured('[profiles.p]\nbackend = "fake"\nthreshold = 0.6\n')
    answer = run("compare", "run", pairs, "--profile", "p", "--yes")
    assert answer.exit_code == 2
    assert "threshold 50.0 in this test set, and is now set to 0.6" in answer.stderr
    assert "warning:" in answer.stderr
    assert len(scripted.calls) == 6


def test_a_failover_is_no_system(run, pairs, scripted, configured):
    """Its members are."""
    one = '[profiles.{0}]\nbackend = "fake"\n'
    both = '[profiles.both]\nmembers = ["a", "b"]\n'
    configured(one.format("a") + one.format("b") + both)
    answer = run("compare", "run", pairs, "--profile", "both", "--yes")
    assert answer.exit_code == 2
    assert "name its members" in answer.stderr
    answer = run("compare", "run", pairs, "--profile", "a", "--profile", "b", "--yes")
    assert answer.exit_code == 0


def test_a_store_that_cannot_be_used(run, pairs, scripted, tmp_path):
    """One sentence."""
    (tmp_path / "no.db").write_bytes(b"not a database, but long enough to be looked at" * 30)
    answer = run("compare", "run", pairs, "--backend", "fake", "--yes", "--store", "no.db")
    assert answer.exit_code == 4
    assert "The run database failed (file is not a database)" in answer.stderr


def test_the_store_is_readable_by_its_owner_alone(run, pairs, scripted, tmp_path):
    """As that of attempts."""
    run("compare", "run", pairs, "--backend", "fake", "--yes")
    assert (tmp_path / "study.sqlite3").stat().st_mode & 0o777 == 0o600


def test_what_is_not_acquired_is_told(run, pairs, scripted):
    """An answer all the same."""
    scripted.script = [match_result(Decision.INCONCLUSIVE, billing=Billing(Charged.YES))]
    answer = run("compare", "run", pairs, "--backend", "fake", "--yes", "--workers", "1")
    assert "fake    6         0       0           0            1    0     6" in answer.stdout


def test_what_may_have_been_charged_is_shown(run, run_json, pairs, scripted):
    """Calls without an answer, and answers that do not say so: from how many to how many."""

    def lose(_call):
        raise OutcomeUnknown("Lost.")

    unsaid = match_result(score=Score(80.0, "fake/v1"), billing=Billing(Charged.UNKNOWN))
    scripted.script = [lose, unsaid]
    words = ("compare", "run", pairs, "--backend", "fake", "--yes", "--workers", "1")
    shown = run(*words)
    assert (
        "fake    5         0       1           0            0    0     4 to 6"
        in shown.stdout.splitlines()
    )
    _, told = run_json(*words)
    (fake,) = told["systems"]
    assert (fake["charged"], fake["maybe_charged"]) == (4, 2)


def test_a_charge_that_cannot_be_written_down_is_shown(run_json, pairs, scripted, monkeypatch):
    """A full disk: the call was made, and nothing says what it ended in."""

    def full(*_):
        raise ConfigurationError("The run database failed (database or disk is full).")

    monkeypatch.setattr("facematch_comparison.run.worker._AGAIN_S", ())
    monkeypatch.setattr(RunDatabase, "end", full)
    code, told = run_json("compare", "run", pairs, "--backend", "fake", "--yes", "--workers", "1")
    (fake,) = told["systems"]
    counts = [fake[key] for key in ("answered", "unresolved", "left", "charged", "maybe_charged")]
    assert (code, counts, len(scripted.calls)) == (6, [0, 1, 5, 0, 1], 1)


def test_failed_calls_say_why(run, pairs, scripted):
    """Also where they end nothing."""
    scripted.script = [RateLimited("Slower.")]
    shown = run("compare", "run", pairs, "--backend", "fake", "--yes", "--workers", "1")
    assert "warning: fake: calls failed, the last one so: Slower." in shown.stderr
    assert "Slower" not in run("compare", "run", pairs, "--backend", "fake", "--yes").stderr


def test_a_run_beside_another_one_is_refused(run, pairs, scripted, tmp_path):
    """Nothing is sent; the commands that read work meanwhile, and the next start goes on."""
    scripted.script = [None, AuthenticationFailed("No.")]
    words = ("compare", "run", pairs, "--backend", "fake", "--yes")
    run(*words, "--workers", "1")
    database = RunDatabase(f"sqlite:///{tmp_path}/study.sqlite3")
    database.hold()
    answer = run(*words)
    assert answer.exit_code == 4
    assert "study.sqlite3 is in use by process" in answer.stderr.replace("\n", " ")
    assert len(scripted.calls) == 2
    assert run("compare", "export", "--out", "scores.csv").exit_code == 0
    assert run("compare", "report", "--out", "report.json").exit_code == 0
    database.close()
    assert run(*words).exit_code == 0
    assert len(scripted.calls) == 7


def test_two_systems_and_a_price_from_a_budget(run, pairs, scripted, tmp_path, configured):
    """The profile's budget counts by it, and so does the report."""
    configured(
        '[profiles.a]\nbackend = "fake"\n[profiles.a.budget]\namount = "1.00"\n'
        'currency = "USD"\nprice = { match = "0.05" }\nstore = "sqlite:///study.sqlite3"\n'
        '[profiles.b]\nbackend = "fake"\n'
    )
    answer = run("compare", "run", pairs, "--profile", "a", "--profile", "b", "--yes")
    assert answer.exit_code == 0, answer.output
    assert "0.3 USD" in answer.stderr
    assert "not known" in answer.stderr
    database = RunDatabase(f"sqlite:///{tmp_path}/study.sqlite3")
    a, b = database.systems(database.study().digest)
    assert (str(a.price), a.currency, b.price) == ("0.05", "USD", None)
    store = database.calls()
    assert int(store.budgets()[0].spent * 100) == 30
    store.close()
    database.close()


def test_help_loads_no_vendor_and_the_core_none_of_it():
    """`import facematch_core` and `facematch --help` stay as light as they were."""
    code = (
        "import sys\n"
        "import facematch_core.cli, facematch_core\n"
        "assert not {'numpy', 'sqlalchemy', 'facematch_comparison'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
