"""`facematch budget`: what stands, and what becomes of the unknown."""

import contextlib
import json
import subprocess
import sys
from decimal import Decimal
from types import SimpleNamespace

import attrs
import pytest
from kit.attempts import KEY, ONE, ending, entry, given_up, passage, sums
from kit.fakes import FakeBackend, match_result, picture

from facematch_core import (
    Billing,
    Charged,
    Environment,
    FaceVerifier,
    Ids,
    Operation,
    OutcomeUnknown,
    Reconciled,
    Reconciliation,
    Retention,
    SystemClock,
    VendorUnavailable,
)
from facematch_core.cli import budget, common
from facematch_core.errors import AuthenticationFailed
from facematch_core.resilience import Budget, Period
from facematch_core.store import MemoryStore, SqlStore

A, B = picture(), picture((10, 20, 30))
PRICES = {Operation.MATCH: Decimal("0.05")}


class Vendor(FakeBackend):
    """A backend whose vendor's records say what `told` holds, one after the other."""

    told = ()

    def reconcile(self, attempt, *, deadline_s=None):
        step = self.told.pop(0)
        if isinstance(step, Exception):
            raise step
        found = match_result(billing=Billing(Charged.YES), ids=Ids(call=attempt.id))
        result = found if step is Reconciled.FOUND else None
        return Reconciliation(outcome=step, call=attempt, reason=f"It is {step}.", result=result)


@pytest.fixture
def store(address):
    """The store of the profile."""
    with contextlib.closing(SqlStore(address)) as opened:
        yield opened


@pytest.fixture
def vendor():
    """Who the profile asks."""
    return Vendor()


@pytest.fixture
def profile(monkeypatch, vendor, store):
    """A verifier with a budget, which every profile opens; its gates may be changed."""
    made = SimpleNamespace(policies=[Budget(5, name="shop", store=store)], asked=[])

    @contextlib.contextmanager
    def opened(where):
        made.asked.append(where)
        with FaceVerifier(vendor, policies=made.policies) as verifier:
            yield verifier

    monkeypatch.setattr(common, "open_target", opened)
    return made


@pytest.fixture
def unknown(profile, vendor):
    """Lose the answers of calls; their attempts."""

    def lose(*steps, number=1):
        vendor.told = list(steps)
        lost = []
        with contextlib.ExitStack() as stack:
            verifier = stack.enter_context(common.open_target(None))
            for _ in range(number):
                vendor.script = [OutcomeUnknown("Lost.")]
                with pytest.raises(OutcomeUnknown) as caught:
                    verifier.verify(A, B, retention=Retention.KEEP)
                lost.append(caught.value.call)
        return lost

    return lose


def test_table(run, store, address):
    """One line per budget, and what is free."""
    one = entry()
    store.reserve(one, Decimal(5))
    store.finalize(one, Charged.YES, at=SystemClock().now())
    answer = run("budget", "--store", address)
    assert answer.exit_code == 0
    head, line = answer.stdout.splitlines()
    assert head.split() == [
        *("budget", "where", "period", "unit", "cap", "spent", "reserved", "unknown", "free")
    ]
    assert line.split() == [*("shop", "production", "total", "calls", "5", "1", "0", "0", "4")]


def test_attempts_that_are_open(run, store, address):
    """A second table lists what is open."""
    one = entry(started_at=SystemClock().now(), kept=True)
    store.reserve(one, Decimal(5))
    shown = run("budget", "--store", address).stdout
    assert f"{one.call.id} " in shown
    assert "reserved  1 calls  fake" in shown


def test_what_a_process_left_behind_is_unknown(run_json, store, address):
    """From the moment that somebody looks, if it began long enough ago."""
    store.reserve(entry(started_at=given_up()), Decimal(5))
    code, told = run_json("budget", "--store", address)
    assert code == 0
    assert told["budgets"] == [
        {
            "name": "shop",
            "unit": "calls",
            "period": "total",
            "window": None,
            "environment": "production",
            "cap": 5,
            "spent": 0,
            "reserved": 0,
            "unknown": 1,
            "free": 4,
        }
    ]
    assert [one["state"] for one in told["open"]] == ["unknown"]


