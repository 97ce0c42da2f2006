"""The courier: over sockets, in a thread that is there only while there is something to do."""

import contextlib
import json
import socket
import threading
import time

import pytest
import requests
from kit import mock_didit as didit
from kit.mock_worlds import serving

from facematch_didit.webhooks import verify_webhook
from facematch_mock_server import MockServer, VirtualClock, card_sheet
from facematch_mock_server.vendors.didit.webhooks import WRITER
from facematch_mock_server.webhooks import WebhookWorker

P1 = card_sheet()["p1"].data
FILES = {"user_image": ("a.png", P1), "ref_image": ("b.png", P1)}


def listen(mock, url):
    """A destination; its secret."""
    return mock.control.webhooks.add(url).secret


def call(mock, **fields):
    """A saved call; its session."""
    headers = {"x-api-key": mock.live_key}
    address = f"{mock.url}/v3/face-match/"
    answer = requests.post(address, headers=headers, files=FILES, data=fields, timeout=10)
    assert answer.status_code == 200
    return answer.json()["request_id"]


def couriers():
    """How many threads there are."""
    return sum(thread.name == "facematch-mock-webhooks" for thread in threading.enumerate())


def quiet():
    """Until no courier is left."""
    for thread in threading.enumerate():
        if thread.name == "facematch-mock-webhooks":
            thread.join(10)
    return couriers()


def states(mock):
    """Of all deliveries."""
    return [one.state for one in mock.control.webhooks.deliveries()]


def test_a_call_arrives(mock, receiver):
    """Signed, with the session of the answer; then the thread is gone."""
    secret = listen(mock, receiver.url)
    session = call(mock, vendor_data="emp-0042")
    (delivery,) = mock.control.webhooks.wait()
    ((path, headers, body),) = receiver.came
    assert path == "/hook"
    event = verify_webhook(body, headers, secret, mock.control.now())
    assert (event.session_id, event.caller_ref) == (session, "emp-0042")
    assert (delivery.state, delivery.attempts[0].status) == ("delivered", 200)
    assert delivery.body == body
    assert quiet() == 0


def test_retries_come_when_the_clock_passes(mock, receiver):
    """Not a second of real time is waited for."""
    listen(mock, receiver.url)
    receiver.answers = [500, 404, 200]
    call(mock)
    for seconds, came in ((0, 1), (59, 1), (1, 2), (179, 2), (1, 3)):
        mock.control.advance(seconds)
        mock.control.webhooks.wait()
        assert len(receiver.came) == came
    assert states(mock) == ["delivered"]
    assert len({body for _, _, body in receiver.came}) == 1


def test_a_redirect_is_not_followed(mock, receiver):
    """It is final."""
    listen(mock, receiver.url)
    receiver.answers = [302]
    call(mock)
    mock.control.webhooks.wait()
    mock.control.advance(1000)
    mock.control.webhooks.wait()
    assert len(receiver.came) == 1
    assert states(mock) == ["failed"]


@pytest.fixture
def coming_up(receiver):
    """Runs a receiver on a port that somebody else keeps free."""

    @contextlib.contextmanager
    def comes_up(port):
        class Late(type(receiver)):
            def server_bind(self):
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                self.server_address = ("127.0.0.1", port)
                super().server_bind()

        with Late() as late:
            thread = threading.Thread(target=late.serve_forever, args=(0.01,))
            thread.start()
            try:
                yield late
            finally:
                late.shutdown()
                thread.join()

    return comes_up


def test_nobody_there_is_tried_again(mock, receiver, coming_up):
    """A receiver that comes up later gets it with a retry."""
    with socket.socket() as taken:
        # Nobody else gets the port meanwhile; nobody listens there, and so nobody is reached.
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        taken.bind(("127.0.0.1", 0))
        listen(mock, f"http://127.0.0.1:{taken.getsockname()[1]}/hook")
        call(mock)
        (delivery,) = mock.control.webhooks.wait()
        assert delivery.state == "pending"
        assert "ConnectionRefused" in delivery.attempts[0].problem
        assert receiver.came == []
        with coming_up(taken.getsockname()[1]) as late:
            mock.control.advance(60)
            mock.control.webhooks.wait()
            ((path, _, body),) = late.came
    assert states(mock) == ["delivered"]
    assert (path, body) == ("/hook", delivery.body)


def test_a_receiver_may_ask_the_mock(mock, receiver):
    """The server answers while a delivery is under way: a decision, say."""
    listen(mock, receiver.url)
    receiver.hold = threading.Event()
    session = call(mock)
    assert receiver.has_come.wait(10)
    address = f"{mock.url}/v3/session/{session}/decision/"
    answer = requests.get(address, headers={"x-api-key": mock.live_key}, timeout=10)
    assert answer.status_code == 200
    assert mock.control.webhooks.due() == 1
    receiver.hold.set()
    mock.control.webhooks.wait()


def test_stopping_does_not_wait_for_a_receiver(receiver):
    """What is under way is not sent, and goes out when the server starts again."""
    receiver.hold = threading.Event()
    mock = MockServer(clock=VirtualClock(didit.START)).start()
    listen(mock, receiver.url)
    call(mock)
    assert receiver.has_come.wait(10)
    began = time.monotonic()
    mock.stop()
    assert time.monotonic() - began < 4
    assert couriers() == 0
    assert states(mock) == ["pending"]
    receiver.hold.set()
    with mock:
        mock.control.webhooks.wait()
        assert states(mock) == ["delivered"]
    assert len(receiver.came) == 2


