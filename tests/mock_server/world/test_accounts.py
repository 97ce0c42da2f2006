"""Accounts of one server: an action in one account reaches no other."""

import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import attrs
import pytest
import requests
from kit.mock_world import P1, control_request, request_to
from kit.rawclient import RawClient, raw_request
from vendors import regula
from vendors.didit import MATCH_PATH, match_request

from facematch_mock_server import Fault, MockServer
from facematch_mock_server.vendors import vendor_named, vendor_names
from facematch_mock_server.world.accounts import ACCOUNT_HEADER
from facematch_mock_server.world.keys import Key, KeyKind

VENDORS = ["didit"] + [name for name in vendor_names() if name != "didit"]
#: The vendors that have keys.
KEYED = [name for name in VENDORS if vendor_named(name).first_keys]


@pytest.fixture(scope="module")
def server():
    """One server of all vendors for all tests here, as a container is."""
    with MockServer(vendor=VENDORS) as running:
        yield running


def ask(server, key):
    """Return the status of a face match."""
    return server.app.handle(match_request(P1, P1, key=key)).status


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
    server.app.handle(request_to(MATCH_PATH, key="wrong", x_facematch_account=account.name))
    assert [call.key for call in account.control.journal()] == ["live", "sandbox", "wrong"]
    assert other.control.journal() == ()


def test_vendor_without_keys_knows_an_account_by_its_header(server):
    account = server.new_account()
    request = regula.get_request("/api/healthz")
    assert server.app.handle(request).status == 200
    assert account.control.journal() == ()
    headers = (*request.headers, (ACCOUNT_HEADER.lower(), account.name))
    assert server.app.handle(attrs.evolve(request, headers=headers)).status == 200
    assert [call.path for call in account.control.journal()] == ["/api/healthz"]


def test_fault_at_connect_is_refused_for_all_but_the_first_account(server):
    """No account is known before a request."""
    account = server.new_account()
    with pytest.raises(ValueError, match="only the first account"):
        account.control.add_fault(Fault(stage="connect", kind="reset"))
    assert account.control.faults() == ()
    server.control.add_fault(Fault(stage="connect", kind="reset"))
    server.control.clear_faults()


def test_the_control_api_takes_an_account_by_name_or_key(server):
    account = server.new_account()
    body = {"balance": "7"}
    for request in (
        control_request("ledger/balance", body, x_facematch_account=account.name),
        control_request(f"ledger/balance?key={account.live_key}", body),
    ):
        assert server.app.handle(request).status == 200
        assert account.control.balance() == 7
        account.control.set_balance(8)
    assert server.control.balance() != 7
    listed = server.app.handle(control_request("accounts")).json()["accounts"]
    assert account.name in [row["name"] for row in listed]


def test_an_unknown_account_in_a_header_is_refused(server):
    before = len(server.control.journal())
    for path in ("/v3/face-match/", "/__mock__/reset"):
        for name in ("nobody", ""):
            headers = {"x-api-key": server.live_key, ACCOUNT_HEADER: name}
            assert requests.post(server.url + path, headers=headers, timeout=30).status_code == 404
    assert len(server.control.journal()) == before


def test_a_closed_account_is_gone_and_its_name_and_keys_are_free():
    mock = MockServer()
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
    mock = MockServer()
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
    with pytest.raises(ValueError, match="first account"):
        MockServer().account("main").close()


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
    request = match_request(P1, P1, key=account.live_key)
    lines = [f"{name}: {value}" for name, value in request.headers if name != "host"]
    lines += ["Expect: 100-continue", f"Content-Length: {len(request.body)}"]
    with RawClient(server.port) as client:
        client.send(raw_request("POST", request.path, *lines))
        # The head is read.
        assert client.head().startswith(b"HTTP/1.1 100")
        account.control.reset()
        client.send(request.body)
        assert client.answer().status == 200
    assert account.control.charges() == account.control.journal() == ()
    assert server.account(account.name).control.sessions.all() == ()
