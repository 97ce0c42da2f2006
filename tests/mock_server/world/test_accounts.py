"""Accounts of one server: what is done in one reaches no other."""

import datetime as dt
import gc
import json
import socket
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import attrs
import pytest
import requests
from kit.mock_didit import match_request, post_match, scene

from facematch_core import open_verifier
from facematch_mock_server import Fault, MockServer, make_card
from facematch_mock_server.http import exchange
from facematch_mock_server.vendors import vendor_names
from facematch_mock_server.world.accounts import ACCOUNT_HEADER, Account
from facematch_mock_server.world.services import Key

P1 = make_card("p1")
VENDORS = ("didit", *(name for name in vendor_names() if name != "didit"))
BUSY = Fault(stage="answer", kind="status", status=503)


@pytest.fixture(scope="module")
def server():
    """One server of all vendors for all tests here, as a container is."""
    with MockServer(vendor=VENDORS) as running:
        yield running


def ask(server, key):
    """The status of a face match."""
    return post_match(server.url, key, timeout=30).status_code


def test_each_has_keys_for_every_vendor(server):
    first, other = server.new_account(), server.new_account()
    for vendor in VENDORS:
        mine, theirs = first.of(vendor), other.of(vendor)
        assert mine.live_key != theirs.live_key
        assert (mine.sandbox_key is None) == (vendor != "didit")
        assert server.account(mine.live_key).name == first.name
        assert server.account(server.of(vendor).live_key).name == "main"
    assert ask(server, first.live_key) == ask(server, first.sandbox_key) == 200
    assert [call.key for call in first.control.journal()] == ["live", "sandbox"]
    assert other.control.journal() == ()


@pytest.mark.parametrize("vendor", ["didit", "deepvue", "rekognition"])
def test_a_client_of_each_kind_of_key_reaches_its_account(server, vendor):
    account, before = server.new_account(), len(server.of(vendor).control.charges())
    mine = account.of(vendor)
    header = {
        "didit": {"api_key": mine.live_key},
        "deepvue": {"client_id": mine.client_id, "client_secret": mine.live_key},
        "rekognition": {
            "access_key_id": mine.client_id,
            "secret_access_key": mine.live_key,
            "region": "us-east-1",
        },
    }[vendor]
    with open_verifier(vendor, base_url=server.url, **header) as verifier:
        assert verifier.verify(P1, P1).is_match
    assert {entry.vendor for entry in mine.control.journal()} == {vendor}
    assert mine.control.charges()
    assert len(server.of(vendor).control.charges()) == before


def test_what_is_set_in_one_is_set_there_alone(server):
    first, other = server.new_account(), server.new_account()
    now = other.control.now()
    first.control.set_balance(0)
    first.control.set_limit("write", 1)
    first.control.set_outcome("match", score=12)
    first.control.add_fault(BUSY)
    first.control.set_latency("match", 0.01)
    first.control.advance(3600)
    assert other.control.balance() == Decimal(100)
    assert other.control.limits()["write"] != 1
    assert (other.control.outcomes(), other.control.faults()) == ((), ())
    assert other.control.latency() == {}
    assert other.control.now() == now
    assert [ask(server, other.live_key) for _ in range(2)] == [200, 200]
    assert [ask(server, first.live_key) for _ in range(2)] == [503, 403]
    first.control.reset()
    assert first.control.balance() == Decimal(100)
    assert len(other.control.charges()) == 2
    assert ask(server, first.live_key) == 200


def test_a_connection_is_nobodys_yet(server):
    """So a fault that strikes it can be set in the first account alone."""
    fault = Fault(stage="connect", kind="reset")
    with pytest.raises(ValueError, match="mid_upload"):
        server.new_account().control.add_fault(fault)
    server.control.add_fault(fault)
    with pytest.raises(requests.ConnectionError):
        ask(server, server.live_key)
    assert server.control.faults() == ()