def test_without_a_socket_of_its_own(receiver):
    """In process the loopback is reached just as well."""
    mock = MockServer(clock=VirtualClock(didit.START))
    base = "https://verification.didit.me"
    with requests.Session() as session:
        session.mount(base, mock.adapter())
        session.headers["x-api-key"] = mock.live_key
        listen(mock, receiver.url)
        assert session.post(base + "/v3/face-match/", files=FILES).status_code == 200
    mock.control.webhooks.wait()
    assert states(mock) == ["delivered"]
    mock.stop()
    assert couriers() == 0


def test_a_clock_that_runs_has_a_timer(receiver):
    """The thread waits for a retry by itself; moving the clock wakes it."""
    with MockServer(clock=VirtualClock(running=True)) as mock:
        listen(mock, receiver.url)
        receiver.answers = [503]
        call(mock)
        mock.control.webhooks.wait()
        assert couriers() == 1
        receiver.has_come.clear()
        mock.control.advance(59.9)
        assert receiver.has_come.wait(10)
        mock.control.webhooks.wait()
        assert states(mock) == ["delivered"]
        assert quiet() == 0


def test_many_servers_at_once(receiver):
    """Each delivers its own; afterwards no thread is left."""
    mocks = [MockServer().start() for _ in range(100)]
    try:
        for mock in mocks:
            listen(mock, receiver.url)
        assert couriers() == 0
        for mock in mocks:
            call(mock)
        for mock in mocks:
            mock.control.webhooks.wait(30)
    finally:
        for mock in mocks:
            mock.stop()
    assert len(receiver.came) == 100
    assert couriers() == 0


def test_a_burst_arrives_whole(mock, receiver):
    """Every session once, in order."""
    listen(mock, receiver.url)
    sessions = [call(mock) for _ in range(30)]
    mock.control.webhooks.wait()
    assert [json.loads(body)["session_id"] for _, _, body in receiver.came] == sessions


def test_a_receiver_that_hangs_holds_up_nobody_else(mock, receiver):
    """Each destination is given one at a time, in order; another one need not wait for it."""
    receiver.hold = threading.Event()
    with serving(type(receiver)(), lambda: None) as other:
        listen(mock, receiver.url)
        listen(mock, other.url)
        sessions = [call(mock)]
        assert other.has_come.wait(10)
        sessions += [call(mock) for _ in range(2)]
        with pytest.raises(TimeoutError):
            mock.control.webhooks.wait(0.5)
        assert [json.loads(body)["session_id"] for _, _, body in other.came] == sessions
        assert len(receiver.came) == 1
        receiver.hold.set()
        mock.control.webhooks.wait()
        assert [json.loads(body)["session_id"] for _, _, body in receiver.came] == sessions
    assert quiet() == 0


def test_a_fault_strikes_the_first_of_two_that_leave_together(mock, receiver):
    """Whichever thread is faster; the other delivery is whole."""
    with serving(type(receiver)(), lambda: None) as other:
        for one in (receiver, other):
            listen(mock, one.url)
        mock.control.webhooks.corrupt()
        call(mock)
        deliveries = mock.control.webhooks.wait()
    assert [one.attempts[0].fault for one in deliveries] == ["corrupt", None]


def test_waiting_over_http(mock, receiver):
    """Until all is delivered, or so long; meanwhile the mock answers its receiver."""
    listen(mock, receiver.url)
    receiver.hold = threading.Event()
    call(mock)
    waiting = f"{mock.control_url}webhooks/wait"
    assert requests.post(waiting, json={"timeout_s": 0.05}, timeout=10).status_code == 504
    assert requests.post(waiting, json={"timeout_s": 61}, timeout=10).status_code == 400
    answers = []
    asking = threading.Thread(
        target=lambda: answers.append(requests.post(waiting, json={}, timeout=30).json())
    )
    asking.start()
    assert receiver.has_come.wait(10)
    assert requests.get(f"{mock.control_url}webhooks/due", timeout=5).json() == {"due": 1}
    receiver.hold.set()
    asking.join(20)
    assert [one["state"] for one in answers[0]["deliveries"]] == ["delivered"]


def test_a_reset_forgets_what_waits(mock, receiver):
    """Destinations and deliveries; a new world is told of its own."""
    listen(mock, receiver.url)
    receiver.answers = [500]
    call(mock)
    mock.control.webhooks.wait()
    mock.control.reset()
    mock.control.advance(60)
    assert mock.control.webhooks.wait() == ()
    assert len(receiver.came) == 1
    receiver.answers = []
    listen(mock, receiver.url)
    call(mock)
    assert [one.state for one in mock.control.webhooks.wait()] == ["delivered"]


def test_a_clock_that_outlives_a_world_lets_it_go():
    """A stopped courier is told of it no more."""
    clock = VirtualClock(didit.START)
    world = didit.new_world(clock=clock)
    before = len(clock._watchers)
    courier = WebhookWorker(world, WRITER)
    assert len(clock._watchers) == before + 1
    courier.stop()
    courier.stop()
    assert len(clock._watchers) == before
    courier.start()
    assert len(clock._watchers) == before + 1


def test_waiting_ends(mock, receiver):
    """With a sentence, if something stays due."""
    listen(mock, receiver.url)
    receiver.hold = threading.Event()
    call(mock)
    with pytest.raises(TimeoutError, match="1 deliveries are due"):
        mock.control.webhooks.wait(0.05)
