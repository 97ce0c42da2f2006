"""Who is let in: tokens, keys, limits, the wallet, in their order; and what the journal shows."""

import pytest
from kit import mock_deepvue as deepvue
from kit.mock_deepvue import MATCH, authorize, liveness, match, request, token_of, wallet
from kit.mock_worlds import control_of


@pytest.fixture
def engine():
    """A world of Deepvue's."""
    return deepvue.new_engine(vendor="deepvue")


@pytest.fixture
def token(engine):
    """A good token."""
    return token_of(engine)


@pytest.fixture
def control(engine):
    """What may be done to the world."""
    return control_of(engine.world)


def told(answer):
    """Status and detail."""
    return answer.status, answer.json()["detail"]


@pytest.mark.parametrize("made", [match, liveness])
def test_in_their_order(engine, token, control, made):
    """Missing token, bad token, wrong key, limit, body, wallet."""
    control.set_limit("minute", 0)
    control.set_balance(0)
    assert told(engine.handle(made(key="x"))) == (401, "Not authenticated")
    assert told(engine.handle(made(token="x", key="x"))) == (403, "Not a valid token")
    wrong = engine.handle(made(token=token, key="x"))
    assert told(wrong) == (401, "Could not validate credentials")
    limited = engine.handle(made(token=token))
    assert told(limited) == (429, "Rate limit exceeded. Please retry after some time.")
    assert limited.header("Retry-After") is None
    control.set_limit("minute", None)
    assert engine.handle(request(made().path, token=token)).status == 422
    assert told(engine.handle(made(token=token))) == (402, "Payment Required")
    assert control.charges() == ()


@pytest.mark.parametrize("header", ["Basic x", "Bearer", "Bearer  ", "x"])
def test_what_is_no_bearer_token_is_none(engine, header):
    """As if nothing had been sent."""
    assert told(engine.handle(match(authorization=header))) == (401, "Not authenticated")


def test_the_secret_of_another_client(engine, token, control):
    """Is refused, although both are good; without rights it is 403, switched off 400."""
    control.add_key(key="second-secret", client="second-client")
    assert engine.handle(match(token=token, key="second-secret")).status == 401
    own = token_of(engine, client="second-client", secret="second-secret")
    assert engine.handle(match(token=own, key="second-secret")).status == 200
    control.add_key(key="weak-secret", allowed=False)
    assert told(engine.handle(match(token=token, key="weak-secret"))) == (403, "Forbidden")
    control.revoke_key("mock-live-key")
    assert told(engine.handle(match(token=token))) == (400, "Inactive client_id")


def test_a_client_id_is_for_who_has_one(control):
    """A vendor without client ids takes none; an empty one is none."""
    with pytest.raises(ValueError, match="client must be a string"):
        control.add_key(client=" ")
    with pytest.raises(ValueError, match="client must be a string"):
        control_of(deepvue.new_world()).add_key(client="x")


@pytest.mark.parametrize(
    ("plan", "second", "minute", "day"),
    [
        ("starter", 1, 30, 1_000),
        ("business", 2, 100, 10_000),
        ("growth", 5, 500, 20_000),
        ("enterprise", 17, 1_000, 50_000),
    ],
)
def test_plans(plan, second, minute, day):
    """Three windows by the plan; each refuses by itself, and a refused call counts in none."""
    engine = deepvue.new_engine(vendor="deepvue", switches={"plan": plan})
    control = control_of(engine.world)
    assert control.limits() == {"second": second, "minute": minute, "day": day}
    statuses = [engine.handle(wallet()).status for _ in range(second + 3)]
    assert statuses == [200] * second + [429] * 3
    for _ in range(59):
        control.advance(1)
        statuses += [engine.handle(wallet()).status for _ in range(second)]
    assert statuses.count(200) == min(minute, 60 * second)


def test_the_day_cannot_be_waited_out():
    """A call that the day refuses counts neither there nor in the minute."""
    switches = {"day_limit": 2, "minute_limit": 2, "retry_after": True}
    engine = deepvue.new_engine(vendor="deepvue", switches=switches)
    control = control_of(engine.world)
    assert [engine.handle(wallet()).status for _ in range(3)] == [200, 200, 429]
    control.advance(61)
    refused = engine.handle(wallet())
    assert (refused.status, refused.header("Retry-After")) == (429, str(86_400 - 61))
    control.advance(86_400 - 61)
    assert engine.handle(wallet()).status == 200


def test_without_a_plan_there_is_no_limit(engine):
    """The clock of a test stands still, and it may ask as often as it likes."""
    assert {engine.handle(wallet()).status for _ in range(200)} == {200}


def test_the_wallet(engine, token, control):
    """Told without an envelope to key and client id; it drops per success alone."""
    assert engine.handle(wallet()).json() == {"current_balance": 100, "success": True}
    engine.handle(match(token=token))
    engine.handle(match(deepvue.picture(score=3), token=token))
    engine.handle(liveness(token=token))
    engine.handle(match(deepvue.picture(faces=0), token=token))
    engine.handle(request(MATCH, token=token))
    assert engine.handle(wallet()).json()["current_balance"] == 99.91
    assert [(one.what, str(one.amount)) for one in control.charges()] == [
        ("facematch", "0.03"),
        ("facematch", "0.03"),
        ("liveness-check", "0.03"),
    ]
    for sent in (wallet(key="x"), wallet(client="x"), wallet(key=None)):
        assert told(engine.handle(sent)) == (401, "Incorrect client_id or client_secret")


@pytest.mark.parametrize(
    ("sent", "status", "detail", "allow"),
    [
        (request("/v1/nothing"), 404, "Not Found", None),
        (request("/v1/facematch/"), 404, "Not Found", None),
        (request(MATCH, method="GET"), 405, "Method Not Allowed", "POST"),
        (wallet(method="POST"), 405, "Method Not Allowed", "GET"),
    ],
)
def test_paths_and_methods(engine, sent, status, detail, allow):
    """As the framework says it, before anybody asks who calls."""
    answer = engine.handle(sent)
    assert told(answer) == (status, detail)
    assert answer.header("Allow") == allow


def test_the_journal_has_no_secret_and_no_picture(engine, control):
    """Not of a form, a JSON body or a header, and not of a text in the place of a file."""
    token = token_of(engine)
    face = deepvue.picture(note="private")
    engine.handle(authorize(as_files=True))
    engine.handle(match(face, token=token))
    engine.handle(liveness(face, token=token))
    parts = [("file_a", face.decode("latin-1")), ("file_b", "private text")]
    engine.handle(request(MATCH, *deepvue.multipart(parts), token=token))
    body, _ = deepvue.multipart([("client_secret", "mock-live-key")])
    engine.handle(request("/v1/authorize", body, "text/plain"))
    shown = repr([entry.to_dict() for entry in control.journal()])
    for secret in ("mock-live-key", token, token[:30], "private", "cHJpdmF0Z", "Bearer"):
        assert secret not in shown
    first, _, third, fourth, fifth, _ = control.journal()
    assert first.fields == {"client_id": "mock-client", "client_secret": "***"}
    assert [(one.field, one.size) for one in third.files] == [
        ("file_a", len(face)),
        ("file_b", len(deepvue.picture(other=1))),
    ]
    assert [(one.field, one.size) for one in fourth.files] == [("image", len(face))]
    assert fifth.fields["file_b"] == "12 characters"
    assert [entry.key for entry in control.journal()] == ["live"] * 5 + ["none"]
    assert {entry.vendor for entry in control.journal()} == {"deepvue"}
