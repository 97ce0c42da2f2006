"""Owners and the mailbox in the control API."""

from kit import mock_didit as didit
from kit.mock_didit import control
from kit.mock_didit_accounts import ANNA, register, verify


def test_a_reset_forgets_all():
    """Nobody has registered any more."""
    engine = didit.new_engine()
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
