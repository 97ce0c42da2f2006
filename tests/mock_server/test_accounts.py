"""Accounts of one server: what is done in one reaches no other."""

import http.client
import socket
import subprocess
import sys
import threading
from decimal import Decimal

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from facematch_core import open_verifier
from facematch_mock_server import Fault, MockServer, VirtualClock, make_card
from facematch_mock_server.account import ACCOUNT_HEADER, MAX_ACCOUNTS, Account, Accounts
from facematch_mock_server.app import App
from facematch_mock_server.messages import Request
from facematch_mock_server.vendors import vendor_named, vendor_names
from facematch_mock_server.vendors.didit.webhooks import application_id

P1 = make_card("p1")
VENDORS = ("didit", "deepvue", "azure", "compreface", "rekognition")
KEY = (("x-api-key", "mock-live-key"),)
BUSY = Fault(stage="answer", kind="status", status=503)


@pytest.fixture(scope="module")
def server():
    """One server of all vendors for all tests here, as a container is."""
    with MockServer(vendor=VENDORS) as running:
        yield running


def ask(server, key, path="/v3/face-match/"):
    """A face match over HTTP: the status."""
    files = {"user_image": ("a.png", P1), "ref_image": ("b.png", P1)}
    sent = requests.post(server.url + path, headers={"x-api-key": key}, files=files, timeout=30)
    return sent.status_code


def test_each_has_keys_for_every_vendor(server):
    """That work at once, and are nobody else's."""
    one, other = server.new_account(), server.new_account()
    for vendor in VENDORS:
        mine, theirs = one.of(vendor), other.of(vendor)
        assert mine.live_key != theirs.live_key
        assert (mine.sandbox_key is None) == (vendor != "didit")
        assert server.account(mine.live_key).name == one.name
    assert ask(server, one.live_key) == ask(server, one.sandbox_key) == 200
    assert [call.key for call in one.control.journal()] == ["live", "sandbox"]
    assert other.control.journal() == ()


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_client_of_each_vendor_reaches_its_account(server, vendor):
    """By the vendor's own notion of a key; the charge is that account's alone."""
    account, before = server.new_account(), len(server.of(vendor).control.charges())
    mine = account.of(vendor)
    own = {
        "didit": {"api_key": mine.live_key},
        "deepvue": {"client_id": mine.client_id, "client_secret": mine.live_key},
        "azure": {"api_key": mine.live_key},
        "compreface": {"api_key": mine.live_key},
        "rekognition": {
            "access_key_id": mine.client_id,
            "secret_access_key": mine.live_key,
            "region": "us-east-1",
        },
    }[vendor]
    with open_verifier(vendor, base_url=server.url, **own) as verifier:
        assert verifier.verify(P1, P1).is_match
    assert [entry.vendor for entry in mine.control.journal()] == [vendor] * len(
        mine.control.journal()
    )
    if vendor != "compreface":  # which knows no charges
        assert mine.control.charges()
    assert len(server.of(vendor).control.charges()) == before


def test_what_is_set_in_one_is_set_there_alone(server):
    """Credit, limits, outcomes, faults, latency, the clock and resets."""
    one, other = server.new_account(), server.new_account()
    now = other.control.now()
    one.control.set_balance(0)
    one.control.set_limit("write", 1)
    one.control.set_outcome("match", score=12)
    one.control.add_fault(BUSY)
    one.control.set_latency("match", 0.01)
    one.control.advance(3600)
    assert other.control.balance() == Decimal(100)
    assert other.control.limits()["write"] != 1
    assert (other.control.outcomes(), other.control.faults()) == ((), ())
    assert other.control.latency() == {}
    assert other.control.now() == now
    assert [ask(server, other.live_key) for _ in range(2)] == [200, 200]
    assert [ask(server, one.live_key) for _ in range(2)] == [503, 403]
    one.control.reset()
    assert one.control.balance() == Decimal(100)
    assert len(other.control.charges()) == 2
    assert ask(server, one.live_key) == 200


def test_a_connection_is_nobodys_yet(server):
    """So a fault that strikes it can be set in the first account alone."""
    fault = Fault(stage="connect", kind="reset")
    with pytest.raises(ValueError, match="mid_upload"):
        server.new_account().control.add_fault(fault)
    server.control.add_fault(fault)
    with pytest.raises(requests.ConnectionError):
        ask(server, server.live_key)
    assert server.control.faults() == ()


