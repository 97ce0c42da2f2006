"""Logins: their number, threads, forks, deadlines and failures."""

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from kit.fakes import picture, together

import facematch_core as fm
from facematch_deepvue import tokens

LOGIN, MATCH = "/v1/authorize", "/v1/facematch"
TOO_LATE = (403, {"detail": "Not a valid token"})
WRONG = {"detail": "Invalid client_id or client_secret, access Denied"}


def token_of(request):
    return request.headers["Authorization"].removeprefix("Bearer ")


def test_token_is_renewed_five_minutes_early(open_backend, deepvue, clock, make_call):
    deepvue.life = {"expires_in": 3600}
    backend = open_backend()
    backend.match(make_call())
    clock.advance(3299.9)
    backend.match(make_call())
    assert len(deepvue.tokens) == 1
    clock.advance(0.1)
    backend.match(make_call())
    assert len(deepvue.tokens) == 2
    assert token_of(deepvue.requests_to(MATCH)[-1]) == deepvue.tokens[1]


@pytest.mark.parametrize("status", [401, 403])
def test_refused_token_is_renewed_once(open_backend, deepvue, make_call, status):
    backend = open_backend()
    backend.match(make_call())
    deepvue.set_answers(MATCH, (status, TOO_LATE[1]), (200, {"data": {"match": True}}))
    sent = []
    assert backend.match(make_call(on_sent=lambda: sent.append(1))).is_match
    assert sent == [1]
    assert len(deepvue.requests_to(LOGIN)) == 2
    before, after = deepvue.requests_to(MATCH)[-2:]
    assert [token_of(before), token_of(after)] == deepvue.tokens
    assert after.body.count(b'name="file_a"') == 1


def test_403_in_html_renews_the_token_for_the_next_call(open_backend, deepvue, make_call):
    body = b"<html>No</html>"
    deepvue.set_answers(MATCH, (403, body))
    backend = open_backend()
    with pytest.raises(fm.PermissionDenied):
        backend.match(make_call())
    assert len(deepvue.requests_to(MATCH)) == len(deepvue.requests_to(LOGIN)) == 1
    deepvue.set_answers(MATCH, (200, {"data": {"match": True}}))
    backend.match(make_call())
    deepvue.set_answers(MATCH, (401, body), (200, {"data": {"match": True}}))
    assert backend.match(make_call()).is_match
    assert len(deepvue.requests_to(LOGIN)) == 3
    assert token_of(deepvue.requests_to(MATCH)[-1]) == deepvue.tokens[2]


FAILURES = [
    (401, WRONG, fm.AuthenticationFailed),
    (403, {"message": "Authorization failure"}, fm.AuthenticationFailed),
    (403, {"detail": "No"}, fm.PermissionDenied),
    (422, {"detail": [{"loc": ["client_id"], "msg": "required"}]}, fm.RequestRejected),
    (429, {"detail": "Rate limit exceeded. Please retry after some time."}, fm.RateLimited),
    (500, {"detail": "Internal Server Error"}, fm.VendorUnavailable),
    (502, b"<html>Bad Gateway</html>", fm.VendorUnavailable),
    (308, {}, fm.RequestRejected),
    (200, b"no json", fm.UnexpectedResponse),
    (200, {"access_token": "two words"}, fm.UnexpectedResponse),
    (200, {"access_token": "good", "token_type": "mac"}, fm.UnexpectedResponse),
    (0, requests.ConnectionError("reset"), fm.VendorUnavailable),
]


@pytest.mark.parametrize(("status", "body", "kind"), FAILURES)
def test_failed_login_sends_no_picture_and_is_free(open_backend, deepvue, status, body, kind):
    deepvue.set_answers(LOGIN, (status, body) if status else body)
    events = []
    verifier = fm.FaceVerifier(open_backend(), on_event=events.append)
    with pytest.raises(fm.VendorError) as caught:
        verifier.verify(picture(), picture((1, 2, 3)))
    error = caught.value
    assert type(error) is kind
    assert (error.billing.charged, error.backend) == (fm.Charged.NO, "deepvue")
    assert error.call is None
    assert error.ids.call == events[0].call_id
    assert error.status_code == (status or None)
    assert [event.kind for event in events] == [fm.EventKind.STARTED, fm.EventKind.REFUSED]
    assert len(deepvue.seen) == 1


