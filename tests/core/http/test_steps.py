"""A call of several requests: one deadline, one first byte, charges added up."""

import contextlib
import json
import threading
from decimal import Decimal

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.acme import match_call
from kit.fakes import picture
from kit.rawserver import RawServer, close, closed_port, http_reply, one_each, read_request, send

import facematch_core as fm
from facematch_core import models
from facematch_core.backend import NO_FACE, Capabilities, LivenessCall, decide_by_threshold
from facematch_core.http import ApiKeyBackend, ErrorRow, HttpReply, HttpRequest, InconclusiveRow
from facematch_core.resilience import Budget

KEY = "key-of-three-steps-51c7"
SCALE = "three/v1"
YES, NO, UNKNOWN = fm.Charged.YES, fm.Charged.NO, fm.Charged.UNKNOWN
ROWS = {
    "TooFast": ErrorRow(fm.RateLimited, NO, "documented", "too fast"),
    "7": ErrorRow(fm.RequestRejected, NO, "documented", "seven"),
    "Nobody": InconclusiveRow(NO_FACE, NO, "documented"),
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


def body(status, document, *headers):
    return http_reply(status, json.dumps(document).encode(), "Connection: close", *headers)


SOMEBODY = body(200, [{"id": "f1"}])
ALIKE = body(200, {"confidence": 0.57})
THROTTLED = body(429, {"error": {"code": "TooFast", "message": f"slow down, {KEY}"}})
TOO_LONG = http_reply(200, b" " * (1024 * 1024 + 1), "Connection: close")


def backend_with(steps=None, **members):
    """A backend that takes these steps."""
    members |= {"steps": steps} if steps else {}
    return type("Own", (Three,), members | {"name": "three"})


def ask_server(server, by=Three, **more):
    return by(api_key=KEY, base_url=server.url).match(match_call(**more))


def test_three_requests_are_one_call_with_three_charges():
    with one_each(SOMEBODY, SOMEBODY, ALIKE) as server:
        backend = Three(api_key=KEY, base_url=server.url)
        result = fm.FaceVerifier(backend).verify(picture(), picture((1, 2, 3)), threshold=57)
    assert (result.decision, result.score) == (fm.Decision.MATCH, fm.Score(57.0, SCALE))
    assert (result.billing.charged, result.billing.charges) == (YES, 3)
    paths = [request.split()[1] for request in server.requests]
    assert paths == [b"/detect", b"/detect", b"/verify"]
    assert picture().data in server.requests[0]


def test_ctrl_c_while_a_paid_answer_is_awaited_is_unknown_whatever_was_free_before(monkeypatch):
    def steps(self, call):
        yield self.post("upload", body=b"1", charges=0)
        yield self.post("match", body=b"2")

    kind = backend_with(steps, vendor_id=lambda self, reply: reply.at("id"))
    events, budget = [], Budget(5, name="b")
    with one_each(body(200, {"id": "7"}), SOMEBODY) as server:
        backend = kind(api_key=KEY, base_url=server.url)
        send_request = backend.client.send

        def send_and_stop(request, **how):
            reply = send_request(request, **how)
            if request.url.endswith("/match"):
                raise KeyboardInterrupt
            return reply

        monkeypatch.setattr(backend.client, "send", send_and_stop)
        verifier = fm.FaceVerifier(backend, on_event=events.append, policies=[budget])
        with pytest.raises(KeyboardInterrupt):
            verifier.verify(picture(), picture((1, 2, 3)))
    (state,) = budget.store.budgets()
    assert (events[-1].kind, state.unknown) == (fm.EventKind.UNKNOWN, 1)


@pytest.mark.parametrize("answer", [b"", body(500, {})], ids=["lost", "a fault of the vendor"])
def test_what_is_free_and_lost_at_the_beginning_costs_nothing_and_may_be_tried_again(answer):
    def steps(self, call):
        yield self.post("upload", body=b"1", charges=0)

    with one_each(answer) as server, pytest.raises(fm.VendorUnavailable) as caught:
        backend = backend_with(steps)(api_key=KEY, base_url=server.url)
        fm.FaceVerifier(backend).verify(picture(), picture((1, 2, 3)))
    assert (caught.value.billing.charged, caught.value.retryable) == (NO, True)


def test_what_is_free_and_lost_may_be_asked_again_whatever_class_a_plug_in_gives_it():
    class Lost(fm.OutcomeUnknown):
        pass

    seen = []

    def steps(self, call):
        yield self.post("start", body=b"1")
        try:
            yield self.post("poll", charges=0, on_refusal="raise")
        except fm.VendorUnavailable as error:
            seen.append(error.billing.charged)
        return fm.MatchResult(decision=fm.Decision.MATCH, backend=self.name)

    kind = backend_with(steps, error=lambda self, reply, call: Lost("It is lost."))
    with one_each(SOMEBODY, body(503, {})) as server:
        result = ask_server(server, kind)
    assert (seen, result.billing.charges) == ([NO], 1)


@pytest.mark.parametrize(
    ("answers", "error", "charged", "charges"),
    [
        ([THROTTLED], fm.RateLimited, NO, 0),
        ([SOMEBODY, THROTTLED], fm.RateLimited, YES, 1),
        ([SOMEBODY, SOMEBODY, THROTTLED], fm.RateLimited, YES, 2),
        ([SOMEBODY, b""], fm.OutcomeUnknown, UNKNOWN, None),
        ([SOMEBODY, body(500, {})], fm.OutcomeUnknown, UNKNOWN, None),
        ([SOMEBODY, body(200, {"odd": 1})], fm.UnexpectedResponse, YES, 2),
        ([SOMEBODY, SOMEBODY, body(200, {"confidence": 2})], fm.UnexpectedResponse, YES, 3),
    ],
)
def test_an_error_says_what_the_steps_before_it_cost(answers, error, charged, charges):
    sent = []
    with one_each(*answers) as server, pytest.raises(error) as caught:
        ask_server(server, on_sent=lambda: sent.append(1))
    assert sent == [1]
    assert type(caught.value) is error
    assert (caught.value.billing.charged, caught.value.billing.charges) == (charged, charges)
    assert caught.value.retryable is (charged is NO)
    assert KEY not in str(caught.value)
    assert len(server.connections) == len(answers)


def test_unreachable_after_a_charge_is_charged():
    def moves(self, call):
        yield self.post("detect", body=b"1")
        with closed_port() as port:
            yield HttpRequest(url=f"http://127.0.0.1:{port}/x")

    with one_each(SOMEBODY) as server, pytest.raises(fm.VendorUnavailable) as caught:
        ask_server(server, backend_with(moves))
    assert (caught.value.billing.charged, caught.value.billing.charges) == (YES, 1)
    assert not caught.value.retryable


def test_the_first_byte_is_that_of_the_first_request_that_can_be_sent():
    """One that goes on from an outage of what is free pays all the same: Ctrl-C must know it."""

    def persists(self, call):
        with closed_port() as port, contextlib.suppress(fm.VendorUnavailable):
            url = f"http://127.0.0.1:{port}/x"
            yield HttpRequest(url=url, charges=0, on_refusal="raise")
        sent.append(len(server.connections))
        yield self.post("detect", body=b"1")
        raise KeyboardInterrupt

    events, sent = [], []
    with one_each(SOMEBODY) as server, pytest.raises(KeyboardInterrupt):
        backend = backend_with(persists)(api_key=KEY, base_url=server.url)
        verifier = fm.FaceVerifier(backend, on_event=events.append)
        verifier.verify(picture(), picture((1, 2, 3)))
    assert sent == [0]
    kinds = [event.kind.value for event in events]
    assert kinds == ["started", "sent", "charged"]


def test_what_the_steps_hold_is_let_go_at_the_end_of_the_call():
    """Whoever keeps the error does not keep the lock."""
    lock = threading.Lock()

    def locked(self, call):
        with lock:
            yield self.post("detect", body=b"1")

    with closed_port() as port, pytest.raises(fm.VendorUnavailable) as caught:
        backend_with(locked)(api_key=KEY, base_url=f"http://127.0.0.1:{port}").match(match_call())
    assert caught.value.__traceback__ is not None
    assert not lock.locked()


def test_a_call_without_a_request_costs_nothing():
    def knows(self, call):
        return fm.MatchResult(decision=fm.Decision.INCONCLUSIVE, backend=self.name)
        yield

    sent = []
    result = backend_with(knows)(api_key=KEY).match(match_call(on_sent=lambda: sent.append(1)))
    assert (result.decision, result.billing.charged) == (fm.Decision.INCONCLUSIVE, NO)
    assert sent == []


def twice(self, call):
    yield self.post("detect", body=b"1", charges=2)


FREE = attrs.evolve(Three.capabilities, billed_operations=frozenset())


@pytest.mark.parametrize(
    ("members", "charged", "charges", "words"),
    [
        ({"capabilities": FREE}, NO, 0, "It is not charged"),
        ({}, YES, 1, "It counts as charged"),
        ({"steps": twice}, YES, 2, "It counts as charged"),
    ],
    ids=["free", "one", "two"],
)
def test_an_answer_that_is_too_long_costs_what_its_request_does(members, charged, charges, words):
    backend = backend_with(**members)
    with one_each(TOO_LONG) as server, pytest.raises(fm.UnexpectedResponse) as caught:
        ask_server(server, backend)
    assert (caught.value.billing.charged, caught.value.billing.charges) == (charged, charges)
    assert words in str(caught.value)


@pytest.mark.parametrize("answered", [1, 2])
def test_a_cancelled_call_sends_no_further_request(answered):
    from facematch_core.base.cancellation import CANCELLATION, CallCancelled, Cancellation

    cancellation = Cancellation()
    scripts = [[read_request, send(SOMEBODY), close] for _ in range(3)]
    scripts[answered - 1].insert(1, lambda _: cancellation.cancel())
    token = CANCELLATION.set(cancellation)
    try:
        with RawServer(scripts) as server, pytest.raises(CallCancelled) as caught:
            ask_server(server)
    finally:
        CANCELLATION.reset(token)
    assert len(server.connections) == answered
    billing = caught.value.billing
    assert (billing.charged, billing.charges) == (YES, answered)


def test_one_deadline_for_all_steps(clock):
    left_s = []

    def sign(self, request, call, *, deadline):
        left_s.append(deadline.left_s())
        clock.advance(4)
        return request

    backend = backend_with(sign=sign)
    with (
        one_each(SOMEBODY, SOMEBODY, ALIKE) as server,
        pytest.raises(fm.VendorUnavailable) as caught,
    ):
        opened = backend(api_key=KEY, base_url=server.url)
        opened.client.clock = clock
        opened.match(match_call(deadline_s=10.0, clock=clock))
    assert left_s == [10.0, 6.0, 2.0]
    assert (caught.value.billing.charged, caught.value.billing.charges) == (YES, 2)


def reply(status, document, headers=None):
    data = json.dumps(document).encode()
    return HttpReply(status=status, body=data, headers=headers or {}, secrets=(fm.Secret(KEY),))


FACE = reply(200, [{"id": "f1"}])


def read(*replies, by=Three, call=None):
    return by(api_key=KEY).read_reply(call or match_call(), *replies)


#: A status and a document, in which three requests may be answered or refused.
ANY = [
    (200, [{"id": "f"}]),
    (200, []),
    (200, {"confidence": 0.5}),
    (200, None),
    (429, {"error": {"code": "TooFast"}}),
    (400, {"error": {"code": 7}}),
    (400, [1]),
    (502, "bad gateway"),
]


@given(st.lists(st.sampled_from(ANY), max_size=4))
def test_any_replies_give_one_result_or_one_error(answers):
    try:
        ended = read(*[reply(*answer) for answer in answers])
    except ValueError:
        assert len(answers) < 3
        assert all(status == 200 for status, _ in answers)
        return
    looked = 1
    for status, document in answers:
        if status != 200 or looked == 3 or document in ([], None) or not isinstance(document, list):
            break
        looked += 1
    paid = sum(status == 200 for status, _ in answers[:looked])
    assert (ended.billing.charges or 0) == paid or ended.billing.charged is UNKNOWN
    assert not getattr(ended, "retryable", False) or not paid


def test_a_code_decides_within_one_status():
    assert "seven" in str(read(reply(400, {"error": {"code": 7}})))


def test_a_code_may_mean_that_there_is_no_face():
    nobody = {"error": {"code": "Nobody", "message": f"none for {KEY}"}}
    result = read(reply(422, nobody))
    assert result.decision is fm.Decision.INCONCLUSIVE
    assert result.warnings == (attrs.evolve(NO_FACE, tag="Nobody"),)
    assert (result.billing.charged, result.billing.ground) == (NO, "documented")
    assert result.raw["error"]["code"] == "Nobody"
    live = read(reply(422, nobody), call=LivenessCall(probe=picture()))
    assert live.decision is fm.LivenessDecision.INCONCLUSIVE
    assert isinstance(read(reply(503, nobody)), fm.OutcomeUnknown)
    later = read(FACE, reply(400, nobody))
    assert later.decision is fm.Decision.INCONCLUSIVE
    assert (later.billing.charged, later.billing.charges) == (YES, 1)


def test_the_vendors_id_of_the_last_answer_that_has_one_is_kept():
    first = attrs.evolve(FACE, headers={"x-request": "first"})
    last = reply(200, {"confidence": 0.5}, {"X-Request": f"last of {KEY}"})
    assert read(first, first, last).ids.vendor == "last of ***"
    assert read(first, first, reply(429, {}, {"X-REQUEST": "third"})).ids.vendor == "third"
    assert read(first, FACE, reply(500, {})).ids.vendor == "first"
    named = body(200, [{"id": "f1"}], "X-Request: first")
    with one_each(named, b"") as server, pytest.raises(fm.OutcomeUnknown) as caught:
        ask_server(server)
    assert caught.value.ids.vendor == "first"


@pytest.mark.parametrize("method", ["error_code", "parse_non_200"])
def test_a_fault_of_the_mapping_names_its_place(method):
    by = backend_with(**{method: lambda self, *arguments: arguments[-1].json()["nowhere"]})
    error = read(reply(429, {}), by=by)
    assert isinstance(error, fm.RateLimited)
    assert "KeyError in test_steps.py, line " in str(error)
    page = HttpReply(status=502, body=b"<html>", secrets=())
    assert "test_steps.py" not in str(read(page, by=by))


@pytest.mark.parametrize("where", ["steps", "sign"])
def test_a_fault_before_the_first_byte_costs_nothing(where):
    def fall(*_, **__):
        raise KeyError(KEY)

    backend = backend_with(**{where: fall})(api_key=KEY, base_url="http://127.0.0.1:9")
    verifier = fm.FaceVerifier(backend, policies=[Budget(1, name="three")])
    for _ in range(2):
        with pytest.raises(fm.BackendUnavailable, match="nothing was sent") as caught:
            verifier.verify(picture(), picture((1, 2, 3)))
        assert "KeyError in test_steps.py, line" in str(caught.value)
        assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"api_key": ""}, "set the environment variable THREE_API_KEY"),
        ({"allow_base_url": "yes"}, "allow_base_url must be true or false"),
        ({"read_timeout_s": 0}, "read_timeout_s"),
        ({"read_timeout_s": True}, "read_timeout_s"),
        ({"connect_timeout_s": float("nan")}, "connect_timeout_s"),
        ({"base_url": 7}, "base_url"),
        ({"base_url": "https://three.example"}, "allow_base_url"),
        ({"base_url": "https://a.b.three.example"}, "allow_base_url"),
        ({"api_key": "key with a space"}, "api_key"),
        ({"api_key": "key\n"}, "api_key"),
        ({"api_key": "k\N{BULLET}"}, "api_key"),
    ],
)
def test_a_wrong_setting_is_named(settings, words):
    with pytest.raises(fm.ConfigurationError, match=words):
        Three(**{"api_key": KEY, **settings})


