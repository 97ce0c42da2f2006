"""`facematch compare unresolved`: what may have been charged, and what became of it."""

import pytest
from kit.comparison.studies import (
    Recorded,
    asked,
    begun,
    opener,
    states,
    write_study,
)
from kit.fakes import match_result, opens_always

from facematch_comparison.run import RunDatabase, run_study
from facematch_core import Billing, Charged, Ids, OutcomeUnknown, Score
from facematch_core.errors import AuthenticationFailed, RateLimited, UnexpectedResponse
from facematch_core.store import SqlStore

pytestmark = pytest.mark.usefixtures("in_file_order")

BUDGET = '[profiles.fake.budget]\ncalls = 100\nstore = "sqlite:///study.sqlite3"\n'


@pytest.fixture
def vendor(monkeypatch):
    """Whom the profile asks; its records can be looked at."""
    return opens_always(monkeypatch, Recorded())


@pytest.fixture
def lost(tmp_path, vendor, configured):
    """Run a study in which calls end in these errors; the calls without an answer."""
    configured('[profiles.fake]\nbackend = "fake"\n' + BUDGET)
    study = write_study(tmp_path / "pictures")
    attempts = SqlStore(f"sqlite:///{tmp_path}/study.sqlite3")

    def ran(*errors, keep=()):
        from facematch_core.resilience import Budget

        def failing(error):
            def fail(_call):
                raise error

            return fail

        vendor.script = [failing(error) for error in errors]
        system = opener(vendor, policies=[Budget(100, name="profile fake", store=attempts)])
        database = RunDatabase(f"sqlite:///{tmp_path}/study.sqlite3")
        run_study(study, {"fake": system}, database, workers=1, keep=keep)
        (one,) = database.systems(database.study().digest)
        left = database.unresolved(one)
        database.close()
        return left

    yield ran
    attempts.close()


def spent(tmp_path):
    """What the budget says: spent, reserved and unknown."""
    store = SqlStore(f"sqlite:///{tmp_path}/study.sqlite3")
    (one,) = store.budgets()
    store.close()
    return int(one.spent), int(one.reserved), int(one.unknown)


def stands(tmp_path):
    """State of each pair."""
    database = RunDatabase(f"sqlite:///{tmp_path}/study.sqlite3")
    (one,) = database.systems(database.study().digest)
    found = states(database, one)
    database.close()
    return found


def test_nothing_is_unresolved(run, lost):
    """One line."""
    lost()
    answer = run("compare", "unresolved")
    assert (answer.exit_code, answer.stdout) == (0, "nothing is unresolved\n")


def test_they_are_listed(run, lost):
    """With what is known of each, and what to do."""
    one, other = lost(OutcomeUnknown("Lost."), UnexpectedResponse("Odd."), keep=["fake"])
    answer = run("compare", "unresolved")
    assert answer.exit_code == 0
    header, first, second, hint, command = answer.stdout.splitlines()
    assert header.split() == [
        *("call", "system", "pair", "state", "asked", "(UTC)"),
        *("at", "the", "vendor", "error"),
    ]
    assert first.split()[:4] == [one.call.id, "fake", "1", "unresolved"]
    assert first.endswith("kept           OutcomeUnknown")
    assert second.split()[:4] == [other.call.id, "fake", "2", "no"]
    assert hint == "1 call unresolved: compare with the vendor's invoice, then"
    assert command.strip() == (
        "facematch compare unresolved --store study.sqlite3 --resolve CALL --charged "
        "(or --not-charged)"
    )


def test_a_document_for_programs(run_json, lost):
    """The same."""
    (one,) = lost(OutcomeUnknown("Lost."))
    code, told = run_json("compare", "unresolved", "--study", "people")
    assert code == 0
    assert told == {
        "open": [
            {
                "system": "fake",
                "pair": 1,
                "state": "unresolved",
                "call": one.call.id,
                "error": "OutcomeUnknown",
                "since": one.since.isoformat(),
                "kept": False,
                "vendor_id": None,
            }
        ]
    }