def test_amounts_are_text(run_json, vendor, address, store):
    """A float would not be exact."""
    gates = [Budget(Decimal("5.00"), name="shop", currency="USD", price=PRICES, store=store)]
    with FaceVerifier(vendor, policies=gates) as verifier:
        verifier.verify(A, B)
    _, told = run_json("budget", "--store", address)
    (one,) = told["budgets"]
    assert [one[name] for name in ("unit", "cap", "spent", "free")] == ["USD", "5", "0.05", "4.95"]


def test_days_that_are_over(run_json, vendor, store, address):
    """They are left out, unless something of them is open or all are asked for."""
    gates = [
        Budget(5, name="shop", per=Period.DAY, store=store),
    ]
    with FaceVerifier(vendor, policies=gates) as verifier:
        verifier.verify(A, B)
    day = Budget(5, name="shop", per=Period.DAY, store=store)
    day.enter(passage())(ending())
    _, told = run_json("budget", "--store", address)
    assert [one["window"] for one in told["budgets"]] == [SystemClock().now().date().isoformat()]
    _, told = run_json("budget", "--store", address, "--all")
    assert len(told["budgets"]) == 2


def test_the_name_of_a_file_is_an_address(run, store, tmp_path):
    """As it is typed at a terminal."""
    store.reserve(entry(), ONE)
    assert "shop" in run("budget", "--store", "attempts.sqlite3").stdout


def test_a_file_that_is_not_there(run, tmp_path):
    """It is not made: a name that was mistyped would look like a budget that nobody used."""
    answer = run("budget", "--store", "sqlite:///missing.sqlite3")
    assert answer.exit_code == 2
    assert "there is no file 'missing.sqlite3'" in answer.stderr
    assert list(tmp_path.glob("missing*")) == []


def test_an_address_with_a_password(run):
    """It is not told again."""
    answer = run("budget", "--store", "postgresql+nodriver://u:canary@h/d")
    assert answer.exit_code == 4
    assert "canary" not in answer.output


def test_a_store_that_nobody_used(run, store, address):
    """Said in words."""
    assert run("budget", "--store", address).stdout == "no budget has been used yet\n"


def test_of_a_profile(run, profile, store):
    """Its budget's store."""
    store.reserve(entry(), ONE)
    assert "shop" in run("budget", "--profile", "desk").stdout
    assert profile.asked[-1].profile == "desk"


@pytest.mark.usefixtures("scripted")
def test_from_the_configuration(run, run_json, photos, tmp_path, configured):
    """What a profile's calls spend is what its budget shows."""
    configured(
        "[profiles.desk]\nbackend = 'fake'\n[profiles.desk.budget]\ncalls = 1\nper = 'day'\n"
        f"store = 'sqlite:///{tmp_path.name}.sqlite3'\n"
    )
    assert run("verify", *photos, "--profile", "desk").exit_code == 0
    refused = run("verify", *photos, "--profile", "desk")
    assert refused.exit_code == 5
    assert "no room for 1 more (1 spent, 0 reserved, 0 unknown)" in refused.stderr
    _, told = run_json("budget", "--profile", "desk")
    assert [(one["name"], one["spent"], one["free"]) for one in told["budgets"]] == [
        ("profile desk", 1, 0)
    ]
    assert run("budget", "reconcile", "--profile", "desk").exit_code == 0


def test_stores_of_a_failover(vendor, store):
    """Those of all members, each once."""
    one = FaceVerifier(vendor, policies=[Budget(5, name="a", store=store)])
    two = FaceVerifier(vendor, policies=[Budget(5, name="b", store=store), Budget(5, name="c")])
    assert budget.stores_of(SimpleNamespace(members={"a": one, "b": two})) == {store: 900}


