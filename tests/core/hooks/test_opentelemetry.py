import importlib
import sys
import threading

import anyio
import anyio.to_thread
import pytest
from kit.fakes import PROBE, REFERENCE, FakeBackend, Hold, begin_before_the_deadline
from kit.sessions import Acme
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

import facematch_core as fm
from facematch_core.hooks import opentelemetry
from facematch_core.hooks.opentelemetry import trace_calls
from facematch_core.resilience import RateLimiter, RateWindow, Retry

LIMIT_S = 30


class OpenSpans(SpanProcessor):
    """The spans that have started and not ended."""

    def __init__(self):
        self.spans = set()
        self.at_start = lambda span: None

    def on_start(self, span, parent_context=None):
        self.spans.add(span.context.span_id)
        self.at_start(span)

    def on_end(self, span):
        self.spans.remove(span.context.span_id)


class Traces:
    """A provider, the hook for it, and what it has exported."""

    def __init__(self):
        self.exporter = InMemorySpanExporter()
        self.open = OpenSpans()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.provider.add_span_processor(self.open)
        self.hook = trace_calls(self.provider)

    def callers_span(self):
        return self.provider.get_tracer("shop").start_as_current_span("checkout")

    @property
    def calls(self):
        return [span for span in self.exporter.get_finished_spans() if "facematch" in span.name]

    @property
    def attempts(self):
        spans = self.exporter.get_finished_spans()
        return [span for span in spans if span.kind is SpanKind.CLIENT]

    @property
    def checkout(self):
        (span,) = (s for s in self.exporter.get_finished_spans() if s.name == "checkout")
        return span


@pytest.fixture
def traces(at_end):
    opened = Traces()
    at_end.callback(opened.provider.shutdown)
    return opened


def parents(spans):
    return [span.parent and span.parent.span_id for span in spans]


def test_call_is_a_child_of_the_callers_span_and_an_attempt_of_the_call(traces):
    verifier = fm.FaceVerifier(FakeBackend(), on_event=traces.hook)
    with traces.callers_span():
        result = verifier.verify(PROBE, REFERENCE, caller_ref="canary")
    (call,) = traces.calls
    (attempt,) = traces.attempts
    assert (call.name, call.kind) == ("facematch match", SpanKind.INTERNAL)
    assert dict(call.attributes) == {
        "facematch.backend": "fake",
        "facematch.operation": "match",
        "facematch.call_id": result.ids.call,
        "facematch.environment": "production",
        "facematch.charged": "yes",
        "facematch.decision": "match",
        "facematch.attempts": 1,
    }
    assert (attempt.name, dict(attempt.attributes)) == ("fake match", {"facematch.backend": "fake"})
    assert parents([call, attempt]) == [traces.checkout.context.span_id, call.context.span_id]
    assert call.start_time <= attempt.start_time <= attempt.end_time <= call.end_time
    assert {call.status.status_code, attempt.status.status_code} == {StatusCode.UNSET}


@pytest.mark.parametrize(
    ("error", "charged", "status_code", "attempts"),
    [
        (fm.RequestRejected("no", status_code=400), "no", 400, 1),
        (fm.OutcomeUnknown("lost"), "unknown", None, 1),
        (KeyboardInterrupt(), "unknown", None, 1),
        (fm.VendorUnavailable("unreachable"), "no", None, 0),
    ],
)
def test_failed_call_has_the_errors_class(traces, error, charged, status_code, attempts):
    verifier = fm.FaceVerifier(FakeBackend(script=[error]), on_event=traces.hook)
    with pytest.raises(type(error)):
        verifier.check_liveness(PROBE)
    (call,) = traces.calls
    assert call.attributes["facematch.charged"] == charged
    assert "facematch.decision" not in call.attributes
    assert len(traces.attempts) == attempts
    for span in [call, *traces.attempts]:
        assert span.status.status_code is StatusCode.ERROR
        assert span.attributes["error.type"] == type(error).__name__
        assert span.attributes.get("http.response.status_code") == status_code
    assert traces.open.spans == set()


def test_negative_decision_is_no_error(traces):
    fm.FaceVerifier(FakeBackend(score=1.0), on_event=traces.hook).verify(PROBE, REFERENCE)
    (call,) = traces.calls
    assert call.attributes["facematch.decision"] == "no_match"
    assert call.status.status_code is StatusCode.UNSET


def test_each_attempt_is_a_span_with_its_own_error(traces, clock):
    errors = [fm.RateLimited("wait", status_code=429), fm.VendorUnavailable("unreachable")]
    verifier = fm.FaceVerifier(
        FakeBackend(script=errors), retry=Retry(), clock=clock, on_event=traces.hook
    )
    verifier.verify(PROBE, REFERENCE)
    (call,) = traces.calls
    first_attempt, third_attempt = traces.attempts
    assert parents([first_attempt, third_attempt]) == [call.context.span_id] * 2
    assert first_attempt.attributes["error.type"] == "RateLimited"
    assert first_attempt.attributes["http.response.status_code"] == 429
    assert "http.request.resend_count" not in first_attempt.attributes
    # The second attempt sent nothing.
    assert third_attempt.attributes["http.request.resend_count"] == 2
    assert "error.type" not in third_attempt.attributes
    assert call.attributes["facematch.attempts"] == 3
    assert call.status.status_code is StatusCode.UNSET


