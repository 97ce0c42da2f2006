"""Logging in: when, how often, by how many threads, and what its failures say."""

import contextlib
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from kit.fakes import picture, together

import facematch_core as fm
from facematch_deepvue import DeepvueBackend, tokens

LOGIN, MATCH = "/v1/authorize", "/v1/facematch"
TOO_LATE = (403, {"detail": "Not a valid token"})
WRONG = {"detail": "Invalid client_id or client_secret, access Denied"}


def token_of(request):
    return request.headers["Authorization"].removeprefix("Bearer ")


def test_one_login_for_many_calls(open_backend, deepvue, make_call):
    """The token is kept, sent with every call, and the key beside it."""
    backend = open_backend()
    for _ in range(3):
        backend.match(make_call())
    assert len(deepvue.asked(LOGIN)) == 1
    calls = deepvue.asked(MATCH)
    assert {token_of(request) for request in calls} == set(deepvue.tokens)
    assert {request.headers["x-api-key"] for request in calls} == {"deepvue-secret-77f0c2"}


def test_the_form_of_a_login(open_backend, deepvue, make_call):
    """Urlencoded, and nothing of it in a header or in the address."""
    open_backend().match(make_call())
    (login,) = deepvue.asked(LOGIN)
    assert login.method == "POST"
    assert login.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert login.body == "client_id=deepvue-client-91ab&client_secret=deepvue-secret-77f0c2"
    assert not {"Authorization", "x-api-key"} & set(login.headers)


def test_a_token_is_left_five_minutes_early(open_backend, deepvue, clock, make_call):
    """A picture that takes its time must not arrive with a token that has ended."""
    deepvue.life = {"expires_in": 3600}
    backend = open_backend()
    backend.match(make_call())
    clock.advance(3299.9)
    backend.match(make_call())
    assert len(deepvue.tokens) == 1
    clock.advance(0.1)
    backend.match(make_call())
    assert len(deepvue.tokens) == 2
    assert token_of(deepvue.asked(MATCH)[-1]) == deepvue.tokens[1]


def test_a_token_that_is_over_serves_its_call(open_backend, deepvue, make_call):
    """By a clock that goes wrong every token is over: each call then logs in, and works."""
    deepvue.life = {"expiry": "2001-01-01T00:00:00Z"}
    backend = open_backend()
    for _ in range(2):
        assert backend.match(make_call()).is_match
    assert len(deepvue.tokens) == 2


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_token_is_replaced_once(open_backend, deepvue, make_call, status):
    """The call is repeated with a new token; one call, one charge, one first byte."""
    backend = open_backend()
    backend.match(make_call())
    deepvue.answers(MATCH, (status, TOO_LATE[1]), (200, {"data": {"match": True}}))
    sent = []
    assert backend.match(make_call(on_sent=lambda: sent.append(1))).is_match
    assert sent == [1]
    assert len(deepvue.asked(LOGIN)) == 2
    before, after = deepvue.asked(MATCH)[-2:]
    assert [token_of(before), token_of(after)] == deepvue.tokens
    assert after.body.count(b'name="file_a"') == 1


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (TOO_LATE, fm.AuthenticationFailed),
        ((403, {"detail": "This product is not enabled"}), fm.PermissionDenied),
        ((401, {"detail": "Not authenticated"}), fm.AuthenticationFailed),
    ],
)
def test_refused_twice_is_refused(open_backend, deepvue, make_call, reply, error):
    """No third time; not charged, and not worth a repeat."""
    deepvue.answers(MATCH, reply)
    with pytest.raises(error) as caught:
        open_backend().match(make_call())
    assert (caught.value.billing.charged, caught.value.retryable) == (fm.Charged.NO, False)
    assert len(deepvue.asked(MATCH)) == 2
    assert len(deepvue.asked(LOGIN)) == 2


