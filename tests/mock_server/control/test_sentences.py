"""A mistake of a test's own is told in one sentence, with the value and what to do."""

import datetime as dt
import math

import pytest

from facematch_mock_server import MockServer

MISTAKES = [
    (lambda control: control.advance(dt.timedelta(minutes=1)), "total_seconds"),
    (lambda control: control.advance("60"), "'60'"),
    (lambda control: control.advance(True), "True"),
    (lambda control: control.advance(-1), "-1"),
    (lambda control: control.advance(math.nan), "nan"),
    (lambda control: control.advance(1e15), "8999"),
    (lambda control: control.advance(math.inf), "8999"),
    (lambda control: control.set_outcome("face_match"), "match or liveness, not 'face_match'"),
    (lambda control: control.set_outcome(None), "match or liveness, not None"),
    (lambda control: control.set_balance(0.02), '"0.02"'),
]


@pytest.mark.parametrize(("mistake", "words"), MISTAKES)
def test_a_mistake_is_one_sentence(mistake, words):
    """And nothing is changed."""
    control = MockServer().control
    before = control.now(), control.balance(), control.outcomes()
    with pytest.raises(ValueError) as refused:
        mistake(control)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)
    assert len(refused.value.args) == 1
    assert (control.now(), control.balance(), control.outcomes()) == before
