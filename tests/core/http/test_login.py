"""`LoginToken`: how often a vendor is logged in to, what a failed login costs, and deadlines."""

import contextlib
import functools
import itertools
import math
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

import attrs
import pytest
import requests
from kit.acme import AcmeBackend
from kit.fakes import child_says_yes, match_call, together
from kit.marks import forks_beside_threads, needs_fork
from kit.scripted import ScriptedAdapter

import facematch_core as fm
from facematch_core import Charged
from facematch_core.base.deadline import NO_DEADLINE
from facematch_core.http import ErrorRow, HttpRequest, IssuedToken, LoginToken, login

#: Backends with the same login share a token, so each test has a client of its own.
CLIENTS = itertools.count(1)


@attrs.frozen(kw_only=True)
class TokenBackend(AcmeBackend):
    """Its vendor takes the token in the query, and refuses with 200, a login as well."""

    client_id: str
    environment: fm.Environment | None = None
    codes_in_200 = True
    error_codes: ClassVar = {
        "invalid_client": ErrorRow(fm.AuthenticationFailed, Charged.YES, "?", "a wrong key"),
        "110": ErrorRow(fm.AuthenticationFailed, Charged.NO, "its page", "an old token"),
    }

    @functools.cached_property
    def login_token(self):
        fields = {"client_id": self.client_id, "client_secret": self.api_key}
        login = HttpRequest(url=f"{self.service_url}/oauth/token", fields=fields, charges=0)
        return LoginToken(backend=self, request=login, read=self.read_login)

    def read_login(self, reply):
        body = reply.json()
        life = body["expires_in"]
        return IssuedToken(body["access_token"], math.inf if life == "never" else life)

    def sign(self, http_request, request, *, deadline=NO_DEADLINE):
        token = self.login_token.get(request, deadline)
        return attrs.evolve(http_request, params={"access_token": token})

    def should_relogin(self, http_request, reply):
        if reply.at("error_code") != 110:
            return False
        self.login_token.forget(http_request)
        return True

    def error_code(self, reply):
        return reply.at("error_code") or reply.at("error")


def issued(token, lasts_s):
    return 200, {"access_token": token, "expires_in": lasts_s}


class Vendor(ScriptedAdapter):
    """Answers in this process, by path."""

    def __init__(self):
        super().__init__(self.answer)
        self.client_id = f"client-{next(CLIENTS)}"
        self.lasts_s = 3600
        #: Answers to logins, in turn, in place of a token.
        self.logins = []
        self.tokens = []
        self.calls = [(200, {"same": True})]
        self.before_login = lambda: None
        self.lock = threading.Lock()

    def answer(self, request):
        if not request.path_url.startswith("/oauth/"):
            return self.calls.pop(0) if len(self.calls) > 1 else self.calls[0]
        self.before_login()
        with self.lock:
            if self.logins:
                return self.logins.pop(0)
            self.tokens.append(f"token-{len(self.tokens) + 1}-3c5e7a")
        return issued(self.tokens[-1], self.lasts_s)

    @property
    def paths(self):
        return [request.path_url for request in self.seen]


@pytest.fixture
def vendor():
    return Vendor()


@pytest.fixture
def open_backend(vendor, acme, clock):
    def opened(**settings):
        settings = {"client_id": vendor.client_id} | settings
        backend = acme("https://acme.example", cls=TokenBackend, allow_base_url=True, **settings)
        backend.client.mount("https://", vendor)
        backend.client.clock = clock
        return backend

    return opened


def call_of(token):
    return f"/compare?access_token={token}"


@pytest.mark.parametrize(
    ("lasts_s", "used_s"), [(3600, 3300), (400, 200), (86400.5, 86100.5), ("never", 1e9)]
)
def test_token_is_used_until_five_minutes_or_half_its_life_before_it_expires(
    open_backend, vendor, clock, lasts_s, used_s
):
    vendor.lasts_s = lasts_s
    backend = open_backend()
    for passes_s, logins in ((0, 1), (used_s - 0.1, 1), (0.1, 1 if lasts_s == "never" else 2)):
        clock.advance(passes_s)
        assert backend.match(match_call()).is_match
        assert len(vendor.tokens) == logins