@pytest.mark.parametrize(("logins", "sent"), [((6,), 0), ((0, 6), 1)])
def test_deadline_includes_the_logins(  # noqa: PLR0917 - fixtures and parameters
    open_backend, deepvue, clock, make_call, logins, sent
):
    logins = iter(logins)
    deepvue.before_login = lambda: clock.advance(next(logins))
    deepvue.set_answers(MATCH, TOO_LATE)
    with pytest.raises(fm.VendorUnavailable) as caught:
        open_backend().match(make_call(deadline_s=5.0, clock=clock))
    assert caught.value.billing.charged is fm.Charged.NO
    assert len(deepvue.requests_to(MATCH)) == sent


def test_64_threads_share_one_failed_login(open_backend, deepvue, make_call, monkeypatch):

    waiting = threading.Semaphore(0)

    class Counted(threading.Event):
        def wait(self, timeout=None):
            waiting.release()
            return super().wait(timeout)

    class Login(tokens.Login):
        def __init__(self):
            super().__init__()
            self.has_ended = Counted()

    monkeypatch.setattr(tokens, "Login", Login)
    deepvue.before_login = lambda: [waiting.acquire(timeout=30) for _ in range(63)]
    deepvue.set_answers(LOGIN, (401, WRONG))
    backend = open_backend()
    errors = together(64, lambda: backend.match(make_call()))
    assert {type(error) for error in errors} == {fm.AuthenticationFailed}
    assert len({id(error) for error in errors}) == 64
    assert len({error.ids.call for error in errors}) == 64
    assert len(deepvue.requests_to(LOGIN)) == 1


@contextlib.contextmanager
def slow_login(deepvue, ask):
    """Begin a call whose login waits until the block ends."""
    entered, go = threading.Event(), threading.Event()
    deepvue.before_login = lambda: (entered.set(), go.wait(30))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(ask)
        assert entered.wait(30)
        yield
        go.set()
        assert waiting.result(timeout=30).is_match


def test_short_deadline_leaves_the_login_to_others(open_backend, deepvue, make_call):
    backend = open_backend()
    with slow_login(deepvue, lambda: backend.match(make_call())):
        with pytest.raises(fm.VendorUnavailable) as caught:
            backend.match(make_call(deadline_s=0.05))
        assert not caught.value.retryable
    assert len(deepvue.requests_to(LOGIN)) == 1


def test_next_call_logs_in_after_ctrl_c(open_backend, deepvue, make_call):
    backend = open_backend()
    deepvue.set_answers(LOGIN, KeyboardInterrupt(), (200, {"access_token": "token-2"}))
    with pytest.raises(KeyboardInterrupt):
        backend.match(make_call())
    assert backend.match(make_call(deadline_s=5.0)).is_match


def test_mock_environment_sends_no_picture_after_a_real_login(open_backend, deepvue, make_call):
    backend = open_backend(environment=fm.Environment.MOCK)
    with pytest.raises(fm.EnvironmentMismatch) as caught:
        backend.match(make_call())
    assert caught.value.billing.charged is fm.Charged.NO
    assert deepvue.requests_to(MATCH) == []


def test_next_call_logs_in_after_a_timeout(open_backend, deepvue, clock, make_call):
    entered, go = threading.Event(), threading.Event()

    def late():
        entered.set()
        go.wait(30)
        clock.advance(6)
        deepvue.before_login = lambda: None

    deepvue.before_login = late
    deepvue.set_answers(LOGIN, (500, b""), (200, {"access_token": "token-2"}))
    backend = open_backend()
    with ThreadPoolExecutor(2) as pool:
        hasty = pool.submit(backend.match, make_call(deadline_s=5.0, clock=clock))
        assert entered.wait(30)
        patient = pool.submit(backend.match, make_call())
        go.set()
        assert isinstance(hasty.exception(timeout=30), fm.VendorUnavailable)
        assert patient.result(timeout=30).is_match
