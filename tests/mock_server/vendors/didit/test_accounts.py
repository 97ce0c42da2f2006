"""Accounts: registration, codes, what a proved mailbox opens, logins and tokens."""

from decimal import Decimal

import pytest
from kit import mock_didit as didit
from kit.mock_didit import control_request, match_request
from kit.mock_didit_accounts import (
    ANNA,
    ANNAS_PASSWORD,
    BALANCE,
    account_request,
    advance_request,
    auth_request,
    login_request,
    register_request,
    verify_email,
)
from kit.mock_worlds import control_of

from facematch_mock_server.world.accounts import ACCOUNT_HEADER

WELCOME = "Registration successful. Check your email for the verification code."
REQUIRED = ["This field is required."]
BAD_EMAIL = {"email": ["Enter a valid email address."]}

RULES = {
    "short": "This password must contain at least 8 characters.",
    "upper": "This password must contain an uppercase letter.",
    "lower": "This password must contain a lowercase letter.",
    "digit": "This password must contain a digit.",
    "special": "This password must contain a special character.",
}


def test_a_registration_puts_a_code_into_the_mailbox_and_opens_nothing(ask):
    engine = didit.new_engine()
    response = engine.handle(register_request())
    assert (response.status, response.json()) == (201, {"message": WELCOME, "email": ANNA})
    control = control_of(engine.world)
    (mail,) = control.mailbox.mails()
    assert (mail.to, mail.at) == (ANNA, didit.START)
    assert len(mail.code) == 6
    assert mail.code.isalnum()
    assert mail.code not in repr(mail)
    assert control.accounts() == ("main",)


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({}, {"email": REQUIRED, "password": REQUIRED}),
        ({"email": "nobody", "password": ANNAS_PASSWORD}, BAD_EMAIL),
        (
            {"email": "a@\ud800.dev", "password": ANNAS_PASSWORD},
            {"email": ["Surrogate characters are not allowed: U+D800."]},
        ),
        ({"email": ANNA, "password": None}, {"password": ["This field may not be null."]}),
    ],
)
def test_a_body_is_refused_field_by_field_all_at_once(ask, body, errors):
    assert ask(auth_request("register", **body))[:2] == (400, errors)


@pytest.mark.parametrize(
    ("password", "rule"),
    [
        ("Short-7", "short"),
        ("no-upper-case-7", "upper"),
        ("NO-LOWER-CASE-7", "lower"),
        ("No-digit-here", "digit"),
        ("Nospecial7", "special"),
        ("Eight-78", None),
        ("Größe-7", "short"),
    ],
)
def test_of_several_broken_rules_of_passwords_the_first_is_named(ask, password, rule):
    status, body, _ = ask(register_request(password=password))
    if rule is None:
        assert status == 201
    else:
        assert (status, body) == (400, {"password": [RULES[rule]]})


@pytest.mark.parametrize(
    ("email", "reserved"),
    [
        ("a@example.com", True),
        ("a@b.test", True),
        ("a@example.com.dev", False),
    ],
)
def test_domains_reserved_for_tests_make_the_server_fail_unless_a_switch_takes_them(
    ask, email, reserved
):
    status, body, _ = ask(register_request(email))
    assert status == (500 if reserved else 201)
    assert not reserved or "<h1>Server Error (500)</h1>" in body
    assert ask(register_request(email), switches={"reserved_domains": "accepted"})[0] == 201


def test_an_address_of_the_network_registers_five_times_an_hour_good_or_bad():
    engine = didit.new_engine()
    for number in range(5):
        assert engine.handle(register_request(f"p{number}@mailbox.dev", "bad")).status == 400
        engine.handle(advance_request(60))
    refused = engine.handle(register_request())
    assert refused.status == 429
    assert refused.json() == {
        "detail": "Request was throttled. Expected available in 3300 seconds."
    }
    assert refused.header("Retry-After") == "3300"
    assert (
        engine.handle(register_request("p8@mailbox.dev", x_forwarded_for="198.51.100.1")).status
        == 201
    )
    engine.handle(advance_request(3300))
    assert engine.handle(register_request()).status == 201


