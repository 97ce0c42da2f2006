"""Prometheus metrics of calls, by `count_calls`. Requires the extra ``prometheus``."""

from __future__ import annotations

import functools
from collections.abc import Callable

from facematch_core.base.extras import install_command
from facematch_core.call.events import CallEvent, EventKind

try:
    from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram
except ModuleNotFoundError:
    needs = f"count_calls needs prometheus-client: {install_command('prometheus')}"
    raise ImportError(needs) from None

__all__ = ["count_calls"]

_LABELS = ("backend", "operation", "environment")
#: Upper bounds in seconds, from a local engine to the usual longest deadline.
_BUCKETS_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


def count_calls(registry: CollectorRegistry = REGISTRY) -> Callable[[CallEvent], None]:
    """Return an `on_event` hook that counts calls and measures their duration.

    All metrics have the labels ``backend``, ``operation`` and ``environment`` ("unknown" if no
    response and no setting states it). ``decision`` is empty without a result, and ``error`` is
    empty without an error. ``charged`` is "yes", "no" or "unknown".

    - ``facematch_calls_total``: calls that ended, also by ``decision``, ``error`` and ``charged``
    - ``facematch_call_seconds``: histogram of the duration of calls, with all their attempts
    - ``facematch_retries_total``: attempts that failed and were repeated, also by ``error``
    - ``facematch_follow_ups_total``: reads and deletions of sessions, also by ``error``

    Args:
        registry: The registry of the metrics. Hooks for the same registry are the same object.

    Example:
        ``FaceVerifier(backend, on_event=count_calls())``
    """
    return _counter_in(registry)


class _CallCounter:
    """The hook that `count_calls` returns."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register the metrics; raise ValueError if the registry has them already."""
        self.calls = Counter(
            "facematch_calls",
            "Calls that ended.",
            [*_LABELS, "decision", "error", "charged"],
            registry=registry,
        )
        self.call_seconds = Histogram(
            "facematch_call_seconds",
            "Duration of a call in seconds.",
            _LABELS,
            registry=registry,
            buckets=_BUCKETS_S,
        )
        self.retries = Counter(
            "facematch_retries",
            "Attempts that failed and were repeated.",
            [*_LABELS, "error"],
            registry=registry,
        )
        self.follow_ups = Counter(
            "facematch_follow_ups",
            "Requests to read or delete a session.",
            [*_LABELS, "error"],
            registry=registry,
        )

    def __call__(self, event: CallEvent) -> None:
        """Count an event: a retry, a follow-up, or the end of a call with its seconds."""
        # Prometheus treats an empty label as a missing one.
        error = event.error or ""
        labels = {
            "backend": event.backend,
            "operation": event.operation.value,
            "environment": event.environment or "unknown",
        }
        if event.kind is EventKind.RETRYING:
            self.retries.labels(**labels, error=error).inc()
        elif event.kind is EventKind.FOLLOWED_UP:
            self.follow_ups.labels(**labels, error=error).inc()
        elif event.ends_call:
            self.calls.labels(
                **labels, decision=event.decision or "", error=error, charged=event.charged
            ).inc()
            self.call_seconds.labels(**labels).observe(event.elapsed_s or 0.0)


# A registry accepts a metric once, but an application may open several verifiers.
@functools.cache
def _counter_in(registry: CollectorRegistry) -> _CallCounter:
    return _CallCounter(registry)
