"""Access: tokens, keys, limits and the wallet, in their order."""

import base64
import datetime as dt
import json

import pytest
from kit import mock_deepvue as deepvue
from kit import mock_didit as didit
from kit.mock_deepvue import (
    FACEMATCH,
    authorize,
    deepvue_liveness,
    deepvue_match,
    deepvue_request,
    token_of,
    wallet,
)
from kit.mock_worlds import control_of

DENIED = "Invalid client_id or client_secret, access Denied"
END = int((didit.START + dt.timedelta(days=1)).timestamp())


def engine_with(**switches):
    clock = didit.VirtualClock(didit.START.replace(microsecond=0))
    return deepvue.new_engine(vendor="deepvue", switches=switches, clock=clock)


def decode_token(token):
    head, claims, signature = (
        base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in token.split(".")
    )
    return json.loads(head), json.loads(claims), signature


@pytest.mark.parametrize("as_files", [False, True])
def test_the_known_pair_gets_a_jwt_in_hs256(as_files):
    answer = engine_with().handle(authorize(as_files=as_files))
    assert answer.status == 200
    body = answer.json()
    assert (body["token_type"], body["expiry"]) == ("bearer", "2026-07-03T09:15:27Z")
    head, claims, _ = decode_token(body["access_token"])
    assert head == {"alg": "HS256", "typ": "JWT"}
    assert claims == {"sub": "mock-client", "exp": END, "jti": "1"}


