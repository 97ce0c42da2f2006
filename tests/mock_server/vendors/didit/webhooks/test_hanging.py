"""Receivers that hang: they hold up nobody, and what was stopped is not delivered any more."""

import contextlib
import gc
import os
import socket
import threading
import time
import weakref
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from kit import mock_didit as didit
from kit.mock_didit_webhooks import is_quiet, with_one_due
from kit.mock_worlds import control_of
from kit.rawclient import RawClient, raw_request

from facematch_mock_server import MockServer
from facematch_mock_server.vendors.didit.webhooks import compose
from facematch_mock_server.world import webhooks
from facematch_mock_server.world.webhooks import MAX_SENDING_OF_WORLD, PostResult, WebhookWorker

#: Far below the five seconds after which a receiver is late, far above what an answer takes.
SOON_S = 2


def call(account):
    assert didit.post_match(account.url, account.live_key, timeout=SOON_S).status_code == 200


def post(mock, account, path, body):
    url, headers = mock.control_url + path, {"X-Facematch-Account": account}
    answer = requests.post(url, json=body, headers=headers, timeout=SOON_S)
    assert answer.status_code == 200


@pytest.fixture
def listener():
    """A socket that nobody accepts connections of; the system takes as many as fit."""
    with socket.create_server(("127.0.0.1", 0), backlog=1000) as listening:
        yield listening


def accept_all(listening):
    """What came on every connection that the system took, and that whoever sends has left."""
    listening.setblocking(False)
    came = []
    with contextlib.suppress(BlockingIOError):
        while True:
            connection, _ = listening.accept()
            with connection:
                connection.setblocking(False)
                came.append(connection.recv(65536))
    return came


class Hanging:
    """The address of a receiver that hangs; `begun` is set when that is certain, and `clients` are
    those that its queue is full of."""

    def __init__(self, url, begun=None, clients=()):
        self.url, self.begun, self.clients = url, begun, clients


@pytest.fixture(params=["look-up", "connect", "handshake", "answer"])
def hanging(request, listener, monkeypatch):
    """Receivers that hang in each step of a delivery."""
    port = listener.getsockname()[1]
    with contextlib.ExitStack() as stack:
        if request.param == "look-up":
            begun, go_on, look_up = threading.Event(), threading.Event(), socket.getaddrinfo

            def hang(host, *more, **named):
                if host != "receiver.test":
                    return look_up(host, *more, **named)
                begun.set()
                assert go_on.wait(20)
                raise socket.gaierror

            stack.callback(go_on.set)
            monkeypatch.setattr(socket, "getaddrinfo", hang)
            yield Hanging("http://receiver.test/hook", begun)
        elif request.param == "connect":
            listener.listen(0)
            clients = [stack.enter_context(socket.socket()) for _ in range(3)]
            for client in clients:
                client.setblocking(False)
                client.connect_ex(listener.getsockname())
            yield Hanging(f"http://127.0.0.1:{port}/hook", clients=clients)
        else:
            scheme = "https" if request.param == "handshake" else "http"
            yield Hanging(f"{scheme}://127.0.0.1:{port}/hook")


@pytest.fixture
def mock():
    with MockServer(deliver_to=["receiver.test"]) as running:
        yield running


def stop(mock, account):
    mock.stop()


def reset(mock, account):
    post(mock, account.name, "reset", {})
    assert account.control.webhooks.deliveries() == ()


def close(mock, account):
    post(mock, "main", "accounts/close", {"account": account.name})


@pytest.fixture
def under_way(mock, hanging):
    """An account one of whose deliveries hangs."""
    account = mock.new_account("first")
    account.control.webhooks.add(hanging.url)
    call(account)
    assert hanging.begun is None or hanging.begun.wait(SOON_S)
    return account


# A handshake that is cut by its receiver's end leaves an open socket behind in Python itself.
@pytest.mark.parametrize("hanging", ["look-up", "connect", "answer"], indirect=True)
@pytest.mark.parametrize("cut", [reset, close])
def test_what_is_under_way_is_cut_at_once_and_nobody_else_waits(mock, under_way, cut):
    cut(mock, under_way)
    call(mock.new_account("second"))