def test_over_http_an_account_is_opened_steered_and_closed(server):
    base = server.control_url
    reply = requests.post(f"{base}accounts", json={"name": "job-7"}, timeout=30).json()
    assert reply["account"] == "job-7"
    assert list(reply["keys"]) == list(VENDORS)
    key = reply["keys"]["didit"]["live"]
    assert set(reply["keys"]["deepvue"]) == {"live", "client"}
    for named in ({"headers": {ACCOUNT_HEADER: "job-7"}}, {"params": {"key": key}}):
        requests.post(f"{base}ledger/balance", json={"balance": "3"}, timeout=30, **named)
        account_ledger = requests.get(f"{base}ledger", timeout=30, **named).json()
        assert account_ledger["balance"] == "3.0000"
    assert server.control.balance() != 3
    assert ask(server, key) == 200
    listed = requests.get(f"{base}accounts", timeout=30).json()["accounts"]
    assert ("job-7", 1, None) in [(each["name"], each["calls"], each["closed"]) for each in listed]
    again = requests.post(f"{base}accounts", json={"name": "job-7"}, timeout=30)
    assert (again.status_code, list(again.json())) == (400, ["mock"])
    requests.post(f"{base}accounts/close", json={"account": "job-7"}, timeout=30)
    ledger = requests.get(f"{base}ledger", params={"key": key}, timeout=30).json()
    assert (ledger["balance"], len(ledger["entries"])) == ("2.9500", 1)
    change = {"params": {"key": key}, "json": {"balance": "9"}, "timeout": 30}
    refusal = requests.post(f"{base}ledger/balance", **change)
    assert (refusal.status_code, list(refusal.json())) == (400, ["mock"])
    assert ask(server, key) == 403


def test_a_key_is_never_nobodys_while_its_account_is_reset(server, monkeypatch):
    """Else a call beside the reset would be one of the first account, with a wrong key."""
    account, owners = server.new_account(), []

    class Watched(Account):
        def __init__(self, *arguments, **more):
            super().__init__(*arguments, **more)
            owners.append(server.accounts.find(account.live_key))

    monkeypatch.setattr("facematch_mock_server.world.accounts.Account", Watched)
    account.control.add_key(key="of-before")
    account.control.reset()
    assert [owner.name for owner in owners] == [account.name]
    assert ask(server, account.live_key) == 200
    assert server.accounts.find("of-before") is None


def test_what_was_reset_in_the_first_account_is_let_go():
    mock = MockServer()
    world = weakref.ref(mock.world)
    mock.control.reset()
    gc.collect()
    assert world() is None


@pytest.mark.parametrize("vendor", ["deepvue", "rekognition"])
def test_a_key_that_is_added_belongs_to_the_client_of_its_account(server, vendor):
    """Without that its client would lead to the first account, and the key be of no use."""
    mine = server.new_account().of(vendor)
    mine.control.add_key(key=f"another-secret-of-{vendor}")
    keys = mine.control.keys()
    assert {key.client for key in keys} == {mine.client_id}


def test_the_console_of_a_name_begins_anew_with_its_account(server):
    """What a closed account was asked is not shown as that of another one."""
    for probe in (P1, make_card("p2")):
        account = server.new_account("again-and-again")
        header = {ACCOUNT_HEADER: account.name}
        post_match(server.url, account.live_key, probe)
        there = f"{server.control_url}console/calls/1"
        shown = requests.get(there, headers=header, timeout=30).json()["files"][0]
        assert shown["digest"] == account.control.journal()[0].files[0].digest
        account.close()


def test_the_first_account_stays_and_a_closed_one_is_gone(server):
    with pytest.raises(ValueError, match="first account"):
        server.control.close_account("main")
    for name in ("main", "a b", "a" * 101):
        with pytest.raises(ValueError, match="account"):
            server.new_account(name)
    account = server.new_account()
    account.close()
    with pytest.raises(LookupError):
        server.account("nobody")
    for text in (account.name, account.live_key, "nobody"):
        with pytest.raises(LookupError):
            server.control.close_account(text)


# Keys that are wrong