@pytest.mark.parametrize("body", [b"<html>Forbidden</html>", b"", b"[]"])
def test_the_refusal_of_a_gateway_is_none_of_the_token(open_backend, deepvue, make_call, body):
    """It is not sent again, for a new token would hardly help; but the next call fetches one."""
    deepvue.answers(MATCH, (403, body))
    backend = open_backend()
    with pytest.raises(fm.PermissionDenied):
        backend.match(make_call())
    assert len(deepvue.asked(MATCH)) == len(deepvue.asked(LOGIN)) == 1
    deepvue.answers(MATCH, (200, {"data": {"match": True}}))
    assert backend.match(make_call()).is_match
    assert len(deepvue.asked(LOGIN)) == 2


@pytest.mark.parametrize("body", [b"<html>Unauthorized</html>", b"", b"[]"])
def test_a_401_of_any_form_is_of_the_token(open_backend, deepvue, make_call, body):
    """A token that was withdrawn is never kept, whoever says so."""
    backend = open_backend()
    backend.match(make_call())
    deepvue.answers(MATCH, (401, body), (200, {"data": {"match": True}}))
    assert backend.match(make_call()).is_match
    assert len(deepvue.asked(LOGIN)) == 2
    assert token_of(deepvue.asked(MATCH)[-1]) == deepvue.tokens[1]


FAILURES = [
    (401, WRONG, fm.AuthenticationFailed),
    (400, {"detail": "Inactive client_id"}, fm.AuthenticationFailed),
    (400, {"detail": "Bad Request"}, fm.RequestRejected),
    (403, {"message": "Authorization failure"}, fm.AuthenticationFailed),
    (403, {"detail": "No"}, fm.PermissionDenied),
    (
        422,
        {"detail": [{"loc": ["body", "client_id"], "msg": "field required"}]},
        fm.RequestRejected,
    ),
    (429, {"detail": "Rate limit exceeded. Please retry after some time."}, fm.RateLimited),
    (500, {"detail": "Internal Server Error"}, fm.VendorUnavailable),
    (502, b"<html>Bad Gateway</html>", fm.VendorUnavailable),
    (503, b"", fm.VendorUnavailable),
    (300, b"", fm.RequestRejected),
    (302, b"", fm.RequestRejected),
    (303, b"<html>", fm.RequestRejected),
    (308, {}, fm.RequestRejected),
    (204, b"", fm.UnexpectedResponse),
    (299, b"", fm.UnexpectedResponse),
    (200, b"no json", fm.UnexpectedResponse),
    (200, {}, fm.UnexpectedResponse),
    (200, {"access_token": None}, fm.UnexpectedResponse),
    (200, {"access_token": "two words"}, fm.UnexpectedResponse),
    (200, {"access_token": "x" * 8193}, fm.UnexpectedResponse),
    (200, {"access_token": "good", "token_type": "mac"}, fm.UnexpectedResponse),
    (0, requests.ConnectionError("reset"), fm.VendorUnavailable),
    (0, requests.ReadTimeout("slow"), fm.VendorUnavailable),
    (0, requests.ConnectTimeout("slow"), fm.VendorUnavailable),
]


@pytest.mark.parametrize(("status", "body", "kind"), FAILURES)
def test_a_login_that_fails(open_backend, deepvue, status, body, kind):
    """One error that says it was the login; no picture is sent, nothing charged or repeated."""
    deepvue.answers(LOGIN, (status, body))
    events = []
    verifier = fm.FaceVerifier(open_backend(), on_event=events.append)
    with pytest.raises(fm.VendorError, match="The login failed") as caught:
        verifier.verify(picture(), picture((1, 2, 3)))
    error = caught.value
    assert type(error) is kind
    assert (error.billing.charged, error.backend) == (fm.Charged.NO, "deepvue")
    assert error.call is None
    assert error.ids.call == events[0].call_id
    assert error.status_code == (status or None)
    assert [event.kind for event in events] == [fm.EventKind.STARTED, fm.EventKind.REFUSED]
    assert len(deepvue.seen) == 1