def test_a_job_is_listed_with_the_vendors_id(run, run_json, lost):
    """By which its vendor can be asked, whatever it keeps."""
    lost(UnexpectedResponse("Odd.", ids=Ids(vendor="job_7")))
    assert "  no response  " in (listed := run("compare", "unresolved").stdout)
    assert "  job_7  " in listed
    _, told = run_json("compare", "unresolved")
    assert told["open"][0]["vendor_id"] == "job_7"


@pytest.mark.parametrize(
    ("word", "after"), [("--charged", "no response"), ("--not-charged", "free")]
)
def test_resolved_by_hand(run, lost, tmp_path, word, after):
    """For good, in the run database and in the budget; what was not charged is asked again."""
    (one,) = lost(OutcomeUnknown("Lost."))
    assert spent(tmp_path) == (5, 0, 1)
    answer = run("compare", "unresolved", "--resolve", one.call.id, word, "--yes")
    assert answer.exit_code == 0, answer.output
    assert answer.stdout == f"{one.call.id}: {word.strip('-').replace('-', ' ')}\n"
    assert answer.stderr == ""
    assert stands(tmp_path)[0] == after
    assert spent(tmp_path) == (6 if after == "no response" else 5, 0, 0)
    again = run("compare", "unresolved", "--resolve", one.call.id, word, "--yes")
    assert again.exit_code == 2
    said = "resolved already" if after == "no response" else "is unresolved here"
    assert said in again.stderr


def test_resolving_asks_first(run, lost, tmp_path, request):
    """Without a terminal nothing is done; a no at one ends it."""
    (one,) = lost(OutcomeUnknown("Lost."))
    words = ("compare", "unresolved", "--resolve", one.call.id, "--charged")
    assert "add --yes to go ahead" in run(*words).stderr
    request.getfixturevalue("terminal")
    refused = run(*words, input="n\n")
    assert refused.exit_code == 130
    assert f"Resolve call {one.call.id} of fake as charged, for good?" in refused.stderr
    assert stands(tmp_path)[0] == "unresolved"
    assert run(*words, input="y\n").exit_code == 0


def test_resolved_as_a_document(run_json, lost):
    """What it was, and what was said of it."""
    (one,) = lost(OutcomeUnknown("Lost."))
    words = ("compare", "unresolved", "--resolve", one.call.id, "--not-charged", "--yes")
    code, told = run_json(*words)
    assert (code, told["call"], told["charged"]) == (0, one.call.id, False)


def test_a_system_that_cannot_be_opened_here(run, lost, tmp_path, vendor, configured):
    """The run database and the budgets in it know; another one is named."""
    (one,) = lost(OutcomeUnknown("Lost."))
    configured("[profiles.fake]\nbackend = 5\n")
    words = ("compare", "unresolved", "--resolve", one.call.id, "--charged", "--yes")
    answer = run(*words)
    assert answer.exit_code == 0
    assert "warning: fake cannot be opened here" in answer.stderr
    assert spent(tmp_path) == (6, 0, 0)


def test_reconciled(run, lost, vendor, tmp_path):
    """What the vendor's records have is answered; the rest stays, with the reason."""
    one, other = lost(OutcomeUnknown("Lost."), OutcomeUnknown("Lost."), keep=["fake"])
    found = match_result(
        score=Score(77.0, "fake/v1"), billing=Billing(Charged.YES), ids=Ids(call=one.call.id)
    )
    vendor.records[one.call.id] = found
    answer = run("compare", "unresolved", "--reconcile")
    assert answer.exit_code == 3
    assert f"{one.call.id}  found    There." in answer.stdout
    assert f"{other.call.id}  not_yet  Not yet." in answer.stdout
    assert "1 call unresolved" in answer.stdout
    assert stands(tmp_path)[:2] == ["answered", "unresolved"]
    assert spent(tmp_path) == (5, 0, 1)
    vendor.records[other.call.id] = match_result(
        score=Score(7.0, "fake/v1"), billing=Billing(Charged.YES), ids=Ids(call=other.call.id)
    )
    code = run("compare", "unresolved", "--reconcile").exit_code
    assert (code, stands(tmp_path)) == (0, ["answered"] * 6)


