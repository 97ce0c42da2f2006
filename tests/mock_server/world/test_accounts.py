"""Accounts of one server: an action in one account reaches no other."""

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
import requests
from kit.mock_didit import P1, post_match

from facematch_mock_server import Fault, MockServer
from facematch_mock_server.vendors import vendor_named, vendor_names
from facematch_mock_server.world.accounts import ACCOUNT_HEADER
from facematch_mock_server.world.keys import Key, KeyKind

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
    account = server.new_account()
    other = server.new_account()
    for vendor in KEYED:
        keys = account.of(vendor)
        assert keys.live_key != other.of(vendor).live_key
        kinds = {key.kind for key in vendor_named(vendor).first_keys.values()}
        assert (keys.sandbox_key is None) == (KeyKind.SANDBOX not in kinds)
        assert server.account(keys.live_key).name == account.name
        assert server.account(server.of(vendor).live_key).name == "main"


def test_calls_are_in_the_journal_of_the_account_of_their_key(server):
    account = server.new_account()
    other = server.new_account()
    assert ask(server, account.live_key) == ask(server, account.sandbox_key) == 200
    headers = {"x-api-key": "wrong", ACCOUNT_HEADER: account.name}
    requests.get(f"{server.url}/v3/sessions/", headers=headers, timeout=30)
    assert [call.key for call in account.control.journal()] == ["live", "sandbox", "wrong"]
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
    url = f"{server.control_url}ledger/balance"
    for named in (
        {"headers": {ACCOUNT_HEADER: account.name}},
        {"params": {"key": account.live_key}},
    ):
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
        old.close()
        assert ask(mock, "shop-key-12345") == 401
        assert [entry.key for entry in mock.control.journal()] == ["wrong"]
        new = mock.new_account("shop")
        new.control.add_key(key="shop-key-12345")
        assert ask(mock, "shop-key-12345") == 200
        assert new.control.balance() == Decimal("99.95")
        assert mock.control.accounts() == ("main", "shop")


def test_a_closed_account_cannot_be_used_even_if_its_name_is_used_again():
    with MockServer() as mock:
        closed = mock.new_account("shop")
        control = closed.control
        world = control.world
        closed.close()
        mock.new_account("shop")
        for use in (
            lambda: world.add_key("late-key", Key(kind="live")),
            lambda: control.set_balance(1),
            control.journal,
            closed.close,
        ):
            with pytest.raises(LookupError):
                use()


def test_the_first_account_cannot_be_closed():
    with MockServer() as mock, pytest.raises(ValueError, match="first account"):
        mock.account("main").close()


def test_a_name_or_key_of_another_account_is_refused(server):
    account = server.new_account()
    other = server.new_account()
    account.of("deepvue").control.add_key(key="the-key-of-one")
    for text in ("the-key-of-one", account.name, account.of("azure").live_key):
        with pytest.raises(ValueError, match="another account"):
            other.control.add_key(key=text)


def test_a_refused_pair_of_key_and_client_leaves_neither_half_behind(server):
    other = server.new_account().of("deepvue")
    pair = {"key": "half-of-a-pair", "client": other.client_id}
    with pytest.raises(ValueError, match="another account"):
        server.new_account().of("deepvue").control.add_key(**pair)
    assert other.control.add_key(**pair) == "half-of-a-pair"


def test_error_about_a_key_in_the_place_of_a_name_does_not_repeat_it(server):
    key = server.new_account().live_key
    with pytest.raises(ValueError) as refused:
        server.new_account(key)
    assert key[:30] not in str(refused.value)
    with pytest.raises(LookupError) as unknown:
        server.of(key)
    assert key[:30] not in str(unknown.value)


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
        account = mock.new_account()
        stopping = threading.Event()
        go_on = threading.Event()

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
    url = f"{server.url}/v3/face-match/"
    headers = {"x-api-key": account.live_key}
    form = requests.Request("POST", url, headers=headers, files=FILES).prepare()
    head = f"POST {form.path_url} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n"
    for name, value in form.headers.items():
        head += f"{name}: {value}\r\n"
    head += "Expect: 100-continue\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(head.encode())
        # The head is read.
        assert connection.recv(100).startswith(b"HTTP/1.1 100")
        account.control.reset()
        connection.sendall(form.body)
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
    assert account.control.charges() == account.control.journal() == ()
    assert server.account(account.name).control.sessions.all() == ()