@pytest.mark.parametrize("kind", ["Bearer", "bearer", None])
def test_the_type_of_a_token(open_backend, deepvue, make_call, kind):
    """In capitals or not, told or not."""
    deepvue.life = {} if kind is None else {"token_type": kind}
    assert open_backend().match(make_call()).is_match


def test_the_second_login_may_fail(open_backend, deepvue):
    """The call had been sent and refused: its first byte was told, and nothing is charged."""
    deepvue.answers(LOGIN, (200, {"access_token": "token-1"}), (401, WRONG))
    deepvue.answers(MATCH, TOO_LATE)
    events = []
    verifier = fm.FaceVerifier(open_backend(), on_event=events.append)
    with pytest.raises(fm.AuthenticationFailed, match="The login failed") as caught:
        verifier.verify(picture(), picture((1, 2, 3)))
    assert caught.value.billing.charged is fm.Charged.NO
    assert [event.kind for event in events] == [
        fm.EventKind.STARTED,
        fm.EventKind.SENT,
        fm.EventKind.REFUSED,
    ]


def test_the_deadline_holds_for_login_and_call(open_backend, deepvue, clock, make_call):
    """A login that takes all the time leaves none for the call, which is not sent."""
    deepvue.before_login = lambda: clock.advance(6)
    with pytest.raises(fm.VendorUnavailable) as caught:
        open_backend().match(make_call(deadline_s=5.0))
    assert caught.value.billing.charged is fm.Charged.NO
    assert deepvue.asked(MATCH) == []


def test_the_deadline_holds_for_the_repetition(open_backend, deepvue, clock, make_call):
    """The time is that of one call, not of each sending."""
    logins = iter((0, 6))
    deepvue.before_login = lambda: clock.advance(next(logins))
    deepvue.answers(MATCH, TOO_LATE)
    with pytest.raises(fm.VendorUnavailable) as caught:
        open_backend().match(make_call(deadline_s=5.0))
    assert caught.value.billing.charged is fm.Charged.NO
    assert len(deepvue.asked(MATCH)) == 1


def test_64_threads_log_in_once(open_backend, deepvue, make_call):
    """All wait for the one login, and all use its token."""
    backend = open_backend()
    results = together(64, lambda: backend.match(make_call()))
    assert all(result.is_match for result in results)
    assert len(deepvue.asked(LOGIN)) == 1


def test_64_threads_replace_a_refused_token_once(open_backend, deepvue, make_call):
    """Those that are refused later find the new one."""
    backend = open_backend()
    backend.match(make_call())
    old = deepvue.tokens[0]
    answered = deepvue.send

    def send(request, **more):
        response = answered(request, **more)
        if request.headers.get("Authorization") == f"Bearer {old}":
            response.status_code = 403
        return response

    deepvue.send = send
    results = together(64, lambda: backend.match(make_call()))
    assert all(result.is_match for result in results)
    assert len(deepvue.asked(LOGIN)) == 2


def test_64_threads_fail_with_one_login(open_backend, deepvue, make_call, monkeypatch):
    """A login that failed is not tried again by each who waited; each has an error of its own."""
    waiting = threading.Semaphore(0)

    class Counted(threading.Event):
        def wait(self, timeout=None):
            waiting.release()
            return super().wait(timeout)

    class Flight(tokens.Flight):
        def __init__(self):
            super().__init__()
            self.over = Counted()

    monkeypatch.setattr(tokens, "Flight", Flight)
    deepvue.before_login = lambda: [waiting.acquire(timeout=30) for _ in range(63)]
    deepvue.answers(LOGIN, (401, WRONG))
    backend = open_backend()
    errors = together(64, lambda: backend.match(make_call()))
    assert {type(error) for error in errors} == {fm.AuthenticationFailed}
    assert len({id(error) for error in errors}) == 64
    assert len({error.ids.call for error in errors}) == 64
    assert len(deepvue.asked(LOGIN)) == 1


