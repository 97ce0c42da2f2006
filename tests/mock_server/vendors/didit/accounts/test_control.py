"""Accounts that were registered, and the mailbox, in the control API."""

import pytest
from kit import mock_didit as didit
from kit.mock_didit import control
from kit.mock_didit_accounts import ANNA, register, verify

from facematch_mock_server.account import ACCOUNT_HEADER


def test_a_reset_forgets_all():
    """Nobody has registered any more."""
    engine = didit.new_engine()
    engine.handle(register())
    verify()(engine)
    engine.handle(control("reset", {}))
    (account,) = engine.handle(control("accounts")).json()["accounts"]
    assert account["name"] == "main"
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


@pytest.mark.parametrize("by", ["name", "key"])
def test_an_organization_over_http(by):
    """It is an account, named by its id or by its key."""
    engine = didit.new_engine()
    engine.handle(register())
    made = verify()(engine).json()
    name, key = made["organization"]["uuid"], made["application"]["api_key"]
    more = {"name": {ACCOUNT_HEADER: name}, "key": {ACCOUNT_HEADER: key}}[by]
    balance = control("ledger/balance", {"balance": "3"}, **more)
    assert engine.handle(balance).json() == {"balance": "3.0000"}
    assert engine.handle(control("ledger", **more)).json() == {"balance": "3.0000", "entries": []}
    assert engine.handle(control(f"ledger?key={key}")).json()["balance"] == "3.0000"
    assert engine.handle(control("ledger")).json()["balance"] == "100.0000"
    assert engine.handle(control("ledger", **{ACCOUNT_HEADER: "nobody"})).status == 404
    payments = engine.handle(control("payments")).json()
    assert payments == {"payments": []}
