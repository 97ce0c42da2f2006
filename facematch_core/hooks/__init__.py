"""Hooks that export calls to a monitoring system. Each module needs the extra of its name.

Pass a hook to a verifier: ``FaceVerifier(backend, on_event=trace_calls())``. A hook may be shared
by any number of verifiers. `opentelemetry` exports spans, and `prometheus` metrics.
"""
