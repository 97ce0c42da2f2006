import contextlib
import datetime as dt
import json
import sys
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import attrs
import pytest
from kit.attempts import BUDGET_KEY, ending, entry, new_attempt, sums
from kit.fakes import FakeBackend, match_result, picture

import facematch_core as fm
from facematch_core.base.deadline import SystemClock
from facematch_core.cli.options import Target
from facematch_core.errors import AuthenticationFailed
from facematch_core.models import Ids
from facematch_core.resilience import Budget, Period
from facematch_core.store import MemoryStore, SqlStore
from facematch_core.store.records import LEASE_S


def overdue_start():
    """When a call began that nobody has finished in time, by the clock of the machine."""
    return SystemClock().now() - dt.timedelta(seconds=LEASE_S)


A = picture()
B = picture((10, 20, 30))
PRICES = {fm.Operation.MATCH: Decimal("0.05")}


class Vendor(FakeBackend):
    outcomes = ()
    charged = fm.Charged.YES

    def reconcile(self, attempt, *, deadline):
        step = self.outcomes.pop(0)
        if isinstance(step, Exception):
            raise step
        answer = match_result(billing=fm.Billing(self.charged), ids=Ids(call=attempt.id))
        result = answer if step is fm.Reconciled.FOUND else None
        return fm.Reconciliation(outcome=step, call=attempt, reason=f"It is {step}.", result=result)


@pytest.fixture
def store(address):
    with contextlib.closing(SqlStore(address)) as opened:
        yield opened


@pytest.fixture
def vendor():
    return Vendor()


@pytest.fixture
def profile(monkeypatch, vendor, store):
    opened_profile = SimpleNamespace(policies=[Budget(5, name="shop", store=store)], asked=[])

    @contextlib.contextmanager
    def opened(where):
        opened_profile.asked.append(where)
        with fm.FaceVerifier(vendor, policies=opened_profile.policies) as verifier:
            yield verifier

    def setup(_):
        stores = {type(policy.store) for policy in opened_profile.policies} - {MemoryStore}
        tables = {"budget": {"store": "attempts.sqlite3" if stores else "memory"}}
        return SimpleNamespace(profile=SimpleNamespace(policies=tables))

    monkeypatch.setattr(Target, "open", opened)
    monkeypatch.setattr(Target, "setup", setup)
    return opened_profile


@pytest.fixture
def unknown(profile, vendor):
    def lose(*steps, number=1):
        vendor.outcomes = list(steps)
        lost = []
        with Target().open() as verifier:
            for _ in range(number):
                vendor.script = [fm.OutcomeUnknown("Lost.")]
                with pytest.raises(fm.OutcomeUnknown) as caught:
                    verifier.verify(A, B, retention=fm.Retention.KEEP)
                lost.append(caught.value.call)
        return lost

    return lose


def test_overdue_reservation_is_shown_as_unknown(run_json, store, address):
    store.reserve(entry(started_at=overdue_start()), Decimal(5))
    code, document = run_json(f"budget --store {address}")
    assert code == 0
    about = {"name": "shop", "unit": "calls", "period": "total", "window": None, "cap": 5}
    books = {"environment": "production", "spent": 0, "reserved": 0, "unknown": 1, "free": 4}
    assert document["budgets"] == [about | books]
    assert [row["state"] for row in document["open"]] == ["unknown"]


@pytest.mark.usefixtures("scripted")
def test_budget_shows_the_spending_of_the_profiles_calls(
    run, run_json, photos, tmp_path, configured
):
    configured(
        "[profiles.desk]\nbackend = 'fake'\n[profiles.desk.budget]\ncap = 1\nper = 'day'\n"
        f"store = 'sqlite:///{tmp_path.name}.sqlite3'\n"
    )
    assert run("verify selfie.jpg id.jpg --profile desk").exit_code == 0
    refused = run("verify selfie.jpg id.jpg --profile desk")
    assert refused.exit_code == 5
    assert "no room for 1 more (1 spent, 0 reserved, 0 unknown)" in refused.stderr
    _, document = run_json("budget --profile desk")
    (row,) = document["budgets"]
    assert (row["name"], row["spent"], row["free"]) == ("profile desk", 1, 0)
    assert run("budget reconcile --profile desk").exit_code == 0


def test_budget_of_a_profile_without_a_store_says_what_to_write(run, configured):
    configured("[profiles.desk]\nbackend = 'local'\nbudget = { cap = 1 }\n")
    refused = run("budget --profile desk")
    assert refused.exit_code == 4
    assert 'store = "memory"' in refused.stderr


FOUND = fm.Reconciled.FOUND


@pytest.mark.parametrize(
    ("steps", "charged", "code", "outcomes", "books"),
    [
        ([FOUND], fm.Charged.YES, 0, ["resolved"], (1, 0, 0)),
        ([FOUND], fm.Charged.NO, 0, ["resolved"], (0, 0, 0)),
        ([FOUND], fm.Charged.UNKNOWN, 3, ["cannot_know"], (0, 0, 1)),
        (
            [fm.VendorUnavailable("Down."), FOUND],
            fm.Charged.YES,
            5,
            ["error", "resolved"],
            (1, 0, 1),
        ),
        # A wrong key ends it.
        ([AuthenticationFailed("No."), FOUND], fm.Charged.YES, 5, ["error", "skipped"], (0, 0, 2)),
    ],
)
def test_reconciled_calls_are_booked_by_their_billing(
    run_json, unknown, *, vendor, store, steps, charged, code, outcomes, books
):
    unknown(*steps, number=len(steps))
    vendor.charged = charged
    exit_code, document = run_json("budget reconcile")
    assert [row["outcome"] for row in document["calls"]] == outcomes
    assert (exit_code, sums(store)) == (code, books)


