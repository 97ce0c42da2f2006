"""A call of several requests: one deadline, one first byte, charges added up."""

import json
from decimal import Decimal

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.fakes import picture
from kit.rawserver import RawServer, answer, close, hold, read_request, refused, send

import facematch_core as fm
from facematch_core._cancellation import CANCELLATION, CallCancelled, Cancellation
from facematch_core.backend import (
    NO_FACE,
    Capabilities,
    LivenessCall,
    MatchCall,
    decide_by_threshold,
)
from facematch_core.http import ApiKeyBackend, ErrorRow, HttpReply, HttpRequest, InconclusiveRow
from facematch_core.resilience import Budget

KEY = "key-of-three-steps-51c7"
SCALE = "three/v1"
ROWS = {
    "TooFast": ErrorRow(fm.RateLimited, fm.Charged.NO, "documented", "too fast"),
    "7": ErrorRow(fm.RequestRejected, fm.Charged.NO, "documented", "seven"),
    "Nobody": InconclusiveRow(NO_FACE, fm.Charged.NO, "documented"),
}


@attrs.frozen(kw_only=True)
class Three(ApiKeyBackend):
    """Detect, detect, verify."""

    name = "three"
    request_id_header = "X-Request"
    allowed_hosts = frozenset({"*.three.example"})
    error_codes = ROWS
    capabilities = Capabilities(
        score_scale=SCALE,
        default_threshold=50.0,
        billed_operations=frozenset({fm.Operation.MATCH}),
    )
    base_url: str = "https://eu.three.example"

    def post(self, path, **body):
        return HttpRequest(url=f"{self.address}/{path}", headers={"X-Key": self.api_key}, **body)

    def steps(self, call):
        ids = []
        for image in (call.probe, getattr(call, "reference", call.probe)):
            reply = yield self.post("detect", body=image.data, charges=1)
            if not reply.json():
                return fm.MatchResult(
                    decision=fm.Decision.INCONCLUSIVE, warnings=(NO_FACE,), backend=self.name
                )
            ids.append(reply.json()[0]["id"])
        reply = yield self.post("verify", json={"a": ids[0], "b": ids[1]})
        score = fm.Score.from_fraction(reply.json()["confidence"], SCALE, raw_name="confidence")
        decision = decide_by_threshold(score, call.threshold)
        return fm.MatchResult(decision=decision, score=score, backend=self.name)

    def error_code(self, reply):
        return reply.at("error", "code")


def body(status, document):
    return send(answer(status, json.dumps(document).encode(), "Connection: close"))


FOUND = body(200, [{"id": "f1"}])
NOBODY = body(200, [])
ALIKE = body(200, {"confidence": 0.57})
THROTTLED = body(429, {"error": {"code": "TooFast", "message": f"slow down, {KEY}"}})


def served(*answers):
    return RawServer([[read_request, one, close] for one in answers])


def call(**more):
    return MatchCall(probe=picture(), reference=picture((1, 2, 3)), **more)


def test_three_requests_are_one_call_with_three_charges():
    with served(FOUND, FOUND, ALIKE) as server:
        backend = Three(api_key=KEY, base_url=server.url)
        result = fm.FaceVerifier(backend).verify(picture(), picture((1, 2, 3)), threshold=57)
    assert result.decision is fm.Decision.MATCH
    assert result.score == fm.Score(57.0, SCALE)
    assert result.billing.charged is fm.Charged.YES
    assert result.billing.charges == 3
    requests = [connection.requests[0] for connection in server.connections]
    assert [request.split()[1] for request in requests] == [b"/detect", b"/detect", b"/verify"]
    assert picture().data in requests[0]


def test_the_first_byte_is_told_once():
    sent = []
    with served(FOUND, FOUND, ALIKE) as server:
        backend = Three(api_key=KEY, base_url=server.url)
        backend.match(call(on_sent=lambda: sent.append(1)))
    assert sent == [1]