def test_backends_of_one_account_share_the_token(open_backend, vendor):
    for _ in range(2):
        open_backend().match(match_call())
    assert len(vendor.tokens) == 1
    open_backend(client_id="somebody else").match(match_call())
    open_backend(api_key=fm.Secret("another-key")).match(match_call())
    assert len(vendor.tokens) == 3


def test_rejected_token_is_renewed_once(open_backend, vendor):
    refusal = (200, {"error_code": 110})
    vendor.calls = [refusal, (200, {"same": True})]
    assert open_backend().match(match_call()).is_match
    assert vendor.paths[1::2] == [call_of(token) for token in vendor.tokens]
    vendor.calls = [refusal]
    with pytest.raises(fm.AuthenticationFailed) as caught:
        open_backend().match(match_call())
    assert caught.value.billing.charged is Charged.NO
    assert len(vendor.tokens) == 3


def test_closed_token_is_shared_no_more(open_backend, vendor):
    backend = open_backend()
    backend.match(match_call())
    backend.login_token.close()
    backend.match(match_call())
    open_backend().match(match_call())
    assert len(vendor.tokens) == 3


def test_older_token_does_not_end_the_newer_one(open_backend, vendor):
    backend = open_backend()
    backend.match(match_call())
    old = HttpRequest(url="https://acme.example", params={"t": fm.Secret("another-token")})
    backend.login_token.forget(old)
    backend.match(match_call())
    assert len(vendor.tokens) == 1


@pytest.mark.parametrize(
    ("answer", "error_class", "retryable"),
    [
        # The table of the calls says that this costs something: not of a login.
        ((200, {"error": "invalid_client"}), fm.AuthenticationFailed, False),
        ((429, {}), fm.RateLimited, True),
        ((502, b"<html>"), fm.VendorUnavailable, True),
        (requests.ConnectionError("reset"), fm.VendorUnavailable, True),
        ((200, {"expires_in": 60}), fm.UnexpectedResponse, False),
        ((200, b"no JSON"), fm.UnexpectedResponse, False),
        (issued(7, 60), fm.UnexpectedResponse, False),
        (issued("", 60), fm.UnexpectedResponse, False),
        (issued("two\nlines", 60), fm.UnexpectedResponse, False),
        (issued("token", "60"), fm.UnexpectedResponse, False),
        (issued("token", True), fm.UnexpectedResponse, False),
    ],
)
def test_failed_login_is_free_and_sends_no_picture(
    open_backend, vendor, answer, error_class, retryable
):
    vendor.logins = [answer]
    backend = open_backend()
    with pytest.raises(fm.VendorError) as caught:
        backend.match(match_call())
    error = caught.value
    assert (type(error), error.retryable) == (error_class, retryable)
    assert (error.billing.charged, error.backend) == (Charged.NO, "acme")
    assert error.status_code == (answer[0] if isinstance(answer, tuple) else None)
    assert vendor.paths == ["/oauth/token"]
    assert backend.match(match_call()).is_match


@pytest.mark.parametrize(("takes_s", "retryable"), [(1, True), (10, False)])
def test_lost_login_may_be_tried_again_unless_its_deadline_has_passed(
    open_backend, vendor, clock, takes_s, retryable
):
    vendor.logins = [requests.ReadTimeout("slow")]
    vendor.before_login = lambda: clock.advance(takes_s)
    backend = open_backend()
    with pytest.raises(fm.VendorUnavailable) as caught:
        backend.match(match_call(deadline_s=5.0, clock=clock))
    assert (caught.value.retryable, caught.value.billing.charged) == (retryable, Charged.NO)
    assert "Such a request is free." in str(caught.value)
    assert vendor.paths == ["/oauth/token"]


@contextlib.contextmanager
def slow_login(vendor, ask):
    """Begin a call whose login lasts until the block ends; give the future of its answer."""
    is_begun = threading.Event()
    may_end = threading.Event()
    vendor.before_login = lambda: (is_begun.set(), may_end.wait(30))
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(ask)
        assert is_begun.wait(30)
        yield future
        may_end.set()


