"""A pair vendor of one's own: what the docstrings of `PairVendor` and `HeaderKey` say."""

import pytest
from kit.mock_world import START, ScriptedRecognizer, control_of, multipart, request_to, scene

from facematch_mock_server.claims import OURS, Reply, row, table
from facematch_mock_server.http.app import App
from facematch_mock_server.vendors.pairs import HeaderKey, PairEndpoint, PairVendor, PictureFields
from facematch_mock_server.world.accounts import Accounts
from facematch_mock_server.world.clock import VirtualClock
from facematch_mock_server.world.keys import LIVE_KEY, Key, KeyKind
from facematch_mock_server.world.vendor import Vendor

CLAIMS = table(
    "acme",
    row("key.wrong", Reply(401, {"error": "key"}), OURS, "A wrong id or key is 401."),
    row("rate.exceeded", Reply(429, {"error": "rate"}), OURS, "A call too many is 429."),
    row("rate.limit", 2, OURS, "There are two calls a minute."),
    row("face.none", Reply(400, {"error": "{name}"}), OURS, "Without a face it is 400."),
    row("match.stranger", Reply(400, {"error": "stranger"}), OURS, "A stranger is 400."),
    row("credit.price", 1, OURS, "A comparison costs USD 1."),
    row("credit.start", 9, OURS, "An account begins with USD 9."),
    row("match.answer", Reply(200), OURS, "An answer has a score."),
    row("path", Reply(404, {"error": "path"}), OURS, "Another path is 404."),
)


class IdAndKey(HeaderKey):
    def check(self, call):
        client, secret = self.client_of(call.request), call.request.header("app-key")
        if not call.authenticate_client(client, secret):
            call.refuse("key.wrong")


class Acme(PairVendor):
    endpoints = (PairEndpoint(path="/compare", pictures=PictureFields(files=("selfie", "id"))),)
    key = IdAndKey("app-id")
    not_found_claim = "path"

    def check_rate(self, call):
        if call.count_request({"minute": 60.0}) is not None:
            call.refuse("rate.exceeded")

    def match_body(self, call, outcome):
        if outcome.score < 50:
            call.refuse("match.stranger")
        return {"score": outcome.score}


ACME = Vendor(
    name="acme",
    title="Acme",
    claims=CLAIMS,
    rate_limits={"minute": "rate.limit"},
    operations=("match",),
    first_keys={LIVE_KEY: Key(kind=KeyKind.LIVE, client="acme-id")},
    key_of=Acme.key.client_of,
    behaviour=Acme,
)


@pytest.fixture
def engine():
    return App(Accounts([ACME], ScriptedRecognizer(), clock=VirtualClock(START), seed=7))


def compare(engine, client="acme-id", secret=LIVE_KEY, **facts):
    files = [("selfie", "a.png", scene(**facts)), ("id", "b.png", scene())]
    headers = {"app_id": client, "app_key": secret}
    body, content_type = multipart(files=files)
    answer = engine.handle(request_to("/compare", body, content_type, key=None, **headers))
    return answer.status, answer.json()


def test_a_key_in_two_headers_needs_the_id_and_its_key(engine):
    assert compare(engine)[0] == 200
    assert compare(engine, client="another") == (401, {"error": "key"})
    assert compare(engine, secret="another") == (401, {"error": "key"})


def test_refused_pictures_are_named_and_cost_nothing(engine):
    assert compare(engine, faces=0) == (400, {"error": "selfie"})
    assert compare(engine, score=12.0) == (400, {"error": "stranger"})
    assert control_of(engine).charges() == ()


def test_a_limit_by_the_minute_is_counted_in_check_rate(engine):
    assert [compare(engine)[0] for _ in range(3)] == [200, 200, 429]
    control_of(engine).advance(61)
    assert compare(engine)[0] == 200