def test_a_call_may_end_early():
    """What was charged until then is told."""
    with served(FOUND, NOBODY) as server:
        result = Three(api_key=KEY, base_url=server.url).match(call())
    assert result.decision is fm.Decision.INCONCLUSIVE
    assert result.billing.charges == 2


@pytest.mark.parametrize(
    ("answers", "error", "charged", "charges"),
    [
        ([THROTTLED], fm.RateLimited, fm.Charged.NO, 0),
        ([FOUND, THROTTLED], fm.RateLimited, fm.Charged.YES, 1),
        ([FOUND, FOUND, THROTTLED], fm.RateLimited, fm.Charged.YES, 2),
        ([FOUND, send(b"")], fm.OutcomeUnknown, fm.Charged.UNKNOWN, None),
        ([FOUND, body(500, {})], fm.OutcomeUnknown, fm.Charged.UNKNOWN, None),
        ([FOUND, body(200, {"odd": 1})], fm.UnexpectedResponse, fm.Charged.YES, 2),
        ([FOUND, FOUND, body(200, {"confidence": 2})], fm.UnexpectedResponse, fm.Charged.YES, 3),
    ],
)
def test_an_error_says_what_the_steps_before_it_cost(answers, error, charged, charges):
    with served(*answers) as server, pytest.raises(error) as caught:
        Three(api_key=KEY, base_url=server.url).match(call())
    assert type(caught.value) is error
    assert caught.value.billing.charged is charged
    assert caught.value.billing.charges == charges
    assert caught.value.retryable is (charged is fm.Charged.NO)
    assert KEY not in str(caught.value)
    assert len(server.connections) == len(answers)


def test_unreachable_after_a_charge_is_charged():
    """Nothing of the second request has left, and the first is paid."""

    @attrs.frozen(kw_only=True)
    class Moves(Three):
        def steps(self, call):
            yield self.post("detect", body=b"1")
            with refused() as port:
                yield HttpRequest(url=f"http://127.0.0.1:{port}/x")

    with served(FOUND) as server, pytest.raises(fm.VendorUnavailable, match=r"^three ") as caught:
        Moves(api_key=KEY, base_url=server.url).match(call())
    assert caught.value.billing == fm.Billing(fm.Charged.YES, caught.value.billing.ground, 1)
    assert not caught.value.retryable


def test_a_call_may_need_no_request():
    """Then nothing is sent and nothing is charged."""

    @attrs.frozen(kw_only=True)
    class Knows(Three):
        def steps(self, call):
            return fm.MatchResult(decision=fm.Decision.INCONCLUSIVE, backend=self.name)
            yield

    sent = []
    result = Knows(api_key=KEY).match(call(on_sent=lambda: sent.append(1)))
    assert result.decision is fm.Decision.INCONCLUSIVE
    assert result.billing.charged is fm.Charged.NO
    assert sent == []


def test_a_free_answer_that_is_too_long_is_free():
    """Nobody charges for it, readable or not."""

    @attrs.frozen(kw_only=True)
    class Free(Three):
        capabilities = attrs.evolve(Three.capabilities, billed_operations=frozenset())

    long = send(answer(200, b" " * (1024 * 1024 + 1), "Connection: close"))
    with served(long) as server, pytest.raises(fm.UnexpectedResponse) as caught:
        Free(api_key=KEY, base_url=server.url).match(call())
    assert caught.value.billing == fm.Billing(fm.Charged.NO, "the vendor charges nothing for it")
    assert "It is not charged" in str(caught.value)
    with served(long) as server, pytest.raises(fm.UnexpectedResponse) as caught:
        Three(api_key=KEY, base_url=server.url).match(call())
    assert caught.value.billing.charged is fm.Charged.YES
    assert "It counts as charged" in str(caught.value)


