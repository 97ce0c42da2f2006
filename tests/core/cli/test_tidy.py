"""`facematch tidy`: the daily work of the stores of a profile, and one customer's erasure."""

import contextlib
import json
import sqlite3

import pytest
from kit.cards import CARDS
from kit.fakes import invoke_facematch
from kit.sessions import Acme

import facematch_core as fm
from facematch_mock_server import Fault

WORKFLOW = "5d1f6e0a-1f4b-4c55-9a7e-3d1d6a2f9c10"
CONFIGURATION = f"""
default_profile = "shop"

[profiles.shop]
backend = "didit"
require_environment = "mock"
sessions = "sqlite:///shop.sqlite3"
checks = "sqlite:///shop.sqlite3"
settings = {{ workflow_id = "{WORKFLOW}", workflow_takes_reference = true }}
budget = {{ cap = 100, store = "sqlite:///shop.sqlite3" }}

[profiles.bare]
backend = "local"
"""
KEEP = {"retention": fm.Retention.KEEP}


class Shop:
    def __init__(self, mock, stack):
        self.mock = mock
        mock.control.sessions.workflow(WORKFLOW)
        self.address = "sqlite:///shop.sqlite3"
        sessions = fm.open_sessions(profile="shop")
        self.sessions = stack.enter_context(fm.SessionStore(self.address, sessions))
        verifier = fm.open_verifier(profile="shop")
        self.checks = stack.enter_context(fm.CheckStore(self.address, verifier))

    def case(self, store, customer="customer-17"):
        return store.of(customer, purpose="payout", about="payout 8841")

    def verify(self, customer="customer-17"):
        case = self.case(self.checks, customer)
        return case.verify_live(CARDS["p1"], CARDS["p1-again"], **KEEP)

    def begin(self, customer="customer-17"):
        return self.case(self.sessions, customer).begin(reference=CARDS["p1"])


@pytest.fixture
def shop(didit_mock, tmp_path, monkeypatch, at_end):
    (tmp_path / "facematch.toml").write_text(CONFIGURATION)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FACEMATCH_CONFIG", str(tmp_path / "facematch.toml"))
    monkeypatch.setenv("DIDIT_API_KEY", didit_mock.live_key)
    return Shop(didit_mock, at_end)


def tidy(*words):
    answer = invoke_facematch("tidy", *words, "--json")
    return answer.exit_code, json.loads(answer.stdout)


def test_old_sessions_and_checks_are_forgotten_and_young_ones_stay(shop):
    shop.verify()
    shop.begin()
    code, report = tidy("--days", "1")
    assert (code, report["erased"]) == (0, [])
    assert report["stores"] == {"sessions": 1, "checks": 1, "budgets": 2}
    code, report = tidy("--days", "0")
    assert code == 0
    assert len(report["erased"]) == 3
    assert shop.case(shop.sessions).find() is shop.case(shop.checks).find() is None


def test_unknown_outcomes_of_budgets_and_checks_are_looked_up(shop):
    fault = Fault(stage="mid_body", kind="reset", path="/v3/passive-liveness/")
    shop.mock.control.add_fault(fault)
    with pytest.raises(fm.OutcomeUnknown):
        shop.verify()
    code, report = tidy("--days", "30")
    assert (code, report["unknown"]) == (0, [])
    assert shop.checks.unknown() == ()
    assert shop.verify().is_verified
    assert len(shop.mock.control.charges()) == 2


def test_exit_code_is_3_while_a_check_is_unknown(shop):
    shop.mock.control.add_fault(Fault(stage="mid_body", kind="reset"))
    with pytest.raises(fm.OutcomeUnknown):
        shop.case(shop.checks).verify(CARDS["p1"], CARDS["p1-again"])  # not kept
    code, report = tidy("--days", "30")
    assert code == 3
    assert report["unknown"]