@pytest.mark.parametrize("vendor", ["didit", "compreface", "azure"])
def test_a_key_that_resembles_an_accounts_is_its_wrong_key(server, vendor):
    account, bystander = server.new_account().of(vendor), server.new_account()
    header, path = {
        "didit": ("x-api-key", "/v3/face-match/"),
        "compreface": ("x-api-key", "/api/v1/verification/verify"),
        "azure": ("Ocp-Apim-Subscription-Key", "/face/v1.2/detect"),
    }[vendor]
    key, before = account.live_key, len(server.control.journal())

    def statuses():
        keys = [key[:-1], key[:-4] + "WXYZ", f"{key}-and-more", f"{key},x"]
        sent = ({"headers": {header: each}, "timeout": 30} for each in keys)
        return [requests.post(server.url + path, **each).status_code for each in sent]

    refusals = statuses()
    assert len(set(refusals)) == 1
    assert 400 <= refusals[0] < 404
    assert [call.key for call in account.control.journal()] == ["wrong"] * 4
    account.control.add_fault(attrs.evolve(BUSY, times=None))
    assert statuses() == [503] * 4
    assert (len(server.control.journal()), bystander.control.journal()) == (before, ())


def test_of_keys_that_resemble_two_accounts_the_exact_one_counts(server):
    first, second = server.new_account(), server.new_account()
    second.control.add_key(key=f"{first.live_key}-of-another")
    assert ask(server, f"{first.live_key}-of-another") == 200
    assert len(second.control.charges()) == 1
    assert ask(server, f"{first.live_key}-of-nobody") == 403
    assert len(first.control.journal()) == 1


@pytest.mark.parametrize("key", ["nobody-has-this", None])
def test_a_fault_of_the_first_account_waits_for_a_key_that_is_known(key):
    with MockServer() as mock:
        mock.control.add_fault(BUSY)
        # Nobody else is there: it can only be this one's.
        assert ask(mock, key) == 503
        mock.new_account()
        mock.control.add_faults(BUSY, Fault(stage="mid_upload", kind="reset"))
        assert ask(mock, key) in (401, 403)
        assert len(mock.control.faults()) == 2
        mock.control.add_fault(attrs.evolve(BUSY, path="/v3/face-match/"))
        assert ask(mock, key) == 503
        assert ask(mock, mock.live_key) == 503
        assert len(mock.control.journal()) == 4
        named = {ACCOUNT_HEADER: "main", "x-api-key": "wrong"}
        with pytest.raises(requests.ConnectionError):
            requests.post(mock.url + "/v3/face-match/", headers=named, data=b"x", timeout=30)


@pytest.mark.parametrize("vendor", ["deepvue", "rekognition"])
def test_a_client_id_finds_its_account(server, vendor):
    account = server.new_account().of(vendor)
    for text, name in ((account.client_id, account.account), (server.of(vendor).client_id, "main")):
        assert server.account(text).name == name
        there = f"{server.control_url}{vendor}/ledger"
        assert requests.get(there, params={"key": text}, timeout=30).status_code == 200


# Accounts that are closed


def closed_one(server, name=None):
    """An account that was called once and closed."""
    account = server.new_account(name)
    assert ask(server, account.live_key) == 200
    account.close()
    return account


def test_a_closed_account_can_be_read_and_nothing_in_it_changed(server):
    account = server.new_account()
    control, deepvue = account.control, account.of("deepvue").control
    control.add_fault(attrs.evolve(BUSY, path="/v3/sessions/"))
    control.set_outcome("liveness", score=12)
    assert ask(server, account.live_key) == 200
    unused = control.unused()
    account.close()
    # Whoever closes it at the end of a test can still say what the test did not use.
    assert control.unused() == unused
    assert [miss.call.number for miss in control.near_misses()] == [1, 1]
    assert len(control.journal()) == len(control.charges()) == len(control.sessions.all()) == 1
    assert control.balance() == Decimal("99.95")
    assert (control.faults(), control.outcomes()) == ((), ())
    keys = deepvue.keys()
    assert {key.revoked for key in keys} == {True}
    session = control.sessions.all()[0].id
    changes = [
        lambda: control.set_balance(5),
        lambda: control.add_fault(BUSY),
        lambda: control.set_outcome("match", score=12),
        control.clear_faults,
        control.clear_outcomes,
        control.clear_journal,
        control.add_key,
        control.reset,
        lambda: control.advance(5),
        lambda: control.set_limit("write", 5),
        lambda: control.set_latency("match", 1),
        lambda: control.revoke_key(account.live_key),
        lambda: control.sessions.decide(session, "Approved"),
        lambda: control.webhooks.add("http://127.0.0.1:1/"),
        control.webhooks.drop,
        control.mailbox.clear,
        lambda: control.payments.set_plan(annual=True),
        deepvue.tokens.revoke,
        deepvue.answers.clear,
    ]
    for change in changes:
        with pytest.raises(ValueError, match=f"{account.name} was closed"):
            change()