@pytest.mark.parametrize("answered", [1, 2])
def test_a_cancelled_call_sends_no_further_request(answered):
    """Each that was sent is finished; what they cost is told, and the rest stays unsent."""
    cancellation = Cancellation()

    def cancel(connection):
        cancellation.cancel()

    scripts = [[read_request, FOUND, close] for _ in range(3)]
    scripts[answered - 1].insert(1, cancel)
    token = CANCELLATION.set(cancellation)
    try:
        with RawServer(scripts) as server, pytest.raises(CallCancelled) as caught:
            Three(api_key=KEY, base_url=server.url).match(call())
    finally:
        CANCELLATION.reset(token)
    assert len(server.connections) == answered
    billing = caught.value.billing
    assert (billing.charged, billing.charges) == (fm.Charged.YES, answered)


def test_a_step_of_two_charges_that_cannot_be_taken_in_costs_two():
    """Too long to be read, and paid for all the same."""

    @attrs.frozen(kw_only=True)
    class Twice(Three):
        def steps(self, call):
            yield self.post("detect", body=b"1", charges=2)

    long = send(answer(200, b" " * (1024 * 1024 + 1), "Connection: close"))
    with served(long) as server, pytest.raises(fm.UnexpectedResponse) as caught:
        Twice(api_key=KEY, base_url=server.url).match(call())
    assert (caught.value.billing.charged, caught.value.billing.charges) == (fm.Charged.YES, 2)


def test_one_deadline_for_all_steps():
    with (
        RawServer([[read_request, FOUND, close], [read_request, hold]]) as server,
        pytest.raises(fm.DeadlineExceeded),
    ):
        Three(api_key=KEY, base_url=server.url).match(call(deadline_s=0.5))
    assert len(server.connections) == 2


def reply(status, document, headers=()):
    return HttpReply(
        status=status,
        body=json.dumps(document).encode(),
        headers=dict(headers),
        secrets=(fm.Secret(KEY),),
    )


@given(
    st.lists(
        st.sampled_from(
            [
                (200, [{"id": "f"}]),
                (200, []),
                (200, {"confidence": 0.5}),
                (200, None),
                (429, {"error": {"code": "TooFast"}}),
                (400, {"error": {"code": 7}}),
                (400, [1]),
                (502, "bad gateway"),
            ]
        ),
        max_size=4,
    )
)
def test_any_replies_give_one_result_or_one_error(told):
    """The charges are those of the answers 200 that were looked at."""
    backend = Three(api_key=KEY)
    replies = [reply(*one) for one in told]
    try:
        answer = backend.read_reply(call(), *replies)
    except ValueError:
        assert len(told) < 3
        assert all(status == 200 for status, _ in told)
        return
    looked = 1
    for status, document in told:
        if status != 200 or looked == 3 or document in ([], None) or not isinstance(document, list):
            break
        looked += 1
    paid = sum(status == 200 for status, _ in told[:looked])
    billing = answer.billing
    assert (billing.charges or 0) == paid or billing.charged is fm.Charged.UNKNOWN
    assert not getattr(answer, "retryable", False) or not paid


def test_a_code_decides_within_one_status():
    answer = Three(api_key=KEY).read_reply(call(), reply(400, {"error": {"code": 7}}))
    assert isinstance(answer, fm.RequestRejected)
    assert "seven" in str(answer)


def test_a_code_may_mean_that_there_is_no_face():
    """In a 4xx: the vendor's word about the faces. A fault of its own says nothing of them."""
    backend = Three(api_key=KEY)
    nobody = {"error": {"code": "Nobody", "message": f"none for {KEY}"}}
    result = backend.read_reply(call(), reply(422, nobody))
    assert result.decision is fm.Decision.INCONCLUSIVE
    assert result.warnings == (attrs.evolve(NO_FACE, tag="Nobody"),)
    assert (result.billing.charged, result.billing.ground) == (fm.Charged.NO, "documented")
    assert result.raw["error"]["code"] == "Nobody"
    check = LivenessCall(probe=picture())
    live = backend.read_reply(check, reply(422, nobody))
    assert live.decision is fm.LivenessDecision.INCONCLUSIVE
    assert isinstance(backend.read_reply(call(), reply(503, nobody)), fm.OutcomeUnknown)


