"""`DiditAccount` itself: addresses, secrets, environments, lifetime."""

import gc
import logging
import pickle
import threading
import types

import pytest
import requests
from requests.adapters import BaseAdapter

import facematch_didit
from facematch_core import (
    Charged,
    ConfigurationError,
    Decision,
    Environment,
    EnvironmentMismatch,
    InvalidRequest,
    RequestRejected,
    Secret,
    VendorError,
    VendorUnavailable,
)
from facematch_core.http import MOCK_HEADER
from facematch_didit import DiditBackend
from facematch_didit.account import DiditAccount

PASSWORD = "Hidden-pass-77"
BALANCE = (200, {"balance": "1.0000"})
REGISTERED = (201, {"email": "a@b.example"})


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        ({}, "https://apx.didit.me/auth/v2"),
        ({"base_url": "https://verification.didit.me/"}, "https://apx.didit.me/auth/v2"),
        ({"base_url": "https://127.0.0.1:9/x"}, "https://127.0.0.1:9/x/auth/v2"),
        (
            {"base_url": "https://127.0.0.1:9", "auth_url": "https://127.0.0.1:8/a/"},
            "https://127.0.0.1:8/a",
        ),
        (
            {"auth_url": "https://other.example", "allow_base_url": True},
            "https://other.example",
        ),
    ],
)
def test_where_accounts_are_registered(settings, url, scripted):
    """At Didit's own host beside Didit's own; else beside the address that was set."""
    account, script = scripted(REGISTERED, **settings)
    account.register("a@b.example", PASSWORD)
    assert script.seen[0].url == f"{url}/programmatic/register/"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"base_url": "https://evil.example"}, "base_url names the host evil.example"),
        ({"auth_url": "https://evil.example"}, "auth_url names the host evil.example"),
        ({"auth_url": "https://verification.didit.me"}, "set allow_base_url"),
        ({"base_url": "http://verification.didit.me"}, "allow_insecure"),
        ({"auth_url": "apx.didit.me"}, "auth_url must have the form"),
        ({"api_key": ""}, "api_key is empty"),
        ({"environment": "local"}, "environment must be"),
        ({"allow_base_url": 1}, "allow_base_url must be True or False"),
        ({"read_timeout_s": 0}, "read_timeout_s"),
        ({"connect_timeout_s": "10"}, "connect_timeout_s"),
        ({"ca_bundle": "no/such/file"}, "no/such/file"),
        ({"proxy": "socks5://127.0.0.1:9"}, "SOCKS"),
    ],
)
def test_wrong_settings(settings, words):
    """Each is refused in a sentence that names it."""
    with pytest.raises(ConfigurationError, match=words):
        DiditAccount(**settings)


def test_without_a_key(scripted):
    """Registering needs none; everything else says how to get one, and sends nothing."""
    account, script = scripted(REGISTERED, api_key=None)
    account.register("a@b.example", PASSWORD)
    with pytest.raises(ConfigurationError, match="verify_email"):
        account.balance()
    assert len(script.seen) == 1


def test_secrets_stay_inside(scripted, key, caplog):
    """Neither key nor password is in a repr, a log or the error of an answer that echoes them."""
    caplog.set_level(logging.DEBUG)
    account, _ = scripted((400, {"detail": f"No {PASSWORD}, no {key}."}))
    with pytest.raises(RequestRejected) as caught:
        account.register("a@b.example", PASSWORD)
    assert PASSWORD not in str(caught.value)
    assert key not in str(caught.value)
    account, _ = scripted((400, {"password": [f"Not {PASSWORD}."], PASSWORD: ["x"]}))
    with pytest.raises(RequestRejected) as caught:
        account.login("a@b.example", PASSWORD)
    assert PASSWORD not in f"{caught.value} {caught.value.field_errors}"
    with pytest.raises(RequestRejected) as caught:
        account.balance()
    assert key not in f"{caught.value} {caught.value.field_errors}"
    assert PASSWORD not in caplog.text
    assert key not in caplog.text + repr(account)


#: What is not looked into: secrets may hold secrets, and the adapter is the test's own.
OPAQUE = (Secret, BaseAdapter, requests.Session, type, types.ModuleType, types.FrameType)


