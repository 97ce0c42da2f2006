"""`facematch budget` of a run database: what may have been charged, and what became of it."""

import contextlib
import json

import pytest
from kit.comparison.studies import (
    RecordingBackend,
    ask_pair,
    begin_pair,
    fail_with,
    opener,
    pair_states,
    run_once,
    stored_system,
    write_study,
)
from kit.fakes import open_always

from facematch_comparison import RunDatabase
from facematch_core import OutcomeUnknown
from facematch_core.errors import AuthenticationFailed, UnexpectedResponse
from facematch_core.resilience import Budget
from facematch_core.store import SqlStore

pytestmark = pytest.mark.usefixtures("in_file_order")

LIST = "budget --store study.sqlite3"
LOST = OutcomeUnknown("Lost.")
FAKE = '[profiles.fake]\nbackend = "fake"\n'
BUDGET = '[profiles.fake.budget]\ncap = 100\nstore = "sqlite:///study.sqlite3"\n'


def resolve(charge, words):
    """The command that resolves a call in the run database."""
    return f"budget resolve {charge.call.id} {words} --store study.sqlite3"


@pytest.fixture
def address(tmp_path):
    return f"sqlite:///{tmp_path}/study.sqlite3"


@pytest.fixture
def states(address):
    """Reads the state of each pair."""

    def read():
        with contextlib.closing(RunDatabase(address)) as database:
            return pair_states(database)

    return read


@pytest.fixture
def money(address):
    """Reads what the budget has spent, reserved and does not know."""

    def read(store_address=address):
        with contextlib.closing(SqlStore(store_address)) as store:
            (budget,) = store.budgets()
            return int(budget.spent), int(budget.reserved), int(budget.unknown)

    return read


@pytest.fixture
def lose(tmp_path, address, monkeypatch, configured):
    """Runs a study in which calls end in these errors; returns the calls without an answer."""
    configured(FAKE + BUDGET)
    vendor = open_always(monkeypatch, RecordingBackend())
    study = write_study(tmp_path / "pictures")

    def run_study(*errors, keep=(), budget_address=address):
        vendor.script = [fail_with(error) for error in errors]
        with (
            contextlib.closing(SqlStore(budget_address)) as store,
            contextlib.closing(RunDatabase(address)) as database,
        ):
            system = opener(vendor, policies=[Budget(100, name="profile fake", store=store)])
            run_once(database, study, system, keep=keep)
            return database.unresolved(stored_system(database))

    return run_study


def test_unresolved_calls_are_listed_with_state_and_remedy(screens, lose):
    charge, _ = lose(LOST, UnexpectedResponse("Odd."), keep=["fake"])
    with screens("unresolved") as show:
        show("", LIST)
        answer = show("as JSON", f"{LIST} --json")
    first = json.loads(answer.stdout)["unanswered"][0]
    assert (first["call"], first["since"]) == (charge.call.id, charge.since.isoformat())


@pytest.mark.parametrize(
    ("word", "state", "spent"),
    [("charged", "no response", 6), ("not-charged", "free", 5)],
)
def test_manual_resolution_is_final_in_database_and_budget(  # noqa: PLR0917 - fixtures
    run, lose, states, money, word, state, spent
):
    (charge,) = lose(LOST)
    assert money() == (5, 0, 1)
    command = resolve(charge, f"{word} --yes")
    answer = run(command)
    assert (answer.exit_code, answer.stdout) == (
        0,
        f"{charge.call.id}: {word.replace('-', ' ')}\n",
    )
    assert (states()[0], money()) == (state, (spent, 0, 0))
    assert run(command).exit_code == 2
    assert (states()[0], money()) == (state, (spent, 0, 0))


def test_resolving_needs_confirmation(run, lose, states, request):
    (charge,) = lose(LOST)
    command = resolve(charge, "charged")
    assert "pass --yes to confirm" in run(command).stderr
    request.getfixturevalue("terminal")
    refused = run(command, input="n\n")
    assert refused.exit_code == 130
    assert f"Record call {charge.call.id} as charged? This cannot be undone." in refused.stderr
    assert states()[0] == "unresolved"
    confirmed = run(command, input="y\n")
    assert confirmed.exit_code == 0
    assert f"{charge.call.id}: charged\n" in confirmed.stdout


def test_a_call_of_an_unavailable_profile_can_be_resolved(run, lose, money, configured):
    (charge,) = lose(LOST, keep=["fake"])
    configured("[profiles.fake]\nbackend = 5\n")
    answer = run(resolve(charge, "charged --yes"))
    assert answer.exit_code == 0
    assert "warning: fake cannot be opened here" in answer.stderr
    assert money() == (6, 0, 0)


def test_budget_of_the_config_options_profile_is_updated(run, lose, money, configured, tmp_path):
    own_address = f"sqlite:///{tmp_path}/own.sqlite3"
    (charge,) = lose(LOST, budget_address=own_address)
    assert money(own_address) == (5, 0, 1)
    (tmp_path / "own.toml").write_text(FAKE + BUDGET.replace("study", "own"))
    configured('[profiles.other]\nbackend = "fake"\n')
    answer = run(resolve(charge, "charged --config own.toml --yes"))
    assert (answer.exit_code, answer.stderr) == (0, "")
    assert money(own_address) == (6, 0, 0)


def test_after_a_kill_sent_calls_are_unresolved_and_unsent_ones_free(run, lose, address, states):
    lose(AuthenticationFailed("No."))
    with contextlib.closing(RunDatabase(address)) as database:
        begin_pair(database, stored_system(database), 0)
        call = ask_pair(database, stored_system(database), 1)
    answer = run(LIST)
    assert f"{call.id}  fake    2     unresolved" in answer.stdout
    assert answer.stderr == ""
    assert states()[:2] == ["free", "unresolved"]


def test_wrong_usage_resolves_nothing(run, lose, states):
    lose(LOST)
    for words in ("x charged", "x perhaps", "x", "x charged --store nothing.db"):
        assert run(f"budget resolve {words} --store study.sqlite3 --yes").exit_code == 2
    assert states()[0] == "unresolved"
