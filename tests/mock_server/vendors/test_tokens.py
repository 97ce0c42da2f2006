"""Tokens of a login, at the vendors that have one: their life, and what ends them."""

import attrs
import pytest
from kit.mock_world import new_engine
from vendors import baidu, deepvue, onfido


@attrs.frozen
class Login:
    """A vendor's login.

    Attributes:
        request: The login.
        call: Makes a call with a token.
        life_s: The seconds for which a token is valid.
        expired, unknown: What a call says whose token has expired, or was revoked.
    """

    request: object
    call: object
    life_s: int
    expired: str
    unknown: str


LOGINS = {
    "baidu": Login(
        baidu.login(),
        lambda token: baidu.match(token=token),
        30 * 86_400,
        expired='"error_code":111,',
        unknown='"error_code":110,',
    ),
    "deepvue": Login(
        deepvue.authorize(),
        lambda token: deepvue.deepvue_match(token=token),
        86_400,
        expired="Not a valid token",
        unknown="Not a valid token",
    ),
    "onfido": Login(
        onfido.login(),
        lambda token: onfido.ask(onfido.APPLICANTS, bearer=token),
        3_600,
        expired="authorization_error",
        unknown="authorization_error",
    ),
}


@pytest.fixture
def login(vendor):
    return LOGINS[vendor]


@pytest.fixture
def engine(vendor):
    return new_engine(vendor=vendor)


def token_of(engine, login):
    return engine.handle(login.request).json()["access_token"]


def answer_to(engine, login, token):
    return engine.handle(login.call(token)).body.decode()


@pytest.mark.parametrize("vendor", LOGINS)
def test_token_is_valid_until_its_life_is_over(engine, login):
    token = token_of(engine, login)
    engine.world.clock.advance(login.life_s - 1)
    assert login.expired not in answer_to(engine, login, token)
    engine.world.clock.advance(1)
    assert login.expired in answer_to(engine, login, token)


@pytest.mark.parametrize("vendor", LOGINS)
def test_revoked_or_unknown_token_is_refused(engine, control, vendor, login):
    tokens = control.tokens
    revoked = token_of(engine, login)
    assert (tokens.revoke(), tokens.revoke()) == (1, 0)
    valid = token_of(engine, login)
    assert (tokens.asked, len(tokens.issued())) == (2, 2)
    foreign = token_of(new_engine(vendor=vendor, seed=8), login)
    for token in (revoked, foreign, "24.x"):
        assert login.unknown in answer_to(engine, login, token)
    assert login.unknown not in answer_to(engine, login, valid)
    assert valid not in repr(tokens.issued())
    control.reset()
    assert login.unknown in answer_to(engine, login, valid)