def test_wait_for_another_threads_login_ends_at_the_deadline(open_backend, vendor):
    backend = open_backend()
    with slow_login(vendor, lambda: backend.match(match_call())) as first_call:
        started_s = time.monotonic()
        with pytest.raises(fm.VendorUnavailable) as caught:
            backend.match(match_call(deadline_s=0.05))
        assert time.monotonic() - started_s < 5
        assert (caught.value.billing.charged, caught.value.retryable) == (Charged.NO, False)
    assert first_call.result(timeout=30).is_match
    assert len(vendor.tokens) == 1


def test_hasty_login_does_not_fail_the_threads_that_wait(open_backend, vendor, clock):
    vendor.logins = [(503, {})]
    backend = open_backend()
    hasty = match_call(deadline_s=5.0, clock=clock)
    with ThreadPoolExecutor(1) as pool:
        with slow_login(vendor, lambda: backend.match(hasty)) as hasty_call:
            patient = pool.submit(backend.match, match_call())
            vendor.before_login = lambda: None
            clock.advance(6)
        assert isinstance(hasty_call.exception(timeout=30), fm.VendorUnavailable)
        assert patient.result(timeout=30).is_match


def test_no_picture_follows_the_login_at_a_server_that_is_not_the_expected_mock(
    open_backend, vendor
):
    backend = open_backend(environment=fm.Environment.MOCK)
    with pytest.raises(fm.EnvironmentMismatch) as caught:
        backend.match(match_call())
    assert caught.value.billing.charged is Charged.NO
    assert vendor.paths == ["/oauth/token"]


def test_no_login_is_sent_to_a_vendor_in_place_of_a_mock():
    backend = TokenBackend(
        base_url="https://127.0.0.1:1", client_id="somebody", environment=fm.Environment.MOCK
    )
    real = HttpRequest(url="https://login.acme.example/token", charges=0)
    login_token = LoginToken(backend=backend, request=real, read=backend.read_login)
    with pytest.raises(fm.EnvironmentMismatch) as caught:
        login_token.get(match_call())
    assert caught.value.billing.charged is Charged.NO


def test_64_threads_share_one_failed_login(open_backend, vendor, monkeypatch):
    waiting = threading.Semaphore(0)

    class Counted(threading.Event):
        def wait(self, timeout=None):
            waiting.release()
            return super().wait(timeout)

    class Login(login._Login):  # noqa: SLF001 - waits are counted
        def __init__(self):
            super().__init__()
            self.end_event = Counted()

    monkeypatch.setattr(login, "_Login", Login)
    vendor.before_login = lambda: [waiting.acquire(timeout=30) for _ in range(63)]
    vendor.logins = [(401, {"error": "invalid_client"})]
    backend = open_backend()
    errors = together(64, lambda: backend.match(match_call()))
    assert {type(error) for error in errors} == {fm.AuthenticationFailed}
    assert len({id(error) for error in errors}) == 64
    assert len({error.ids.call for error in errors}) == 64
    assert vendor.paths == ["/oauth/token"]


@needs_fork
@forks_beside_threads
def test_forked_child_logs_in_itself_during_a_login_of_its_parent(open_backend, vendor):
    backend = open_backend()
    with slow_login(vendor, lambda: backend.match(match_call())):
        vendor.before_login = lambda: None
        assert child_says_yes(lambda: backend.match(match_call(deadline_s=10.0)).is_match)


def test_next_call_logs_in_after_ctrl_c(open_backend, vendor):
    backend = open_backend()
    vendor.logins = [KeyboardInterrupt()]
    with pytest.raises(KeyboardInterrupt):
        backend.match(match_call())
    assert backend.match(match_call(deadline_s=5.0)).is_match


def test_token_is_in_no_repr_and_no_error(open_backend, vendor):
    backend = open_backend()
    backend.match(match_call())
    (token,) = vendor.tokens
    vendor.calls = [(200, {"error_code": 7, "error": f"no {token}"})]
    with pytest.raises(fm.VendorError) as caught:
        backend.match(match_call())
    text_forms = f"{backend!r} {backend.login_token!r} {caught.value} {vars(caught.value)}"
    assert token not in text_forms