@pytest.mark.parametrize(
    ("pair", "status", "detail"),
    [
        ({"client": "x"}, 401, DENIED),
        ({"secret": "x"}, 401, DENIED),
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
    answer = engine_with().handle(authorize(**pair))
    assert (answer.status, answer.json()) == (status, {"detail": detail})


def test_a_client_whose_key_was_revoked_or_is_past_its_day_is_inactive():
    engine = engine_with()
    control = control_of(engine.world)
    control.add_key(key="past-secret", expires=dt.date(2026, 7, 1))
    control.revoke_key("mock-live-key")
    for secret in ("past-secret", "mock-live-key"):
        answer = engine.handle(authorize(secret=secret))
        assert (answer.status, answer.json()) == (400, {"detail": "Inactive client_id"})


def test_a_token_lives_as_long_as_it_was_set_to():
    engine = engine_with(token_life_s=600)
    body = engine.handle(authorize()).json()
    token = body.pop("access_token")
    assert body == {"token_type": "bearer", "expiry": "2026-07-02T09:25:27Z"}
    assert decode_token(token)[1]["exp"] == END - 86_400 + 600
    control = control_of(engine.world)
    control.advance(599)
    assert engine.handle(deepvue_match(token=token)).status == 200
    control.advance(1)
    refused = engine.handle(deepvue_match(token=token))
    assert (refused.status, refused.json()) == (403, {"detail": "Not a valid token"})


def test_tokens_are_counted_and_taken_back():
    engine = engine_with(bad_token=401)
    tokens = control_of(engine.world).tokens
    first, second = token_of(engine), token_of(engine)
    engine.handle(authorize(secret="wrong"))
    assert first != second
    assert (tokens.asked, len(tokens.issued())) == (3, 2)
    assert tokens.revoke() == 2
    assert tokens.revoke() == 0
    for token in (first, second):
        assert engine.handle(deepvue_match(token=token)).status == 401
    third = token_of(engine)
    assert engine.handle(deepvue_match(token=third)).status == 200
    assert [token.revoked for token in tokens.issued()] == [True, True, False]
    assert third not in repr(tokens.issued())


def test_a_token_of_another_world_is_none():
    engine, other = engine_with(), deepvue.new_engine(vendor="deepvue", seed=8)
    token = token_of(engine)
    assert other.handle(deepvue_match(token=token)).status == 403
    head, claims, _ = token.split(".")
    assert engine.handle(deepvue_match(token=f"{head}.{claims}.x")).status == 403
    control_of(engine.world).reset()
    assert engine.handle(deepvue_match(token=token)).status == 403


@pytest.fixture
def engine():
    return deepvue.new_engine(vendor="deepvue")


@pytest.fixture
def token(engine):
    return token_of(engine)


@pytest.fixture
def control(engine):
    return control_of(engine.world)


def refusal_of(answer):
    return answer.status, answer.json()["detail"]


@pytest.mark.parametrize("make_request", [deepvue_match, deepvue_liveness])
def test_token_key_limit_body_and_wallet_are_asked_in_that_order(
    engine, token, control, make_request
):
    control.set_limit("minute", 0)
    control.set_balance(0)
    assert refusal_of(engine.handle(make_request(key="x"))) == (401, "Not authenticated")
    assert refusal_of(engine.handle(make_request(token="x", key="x"))) == (403, "Not a valid token")
    wrong = engine.handle(make_request(token=token, key="x"))
    assert refusal_of(wrong) == (401, "Could not validate credentials")
    limited = engine.handle(make_request(token=token))
    assert refusal_of(limited) == (429, "Rate limit exceeded. Please retry after some time.")
    assert limited.header("Retry-After") is None
    control.set_limit("minute", None)
    assert engine.handle(deepvue_request(make_request().path, token=token)).status == 422
    assert refusal_of(engine.handle(make_request(token=token))) == (402, "Payment Required")
    assert control.charges() == ()


@pytest.mark.parametrize("header", ["Basic x", "Bearer", "Bearer  ", "x"])
def test_what_is_no_bearer_token_is_none(engine, header):
    assert refusal_of(engine.handle(deepvue_match(authorization=header))) == (
        401,
        "Not authenticated",
    )


def test_the_secret_of_another_client_is_refused_although_both_are_good(engine, token, control):
    control.add_key(key="second-secret", client="second-client")
    assert engine.handle(deepvue_match(token=token, key="second-secret")).status == 401
    second_token = token_of(engine, client="second-client", secret="second-secret")
    assert engine.handle(deepvue_match(token=second_token, key="second-secret")).status == 200
    control.add_key(key="weak-secret", allowed=False)
    assert refusal_of(engine.handle(deepvue_match(token=token, key="weak-secret"))) == (
        403,
        "Forbidden",
    )
    control.revoke_key("mock-live-key")
    assert refusal_of(engine.handle(deepvue_match(token=token))) == (400, "Inactive client_id")


def test_each_window_refuses_by_itself():
    switches = {"second_limit": 1, "minute_limit": 30}
    engine = deepvue.new_engine(vendor="deepvue", switches=switches)
    control = control_of(engine.world)
    assert control.limits() == {"second": 1, "minute": 30, "day": None}
    statuses = [engine.handle(wallet()).status for _ in range(4)]
    assert statuses == [200, 429, 429, 429]
    for _ in range(59):
        control.advance(1)
        statuses.append(engine.handle(wallet()).status)
    assert statuses.count(200) == 30


def test_a_call_that_the_day_refuses_counts_neither_there_nor_in_the_minute():
    switches = {"day_limit": 2, "minute_limit": 2}
    engine = deepvue.new_engine(vendor="deepvue", switches=switches)
    control = control_of(engine.world)
    assert [engine.handle(wallet()).status for _ in range(3)] == [200, 200, 429]
    control.advance(61)
    refused = engine.handle(wallet())
    assert (refused.status, refused.header("Retry-After")) == (429, None)
    control.advance(86_400 - 61)
    assert engine.handle(wallet()).status == 200


def test_the_wallet_drops_per_success_alone(engine, token, control):
    assert engine.handle(wallet()).json() == {"current_balance": 100, "success": True}
    engine.handle(deepvue_match(token=token))
    engine.handle(deepvue_match(deepvue.jpeg_scene(score=3), token=token))
    engine.handle(deepvue_liveness(token=token))
    engine.handle(deepvue_match(deepvue.jpeg_scene(faces=0), token=token))
    engine.handle(deepvue_request(FACEMATCH, token=token))
    assert engine.handle(wallet()).json()["current_balance"] == 99.91
    assert [(charge.what, str(charge.amount)) for charge in control.charges()] == [
        ("facematch", "0.03"),
        ("facematch", "0.03"),
        ("liveness-check", "0.03"),
    ]
    for sent in (wallet(key="x"), wallet(client="x"), wallet(key=None)):
        assert refusal_of(engine.handle(sent)) == (401, "Incorrect client_id or client_secret")


@pytest.mark.parametrize(
    ("sent", "status", "detail", "allow"),
    [
        (deepvue_request("/v1/nothing"), 404, "Not Found", None),
        (deepvue_request(FACEMATCH, method="GET"), 405, "Method Not Allowed", "POST"),
    ],
)
def test_an_unknown_path_or_method_is_refused_before_anybody_asks_who_calls(
    engine, sent, status, detail, allow
):
    answer = engine.handle(sent)
    assert refusal_of(answer) == (status, detail)
    assert answer.header("Allow") == allow


def test_the_journal_has_no_secret_and_no_picture(engine, control):
    token = token_of(engine)
    face = deepvue.jpeg_scene(note="private")
    engine.handle(authorize(as_files=True))
    engine.handle(deepvue_match(face, token=token))
    engine.handle(deepvue_liveness(face, token=token))
    parts = [("file_a", face.decode("latin-1")), ("file_b", "private text")]
    engine.handle(deepvue_request(FACEMATCH, *deepvue.multipart(parts), token=token))
    body, _ = deepvue.multipart([("client_secret", "mock-live-key")])
    engine.handle(deepvue_request("/v1/authorize", body, "text/plain"))
    shown = repr([entry.to_dict() for entry in control.journal()])
    for secret in ("mock-live-key", token, token[:30], "private", "cHJpdmF0Z", "Bearer"):
        assert secret not in shown
    first, _, third, fourth, fifth, _ = control.journal()
    assert first.fields == {"client_id": "mock-client", "client_secret": "***"}
    assert [(file.field, file.size) for file in third.files] == [
        ("file_a", len(face)),
        ("file_b", len(deepvue.jpeg_scene(other=1))),
    ]
    assert [(file.field, file.size) for file in fourth.files] == [("image", len(face))]
    assert fifth.fields["file_b"] == "12 characters"
    assert [entry.key for entry in control.journal()] == ["live"] * 5 + ["none"]
    assert {entry.vendor for entry in control.journal()} == {"deepvue"}