def test_a_signature_is_made_over_the_bytes_that_are_sent():
    seen = []

    def steps(self, call):
        yield self.post("json", json={"a": "é"})
        yield self.post("form", fields={"key": self.api_key, "b": "c d"})
        yield self.post("bytes", body=b"\x00\xff")
        return fm.MatchResult(decision=fm.Decision.NO_MATCH, backend=self.name)

    def sign(self, request, call, *, deadline):
        final = request.encoded()
        assert self.api_key in final.secrets
        seen.append(final.body)
        return final

    with one_each(*[body(200, {})] * 3) as server:
        ask_server(server, backend_with(steps, sign=sign))
    for request, signed in zip(server.requests, seen, strict=True):
        assert request.endswith(b"\r\n\r\n" + signed)


@given(st.integers(0, 100))
def test_every_whole_percent_is_exact(percent):
    score = fm.Score.from_fraction(float(f"{percent / 100:.2f}"), SCALE)
    assert (score.value, score.raw) == (percent, percent / 100)


@given(st.integers(0, 1000), st.sampled_from([1, 1.0, 2.0, 0.4, 100]))
def test_a_distance_is_exact_in_its_digits(tenths, worst):
    distance = float(Decimal(tenths) * Decimal(str(worst)) / 1000)
    score = fm.Score.from_distance(distance, SCALE, worst=worst)
    assert score.value == float(100 - Decimal(tenths) / 10)
    assert (score.raw, score.raw_name) == (distance, "distance")
    assert score.source is models.ScaleSource.DOCUMENTED


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_smaller_distance_is_never_a_lower_score(first, other):
    near, far = (fm.Score.from_distance(x, SCALE).value for x in sorted((first, other)))
    assert 100 >= near >= far >= 0


@pytest.mark.parametrize("value", [-0.01, 1.01, float("nan"), float("inf"), True, "0.5", None])
def test_what_is_no_fraction_is_refused(value):
    for make in (fm.Score.from_fraction, fm.Score.from_distance):
        with pytest.raises((TypeError, ValueError)):
            make(value, SCALE)
    if value != 1.01:
        with pytest.raises((TypeError, ValueError)):
            fm.Score.from_distance(0.0, SCALE, worst=value)