@pytest.mark.parametrize("gates", [[], [Budget(5, name="shop", store=MemoryStore())]])
@pytest.mark.parametrize("verb", [[], ["reconcile"], ["resolve", "x", "--charged"]], ids=str)
def test_a_profile_without_a_store(run, profile, gates, verb):
    """There is nothing to see, and why."""
    profile.policies = gates
    answer = run("budget", *verb)
    assert answer.exit_code == 4
    assert "name a profile that has one with --profile" in answer.stderr


def test_reconcile(run, unknown, store):
    """What is found is resolved; what is not stays, is listed, and there is something to do."""
    lost = unknown(Reconciled.FOUND, Reconciled.NOT_YET, Reconciled.CANNOT_KNOW, number=3)
    answer = run("budget", "reconcile")
    assert answer.exit_code == 3
    assert sums(store) == (1, 0, 2)
    _, *lines = answer.stdout.splitlines()
    assert [line.split()[:2] for line in lines[:3]] == [
        [attempt.id, outcome]
        for attempt, outcome in zip(lost, ["resolved", "not_yet", "cannot_know"], strict=True)
    ]
    assert "2 calls left" in answer.stdout
    assert "facematch budget resolve CALL --charged" in answer.stdout


def test_reconcile_all(run_json, unknown, store):
    """Nothing is left to look at."""
    unknown(Reconciled.FOUND)
    code, told = run_json("budget", "reconcile")
    assert code == 0
    assert [one["outcome"] for one in told["calls"]] == ["resolved"]
    assert sums(store) == (1, 0, 0)


def test_nothing_to_reconcile(run, profile):
    """Said in words."""
    answer = run("budget", "reconcile")
    assert (answer.exit_code, answer.stdout) == (0, "nothing is unknown\n")


def test_the_lease_of_the_profile_counts(run_json, profile, store):
    """What it still waits for is not doubted."""
    profile.policies = [Budget(5, name="shop", store=store, lease_s=3600)]
    store.reserve(entry(started_at=given_up()), Decimal(5))
    for place, state in (
        (("--profile", "desk"), "reserved"),
        (("--store", "attempts.sqlite3"), "unknown"),
    ):
        _, told = run_json("budget", *place)
        assert [one["state"] for one in told["open"]] == [state]


def test_under_way_is_not_reconciled(run, profile, store):
    """Whoever makes it says what became of it."""
    store.reserve(entry(started_at=SystemClock().now()), Decimal(5))
    assert run("budget", "reconcile").stdout == "nothing is unknown\n"
    assert sums(store) == (0, 1, 0)


def test_left_by_a_process_that_was_killed(run, profile, vendor, store):
    """Looked for like one whose answer was lost."""
    vendor.told = [Reconciled.FOUND]
    store.reserve(entry(started_at=given_up(), kept=True), Decimal(5))
    assert run("budget", "reconcile").exit_code == 0
    assert sums(store) == (1, 0, 0)


def test_an_outage_while_looking(run_json, unknown, store):
    """The others are looked for all the same; the exit code is that of the error."""
    unknown(VendorUnavailable("Down."), Reconciled.FOUND, number=2)
    code, told = run_json("budget", "reconcile")
    assert code == 5
    assert [one["outcome"] for one in told["calls"]] == ["error", "resolved"]
    assert told["calls"][0]["reason"] == "Down."
    assert sums(store) == (1, 0, 1)


def test_a_wrong_key_while_looking(run_json, unknown, store):
    """It would meet all others, so they are not looked for."""
    unknown(AuthenticationFailed("Wrong key."), number=2)
    code, told = run_json("budget", "reconcile")
    assert code == 5
    assert [one["outcome"] for one in told["calls"]] == ["error", "skipped"]
    assert sums(store) == (0, 0, 2)


@pytest.mark.parametrize(("backend", "environment"), [("other", "production"), ("fake", "mock")])
def test_of_somebody_else(run_json, profile, store, backend, environment):
    """Another vendor's records, or a mock's, know nothing of it."""
    key = attrs.evolve(KEY, environment=Environment(environment))
    one = entry(key, started_at=given_up(), backend=backend)
    store.reserve(one, Decimal(5))
    code, told = run_json("budget", "reconcile")
    assert code == 3
    (looked,) = told["calls"]
    assert looked["outcome"] == "skipped"
    assert f"It was made by {backend} ({environment})" in looked["reason"]