def test_nobody_reads_a_password_or_a_code():
    engine = didit.new_engine()
    engine.handle(register_request())
    code = control_of(engine.world).mailbox.code(ANNA)
    answer = verify_email()(engine).json()
    engine.handle(auth_request("login", email=ANNA, password=ANNAS_PASSWORD))
    kept = repr(engine.world.account.journal.entries)
    account = repr(engine.world.records.accounts.find(ANNA))
    for secret in (ANNAS_PASSWORD, code, answer["application"]["api_key"], answer["access_token"]):
        assert secret not in kept
        assert secret not in account


WRONG = {"code": ["This code is not right."]}
EXPIRED = {"code": ["This code has expired."]}
SENT = {"message": "A new verification code was sent."}


@pytest.fixture
def engine():
    engine = didit.new_engine()
    engine.handle(register_request())
    return engine


def status_and_body(response):
    return response.status, response.json()


def test_a_proved_mailbox_opens_an_organization_with_a_key_that_works(engine):
    status, body = status_and_body(verify_email()(engine))
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
    assert engine.handle(match_request(key=body["application"]["api_key"])).status == 200


def test_each_registration_has_its_own_credit_and_sessions(engine):
    body = verify_email()(engine).json()
    key, name = body["application"]["api_key"], body["organization"]["uuid"]
    request_id = engine.handle(match_request(key=key)).json()["request_id"]
    control = control_of(engine.world)
    assert control.accounts() == ("main", name)
    other = control_of(engine.accounts.get(key).world("didit"))
    assert (control.balance(), other.balance()) == (Decimal(100), Decimal("99.95"))
    assert engine.handle(account_request(BALANCE, key=key)).json()["balance"] == "99.9500"
    decision = f"/v3/session/{request_id}/decision/"
    assert engine.handle(account_request(decision, key=key)).status == 200
    assert engine.handle(account_request(decision)).status == 403


@pytest.mark.parametrize(
    "change", [str.lower, lambda code: code[:5], lambda _: "", lambda c: c + "0"]
)
def test_every_character_of_a_code_counts(engine, change):
    assert status_and_body(verify_email(change=change)(engine)) == (400, WRONG)
    assert verify_email()(engine).status == 200


def test_a_code_is_good_once(engine):
    assert verify_email()(engine).status == 200
    assert status_and_body(verify_email()(engine)) == (400, WRONG)
    assert status_and_body(verify_email("nobody@mailbox.dev")(engine)) == (400, WRONG)


def test_a_code_that_was_shown_between_look_up_and_change_is_used_up(engine, monkeypatch):
    accounts = engine.world.records.accounts
    change, inner = accounts.change, verify_email()

    def change_second(email, make):
        monkeypatch.setattr(accounts, "change", change)
        assert inner(engine).status == 200
        return change(email, make)

    monkeypatch.setattr(accounts, "change", change_second)
    assert status_and_body(inner(engine)) == (400, WRONG)


@pytest.mark.parametrize(
    ("switches", "life_s"), [({}, 900), ({"otp_lifetime_s": 600}, 600)], ids=["usual", "switch"]
)
@pytest.mark.parametrize(("late_s", "status"), [(0, 200), (1, 400)])
def test_a_code_is_good_for_fifteen_minutes_or_as_a_switch_says(switches, life_s, late_s, status):
    engine = didit.new_engine(switches=switches)
    engine.handle(register_request())
    engine.handle(advance_request(life_s + late_s))
    response = verify_email()(engine)
    assert response.status == status
    assert status == 200 or response.json() == EXPIRED


