"""A reset while a call is carried out: the new world knows nothing of the call."""

import threading

import pytest
from kit import mock_didit as didit
from kit.mock_didit import control, liveness, match
from kit.mock_worlds import app_of, world_of


class Slow(didit.Scripted):
    """Looks at pictures until it is told to be done."""

    def __init__(self):
        self.looks, self.done = threading.Event(), threading.Event()

    def match(self, *pictures, **more):
        self._wait()
        return super().match(*pictures, **more)

    def liveness(self, *pictures, **more):
        self._wait()
        return super().liveness(*pictures, **more)

    def _wait(self):
        self.looks.set()
        assert self.done.wait(20)


def slow_app():
    """An app over a slow recognizer, and the recognizer."""
    recognizer, clock = Slow(), didit.VirtualClock(didit.START)
    return app_of(world_of(recognizer, clock=clock, seed=7)), recognizer


@pytest.fixture
def slow():
    """As `slow_app`; at the end it is done."""
    app, recognizer = slow_app()
    yield app, recognizer
    recognizer.done.set()


@pytest.mark.parametrize("call", [match(), liveness()], ids=["match", "liveness"])
def test_the_new_world_knows_nothing_of_the_call(slow, call):
    """No session, no charge, no line in the journal; another edition is in force."""
    app, recognizer = slow
    answers = []
    asks = threading.Thread(target=lambda: answers.append(app.handle(call)))
    asks.start()
    assert recognizer.looks.wait(20)
    answers.append(app.handle(control("reset", {"edition": "2026-03"})))
    recognizer.done.set()
    asks.join(20)
    assert not asks.is_alive()
    assert [answer.status for answer in answers] == [200, 200]
    world = app.world
    assert world.edition == "2026-03"
    assert world.sessions.all() == ()
    assert world.ledger.entries == ()
    assert world.ledger.balance == world.claims["credit.start"]
    assert world.account.journal.entries == ()
    # And it works: the next call is its first, under the id that its seed gives the first one.
    other, fast = slow_app()
    fast.done.set()
    wanted = other.handle(match()).json()["request_id"]
    assert app.handle(match()).json()["request_id"] == wanted
    assert [session.number for session in world.sessions.all()] == [1]
    assert len(world.account.journal.entries) == 1
