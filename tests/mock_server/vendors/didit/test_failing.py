"""What fails half way costs nothing, keeps nothing and tells nobody."""

import pytest
from kit import mock_didit as didit
from kit import mock_didit_webhooks as webhooks
from kit.mock_worlds import app_of, world_of

from facematch_mock_server.clock import VirtualClock
from facematch_mock_server.services import Sessions
from facematch_mock_server.vendors.didit import webhooks as didit_webhooks
from facematch_mock_server.vendors.didit.records import Pictures


class BrokenError(Exception):
    """What a decider raises, or the code of a step."""


class Raising(didit.Scripted):
    """Raises at the question of that name, once it is told to."""

    def __init__(self, name):
        self.name, self.broken = name, False

    def __getattribute__(self, name):
        own = super().__getattribute__
        if name not in ("name", "broken") and name == own("name") and own("broken"):
            raise BrokenError
        return own(name)


CALLS = {"match": didit.match, "liveness": didit.liveness}


def engine_of(decider=None):
    """An engine with a destination and one session."""
    decider = decider or didit.Scripted()
    engine = app_of(world_of(decider, clock=VirtualClock(didit.START), seed=7))
    assert engine.handle(webhooks.listen()).status == 200
    assert engine.handle(didit.liveness(didit.picture(n=1))).status == 200
    return engine


def standing(engine):
    """All that a call leaves behind."""
    world = engine.world
    records = world.records
    return (
        world.ledger.balance,
        [(entry.request_id, entry.amount) for entry in world.ledger.entries],
        [session.id for session in world.sessions.all()],
        [(one.id, one.state) for one in records.outbox.deliveries.all()],
        records.outbox.count_due(world.clock.now()),
        records.pictures.kept_bytes,
    )


STEPS = ((Pictures, "keep"), (Sessions, "add"), (didit_webhooks, "announce"))


@pytest.mark.parametrize(("module", "name"), STEPS)
@pytest.mark.parametrize("call", CALLS)
def test_a_step_that_raises(monkeypatch, call, module, name):
    """Whatever it is: credit, sessions, letters and pictures are as before."""
    engine = engine_of()
    before = standing(engine)

    def broken(*_, **__):
        raise BrokenError

    with monkeypatch.context() as patched:
        patched.setattr(module, name, broken)
        with pytest.raises(BrokenError):
            engine.handle(CALLS[call]())
        assert standing(engine) == before
    assert engine.handle(CALLS[call]()).status == 200
    assert standing(engine) != before


@pytest.mark.parametrize("name", ["match", "liveness"])
@pytest.mark.parametrize("call", CALLS)
def test_a_decider_that_raises(call, name):
    """At each of its questions."""
    decider = Raising(name)
    engine = engine_of(decider)
    before = standing(engine)
    decider.broken = True
    try:
        answer = engine.handle(CALLS[call](didit.picture(n=3)))
    except BrokenError:
        assert standing(engine) == before
    else:
        assert answer.status == 200
    decider.broken = False
    assert engine.handle(CALLS[call](didit.picture(n=3))).status == 200


def test_an_update_that_raises_tells_nobody(monkeypatch):
    """What was announced before the failure is never sent."""
    engine = engine_of()
    announced = didit_webhooks.announce

    def late(*args, **more):
        announced(*args, **more)
        raise BrokenError

    before = engine.world.records.outbox.deliveries.all()
    monkeypatch.setattr(didit_webhooks, "announce", late)
    with pytest.raises(BrokenError):
        engine.handle(didit.match())
    monkeypatch.undo()
    assert engine.world.records.outbox.deliveries.all() == before
    assert engine.handle(didit.control("clock")).status == 200
    assert engine.world.records.outbox.deliveries.all() == before
