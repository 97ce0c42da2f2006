"""`DiditAccount` itself: addresses, secrets, environments, lifetime."""

import contextlib
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
BALANCE = (200, {"balance": "1.0000"})


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"api_key": "k", "base_url": "https://evil.example"}, "base_url"),
        ({"api_key": "k", "environment": "local"}, "environment"),
        ({"api_key": ""}, "api_key"),
    ],
)
def test_a_wrong_setting_is_refused_by_its_name(settings, words):
    with pytest.raises(fm.ConfigurationError, match=words):
        DiditAccount(**settings)


def test_the_key_is_in_no_repr_log_or_error(scripted_account, key, caplog):
    caplog.set_level(logging.DEBUG)
    account, _ = scripted_account((400, {"key": [f"Not {key}."], key: ["x"]}))
    with pytest.raises(fm.RequestRejected) as caught:
        account.balance()
    assert key not in f"{caught.value} {caught.value.field_errors}"
    assert key not in caplog.text + repr(account)


def kept_by(error):
    """Every text in the library's frames that an error keeps alive, but for what the test has."""
    ours = [
        [*frame.f_locals.values()]
        for frame, _ in traceback.walk_tb(error.__traceback__)
        if frame.f_globals["__name__"].startswith("facematch")
    ]
    return b"\n".join(inside(ours, apart=(BaseAdapter, requests.Session))).decode("latin-1")


def test_frames_of_what_only_reads_hold_no_answer(scripted_account):
    account, _ = scripted_account((200, {"session_id": ID, "status": 7, "odd": "body-token-91"}))
    with pytest.raises(fm.UnexpectedResponse) as caught:
        account.decision(ID)
    assert "body-token-91" not in kept_by(caught.value)


def test_set_to_mock_only_a_mock_is_asked_and_believed(scripted_account):
    account, script = scripted_account(BALANCE, environment="mock")
    for call in (DiditAccount.balance, lambda a: a.delete(ID)):
        with pytest.raises(fm.EnvironmentMismatch):
            call(account)
    assert len(script.seen) == 2
    account, _ = scripted_account((*BALANCE, {MOCK_HEADER: "1"}), environment="mock")
    assert str(account.balance().amount) == "1.0000"
    with DiditAccount(api_key="k", environment="mock") as real:
        with pytest.raises(fm.EnvironmentMismatch) as caught:
            real.delete(ID)
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


def test_an_account_is_not_pickled(scripted_account):
    with pytest.raises(TypeError):
        pickle.dumps(scripted_account(BALANCE)[0])
