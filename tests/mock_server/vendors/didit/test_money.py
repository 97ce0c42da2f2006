"""Credit and what is left behind: who pays, how much, and which calls are kept."""

import threading
from decimal import Decimal

import pytest
from kit import mock_didit as didit
from kit.mock_didit import LIVENESS, MATCH, liveness, match, picture, request

REFUSED = {
    "error": "You don't have enough credits to perform this request. "
    "Please top up at https://business.didit.me"
}
SANDBOX = "mock-sandbox-key"

#: request -> status, price, whether a session is left
CALLS = [
    (match(), 200, "0.05", True),
    (match(picture(score=1)), 200, "0.05", True),
    (match(picture(faces=0)), 200, "0.05", True),
    (match(save_api_request="false"), 200, "0.05", False),
    (liveness(), 200, "0.03", True),
    (liveness(picture(score=1)), 200, "0.03", True),
    (liveness(save_api_request="false"), 200, "0.03", False),
    (liveness(b"?"), 400, "0", False),
    (match(key=SANDBOX), 200, "0", False),
    (liveness(key=SANDBOX), 200, "0", False),
    (request(MATCH), 400, "0", False),
    (request(MATCH, method="GET"), 405, "0", False),
    (match(key="wrong"), 403, "0", False),
]


@pytest.mark.parametrize(("sent", "status", "price", "kept"), CALLS)
def test_what_a_call_costs_and_leaves(sent, status, price, kept):
    """Per live 200, whatever the verdict; a session only if it was saved."""
    engine = didit.new_engine()
    response = engine.handle(sent)
    assert response.status == status
    assert engine.world.ledger.balance == Decimal(100) - Decimal(price)
    assert len(engine.world.ledger.entries) == (price != "0")
    assert len(engine.world.sessions.all()) == kept


def test_a_session_holds_what_the_next_call_needs():
    """Its id is the request id, and the pictures are known by their digests."""
    import hashlib

    engine = didit.new_engine()
    probe, reference = picture(score=1), picture(n=2)
    body = engine.handle(match(probe, reference, vendor_data="emp", metadata='{"a":1}')).json()
    engine.handle(liveness())
    one, two = engine.world.sessions.all()
    assert engine.world.sessions.find(body["request_id"]) is one
    assert (one.number, two.number) == (1, 2)
    assert (one.service, two.service) == ("FACE_MATCH", "PASSIVE_LIVENESS")
    assert (one.status, one.vendor_data, one.metadata) == ("Declined", "emp", {"a": 1})
    assert one.pictures == {
        "source_image": hashlib.sha256(reference).hexdigest(),
        "target_image": hashlib.sha256(probe).hexdigest(),
    }
    assert one.result == body["face_match"]


@pytest.mark.parametrize(
    ("balance", "sent", "status"),
    [
        ("0.05", match(), 200),
        ("0.0499", match(), 403),
        ("0.03", liveness(), 200),
        ("0.0299", liveness(), 403),
        ("0", match(), 403),
        ("0", match(key=SANDBOX), 200),
    ],
)
def test_lack_of_credit(ask, balance, sent, status):
    """Below the price a live call is refused with error, not detail."""
    code, body, _ = ask(sent, switches={"start_credit": balance})
    assert code == status
    if status == 403:
        assert body == REFUSED


def test_prices_are_settings():
    """A world may have other prices and another start."""
    switches = {"price_match": "0.1", "price_liveness": "2", "start_credit": "5"}
    engine = didit.new_engine(switches=switches)
    engine.handle(match())
    engine.handle(liveness())
    assert engine.world.ledger.balance == Decimal("2.9")


def test_the_ledger_is_exact_under_threads():
    """Sixteen threads spend a balance to the last cent, and not one cent more."""
    switches = {"start_credit": "5.01", "write_limit": None}
    engine = didit.new_engine(switches=switches)
    statuses = []

    def spend():
        statuses.extend(engine.handle(match()).status for _ in range(10))

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


def test_the_last_credit_goes_to_one_call():
    """Two calls that both saw the credit do not both get it."""

    class Greedy(didit.Scripted):
        def liveness(self, probe, *, rotate, **_digests):
            engine.world.ledger.balance = Decimal(0)
            return super().liveness(probe, rotate=rotate)

    engine = didit.new_engine()
    engine.world.recognizer = Greedy()
    response = engine.handle(liveness())
    assert (response.status, response.json()) == (403, REFUSED)
    assert engine.world.sessions.all() == ()
    assert LIVENESS in engine.world.account.journal.entries[-1].path
