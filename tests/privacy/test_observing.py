"""The recipes of docs/apps/observe.md: no label, attribute or note of theirs holds a canary."""

import re
from pathlib import Path

import pytest
from kit import canaries
from kit.watched import CALLERS, VENDORS, WITH_REF, echo, tokens, watch

from facematch_core import FaceVerifier
from facematch_mock_server import Fault, Kind, Stage

PAGE = Path(__file__).parents[2] / "docs" / "apps" / "observe.md"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def recipes():
    """The classes of the page, by name."""
    blocks = BLOCK.findall(PAGE.read_text())
    space = {}
    for block in blocks:
        if re.search(r"^class ", block, re.MULTILINE):
            exec(compile(block, str(PAGE), "exec"), space)
    return space


@pytest.fixture
def exported(recipes, tmp_path):
    """The hooks of the page, and what they give away, as texts."""
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
    from prometheus_client import CollectorRegistry, generate_latest

    registry, exporter, tracers = CollectorRegistry(), InMemorySpanExporter(), TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    folder = tmp_path / "open-calls"
    hooks = [
        recipes["Metrics"](registry),
        recipes["Spans"](tracers),
        recipes["OpenCalls"](folder),
    ]

    def texts():
        return {
            "metrics": generate_latest(registry),
            "spans": "".join(span.to_json() for span in exporter.get_finished_spans()),
            "open calls": "".join(file.read_text() for file in folder.iterdir()),
        }

    yield lambda event: [hook(event) for hook in hooks], texts
    tracers.shutdown()


@pytest.mark.parametrize("vendor", VENDORS.values(), ids=lambda vendor: vendor.name)
def test_what_is_exported_holds_no_canary(world, exported, vendor):
    """Of an answer, a refusal, a lost answer and one that cannot be read."""
    hook, texts = exported
    backend = vendor.backend(world.url)
    with FaceVerifier(backend, on_event=hook) as verifier:
        watch(verifier, [], **WITH_REF)
        for status in (200, 400, 500):
            rule = {"stage": Stage.ANSWER, "kind": Kind.JSON, "body": echo(vendor)}
            world.control.add_fault(Fault(**rule, status=status, path=vendor.paths[0]))
            watch(verifier, [], **WITH_REF)
        path = vendor.paths[0]
        world.control.add_fault(Fault(stage=Stage.MID_BODY, kind=Kind.RESET, path=path))
        watch(verifier, [], **WITH_REF)
        secrets = canaries.canaries() | CALLERS | tokens(backend)
        told = texts()
    assert all(told.values())
    assert canaries.leaks(told, secrets) == {}
    assert b'decision="' in told["metrics"]
    answers = re.findall(r"facematch_answers_total{.*}", told["metrics"].decode())
    assert answers
    assert all('counts="False"' in line for line in answers)
