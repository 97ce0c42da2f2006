"""What would cost money, leak a face or let the wrong person pass, each once gone wrong."""

import contextlib
import datetime as dt
import decimal
import gc
import json
import os
import signal

import attrs
import pytest
from kit.fakes import SCALE, FakeBackend, match_result, picture
from kit.rawserver import RawServer, answer, read_request, send

from facematch_core import (
    Billing,
    Charged,
    Decision,
    Environment,
    EventKind,
    FaceVerifier,
    Image,
    InvalidRequest,
    MatchResult,
    Operation,
    OutcomeUnknown,
    Score,
    Severity,
    Threshold,
    ThresholdRule,
    ThresholdSource,
    UnexpectedResponse,
    VendorError,
    WarningCode,
    open_verifier,
)
from facematch_core.backend import MAX_DEPTH, Capabilities, without_private
from facematch_core.errors import ConfigurationError, EnvironmentMismatch
from facematch_core.http import HttpBackend, HttpRequest

A, B = picture(), picture((10, 20, 30))


def nested(depth):
    value = {}
    for _ in range(depth):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    "told",
    [
        Threshold(30, ThresholdRule.ABOVE, ThresholdSource.VENDOR),
        Threshold(None, ThresholdRule.VENDOR, ThresholdSource.VENDOR),
        None,
    ],
)
def test_a_vendor_that_passes_over_the_threshold_lets_nobody_in(told):
    """What was asked for is held against the answer, whatever threshold the answer names."""
    answered = match_result(score=Score(40, SCALE), threshold=told)
    result = FaceVerifier(FakeBackend(script=[answered])).verify(A, B, threshold=90)
    assert result.decision is Decision.REVIEW
    assert WarningCode.THRESHOLD_CONFLICT in {w.code for w in result.warnings}


def test_a_threshold_with_the_vendors_rule_holds_too():
    """Only equality is unknown then; a score below is below."""
    backend = FakeBackend(
        threshold_rule=ThresholdRule.VENDOR, script=[match_result(score=Score(40, SCALE))]
    )
    assert FaceVerifier(backend).verify(A, B, threshold=90).decision is Decision.REVIEW


def test_an_answer_may_know_its_environment_better():
    """A sandbox approves everybody: what tells so is believed over the setting."""
    events = []
    answered = match_result(
        score=Score(90, SCALE), environment=Environment.SANDBOX, billing=Billing(Charged.YES)
    )
    verifier = FaceVerifier(
        FakeBackend(script=[answered]),
        require_environment=Environment.PRODUCTION,
        on_event=events.append,
    )
    with pytest.raises(EnvironmentMismatch):
        verifier.verify(A, B)
    assert not any(event.counts for event in events)


def test_a_refusal_after_sending_is_an_unknown_outcome():
    """`InvalidRequest` says that nothing was sent, and that is no longer true."""
    events = []
    backend = FakeBackend(script=[lambda call: Score(100.4, SCALE)])
    with pytest.raises(OutcomeUnknown, match=r"ValueError in test_trust\.py"):
        FaceVerifier(backend, on_event=events.append).verify(A, B)
    assert [event.kind for event in events] == [
        EventKind.STARTED,
        EventKind.SENT,
        EventKind.UNKNOWN,
    ]


@attrs.frozen(kw_only=True)
class Own(MatchResult):
    """A subclass, which the JSON form does not know."""


@pytest.mark.parametrize(
    "answered",
    [
        Own(decision=Decision.MATCH, backend="fake"),
        "match",
        None,
    ],
)
def test_what_is_no_result_is_told_before_it_is_paid_twice(answered):
    """Whatever a plug-in hands over, a money event follows."""
    events = []
    backend = FakeBackend(script=[lambda call: answered or 5])
    with pytest.raises(OutcomeUnknown):
        FaceVerifier(backend, on_event=events.append).verify(A, B)
    assert events[-1].kind is EventKind.UNKNOWN


def test_a_result_that_cannot_be_used_is_charged_and_told(monkeypatch):
    """A fault in our own rules loses no account of the money."""

    def broken(result, *asked):
        raise RecursionError

    monkeypatch.setattr("facematch_core.policy._judged", broken)
    events = []
    with pytest.raises(UnexpectedResponse, match="RecursionError") as caught:
        FaceVerifier(FakeBackend(), on_event=events.append).verify(A, B)
    assert caught.value.billing.charged is Charged.YES
    assert events[-1].kind is EventKind.CHARGED