def test_by_the_control_api(server):
    """An account is opened with its keys, and steered by its name or by one of them."""
    base = server.control_url
    made = requests.post(f"{base}accounts", json={"name": "job-7"}, timeout=30).json()
    assert made["account"] == "job-7"
    assert list(made["keys"]) == list(VENDORS)
    key = made["keys"]["didit"]["live"]
    assert set(made["keys"]["deepvue"]) == {"live", "client"}
    for named in ({"headers": {ACCOUNT_HEADER: "job-7"}}, {"params": {"key": key}}):
        requests.post(f"{base}ledger/balance", json={"balance": "3"}, timeout=30, **named)
        found = requests.get(f"{base}ledger", timeout=30, **named).json()
        assert found["balance"] == "3.0000"
    assert server.control.balance() != 3
    assert ask(server, key) == 200
    listed = requests.get(f"{base}accounts", timeout=30).json()["accounts"]
    assert {"name": "job-7", "calls": 1} in listed
    again = requests.post(f"{base}accounts", json={"name": "job-7"}, timeout=30)
    assert (again.status_code, list(again.json())) == (400, ["mock"])
    requests.post(f"{base}accounts/close", json={"account": "job-7"}, timeout=30)
    assert requests.get(f"{base}ledger", params={"key": key}, timeout=30).status_code == 404
    assert ask(server, key) == 403


def test_a_key_of_nobody_is_for_the_first_account(server):
    """And so is a call without one, unless it names an account."""
    account, before = server.new_account(), len(server.control.journal())
    assert ask(server, "nobody-has-this") == 403
    assert len(server.control.journal()) == before + 1
    named = {ACCOUNT_HEADER: account.name}
    assert requests.get(server.url + "/v3/sessions/", headers=named, timeout=30).status_code == 403
    assert len(account.control.journal()) == 1
    assert len(server.control.journal()) == before + 1


def test_a_key_is_one_accounts(server):
    """What one account lets in, another cannot."""
    one, other = server.new_account(), server.new_account()
    key = one.control.add_key(key="shared-by-mistake")
    assert ask(server, key) == 200
    with pytest.raises(ValueError, match="another account"):
        other.control.add_key(key=key)
    assert ask(server, one.live_key) == 200
    one.control.reset()
    assert ask(server, key) == 403
    other.control.add_key(key=key)
    assert ask(server, key) == 200
    assert len(other.control.charges()) == 1


def test_a_key_that_was_refused_is_still_free(server):
    """Neither half of a pair stays with whom it was refused."""
    one, other = (server.new_account().of("deepvue") for _ in range(2))
    with pytest.raises(ValueError, match="another account"):
        one.control.add_key(key="half-of-a-pair", client=other.client_id)
    assert other.control.add_key(key="half-of-a-pair", client=other.client_id) == "half-of-a-pair"


def test_a_key_is_never_nobodys_while_its_account_is_reset(server, monkeypatch):
    """Else a call beside the reset would be one of the first account, with a wrong key."""
    one, owners = server.new_account(), []

    class Watched(Account):
        def __init__(self, *given, **more):
            super().__init__(*given, **more)
            owners.append(server.accounts.find(one.live_key))

    monkeypatch.setattr("facematch_mock_server.account.Account", Watched)
    one.control.add_key(key="of-before")
    one.control.reset()
    assert [owner.name for owner in owners] == [one.name]
    assert ask(server, one.live_key) == 200
    assert server.accounts.find("of-before") is None


def test_a_body_that_is_too_large_is_in_the_journal_of_its_account(server):
    """It is refused before anything of it is read, and is that account's all the same."""
    one, before = server.new_account(), len(server.control.journal())
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    sent = {"x-api-key": one.live_key, "Content-Length": str(10**9)}
    connection.request("POST", "/v3/face-match/", headers=sent)
    assert connection.getresponse().status == 413
    connection.close()
    assert [call.status for call in one.control.journal()] == [413]
    assert len(server.control.journal()) == before


@pytest.mark.parametrize("vendor", ["deepvue", "rekognition"])
def test_a_key_that_is_added_belongs_to_the_client_of_its_account(server, vendor):
    """Without that its client would lead to the first account, and the key be of no use."""
    mine = server.new_account().of(vendor)
    mine.control.add_key(key=f"another-secret-of-{vendor}")
    known = mine.control.keys()
    assert {key.client for key in known} == {mine.client_id}


