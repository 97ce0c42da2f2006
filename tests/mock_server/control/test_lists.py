"""The lists of the control API: running numbers, filters, and only so many of them at once."""

import datetime as dt
import json
import math

import pytest
from kit.mock_webhooks import HOOK, carried
from kit.mock_world import START, control_of, control_request, new_engine
from vendors.didit import match_request

from facematch_mock_server import make_card
from facematch_mock_server.world.money import MAX_CHARGES


class Listing:
    """An engine that was called, and its lists over HTTP."""

    def __init__(self):
        self.engine = new_engine()
        self.control = control_of(self.engine)
        self.destination = self.control.webhooks.add(HOOK)
        for person, case in (("ada", "case-1"), ("bob", "case-2"), ("ada", "case-3")):
            self.engine.handle(match_request(make_card(person), vendor_data=case))

    def ask(self, path, body=None):
        response = self.engine.handle(control_request(path, body))
        assert response.status == 200, response.body
        return response.json()


@pytest.fixture
def listing():
    return Listing()


#: Each list, and the name of its records.
RECORDS = {
    "journal": "entries",
    "ledger": "entries",
    "sessions": "sessions",
    "webhooks/deliveries": "deliveries",
}


def numbers_in(answer, path):
    return [record["number"] for record in answer[RECORDS[path]]]


@pytest.mark.parametrize("path", RECORDS)
def test_lists_are_numbered_and_accept_since_and_limit(listing, path):
    for query, numbers, left_out in (
        ("", [1, 2, 3], 0),
        ("since=1", [2, 3], 0),
        ("since=3", [], 0),
        ("limit=1", [3], 2),
        ("limit=0", [], 3),
        ("since=1&limit=1", [3], 1),
    ):
        answer = listing.ask(f"{path}?{query}")
        assert numbers_in(answer, path) == numbers, query
        assert answer["left_out"] == left_out, query


@pytest.mark.parametrize(
    ("path", "query", "numbers"),
    [
        ("sessions", "vendor_data=case-2", [2]),
        ("sessions", "status=Approved", [2]),
        ("sessions", "status=Declined&service=FACE_MATCH", [1, 3]),
        ("sessions", "service=PASSIVE_LIVENESS", []),
        ("webhooks/deliveries", "session_id={id of the second}", [2]),
        ("webhooks/deliveries", "state=pending", [1, 2, 3]),
        ("webhooks/deliveries", "state=failed", []),
        ("webhooks/deliveries", "event=status.updated&limit=2", [2, 3]),
        ("webhooks/deliveries", "destination=nobody", []),
        ("ledger", "what=FACE_MATCH&since=2", [3]),
        ("ledger", "what=PASSIVE_LIVENESS", []),
    ],
)
def test_sessions_webhook_deliveries_and_charges_can_be_filtered(listing, path, query, numbers):
    _, second, _ = listing.control.sessions.all()
    # Without it the decision is no fourth delivery.
    listing.control.webhooks.remove(listing.destination.uuid)
    listing.control.sessions.decide(second.id, "Approved")
    answer = listing.ask(f"{path}?{query.replace('{id of the second}', second.id)}")
    assert numbers_in(answer, path) == numbers


def test_python_lists_are_complete_and_count_records_omitted_by_limit(listing):
    control = listing.control
    for records in (control.journal, control.sessions.all, control.webhooks.deliveries):
        assert [record.number for record in records(since=1, limit=1)] == [3]
        assert records().left_out == 0
        assert records(limit=1).left_out == 2
    for wrong in ({"since": -1}, {"limit": 1.5}, {"limit": True}):
        with pytest.raises(ValueError, match="whole number from 0"):
            control.charges(**wrong)


def test_webhook_body_is_returned_only_for_a_single_delivery(listing):
    listed, _, _ = listing.ask("webhooks/deliveries")["deliveries"]
    single = listing.ask(f"webhooks/deliveries/{listed['id']}")
    assert single == {**listed, "body": single["body"], "headers": single["headers"]}
    assert "body" not in listed
    assert "headers" not in listed
    assert json.loads(single["body"])["vendor_data"] == "case-1"
    signatures = {"X-Signature", "X-Signature-V2", "X-Signature-Simple"}
    assert all(single["headers"].get(name) for name in signatures)
    assert listing.ask("webhooks/due") == {"due": 3}
    letter = listing.control.webhooks.delivery(listed["id"])
    assert (letter.body.decode(), letter.headers) == (single["body"], single["headers"])
    assert listing.engine.handle(control_request("webhooks/deliveries/nobody")).status == 404


def test_webhook_wait_returns_the_number_of_deliveries_in_each_state(listing):
    carried(200, 401, 200)(listing.engine)
    counts = {"due": 0, "pending": 0, "delivered": 2, "failed": 1, "dropped": 0, "last": 3}
    assert listing.ask("webhooks/wait", {}) == counts
    since = {"since": counts["last"]}
    assert listing.ask("webhooks/wait", since) == {**counts, "delivered": 0, "failed": 0}
    assert listing.ask("webhooks/wait", {"since": 7})["last"] == 7
    assert listing.control.webhooks.wait(since=3) == ()
    later = listing.control.webhooks.wait(since=1)
    assert [delivery.state for delivery in later] == ["failed", "delivered"]


def test_charge_numbers_are_never_reused_after_eviction_or_refund():
    ledger = new_engine().world.ledger
    ledger.balance = 10**6
    for number in range(MAX_CHARGES + 2):
        charge = ledger.charge(1, at=START, what="X", request_id=str(number))
    ledger.refund(charge)
    ledger.charge(1, at=START, what="X")
    first, *_, second_last, last = [charge.number for charge in ledger.charges.all()]
    assert first == 3
    assert (second_last, last) == (MAX_CHARGES + 1, MAX_CHARGES + 3)


@pytest.mark.parametrize(
    "ask",
    [
        lambda control: control.advance(dt.timedelta(minutes=1)),
        lambda control: control.advance(math.inf),
        lambda control: control.set_outcome("face_match"),
        lambda control: control.set_balance(0.02),
        lambda control: control.journal(path=5),
        lambda control: control.journal(fields={"a": 5}),
        lambda control: control.charges(what=["x"]),
        lambda control: control.sessions.all(status=""),
        lambda control: control.webhooks.wait(timeout_s=float("nan")),
        lambda control: control.webhooks.wait(timeout_s=None),
        lambda control: control.webhooks.add(HOOK, secret="\ud800"),
        lambda control: control.webhooks.add(HOOK, secret=7),
        lambda control: control.webhooks.drop(10_001),
        lambda control: control.set_limits({"push": 1}),
        lambda control: control.sessions.decide("1", "Approved", "\ud800"),
    ],
)
def test_invalid_argument_is_explained_and_changes_nothing(listing, ask):
    control = listing.control
    before = control.now(), control.balance(), control.outcomes()
    with pytest.raises(ValueError) as refused:
        ask(control)
    assert "is not a valid" not in str(refused.value)
    assert (control.now(), control.balance(), control.outcomes()) == before
