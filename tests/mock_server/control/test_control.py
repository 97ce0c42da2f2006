"""The verbs as a Python object."""

import datetime as dt
import math
from decimal import Decimal

import pytest
from kit import mock_didit as didit
from kit.mock_didit import match_request
from kit.mock_worlds import app_of, control_of, world_of

from facematch_mock_server import MockServer
from facematch_mock_server.recognition.recognizer import Recognizer
from facematch_mock_server.recognition.sheet import make_card

P1 = make_card("p1")


@pytest.fixture
def engine():
    return app_of(world_of(Recognizer(), clock=didit.VirtualClock(didit.START)))


@pytest.fixture
def steer(engine):
    return control_of(engine.world)


def test_a_review_needs_its_switch(engine, steer):
    card = make_card("p1", review=True)
    assert card != P1
    assert engine.handle(match_request(card, card)).json()["face_match"]["status"] == "Approved"
    steer.reset(switches={"in_review": True})
    steer.set_outcome("match", review=True)
    assert engine.handle(match_request(P1, P1)).json()["face_match"]["status"] == "In Review"


def test_a_key_lasts_until_it_expires_or_is_revoked(engine, steer):
    key = steer.add_key("live", expires=didit.START.date())
    assert engine.handle(match_request(key=key)).status == 200
    assert steer.charges()[0].amount == Decimal("0.05")
    steer.advance(86_400)
    assert engine.handle(match_request(key=key)).status == 401
    assert key not in repr(steer.keys())
    steer.revoke_key(key)
    with pytest.raises(LookupError):
        steer.revoke_key("other-key")


# Mistakes

MISTAKES = [
    (lambda control: control.advance(dt.timedelta(minutes=1)), "total_seconds"),
    (lambda control: control.advance(1e15), "8999"),
    (lambda control: control.advance(math.inf), "8999"),
    (lambda control: control.set_outcome("face_match"), "match or liveness, not 'face_match'"),
    (lambda control: control.set_balance(0.02), '"0.02"'),
]


@pytest.mark.parametrize(("mistake", "words"), MISTAKES)
def test_a_mistake_is_one_sentence_and_changes_nothing(mistake, words):
    control = MockServer().control
    before = control.now(), control.balance(), control.outcomes()
    with pytest.raises(ValueError) as refused:
        mistake(control)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)
    assert len(refused.value.args) == 1
    assert (control.now(), control.balance(), control.outcomes()) == before
