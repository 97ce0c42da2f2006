"""The recipes of docs/apps/observe.md: no label, attribute or note of theirs holds a canary."""

import re
from pathlib import Path

import pytest
from kit import canaries
from kit.watched import CALLERS, WITH_REF, echo, tokens, watch

from facematch_core import FaceVerifier
from facematch_mock_server import Fault, Kind, Stage

PAGE = Path(__file__).parents[2] / "docs" / "apps" / "observe.md"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def recipes():
    space = {}
    for block in BLOCK.findall(PAGE.read_text()):
        if re.search(r"^class ", block, re.MULTILINE):
            exec(compile(block, str(PAGE), "exec"), space)
    return space


@pytest.fixture
def exported(recipes, at_end):
    """The hooks of the page as one, and what they give away, as texts."""
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
    from prometheus_client import CollectorRegistry, generate_latest

    registry, exporter, tracers = CollectorRegistry(), InMemorySpanExporter(), TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    at_end.callback(tracers.shutdown)
    hooks = [recipes["Metrics"](registry), recipes["Spans"](tracers)]

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
        watch(verifier, [], **WITH_REF)
        answers = [{"status": status, "body": echo(vendor)} for status in (200, 400, 500)]
        for how in (*answers, {"stage": Stage.MID_BODY, "kind": Kind.RESET}):
            rule = {"stage": Stage.ANSWER, "kind": Kind.JSON, "path": vendor.paths[0]} | how
            world.control.add_fault(Fault(**rule))
            watch(verifier, [], **WITH_REF)
        secrets = canaries.canaries() | CALLERS | tokens(backend)
        outputs = texts()
    assert all(outputs.values())
    assert canaries.leaks(outputs, secrets) == {}
    assert b'decision="' in outputs["metrics"]
    answers = re.findall(r"facematch_answers_total{.*}", outputs["metrics"].decode())
    assert answers
    assert all('counts="False"' in line for line in answers)