@pytest.mark.parametrize(("backend", "environment"), [("other", "production"), ("fake", "mock")])
def test_reconcile_skips_calls_of_another_backend_or_environment(
    run_json, profile, store, backend, environment
):
    key = attrs.evolve(BUDGET_KEY, environment=fm.Environment(environment))
    store.reserve(entry(key, started_at=overdue_start(), backend=backend), Decimal(5))
    store.reserve(entry(started_at=SystemClock().now()), Decimal(5))
    code, document = run_json("budget reconcile")
    assert code == 3
    (looked,) = document["calls"]  # not the one that is under way
    assert sums(store)[1] == 1
    assert looked["outcome"] == "skipped"
    assert f"It was made by {backend} ({environment})" in looked["reason"]


def test_resolve_requires_confirmation(run, unknown, store, request):
    (lost,) = unknown()
    answer = run(f"budget resolve {lost.id} charged")
    assert answer.exit_code == 2
    assert "pass --yes to confirm. Nothing was done." in answer.stderr
    request.getfixturevalue("terminal")
    assert run(f"budget resolve {lost.id} charged", input="n\n").exit_code == 130
    assert sums(store) == (0, 0, 1)
    answer = run(f"budget resolve {lost.id} charged", input="y\n")
    assert f"Record call {lost.id} as charged? This cannot be undone." in answer.stderr
    assert sums(store) == (1, 0, 0)


def test_output_matches_golden_file(screens, run, profile, unknown, *, store, monkeypatch):
    here = "budget --store attempts.sqlite3"
    overdue = entry()
    current = entry(started_at=SystemClock().now(), retention=fm.Retention.KEEP)
    with screens("budget") as show:
        show("nothing is spent", here)
        show("nothing is unknown", "budget reconcile")
        store.reserve(overdue, Decimal(5))
        store.finalize(overdue, fm.Charged.YES, at=SystemClock().now())
        show("one call", here)
        assert profile.asked[-1].profile is None
        assert "shop" in run("budget --profile desk").stdout
        assert profile.asked[-1].profile == "desk"
        lost = unknown(
            fm.Reconciled.FOUND, fm.Reconciled.NOT_YET, fm.Reconciled.CANNOT_KNOW, number=3
        )
        shown = show("three are looked for", "budget reconcile", code=3).stdout
        assert sums(store) == (2, 0, 2)
        for call, end in zip(lost, ["resolved", "not_yet", "cannot_know"], strict=True):
            assert f"{call.id}: {end}." in shown
        store.reserve(current, Decimal(5))
        assert sums(store) == (2, 1, 2)
        shown = run(here).stdout
        assert f"reserved: {current.call.id}, 1 calls, fake match" in shown
        under_way = f"budget resolve {current.call.id} charged --yes --store attempts.sqlite3"
        assert "may be running" in run(under_way).stderr
        assert sums(store) == (2, 1, 2)
        show("no such call", "budget resolve x charged --yes", code=2)
        show("neither", "budget resolve x", code=2)
        show("both", "budget resolve x charged not-charged", code=2)
        show("no call", "budget resolve", code=2)
        show("no file", "budget --store sqlite:///missing.sqlite3", code=2)
        assert json.loads(run("budget --store missing.sqlite3 --json").stdout)["error"]
        assert not Path("missing.sqlite3").exists()
        monkeypatch.setitem(sys.modules, "sqlalchemy", None)
        show("without the extra", here, code=4)
        for gates in ([], [Budget(5, name="shop", store=MemoryStore())]):
            profile.policies = gates
            for command in ("budget", "budget reconcile", "budget resolve x charged"):
                assert run(command).exit_code == 4
        show("a profile without a store", "budget", code=4)


@pytest.mark.parametrize(("word", "after"), [("charged", (1, 0, 0)), ("not-charged", (0, 0, 0))])
def test_resolve_records_the_call_as_charged_or_not_charged(run, unknown, *, store, word, after):
    (lost,) = unknown()
    command = f"budget resolve {lost.id} {word} --yes"
    answer = run(f"{command} --store attempts.sqlite3")
    assert (answer.exit_code, lost.id in answer.stdout) == (0, True)
    assert sums(store) == after
    assert run(command).exit_code == 2
    assert sums(store) == after


def test_budgets_of_past_days_are_not_listed(run_json, vendor, store, address):
    day = Budget(5, name="shop", per=Period.DAY, store=store)
    with fm.FaceVerifier(vendor, policies=[day]) as verifier:
        verifier.verify(A, B)
    day.enter(new_attempt())(ending())
    _, document = run_json(f"budget --store {address}")
    (row,) = document["budgets"]
    assert row["window"] == SystemClock().now().date().isoformat()
    assert len(store.budgets()) == 2


def test_amounts_are_exact_decimal_strings(run_json, vendor, address, store):
    gates = [Budget(Decimal("5.00"), name="shop", currency="USD", price=PRICES, store=store)]
    with fm.FaceVerifier(vendor, policies=gates) as verifier:
        verifier.verify(A, B)
    _, document = run_json(f"budget --store {address}")
    (row,) = document["budgets"]
    assert [row[name] for name in ("unit", "cap", "spent", "free")] == ["USD", "5", "0.05", "4.95"]