def test_calls_of_verify_many_are_children_of_the_callers_span(traces):
    verifier = fm.FaceVerifier(FakeBackend(), on_event=traces.hook)
    with traces.callers_span():
        outcomes = list(verifier.verify_many([(PROBE, REFERENCE)] * 4))
    assert [outcome.error for outcome in outcomes] == [None] * 4
    assert parents(traces.calls) == [traces.checkout.context.span_id] * 4
    assert sorted(parents(traces.attempts)) == sorted(s.context.span_id for s in traces.calls)


def test_async_call_is_a_child_of_its_tasks_span(traces):
    async def checkout(verifier):
        with traces.callers_span():
            await verifier.verify(PROBE, REFERENCE)

    async def main():
        verifier = fm.AsyncFaceVerifier(fm.FaceVerifier(FakeBackend(), on_event=traces.hook))
        async with verifier, anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(checkout, verifier)

    anyio.run(main)
    tasks = [s for s in traces.exporter.get_finished_spans() if s.name == "checkout"]
    assert sorted(parents(traces.calls)) == sorted(span.context.span_id for span in tasks)


def test_cancelled_calls_leave_no_open_span(traces):
    """Of eight calls, one is held after its first byte; the others wait for a rate limiter."""
    all_started = threading.Event()
    hold = Hold()

    def count(span):
        if len(traces.open.spans) == 9:  # each call, and the attempt that sends
            all_started.set()

    traces.open.at_start = count
    backend = FakeBackend(script=[hold])
    backend.keeps_deadline = True
    limiter = RateLimiter(RateWindow(1, 60), max_wait_s=999)
    verifier = fm.FaceVerifier(backend, policies=[limiter], on_event=traces.hook)

    async def main():
        async with fm.AsyncFaceVerifier(verifier, max_concurrency=8) as opened:
            async with anyio.create_task_group() as tasks:
                for _ in range(8):
                    tasks.start_soon(opened.verify, PROBE, REFERENCE)
                assert await anyio.to_thread.run_sync(all_started.wait, LIMIT_S)
                tasks.cancel_scope.cancel()
            hold.go_on.set()

    anyio.run(main)
    assert traces.open.spans == set()
    errors = [call.attributes.get("error.type") for call in traces.calls]
    assert sorted(errors, key=str) == ["CallCancelled"] * 7 + [None]
    assert len(traces.attempts) == 1


class Late(FakeBackend):
    """Sends in a thread that its call may abandon."""

    reports_sent = False

    def __init__(self, before_sending):
        super().__init__()
        self.before_sending = before_sending
        self.is_done = threading.Event()

    def match(self, call):
        try:
            self.before_sending()
            call.on_sent()
        finally:
            self.is_done.set()


@pytest.mark.parametrize("moment", ["before the first byte", "while its span starts"])
def test_abandoned_thread_leaves_no_open_span(traces, moment, monkeypatch, clock):
    has_begun = threading.Event()
    begin_before_the_deadline(monkeypatch, has_begun)
    has_ended = threading.Event()

    def wait_for_end(span=None):
        if span is None or span.kind is SpanKind.CLIENT:
            has_begun.set()
            assert has_ended.wait(LIMIT_S)

    backend = Late(before_sending=lambda: None)
    if moment == "before the first byte":
        backend.before_sending = wait_for_end
    else:
        traces.open.at_start = wait_for_end
    verifier = fm.FaceVerifier(backend, on_event=traces.hook, clock=clock)
    with pytest.raises(fm.DeadlineExceeded):
        verifier.verify(PROBE, REFERENCE, deadline_s=0.1)
    has_ended.set()
    assert backend.is_done.wait(LIMIT_S)
    assert traces.open.spans == set()
    assert [call.attributes["error.type"] for call in traces.calls] == ["DeadlineExceeded"]


def test_session_start_read_and_deletion_are_spans(traces):
    verifier = fm.FaceVerifier(
        Acme({}, {}, fm.RequestRejected("no", status_code=404)), on_event=traces.hook
    )
    sessions = fm.Sessions(verifier, compared_with="document")
    with traces.callers_span():
        record = sessions.start(sessions.plan("c", purpose="payout", about="order-1")).record
        sessions.read(record)
        with pytest.raises(fm.RequestRejected):
            sessions.delete(record)
    start, reading, deletion = traces.calls
    assert parents([start, reading, deletion]) == [traces.checkout.context.span_id] * 3
    assert parents(traces.attempts) == [start.context.span_id]
    assert {span.name for span in (start, reading, deletion)} == {"facematch session"}
    charges = [span.attributes["facematch.charged"] for span in (start, reading, deletion)]
    assert charges == ["yes", "no", "no"]
    assert deletion.attributes["error.type"] == "RequestRejected"
    assert deletion.attributes["http.response.status_code"] == 404
    assert all(span.start_time <= span.end_time for span in (reading, deletion))
    assert traces.open.spans == set()


def test_missing_package_is_named_with_its_install_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(ImportError, match=r"pip install .*opentelemetry-api"):
        importlib.reload(opentelemetry)