def test_a_charge_before_a_picture_without_a_face_stays():
    """Of three requests the second one finds nobody, and is free."""
    refused = reply(400, {"error": {"code": "Nobody"}})
    result = Three(api_key=KEY).read_reply(call(), reply(200, [{"id": "f1"}]), refused)
    assert result.decision is fm.Decision.INCONCLUSIVE
    assert (result.billing.charged, result.billing.charges) == (fm.Charged.YES, 1)


def test_the_vendors_id_of_the_last_answer_is_kept():
    """In results and errors; and masked, for a vendor may echo anything."""
    backend = Three(api_key=KEY)
    found = reply(200, [{"id": "f1"}], {"x-request": "first"})
    last = reply(200, {"confidence": 0.5}, {"X-Request": f"last of {KEY}"})
    assert backend.read_reply(call(), found, found, last).ids.vendor == "last of ***"
    refused = reply(429, {}, {"X-REQUEST": "third"})
    assert backend.read_reply(call(), found, found, refused).ids.vendor == "third"
    assert backend.read_reply(call(), found, reply(500, {})).ids.vendor == "first"


def test_what_breaks_off_has_the_id_of_an_earlier_answer():
    named = send(answer(200, b'[{"id": "f1"}]', "Connection: close", "X-Request: first"))
    with (
        RawServer([[read_request, named, close], [read_request, close]]) as server,
        pytest.raises(fm.OutcomeUnknown) as caught,
    ):
        Three(api_key=KEY, base_url=server.url).match(call())
    assert caught.value.ids.vendor == "first"


@attrs.frozen(kw_only=True)
class Crashes(Three):
    """Falls over whatever is no 200."""

    def error_code(self, reply):
        return reply.json()["nowhere"]


@attrs.frozen(kw_only=True)
class CrashesEarlier(Three):
    """Falls over it while it looks for a result."""

    def parse_non_200(self, call, reply):
        return reply.json()[0]


@pytest.mark.parametrize("kind", [Crashes, CrashesEarlier])
def test_a_fault_of_the_mapping_names_its_place(kind):
    """And the status decides in its stead."""
    answer = kind(api_key=KEY).read_reply(call(), reply(429, {}))
    assert isinstance(answer, fm.RateLimited)
    assert "Error in test_steps.py, line " in str(answer)
    page = HttpReply(status=502, body=b"<html>", secrets=())
    assert "test_steps.py" not in str(kind(api_key=KEY).read_reply(call(), page))


@pytest.mark.parametrize("where", ["steps", "sign"])
def test_a_fault_before_the_first_byte_costs_nothing(where):
    """It names its place, and no budget waits for a charge that cannot be."""

    def fall(*_, **__):
        raise KeyError(KEY)

    kind = attrs.make_class("Falls", [], bases=(Three,), frozen=True, kw_only=True)
    setattr(kind, where, fall)
    budget = Budget(1, name="three")
    verifier = fm.FaceVerifier(kind(api_key=KEY, base_url="http://127.0.0.1:9"), policies=[budget])
    for _ in range(2):
        with pytest.raises(
            fm.BackendUnavailable, match=r"KeyError in test_steps.py, line"
        ) as caught:
            verifier.verify(picture(), picture((1, 2, 3)))
        assert "nothing was sent" in str(caught.value)


def test_a_star_is_one_label():
    url = "https://eu.three.example"
    assert Three(api_key=KEY, base_url=url).address == url