def test_reconcile_another_store(run_json, profile, tmp_path):
    """`--store` says which attempts, the profile says who is asked."""
    other = SqlStore(f"sqlite:///{tmp_path}/other.sqlite3")
    other.reserve(entry(started_at=given_up()), ONE)
    other.close()
    _, told = run_json("budget", "--profile", "desk", "reconcile", "--store", "other.sqlite3")
    assert len(told["calls"]) == 1
    assert profile.asked[-1].profile == "desk"


@pytest.mark.parametrize(
    ("word", "after"), [("--charged", (1, 0, 0)), ("--not-charged", (0, 0, 0))]
)
def test_resolve(run, unknown, store, word, after):
    """By hand, as the invoice says."""
    (lost,) = unknown()
    answer = run("budget", "resolve", lost.id, word, "--yes", "--store", "attempts.sqlite3")
    assert answer.exit_code == 0
    assert answer.stdout == f"{lost.id}: {word[2:].replace('-', ' ')}\n"
    assert sums(store) == after
    assert run("budget", "resolve", lost.id, word, "--yes").exit_code == 2


def test_resolve_as_json(run_json, unknown, address):
    """What was resolved, and how."""
    (lost,) = unknown()
    code, told = run_json("budget", "resolve", lost.id, "--charged", "--yes", "--store", address)
    assert code == 0
    assert [(one["call_id"], one["charged"]) for one in told["calls"]] == [(lost.id, True)]


def test_resolve_asks_first(run, unknown, store, request):
    """Without a terminal nothing is done; a no at one ends it."""
    (lost,) = unknown()
    answer = run("budget", "resolve", lost.id, "--charged")
    assert answer.exit_code == 2
    assert "add --yes to go ahead. Nothing was done." in answer.stderr
    request.getfixturevalue("terminal")
    assert run("budget", "resolve", lost.id, "--charged", input="n\n").exit_code == 130
    assert sums(store) == (0, 0, 1)
    answer = run("budget", "resolve", lost.id, "--charged", input="y\n")
    assert f"Count call {lost.id} as charged, for good?" in answer.stderr
    assert sums(store) == (1, 0, 0)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["x"], "Choose --charged or --not-charged."),
        (["x", "--charged", "--not-charged"], "Choose --charged or --not-charged."),
        ([], "Missing argument 'CALL'"),
        (["x", "--charged", "--yes"], "No call 'x' is reserved or unknown here"),
    ],
)
def test_resolve_what(run, profile, words, says):
    """One sentence, and nothing is done."""
    answer = run("budget", "resolve", *words)
    assert answer.exit_code == 2
    assert says in answer.stderr


def test_resolve_what_is_under_way(run, store, address):
    """Its own process knows better, as long as it may live."""
    one = entry(started_at=SystemClock().now())
    store.reserve(one, ONE)
    answer = run("budget", "resolve", one.call.id, "--charged", "--yes", "--store", address)
    assert answer.exit_code == 2
    assert "may be under way" in answer.stderr
    assert sums(store) == (0, 1, 0)


def test_without_sqlalchemy(run, monkeypatch, tmp_path):
    """The one line that installs it."""
    (tmp_path / "a.sqlite3").touch()
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    answer = run("budget", "--store", "a.sqlite3")
    assert answer.exit_code == 4
    assert 'pip install "facematch-core[store]"' in answer.stderr


def test_help_needs_no_store():
    """Nor any of what a call needs."""
    code = "import sys, facematch_core.cli.budget; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"sqlalchemy", "requests", "facematch_core.store"} & set(done.stdout.split())


def test_errors_are_json_as_well(run):
    """As everywhere."""
    answer = run("budget", "--store", "missing.sqlite3", "--json")
    assert json.loads(answer.stdout)["error"]["exit_code"] == 2
