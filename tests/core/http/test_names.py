"""Looking up a name cannot be ended: it keeps nobody beyond the end of a call."""

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from kit.fakes import PROBE, REFERENCE
from kit.rawserver import http_reply, one_each

import facematch_core as fm
from facematch_core.base.deadline import SystemClock

#: No wait of a test is longer.
LIMIT_S = 30


class NameServer:
    """In the place of the system's: each look-up of a name waits until `answers` is set."""

    def __init__(self, look_up):
        self._look_up = look_up
        self.answers = threading.Event()
        self.addresses = "127.0.0.1"
        self.names = []
        self.callers = set()

    def __call__(self, host, *arguments, **options):
        if options.get("flags", 0) & socket.AI_NUMERICHOST:
            return self._look_up(host, *arguments, **options)
        self.names.append(host)
        if not host.endswith(".example"):
            return self._look_up(host, *arguments, **options)
        self.callers.add(threading.current_thread())
        assert self.answers.wait(LIMIT_S)
        if self.addresses is None:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return self._look_up(self.addresses, *arguments, **options)

    def wait_for(self, count):
        """Wait until so many look-ups have begun."""
        limit = time.monotonic() + LIMIT_S
        while len(self.names) < count and time.monotonic() < limit:
            time.sleep(0.01)
        assert len(self.names) == count


@pytest.fixture
def silent(monkeypatch):
    """A name server that does not answer."""
    server = NameServer(socket.getaddrinfo)
    monkeypatch.setattr(socket, "getaddrinfo", server)
    yield server
    server.answers.set()
    for thread in server.callers - {threading.current_thread()}:
        thread.join(LIMIT_S)
        assert not thread.is_alive()


@pytest.fixture
def named(acme):
    """A backend whose vendor has a name."""
    return lambda host="vendor.example", port=80, **settings: acme(
        f"http://{host}:{port}", allow_base_url=True, allow_insecure=True, **settings
    )


def took(work):
    """How long something takes, and what it raises."""
    start = time.monotonic()
    with pytest.raises(fm.VendorUnavailable) as caught:
        work()
    return time.monotonic() - start, caught.value


def test_each_caller_gets_a_separate_error_for_an_unknown_host(silent, named):
    verifier = fm.FaceVerifier(named())
    silent.addresses = None
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(took, lambda: verifier.verify(PROBE, REFERENCE)) for _ in range(4)]
        silent.wait_for(1)
        silent.answers.set()
        failures = [future.result(LIMIT_S)[1] for future in waiting]
    assert len(set(map(id, failures))) == 4
    assert all(error.retryable for error in failures)


def test_connect_timeout_limits_the_dns_lookup_without_a_deadline(silent, named):
    wait_s, error = took(
        lambda: fm.FaceVerifier(named(connect_timeout_s=0.1)).verify(PROBE, REFERENCE)
    )
    assert wait_s < 10
    assert (error.billing.charged, error.retryable) == (fm.Charged.NO, True)


def test_deadline_limits_the_dns_lookup_of_a_proxy(silent, acme):
    for base_url in ("https://vendor.example", "http://vendor.example"):
        backend = acme(
            base_url, allow_base_url=True, allow_insecure=True, proxy="http://proxy.example:3128"
        )
        # On a busy machine a short deadline is over before the look-up.
        for deadline_s in (0.1, 1, 5):
            verifier = fm.FaceVerifier(backend, deadline_s=deadline_s)
            wait_s, error = took(lambda v=verifier: v.verify(PROBE, REFERENCE))
            assert wait_s < 10 + deadline_s
            assert error.retryable is False
            if silent.names:
                break
    assert set(silent.names) == {"proxy.example"}


class BlackHole(socket.socket):
    """A socket to which no address but 127.0.0.1 answers: its timeout passes at once."""

    #: What all of them would have waited.
    waited_s = 0.0

    def connect(self, address):
        if address[0] == "127.0.0.1":
            return super().connect(address)
        BlackHole.waited_s += self.gettimeout()
        raise TimeoutError


@pytest.fixture
def many_addresses(monkeypatch):
    """A name with these addresses, in this order."""
    look_up = socket.getaddrinfo
    monkeypatch.setattr(BlackHole, "waited_s", 0.0)
    monkeypatch.setattr(
        SystemClock, "monotonic", lambda _clock: time.monotonic() + BlackHole.waited_s
    )

    def name(*addresses):
        def found(host, port, *_, flags=0, **options):
            if flags & socket.AI_NUMERICHOST or host != "vendor.example":
                return look_up(host, port, *_, flags=flags, **options)
            return [line for each in addresses for line in look_up(each, port, **options)]

        monkeypatch.setattr(socket, "getaddrinfo", found)
        monkeypatch.setattr(socket, "socket", BlackHole)

    return name


def test_connect_timeout_is_for_all_addresses_of_a_name(many_addresses, named):
    many_addresses(*[f"127.0.0.{number}" for number in range(2, 22)])
    _, error = took(lambda: fm.FaceVerifier(named(connect_timeout_s=30)).verify(PROBE, REFERENCE))
    assert 0 < BlackHole.waited_s <= 30
    assert (error.billing.charged, error.retryable) == (fm.Charged.NO, True)


def test_dead_addresses_leave_time_for_a_later_one(many_addresses, ask, open_client):
    many_addresses("127.0.0.2", "127.0.0.3", "127.0.0.1")
    with one_each(http_reply(200)) as server:
        url = f"http://vendor.example:{server.port}/"
        outcome = ask(url, http_client=open_client(connect_timeout_s=30))
    assert outcome.reply.status == 200
    assert BlackHole.waited_s > 0


@pytest.mark.parametrize("host", ["vendor..example", f"{'x' * 64}.example"])
def test_invalid_host_name_is_reported_as_not_found(named, host):
    with pytest.raises(fm.VendorUnavailable) as caught:
        fm.FaceVerifier(named(host)).verify(PROBE, REFERENCE)
    assert caught.value.billing.charged is fm.Charged.NO
    assert "name was not found" in str(caught.value)
