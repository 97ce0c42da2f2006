"""`facematch compare unresolved`: what may have been charged, and what became of it."""

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

UNRESOLVED = ("compare", "unresolved")
LOST = OutcomeUnknown("Lost.")
FAKE = '[profiles.fake]\nbackend = "fake"\n'
BUDGET = '[profiles.fake.budget]\ncap = 100\nstore = "sqlite:///study.sqlite3"\n'


@pytest.fixture
def where(tmp_path):
    return f"sqlite:///{tmp_path}/study.sqlite3"


@pytest.fixture
def books(where):
    """State of each pair; and what the budget says: spent, reserved and unknown."""

    def read():
        with (
            contextlib.closing(RunDatabase(where)) as database,
            contextlib.closing(SqlStore(where)) as store,
        ):
            (budget,) = store.budgets()
            sums = int(budget.spent), int(budget.reserved), int(budget.unknown)
            return pair_states(database), sums

    return read


@pytest.fixture
def lost(tmp_path, where, monkeypatch, configured):
    """Run a study in which calls end in these errors; the calls without an answer."""
    configured(FAKE + BUDGET)
    vendor = open_always(monkeypatch, RecordingBackend())
    study = write_study(tmp_path / "pictures")

    def ran(*errors, keep=()):
        vendor.script = [fail_with(error) for error in errors]
        with (
            contextlib.closing(SqlStore(where)) as store,
            contextlib.closing(RunDatabase(where)) as runs,
        ):
            system = opener(vendor, policies=[Budget(100, name="profile fake", store=store)])
            run_once(runs, study, system, keep=keep)
            return runs.unresolved(stored_system(runs))

    return ran


def test_unresolved_calls_are_listed_with_state_and_remedy(screens, lost):
    charge, _ = lost(LOST, UnexpectedResponse("Odd."), keep=["fake"])
    with screens("unresolved") as show:
        show("", *UNRESOLVED)
        answer = show("as JSON", *UNRESOLVED, "--json")
    row = json.loads(answer.stdout)["open"][0]
    assert (row["call"], row["since"]) == (charge.call.id, charge.since.isoformat())


@pytest.mark.parametrize(
    ("word", "state", "sums"),
    [("charged", "no response", (6, 0, 0)), ("not-charged", "free", (5, 0, 0))],
)
def test_manual_resolution_is_final_in_database_and_budget(  # noqa: PLR0917 - fixtures
    run, run_json, lost, books, word, state, sums
):
    (charge,) = lost(LOST)
    assert books()[1] == (5, 0, 1)
    code, document = run_json(*UNRESOLVED, charge.call.id, word, "--yes")
    assert (code, document["call"], document["charged"]) == (0, charge.call.id, word == "charged")
    resolved = books()
    assert (resolved[0][0], resolved[1]) == (state, sums)
    assert run(*UNRESOLVED, charge.call.id, word, "--yes").exit_code == 2
    assert books() == resolved


def test_resolving_needs_confirmation(run, lost, books, request):
    (charge,) = lost(LOST)
    words = (*UNRESOLVED, charge.call.id, "charged")
    assert "pass --yes to confirm" in run(*words).stderr
    request.getfixturevalue("terminal")
    refused = run(*words, input="n\n")
    assert refused.exit_code == 130
    assert f"Resolve call {charge.call.id} of fake as charged, for good?" in refused.stderr
    assert books()[0][0] == "unresolved"
    answer = run(*words, input="y\n")
    assert (answer.exit_code, f"{charge.call.id}: charged\n" in answer.stdout) == (0, True)


def test_a_call_of_an_unavailable_profile_can_be_resolved(run, lost, books, configured):
    (charge,) = lost(LOST, keep=["fake"])
    configured("[profiles.fake]\nbackend = 5\n")
    answer = run(*UNRESOLVED, charge.call.id, "charged", "--yes")
    assert answer.exit_code == 0
    assert "warning: fake cannot be opened here" in answer.stderr
    assert books()[1] == (6, 0, 0)


def test_after_a_kill_sent_calls_are_unresolved_and_unsent_ones_free(run, lost, where, books):
    lost(AuthenticationFailed("No."))
    with contextlib.closing(RunDatabase(where)) as database:
        begin_pair(database, stored_system(database), 0)
        call = ask_pair(database, stored_system(database), 1)
    answer = run(*UNRESOLVED)
    assert f"{call.id}  fake    2     unresolved" in answer.stdout
    assert answer.stderr == ""
    assert books()[0][:2] == ["free", "unresolved"]


def test_invalid_arguments_of_unresolved(refused, lost):
    lost()
    lines = ["x", "x perhaps", "x charged not-charged", "--resolve x --charged"]
    refused("unresolved", *lines, "x charged", "--store nothing.db")
