"""POST /programmatic/register/: who may register, and with which password."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit import mock_didit as didit
from kit.mock_didit import request
from kit.mock_didit_accounts import ANNA, AUTH, PASSWORD, auth, later, register
from kit.mock_worlds import control_of

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


def test_a_registration(ask):
    """201, a code in the mailbox, and no key yet."""
    engine = didit.new_engine()
    response = engine.handle(register())
    assert (response.status, response.json()) == (201, {"message": WELCOME, "email": ANNA})
    control = control_of(engine.world)
    (mail,) = control.mailbox.mails()
    assert (mail.to, mail.at) == (ANNA, didit.START)
    assert len(mail.code) == 6
    assert mail.code.isalnum()
    assert mail.code not in repr(mail)
    assert control.accounts() == ("main",)


def test_by_the_name_of_the_host(ask):
    """One port serves both hosts."""
    assert ask(register(host="apx.didit.me"))[0] == 201


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({}, {"email": REQUIRED, "password": REQUIRED}),
        ({"email": ANNA}, {"password": REQUIRED}),
        ({"email": "nobody", "password": PASSWORD}, BAD_EMAIL),
        ({"email": "a b@c.dev", "password": PASSWORD}, BAD_EMAIL),
        (
            {"email": "a@\ud800.dev", "password": PASSWORD},
            {"email": ["Surrogate characters are not allowed: U+D800."]},
        ),
        ({"email": "a" * 315 + "@c.dev", "password": PASSWORD}, BAD_EMAIL),
        ({"email": True, "password": PASSWORD}, BAD_EMAIL),
        ({"email": ANNA, "password": None}, {"password": ["This field may not be null."]}),
    ],
)
def test_a_body_that_is_refused(ask, body, errors):
    """Field by field, all at once."""
    assert ask(auth("register", **body))[:2] == (400, errors)


@pytest.mark.parametrize(
    ("password", "rule"),
    [
        ("Short-7", "short"),
        ("", "short"),
        ("no-upper-case-7", "upper"),
        ("NO-LOWER-CASE-7", "lower"),
        ("No-digit-here", "digit"),
        ("Nospecial7", "special"),
        ("nothing", "short"),
        ("nothing at all", "upper"),
        ("Eight-78", None),
        ("Größe-7", "short"),
        ("Größer-7", None),
    ],
)
def test_the_rules_of_passwords(ask, password, rule):
    """Of several that are broken, the first is told."""
    status, body, _ = ask(register(password=password))
    if rule is None:
        assert status == 201
    else:
        assert (status, body) == (400, {"password": [RULES[rule]]})


@given(st.text(max_size=12))
def test_one_broken_rule_is_told(password):
    """Whatever the password, one sentence or none."""
    response = didit.new_engine().handle(register(password=password))
    if response.status != 201:
        assert [[words] for words in RULES.values() if response.json() == {"password": [words]}]


@pytest.mark.parametrize(
    ("email", "reserved"),
    [
        ("a@example.com", True),
        ("a@EXAMPLE.org", True),
        ("a@mail.example.net", True),
        ("a@b.test", True),
        ("a@b.invalid", True),
        ("a@my-example.com", False),
        ("a@example.com.dev", False),
    ],
)
def test_domains_that_are_reserved_for_tests(ask, email, reserved):
    """They make the server fail, as is reported of the vendor; a switch lets them in."""
    status, body, _ = ask(register(email))
    assert status == (500 if reserved else 201)
    assert not reserved or "<h1>Server Error (500)</h1>" in body
    assert ask(register(email), switches={"reserved_domains": "accepted"})[0] == 201


def test_an_address_has_one_account(ask):
    """In any case, proved or not; the first password stays."""
    assert ask(register(), register("ANNA@Mailbox.dev"))[:2] == (
        400,
        {"email": ["This email address has an account."]},
    )


def test_five_an_hour():
    """From one address of the network, good or bad; another has its own five."""
    engine = didit.new_engine()
    for number in range(5):
        assert engine.handle(register(f"p{number}@mailbox.dev", "bad")).status == 400
        engine.handle(later(60))
    refused = engine.handle(register())
    assert refused.status == 429
    assert refused.json() == {
        "detail": "Request was throttled. Expected available in 3300 seconds."
    }
    assert refused.header("Retry-After") == "3300"
    assert engine.handle(register("p8@mailbox.dev", x_forwarded_for="198.51.100.1")).status == 201
    engine.handle(later(3300))
    assert engine.handle(register()).status == 201


def test_a_key_opens_no_window_of_its_own():
    """An address registers five times, whatever it shows."""
    engine = didit.new_engine()
    for number in range(6):
        answer = engine.handle(
            register(f"p{number}@mailbox.dev", x_api_key=f"key-{number % 2 or number}")
        )
        assert answer.status == (429 if number == 5 else 201)


def test_accounts_are_bounded(monkeypatch):
    """The oldest is forgotten first."""
    from facematch_mock_server.vendors.didit import records

    monkeypatch.setattr(records, "KEPT", 3)
    engine = didit.new_engine(switches={"register_limit": None})
    for number in range(5):
        assert engine.handle(register(f"p{number}@mailbox.dev")).status == 201
    found = [engine.world.records.accounts.find(f"p{n}@mailbox.dev") for n in range(5)]
    assert [one is not None for one in found] == [False, False, True, True, True]


def test_without_that_limit():
    """For tests that register many."""
    engine = didit.new_engine(switches={"register_limit": None})
    for number in range(7):
        assert engine.handle(register(f"p{number}@mailbox.dev")).status == 201


def test_what_is_no_json(ask):
    """Refused as everywhere."""
    sent = request(f"{AUTH}register/", b"email=a", "application/x-www-form-urlencoded", key=None)
    assert ask(sent)[0] == 415


def test_nobody_reads_a_password_or_a_code():
    """Not in the journal, not in the store, not in a repr."""
    engine = didit.new_engine()
    engine.handle(register())
    code = control_of(engine.world).mailbox.code(ANNA)
    answer = engine.handle(auth("verify-email", email=ANNA, code=code)).json()
    engine.handle(auth("login", email=ANNA, password=PASSWORD))
    kept = repr(engine.world.account.journal.entries)
    account = repr(engine.world.records.accounts.find(ANNA))
    for secret in (PASSWORD, code, answer["application"]["api_key"], answer["access_token"]):
        assert secret not in kept
        assert secret not in account