def test_the_console_of_a_name_begins_anew_with_its_account(server):
    """What a closed account was asked is not shown as that of another one."""
    for picture in (P1, make_card("p2")):
        one = server.new_account("again-and-again")
        asked = {ACCOUNT_HEADER: one.name}
        files = {"user_image": ("a.png", picture), "ref_image": ("b.png", P1)}
        sent = {"x-api-key": one.live_key}
        requests.post(f"{server.url}/v3/face-match/", headers=sent, files=files, timeout=30)
        there = f"{server.control_url}console/calls/1"
        shown = requests.get(there, headers=asked, timeout=30).json()["files"][0]
        assert shown["digest"] == one.control.journal()[0].files[0].digest
        one.close()


def test_an_organization_outlives_nothing_of_whom_it_was_registered_with(server):
    """The console shows it, though it has a key of one vendor alone, and what is under way in it is
    answered though its account is closed meanwhile."""
    parent = server.new_account()
    with requests.Session() as session:
        session.headers[ACCOUNT_HEADER] = parent.name
        there, mail = f"{server.url}/auth/v2/programmatic/", {"email": "anna@mailbox.dev"}
        new = {**mail, "password": "Correct-horse-7"}
        session.post(f"{there}register/", json=new, timeout=30).raise_for_status()
        code = parent.control.mailbox.code("anna@mailbox.dev")
        shown = {**mail, "code": code}
        made = session.post(f"{there}verify-email/", json=shown, timeout=30).json()
    child = server.account(made["organization"]["uuid"])
    about = f"{server.control_url}console/about"
    told = requests.get(about, headers={ACCOUNT_HEADER: child.name}, timeout=30).json()
    keys = {one["name"]: one["key"] for one in told["vendors"]}
    assert keys == dict.fromkeys(VENDORS, "") | {"didit": child.live_key}
    world = child.control.world
    parent.close()
    assert application_id(world)


def test_the_first_account_stays(server):
    """It can be reset, and not closed; a closed one is gone."""
    with pytest.raises(ValueError, match="first account"):
        server.control.close_account("main")
    account = server.new_account()
    account.close()
    with pytest.raises(LookupError):
        account.control.balance()
    with pytest.raises(LookupError):
        server.account(account.name)


@settings(deadline=None, max_examples=50)
@given(name=st.text(max_size=8))
def test_names(server, name):
    """Any of letters, digits, dots, dashes and underscores, once; no other."""
    accounts = server.accounts
    fits = name.isascii() and all(one.isalnum() or one in "._-" for one in name)
    if name and (not fits or accounts.find(name) is not None):
        with pytest.raises(ValueError, match="account"):
            accounts.open(name)
        return
    made = accounts.open(name or None)
    assert accounts.named(made.name) is made
    accounts.close(made.name)


def test_there_are_not_too_many(monkeypatch):
    """A server that opens accounts for ever and closes none says so."""
    monkeypatch.setattr("facematch_mock_server.account.MAX_ACCOUNTS", 3)
    accounts = Accounts([vendor_named("didit")])
    accounts.open()
    accounts.open()
    with pytest.raises(ValueError, match="3 accounts"):
        accounts.open()
    assert MAX_ACCOUNTS == 10_000


def test_the_ids_of_an_account_repeat_with_the_seed():
    """Others than those of the first account."""
    ids = [
        [account.ids.uuid() for account in (accounts.main, accounts.open("a"), accounts.open("b"))]
        for accounts in (Accounts([vendor_named("didit")], seed=7) for _ in range(2))
    ]
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == 3


def test_a_clock_that_runs_runs_for_all():
    """The accounts of a server that runs with the machine's time do so, too."""
    server = MockServer(clock=VirtualClock(running=True))
    assert server.new_account().control.account.clock.running
    assert not MockServer().new_account().control.account.clock.running


def test_what_was_postponed_before_a_reset_never_runs_in_the_new_world(server):
    """It is answered from the old one, and nothing of it is found in the new."""
    account = server.new_account()
    account.control.add_fault(Fault(stage="after_upload", kind="delay", seconds=0.5))
    statuses = []
    calls = threading.Thread(target=lambda: statuses.append(ask(server, account.live_key)))
    old = account.control.account
    calls.start()
    while old.faults.all != ():  # until it struck
        threading.Event().wait(0.01)
    account.control.reset()
    account.control.set_outcome("match", score=99)
    calls.join(30)
    assert statuses == [200]
    assert account.control.journal() == account.control.charges() == ()
    assert account.control.sessions.all() == ()
    assert len(account.control.outcomes()) == 1


