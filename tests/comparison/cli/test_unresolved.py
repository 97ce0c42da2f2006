"""`facematch compare unresolved`: what may have been charged, and what became of it."""

import contextlib

import pytest
from kit.comparison.studies import (
    RecordingBackend,
    ask_pair,
    begin_pair,
    fail_with,
    opener,
    pair_states,
    write_study,
)
from kit.fakes import open_always

from facematch_comparison.run import RunDatabase, run_study
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
def vendor(monkeypatch):
    """Whom the profile asks; its records can be looked at."""
    return open_always(monkeypatch, RecordingBackend())


@pytest.fixture
def where(tmp_path):
    return f"sqlite:///{tmp_path}/study.sqlite3"


@pytest.fixture
def database(where):
    """Opens the run database; with it comes its one system."""

    @contextlib.contextmanager
    def opened():
        with contextlib.closing(RunDatabase(where)) as database:
            yield database, database.systems(database.study().digest)[0]

    return opened


@pytest.fixture
def stands(database):
    """State of each pair."""

    def read():
        with database() as opened:
            return pair_states(*opened)

    return read


@pytest.fixture
def spent(where):
    """What the budget says: spent, reserved and unknown."""

    def read():
        with contextlib.closing(SqlStore(where)) as store:
            (state,) = store.budgets()
            return int(state.spent), int(state.reserved), int(state.unknown)

    return read


@pytest.fixture
def lost(tmp_path, where, vendor, configured, database):
    """Run a study in which calls end in these errors; the calls without an answer."""
    configured(FAKE + BUDGET)
    study = write_study(tmp_path / "pictures")
    attempts = SqlStore(where)

    def ran(*errors, keep=()):
        vendor.script = [fail_with(error) for error in errors]
        system = opener(vendor, policies=[Budget(100, name="profile fake", store=attempts)])
        with contextlib.closing(RunDatabase(where)) as runs:
            run_study(study, {"fake": system}, runs, workers=1, keep=keep)
        with database() as (runs, system):
            return runs.unresolved(system)

    yield ran
    attempts.close()


def test_calls_are_listed_with_what_is_known_and_what_to_do(run, run_json, lost):
    charge, other = lost(LOST, UnexpectedResponse("Odd."), keep=["fake"])
    answer = run(*UNRESOLVED)
    assert answer.exit_code == 0
    _, first, second, _, command = answer.stdout.splitlines()
    assert first.split()[:4] == [charge.call.id, "fake", "1", "unresolved"]
    assert second.split()[:4] == [other.call.id, "fake", "2", "no"]
    assert command.strip().startswith(
        "facematch compare unresolved --store study.sqlite3 --resolve"
    )
    code, document = run_json(*UNRESOLVED, "--study", "people")
    row = document["open"][0]
    assert (code, row["system"], row["pair"], row["call"]) == (0, "fake", 1, charge.call.id)
    assert (row["state"], row["error"], row["kept"]) == ("unresolved", "OutcomeUnknown", True)
    assert (row["since"], row["vendor_id"]) == (charge.since.isoformat(), None)


@pytest.mark.parametrize(
    ("word", "state", "sums"),
    [("--charged", "no response", (6, 0, 0)), ("--not-charged", "free", (5, 0, 0))],
)
def test_a_call_is_resolved_by_hand_for_good_in_all_books(  # noqa: PLR0917
    run, run_json, lost, spent, stands, word, state, sums
):
    (charge,) = lost(LOST)
    assert spent() == (5, 0, 1)
    code, document = run_json(*UNRESOLVED, "--resolve", charge.call.id, word, "--yes")
    assert (code, document["call"], document["charged"]) == (0, charge.call.id, word == "--charged")
    assert (stands()[0], spent()) == (state, sums)
    assert run(*UNRESOLVED, "--resolve", charge.call.id, word, "--yes").exit_code == 2
    assert (stands()[0], spent()) == (state, sums)


def test_resolving_asks_first(run, lost, stands, request):
    (charge,) = lost(LOST)
    words = (*UNRESOLVED, "--resolve", charge.call.id, "--charged")
    assert "add --yes to go ahead" in run(*words).stderr
    request.getfixturevalue("terminal")
    refused = run(*words, input="n\n")
    assert refused.exit_code == 130
    assert f"Resolve call {charge.call.id} of fake as charged, for good?" in refused.stderr
    assert stands()[0] == "unresolved"
    answer = run(*words, input="y\n")
    assert (answer.exit_code, f"{charge.call.id}: charged\n" in answer.stdout) == (0, True)


def test_a_profile_that_cannot_be_opened_here_is_resolved(run, lost, spent, configured):
    (charge,) = lost(LOST, keep=["fake"])
    configured("[profiles.fake]\nbackend = 5\n")
    answer = run(*UNRESOLVED, "--resolve", charge.call.id, "--charged", "--yes")
    assert answer.exit_code == 0
    assert "warning: fake cannot be opened here" in answer.stderr
    assert spent() == (6, 0, 0)


def test_what_a_killed_run_had_asked_is_listed_and_what_it_had_begun_is_free(
    run, lost, database, stands
):
    lost(AuthenticationFailed("No."))
    with database() as opened:
        begin_pair(*opened, 0)
        call = ask_pair(*opened, 1)
    answer = run(*UNRESOLVED)
    assert f"{call.id}  fake    2     unresolved" in answer.stdout
    assert answer.stderr == ""
    assert stands()[:2] == ["free", "unresolved"]


def test_wrong_words_of_unresolved(refused, lost):
    lost()
    lines = ["--charged", "--resolve x", "--resolve x --charged --not-charged"]
    refused("unresolved", *lines, "--resolve x --charged", "--store nothing.db")
