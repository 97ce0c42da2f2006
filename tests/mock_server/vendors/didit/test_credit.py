"""Credit and what is left behind: who pays, how much, which calls are kept, and what fails."""

import hashlib
import threading
from decimal import Decimal

import pytest
from kit import mock_didit as didit
from kit import mock_didit_webhooks as webhooks
from kit.mock_didit import (
    LIVENESS_PATH,
    MATCH_PATH,
    didit_request,
    liveness_request,
    match_request,
    scene,
)

from facematch_mock_server.vendors.didit import webhooks as didit_webhooks
from facematch_mock_server.world.services import Sessions

REFUSED = {
    "error": "You don't have enough credits to perform this request. "
    "Please top up at https://business.didit.me"
}
SANDBOX = "mock-sandbox-key"

#: request -> status, price, whether a session is left
CALLS = [
    (match_request(), 200, "0.05", True),
    (match_request(scene(score=1)), 200, "0.05", True),
    (match_request(save_api_request="false"), 200, "0.05", False),
    (liveness_request(), 200, "0.03", True),
    (liveness_request(b"?"), 400, "0", False),
    (match_request(key=SANDBOX), 200, "0", False),
    (liveness_request(key=SANDBOX), 200, "0", False),
    (didit_request(MATCH_PATH), 400, "0", False),
    (didit_request(MATCH_PATH, method="GET"), 405, "0", False),
    (match_request(key="wrong"), 401, "0", False),
]


@pytest.mark.parametrize(("sent", "status", "price", "kept"), CALLS)
def test_a_live_200_is_paid_and_a_saved_one_leaves_a_session(sent, status, price, kept):
    engine = didit.new_engine()
    response = engine.handle(sent)
    assert response.status == status
    assert engine.world.ledger.balance == Decimal(100) - Decimal(price)
    assert len(engine.world.ledger.entries) == (price != "0")
    assert len(engine.world.sessions.all()) == kept


def test_a_session_holds_the_request_id_and_the_digests_of_its_pictures():
    engine = didit.new_engine()
    probe, reference = scene(score=1), scene(n=2)
    body = engine.handle(
        match_request(probe, reference, vendor_data="emp", metadata='{"a":1}')
    ).json()
    engine.handle(liveness_request())
    first, second = engine.world.sessions.all()
    assert engine.world.sessions.find(body["request_id"]) is first
    assert (first.number, second.number) == (1, 2)
    assert (first.service, second.service) == ("FACE_MATCH", "PASSIVE_LIVENESS")
    assert (first.status, first.vendor_data, first.metadata) == ("Declined", "emp", {"a": 1})
    assert first.pictures == {
        "source_image": hashlib.sha256(reference).hexdigest(),
        "target_image": hashlib.sha256(probe).hexdigest(),
    }
    assert first.result == body["face_match"]


@pytest.mark.parametrize(
    ("balance", "sent", "status"),
    [
        ("0.05", match_request(), 200),
        ("0.0499", match_request(), 403),
        ("0.03", liveness_request(), 200),
        ("0.0299", liveness_request(), 403),
        ("0", match_request(key=SANDBOX), 200),
    ],
)
def test_below_its_price_a_live_call_is_refused_with_error_not_detail(ask, balance, sent, status):
    code, body, _ = ask(sent, switches={"start_credit": balance})
    assert code == status
    if status == 403:
        assert body == REFUSED


def test_prices_and_the_start_are_switches():
    switches = {"price_match": "0.1", "price_liveness": "2", "start_credit": "5"}
    engine = didit.new_engine(switches=switches)
    engine.handle(match_request())
    engine.handle(liveness_request())
    assert engine.world.ledger.balance == Decimal("2.9")


def test_sixteen_threads_spend_a_balance_to_the_last_cent_and_not_one_more():
    switches = {"start_credit": "5.01", "write_limit": None}
    engine = didit.new_engine(switches=switches)
    statuses = []

    def spend():
        statuses.extend(engine.handle(match_request()).status for _ in range(10))

    threads = [threading.Thread(target=spend) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (statuses.count(200), statuses.count(403)) == (100, 60)
    ledger = engine.world.ledger
    assert ledger.balance == Decimal("0.01")
    assert len(ledger.entries) == len(engine.world.sessions.all()) == 100
    assert len({entry.request_id for entry in ledger.entries}) == 100
    assert [s.number for s in engine.world.sessions.all()] == list(range(1, 101))
    assert len(engine.world.account.journal.entries) == 160


def test_of_two_calls_that_saw_the_last_credit_one_gets_it():

    class Greedy(didit.ScriptedRecognizer):
        def liveness(self, probe, *, rotate, **_more):
            engine.world.ledger.balance = Decimal(0)
            return super().liveness(probe, rotate=rotate)

    engine = didit.new_engine()
    engine.world.recognizer = Greedy()
    response = engine.handle(liveness_request())
    assert (response.status, response.json()) == (403, REFUSED)
    assert engine.world.sessions.all() == ()
    assert LIVENESS_PATH in engine.world.account.journal.entries[-1].path


class BrokenError(Exception):
    """Raised in the middle of a call."""


OF = {"match": didit.match_request, "liveness": didit.liveness_request}
#: Before anything is kept, and at each step of keeping.
STEPS = (
    (didit.ScriptedRecognizer, "match"),
    (didit.ScriptedRecognizer, "liveness"),
    (Sessions, "add"),
    (didit_webhooks, "announce"),
)


@pytest.fixture
def engine():
    engine = didit.new_engine()
    assert engine.handle(webhooks.listen()).status == 200
    assert engine.handle(didit.liveness_request(didit.scene(n=1))).status == 200
    return engine


def read_books(engine):
    world = engine.world
    records = world.records
    return (
        world.ledger.balance,
        [(entry.request_id, entry.amount) for entry in world.ledger.entries],
        [session.id for session in world.sessions.all()],
        [(delivery.id, delivery.state) for delivery in records.outbox.deliveries.all()],
        records.outbox.count_due(world.clock.now()),
    )


def breaks_after(real):
    def raise_after(*args, **more):
        real(*args, **more)
        raise BrokenError

    return raise_after


def breaks_before(_real):
    return breaks_after(lambda *_, **__: None)


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step[1])
@pytest.mark.parametrize("call", OF)
@pytest.mark.parametrize("breaks", [breaks_before, breaks_after])
def test_a_step_that_raises_leaves_all_as_it_was(monkeypatch, engine, call, step, breaks):
    (place, name), before = step, read_books(engine)
    is_asked = name in (call, "add", "announce")
    with monkeypatch.context() as patched:
        patched.setattr(place, name, breaks(getattr(place, name)))
        if is_asked:
            with pytest.raises(BrokenError):
                engine.handle(OF[call]())
            assert read_books(engine) == before
        else:
            assert engine.handle(OF[call]()).status == 200
    assert engine.handle(didit.control_request("clock")).status == 200
    assert (read_books(engine) == before) is is_asked
    assert engine.handle(OF[call]()).status == 200
    assert read_books(engine) != before
