"""Accounts, payments and credit after a restart, and the mailbox in the control API."""

import mock_didit as didit
import pytest
from mock_didit import control, match
from mock_didit_accounts import ANNA, BALANCE, PASSWORD, login, paid, register, told, top_up, verify

from facematch_mock_server.control import Control
from facematch_mock_server.sqlite import SqliteStore


@pytest.fixture
def begin(tmp_path):
    """Begins a world on the same file again, after the one before was closed."""
    begun = []

    def again(**settings):
        if begun:
            begun[-1].world.server.close()
        begun.append(didit.new_engine(store=SqliteStore(tmp_path / "mock.db"), **settings))
        return begun[-1]

    yield again
    begun[-1].world.server.close()


def test_a_restart(begin, tmp_path):
    """Account, key and credit are there; tokens and mails are not."""
    engine = begin()
    engine.handle(register())
    code = Control(engine.world).mailbox.code(ANNA)
    body = verify()(engine).json()
    key = body["application"]["api_key"]
    assert engine.handle(match(key=key)).status == 200
    engine.handle(register("ben@mailbox.dev"))
    engine = begin()
    assert engine.handle(match(key=key)).status == 200
    assert engine.handle(told(BALANCE, key=key)).json()["balance"] == "99.9000"
    assert engine.handle(login()).status == 200
    assert engine.handle(register()).status == 400
    assert Control(engine.world).mailbox.mails() == ()
    token = f"Bearer {body['access_token']}"
    me = told("/auth/v2/organizations/me/", key=None, Authorization=token)
    assert engine.handle(me).status == 401
    begin()
    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"anna@mailbox.dev" in kept
    for secret in (PASSWORD, key, body["access_token"], code):
        assert secret.encode() not in kept


def test_a_code_that_was_read_before_a_restart(begin):
    """Is as good after it."""
    engine = begin()
    engine.handle(register())
    code = Control(engine.world).mailbox.code(ANNA)
    assert verify(change=lambda _: code)(begin()).status == 200


def test_a_lock_holds_over_a_restart(begin):
    """And the failures are counted on."""
    engine = begin()
    engine.handle(register())
    verify()(engine)
    for _ in range(5):
        engine.handle(login(password="wrong"))
    assert begin().handle(login()).status == 429


def test_a_payment_over_a_restart(begin):
    """It is still open, and settles; a plan is as it was."""
    engine = begin()
    engine.handle(top_up())
    engine.handle(control("payments/plan", {"annual": True}))
    engine = begin()
    paid()(engine)
    assert engine.handle(told(BALANCE)).json()["balance"] == "175.0000"
    assert begin().handle(top_up()).status == 400


def test_a_reset_forgets_all(begin):
    """Nobody has registered any more."""
    engine = begin()
    engine.handle(register())
    verify()(engine)
    engine.handle(control("reset", {}))
    assert engine.handle(control("owners")).json() == {
        "owners": [{"owner": "mock", "balance": "100.0000"}]
    }
    assert engine.handle(control("mailbox")).json() == {"mails": []}
    assert engine.handle(register()).status == 201


def test_the_mailbox_over_http(ask):
    """All mails, those to one address with its newest code, and none."""
    mail = {"at": "2026-07-02T09:15:27.104233+00:00", "to": ANNA}
    status, body, _ = ask(register(), control(f"mailbox/{ANNA.upper()}"))
    assert status == 200
    assert body == {"mails": [{**mail, "code": body["code"]}], "code": body["code"]}
    assert ask(register(), control("mailbox"))[1]["mails"] == body["mails"]
    assert ask(control(f"mailbox/{ANNA}"))[:2] == (
        404,
        {"mock": "no mail was sent to that address"},
    )
    assert ask(register(), control("mailbox/clear", {}), control("mailbox"))[1] == {"mails": []}
    assert ask(control("mailbox/clear", {"x": 1}))[0] == 400


def test_the_ledger_of_one_owner_over_http():
    """By its name in the path; a balance is set by name in the body."""
    engine = didit.new_engine()
    engine.handle(register())
    owner = verify()(engine).json()["organization"]["uuid"]
    assert engine.handle(control("ledger/balance", {"balance": "3", "owner": owner})).json() == {
        "balance": "3.0000"
    }
    ledger = engine.handle(control(f"ledger/{owner}")).json()
    assert ledger == {"balance": "3.0000", "entries": []}
    assert engine.handle(control("ledger")).json()["balance"] == "100.0000"
    assert engine.handle(control("ledger/nobody")).status == 404
    payments = engine.handle(control("payments")).json()
    assert payments == {"payments": []}
