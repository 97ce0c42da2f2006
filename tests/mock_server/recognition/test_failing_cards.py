"""Test cards that say how a call with them fails, whoever sends them."""

import pytest
import requests

from facematch_mock_server import MockServer, make_card
from facematch_mock_server.http.client import MockAdapter

GOOD = make_card("p2")
DIDIT = "http://127.0.0.1:1"


class Asking:
    """A mock of Didit without a socket, and the seconds that its answers waited for."""

    def __init__(self):
        self.mock = MockServer()
        self.control = self.mock.control
        self.seconds = []
        self.session = requests.Session()
        self.session.mount(DIDIT, MockAdapter(self.mock.app, sleep=self.seconds.append))

    def match(self, probe, reference=GOOD):
        return self.session.post(
            f"{DIDIT}/v3/face-match/",
            headers={"x-api-key": self.mock.live_key},
            files={"user_image": ("a.png", probe), "ref_image": ("b.png", reference)},
        )

    def liveness(self, probe):
        return self.session.post(
            f"{DIDIT}/v3/passive-liveness/",
            headers={"x-api-key": self.mock.live_key},
            files={"user_image": ("a.png", probe)},
        )

    @property
    def charged(self):
        return len(self.control.charges())


@pytest.fixture
def asking():
    made = Asking()
    yield made
    made.session.close()


@pytest.mark.parametrize("place", ["probe", "reference", "liveness"])
def test_a_card_with_a_status_is_answered_with_it(asking, place):
    """Each time, on either side; not charged, no session, no outcome used."""
    card = make_card("p1", status=503, retry_after=1)
    asking.control.set_outcome("match", score=50, times=None)
    for _ in range(2):
        answer = {
            "probe": lambda: asking.match(card),
            "reference": lambda: asking.match(GOOD, card),
            "liveness": lambda: asking.liveness(card),
        }[place]()
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert (asking.charged, asking.control.sessions.all()) == (0, ())
    assert asking.control.journal()[-1].note == "fault: answer status"
    assert asking.match(GOOD).json()["face_match"]["score"] == 50


def test_a_429_has_the_vendors_own_words(asking):
    """And its own Retry-After, unless the card has one."""
    answer = asking.match(make_card(status=429))
    assert answer.headers["Retry-After"] == "60"
    assert "rate limit" in answer.json()["detail"]
    assert asking.match(make_card(status=429, retry_after=0)).headers["Retry-After"] == "0"


def test_a_card_with_a_delay_is_answered_late(asking):
    """With what the pictures say, and charged once."""
    answer = asking.match(make_card("p2", delay=2.5), GOOD)
    assert answer.json()["face_match"]["status"] == "Approved"
    assert (asking.seconds, asking.charged) == ([2.5], 1)


@pytest.mark.parametrize(("lost", "charged"), [("before_charge", 0), ("after_charge", 1)])
def test_a_card_that_is_lost(asking, lost, charged):
    """Its connection ends without an answer; the ledger says when."""
    with pytest.raises(requests.ConnectionError):
        asking.match(make_card("p1", lost=lost))
    assert asking.charged == charged
    assert len(asking.control.sessions.all()) == charged


def test_what_is_refused_before_a_picture_is_looked_at_is_refused(asking):
    """A card changes nothing of the key, the credit, or the sandbox."""
    asking.control.set_balance(0)
    assert asking.match(make_card(status=503)).status_code == 403


def test_a_fault_that_strikes_goes_before_a_card(asking):
    """One thing goes wrong with a call."""
    from facematch_mock_server import Fault

    asking.control.add_fault(Fault(stage="answer", kind="status", status=500, person="p1"))
    card = make_card("p1", status=503)
    assert [asking.match(card).status_code for _ in range(2)] == [500, 503]


def test_over_a_socket_with_any_client():
    """A plain upload of a JPEG is enough."""
    card = make_card("p1", status=503, retry_after=7, kind="JPEG")
    with MockServer() as mock:
        answer = requests.post(
            f"{mock.url}/v3/passive-liveness/",
            headers={"x-api-key": mock.live_key},
            files={"user_image": ("selfie.jpg", card)},
            timeout=10,
        )
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "7")
