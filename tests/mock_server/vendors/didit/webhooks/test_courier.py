"""The courier: over sockets, in a thread that is there only while there is something to do."""

import json
import threading

import pytest
from kit import mock_didit as didit
from kit.mock_didit_webhooks import is_quiet, webhook_threads

from facematch_mock_server import MockServer, VirtualClock


def listen(mock, url):
    return mock.control.webhooks.add(url).secret


def call(mock, **fields):
    answer = didit.post_match(mock.url, mock.live_key, **fields)
    assert answer.status_code == 200
    return answer.json()["request_id"]


def states(mock):
    return [delivery.state for delivery in mock.control.webhooks.deliveries()]


def test_retries_come_when_the_clock_passes(mock, receiver):
    listen(mock, receiver.url)
    receiver.answers = [500, 404, 200]
    call(mock)
    for seconds, came in ((0, 1), (59, 1), (1, 2), (179, 2), (1, 3)):
        mock.control.advance(seconds)
        mock.control.webhooks.wait()
        assert len(receiver.came) == came
    assert states(mock) == ["delivered"]
    assert len({body for _, _, body in receiver.came}) == 1


def test_stopping_does_not_wait_for_a_receiver(receiver):
    receiver.hold = threading.Event()
    mock = MockServer(clock=VirtualClock(didit.START)).start()
    listen(mock, receiver.url)
    call(mock)
    assert receiver.has_come.wait(10)
    assert webhook_threads()
    mock.stop()
    assert states(mock) == ["pending"]
    receiver.hold.set()
    assert is_quiet()
    assert states(mock) == ["delivered"]
    with mock:
        mock.control.webhooks.wait()
    assert len(receiver.came) == 1


def test_a_clock_that_runs_has_a_timer(receiver):
    with MockServer(clock=VirtualClock(running=True)) as mock:
        listen(mock, receiver.url)
        receiver.answers = [503]
        call(mock)
        mock.control.webhooks.wait()
        # A timer waits for the next try.
        assert webhook_threads()
        receiver.has_come.clear()
        mock.control.advance(59.9)
        assert receiver.has_come.wait(10)
        mock.control.webhooks.wait()
        assert states(mock) == ["delivered"]
        assert is_quiet()


def test_a_receiver_that_hangs_holds_up_nobody_else(mock, receiver, open_receiver):
    receiver.hold = threading.Event()
    other = open_receiver()
    listen(mock, receiver.url)
    listen(mock, other.url)
    sessions = [call(mock) for _ in range(3)]
    assert all(other.arrived.acquire(timeout=10) for _ in sessions)
    assert receiver.has_come.wait(10)
    with pytest.raises(TimeoutError):
        mock.control.webhooks.wait(0.05)
    assert [json.loads(body)["session_id"] for _, _, body in other.came] == sessions
    assert len(receiver.came) == 1
    receiver.hold.set()
    mock.control.webhooks.wait()
    assert [json.loads(body)["session_id"] for _, _, body in receiver.came] == sessions
    assert is_quiet()