def inside(value, seen):
    """Every text that can be reached from a value."""
    if id(value) in seen or isinstance(value, OPAQUE):
        return
    seen[id(value)] = value
    if isinstance(value, (str, bytes)):
        yield value if isinstance(value, str) else value.decode("latin-1")
    elif isinstance(value, types.FunctionType):
        yield from inside(value.__closure__ or (), seen)
    else:
        for child in gc.get_referents(value):
            yield from inside(child, seen)


def kept_by(error):
    """Every text in the library's frames that an error keeps alive."""
    trace, seen = error.__traceback__, {}
    while trace is not None:
        if trace.tb_frame.f_globals["__name__"].startswith("facematch"):
            for value in trace.tb_frame.f_locals.values():
                yield from inside(value, seen)
        trace = trace.tb_next


HIDDEN = "token-of-mine-58"
ADDRESS = f"https://shop.example/?t={HIDDEN}"

#: Every call that is given something which nobody else may see.
CONFIDING = {
    "register": lambda a: a.register("a@b.example", HIDDEN),
    "verify_email": lambda a: a.verify_email("a@b.example", HIDDEN),
    "login": lambda a: a.login("a@b.example", HIDDEN),
    "login with a Secret": lambda a: a.login("a@b.example", Secret(HIDDEN)),
    "top_up": lambda a: a.top_up(50, success_url=ADDRESS),
    "top_up cancelled": lambda a: a.top_up(50, cancel_url=ADDRESS),
}
#: The same with something wrong beside it.
WRONG = {
    "register": lambda a: a.register("", HIDDEN),
    "verify_email": lambda a: a.verify_email("", HIDDEN),
    "login": lambda a: a.login(7, HIDDEN),
    "top_up": lambda a: a.top_up(5, success_url=ADDRESS),
    "no address of the web": lambda a: a.top_up(50, success_url=HIDDEN),
    "top_up cancelled": lambda a: a.top_up(50, success_url="shop", cancel_url=ADDRESS),
}


@pytest.mark.parametrize("name", CONFIDING)
@pytest.mark.parametrize(
    "answer",
    [
        (400, {"detail": "No."}),
        (502, b"<html>"),
        (200, b"<html>body-token-91</html>"),
        (200, {"email": 7, "odd": "body-token-91"}),
        ConnectionResetError(104, "reset"),
        KeyboardInterrupt(),
    ],
)
def test_frames_hold_no_secret(name, answer, scripted):
    """The frames of an error hold no password, code or address as text, nor an answer's body."""
    account, _ = scripted(answer)
    with pytest.raises((VendorError, KeyboardInterrupt)) as caught:
        CONFIDING[name](account)
    kept = "\n".join(kept_by(caught.value))
    assert "https://verification.didit.me" in kept, "frames were looked into"
    assert HIDDEN not in f"{kept} {caught.value}"
    assert "body-token-91" not in kept
    assert caught.value.__context__ is None


@pytest.mark.parametrize("name", WRONG)
def test_frames_of_a_refusal_hold_no_secret(name, scripted):
    """What is refused before it is sent stays out of sight as well."""
    account, script = scripted((200, {}))
    with pytest.raises(InvalidRequest) as caught:
        WRONG[name](account)
    kept = "\n".join(kept_by(caught.value))
    assert "https://verification.didit.me" in kept, "frames were looked into"
    assert HIDDEN not in f"{kept} {caught.value}"
    assert script.seen == []


@pytest.mark.parametrize("name", [*CONFIDING][4:])
def test_frames_without_a_key_hold_no_secret(name, scripted):
    """Nor do those of a call that needs a key."""
    account, _ = scripted((200, {}), api_key=None)
    with pytest.raises(ConfigurationError) as caught:
        CONFIDING[name](account)
    assert HIDDEN not in "\n".join(kept_by(caught.value))


@pytest.mark.parametrize("name", ["top_up", "top_up cancelled"])
def test_an_address_that_is_refused_is_masked(name, scripted):
    """Didit may repeat it in its refusal."""
    account, _ = scripted((400, {"url": [f"Not {ADDRESS}."]}))
    with pytest.raises(RequestRejected) as caught:
        CONFIDING[name](account)
    assert HIDDEN not in f"{caught.value} {caught.value.field_errors}"


def test_what_a_good_answer_echoes_is_masked(scripted):
    """A password in a sentence of a registration."""
    account, _ = scripted((201, {"email": "a@b.example", "message": f"Hello, {HIDDEN}!"}))
    assert account.register("a@b.example", HIDDEN).message == "Hello, ***!"


