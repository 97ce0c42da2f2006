"""`DiditAccount` itself: addresses, secrets, environments, lifetime."""

import gc
import logging
import pickle
import types

import pytest
import requests
from requests.adapters import BaseAdapter

import facematch_core as fm
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
        ({"base_url": "https://127.0.0.1:9/x"}, "https://127.0.0.1:9/x/auth/v2"),
        ({"auth_url": "https://other.example", "allow_base_url": True}, "https://other.example"),
    ],
)
def test_accounts_are_registered_at_didits_host_or_beside_the_address_that_was_set(
    settings, url, scripted_account
):
    account, script = scripted_account(REGISTERED, **settings)
    account.register("a@b.example", PASSWORD)
    assert script.seen[0].url == f"{url}/programmatic/register/"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"base_url": "https://evil.example"}, "base_url"),
        ({"auth_url": "https://evil.example"}, "auth_url"),
        ({"auth_url": "https://verification.didit.me"}, "set allow_base_url"),
        ({"api_key": ""}, "api_key"),
    ],
)
def test_a_wrong_setting_is_refused_by_its_name(settings, words):
    with pytest.raises(fm.ConfigurationError, match=words):
        DiditAccount(**settings)


def test_all_but_registering_needs_a_key_and_says_how_to_get_one(scripted_account):
    account, script = scripted_account(REGISTERED, api_key=None)
    account.register("a@b.example", PASSWORD)
    for name in ("top_up", "top_up cancelled"):
        with pytest.raises(fm.ConfigurationError, match="verify_email") as caught:
            CONFIDING[name](account)
        assert HIDDEN not in "\n".join(kept_by(caught.value))
    assert len(script.seen) == 1


def test_key_password_and_address_are_in_no_repr_log_or_error(scripted_account, key, caplog):
    caplog.set_level(logging.DEBUG)
    account, _ = scripted_account((400, {"url": [f"Not {ADDRESS}."]}))
    for name in ("top_up", "top_up cancelled"):
        with pytest.raises(fm.RequestRejected) as caught:
            CONFIDING[name](account)
        assert HIDDEN not in f"{caught.value} {caught.value.field_errors}"
    account, _ = scripted_account((400, {"password": [f"Not {PASSWORD}."], PASSWORD: ["x"]}))
    with pytest.raises(fm.RequestRejected) as caught:
        account.login("a@b.example", PASSWORD)
    assert PASSWORD not in f"{caught.value} {caught.value.field_errors}"
    with pytest.raises(fm.RequestRejected) as caught:
        account.balance()
    assert key not in f"{caught.value} {caught.value.field_errors}"
    assert PASSWORD not in caplog.text
    assert key not in caplog.text + repr(account)


#: What is not looked into: secrets may hold secrets, and the adapter is the test's own.
OPAQUE = (fm.Secret, BaseAdapter, requests.Session, type, types.ModuleType, types.FrameType)


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
    "top_up": lambda a: a.top_up(50, success_url=ADDRESS),
    "top_up cancelled": lambda a: a.top_up(50, cancel_url=ADDRESS),
}
#: The same with something wrong beside it.
WRONG = {
    "register": lambda a: a.register("", HIDDEN),
    "login": lambda a: a.login(7, HIDDEN),
    "top_up": lambda a: a.top_up(5, success_url=ADDRESS),
    "no address of the web": lambda a: a.top_up(50, success_url=HIDDEN),
    "top_up cancelled": lambda a: a.top_up(50, success_url="shop", cancel_url=ADDRESS),
}


@pytest.mark.parametrize("name", CONFIDING)
@pytest.mark.parametrize(
    "answer",
    [
        (502, b"<html>"),
        (200, b"<html>body-token-91</html>"),
        (200, {"email": 7, "odd": "body-token-91"}),
        ConnectionResetError(104, "reset"),
        KeyboardInterrupt(),
    ],
)
def test_frames_hold_no_secret(name, answer, scripted_account):
    account, _ = scripted_account(answer)
    with pytest.raises((fm.VendorError, KeyboardInterrupt)) as caught:
        CONFIDING[name](account)
    kept = "\n".join(kept_by(caught.value))
    assert "https://verification.didit.me" in kept, "frames were looked into"
    assert HIDDEN not in f"{kept} {caught.value}"
    assert "body-token-91" not in kept
    assert caught.value.__context__ is None


@pytest.mark.parametrize("name", WRONG)
def test_frames_of_a_refusal_hold_no_secret(name, scripted_account):
    account, script = scripted_account((200, {}))
    with pytest.raises(fm.InvalidRequest) as caught:
        WRONG[name](account)
    kept = "\n".join(kept_by(caught.value))
    assert "https://verification.didit.me" in kept, "frames were looked into"
    assert HIDDEN not in f"{kept} {caught.value}"
    assert script.seen == []


def test_set_to_mock_only_a_mock_is_asked_and_believed(scripted_account):
    account, script = scripted_account(BALANCE, environment="mock")
    with pytest.raises(fm.EnvironmentMismatch):
        account.balance()
    assert len(script.seen) == 1
    account, _ = scripted_account((*BALANCE, {MOCK_HEADER: "1"}), environment="mock")
    assert str(account.balance().amount) == "1.0000"
    with DiditAccount(environment="mock") as real, pytest.raises(fm.EnvironmentMismatch) as caught:
        real.register("a@b.example", PASSWORD)
    assert caught.value.billing.ground == "nothing was sent"


def test_the_account_of_a_backend_has_its_key_and_connections(scripted_account, key, clock):
    backend = DiditBackend(api_key=key, environment=fm.Environment.SANDBOX, read_timeout_s=7)
    _, script = scripted_account(BALANCE)
    backend.client.mount("https://", script)
    with DiditAccount.of(backend) as account:
        assert (account.environment, account.read_timeout_s) == (fm.Environment.SANDBOX, 7)
        account.balance()
    account.balance()
    assert [request.headers["x-api-key"] for request in script.seen] == [key, key]
    with pytest.raises(fm.ConfigurationError):
        DiditAccount.of("didit")


def test_what_a_good_answer_echoes_is_masked(scripted_account):
    account, _ = scripted_account((201, {"email": "a@b.example", "message": f"Hello, {HIDDEN}!"}))
    assert account.register("a@b.example", HIDDEN).message == "Hello, ***!"


def test_a_key_that_is_echoed_is_masked(scripted_account, key):
    body = {
        "session_id": "s",
        "status": "Approved",
        "vendor_data": f"by {key}",
        "face_matches": [{"status": "Approved", "score": 50, "node_id": key}],
    }
    account, _ = scripted_account((200, body))
    decision = account.decision("3c9a1f70-5d2e-4b8a-9f11-6a0e2d7c4b35")
    assert decision.caller_ref == "by ***"
    assert decision.results[0].raw["node_id"] == "***"


def test_after_the_deadline_of_all_calls_nothing_is_begun(scripted_account, clock):
    account, script = scripted_account(BALANCE)
    hurried = account.within(5)
    hurried.balance()
    clock.advance(5)
    with pytest.raises(fm.VendorUnavailable) as caught:
        hurried.balance()
    assert caught.value.billing.charged is fm.Charged.NO
    hurried.close()
    account.balance()
    assert len(script.seen) == 2
    assert script.timeouts[0] == (5.0, 5.0)


def test_an_account_is_not_pickled(scripted_account):
    with pytest.raises(TypeError):
        pickle.dumps(scripted_account(BALANCE)[0])
