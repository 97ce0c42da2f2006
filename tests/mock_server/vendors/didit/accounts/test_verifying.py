"""POST /programmatic/verify-email/ and /resend-otp/: codes, and what a proved mailbox opens."""

import threading
from decimal import Decimal

import pytest
from kit import mock_didit as didit
from kit.mock_didit import match
from kit.mock_didit_accounts import ANNA, BALANCE, auth, later, register, told, verify
from kit.mock_worlds import control_of

WRONG = {"code": ["This code is not right."]}
EXPIRED = {"code": ["This code has expired."]}
SENT = {"message": "A new verification code was sent."}


@pytest.fixture
def engine():
    """A world in which Anna has registered."""
    engine = didit.new_engine()
    engine.handle(register())
    return engine


def told_by(response):
    """Status and decoded body."""
    return response.status, response.json()


def test_a_proved_mailbox(engine):
    """Tokens, an organization, an application, and a key that works."""
    status, body = told_by(verify()(engine))
    assert status == 200
    assert list(body) == [
        "access_token",
        "refresh_token",
        "expires_in",
        "organization",
        "application",
    ]
    assert body["expires_in"] == 86_400
    assert list(body["organization"]) == ["uuid", "name"]
    assert list(body["application"]) == ["uuid", "name", "client_id", "api_key"]
    assert engine.handle(match(key=body["application"]["api_key"])).status == 200


def test_each_registration_is_an_account_of_its_own(engine):
    """With its own credit and its own sessions."""
    body = verify()(engine).json()
    key, name = body["application"]["api_key"], body["organization"]["uuid"]
    request_id = engine.handle(match(key=key)).json()["request_id"]
    control = control_of(engine.world)
    assert control.accounts() == ("main", name)
    opened = control_of(engine.accounts.named(key).world("didit"))
    assert (control.balance(), opened.balance()) == (Decimal(100), Decimal("99.95"))
    assert engine.handle(told(BALANCE, key=key)).json()["balance"] == "99.9500"
    decision = f"/v3/session/{request_id}/decision/"
    assert engine.handle(told(decision, key=key)).status == 200
    assert engine.handle(told(decision)).status == 403


@pytest.mark.parametrize(
    "change", [str.lower, lambda code: code[:5], lambda _: "", lambda c: c + "0"]
)
def test_a_wrong_code(engine, change):
    """Every character counts, case too; the right one is as good as before."""
    assert told_by(verify(change=change)(engine)) == (400, WRONG)
    assert verify()(engine).status == 200


def test_a_code_is_good_once(engine):
    """And an address without an account has none."""
    assert verify()(engine).status == 200
    assert told_by(verify()(engine)) == (400, WRONG)
    assert told_by(verify("nobody@mailbox.dev")(engine)) == (400, WRONG)


def test_of_many_who_show_a_code_one_is_the_first(engine):
    """One organization, one key."""
    statuses = []
    threads = [
        threading.Thread(target=lambda: statuses.append(verify()(engine).status)) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] + [400] * 7
    assert len(control_of(engine.world).accounts()) == 2


@pytest.mark.parametrize(("seconds", "status"), [(900, 200), (901, 400)])
def test_a_code_is_good_for_fifteen_minutes(engine, seconds, status):
    """To the second; then it has expired."""
    engine.handle(later(seconds))
    response = verify()(engine)
    assert response.status == status
    assert status == 200 or response.json() == EXPIRED


def test_the_life_of_a_code_is_a_setting():
    """The other reading is ten minutes."""
    engine = didit.new_engine(switches={"otp_lifetime_s": 600})
    engine.handle(register())
    engine.handle(later(601))
    assert told_by(verify()(engine)) == (400, EXPIRED)


def test_another_code(engine):
    """After a minute; it replaces the first."""
    control = control_of(engine.world)
    first = control.mailbox.code(ANNA)
    engine.handle(later(45.5))
    early = engine.handle(auth("resend-otp", email=ANNA))
    assert told_by(early) == (
        429,
        {"detail": "Request was throttled. Expected available in 15 seconds."},
    )
    assert early.header("Retry-After") == "15"
    engine.handle(later(14.5))
    assert told_by(engine.handle(auth("resend-otp", email=ANNA.upper()))) == (200, SENT)
    assert control.mailbox.code(ANNA) != first
    assert told_by(verify(change=lambda _: first)(engine)) == (400, WRONG)
    assert verify()(engine).status == 200


def test_the_life_of_another_code_begins_anew(engine):
    """From when it was sent."""
    engine.handle(later(890))
    engine.handle(auth("resend-otp", email=ANNA))
    engine.handle(later(890))
    assert verify()(engine).status == 200


def test_who_waits_for_no_code(engine):
    """Is answered as who does, and gets no mail."""
    verify()(engine)
    for email in (ANNA, "nobody@mailbox.dev"):
        assert told_by(engine.handle(auth("resend-otp", email=email))) == (200, SENT)
    assert len(control_of(engine.world).mailbox.mails()) == 1


def test_bodies_that_are_refused(ask):
    """Field by field."""
    required = ["This field is required."]
    assert ask(auth("verify-email"))[:2] == (400, {"email": required, "code": required})
    assert ask(auth("resend-otp", email="x"))[:2] == (
        400,
        {"email": ["Enter a valid email address."]},
    )