@pytest.mark.slow
@pytest.mark.parametrize("cut", [stop, reset, close])
def test_what_is_cut_ends_though_nobody_releases_its_receiver(
    mock, under_way, hanging, listener, cut
):
    cut(mock, under_way)
    assert is_quiet()
    if hanging.clients:
        for client in hanging.clients:
            client.close()
        assert set(accept_all(listener)) <= {b""}


def test_accounts_whose_receivers_hang_hold_up_no_other(mock, listener, receiver, monkeypatch):
    monkeypatch.setattr(webhooks, "MAX_SENDING", 64)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    for number in range(8):
        account = mock.new_account(f"hangs-{number}")
        for name in range(2 * MAX_SENDING_OF_WORLD):
            account.control.webhooks.add(f"{url}/{number}/{name}")
        call(account)
    ninth = mock.new_account("ninth")
    ninth.control.webhooks.add(receiver.url)
    call(ninth)
    assert receiver.arrived.acquire(timeout=SOON_S)
    ninth.control.webhooks.wait(SOON_S)
    mock.stop()
    assert is_quiet()
    # Each has its share and no more; what was cut before its first byte does not say whose it was.
    came = accept_all(listener)
    shares = Counter(data.split()[1].decode().split("/")[1] for data in came if data)
    assert 48 <= len(came) <= 64
    assert max(shares.values()) <= MAX_SENDING_OF_WORLD


def test_while_there_is_no_room_deliveries_wait_in_line(mock, receiver, monkeypatch):
    assert is_quiet()
    monkeypatch.setattr(webhooks, "MAX_SENDING", 2)
    receiver.hold = threading.Event()
    accounts = [mock.new_account() for _ in range(5)]
    for account in accounts:
        account.control.webhooks.add(receiver.url)
        call(account)
    assert receiver.arrived.acquire(timeout=SOON_S)
    assert receiver.arrived.acquire(timeout=SOON_S)
    assert len(receiver.came) == 2
    receiver.hold.set()
    for account in accounts:
        (delivery,) = account.control.webhooks.wait()
        assert delivery.state == "delivered"
    assert len(receiver.came) == 5


@pytest.mark.parametrize("verb", ["reset", "close", "stop"])
def test_who_waits_is_let_go_when_nothing_is_sent_any_more(mock, listener, verb):
    account = mock.new_account("first")
    account.control.webhooks.add(f"http://127.0.0.1:{listener.getsockname()[1]}/")
    call(account)
    with ThreadPoolExecutor() as pool:
        waits = pool.submit(account.control.webhooks.wait, 20)
        with pytest.raises(TimeoutError):
            waits.result(0.1)
        if verb == "stop":
            mock.stop()
        elif verb == "reset":
            account.control.reset()
        else:
            account.close()
        with pytest.raises(TimeoutError, match="reset or closed"):
            waits.result(SOON_S)


@pytest.mark.parametrize("stays", [True, False])
def test_many_who_wait_over_http_hold_up_nobody(mock, listener, stays):
    account = mock.new_account("first")
    account.control.webhooks.add(f"http://127.0.0.1:{listener.getsockname()[1]}/")
    call(account)
    threads = threading.active_count()
    headers = ("Content-Type: application/json", "X-Facematch-Account: first")
    sent = raw_request("POST", "/__mock__/webhooks/wait", *headers, body=b'{"timeout_s": 4}')
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(RawClient(mock.port)) for _ in range(100)]
        for client in clients:
            client.send(sent)
            if not stays:
                client.sock.close()
        assert requests.get(mock.control_url + "ledger", timeout=SOON_S).status_code == 200
        assert threading.active_count() < threads + 20
        if stays:
            post(mock, "first", "reset", {})
            assert {client.answer().status for client in clients} == {200}


