"""An exception from outside (Ctrl-C, the handler of an alarm) leaves a client that works."""

import signal
import sys
import threading

import pytest
from kit.fakes import picture
from kit.rawserver import RawServer, answer, hold, read_request, send

from facematch_core import FaceVerifier
from facematch_core.http import HttpClient, HttpRequest

#: Where a signal handler may raise: between any two steps of the code that sends.
LIBRARIES = ("facematch_core.transport", "requests", "urllib3", "http.client", "socket")
#: Every step of these counts, for a lock that is taken here and not given back is taken for good.
LOCKING = ("queue", "threading")


class Alarm(BaseException):
    """What a signal handler raises."""


class Striking:
    """Counts the steps of libraries in this thread, and raises `Alarm` at one of them."""

    def __init__(self, at=None):
        self.at = at
        self.steps = []

    def __enter__(self):
        sys.settrace(self.trace)
        return self

    def __exit__(self, *_):
        sys.settrace(None)

    def trace(self, frame, _event, _argument):
        module = frame.f_globals.get("__name__", "")
        if module.startswith(LIBRARIES + LOCKING):
            self.steps.append(module)
            if len(self.steps) - 1 == self.at:
                sys.settrace(None)
                raise Alarm
        return self.trace


def serve(connection):
    """Answer every request."""
    while True:
        connection.take_request()
        connection.give(answer(200, b'{"ok": true}'))


@pytest.fixture
def in_time():
    """Runs something in a thread of its own, and fails if that hangs."""

    def run(work):
        ended = []

        def guarded():
            try:
                ended.append(work())
            except BaseException as error:  # noqa: BLE001 - whatever it is, it did not hang
                ended.append(error)

        thread = threading.Thread(target=guarded, daemon=True)
        thread.start()
        thread.join(20)
        assert ended, "it hangs"
        return ended[0]

    return run


# A socket that was just being made when it struck is nobody's.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_client_works_after_an_interruption_anywhere(in_time):
    """Wherever it strikes, and on a new connection as on a used one: the next call is answered."""
    at = {}

    def ask(client):
        return client.send(HttpRequest(url=server.url), backend="acme", deadline_s=10.0).status

    def walked():
        client = HttpClient()
        ask(client)
        with Striking() as counted:
            ask(client)
        client.close()
        return counted.steps

    def struck():
        client = HttpClient()
        if at["used"]:
            ask(client)
        try:
            with Striking(at["step"]):
                ask(client)
        except Alarm:
            pass
        status = ask(client)
        client.close()
        return status

    with RawServer([serve]) as server:
        steps = in_time(walked)
        assert len(steps) > 100
        for number, module in enumerate(steps):
            if module in LOCKING or not number % 13:
                for used in (True, False):
                    at.update(step=number, used=used)
                    assert in_time(struck) == 200, (number, module, used)


@pytest.mark.parametrize("used", [True, False])
def test_on_sent_that_is_interrupted_sends_nothing(client, used):
    """Nor is the connection used again."""

    def on_sent():
        raise Alarm

    script = [read_request, send(answer(200)), hold] if used else [hold]
    with RawServer([script, [read_request, send(answer(200))]]) as server:
        request = HttpRequest(url=server.url)
        if used:
            assert client.send(request, backend="acme").status == 200
        with pytest.raises(Alarm):
            client.send(request, backend="acme", on_sent=on_sent)
        assert client.send(request, backend="acme").status == 200
        first, second = server.connections
        assert first.done.wait(10)
        assert (len(first.requests), len(second.requests)) == (used, 1)
        assert used or first.received == b""


class Soft(TimeoutError):
    """What the handler of an alarm raises that ends a call as a time-out would."""


@pytest.fixture
def alarm():
    """Makes a handler of SIGALRM raise `Soft`, and returns what rings it."""

    def ring(*_):
        raise Soft

    before = signal.signal(signal.SIGALRM, ring)
    yield lambda *_: signal.setitimer(signal.ITIMER_REAL, 0.05)
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def test_what_a_signal_handler_raises_passes_as_itself(client, alarm, acme):
    """While the answer is waited for, and out of a plug-in that reads it; the next call works."""
    with RawServer([[read_request, alarm, hold], [read_request, send(answer(200))]]) as server:
        with pytest.raises(Soft):
            client.send(HttpRequest(url=server.url), backend="acme")
        assert client.send(HttpRequest(url=server.url), backend="acme").status == 200

    class Rung(type(acme("http://127.0.0.1:1"))):
        def parse(self, call, reply):
            signal.raise_signal(signal.SIGALRM)

    with RawServer([[read_request, send(answer(200))], [read_request, alarm, hold]]) as server:
        for cls in (Rung, type(acme(server.url))):
            with pytest.raises(Soft):
                FaceVerifier(acme(server.url, cls=cls)).verify(picture(), picture((1, 2, 3)))
