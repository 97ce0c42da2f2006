"""`DiditAccount` itself: addresses, secrets, environments, lifetime."""

import contextlib
import itertools
import logging
import pickle
import traceback

import pytest
import requests
from kit.scripted import ScriptedAdapter
from kit.traces import inside
from requests.adapters import BaseAdapter

import facematch_core as fm
from facematch_core.http import MOCK_HEADER
from facematch_didit import DiditAccount, DiditBackend

ID = "3c9a1f70-5d2e-4b8a-9f11-6a0e2d7c4b35"
PASSWORD = "Hidden-pass-77"
BALANCE = (200, {"balance": "1.0000"})
REGISTERED = (201, {"email": "a@b.example"})


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        ({}, "https://apx.didit.me/auth/v2"),
        ({"base_url": "https://127.0.0.1:9/x"}, "https://127.0.0.1:9/x/auth/v2"),
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
        ({"environment": "local"}, "environment"),
        ({"api_key": ""}, "api_key"),
    ],
)
def test_a_wrong_setting_is_refused_by_its_name(settings, words):
    with pytest.raises(fm.ConfigurationError, match=words):
        DiditAccount(**settings)


@pytest.mark.parametrize(
    "call",
    [
        lambda a: a.balance(),
        lambda a: a.top_up(50),
        lambda a: a.sessions(),
        lambda a: a.decision(ID),
        lambda a: a.delete(ID),
    ],
)
def test_all_but_registering_needs_a_key_and_says_how_to_get_one(call):
    with (
        DiditAccount(base_url="http://127.0.0.1:9") as account,
        pytest.raises(fm.ConfigurationError, match="verify_email"),
    ):
        call(account)


def test_key_password_and_address_are_in_no_repr_log_or_error(scripted_account, key, caplog):
    caplog.set_level(logging.DEBUG)
    account, _ = scripted_account((400, {"password": [f"Not {PASSWORD}."], PASSWORD: ["x"]}))
    with pytest.raises(fm.RequestRejected) as caught:
        account.login("a@b.example", PASSWORD)
    assert PASSWORD not in f"{caught.value} {caught.value.field_errors}"
    with pytest.raises(fm.RequestRejected) as caught:
        account.balance()
    assert key not in f"{caught.value} {caught.value.field_errors}"
    assert PASSWORD not in caplog.text
    assert key not in caplog.text + repr(account)


def kept_by(error):
    """Every text in the library's frames that an error keeps alive, but for what the test has."""
    ours = [
        [*frame.f_locals.values()]
        for frame, _ in traceback.walk_tb(error.__traceback__)
        if frame.f_globals["__name__"].startswith("facematch")
    ]
    return b"\n".join(inside(ours, apart=(BaseAdapter, requests.Session))).decode("latin-1")


HIDDEN = "token-of-mine-58"
#: Every call that is given something which nobody else may see.
CONFIDING = {
    "register": lambda a: a.register("a@b.example", HIDDEN),
    "verify_email": lambda a: a.verify_email("a@b.example", HIDDEN),
    "login": lambda a: a.login("a@b.example", HIDDEN),
}
#: The same with something wrong beside it.
WRONG = {
    "register": lambda a: a.register("", HIDDEN),
    "login": lambda a: a.login(7, HIDDEN),
}


#: Answers that are none, and two of which the account cannot make what it should.
NO_ANSWERS = [
    (502, b"<html>"),
    (200, b"<html>body-token-91</html>"),
    ConnectionResetError(104, "reset"),
    KeyboardInterrupt(),
]
UNREADABLE = (200, {"odd": "body-token-91"})


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        *itertools.product(CONFIDING, NO_ANSWERS),
        *itertools.product(["verify_email", "login"], [UNREADABLE]),
    ],
)
def test_frames_hold_no_secret(name, answer, scripted_account):
    account, _ = scripted_account(answer)
    with pytest.raises((fm.VendorError, KeyboardInterrupt)) as caught:
        CONFIDING[name](account)
    kept = kept_by(caught.value)
    assert "https://verification.didit.me" in kept, "frames were looked into"
    assert HIDDEN not in f"{kept} {caught.value}"
    assert "body-token-91" not in kept
    assert caught.value.__context__ is None


