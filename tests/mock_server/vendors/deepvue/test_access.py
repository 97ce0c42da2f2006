"""Access: tokens, keys, limits and the wallet, in their order."""

import base64
import datetime as dt
import json

import pytest
from kit.mock_world import START, VirtualClock, multipart, new_engine
from vendors import deepvue
from vendors.deepvue import FACEMATCH, authorize, deepvue_match, deepvue_request, token_of

END = int((START + dt.timedelta(days=1)).timestamp())


def decode_token(token):
    head, claims, signature = (
        base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in token.split(".")
    )
    return json.loads(head), json.loads(claims), signature


@pytest.mark.parametrize(
    ("life_s", "expiry"), [(86_400, "2026-07-03T09:15:27Z"), (600, "2026-07-02T09:25:27Z")]
)
def test_login_returns_an_hs256_jwt_that_expires(life_s, expiry):
    clock = VirtualClock(START.replace(microsecond=0))
    engine = new_engine(vendor="deepvue", switches={"token_life_s": life_s}, clock=clock)
    body = engine.handle(authorize()).json()
    token = body.pop("access_token")
    assert body == {"token_type": "bearer", "expiry": expiry}
    head, claims, _ = decode_token(token)
    assert head == {"alg": "HS256", "typ": "JWT"}
    assert claims.pop("jti")
    assert claims == {"sub": "mock-client", "exp": END - 86_400 + life_s}


def refusal_of(answer):
    return answer.status, answer.json()["detail"]


def test_token_with_another_clients_secret_is_rejected(engine, token, control):
    control.add_key(key="second-secret", client="second-client")
    assert engine.handle(deepvue_match(token=token, key="second-secret")).status == 401
    second_token = token_of(engine, client="second-client", secret="second-secret")
    assert engine.handle(deepvue_match(token=second_token, key="second-secret")).status == 200
    control.add_key(key="weak-secret", allowed=False)
    refused = engine.handle(deepvue_match(token=token, key="weak-secret"))
    assert refusal_of(refused) == (403, "Forbidden")
    control.revoke_key("mock-live-key")
    assert refusal_of(engine.handle(deepvue_match(token=token))) == (400, "Inactive client_id")


def test_the_journal_has_no_secret_and_no_picture(engine, control):
    token = token_of(engine)
    face = deepvue.jpeg_scene(note="private")
    engine.handle(authorize(as_files=True))
    engine.handle(deepvue_match(face, token=token))
    engine.handle(deepvue.deepvue_liveness(face, token=token))
    parts = [("file_a", face.decode("latin-1")), ("file_b", "private text")]
    engine.handle(deepvue_request(FACEMATCH, *multipart(parts), token=token))
    body, _ = multipart([("client_secret", "mock-live-key")])
    engine.handle(deepvue_request("/v1/authorize", body, "text/plain"))
    shown = repr([entry.to_dict() for entry in control.journal()])
    for secret in ("mock-live-key", token, token[:30], "private", "cHJpdmF0Z", "Bearer"):
        assert secret not in shown
    first, _, third, fourth, fifth, _ = control.journal()
    assert first.fields == {"client_id": "mock-client", "client_secret": "***"}
    sizes = {file.field: file.size for file in third.files + fourth.files}
    other = len(deepvue.jpeg_scene(other=1))
    assert sizes == {"file_a": len(face), "file_b": other, "image": len(face)}
    assert fifth.fields["file_b"] == "12 characters"
    assert [entry.key for entry in control.journal()] == ["live"] * 5 + ["none"]
    assert {entry.vendor for entry in control.journal()} == {"deepvue"}
