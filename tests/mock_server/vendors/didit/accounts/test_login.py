"""POST /programmatic/login/, and what tokens open."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit import mock_didit as didit
from kit.mock_didit_accounts import (
    ANNA,
    FAILED,
    ME,
    PASSWORD,
    auth,
    later,
    login,
    opened,
    register,
    told,
    verify,
)

from facematch_mock_server.vendors.didit.accounts import locked_s

WRONG = {"detail": "Invalid email or password."}


@pytest.fixture
def engine():
    """A world in which Anna has proved her mailbox."""
    engine = didit.new_engine()
    engine.handle(register())
    verify()(engine)
    return engine


def with_token(token, path=ME):
    """A request of whoever shows that token."""
    return told(path, key=None, Authorization=f"Bearer {token}")


def test_a_login(engine):
    """New tokens, for a day; the address in any case."""
    response = engine.handle(login(ANNA.upper()))
    assert response.status == 200
    assert list(response.json()) == ["access_token", "refresh_token", "expires_in"]
    assert response.json()["access_token"] != engine.handle(login()).json()["access_token"]


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        ({"email": ANNA, "password": PASSWORD.lower()}, 401, WRONG),
        ({"email": "nobody@mailbox.dev", "password": PASSWORD}, 401, WRONG),
        ({"email": ANNA}, 400, {"password": ["This field is required."]}),
    ],
)
def test_a_login_that_is_refused(engine, body, status, told):
    """Nobody learns whether the address has an account."""
    response = engine.handle(auth("login", **body))
    assert (response.status, response.json()) == (status, told)


def test_before_the_mailbox_was_proved(ask):
    """Nobody is let in, and the password was right."""
    assert ask(register(), login())[:2] == (403, {"detail": "Verify your email address first."})


def test_five_failures_lock_the_account(engine):
    """For a quarter of an hour, for the right password as well."""
    for _ in range(5):
        assert engine.handle(FAILED).status == 401
    engine.handle(later(0.5))
    locked = engine.handle(login())
    assert locked.status == 429
    assert locked.header("Retry-After") == "900"
    assert locked.json()["detail"].startswith("Too many failed logins.")
    engine.handle(later(899.5))
    assert engine.handle(login()).status == 200


def test_more_failures_lock_it_for_longer(engine):
    """Ten for an hour, twenty for a day; each one after that as well."""
    failures, waits = 0, []
    while failures < 22:
        response = engine.handle(FAILED)
        if response.status == 401:
            failures += 1
            continue
        waits.append((failures, int(response.header("Retry-After"))))
        engine.handle(later(waits[-1][1]))
    assert waits == [(5, 900), (10, 3600), (20, 86_400), (21, 86_400)]


def test_a_good_login_forgets_the_failures(engine):
    """Four and four are not eight."""
    for _ in range(2):
        for _ in range(4):
            engine.handle(FAILED)
        assert engine.handle(login()).status == 200


@given(st.integers(1, 60))
def test_for_how_long(failures):
    """By the table; beyond its end as its last row."""
    wanted = {5: 900, 10: 3600}.get(failures, 86_400 if failures >= 20 else 0)
    assert locked_s(failures) == wanted


def test_a_token_opens_the_organizations(engine):
    """Of the person who logged in; an application tells its key."""
    token = engine.handle(login()).json()["access_token"]
    one = opened(engine)
    organizations = engine.handle(with_token(token))
    assert organizations.status == 200
    assert [found["uuid"] for found in organizations.json()] == [one.organization]
    path = f"{ME}{one.organization}/applications/{one.application}/"
    application = engine.handle(with_token(token, path))
    assert application.status == 200
    assert application.json() == {
        "uuid": one.application,
        "name": "My application",
        "client_id": one.client_id,
        "api_key": application.json()["api_key"],
    }
    balance = engine.handle(told("/v3/billing/balance/", key=application.json()["api_key"]))
    assert balance.status == 200
    other = f"{ME}{one.application}/applications/{one.application}/"
    assert engine.handle(with_token(token, other)).status == 404
    assert engine.handle(told(path, key=None)).status == 401


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer wrong", "Basic {}", "{}"])
def test_a_token_that_opens_nothing(engine, header):
    """401 without a word about why."""
    token = engine.handle(login()).json()["access_token"]
    headers = {} if header is None else {"Authorization": header.format(token)}
    response = engine.handle(told(ME, key=None, **headers))
    assert (response.status, response.json()) == (401, {"detail": "Invalid or expired token."})


def test_a_refresh_token_is_no_access_token(engine):
    """No endpoint takes it: none is documented."""
    token = engine.handle(login()).json()["refresh_token"]
    assert engine.handle(with_token(token)).status == 401


@pytest.mark.parametrize(("switches", "life"), [({}, 86_400), ({"token_lifetime_s": 60}, 60)])
def test_a_token_lives_as_long_as_it_says(switches, life):
    """By the clock of the world."""
    engine = didit.new_engine(switches=switches)
    engine.handle(register())
    body = verify()(engine).json()
    assert body["expires_in"] == life
    engine.handle(later(life - 1))
    assert engine.handle(with_token(body["access_token"])).status == 200
    engine.handle(later(1))
    assert engine.handle(with_token(body["access_token"])).status == 401