def test_a_key_that_is_echoed_is_masked(scripted, key):
    """Also in what a decision tells."""
    body = {
        "session_id": "s",
        "status": "Approved",
        "vendor_data": f"by {key}",
        "face_matches": [{"status": "Approved", "score": 50, "node_id": key}],
    }
    account, _ = scripted((200, body))
    decision = account.decision("3c9a1f70-5d2e-4b8a-9f11-6a0e2d7c4b35")
    assert decision.caller_ref == "by ***"
    assert decision.results[0].raw["node_id"] == "***"


def test_where_a_decision_comes_from(scripted):
    """A mock's header counts over the session's word and the setting."""
    body = {"session_id": "s", "status": "Approved", "environment": "live"}
    body["face_matches"] = [{"status": "Approved", "score": 50}]
    session_id = "3c9a1f70-5d2e-4b8a-9f11-6a0e2d7c4b35"
    account, _ = scripted((200, body, {MOCK_HEADER: "1"}))
    decision = account.decision(session_id)
    assert decision.environment is decision.results[0].environment is Environment.MOCK
    assert decision.results[0].decision is Decision.MATCH
    del body["environment"]
    account, _ = scripted((200, body), environment=Environment.SANDBOX)
    assert account.decision(session_id).environment is Environment.SANDBOX


def test_set_to_mock(scripted):
    """Then only a mock is believed, and Didit's own hosts are not asked over the network."""
    account, script = scripted(BALANCE, environment="mock")
    with pytest.raises(EnvironmentMismatch, match="does not say"):
        account.balance()
    assert len(script.seen) == 1
    account, _ = scripted((*BALANCE, {MOCK_HEADER: "1"}), environment="mock")
    assert str(account.balance().amount) == "1.0000"
    with DiditAccount(environment="mock") as real, pytest.raises(EnvironmentMismatch) as caught:
        real.register("a@b.example", PASSWORD)
    assert "nothing was sent" in str(caught.value)


def test_where_it_is_imported_from():
    """The package hands it out when it is asked for, and nothing that it does not have."""
    assert facematch_didit.DiditAccount is DiditAccount
    assert not hasattr(facematch_didit, "DiditAcount")


def test_the_account_of_a_backend(scripted, key, clock):
    """Its key and settings, over its connections, which stay open."""
    backend = DiditBackend(api_key=key, environment=Environment.SANDBOX, read_timeout_s=7)
    _, script = scripted(BALANCE)
    backend.client.mount("https://", script)
    with DiditAccount.of(backend) as account:
        assert (account.environment, account.read_timeout_s) == (Environment.SANDBOX, 7)
        account.balance()
    account.balance()
    assert [request.headers["x-api-key"] for request in script.seen] == [key, key]
    backend.close()
    with pytest.raises(ConfigurationError, match="closed"):
        account.balance()
    with pytest.raises(ConfigurationError, match="takes a DiditBackend, not str"):
        DiditAccount.of("didit")


def test_a_deadline_for_all_calls(scripted, clock):
    """What does not begin in time is not begun; the account itself has no end."""
    account, script = scripted(BALANCE)
    hurried = account.within(5)
    hurried.balance()
    clock.advance(5)
    with pytest.raises(VendorUnavailable, match="deadline of 5 s ran out") as caught:
        hurried.balance()
    assert caught.value.billing.charged is Charged.NO
    account.balance()
    hurried.close()
    account.balance()
    assert len(script.seen) == 3
    with pytest.raises(InvalidRequest, match="number of seconds"):
        account.within(-1)


def test_closed(scripted):
    """Its own connections end with it, and closing twice does no harm."""
    account, _ = scripted(BALANCE)
    with account as same:
        assert same is account
        account.balance()
    account.close()
    with pytest.raises(ConfigurationError, match="closed"):
        account.balance()


def test_not_pickled(scripted):
    """A key is not written anywhere by accident."""
    for settings in ({}, {"api_key": None}):
        account, _ = scripted(BALANCE, **settings)
        with pytest.raises(TypeError, match="cannot be pickled"):
            pickle.dumps(account)


def test_threads_share_it(scripted):
    """Many at once get each its own answer."""
    account, script = scripted(BALANCE)
    amounts = []
    threads = [
        threading.Thread(target=lambda: amounts.append(str(account.balance().amount)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert amounts == ["1.0000"] * 8
    assert len(script.seen) == 8
