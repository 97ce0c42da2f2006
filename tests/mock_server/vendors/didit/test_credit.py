"""Credit and what is left behind: who pays, how much, which calls are kept, and what fails."""

from decimal import Decimal

import pytest
from kit import mock_webhooks
from kit.mock_world import ScriptedRecognizer, new_engine, scene
from vendors import didit
from vendors.didit import LIVENESS_PATH, liveness_request, match_request

from facematch_mock_server.world.sessions import SessionCollection

REFUSED = {
    "error": "You don't have enough credits to perform this request. "
    "Please top up at https://business.didit.me"
}
SANDBOX = "mock-sandbox-key"


@pytest.mark.parametrize(
    ("balance", "sent", "status"),
    [
        ("0.05", match_request(), 200),
        ("0.0499", match_request(), 403),
        ("0.10", liveness_request(), 200),
        ("0.0999", liveness_request(), 403),
        ("0", match_request(key=SANDBOX), 200),
    ],
)
def test_live_call_without_enough_credit_is_403_with_an_error_field(ask, balance, sent, status):
    code, body, _ = ask(sent, switches={"start_credit": balance})
    assert code == status
    if status == 403:
        assert body == REFUSED


def test_concurrent_calls_cannot_both_spend_the_last_credit():
    class Greedy(ScriptedRecognizer):
        def liveness(self, probe, *, rotate, **_more):
            engine.world.ledger.balance = Decimal(0)
            return super().liveness(probe, rotate=rotate)

    engine = new_engine()
    engine.world.recognizer = Greedy()
    response = engine.handle(liveness_request())
    assert (response.status, response.json()) == (403, REFUSED)
    assert engine.world.sessions.all() == ()
    assert LIVENESS_PATH in engine.world.account.journal.entries[-1].path


MATCH = didit.match_request()
LIVENESS = didit.liveness_request()
#: Before anything is kept, and at each step of keeping.
STEPS = (
    (MATCH, ScriptedRecognizer, "match"),
    (LIVENESS, ScriptedRecognizer, "liveness"),
    (MATCH, SessionCollection, "add"),
    (LIVENESS, SessionCollection, "add"),
)


@pytest.fixture
def engine():
    engine = new_engine()
    assert engine.handle(mock_webhooks.listen()).status == 200
    assert engine.handle(didit.liveness_request(scene(n=1))).status == 200
    return engine


def read_books(engine):
    world = engine.world
    return (
        world.ledger.balance,
        [(entry.request_id, entry.amount) for entry in world.ledger.charges.all()],
        [session.id for session in world.sessions.all()],
        [(delivery.id, delivery.state) for delivery in world.outbox.deliveries.all()],
        world.outbox.count_due(world.clock.now()),
    )


@pytest.mark.parametrize(("call", "place", "name"), STEPS)
@pytest.mark.parametrize("is_done", [False, True])
def test_exception_in_a_call_rolls_back_all_state(  # noqa: PLR0917 - fixtures and parameters
    monkeypatch, engine, call, place, name, is_done
):
    before, real = read_books(engine), getattr(place, name)

    def fail(*args, **more):
        if is_done:
            real(*args, **more)
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr(place, name, fail)
        with pytest.raises(ZeroDivisionError):
            engine.handle(call)
    assert read_books(engine) == before
    assert engine.handle(call).status == 200
    assert read_books(engine) != before