def test_a_late_call_of_a_closed_account_is_its_own(server):
    account, before = closed_one(server), len(server.control.journal())
    server.control.add_fault(attrs.evolve(BUSY, path="/v3/face-match/"))
    assert ask(server, account.live_key) == ask(server, f"{account.live_key}-x") == 403
    named = {ACCOUNT_HEADER: account.name}
    assert requests.get(server.url + "/v3/sessions/", headers=named, timeout=30).status_code == 403
    assert [call.status for call in account.control.journal()] == [200, 403, 403, 403]
    assert len(account.control.charges()) == 1
    assert len(server.control.journal()) == before
    assert len(server.control.faults()) == 1
    server.control.clear_faults()
    # A vendor that nobody had asked by then refuses, too.
    late = account.of("compreface")
    path = "/api/v1/verification/verify"
    sent = requests.post(server.url + path, headers={"x-api-key": late.live_key}, timeout=30)
    assert (sent.status_code, late.control.journal()[-1].key) == (404, "wrong")


@pytest.mark.parametrize("bound", ["CLOSED_FOR", "MAX_CLOSED", "MAX_CLOSED_BYTES"])
def test_closed_accounts_are_kept_for_a_while_and_within_bounds(monkeypatch, bound):
    with MockServer() as mock:
        accounts = [closed_one(mock) for _ in range(3)]
        names = [account.name for account in accounts]
        assert [each.name for each in mock.accounts.closed] == names
        two = sum(each.kept_bytes for each in mock.accounts.closed[1:])
        limit = {"CLOSED_FOR": dt.timedelta(0), "MAX_CLOSED": 2, "MAX_CLOSED_BYTES": two}[bound]
        monkeypatch.setattr(f"facematch_mock_server.world.accounts.{bound}", limit)
        kept = names[3:] if bound == "CLOSED_FOR" else names[1:]
        assert [each.name for each in mock.accounts.closed] == kept
        assert mock.accounts.find(names[0]) is mock.accounts.find(accounts[0].live_key) is None
        with pytest.raises(LookupError):
            accounts[0].control.balance()
        assert ask(mock, accounts[0].live_key) == 403
        assert len(mock.control.journal()) == 1


@pytest.mark.parametrize("end", ["close", "reset"])
def test_pictures_go_with_their_account_unless_another_one_sent_them(end):
    with MockServer() as mock:
        first, second = mock.new_account(), mock.new_account()
        shared, other = mock.accounts, make_card("p2")
        for key in (first.live_key, second.live_key):
            assert ask(mock, key) == 200
        with open_verifier("didit", api_key=first.live_key, base_url=mock.url) as verifier:
            verifier.verify(other, other)
        assert shared.sent_pictures.kept_bytes > len(P1)
        getattr(first if end == "close" else first.control, end)()
        assert shared.sent_pictures.kept_bytes == shared.saved_pictures.kept_bytes == len(P1)
        assert ask(mock, first.live_key) == (403 if end == "close" else 200)
        second.close()
        assert shared.sent_pictures.kept_bytes == (0 if end == "close" else len(P1))


