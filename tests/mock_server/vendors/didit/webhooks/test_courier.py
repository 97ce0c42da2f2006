"""Deliveries over sockets, by threads that run only while something is due."""

import json
import threading

import pytest
import requests
from kit.mock_webhooks import is_quiet, webhook_threads
from kit.mock_world import START
from kit.rawserver import RawServer, dribble, http_reply, read_request, send
from vendors import didit

from facematch_mock_server import MockServer, VirtualClock
from facematch_mock_server.world import webhooks
from facematch_mock_server.world.outgoing import may_send
from facematch_mock_server.world.webhooks import SignedPayload


class Receiver(RawServer):
    """Answers 200, or what `answers` says next, once `hold` is set, if there is one."""

    def __init__(self):
        super().__init__([self.answer])
        self.answers, self.hold, self.arrived = [], None, threading.Semaphore(0)

    def answer(self, connection):
        connection.take_request()
        self.arrived.release()
        if self.hold is not None:
            self.hold.wait(60)
        status = self.answers.pop(0) if self.answers else 200
        connection.give(http_reply(status, b"", f"Location: {self.url}"))

    def __exit__(self, *error):
        if self.hold is not None:
            self.hold.set()
        super().__exit__(*error)

    @property
    def bodies(self):
        return [request.partition(b"\r\n\r\n")[2] for request in self.requests]

    @property
    def sessions(self):
        return [json.loads(body)["session_id"] for body in self.bodies]


@pytest.fixture
def receiver():
    with Receiver() as opened:
        yield opened


#: The same fixture under a second name: a test that takes both has two receivers.
other = receiver


def call(mock, **fields):
    answer = didit.post_match(mock.url, mock.live_key, **fields)
    assert answer.status_code == 200
    return answer.json()["request_id"]


def states(mock):
    return [delivery.state for delivery in mock.control.webhooks.deliveries()]


def test_webhook_is_retried_when_the_virtual_clock_advances(mock, receiver):
    mock.control.webhooks.add(receiver.url)
    receiver.answers = [500, 404, 200]
    call(mock)
    for seconds, came in ((0, 1), (59, 1), (1, 2), (179, 2), (1, 3)):
        mock.control.advance(seconds)
        mock.control.webhooks.wait()
        assert len(receiver.requests) == came
    assert states(mock) == ["delivered"]
    assert len({*receiver.bodies}) == 1


def test_stopping_does_not_wait_for_a_receiver(receiver):
    # Those of an earlier test have ended.
    assert is_quiet()
    receiver.hold = threading.Event()
    mock = MockServer(clock=VirtualClock(START)).start()
    mock.control.webhooks.add(receiver.url)
    call(mock)
    assert receiver.arrived.acquire(timeout=10)
    assert [thread.daemon for thread in webhook_threads()] == [True, True]
    mock.stop()
    assert states(mock) == ["pending"]
    receiver.hold.set()
    assert is_quiet()
    assert states(mock) == ["delivered"]
    with mock:
        mock.control.webhooks.wait()
    assert len(receiver.requests) == 1


def test_running_clock_retries_webhooks_by_a_timer(receiver):
    with MockServer(clock=VirtualClock(running=True)) as mock:
        mock.control.webhooks.add(receiver.url)
        receiver.answers = [503]
        call(mock)
        mock.control.webhooks.wait()
        # A timer waits for the next try.
        assert webhook_threads()
        assert receiver.arrived.acquire(timeout=10)
        mock.control.advance(59.9)
        assert receiver.arrived.acquire(timeout=10)
        mock.control.webhooks.wait()
        assert states(mock) == ["delivered"]
        assert is_quiet()


def test_hanging_receiver_does_not_delay_other_receivers(mock, receiver, other):
    receiver.hold = threading.Event()
    mock.control.webhooks.add(receiver.url)
    mock.control.webhooks.add(other.url)
    sessions = [call(mock) for _ in range(3)]
    assert all(other.arrived.acquire(timeout=10) for _ in sessions)
    assert receiver.arrived.acquire(timeout=10)
    with pytest.raises(TimeoutError):
        mock.control.webhooks.wait(0.05)
    url = f"{mock.url}/__mock__/webhooks/wait"
    assert requests.post(url, json={"timeout_s": 0}, timeout=10).status_code == 504
    assert other.sessions == sessions
    assert len(receiver.requests) == 1
    receiver.hold.set()
    mock.control.webhooks.wait()
    assert receiver.sessions == sessions
    assert is_quiet()


LETTER = SignedPayload(headers=(("Content-Type", "application/json"),), body=b"{}")


