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
from kit.fakes import match_result, open_always

from facematch_comparison.run import RunDatabase, run_study
from facematch_core import Billing, Charged, Ids, OutcomeUnknown, Score
from facematch_core.errors import AuthenticationFailed, UnexpectedResponse
from facematch_core.resilience import Budget
from facematch_core.store import SqlStore

pytestmark = pytest.mark.usefixtures("in_file_order")

UNRESOLVED = ("compare", "unresolved")
LOST = OutcomeUnknown("Lost.")
FAKE = '[profiles.fake]\nbackend = "fake"\n'
BUDGET = '[profiles.fake.budget]\ncalls = 100\nstore = "sqlite:///study.sqlite3"\n'


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
        with database() as found:
            return pair_states(*found)

    return read


@pytest.fixture
def spent(where):
    """What the budget says: spent, reserved and unknown."""

    def read():
        with contextlib.closing(SqlStore(where)) as store:
            (one,) = store.budgets()
            return int(one.spent), int(one.reserved), int(one.unknown)

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
        with contextlib.closing(RunDatabase(where)) as made:
            run_study(study, {"fake": system}, made, workers=1, keep=keep)
        with database() as (made, one):
            return made.unresolved(one)

    yield ran
    attempts.close()


def test_calls_are_listed_with_what_is_known_and_what_to_do(run, run_json, lost):
    one, other = lost(LOST, UnexpectedResponse("Odd."), keep=["fake"])
    answer = run(*UNRESOLVED)
    assert answer.exit_code == 0
    _, first, second, _, command = answer.stdout.splitlines()
    assert first.split()[:4] == [one.call.id, "fake", "1", "unresolved"]
    assert second.split()[:4] == [other.call.id, "fake", "2", "no"]
    assert command.strip().startswith(
        "facematch compare unresolved --store study.sqlite3 --resolve"
    )
    code, document = run_json(*UNRESOLVED, "--study", "people")
    row = document["open"][0]
    assert (code, row["system"], row["pair"], row["call"]) == (0, "fake", 1, one.call.id)
    assert (row["state"], row["error"], row["kept"]) == ("unresolved", "OutcomeUnknown", True)
    assert (row["since"], row["vendor_id"]) == (one.since.isoformat(), None)


@pytest.mark.parametrize(
    ("word", "state", "sums"),
    [("--charged", "no response", (6, 0, 0)), ("--not-charged", "free", (5, 0, 0))],
)
def test_a_call_is_resolved_by_hand_for_good_in_all_books(  # noqa: PLR0917
    run, run_json, lost, spent, stands, word, state, sums
):
    (one,) = lost(LOST)
    assert spent() == (5, 0, 1)
    code, document = run_json(*UNRESOLVED, "--resolve", one.call.id, word, "--yes")
    assert (code, document["call"], document["charged"]) == (0, one.call.id, word == "--charged")
    assert (stands()[0], spent()) == (state, sums)
    assert run(*UNRESOLVED, "--resolve", one.call.id, word, "--yes").exit_code == 2
    assert (stands()[0], spent()) == (state, sums)


def test_resolving_asks_first(run, lost, stands, request):
    (one,) = lost(LOST)
    words = (*UNRESOLVED, "--resolve", one.call.id, "--charged")
    assert "add --yes to go ahead" in run(*words).stderr
    request.getfixturevalue("terminal")
    refused = run(*words, input="n\n")
    assert refused.exit_code == 130
    assert f"Resolve call {one.call.id} of fake as charged, for good?" in refused.stderr
    assert stands()[0] == "unresolved"
    answer = run(*words, input="y\n")
    assert (answer.exit_code, f"{one.call.id}: charged\n" in answer.stdout) == (0, True)


def test_a_profile_that_cannot_be_opened_here_is_resolved_and_not_looked_up(
    run, run_json, lost, spent, configured
):
    (one,) = lost(LOST, keep=["fake"])
    configured("[profiles.fake]\nbackend = 5\n")
    code, document = run_json(*UNRESOLVED, "--reconcile")
    (row,) = document["looked"]
    assert (row["call"], row["outcome"], len(document["open"])) == (one.call.id, "error", 1)
    assert code != 0
    answer = run(*UNRESOLVED, "--resolve", one.call.id, "--charged", "--yes")
    assert answer.exit_code == 0
    assert "warning: fake cannot be opened here" in answer.stderr
    assert spent() == (6, 0, 0)


def test_what_the_vendors_records_have_is_answered_and_the_rest_stays(
    run, lost, vendor, spent, stands
):
    def found(call):
        facts = {"score": Score(77.0, "fake/v1"), "billing": Billing(Charged.YES)}
        vendor.records[call.id] = match_result(ids=Ids(call=call.id), **facts)

    one, other = lost(LOST, LOST, keep=["fake"])
    found(one.call)
    answer = run(*UNRESOLVED, "--reconcile")
    assert answer.exit_code == 3
    assert f"{one.call.id}  found    There." in answer.stdout
    assert f"{other.call.id}  not_yet  Not yet." in answer.stdout
    assert "1 call unresolved" in answer.stdout
    assert (stands()[:2], spent()) == (["answered", "unresolved"], (5, 0, 1))
    found(other.call)
    assert run(*UNRESOLVED, "--reconcile").exit_code == 0
    assert stands() == ["answered"] * 6
    assert run(*UNRESOLVED).stdout == "nothing is unresolved\n"


def test_an_error_while_looking_is_an_outcome_and_a_refused_key_is_tried_once(
    run_json, lost, vendor
):
    lost(LOST, LOST, keep=["fake"])
    looked = []

    def fail(attempt, **_more):
        looked.append(attempt)
        raise AuthenticationFailed("Another key.")

    vendor.reconcile = fail
    code, document = run_json(*UNRESOLVED, "--reconcile")
    assert (code, len(looked)) == (5, 1)
    assert [row["outcome"] for row in document["looked"]] == ["error", "skipped"]
    assert document["looked"][0]["reason"] == "Another key."
    assert len(document["open"]) == 2


def test_what_a_killed_run_had_asked_is_listed_and_what_it_had_begun_is_free(
    run, lost, database, stands
):
    lost(AuthenticationFailed("No."))
    with database() as found:
        begin_pair(*found, 0)
        call = ask_pair(*found, 1)
    answer = run(*UNRESOLVED)
    assert f"{call.id}  fake    2     unresolved" in answer.stdout
    assert answer.stderr == ""
    assert stands()[:2] == ["free", "unresolved"]


def test_wrong_words_of_unresolved(refused, lost):
    lost()
    lines = ["--charged", "--resolve x", "--resolve x --charged --not-charged"]
    refused("unresolved", *lines, "--resolve x --charged", "--store nothing.db")