@pytest.mark.parametrize("name", WRONG)
def test_frames_of_a_refusal_hold_no_secret(name, scripted_account):
    account, script = scripted_account((200, {}))
    with pytest.raises(fm.InvalidRequest) as caught:
        WRONG[name](account)
    kept = kept_by(caught.value)
    assert "https://verification.didit.me" in kept, "frames were looked into"
    assert HIDDEN not in f"{kept} {caught.value}"
    assert script.seen == []


def test_frames_of_what_only_reads_hold_no_answer(scripted_account):
    account, _ = scripted_account((200, {"session_id": ID, "status": 7, "odd": "body-token-91"}))
    with pytest.raises(fm.UnexpectedResponse) as caught:
        account.decision(ID)
    assert "body-token-91" not in kept_by(caught.value)


def test_set_to_mock_only_a_mock_is_asked_and_believed(scripted_account):
    account, script = scripted_account(BALANCE, environment="mock")
    for call in (DiditAccount.balance, CONFIDING["register"], lambda a: a.delete(ID)):
        with pytest.raises(fm.EnvironmentMismatch):
            call(account)
    assert len(script.seen) == 3
    account, _ = scripted_account((*BALANCE, {MOCK_HEADER: "1"}), environment="mock")
    assert str(account.balance().amount) == "1.0000"
    with DiditAccount(api_key="k", environment="mock") as real:
        for call in (CONFIDING["register"], lambda a: a.top_up(50), lambda a: a.delete(ID)):
            with pytest.raises(fm.EnvironmentMismatch) as caught:
                call(real)
            assert caught.value.billing.ground == "nothing was sent"


def test_a_double_of_the_one_host_is_none_of_the_host_that_registers(key):
    with contextlib.closing(DiditBackend(api_key=key, environment="mock")) as backend:
        script = ScriptedAdapter((*BALANCE, {MOCK_HEADER: "1"}))
        backend.client.mount("https://verification.didit.me", script)
        account = DiditAccount.of(backend)
        assert str(account.balance().amount) == "1.0000"
        with pytest.raises(fm.EnvironmentMismatch) as caught:
            account.register("a@b.example", PASSWORD)
    assert caught.value.billing.ground == "nothing was sent"


@pytest.mark.parametrize(
    ("doubled", "url", "is_asked"),
    [
        ("https://verification.didit.me/", "https://verification.didit.me/v3/x", True),
        ("https://verification.didit.me/", "https://verification.didit.me.example/x", False),
        ("https://verification.didit.me/", "http://localhost:9/x", True),
        ("https://apx.didit.me", "https://apx.didit.me/auth", True),
        ("https://apx.didit.me", "https://verification.didit.me/v3/x", False),
    ],
)
def test_what_is_asked_is_a_double_or_below_the_address_of_one(key, doubled, url, is_asked):
    with contextlib.closing(DiditBackend(api_key=key, environment="mock")) as backend:
        backend.client.mount(doubled, ScriptedAdapter())
        assert (backend.find_mismatch(url=url) is None) is is_asked


def test_the_account_of_a_backend_has_its_key_and_connections(key, monkeypatch):
    backend, script = DiditBackend(api_key=key, read_timeout_s=7), ScriptedAdapter(BALANCE)
    backend.client.mount("https://", script)
    monkeypatch.setattr(backend.client, "close", pytest.fail)
    with DiditAccount.of(backend) as account:
        account.balance()
    account.balance()
    assert [request.headers["x-api-key"] for request in script.seen] == [key, key]
    assert script.timeouts[0][1] == 7
    with pytest.raises(fm.ConfigurationError):
        DiditAccount.of("didit")


def test_what_a_good_answer_echoes_is_masked(scripted_account):
    application = {"api_key": "k", "uuid": f"by {HIDDEN}"}
    answer = {"access_token": "a", "refresh_token": "r", "application": application}
    account, _ = scripted_account((201, answer))
    assert account.verify_email("a@b.example", HIDDEN).application_id == "by ***"


def test_an_account_is_not_pickled(scripted_account):
    with pytest.raises(TypeError):
        pickle.dumps(scripted_account(BALANCE)[0])