def test_one_customer_is_erased_with_the_evidence(shop):
    shop.verify()
    shop.begin()
    shop.verify("customer-18")
    code, report = tidy("--erase", "customer-17")
    assert (code, report["left"]) == (0, 0)
    assert [each["face_is_gone"] for each in report["erased"]] == [True] * 3
    assert [each["operation"] for each in report["erased"]] == ["session", "liveness", "match"]
    assert all(each["is_done_here"] and each["vendor_id"] for each in report["erased"])
    assert "customer-17" not in json.dumps(report)
    assert not shop.case(shop.checks).use()
    assert shop.case(shop.checks, "customer-18").use()


def test_exit_code_is_3_while_the_vendor_is_down(shop):
    shop.verify()
    shop.mock.stop()
    code, report = tidy("--erase", "customer-17")
    assert (code, report["left"]) == (3, 2)
    text = invoke_facematch("tidy", "--erase", "customer-17")
    assert text.exit_code == 3
    assert text.stdout.count("is left: it was not deleted at the vendor") == 2
    assert [word in text.stdout for word in ("didit liveness ", "didit match ")] == [True] * 2
    assert not shop.case(shop.checks).use()


def test_cases_that_a_former_release_used_twice_are_counted(shop):
    for store in (shop.sessions, shop.checks):
        for purpose, about in (("payout", "payout 8841"), ("login", None)):
            case = store.of("customer-17", purpose=purpose, about=about)
            if store is shop.checks:
                case.verify_live(CARDS["p1"], CARDS["p1-again"])
                case.verify_live(CARDS["p1-again"], CARDS["p1"])
            else:
                begun = case.begin(reference=CARDS["p1"])
                shop.mock.control.sessions.finish(begun.record.session_id, card="p1")
                store.set_due("customer-17")
                store.look()
                case.begin(reference=CARDS["p1"])
    with contextlib.closing(sqlite3.connect("shop.sqlite3")) as database:
        for table in ("facematch_sessions", "facematch_checks"):
            database.execute(f"UPDATE {table} SET used_at = 1.0")
        database.commit()
    _, report = tidy("--days", "30")
    assert report["used_again"] == {"sessions": 1, "checks": 2}
    text = invoke_facematch("tidy", "--days", "30").stdout
    assert "checks: 2 cases used more than once" in text
    assert "sessions: 1 case used more than once" in text


GONE = ["--vendor-is-gone", "didit", "--reason", "contract ended", "--by", "ada"]


def test_customer_is_erased_although_the_vendor_refuses_the_key(shop, monkeypatch):
    shop.verify()
    begun = shop.begin()
    monkeypatch.setenv("DIDIT_API_KEY", "revoked")
    code, report = tidy("--erase", "customer-17")
    assert (code, report["left"]) == (3, 3)
    code, report = tidy("--erase", "customer-17", *GONE)
    assert code == 3, "a face may stay at the vendor"
    assert {each["face_is_gone"] for each in report["erased"]} == {None}
    assert all(each["is_done_here"] and each["reason"] for each in report["erased"])
    assert begun.record.session_id in [each["vendor_id"] for each in report["erased"]]
    assert report["vendor_is_gone"] == {
        "backend": "didit",
        "reason": "contract ended",
        "by": "ada",
    }
    assert tidy("--erase", "customer-17", *GONE)[0] == 0


def test_nothing_ends_while_the_vendor_that_is_said_to_be_gone_is_only_down(shop):
    shop.verify()
    shop.begin()
    shop.mock.stop()
    code, report = tidy("--erase", "customer-17", *GONE)
    assert (code, report["left"]) == (3, 3)
    assert not any(each["is_done_here"] for each in report["erased"])


@pytest.mark.parametrize(
    "words",
    [
        ["--days", "1", *GONE],
        ["--erase", "customer-17", *GONE[:2]],
        ["--erase", "customer-17", *GONE[:4]],
        ["--erase", "customer-17", *GONE[2:]],
    ],
    ids=" ".join,
)
def test_vendor_is_gone_only_with_one_customer_a_reason_and_a_name(shop, words):
    shop.verify()
    assert tidy(*words)[0] == 2
    assert shop.case(shop.checks).use()


