"""A call of several requests: one deadline, one first byte, charges added up."""

import contextlib
import copy
import pickle

import attrs
import pytest
from core.http.jobs import reply, served
from kit.fakes import PROBE, REFERENCE, match_call, picture
from kit.rawserver import RawServer, close, closed_port, http_reply, read_request, send

import facematch_core as fm
from facematch_core.backend import NO_FACE, Capabilities, LivenessRequest
from facematch_core.base.deadline import CANCELLATION, CallCancelled, Cancellation
from facematch_core.http import ApiKeyBackend, ErrorRow, HttpReply, HttpRequest, InconclusiveRow
from facematch_core.resilience import Budget

KEY = "key-of-three-steps-51c7"
YES = fm.Charged.YES
NO = fm.Charged.NO
UNKNOWN = fm.Charged.UNKNOWN
ROWS = {
    "TooFast": ErrorRow(fm.RateLimited, NO, "documented", "too fast"),
    "7": ErrorRow(fm.RequestRejected, NO, "documented", "seven"),
    "Nobody": InconclusiveRow(NO_FACE, NO, "documented"),
}


@attrs.frozen(kw_only=True)
class Three(ApiKeyBackend):
    """Detect, detect, verify."""

    name = "three"
    allowed_hosts = frozenset({"*.three.example"})
    error_codes = ROWS
    capabilities = Capabilities(billed_operations=frozenset({fm.Operation.MATCH}))
    base_url: str = "https://eu.three.example"

    def post(self, path, **body):
        return HttpRequest(
            url=f"{self.service_url}/{path}", headers={"X-Key": self.api_key}, **body
        )

    def steps(self, request):
        for path in ("detect", "detect", "verify"):
            yield self.post(path, body=request.probe.data)

    def error_code(self, reply):
        return reply.at("error", "code")


def backend_with(steps=None, **members):
    """A backend that takes these steps."""
    members |= {"steps": steps} if steps else {}
    return type("Own", (Three,), members | {"name": "three"})


def test_sent_event_comes_with_the_first_request_that_can_be_sent():
    """One that goes on from an outage of what is free pays all the same: Ctrl-C must know it."""

    def persists(self, call):
        with closed_port() as port, contextlib.suppress(fm.VendorUnavailable):
            url = f"http://127.0.0.1:{port}/x"
            yield HttpRequest(url=url, charges=0, on_refusal="raise")
        connections_before.append(len(server.connections))
        yield self.post("detect", body=b"1")
        raise KeyboardInterrupt

    events = []
    connections_before = []
    with served(FACE) as server, pytest.raises(KeyboardInterrupt):
        backend = backend_with(persists)(api_key=KEY, base_url=server.url)
        verifier = fm.FaceVerifier(backend, on_event=events.append)
        verifier.verify(PROBE, REFERENCE)
    assert connections_before == [0]
    assert [event.kind.value for event in events] == ["started", "sent", "charged"]


@pytest.mark.parametrize("answered", [1, 2])
def test_a_cancelled_call_sends_no_further_request(answered):
    cancellation = Cancellation()
    answer = http_reply(200, b"", "Connection: close")
    scripts = [[read_request, send(answer), close] for _ in range(3)]
    scripts[answered - 1].insert(1, lambda _: cancellation.cancel())
    token = CANCELLATION.set(cancellation)
    try:
        with RawServer(scripts) as server, pytest.raises(CallCancelled) as caught:
            Three(api_key=KEY, base_url=server.url).match(match_call())
    finally:
        CANCELLATION.reset(token)
    assert len(server.connections) == answered
    assert (caught.value.billing.charged, caught.value.billing.charges) == (YES, answered)


FACE = reply(200, [{"id": "f1"}])
LIVENESS = LivenessRequest(probe=picture())


def read(*replies, backend_class=Three, call=None):
    return backend_class(api_key=KEY).read_reply(call or match_call(), *replies)


def test_error_code_can_be_an_inconclusive_no_face_result():
    nobody = {"error": {"code": "Nobody", "message": f"none for {KEY}"}}
    result = read(reply(422, nobody))
    assert result.decision is fm.Decision.INCONCLUSIVE
    assert result.warnings == (attrs.evolve(NO_FACE, tag="Nobody"),)
    assert (result.billing.charged, result.billing.ground) == (NO, "documented")
    assert result.raw["error"]["code"] == "Nobody"
    live = read(reply(422, nobody), call=LIVENESS)
    assert live.decision is fm.LivenessDecision.INCONCLUSIVE
    assert isinstance(read(reply(503, nobody)), fm.OutcomeUnknown)


