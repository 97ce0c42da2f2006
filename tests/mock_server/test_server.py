"""`MockServer` as tests use it: its life, its keys, its worlds, and ordinary HTTP clients."""

import datetime as dt
import threading

import pytest
import requests
from kit.mock_world import START, new_engine, request_to
from vendors.didit import post_match

from facematch_mock_server import MockServer, VirtualClock
from facematch_mock_server.http.server import THREAD


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "mock.lan"])
def test_non_loopback_host_requires_a_token_or_no_control_api(host):
    with pytest.raises(ValueError, match="set a control_token, or pass control=False"):
        MockServer(host=host)
    for settings in ({"control_token": "long-enough"}, {"control": False}):
        assert MockServer(host=host, **settings).world.account.shared.is_open


def test_webhooks_may_go_to_a_host_by_its_name_or_its_address():
    hosts = ["Web", "web_1.lan", "10.0.0.7", "fd00::7"]
    webhooks = MockServer(vendor="didit", deliver_to=hosts).control.webhooks
    for host in ("web:8000", "web_1.lan", "10.0.0.7:80", "[fd00::7]:8000"):
        assert webhooks.add(f"http://{host}/hook").url == f"http://{host}/hook"


@pytest.mark.parametrize("host", ["", "a b", "http://web/", "web/hook", "web:80", "[::1]", "wéb"])
def test_a_host_of_deliver_to_is_a_name_or_an_address(host):
    with pytest.raises(ValueError, match="of deliver_to"):
        MockServer(deliver_to=[host])


@pytest.mark.parametrize(
    ("vendor", "path", "name"),
    [
        ("didit", "/v3/sessions/", "apx.didit.me"),
        ("didit", "/__media__/x/y", "verification.didit.me"),
        ("azure", "/face/v1.2/detect", "shop.cognitiveservices.azure.com"),
        ("rekognition", "/", "rekognition.eu-west-1.amazonaws.com"),
        ("compreface", "/api/v1/verification/verify", "localhost"),
    ],
)
def test_dns_rebinding_host_is_rejected(vendor, path, name):
    """A page in a browser can have any name point to the loopback."""
    engine = new_engine(vendor=vendor)
    for host in ("evil.example:8080", f"{name}.evil.example"):
        assert b"loopback name" in engine.handle(request_to(path, host=host)).body
    for host in (name, "127.0.0.1:8080"):
        assert b"loopback name" not in engine.handle(request_to(path, host=host)).body


def test_server_can_be_started_and_stopped_repeatedly():
    mock = MockServer()
    mock.stop()
    assert mock.start() is mock
    port = mock.start().port
    assert mock.port == port
    assert post_match(mock.url, mock.live_key).status_code == 200
    with requests.Session() as session:
        session.get(mock.url, timeout=10)
        mock.stop()
        mock.stop()
        with pytest.raises(requests.ConnectionError):
            session.get(f"http://127.0.0.1:{port}/", timeout=10)
    with pytest.raises(RuntimeError):
        _ = mock.url


@pytest.mark.parametrize(
    ("target", "size", "is_slow"),
    [
        ("/v3/face-match/", 40_000, False),
        ("/v3/sessions/", 0, False),
        ("/v3/face-match/", 8_000_000, True),
        ("/__mock__/journal?limit=10000", 0, True),
        ("/__mock__/webhooks/wait", 10, True),
        ("/__mock__/reset", 2, True),
    ],
)
def test_slow_requests_run_outside_the_event_loop_thread(target, size, is_slow):
    """Of a list, a reset, a wait, and a picture that takes long to decode."""
    threads = set()
    server = MockServer()
    handle = server.app.handle

    def note_thread(request):
        threads.add(threading.current_thread().name)
        return handle(request)

    server.app.handle = note_thread
    with server:
        method = "POST" if size else "GET"
        requests.request(method, server.url + target, data=b"x" * size, timeout=20)
    assert len(threads) == 1
    assert (THREAD in threads) is not is_slow


def test_clock_of_a_server_runs_until_it_is_frozen():
    server = MockServer()
    control = server.control
    # Two readings in a row may be in the same microsecond.
    shown = [control.now() for _ in range(5000)]
    assert shown == sorted(shown)
    assert shown[0] < shown[-1] <= dt.datetime.now(dt.UTC)
    assert server.new_account().control.now() <= dt.datetime.now(dt.UTC)
    assert control.advance(60) > dt.datetime.now(dt.UTC)
    frozen = control.freeze()
    assert control.now() == frozen
    assert control.advance(1) == frozen + dt.timedelta(seconds=1)
    control.reset()
    assert control.now() == frozen + dt.timedelta(seconds=1)


def test_clock_that_stands_still_moves_only_by_advance():
    control = MockServer(clock=VirtualClock(START)).control
    assert control.freeze() == control.now() == START
    assert control.advance(5) == START + dt.timedelta(seconds=5)


def test_a_running_clock_is_as_fast_as_the_machines():
    began = dt.datetime.now(dt.UTC)
    clock = VirtualClock(running=True)
    shown = [clock.now() for _ in range(5000)]
    assert began <= shown[0] <= shown[-1] <= dt.datetime.now(dt.UTC)