def test_a_body_of_any_depth_is_carried():
    """Below a depth that no vendor has, it is left out instead of breaking the result."""
    answered = match_result(score=Score(90, SCALE), raw=nested(5000))
    result = FaceVerifier(FakeBackend(script=[answered])).verify(A, B)
    assert "too deep" in json.dumps(result.to_dict())


def test_metadata_of_any_depth_is_refused_or_carried():
    """What is accepted can be written down afterwards."""
    for depth in (1, MAX_DEPTH - 2, MAX_DEPTH + 1, 500, 5000):
        verifier = FaceVerifier(FakeBackend())
        try:
            result = verifier.verify(A, B, metadata=nested(depth))
        except ValueError:
            assert depth > MAX_DEPTH - 2
        else:
            assert json.dumps(result.to_dict())


def test_raw_is_plain_json():
    """Whatever a vendor's library puts into it."""
    body = {
        "at": dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        "price": decimal.Decimal("0.05"),
        "nan": float("nan"),
        "picture": b"\xff\xd8",
        "object": object(),
        "url": "https://media.example/face.jpg?sig=1",
        "faces": [{"url": ["https://media.example/face.jpg"]}, {"url": {"big": "face.jpg"}}],
        "none": {"url": None},
        1: ("a", None, True),
    }
    copy = without_private(body, media_keys=("url",))
    assert json.loads(json.dumps(copy, allow_nan=False)) == copy
    assert copy["price"] == "0.05"
    assert copy["picture"] == "(left out: bytes)"
    assert copy["url"] == "(address removed)"
    assert copy["faces"] == [{"url": "(address removed)"}] * 2
    assert copy["none"] == {"url": None}
    assert copy["1"] == ["a", None, True]


def test_media_addresses_are_masked_also_when_demographics_are_kept():
    """An address leads to the picture itself."""
    answered = match_result(score=Score(90, SCALE), raw={"url": "https://x/face.jpg", "age": 31})
    backend = FakeBackend(script=[answered], media_keys=frozenset({"url"}))
    result = FaceVerifier(backend, keep_demographics=True).verify(A, B)
    assert result.raw == {"url": "(address removed)", "age": 31}


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit])
def test_an_interruption_after_the_first_byte_is_told(interruption):
    """The bill is open, and whoever keeps the books must know."""
    events = []

    def interrupt(call):
        raise interruption

    with pytest.raises(interruption):
        FaceVerifier(FakeBackend(script=[interrupt]), on_event=events.append).verify(A, B)
    assert events[-1].kind is EventKind.UNKNOWN
    assert events[-1].error == interruption.__name__


@attrs.define(kw_only=True, eq=False, slots=False)
class Vendor(HttpBackend):
    """Speaks to whatever listens at `base_url`."""

    base_url: str
    allow_base_url: bool = True
    name = "vendor"
    capabilities = Capabilities(billed_operations=frozenset({Operation.MATCH}))

    def build(self, call):
        return HttpRequest(url=self.base_url, fields={"a": "b"})

    def parse(self, call, reply):
        body = reply.json()
        return MatchResult(
            decision=Decision(body["decision"]),
            backend=self.name,
            billing=Billing(Charged.YES),
            raw=body,
        )


MOCK = ("X-Facematch-Mock: 1",)


@pytest.mark.parametrize(
    "body", [b'{"decision": "no_match"}', b'{"decision": 5}', b"<html>"], ids=str
)
def test_nothing_from_a_mock_counts(body):
    """Neither its answers nor its errors go on a bill."""
    events = []
    with RawServer([read_request, send(answer(200, body, *MOCK))]) as server:
        backend = Vendor(base_url=server.url)
        with contextlib.suppress(VendorError):
            FaceVerifier(backend, on_event=events.append).verify(A, B)
        backend.close()
    assert any(event.kind is EventKind.CHARGED for event in events)
    assert not any(event.counts for event in events)
    assert events[-1].environment is Environment.MOCK