@pytest.mark.parametrize("end", ["close", "reset"])
def test_what_takes_long_to_stop_holds_up_no_other_account(end, monkeypatch):
    with MockServer() as mock:
        account, stopping, go_on = mock.new_account(), threading.Event(), threading.Event()

        def stop():
            stopping.set()
            assert go_on.wait(30)

        monkeypatch.setattr(account.control.world.worker, "stop", stop)
        with ThreadPoolExecutor(1) as pool:
            ending = pool.submit(getattr(account if end == "close" else account.control, end))
            assert stopping.wait(30)
            other = mock.new_account()
            assert ask(mock, other.live_key) == 200
            other.control.reset()
            other.close()
            go_on.set()
            ending.result(30)


def test_what_was_postponed_before_a_reset_never_runs_in_the_new_world(server):
    account = server.new_account()
    account.control.add_fault(Fault(stage="after_upload", kind="delay", seconds=60))
    request = match_request(scene(), key=account.live_key)
    assert exchange.ask(server.app.begin, request) is None
    late = exchange.carry_out(server.app, request).postponed
    account.control.reset()
    account.control.set_outcome("match", score=99)
    assert exchange.carry_out(server.app, late).response.status == 200
    assert account.control.journal() == account.control.charges() == ()
    assert account.control.sessions.all() == ()
    assert len(account.control.outcomes()) == 1


@pytest.mark.parametrize("is_late", [False, True], ids=["at once", "postponed"])
def test_an_upload_belongs_to_the_account_that_its_head_names(server, is_late):
    account = server.new_account()
    if is_late:
        account.control.add_fault(Fault(stage="after_upload", kind="delay", seconds=0.01))
    form = requests.Request(
        "POST",
        server.url + "/v3/face-match/",
        headers={"x-api-key": account.live_key},
        files={"user_image": ("a.png", P1), "ref_image": ("b.png", P1)},
    ).prepare()
    lines = [f"POST {form.path_url} HTTP/1.1", f"Host: 127.0.0.1:{server.port}"]
    lines += [f"{name}: {value}" for name, value in form.headers.items()]
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as line:
        line.sendall("\r\n".join([*lines, "Expect: 100-continue", "", ""]).encode())
        assert line.recv(100).startswith(b"HTTP/1.1 100")  # the head is read
        account.control.reset()
        line.sendall(form.body)
        assert line.recv(100).startswith(b"HTTP/1.1 200")
    assert account.control.charges() == account.control.journal() == ()
    assert len(server.account(account.name).control.sessions.all()) == 0


def test_a_header_that_names_nobody_is_refused(server):
    before = len(server.control.journal())
    files = {"user_image": ("a.png", P1), "ref_image": ("b.png", P1)}
    for path in ("/v3/face-match/", "/__mock__/reset"):
        for name in ("nobody", ""):
            sent = requests.post(
                server.url + path,
                headers={"x-api-key": server.live_key, ACCOUNT_HEADER: name},
                files=files if "v3" in path else None,
                timeout=30,
            )
            assert sent.status_code == 404
    assert len(server.control.journal()) == before
    for query in ({"key": ""}, {"account": "main"}):
        change = f"{server.control_url}ledger/balance"
        sent = requests.post(change, params=query, json={"balance": "1"}, timeout=30)
        assert sent.status_code in (400, 404)
    assert server.control.balance() != 1


def test_a_key_names_one_account_at_all_vendors_and_no_other(server):
    first, other = server.new_account(), server.new_account()
    first.of("deepvue").control.add_key(key="the-key-of-one")
    for text in ("the-key-of-one", first.name, first.of("azure").live_key):
        with pytest.raises(ValueError, match="another account"):
            other.control.add_key(key=text)
    # Neither half of a pair stays with whom it was refused.
    pair = {"key": "half-of-a-pair", "client": other.of("deepvue").client_id}
    with pytest.raises(ValueError, match="another account"):
        first.of("deepvue").control.add_key(**pair)
    assert other.of("deepvue").control.add_key(**pair) == "half-of-a-pair"
    with pytest.raises(ValueError, match="printable"):
        first.control.add_key(key=" no key")
    with pytest.raises(ValueError, match="another name"):
        server.new_account("the-key-of-one")