TEST = """
import sys
import requests
url, number = sys.argv[1], int(sys.argv[2])
control = url + "/__mock__/"
made = requests.post(control + "accounts", json={}, timeout=60).json()
key, mine = made["keys"]["didit"]["live"], {"X-Facematch-Account": made["account"]}
session = requests.Session()
def steer(path, **body):
    sent = session.post(control + path, json=body, headers=mine, timeout=60)
    assert sent.status_code == 200, sent.text
def call():
    files = {"user_image": ("a.png", P1), "ref_image": ("b.png", P1)}
    shown = {"x-api-key": key}
    sent = session.post(url + "/v3/face-match/", headers=shown, files=files, timeout=60)
    return sent.status_code
P1 = open(sys.argv[3], "rb").read()
for run in range(number):
    steer("reset")
    steer("ledger/balance", balance="0.10")
    steer("faults", stage="answer", kind="status", status=503)
    statuses = [call() for _ in range(4)]
    assert statuses == [503, 200, 200, 403], statuses
    ledger = session.get(control + "ledger", headers=mine, timeout=60).json()
    assert (ledger["balance"], len(ledger["entries"])) == ("0.0000", 2), ledger
session.post(control + "accounts/close", json={"account": made["account"]}, timeout=60)
"""


def test_tests_in_parallel_processes_share_one_server(server, tmp_path):
    """A hundred of them, each with faults and credit of its own: none disturbs another."""
    (tmp_path / "p1.png").write_bytes(P1)
    before = len(server.control.journal()), len(server.accounts.all)
    running = [
        subprocess.Popen(
            [sys.executable, "-c", TEST, server.url, "25", str(tmp_path / "p1.png")],
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    failures = [(one.communicate(timeout=300)[1], one.returncode) for one in running]
    assert failures == [("", 0)] * 4
    assert (len(server.control.journal()), len(server.accounts.all)) == before


def test_every_vendor_can_open_accounts():
    """A vendor that another distribution brings needs no more than its first keys."""
    for name in vendor_names():
        account = MockServer(vendor=name).new_account()
        assert account.live_key


@pytest.mark.parametrize("is_late", [False, True], ids=["at once", "postponed"])
def test_an_upload_belongs_to_the_account_that_its_head_names(server, is_late):
    """As it was then: a reset meanwhile leaves nothing of it in the new world."""
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


def test_a_fault_of_another_account_spares_the_call_for_a_token(server):
    """Whose it is, its body says; each account's own fault strikes it."""
    one, other = (server.new_account().of("deepvue") for _ in range(2))
    server.of("deepvue").control.add_fault(
        Fault(stage="mid_upload", kind="reset", path="/v1/authorize")
    )
    other.control.add_fault(Fault(stage="mid_upload", kind="reset", path="/v1/authorize"))

    def authorize(who):
        sent = {"client_id": who.client_id, "client_secret": who.live_key}
        return requests.post(server.url + "/v1/authorize", data=sent, timeout=30).status_code

    assert authorize(one) == 200
    with pytest.raises(requests.ConnectionError):
        authorize(other)
    assert authorize(other) == 200
    with pytest.raises(requests.ConnectionError):
        authorize(server.of("deepvue"))


def test_a_header_that_names_nobody_is_refused(server):
    """Neither a call nor a change goes to the first account instead."""
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


def test_a_key_names_one_account_at_all_vendors(server):
    """Nor is it the name of another one."""
    one, other = server.new_account(), server.new_account()
    one.of("deepvue").control.add_key(key="the-key-of-one")
    for text in ("the-key-of-one", one.name, one.of("azure").live_key):
        with pytest.raises(ValueError, match="another account"):
            other.control.add_key(key=text)
    with pytest.raises(ValueError, match="printable"):
        one.control.add_key(key=" no key")
    with pytest.raises(ValueError, match="another name"):
        server.new_account("the-key-of-one")


def test_a_server_that_was_stopped_sends_nothing():
    """No webhook of an account that is opened afterwards either, until it starts."""
    with MockServer() as stopped:
        pass
    account = stopped.new_account()
    hook = account.control.webhooks.add("http://127.0.0.1:9/nobody")
    account.control.webhooks.test(hook.uuid)
    assert [one.attempts for one in account.control.webhooks.deliveries()] == [()]
    with stopped:
        (delivery,) = account.control.webhooks.wait(30)
        assert len(delivery.attempts) == 1


def test_an_unknown_session_opens_no_worlds():
    """Whoever asks for it does not make ten thousand accounts larger."""
    accounts = Accounts([vendor_named("didit")])
    other = accounts.open("other")
    app = App(accounts)
    path = "/v3/session/00000000-0000-4000-8000-000000000000/decision/"
    assert app.handle(Request(method="GET", target=path, headers=KEY)).status == 404
    assert other.begun("didit") is None
