"""Accounts of one server: an action in one account reaches no other."""

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
import requests
from kit.mock_didit import post_match

from facematch_mock_server import Fault, MockServer, make_card
from facematch_mock_server.vendors import vendor_named, vendor_names
from facematch_mock_server.world.accounts import ACCOUNT_HEADER
from facematch_mock_server.world.keys import Key, KeyKind

P1 = make_card("p1")
FILES = {"user_image": ("a.png", P1), "ref_image": ("b.png", P1)}
VENDORS = ("didit", *(name for name in vendor_names() if name != "didit"))
#: The vendors that have keys.
KEYED = [name for name in VENDORS if vendor_named(name).first_keys]


@pytest.fixture(scope="module")
def server():
    """One server of all vendors for all tests here, as a container is."""
    with MockServer(vendor=VENDORS) as running:
        yield running


def ask(server, key):
    """Return the status of a face match."""
    return post_match(server.url, key, timeout=30).status_code


def test_each_account_has_keys_for_every_vendor(server):
    first, other = server.new_account(), server.new_account()
    for vendor in KEYED:
        mine, theirs = first.of(vendor), other.of(vendor)
        assert mine.live_key != theirs.live_key
        kinds = {key.kind for key in vendor_named(vendor).first_keys.values()}
        assert (mine.sandbox_key is None) == (KeyKind.SANDBOX not in kinds)
        assert server.account(mine.live_key).name == first.name
        assert server.account(server.of(vendor).live_key).name == "main"
    assert ask(server, first.live_key) == ask(server, first.sandbox_key) == 200
    headers = {"x-api-key": "wrong", ACCOUNT_HEADER: first.name}
    requests.get(f"{server.url}/v3/sessions/", headers=headers, timeout=30)
    assert [call.key for call in first.control.journal()] == ["live", "sandbox", "wrong"]
    assert other.control.journal() == ()


def test_vendor_without_keys_knows_an_account_by_its_header(server):
    account = server.new_account()
    url = f"{server.url}/api/healthz"
    assert requests.get(url, headers={ACCOUNT_HEADER: account.name}, timeout=30).ok
    assert [call.path for call in account.control.journal()] == ["/api/healthz"]
    assert requests.get(url, timeout=30).ok
    assert len(account.control.journal()) == 1


def test_the_control_api_takes_an_account_by_name_or_key(server):
    account = server.new_account()
    url, header = f"{server.control_url}ledger/balance", {ACCOUNT_HEADER: account.name}
    for named in ({"headers": header}, {"params": {"key": account.live_key}}):
        assert requests.post(url, json={"balance": "7"}, timeout=30, **named).ok
        assert account.control.balance() == 7
        account.control.set_balance(8)
    assert server.control.balance() != 7
    listed = requests.get(f"{server.control_url}accounts", timeout=30).json()["accounts"]
    assert account.name in [row["name"] for row in listed]


def test_an_unknown_account_in_a_header_is_refused(server):
    before = len(server.control.journal())
    for path in ("/v3/face-match/", "/__mock__/reset"):
        for name in ("nobody", ""):
            headers = {"x-api-key": server.live_key, ACCOUNT_HEADER: name}
            files = FILES if "v3" in path else None
            sent = requests.post(server.url + path, headers=headers, files=files, timeout=30)
            assert sent.status_code == 404
    assert len(server.control.journal()) == before


def test_a_closed_account_is_gone_and_its_name_and_keys_are_free():
    with MockServer() as mock:
        old = mock.new_account("shop")
        old.control.add_key(key="shop-key-12345")
        control, world = old.control, old.control.world
        old.close()
        assert ask(mock, "shop-key-12345") == 401
        assert [entry.key for entry in mock.control.journal()] == ["wrong"]
        with pytest.raises(LookupError):
            world.add_key("late-key", Key(kind="live"))
        new = mock.new_account("shop")
        new.control.add_key(key="shop-key-12345")
        for change in (lambda: control.set_balance(1), control.journal, old.close):
            with pytest.raises(LookupError):
                change()
        assert ask(mock, "shop-key-12345") == 200
        assert new.control.balance() == Decimal("99.95")
        assert mock.control.accounts() == ("main", "shop")
        with pytest.raises(ValueError, match="first account"):
            mock.account("main").close()


def test_a_name_or_key_of_another_account_is_refused_without_repeating_it(server):
    first, other = server.new_account(), server.new_account()
    first.of("deepvue").control.add_key(key="the-key-of-one")
    for text in ("the-key-of-one", first.name, first.of("azure").live_key):
        with pytest.raises(ValueError, match="another account"):
            other.control.add_key(key=text)
    # A refused pair leaves neither half behind.
    pair = {"key": "half-of-a-pair", "client": other.of("deepvue").client_id}
    with pytest.raises(ValueError, match="another account"):
        first.of("deepvue").control.add_key(**pair)
    assert other.of("deepvue").control.add_key(**pair) == "half-of-a-pair"
    with pytest.raises(ValueError, match="printable"):
        first.control.add_key(key=" no key")
    key = first.live_key
    for error, act in ((ValueError, server.new_account), (LookupError, server.of)):
        with pytest.raises(error) as raised:
            act(key)
        assert key[:30] not in str(raised.value)


@pytest.mark.parametrize("name", ["", "a b", "x" * 101, "é"])
def test_invalid_account_name_is_rejected(server, name):
    with pytest.raises(ValueError, match="letters, digits"):
        server.new_account(name)


def test_more_accounts_than_the_limit_are_refused(server, monkeypatch):
    monkeypatch.setattr("facematch_mock_server.world.accounts.MAX_ACCOUNTS", 1)
    with pytest.raises(ValueError, match="close some"):
        server.new_account()


@pytest.mark.parametrize("end", ["close", "reset"])
def test_slow_webhook_shutdown_blocks_no_other_account(end, monkeypatch):
    with MockServer() as mock:
        account, stopping, go_on = mock.new_account(), threading.Event(), threading.Event()

        def stop(*, is_running):
            stopping.set()
            assert go_on.wait(30)

        monkeypatch.setattr(account.control.world.outbox, "run", stop)
        with ThreadPoolExecutor(1) as pool:
            ending = pool.submit(getattr(account if end == "close" else account.control, end))
            assert stopping.wait(30)
            other = mock.new_account()
            assert ask(mock, other.live_key) == 200
            other.control.reset()
            other.close()
            go_on.set()
            ending.result(30)


@pytest.mark.parametrize("is_late", [False, True], ids=["at once", "postponed"])
def test_upload_begun_before_a_reset_does_not_affect_the_new_state(server, is_late):
    account = server.new_account()
    if is_late:
        account.control.add_fault(Fault(stage="after_upload", kind="delay", seconds=0.01))
    sent = {"headers": {"x-api-key": account.live_key}, "files": FILES}
    form = requests.Request("POST", server.url + "/v3/face-match/", **sent).prepare()
    lines = [f"POST {form.path_url} HTTP/1.1", f"Host: 127.0.0.1:{server.port}"]
    lines += [f"{name}: {value}" for name, value in form.headers.items()]
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as line:
        line.sendall("\r\n".join([*lines, "Expect: 100-continue", "", ""]).encode())
        assert line.recv(100).startswith(b"HTTP/1.1 100")  # the head is read
        account.control.reset()
        line.sendall(form.body)
        assert line.recv(100).startswith(b"HTTP/1.1 200")
    assert account.control.charges() == account.control.journal() == ()
    assert server.account(account.name).control.sessions.all() == ()