def test_a_suite_can_require_the_mock():
    """On this machine the answer tells; elsewhere nothing is sent."""
    reply = answer(200, b'{"decision": "no_match"}', *MOCK)
    with (
        RawServer([read_request, send(reply)]) as server,
        FaceVerifier(Vendor(base_url=server.url), require_environment=Environment.MOCK) as verifier,
    ):
        assert verifier.verify(A, B).environment is Environment.MOCK
    away = Vendor(base_url="https://vendor.example/")
    required = FaceVerifier(away, require_environment=Environment.MOCK)
    with pytest.raises(EnvironmentMismatch, match="nothing was sent"):
        required.verify(A, B)
    away.close()
    reply = answer(200, b'{"decision": "no_match"}')
    with (
        RawServer([read_request, send(reply)]) as server,
        FaceVerifier(Vendor(base_url=server.url), require_environment=Environment.MOCK) as verifier,
        pytest.raises(EnvironmentMismatch, match="came from"),
    ):
        verifier.verify(A, B)


def test_a_picture_that_cannot_be_decoded_is_in_no_frame():
    """Its error names the picture, and holds nothing of it, by whatever way."""
    broken = bytearray(picture(kind="PNG", size=(400, 300)).data)
    middle = broken.index(b"IDAT") + 6
    data = bytes(broken[:middle]) + b"\x00" + bytes(broken[middle + 1 :])
    from kit.fakes import resealed

    data = resealed(data)
    with open_verifier("local") as verifier:
        error = next(
            outcome.error for outcome in verifier.verify_many([(A, Image.from_bytes(data))])
        )
    assert error.picture == "reference"
    assert (error.__cause__, error.__context__, error.__traceback__) == (None, None, None)
    assert not [thing for thing in gc.get_referents(error) if isinstance(thing, bytes)]


@pytest.mark.parametrize(
    "settings",
    [
        {"require_environment": "nowhere"},
        {"keep_demographics": "false"},
        {"fit_images": 1},
        {"on_event": 5},
        {"threshold": 101},
        {"threshold": 10**400},
        {"threshold": 70, "review_threshold": 60},
        {"liveness_threshold": 70, "liveness_review_threshold": 70},
    ],
    ids=str,
)
def test_odd_settings_of_a_verifier(settings):
    """Refused when it is opened, not at the first call."""
    with pytest.raises(ConfigurationError):
        FaceVerifier(FakeBackend(), **settings)


def test_an_environment_may_be_named_by_its_word():
    """As a configuration file does."""
    FaceVerifier(FakeBackend(), require_environment="production").verify(A, B)


@pytest.mark.parametrize("name", ["threshold", "review_threshold", "deadline_s"])
def test_a_huge_number_is_one_sentence(name):
    """It does not even fit into a float."""
    with pytest.raises(ValueError):
        FaceVerifier(FakeBackend()).verify(A, B, **{name: 10**400})


@pytest.mark.parametrize(
    "options",
    [{"stop_on": [5]}, {"stop_on": (ValueError,)}, {"treshold": 5}],
    ids=str,
)
def test_a_batch_is_checked_before_money_is_spent(options):
    """Not at the first outcome."""
    backend = FakeBackend()
    with pytest.raises(InvalidRequest):
        FaceVerifier(backend).verify_many([(A, B)], **options)
    with pytest.raises(InvalidRequest, match="iterate"):
        FaceVerifier(backend).verify_many(5)
    assert backend.calls == []


def test_a_grave_warning_beside_a_match():
    """The vendor's own words contradict each other: a person looks."""
    from facematch_core import ResultWarning

    warning = ResultWarning(code=WarningCode.PRESENTATION_ATTACK, severity=Severity.ERROR)
    answered = match_result(score=Score(90, SCALE), warnings=[warning])
    result = FaceVerifier(FakeBackend(script=[answered])).verify(A, B)
    assert result.decision is Decision.REVIEW
    assert result.warnings == (warning,)


def test_results_refuse_what_they_cannot_write_down():
    """A time without an offset and a number that is none could be stored and never read."""
    for fields in (
        {"created_at": dt.datetime(2026, 1, 1)},
        {"created_at": dt.datetime(1, 1, 1)},
    ):
        with pytest.raises(ValueError):
            match_result(**fields)
    for raw in (float("nan"), float("-inf")):
        with pytest.raises(ValueError):
            Score(50, SCALE, raw=raw)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_can_close():
    """Also if another thread of the parent was inside of the cache."""
    from facematch_local import LocalBackend

    backend = LocalBackend()
    with backend._cache._memory.lock:
        child = os.fork()
        if child == 0:
            signal.alarm(20)
            backend.close()
            os._exit(0)
    _, status = os.waitpid(child, 0)
    assert status == 0