@pytest.mark.parametrize("status", [204, 302, 404, 500])
def test_post_returns_the_status_and_follows_no_redirect(receiver, status):
    receiver.answers = [status]
    assert webhooks.post(receiver.url, LETTER, timeout_s=5).status == status
    assert len(receiver.requests) == 1


@pytest.mark.parametrize(
    ("start", "drop", "status"),
    [
        (b"HTTP/1.1 ", b" ", None),
        (b"HTTP/1.1 200 OK\r\nX: ", b"y", None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", b"z", 200),
        (b"HTTP/1.0 200 OK\r\n\r\n", b"z", 200),
    ],
    ids=["status line", "head", "body", "body until the end of the connection"],
)
def test_slowly_dripping_receiver_is_cut_off_at_the_deadline(start, drop, status):
    # The head has to arrive in time, which takes longer on a busy machine.
    for timeout_s in (0.1, 1, 10):
        with RawServer([read_request, send(start), dribble(drop * 10_000, 0.02)]) as server:
            answer = webhooks.post(f"{server.url}hook?x=1", LETTER, timeout_s=timeout_s)
        if answer.status == status:
            break
    assert answer.status == status
    assert answer.problem == (None if status else "timeout")
    assert 0.85 * timeout_s <= answer.elapsed_ms / 1000 < 60


def test_receiver_that_reads_nothing_is_cut_off_at_the_deadline():
    letter = SignedPayload(headers=(), body=b"x" * 50_000_000)
    with RawServer([lambda connection: connection.stopping.wait(120)]) as server:
        answer = webhooks.post(server.url, letter, timeout_s=0.1)
    assert (answer.status, answer.problem) == (None, "timeout")
    assert answer.elapsed_ms < 60_000


HERE = (
    "http://127.0.0.1:8000/hook",
    "http://127.9.8.7/hook?x=1",
    "https://localhost/hook",
    "http://[::1]:8000/hook",
    "http://LOCALHOST:1/",
)
#: What looks like the loopback, and what no client could use.
NOT_HERE = (
    "https://example.com/hook",
    "http://127.0.0.1@example.com/hook",
    "http://example.com\\@127.0.0.1/hook",
    "http://10.0.0.1/",
    "http://example.com#127.0.0.1",
    "http://127.0.0.1.example.com/",
    "http://0.0.0.0:80/",
    "http://2130706433/",
    "http://localhost.example.com/",
    "ftp://127.0.0.1/",
    "http:///hook",
    "http://127.0.0.1:99999/",
    "http://127.0.0.1/\r\nX: y",
)


@pytest.mark.parametrize("urls", [HERE, NOT_HERE], ids=["here", "not here"])
def test_only_genuine_loopback_urls_are_allowed(urls):
    assert [url for url in urls if may_send(url, ()) is not (urls is HERE)] == []


def test_held_deliveries_are_sent_one_by_one_in_any_order_and_again(mock, receiver):
    webhooks = mock.control.webhooks
    destination = webhooks.add(receiver.url, held=True)
    sessions = [call(mock), call(mock), call(mock)]
    assert [each.session_id for each in webhooks.wait()] == sessions
    assert receiver.requests == []
    oldest, _, newest = webhooks.deliveries()
    receiver.answers = [200, 503]
    sent = [webhooks.deliver(each.id) for each in (newest, oldest, newest)]
    assert receiver.sessions == [sessions[2], sessions[0], sessions[2]]
    assert [each.attempts[-1].status for each in sent] == [200, 503, 200]
    assert states(mock) == ["pending", "pending", "delivered"]
    webhooks.change(destination.uuid, held=False)
    mock.control.advance(60)
    webhooks.wait()
    assert receiver.sessions[3:] == [sessions[1], sessions[0]]


def test_delivery_that_a_test_sends_is_signed_now(mock, receiver):
    mock.control.webhooks.add(receiver.url, held=True)
    call(mock)
    (delivery,) = mock.control.webhooks.deliveries()
    mock.control.advance(7200)
    mock.control.webhooks.deliver(delivery.id)
    head, _, _ = receiver.requests[0].partition(b"\r\n\r\n")
    assert f"X-Timestamp: {int(mock.control.now().timestamp())}".encode() in head


def test_delivery_of_a_removed_destination_cannot_be_sent(mock, receiver):
    destination = mock.control.webhooks.add(receiver.url, held=True)
    call(mock)
    (delivery,) = mock.control.webhooks.deliveries()
    mock.control.webhooks.remove(destination.uuid)
    for delivery_id in (delivery.id, "unknown"):
        with pytest.raises(LookupError):
            mock.control.webhooks.deliver(delivery_id)
    with pytest.raises(ValueError, match="held must be true or false"):
        mock.control.webhooks.add(receiver.url, held="yes")