def test_another_code_is_sent_after_a_minute_and_replaces_the_first(engine):
    control = control_of(engine.world)
    first = control.mailbox.code(ANNA)
    engine.handle(advance_request(45.5))
    early = engine.handle(auth_request("resend-otp", email=ANNA))
    assert status_and_body(early) == (
        429,
        {"detail": "Request was throttled. Expected available in 15 seconds."},
    )
    assert early.header("Retry-After") == "15"
    engine.handle(advance_request(14.5))
    assert status_and_body(engine.handle(auth_request("resend-otp", email=ANNA.upper()))) == (
        200,
        SENT,
    )
    assert control.mailbox.code(ANNA) != first
    assert status_and_body(verify_email(change=lambda _: first)(engine)) == (400, WRONG)
    assert verify_email()(engine).status == 200


def test_who_waits_for_no_code_is_answered_as_who_does_and_gets_no_mail(engine):
    verify_email()(engine)
    for email in (ANNA, "nobody@mailbox.dev"):
        assert status_and_body(engine.handle(auth_request("resend-otp", email=email))) == (
            200,
            SENT,
        )
    assert len(control_of(engine.world).mailbox.mails()) == 1


def test_the_mailbox_is_read_over_http(ask):
    mail = {"at": "2026-07-02T09:15:27.104233+00:00", "to": ANNA, "number": 1}
    status, body, _ = ask(register_request(), control_request(f"mailbox/{ANNA.upper()}"))
    assert status == 200
    mails = [{**mail, "code": body["code"]}]
    assert body == {"mails": mails, "code": body["code"], "left_out": 0}
    assert ask(register_request(), control_request("mailbox"))[1]["mails"] == body["mails"]
    nobody = {"mock": "no mail was sent to that address"}
    assert ask(control_request(f"mailbox/{ANNA}"))[:2] == (404, nobody)
    assert (
        ask(register_request(), control_request("mailbox/clear", {}), control_request("mailbox"))[
            1
        ]["mails"]
        == []
    )
    assert ask(control_request("mailbox/clear", {"x": 1}))[0] == 400


@pytest.mark.parametrize("by", ["name", "key"])
def test_over_http_an_organization_is_named_by_its_id_or_its_key(engine, by):
    account = verify_email()(engine).json()
    name, key = account["organization"]["uuid"], account["application"]["api_key"]
    more = {ACCOUNT_HEADER: {"name": name, "key": key}[by]}
    balance = control_request("ledger/balance", {"balance": "3"}, **more)
    assert engine.handle(balance).json() == {"balance": "3.0000"}
    assert engine.handle(control_request("ledger", **more)).json()["balance"] == "3.0000"
    assert engine.handle(control_request(f"ledger?key={key}")).json()["balance"] == "3.0000"
    assert engine.handle(control_request("ledger")).json()["balance"] == "100.0000"
    assert engine.handle(control_request("ledger", **{ACCOUNT_HEADER: "nobody"})).status == 404
    assert engine.handle(control_request("payments")).json()["payments"] == []


NO_LOGIN = {"detail": "Invalid email or password."}


@pytest.fixture
def verified_engine(engine):
    """`engine`, once Anna has proved her mailbox."""
    verify_email()(engine)
    return engine


@pytest.mark.parametrize(
    ("body", "status", "refusal"),
    [
        ({"email": ANNA, "password": ANNAS_PASSWORD.lower()}, 401, NO_LOGIN),
        ({"email": "nobody@mailbox.dev", "password": ANNAS_PASSWORD}, 401, NO_LOGIN),
        ({"email": ANNA}, 400, {"password": ["This field is required."]}),
    ],
)
def test_a_refused_login_does_not_say_whether_the_address_has_an_account(
    verified_engine, body, status, refusal
):
    response = verified_engine.handle(auth_request("login", **body))
    assert (response.status, response.json()) == (status, refusal)


@pytest.mark.parametrize(("switches", "life"), [({}, 86_400), ({"token_lifetime_s": 60}, 60)])
def test_a_token_says_how_long_it_lives(switches, life):
    engine = didit.new_engine(switches=switches)
    engine.handle(register_request())
    tokens = [verify_email()(engine).json(), engine.handle(login_request()).json()]
    assert [body["expires_in"] for body in tokens] == [life, life]
    assert len({body[name] for body in tokens for name in ("access_token", "refresh_token")}) == 4
