"""Test cards that say how a call with them fails, whoever sends them."""

import pytest
import requests

from facematch_mock_server import Fault, make_card

BUSY_CARD = make_card("p1", status=503, retry_after=1)


@pytest.mark.parametrize(
    "call",
    [
        pytest.param({"probe": BUSY_CARD}, id="probe"),
        pytest.param({"reference": BUSY_CARD}, id="reference"),
        pytest.param({"probe": BUSY_CARD, "call": "liveness"}, id="liveness"),
    ],
)
def test_card_with_a_status_fails_every_call_with_it_free_of_charge(asking, call):
    asking.control.set_outcome("match", score=50, times=None)
    for _ in range(2):
        answer = asking.didit(**call)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert asking.charged == 0
    assert asking.control.sessions.all() == ()
    assert asking.control.journal()[-1].note == "fault: answer status"
    assert asking.didit("p2").json()["face_match"]["score"] == 50


def test_429_has_the_vendors_message_and_the_cards_retry_after_if_set(asking):
    answer = asking.didit(make_card(status=429))
    assert answer.headers["Retry-After"] == "60"
    assert "rate limit" in answer.json()["detail"]
    assert asking.didit(make_card(status=429, retry_after=0)).headers["Retry-After"] == "0"


def test_a_card_with_a_delay_is_answered_late_and_charged_once(asking):
    answer = asking.didit(make_card("p2", delay=2.5))
    assert answer.json()["face_match"]["status"] == "Approved"
    assert (asking.seconds, asking.charged) == ([2.5], 1)


@pytest.mark.parametrize(("lost", "charged"), [("before_charge", 0), ("after_charge", 1)])
def test_card_with_lost_drops_the_connection_before_or_after_the_charge(asking, lost, charged):
    with pytest.raises(requests.ConnectionError):
        asking.didit(make_card("p1", lost=lost))
    assert asking.charged == charged
    assert len(asking.control.sessions.all()) == charged


def test_injected_fault_overrides_the_status_of_a_card(asking):
    asking.control.add_fault(Fault(stage="answer", kind="status", status=500, person="p1"))
    card = make_card("p1", status=503)
    assert [asking.didit(card).status_code for _ in range(2)] == [500, 503]
