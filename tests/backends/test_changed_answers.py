"""Answers with one value in another form: nothing becomes a yes, and a real form keeps a verdict.

That a detail costs no verdict is the contract's rule R60.
"""

import itertools
import json

import attrs
import pytest
from kit.recorded import fill, shapes_read_as
from kit.vendors import PAID

import facematch_core as fm
from facematch_core.testing import Situation
from facematch_core.testing.bench import PASS
from facematch_core.testing.contract.calls import REMOVED, Recording, replace_value, values_in
from facematch_core.testing.simulator import PASSING

FORMS = ({"odd": 1}, "odd", None, [], 7, True, REMOVED)
#: Situations in which a vendor answers, and does not pass.
NOT_PASSING = (
    Situation.DIFFERENT_PEOPLE,
    Situation.SPOOF,
    Situation.SCORE,
    Situation.NO_FACE,
    Situation.TWO_FACES,
    Situation.SMALLER_FACE_MATCHES,
    Situation.NULL_SCORE,
)


def read(recording, path, value):
    """The outcome with another value at a path of the answer at `step`; None: it asks for more."""
    document = replace_value(recording.reply.at(), path, value)
    changed = attrs.evolve(recording.reply, body=json.dumps(document).encode())
    before = recording.replies[: recording.step - 1]
    after = recording.replies[recording.step :]
    try:
        return recording.bench.backend.read_reply(recording.request, *before, changed, *after)
    except ValueError:
        return None


def steps_of(recording):
    for step in range(1, len(recording.replies) + 1):
        yield attrs.evolve(recording, step=step)


def verdict_of(outcome):
    if not isinstance(outcome, fm.MatchResult):
        return None
    return outcome.decision, outcome.score, outcome.threshold, outcome.vendor_status


@pytest.mark.parametrize(("vendor", "shape"), shapes_read_as("match"))
def test_verdict_stays_in_the_form_of_a_real_answer(vendor, shape, bench_of):
    _, situation = shape.backend.split()
    recording = Recording.of(bench_of(vendor), fm.Operation.MATCH, Situation[situation])
    document = recording.reply.at()
    verdict = verdict_of(read(recording, (), document))
    assert verdict is not None
    assert verdict_of(read(recording, (), fill(shape, document))) == verdict


def is_other_form(value, other):
    """Whether `other` is no other answer in the same form: a number for a number or null is one."""
    if isinstance(other, bool):
        return not isinstance(value, bool)
    if isinstance(other, int):
        return isinstance(value, (bool, str, list, dict))
    return other != value


def answers_that_do_not_pass(bench):
    for operation in bench.operations:
        for situation in NOT_PASSING:
            if situation is PASSING[operation] or situation not in bench.simulator.situations:
                continue
            try:
                recording = Recording.of(bench, operation, situation, threshold=50.0)
            except fm.UnexpectedResponse:
                continue
            outcome = bench.backend.read_reply(recording.request, *recording.replies)
            if getattr(outcome, "decision", None) not in PASS.values():
                yield from steps_of(recording)


def changes_of(bench):
    for recording in answers_that_do_not_pass(bench):
        for path, value in values_in(recording.reply.at()):
            for other in FORMS:
                has_place = other is not REMOVED or isinstance(path[-1], str)
                if has_place and is_other_form(value, other):
                    yield recording, path, other


@pytest.mark.parametrize(
    "share", [pytest.param(1, id="all", marks=pytest.mark.slow), pytest.param(13, id="some")]
)
@pytest.mark.parametrize("vendor", PAID)
def test_no_other_form_makes_a_yes_of_an_answer_that_is_none(vendor, share, bench_of):
    tried = 0
    for recording, path, other in itertools.islice(changes_of(bench_of(vendor)), 0, None, share):
        outcome = read(recording, path, other)
        assert getattr(outcome, "decision", None) not in PASS.values(), (path, other)
        tried += 1
    assert tried * share > 200
