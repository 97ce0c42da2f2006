"""OpenTelemetry spans for calls, by `trace_calls`. Requires the extra ``opentelemetry``."""

from __future__ import annotations

import time
from collections.abc import Callable

import attrs

from facematch_core.base.extras import install_command
from facematch_core.call.events import CallEvent, EventKind

try:
    from opentelemetry import trace
except ModuleNotFoundError:
    needs = f"trace_calls needs opentelemetry-api: {install_command('opentelemetry')}"
    raise ImportError(needs) from None

__all__ = ["trace_calls"]


def trace_calls(
    tracer_provider: trace.TracerProvider | None = None,
) -> Callable[[CallEvent], None]:
    """Return an `on_event` hook that creates a span for each call, below the caller's span.

    A call is an INTERNAL span, ``facematch match``. Each attempt that sends is a CLIENT span below
    it, ``didit match``, from the first byte to the next attempt or the end. A read or deletion of a
    session is an INTERNAL span. No span contains a picture, a key or data of the caller.

    Args:
        tracer_provider: The provider of the tracer; None for the global one, which the application
            may also set later.

    Example:
        ``FaceVerifier(backend, on_event=trace_calls())``
    """
    return _CallTracer(trace.get_tracer("facematch_core", tracer_provider=tracer_provider))


@attrs.define(eq=False)
class _CallSpans:
    """The spans of a call that has not ended."""

    call_span: trace.Span
    #: The span of the current attempt; None if it has sent nothing.
    attempt_span: trace.Span | None = None

    def end_attempt(self, event: CallEvent) -> None:
        if self.attempt_span is not None:
            _end_span(self.attempt_span, event)
        self.attempt_span = None


@attrs.frozen(eq=False)
class _CallTracer:
    """The hook that `trace_calls` returns."""

    tracer: trace.Tracer
    spans_by_call_id: dict[str, _CallSpans] = attrs.field(factory=dict)

    def __call__(self, event: CallEvent) -> None:
        """Start, continue or end the spans of a call; ignore events after its end."""
        if event.kind is EventKind.STARTED:
            self.spans_by_call_id[event.call_id] = _CallSpans(self._start_call_span(event))
            return
        if event.kind is EventKind.FOLLOWED_UP:
            # The only event of its request, emitted at the end.
            start_ns = time.time_ns() - int((event.elapsed_s or 0.0) * 1e9)
            _end_call_span(self._start_call_span(event, start_ns), event)
            return
        spans = self.spans_by_call_id.get(event.call_id)
        # After a deadline, the thread that the call abandoned may still send.
        if spans is None:
            return
        if event.kind is EventKind.SENT:
            self._start_attempt(spans, event)
        elif event.kind is EventKind.RETRYING:
            spans.end_attempt(event)
        elif event.ends_call:
            del self.spans_by_call_id[event.call_id]
            spans.end_attempt(event)
            _end_call_span(spans.call_span, event)

    def _start_call_span(self, event: CallEvent, start_ns: int | None = None) -> trace.Span:
        """Start the span of a call, below the caller's; `start_ns` is None for now."""
        return self.tracer.start_span(
            f"facematch {event.operation}",
            attributes={
                "facematch.backend": event.backend,
                "facematch.operation": event.operation.value,
                "facematch.call_id": event.call_id,
            },
            start_time=start_ns,
        )

    def _start_attempt(self, spans: _CallSpans, event: CallEvent) -> None:
        """Start the span of an attempt, which ends at once if the call has ended meanwhile."""
        attributes: dict[str, str | int] = {"facematch.backend": event.backend}
        if event.attempt is not None and event.attempt > 1:
            attributes["http.request.resend_count"] = event.attempt - 1
        spans.attempt_span = self.tracer.start_span(
            f"{event.backend} {event.operation}",
            context=trace.set_span_in_context(spans.call_span),
            kind=trace.SpanKind.CLIENT,
            attributes=attributes,
        )
        # The call may have ended in another thread meanwhile, for example by Ctrl-C. A lock would
        # be worse: a forked child could inherit it locked.
        if event.call_id not in self.spans_by_call_id:
            spans.end_attempt(event)


def _end_call_span(span: trace.Span, event: CallEvent) -> None:
    """End the span of a call with what its last event says; what is unknown is no attribute."""
    attributes = {
        "facematch.environment": event.environment,
        "facematch.charged": event.charged,
        "facematch.decision": event.decision,
        "facematch.attempts": event.attempt,
    }
    for name, value in attributes.items():
        if value is not None:
            span.set_attribute(name, value)
    _end_span(span, event)


def _end_span(span: trace.Span, event: CallEvent) -> None:
    """End a span, with the event's error if there is one."""
    if event.status_code is not None:
        span.set_attribute("http.response.status_code", event.status_code)
    if event.error is not None:
        span.set_attribute("error.type", event.error)
        span.set_status(trace.StatusCode.ERROR)
    span.end()
