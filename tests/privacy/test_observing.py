"""The hooks for monitoring systems: no label, attribute or note of theirs holds a canary."""

import re

import pytest
from kit import canaries
from kit.watched import CALLERS, CALLERS_DATA, echo, tokens, watch
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry, generate_latest

from facematch_core import FaceVerifier
from facematch_core.hooks.opentelemetry import trace_calls
from facematch_core.hooks.prometheus import count_calls
from facematch_mock_server import Fault, Kind, Stage


@pytest.fixture
def exported(at_end):
    """Both hooks as one, and what they give away, as texts."""
    registry = CollectorRegistry()
    exporter = InMemorySpanExporter()
    tracers = TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    at_end.callback(tracers.shutdown)
    hooks = [count_calls(registry), trace_calls(tracers)]

    def texts():
        return {
            "metrics": generate_latest(registry),
            "spans": "".join(span.to_json() for span in exporter.get_finished_spans()),
        }

    return lambda event: [hook(event) for hook in hooks], texts


def test_exported_telemetry_leaks_nothing(world, exported, each_vendor):
    (hook, texts), vendor = exported, each_vendor
    backend = vendor.backend(world.url)
    with FaceVerifier(backend, on_event=hook) as verifier:
        watch(verifier, [], **CALLERS_DATA)
        answers = [{"status": status, "body": echo(vendor)} for status in (200, 400, 500)]
        for how in (*answers, {"stage": Stage.MID_BODY, "kind": Kind.RESET}):
            rule = {"stage": Stage.ANSWER, "kind": Kind.JSON, "path": vendor.paths[0]} | how
            world.control.add_fault(Fault(**rule))
            watch(verifier, [], **CALLERS_DATA)
        secrets = canaries.canaries() | CALLERS | tokens(backend)
        outputs = texts()
    assert all(outputs.values())
    assert canaries.leaks(outputs, secrets) == {}
    assert b'decision="' in outputs["metrics"]
    answers = re.findall(
        r"facematch_calls_total{.*decision=\"\w+\".*}", outputs["metrics"].decode()
    )
    assert answers
    assert all('environment="mock"' in line for line in answers)