@contextlib.contextmanager
def slow_login(deepvue, ask):
    """A call whose login has begun; in the end it goes on, and the call is answered."""
    entered, go = threading.Event(), threading.Event()
    deepvue.before_login = lambda: (entered.set(), go.wait(30))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(ask)
        assert entered.wait(30)
        yield
        go.set()
        assert waiting.result(timeout=30).is_match


def test_a_short_deadline_is_ones_own(open_backend, deepvue, make_call):
    """Who has no time for the login does not spoil it for those who wait."""
    backend = open_backend()
    with slow_login(deepvue, lambda: backend.match(make_call())):
        with pytest.raises(fm.VendorUnavailable, match="deadline") as caught:
            backend.match(make_call(deadline_s=0.05))
        assert not caught.value.retryable
    assert len(deepvue.asked(LOGIN)) == 1


def test_a_login_that_ran_out_of_its_callers_time(open_backend, deepvue, clock, make_call):
    """The next one who needs a token logs in anew."""
    entered, go = threading.Event(), threading.Event()

    def late():
        entered.set()
        go.wait(30)
        clock.advance(6)
        deepvue.before_login = lambda: None

    deepvue.before_login = late
    deepvue.answers(LOGIN, (500, b""), (200, {"access_token": "token-2"}))
    backend = open_backend()
    with ThreadPoolExecutor(2) as pool:
        hasty = pool.submit(backend.match, make_call(deadline_s=5.0))
        assert entered.wait(30)
        patient = pool.submit(backend.match, make_call())
        go.set()
        assert isinstance(hasty.exception(timeout=30), fm.VendorUnavailable)
        assert patient.result(timeout=30).is_match


def test_backends_of_one_client_share_its_token(open_backend, deepvue, make_call):
    """v1 and v2 of one account, say; another key logs in for itself."""
    open_backend().match(make_call())
    open_backend(api_version="v2").match(make_call())
    assert len(deepvue.asked(LOGIN)) == 1
    open_backend(client_secret="another-secret-55").match(make_call())
    open_backend(client_id="another-client-55").match(make_call())
    assert len(deepvue.asked(LOGIN)) == 3


def test_closing_one_leaves_the_token_to_the_other(open_backend, deepvue, make_call):
    """And with the last one it is forgotten."""
    first, second = open_backend(), open_backend()
    first.match(make_call())
    first.close()
    with pytest.raises(fm.ConfigurationError):
        first.match(make_call())
    second.match(make_call())
    assert len(deepvue.asked(LOGIN)) == 1
    second.close()
    open_backend().match(make_call())
    assert len(deepvue.asked(LOGIN)) == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_after_a_fork_during_a_login(open_backend, deepvue, make_call):
    """The child does not wait for a login that another process makes: it makes its own."""
    backend = open_backend()
    with slow_login(deepvue, lambda: backend.match(make_call())):
        child = os.fork()
        if child == 0:
            try:
                deepvue._lock = threading.Lock()
                deepvue.before_login = lambda: None
                matched = backend.match(make_call(deadline_s=20.0)).is_match
                os._exit(0 if matched and len(deepvue.asked(LOGIN)) == 1 else 1)
            finally:
                os._exit(2)
        _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_child_uses_its_parents_token(open_backend, deepvue, make_call):
    """What was fetched before the fork is good after it."""
    backend = open_backend()
    backend.match(make_call())
    child = os.fork()
    if child == 0:
        try:
            matched = backend.match(make_call()).is_match
            os._exit(0 if matched and len(deepvue.asked(LOGIN)) == 1 else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_set_to_mock_no_picture_leaves_after_a_stranger_s_login(deepvue, make_call):
    """An answer to a login that does not come from a mock ends the call."""
    backend = DeepvueBackend(client_id="c-1", client_secret="s-1", environment=fm.Environment.MOCK)
    backend.client.mount("https://", deepvue)
    with pytest.raises(fm.EnvironmentMismatch, match="The login failed") as caught:
        backend.match(make_call())
    assert caught.value.billing.charged is fm.Charged.NO
    assert deepvue.asked(MATCH) == []
    backend.close()