def test_misspelt_vendor_is_an_error(shop):
    shop.verify()
    code, _ = tidy("--erase", "customer-17", "--vendor-is-gone", "diddit", *GONE[2:])
    assert code == 2
    assert tidy("--erase", "customer-17")[1]["left"] == 0


def test_a_vendor_that_one_store_alone_knows_is_gone(shop):
    shop.verify()
    with fm.SessionStore(shop.address, fm.Sessions(fm.FaceVerifier(Acme()))) as former:
        shop.case(former).begin(reference=CARDS["p1"])
    code, report = tidy("--erase", "customer-17", "--vendor-is-gone", "acme", *GONE[2:])
    assert {each["backend"] for each in report["erased"]} == {"acme", "didit"}
    assert all(each["is_done_here"] for each in report["erased"])
    assert report["vendor_is_gone"]["backend"] == "acme"
    assert code == 3, "a face may stay at the vendor"
    assert tidy("--erase", "customer-17")[1]["erased"] == []


@pytest.mark.parametrize("words", [[], ["--days", "1", "--erase", "customer-17"]], ids=str)
def test_either_days_or_a_customer_must_be_said(shop, words):
    assert tidy(*words)[0] == 2


def test_profiles_of_two_databases_are_refused_and_nothing_is_erased(shop, tmp_path):
    shop.verify()
    _, other = CONFIGURATION.removesuffix('[profiles.bare]\nbackend = "local"\n').split(
        "[profiles.shop]"
    )
    other = other.replace("shop.sqlite3", "other.sqlite3")
    with (tmp_path / "facematch.toml").open("a") as file:
        file.write(f"[profiles.other]{other}")
    code, _ = tidy("--profile", "shop", "--profile", "other", "--erase", "customer-17")
    assert code == 4
    assert shop.case(shop.checks).use()


@pytest.mark.parametrize("profiles", [["shop", "ours"], ["both", "shop"]], ids="+".join)
def test_checks_of_each_profiles_vendor_are_erased(shop, regula_server, tmp_path, profiles):
    with (tmp_path / "facematch.toml").open("a") as file:
        file.write(
            '[profiles.ours]\nbackend = "regula"\nchecks = "sqlite:///shop.sqlite3"\n'
            f'settings = {{ base_url = "{regula_server.url}" }}\n'
            '[profiles.both]\nmembers = ["ours"]\nchecks = "sqlite:///shop.sqlite3"\n'
        )
    verifier = fm.open_verifier(profile="ours")
    with fm.CheckStore(shop.address, verifier, needs_liveness=False) as checks:
        shop.case(checks).verify(CARDS["p1"], CARDS["p1-again"])
    shop.verify()
    code, report = tidy(
        *(word for name in profiles for word in ("--profile", name)), "--erase", "customer-17"
    )
    assert (code, report["left"]) == (0, 0)
    assert sorted(each["backend"] for each in report["erased"]) == ["didit", "didit", "regula"]


def add_profile_of_another_account(mock, tmp_path, monkeypatch):
    account = mock.new_account()
    account.control.sessions.workflow(WORKFLOW)
    monkeypatch.setenv("OTHER_KEY", account.live_key)
    _, _, profile = CONFIGURATION.partition("[profiles.shop]")
    profile, _, _ = profile.partition("[profiles.bare]")
    key = 'settings = { api_key = { env = "OTHER_KEY" },'
    with (tmp_path / "facematch.toml").open("a") as file:
        file.write(f"[profiles.other]{profile.replace('settings = {', key)}")


def test_sessions_named_like_profiles_of_one_vendor_are_erased_at_their_accounts(
    shop, tmp_path, monkeypatch
):
    add_profile_of_another_account(shop.mock, tmp_path, monkeypatch)
    by_name = {name: fm.open_sessions(profile=name) for name in ("shop", "other")}
    with fm.SessionStore(shop.address, by_name, choose=lambda customer: customer) as sessions:
        for customer in by_name:
            shop.case(sessions, customer).begin(reference=CARDS["p1"])
    for customer in by_name:
        code, report = tidy("--profile", "shop", "--profile", "other", "--erase", customer)
        assert (code, report["left"]) == (0, 0)
        assert [each["face_is_gone"] for each in report["erased"]] == [True]