def test_a_wait_over_http_ends_in_its_time(mock, listener):
    account = mock.new_account("first")
    account.control.webhooks.add(f"http://127.0.0.1:{listener.getsockname()[1]}/")
    call(account)
    url, headers = mock.control_url + "webhooks/wait", {"X-Facematch-Account": "first"}
    started = time.monotonic()
    answer = requests.post(url, json={"timeout_s": 0.4}, headers=headers, timeout=SOON_S)
    assert answer.status_code == 504
    assert 0.4 <= time.monotonic() - started < 10


class Stubborn:
    """Sends by no network, and goes on after it was cut."""

    def __init__(self):
        self.has_begun, self.goes_on, self.sent = threading.Event(), threading.Event(), []

    def post(self, _url, payload, _timeout_s, begin):
        self.has_begun.set()
        assert self.goes_on.wait(20)
        begin(None)
        self.sent.append(payload)
        return PostResult(status=200)

    def answer(self, _url, payload, _timeout_s, _begin):
        self.has_begun.set()
        assert self.goes_on.wait(20)
        return PostResult(status=200)


@pytest.mark.parametrize("step", ["post", "answer"])
def test_after_a_stop_nothing_leaves_and_no_answer_counts(step):
    engine, sends = with_one_due(), Stubborn()
    worker = WebhookWorker(engine.world, compose, getattr(sends, step))
    worker.start()
    assert sends.has_begun.wait(SOON_S)
    worker.stop()
    sends.goes_on.set()
    assert is_quiet()
    (delivery,) = control_of(engine.world).webhooks.deliveries()
    assert (sends.sent, delivery.state, delivery.attempts) == ([], "pending", ())


def test_what_began_before_a_stop_is_sent_anew_after_a_start_that_follows_at_once():
    engine, sends = with_one_due(), Stubborn()
    states = []

    def post(*arguments):
        states.append(len(states))
        return sends.answer(*arguments) if len(states) == 1 else PostResult(status=204)

    worker = WebhookWorker(engine.world, compose, post)
    worker.start()
    assert sends.has_begun.wait(SOON_S)
    worker.stop()
    worker.start()
    (delivery,) = control_of(engine.world).webhooks.wait()
    assert [attempt.status for attempt in delivery.attempts] == [204]
    assert len(states) == 2
    sends.goes_on.set()
    worker.stop()
    assert is_quiet()


def test_faults_and_order_outlast_a_stop(carry):
    engine = with_one_due()
    engine.handle(didit.match_request())
    control = control_of(engine.world).webhooks
    control.drop()
    first, second = (delivery.id for delivery in control.deliveries())
    sends = Stubborn()
    control.corrupt()
    worker = WebhookWorker(engine.world, compose, sends.answer)
    worker.start()
    assert sends.has_begun.wait(SOON_S)
    worker.stop()
    sends.goes_on.set()
    assert is_quiet()
    carry(engine)
    faults = {delivery.id: delivery.attempts[0].fault for delivery in control.deliveries()}
    assert faults == {first: "drop", second: "corrupt"}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_the_child_of_a_fork_sends_by_a_thread_of_its_own(mock, receiver):
    receiver.hold = threading.Event()
    control = mock.control.webhooks
    control.add(receiver.url)
    call(mock)
    assert receiver.arrived.acquire(timeout=SOON_S)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            # What the parent has under way is due again here.
            mock.control.advance(1)
            (delivery,) = control.wait(10)
            code = 0 if delivery.state == "delivered" else 2
        finally:
            os._exit(code)
    assert receiver.arrived.acquire(timeout=10)
    receiver.hold.set()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    (delivery,) = control.wait()
    assert (delivery.state, len(delivery.attempts)) == ("delivered", 1)
    assert len(receiver.came) == 2


def test_a_world_that_was_reset_is_held_by_nobody(mock, receiver):
    account = mock.new_account()
    account.control.webhooks.add(receiver.url)
    call(account)
    account.control.webhooks.wait()
    world = weakref.ref(mock.accounts.get(account.name).world("didit"))
    post(mock, account.name, "reset", {})
    assert is_quiet()
    gc.collect()
    assert world() is None