def test_what_a_late_call_still_opens_or_lets_in_is_closed_as_well(server):
    """A call that began before may register an account, or add a key."""
    parent = server.new_account()
    world = server.accounts.find(parent.name).world("didit")
    keys = {"didit": {"key-of-a-late-child": Key(kind="live")}}
    parent.close()
    world.add_key("late-key-of-the-parent", Key(kind="live"))
    world.account.shared.open("late-child", keys=keys, parent=world.account)
    assert server.accounts.find("late-child").closed_at is not None
    before = len(server.control.journal())
    for key, name in (
        ("late-key-of-the-parent", parent.name),
        ("key-of-a-late-child", "late-child"),
    ):
        assert ask(server, key) == 403
        assert [entry.key for entry in server.accounts.find(name).journal.entries] == ["wrong"]
    assert len(server.control.journal()) == before


def test_an_account_that_was_registered_is_closed_with_its_parent(server):
    for end in ("reset", "close"):
        parent = server.new_account()
        name, key = f"child-{end}", f"the-key-of-a-child-{end}"
        account = server.accounts.find(parent.name)
        account.shared.open(name, keys={"didit": {key: Key(kind="live")}}, parent=account)
        assert ask(server, key) == 200
        getattr(parent.control if end == "reset" else parent, end)()
        assert ask(server, key) == 403
        child = server.accounts.find(name)
        assert [entry.status for entry in child.journal.entries] == [200, 403]
        assert child.closed_at is not None


# What leads to an account


@pytest.mark.parametrize(
    "keys", [("mobile-api", "mobile-api-key"), ("mobile-api-key", "mobile-api")]
)
def test_a_key_that_begins_as_another_ones_is_its_own(keys):
    with MockServer() as server:
        accounts = {keys[0]: server.new_account("shop"), keys[1]: server.account("main")}
        for key, account in accounts.items():
            account.control.add_key(key=key)
        for key, account in accounts.items():
            assert (server.account(key).name, ask(server, key)) == (account.name, 200)
            assert len(account.control.charges()) == 1
        assert server.new_account("mobile-ap").name == "mobile-ap"


def test_who_holds_a_closed_account_reaches_no_other():
    """Whoever has its name and its keys by now."""
    with MockServer() as mock:
        old = mock.new_account("shop")
        old.control.add_key(key="shop-key-12345")
        served, control = old.of("didit"), old.control
        old.close()
        new = mock.new_account("shop")
        new.control.add_key(key="shop-key-12345")
        for change in (control.set_balance, served.control.set_balance):
            with pytest.raises(ValueError, match="shop was closed"):
                change(1)
        with pytest.raises(LookupError, match="shop was closed"):
            old.close()
        assert ask(mock, "shop-key-12345") == 200
        assert old.of("didit").control.journal() == control.journal() == ()
        assert new.control.balance() == Decimal("99.95")
        assert mock.control.accounts() == ("main", "shop")


def test_no_key_is_repeated(server):
    key = server.new_account().live_key
    for error, act in ((ValueError, server.new_account), (LookupError, server.of)):
        with pytest.raises(error) as raised:
            act(key)
        assert key[:30] not in str(raised.value)


def test_a_key_that_is_taken_back_works_again_after_a_reset(server):
    account = server.new_account()
    account.control.add_key(key="added")
    account.control.revoke_key(account.live_key)
    assert [ask(server, key) for key in (account.live_key, "added")] == [403, 200]
    account.control.reset()
    assert [ask(server, key) for key in (account.live_key, "added")] == [200, 403]


def test_a_key_that_is_added_beside_a_reset_leads_to_no_account_of_before(server):
    account = server.new_account()
    before = account.control.world
    account.control.reset()
    before.add_key("added-late", Key(kind="live"))
    assert ask(server, "added-late") == 403
    assert [call.key for call in account.control.journal()] == ["wrong"]


# What closed accounts keep


def register(server, account, path, **fields):
    """A request to Didit's registration, in an account: the answer."""
    url, named = f"{server.url}/auth/v2/programmatic/{path}/", {ACCOUNT_HEADER: account.name}
    return requests.post(url, json=fields, headers=named, timeout=30)