def test_reconciled_as_a_document(run_json, lost, vendor):
    """An error while looking is an outcome, too."""
    (one,) = lost(OutcomeUnknown("Lost."), keep=["fake"])

    def fail(_attempt, **_more):
        raise RateLimited("Slower.")

    vendor.reconcile = fail
    code, told = run_json("compare", "unresolved", "--reconcile")
    assert code == 5
    assert [(row["call"], row["outcome"], row["reason"]) for row in told["looked"]] == [
        (one.call.id, "error", "Slower.")
    ]
    assert len(told["open"]) == 1


def test_after_an_error_that_would_meet_all_nobody_else_is_looked_for(run_json, lost, vendor):
    """A key that is not accepted is tried once."""
    lost(OutcomeUnknown("Lost."), OutcomeUnknown("Lost."), keep=["fake"])
    asked = []

    def fail(attempt, **_more):
        asked.append(attempt)
        raise AuthenticationFailed("Another key.")

    vendor.reconcile = fail
    code, told = run_json("compare", "unresolved", "--reconcile")
    assert (code, len(asked)) == (5, 1)
    assert [(row["outcome"], row["reason"]) for row in told["looked"]] == [
        ("error", "Another key."),
        ("skipped", "Not looked up, because of the error before it."),
    ]
    assert len(told["open"]) == 2


def test_records_cannot_be_looked_at_without_a_vendor(run_json, lost, configured, vendor):
    """A profile that cannot be opened here is an outcome of each of its calls."""
    (one,) = lost(OutcomeUnknown("Lost."), keep=["fake"])
    configured("[profiles.fake]\nbackend = 5\n")
    code, told = run_json("compare", "unresolved", "--reconcile")
    (row,) = told["looked"]
    assert (row["call"], row["outcome"]) == (one.call.id, "error")
    assert "backend must be text" in row["reason"]
    assert code != 0
    assert len(told["open"]) == 1


def test_what_a_killed_run_had_asked_is_listed(run, lost, tmp_path):
    """What it had only begun is free again."""
    lost(AuthenticationFailed("No."))
    database = RunDatabase(f"sqlite:///{tmp_path}/study.sqlite3")
    (one,) = database.systems(database.study().digest)
    begun(database, one, 0)
    call = asked(database, one, 1)
    database.close()
    answer = run("compare", "unresolved")
    assert f"{call.id}  fake    2     unresolved" in answer.stdout
    assert answer.stderr == ""
    assert stands(tmp_path)[:2] == ["free", "unresolved"]


def test_beside_a_run_they_are_listed_and_nothing_else(run, lost, tmp_path):
    """What it is at is its own: neither taken back, nor resolved, nor looked for."""
    (one,) = lost(OutcomeUnknown("Lost."), AuthenticationFailed("No."))
    database = RunDatabase(f"sqlite:///{tmp_path}/study.sqlite3")
    (system,) = database.systems(database.study().digest)
    database.hold()
    asked(database, system, 1)
    answer = run("compare", "unresolved")
    assert (answer.exit_code, one.call.id in answer.stdout) == (0, True)
    told = " ".join(answer.stderr.split())
    assert "study.sqlite3 is in use by process" in told
    assert told.endswith("Calls that are under way are not listed.")
    for words in (("--reconcile",), ("--resolve", one.call.id, "--charged", "--yes")):
        refused = run("compare", "unresolved", *words)
        assert refused.exit_code == 4
        assert "in use by process" in " ".join(refused.stderr.split())
    assert stands(tmp_path)[:3] == ["unresolved", "asked", "free"]
    database.close()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--charged",), "go with --resolve CALL"),
        (("--resolve", "x"), "Choose --charged or --not-charged"),
        (("--resolve", "x", "--charged", "--not-charged"), "Choose --charged or --not-charged"),
        (("--resolve", "x", "--charged", "--reconcile"), "Either --reconcile or --resolve"),
        (("--resolve", "x", "--charged"), "No call 'x' is unresolved here"),
        (("--study", "nothing"), "no such test set; there are: people"),
        (("--store", "nothing.db"), "there is no file 'nothing.db'"),
    ],
)
def test_wrong_usage(run, lost, words, said):
    """One sentence."""
    lost()
    answer = run("compare", "unresolved", *words)
    assert answer.exit_code == 2
    assert said in answer.stderr