def test_code_without_a_row_is_in_the_message():
    unknown = read(reply(400, {"error": {"code": 1201, "message": "Nope."}}))
    assert "1201" in str(unknown)
    known = read(reply(400, {"error": {"code": 7}}))
    assert "code" not in str(known)
    echo = read(reply(400, {"error": {"code": KEY}}))
    assert KEY not in str(echo)


def test_code_that_is_a_number_is_rejected_when_the_class_is_made():
    row = ErrorRow(fm.RequestRejected, NO, "documented", "busy")
    with pytest.raises(TypeError, match=r'Own\.error_codes has the code 1201; .*write "1201"'):
        backend_with(error_codes={1201: row})


@pytest.mark.parametrize("method", ["error_code", "parse_non_200"])
def test_exception_in_error_mapping_is_reported_with_file_and_line(method):
    backend_class = backend_with(
        **{method: lambda self, *arguments: arguments[-1].json()["nowhere"]}
    )
    error = read(reply(429, {}), backend_class=backend_class)
    assert isinstance(error, fm.RateLimited)
    assert "KeyError in test_steps.py, line " in str(error)
    page = HttpReply(status=502, body=b"<html>")
    assert "test_steps.py" not in str(read(page, backend_class=backend_class))


@pytest.mark.parametrize("method", ["steps", "sign"])
def test_plug_in_exception_before_the_first_byte_is_not_charged(method):
    def fall(*_, **__):
        raise KeyError(KEY)

    backend = backend_with(**{method: fall})(api_key=KEY, base_url="http://127.0.0.1:9")
    verifier = fm.FaceVerifier(backend, policies=[Budget(1, name="three")])
    for _ in range(2):
        with pytest.raises(fm.BackendUnavailable, match="nothing was sent") as caught:
            verifier.verify(PROBE, REFERENCE)
        assert "KeyError in test_steps.py, line" in str(caught.value)
        assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "expected_text"),
    [
        ({"api_key": ""}, "set the environment variable THREE_API_KEY"),
        ({"allow_base_url": "yes"}, "allow_base_url must be true or false"),
        ({"read_timeout_s": 0}, "read_timeout_s"),
        ({"read_timeout_s": True}, "read_timeout_s"),
        ({"connect_timeout_s": float("nan")}, "connect_timeout_s"),
        ({"base_url": "https://a.b.three.example"}, "allow_base_url"),
        ({"api_key": "key\nX-Other: 1"}, "api_key"),
        ({"api_key": "k\N{BULLET}"}, "api_key"),
    ],
)
def test_error_names_the_invalid_setting(settings, expected_text):
    with pytest.raises(fm.ConfigurationError, match=expected_text):
        Three(**{"api_key": KEY, **settings})


@pytest.mark.parametrize("value", [-0.01, 1.01, float("nan"), True, "0.5"])
def test_score_from_fraction_rejects_values_outside_0_to_1(value):
    with pytest.raises((TypeError, ValueError)):
        fm.Score.from_fraction(value, "three/v1")


def test_backend_cannot_be_copied_and_refuses_undeclared_operations():
    backend = Three(api_key=KEY)
    for wrong in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="open one in each process"):
            wrong(backend)
    with pytest.raises(fm.Unsupported):
        backend_with(capabilities=Capabilities())(api_key=KEY).check_liveness(LIVENESS)


def test_vendor_id_falls_back_to_the_last_request_id():
    backend_class = backend_with(request_id_header="X-Request")
    replies = [reply(status, {}, X_Request=f"r-{status}") for status in (200, 400)]
    assert read(*replies, backend_class=backend_class).ids.vendor == "r-400"


@pytest.mark.parametrize("answer", [None, reply(500, {})], ids=["lost", "a fault of the vendor"])
def test_lost_free_first_request_is_not_charged_and_retryable(answer):
    def steps(self, call):
        yield self.post("upload", body=b"1", charges=0)

    with served(answer) as server, pytest.raises(fm.VendorUnavailable) as caught:
        backend = backend_with(steps)(api_key=KEY, base_url=server.url)
        fm.FaceVerifier(backend).verify(PROBE, REFERENCE)
    assert (caught.value.billing.charged, caught.value.retryable) == (NO, True)
