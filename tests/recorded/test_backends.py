"""Our backends read a mock's values in the form of a real answer as in the mock's own."""

import json
from importlib import import_module

import attrs
import pytest
from kit.recorded import VENDORS, fill, read_shapes

import facematch_core as fm
from facematch_core.testing import SessionCase, Situation
from facematch_core.testing.bench import Bench
from facematch_core.testing.contract.calls import Recording
from facematch_core.testing.contract.session_desk import Desk, id_of
from facematch_core.testing.contract.session_readings import SessionRecording

READ = [(vendor, shape) for vendor in VENDORS for shape in read_shapes(vendor) if shape.backend]


def record(bench, kind, name):
    """Record a call in this situation, or the read of a session in this case."""
    if kind == "match":
        return Recording.of(bench, fm.Operation.MATCH, Situation[name])
    desk = Desk(bench)
    desk.set_up_sessions(None if kind == "liveness" else desk.player.compared_with[-1])
    session = desk.start()
    desk.player.play(id_of(session), SessionCase[name])
    return attrs.evolve(SessionRecording.of_session(desk, session), step=1)


def verdict_in(recording, document):
    body = json.dumps(document).encode()
    if isinstance(recording, SessionRecording):
        result = recording.read_session(body)
        return result.state, str(result.match), str(result.liveness)
    *earlier, last = recording.replies
    last = attrs.evolve(last, body=body)
    result = recording.bench.backend.read_reply(recording.request, *earlier, last)
    return result.decision, result.score, result.threshold


@pytest.mark.parametrize(
    ("vendor", "shape"), READ, ids=[f"{vendor} {shape.call}" for vendor, shape in READ]
)
def test_backend_reads_the_same_verdict_in_the_form_of_a_real_answer(vendor, shape, at_end):
    simulator_class = getattr(import_module(f"vendors.{vendor}"), f"{vendor.title()}Simulator")
    bench = Bench(at_end.enter_context(simulator_class()))
    at_end.callback(bench.close)
    kind, name, *place = shape.backend.split()
    recording = record(bench, kind, name)
    document = recording.reply.at()
    expected = verdict_in(recording, document)
    # A part of the answer is changed in its place.
    answer = {"": document}
    part, last = answer, ""
    for step in place:
        part, last = part[last], step
    part[last] = fill(shape, part[last])
    assert verdict_in(recording, answer[""]) == expected