def test_nobody_registers_or_is_known_in_a_closed_account(server):
    account, person = server.new_account(), {"password": "Correct-horse-7"}
    for name in ("anna", "ben", "cora"):
        person["email"] = f"{name}@mailbox.dev"
        assert register(server, account, "register", **person).status_code == 201
    codes = {mail.to: mail.code for mail in account.control.mailbox.mails()}
    register(
        server, account, "verify-email", email="ben@mailbox.dev", code=codes["ben@mailbox.dev"]
    )
    account.close()
    before = len(server.accounts.closed)
    statuses = [
        register(
            server, account, "register", **{**person, "email": "dora@mailbox.dev"}
        ).status_code,
        register(
            server,
            account,
            "verify-email",
            email="anna@mailbox.dev",
            code=codes["anna@mailbox.dev"],
        ).status_code,
        register(server, account, "login", **{**person, "email": "ben@mailbox.dev"}).status_code,
    ]
    assert statuses == [403, 400, 401]
    assert account.control.mailbox.mails() == ()
    assert len(server.accounts.closed) == before


def test_a_registration_that_finds_no_place_can_be_proved_later(server, monkeypatch):
    account, anna = server.new_account(), {"email": "anna@mailbox.dev"}
    register(server, account, "register", **anna, password="Correct-horse-7")
    code = account.control.mailbox.code(anna["email"])
    with monkeypatch.context() as patch:
        patch.setattr("facematch_mock_server.world.accounts.MAX_ACCOUNTS", 1)
        assert register(server, account, "verify-email", **anna, code=code).status_code == 403
    verified = register(server, account, "verify-email", **anna, code=code)
    key = verified.json()["application"]["api_key"]
    # The mock made it: mistyped it is known, too.
    assert (ask(server, key), ask(server, key[:-4] + "WXYZ")) == (200, 403)
    assert [call.key for call in server.account(key).control.journal()] == ["live", "wrong"]


def test_what_closed_accounts_keep_is_bounded_in_bytes():
    """With all that was sent: metadata, and what was announced of it."""
    with MockServer() as mock:
        fields = {"metadata": json.dumps({"a": "x" * 45_000})}
        accounts = [mock.new_account() for _ in range(2)]
        for account in accounts:
            account.control.webhooks.add("http://127.0.0.1:9/")
            assert post_match(mock.url, account.live_key, timeout=30, **fields).ok
            account.close()
        sizes = [account.kept_bytes for account in mock.accounts.closed]
        assert all(45_000 < size < 90_000 for size in sizes)
        # Refused calls are kept, too.
        for _ in range(5):
            ask(mock, accounts[0].live_key)
        assert mock.accounts.closed[0].kept_bytes > sizes[0] + 1000


def test_refused_calls_push_the_oldest_closed_account_out(monkeypatch):
    with MockServer() as mock:
        first, second = closed_one(mock), closed_one(mock)
        kept = sum(account.kept_bytes for account in mock.accounts.closed)
        monkeypatch.setattr("facematch_mock_server.world.accounts.MAX_CLOSED_BYTES", kept)
        assert ask(mock, second.live_key) == 403
        with pytest.raises(LookupError):
            first.control.journal()
        assert len(second.control.journal()) == 2


def test_of_two_closed_accounts_a_key_leads_to_the_one_closed_last():
    with MockServer(vendor=["didit", "deepvue"]) as server:
        for name, vendor in (("first", "didit"), ("second", "deepvue")):
            account = server.new_account(name)
            account.of(vendor).control.add_key(key="a-key-of-both-in-turn")
            account.close()
        assert server.account("a-key-of-both-in-turn").name == "second"


def test_only_so_many_unused_rules_are_held_beside_the_calls():
    with MockServer() as mock:
        for _ in range(120):
            mock.control.add_fault(attrs.evolve(BUSY, path="/v3/face"))
        ask(mock, mock.live_key)
        misses = mock.control.near_misses()
        assert len(misses) == len(mock.control.unused()) == 119
        assert [miss.call is None for miss in misses] == [False] * 100 + [True] * 19