@pytest.mark.parametrize(
    "url",
    [
        "https://three.example",
        "https://a.b.three.example",
        "https://eu.three.example.evil.example",
        "https://evilthree.example",
    ],
)
def test_a_star_is_no_other_number_of_labels(url):
    with pytest.raises(fm.ConfigurationError, match="allow_base_url"):
        Three(api_key=KEY, base_url=url)
    assert Three(api_key=KEY, base_url=url, allow_base_url=True).address == url


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"api_key": ""}, "api_key is empty: set the environment variable THREE_API_KEY"),
        ({"allow_base_url": "yes"}, "allow_base_url must be true or false, not str of length 3"),
        ({"read_timeout_s": 0}, "read_timeout_s must be a number of seconds above 0"),
        ({"read_timeout_s": True}, "read_timeout_s must be a number, not bool"),
        ({"connect_timeout_s": float("nan")}, "connect_timeout_s must be a number of seconds"),
        ({"base_url": 7}, "base_url must be text, not int"),
        ({"api_key": "key with a space"}, r"api_key \(from argument\) holds a space"),
        ({"api_key": "key\n"}, "api_key .* holds a space, a line break"),
        ({"api_key": "k\N{BULLET}"}, "api_key .* another character"),
    ],
)
def test_settings_are_held_against_their_annotations(settings, words):
    with pytest.raises(fm.ConfigurationError, match=words):
        Three(**{"api_key": KEY, **settings})


def test_a_signature_is_made_over_the_bytes_that_are_sent():
    """Of JSON, of a form and of a body of bytes."""
    seen = []

    @attrs.frozen(kw_only=True)
    class Signs(Three):
        def steps(self, call):
            yield self.post("json", json={"a": "é"})
            yield self.post("form", fields={"key": self.api_key, "b": "c d"})
            yield self.post("bytes", body=b"\x00\xff")
            return fm.MatchResult(decision=fm.Decision.NO_MATCH, backend=self.name)

        def sign(self, request, call, *, deadline_s=None):
            final = request.encoded()
            assert self.api_key in final.secrets
            seen.append(final.body)
            return final

    with served(*[body(200, {})] * 3) as server:
        Signs(api_key=KEY, base_url=server.url).match(call())
    for connection, signed in zip(server.connections, seen, strict=True):
        assert connection.requests[0].endswith(b"\r\n\r\n" + signed)


@given(st.integers(0, 100))
def test_every_whole_percent_is_exact(percent):
    """0.57 * 100 is a little less than 57."""
    for fraction in (percent / 100, float(f"{percent / 100:.2f}")):
        score = fm.Score.from_fraction(fraction, SCALE)
        assert score.value == percent
        assert score.raw == fraction


@pytest.mark.parametrize("value", [-0.01, 1.01, float("nan"), float("inf"), True, "0.5", None])
def test_what_is_no_fraction_is_refused(value):
    with pytest.raises((TypeError, ValueError)):
        fm.Score.from_fraction(value, SCALE)


@given(st.integers(0, 1000), st.sampled_from([1, 1.0, 2.0, 0.4, 100]))
def test_a_distance_is_exact_in_its_digits(tenths, worst):
    """1 - 0.9 is a little less than 0.1."""
    distance = float(Decimal(tenths) * Decimal(str(worst)) / 1000)
    score = fm.Score.from_distance(distance, SCALE, worst=worst)
    assert score.value == float(100 - Decimal(tenths) / 10)
    assert (score.raw, score.raw_name) == (distance, "distance")
    assert score.source is fm.ScaleSource.DOCUMENTED


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_smaller_distance_is_never_a_lower_score(one, other):
    """Any two floats, at both ends too."""
    near, far = (fm.Score.from_distance(x, SCALE).value for x in sorted((one, other)))
    assert 100 >= near >= far >= 0


def test_a_cut_of_a_distance_is_a_threshold():
    """A cut of 0.4 is a threshold of 60, and 0.4 itself passes."""
    assert fm.Score.from_distance(0.4, SCALE).value == 60
    assert fm.Score.from_distance(0.9, SCALE).value == 10
    assert fm.Score.from_distance(0, SCALE).value == 100


@pytest.mark.parametrize("value", [-0.01, 1.01, float("nan"), float("inf"), True, "0.5", None])
def test_what_is_no_distance_is_refused(value):
    """Nor a worst one that is no finite number above 0."""
    with pytest.raises((TypeError, ValueError)):
        fm.Score.from_distance(value, SCALE)
    if value != 1.01:
        with pytest.raises((TypeError, ValueError)):
            fm.Score.from_distance(0.0, SCALE, worst=value)
