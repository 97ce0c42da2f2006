"""The lists of the control API: running numbers, filters, and only so many of them at once."""

import datetime as dt
import json
import math

import pytest
from kit import mock_didit as didit
from kit.mock_didit import control_of, control_request, match_request
from kit.mock_didit_webhooks import HOOK, carried

from facematch_mock_server import make_card
from facematch_mock_server.world.money import MAX_CHARGES


class Listing:
    """An engine that was called, and its lists over HTTP."""

    def __init__(self):
        self.engine = didit.new_engine()
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


#: Each list with the name of its records, and a filter that the second of three calls fits alone.
LISTS = {
    "journal": ("entries", "field=vendor_data=case-2"),
    "ledger": ("entries", None),
    "sessions": ("sessions", "vendor_data=case-2"),
    "webhooks/deliveries": ("deliveries", "session_id={}"),
}


@pytest.mark.parametrize("path", LISTS)
def test_lists_are_numbered_and_accept_since_limit_and_a_filter(listing, path):
    name, fitting = LISTS[path]
    numbers = {"": [1, 2, 3], "since=1": [2, 3], "since=3": [], "limit=1": [3], "limit=0": []}
    numbers["since=1&limit=1"] = [3]
    if fitting is not None:
        second = listing.control.sessions.all()[1].id
        numbers[fitting.format(second)] = [2]
    for query, expected in numbers.items():
        answer = listing.ask(f"{path}?{query}")
        assert [record["number"] for record in answer[name]] == expected, query
        rest = 3 - len(expected) - ("since=1" in query)
        assert answer["left_out"] == (rest if "limit" in query else 0), query


@pytest.mark.parametrize(
    ("path", "numbers"),
    [
        ("sessions?status=Approved", [2]),
        ("sessions?status=Declined&service=FACE_MATCH", [1, 3]),
        ("sessions?service=PASSIVE_LIVENESS", []),
        ("webhooks/deliveries?state=pending", [1, 2, 3]),
        ("webhooks/deliveries?state=failed", []),
        ("webhooks/deliveries?event=status.updated&limit=2", [2, 3]),
        ("webhooks/deliveries?destination=nobody", []),
        ("ledger?what=FACE_MATCH&since=2", [3]),
        ("ledger?what=PASSIVE_LIVENESS", []),
    ],
)
def test_sessions_webhook_deliveries_and_charges_can_be_filtered(listing, path, numbers):
    name, _ = LISTS[path.partition("?")[0]]
    for session in listing.control.sessions.all()[1:2]:
        listing.control.webhooks.remove(listing.destination.uuid)
        listing.control.sessions.decide(session.id, "Approved")
    assert [record["number"] for record in listing.ask(path)[name]] == numbers


def test_python_lists_are_complete_and_count_records_omitted_by_limit(listing):
    steer = listing.control
    for records in (steer.journal, steer.charges, steer.sessions.all, steer.webhooks.deliveries):
        assert [record.number for record in records()] == [1, 2, 3]
        assert [record.number for record in records(since=1, limit=1)] == [3]
        assert (records(limit=1).left_out, records().left_out) == (2, 0)
        for wrong in ({"since": -1}, {"limit": 1.5}, {"limit": True}):
            with pytest.raises(ValueError, match="whole number from 0"):
                records(**wrong)


def test_webhook_body_is_returned_only_for_a_single_delivery(listing):
    listed = listing.ask("webhooks/deliveries")["deliveries"]
    assert not {"body", "headers"} & set(listed[0])
    single = listing.ask(f"webhooks/deliveries/{listed[0]['id']}")
    assert {name: single[name] for name in listed[0]} == listed[0]
    assert json.loads(single["body"])["vendor_data"] == "case-1"
    signatures = {"X-Signature", "X-Signature-V2", "X-Signature-Simple"}
    assert all(single["headers"].get(name) for name in signatures)
    assert listing.ask("webhooks/due") == {"due": 3}
    letter = listing.control.webhooks.delivery(listed[0]["id"])
    assert (letter.body.decode(), letter.headers) == (single["body"], single["headers"])
    assert listing.engine.handle(control_request("webhooks/deliveries/nobody")).status == 404


def test_webhook_wait_returns_the_number_of_deliveries_in_each_state(listing):
    carried(200, 401, 200)(listing.engine)
    counts = {"due": 0, "pending": 0, "delivered": 2, "failed": 1, "dropped": 0, "last": 3}
    assert listing.ask("webhooks/wait", {}) == counts
    since = {"since": counts["last"]}
    assert listing.ask("webhooks/wait", since) == {**counts, "delivered": 0, "failed": 0}
    assert listing.control.webhooks.wait(since=3) == ()
    later = listing.control.webhooks.wait(since=1)
    assert [delivery.state for delivery in later] == ["failed", "delivered"]


def test_charge_numbers_are_never_reused_after_eviction_or_refund():
    ledger = didit.new_engine().world.ledger
    ledger.balance = 10**6
    for number in range(MAX_CHARGES + 2):
        last = ledger.charge(1, at=didit.START, what="X", request_id=str(number))
    ledger.refund(last)
    ledger.charge(1, at=didit.START, what="X")
    numbers = [charge.number for charge in ledger.charges.all()]
    assert (numbers[0], numbers[-2:]) == (3, [MAX_CHARGES + 1, MAX_CHARGES + 3])


@pytest.mark.parametrize(
    "select_by",
    [
        lambda control: control.advance(dt.timedelta(minutes=1)),
        lambda control: control.advance(1e15),
        lambda control: control.advance(math.inf),
        lambda control: control.set_outcome("face_match"),
        lambda control: control.set_balance(0.02),
        lambda control: control.journal(path=5),
        lambda control: control.journal(person=5),
        lambda control: control.journal(fields=["a"]),
        lambda control: control.journal(fields={"a": 5}),
        lambda control: control.charges(what=["x"]),
        lambda control: control.sessions.all(status=""),
        lambda control: control.webhooks.deliveries("nope"),
        lambda control: control.webhooks.wait(timeout_s=-1),
        lambda control: control.webhooks.wait(timeout_s=float("nan")),
        lambda control: control.webhooks.wait(timeout_s=None),
        *(
            lambda control, of=of: control.webhooks.add(HOOK, secret=of)
            for of in ("\ud800", " ", 7)
        ),
        lambda control: control.webhooks.drop(10_001),
        lambda control: control.add_key(client="c"),
        lambda control: control.set_limits({"push": 1}),
        *(
            lambda control, of=of: control.sessions.decide("1", "Approved", of)
            for of in ("\ud800", 5)
        ),
    ],
)
def test_invalid_argument_is_explained_and_changes_nothing(listing, select_by):
    control = listing.control
    before = control.now(), control.balance(), control.outcomes()
    with pytest.raises(ValueError) as refused:
        select_by(control)
    assert "is not a valid" not in str(refused.value)
    assert (control.now(), control.balance(), control.outcomes()) == before
