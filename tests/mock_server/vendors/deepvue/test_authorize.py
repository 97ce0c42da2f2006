"""Tokens: asked for, told, counted, over, taken back."""

import base64
import datetime as dt
import hashlib
import hmac
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit import mock_deepvue as deepvue
from kit.mock_deepvue import authorize, match, token_of
from kit.mock_worlds import control_of

from facematch_mock_server.vendors.deepvue.tokens import claims_of, signed

END = int((deepvue.didit.START + dt.timedelta(days=1)).timestamp())


def engine_with(**switches):
    """A world of Deepvue's with these switches."""
    return deepvue.new_engine(vendor="deepvue", switches=switches)


def decoded(token):
    """The three parts of a token."""
    head, claims, signature = (
        base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in token.split(".")
    )
    return json.loads(head), json.loads(claims), signature


@pytest.mark.parametrize("as_files", [False, True])
def test_the_known_pair_works_at_once(as_files):
    """Urlencoded and multipart; the token is a JWT in HS256 with sub and exp."""
    answer = engine_with().handle(authorize(as_files=as_files))
    assert answer.status == 200
    body = answer.json()
    assert (body["token_type"], body["expiry"]) == ("bearer", "2026-07-03T09:15:27Z")
    head, claims, _ = decoded(body["access_token"])
    assert head == {"alg": "HS256", "typ": "JWT"}
    assert claims == {"sub": "mock-client", "exp": END, "jti": "1"}


@pytest.mark.parametrize(
    ("pair", "status", "detail"),
    [
        ({"client": "x"}, 401, "Invalid client_id or client_secret, access Denied"),
        ({"secret": "x"}, 401, "Invalid client_id or client_secret, access Denied"),
        ({"secret": "mock-sandbox-key"}, 401, "Invalid client_id or client_secret, access Denied"),
        (
            {"secret": None},
            422,
            [
                {
                    "loc": ["body", "client_secret"],
                    "msg": "field required",
                    "type": "value_error.missing",
                }
            ],
        ),
    ],
)
def test_another_pair_is_refused(pair, status, detail):
    """In the words of the documents, or of the framework."""
    answer = engine_with().handle(authorize(**pair))
    assert (answer.status, answer.json()) == (status, {"detail": detail})


def test_an_inactive_client():
    """A key that was revoked, or is past its last day, is a client that was switched off."""
    engine = engine_with()
    control = control_of(engine.world)
    control.add_key(key="past-secret", expires=dt.date(2026, 7, 1))
    control.revoke_key("mock-live-key")
    for secret in ("past-secret", "mock-live-key"):
        answer = engine.handle(authorize(secret=secret))
        assert (answer.status, answer.json()) == (400, {"detail": "Inactive client_id"})


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ("iso", {"expiry": "2026-07-02T09:25:27Z"}),
        ("24hrs", {"expiry": "24hrs"}),
        ("digits", {"expiry": "600"}),
        ("expires_in", {"expires_in": 600}),
        ("missing", {}),
    ],
)
def test_forms_of_expiry(form, told):
    """Whatever is told, the token itself tells its end and lives as long as it was set to."""
    engine = engine_with(expiry=form, token_life_s=600)
    body = engine.handle(authorize()).json()
    token = body.pop("access_token")
    assert body == {"token_type": "bearer", **told}
    assert decoded(token)[1]["exp"] == END - 86_400 + 600
    control = control_of(engine.world)
    control.advance(599)
    assert engine.handle(match(token=token)).status == 200
    control.advance(1)
    refused = engine.handle(match(token=token))
    assert (refused.status, refused.json()) == (403, {"detail": "Not a valid token"})


def test_tokens_are_counted_and_taken_back():
    """A refused call counts as asked; what is taken back is bad, what comes later is good."""
    engine = engine_with(bad_token=401)
    tokens = control_of(engine.world).tokens
    first, second = token_of(engine), token_of(engine)
    engine.handle(authorize(secret="wrong"))
    assert first != second
    assert (tokens.asked, len(tokens.issued())) == (3, 2)
    assert tokens.revoke() == 2
    assert tokens.revoke() == 0
    for token in (first, second):
        assert engine.handle(match(token=token)).status == 401
    third = token_of(engine)
    assert engine.handle(match(token=third)).status == 200
    assert [one.revoked for one in tokens.issued()] == [True, True, False]
    assert third not in repr(tokens.issued())


def test_a_token_of_another_world_is_none():
    """Nor is one that was made up, nor one of before a reset, whatever the seed."""
    one, other = engine_with(), deepvue.new_engine(vendor="deepvue", seed=8)
    token = token_of(one)
    assert other.handle(match(token=token)).status == 403
    head, claims, _ = token.split(".")
    assert one.handle(match(token=f"{head}.{claims}.x")).status == 403
    control_of(one.world).reset()
    assert one.handle(match(token=token)).status == 403


@given(
    claims=st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5), max_size=3),
    key=st.binary(min_size=1, max_size=40),
)
def test_what_is_signed_can_be_read(claims, key):
    """With the key alone; the signature is that of the standard."""
    token = signed(claims, key)
    assert claims_of(token, key) == claims
    assert claims_of(token, key + b"\1") is None
    text, _, _ = token.rpartition(".")
    assert decoded(token)[2] == hmac.new(key, text.encode(), hashlib.sha256).digest()


@given(text=st.text(max_size=30))
def test_any_other_text_is_no_token(text):
    """And nothing is raised over it."""
    assert claims_of(text, b"key") is None