def test_session_that_may_be_of_either_account_is_left_until_one_is_named(
    shop, tmp_path, monkeypatch
):
    add_profile_of_another_account(shop.mock, tmp_path, monkeypatch)
    shop.begin()
    code, report = tidy("--profile", "shop", "--profile", "other", "--erase", "customer-17")
    assert (code, report["left"]) == (3, 1)
    code, report = tidy("--profile", "shop", "--erase", "customer-17")
    assert (code, report["left"], len(report["erased"])) == (0, 0, 1)


@pytest.mark.parametrize("words", [("--days", "1"), ("--erase", "customer-17")], ids=" ".join)
def test_profile_without_a_store_has_nothing_to_forget(shop, words):
    assert tidy("--profile", "bare", *words) == (
        0,
        {
            "stores": {},
            "unknown": [],
            "missing_indexes": [],
            "used_again": {},
            "left": 0,
            "erased": [],
        },
    )


def indexes(tmp_path):
    with contextlib.closing(sqlite3.connect(tmp_path / "shop.sqlite3")) as connection:
        query = "SELECT name FROM sqlite_master WHERE type = 'index' AND name LIKE 'ix_%'"
        return {name for (name,) in connection.execute(query)}


def test_indexes_that_a_database_of_an_earlier_release_lacks_are_told_and_made(shop, tmp_path):
    shop.verify()
    shop.begin()
    complete = indexes(tmp_path)
    lacked = {"ix_facematch_sessions_unused", "ix_facematch_checks_turn"}
    assert complete > lacked
    with contextlib.closing(sqlite3.connect(tmp_path / "shop.sqlite3")) as connection:
        for name in lacked:
            connection.execute(f"DROP INDEX {name}")
    fm.SessionStore(shop.address, fm.open_sessions(profile="shop")).close()
    assert indexes(tmp_path) == complete - lacked
    doctor = json.loads(invoke_facematch("doctor", "--json").stdout)
    assert set(doctor["missing_indexes"]) == lacked
    assert "facematch tidy" in invoke_facematch("doctor").stdout
    assert tidy("--erase", "customer-18")[1]["missing_indexes"] == []
    assert indexes(tmp_path) == complete - lacked
    assert tidy("--days", "30")[1]["missing_indexes"] == []
    assert indexes(tmp_path) == complete
    assert json.loads(invoke_facematch("doctor", "--json").stdout)["missing_indexes"] == []


def attempts(shop):
    with contextlib.closing(sqlite3.connect(shop.address.removeprefix("sqlite:///"))) as connection:
        ((count,),) = connection.execute("SELECT count(*) FROM facematch_attempts")
        return count


def test_ended_attempts_are_forgotten_and_the_sums_of_budgets_stay(shop):
    shop.verify()
    shop.mock.control.add_fault(Fault(stage="mid_body", kind="reset"))
    with pytest.raises(fm.OutcomeUnknown):
        shop.case(shop.checks, "customer-18").verify(CARDS["p1"], CARDS["p1-again"])  # not kept
    with fm.SqlStore(shop.address) as store:
        spent = store.budgets()
        (unknown,) = store.open_reservations()
        assert tidy("--days", "1")[0] == 3
        assert attempts(shop) == 3
        tidy("--days", "0")
        assert attempts(shop) == 1
        assert store.budgets() == spent
        assert store.open_reservations() == (unknown,)


def test_days_that_are_no_number_are_refused_by_the_store_of_budgets(shop):
    with fm.SqlStore(shop.address) as store:
        for days in (-1, True, float("inf"), "1"):
            with pytest.raises(fm.InvalidRequest):
                store.forget(days)


def test_doctor_shows_the_addresses_of_the_stores(shop, tmp_path):
    answer = invoke_facematch("doctor", "--json")
    address = f"sqlite:///{tmp_path}/shop.sqlite3"
    assert json.loads(answer.stdout)["stores"] == {"sessions": address, "checks": address}
