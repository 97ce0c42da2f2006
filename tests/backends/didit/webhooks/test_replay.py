"""What came before is not taken again: when `seen` is asked, and for what."""

import datetime as dt

import pytest

from facematch_core import InvalidRequest
from facematch_didit.webhooks import Refusal, WebhookRefused


@pytest.fixture
def memory():
    """Key to the moment up to which it is remembered."""
    return {}


def taken(delivery, memory, body=None, **more):
    """Whether a delivery was taken, or passed over as one that came before."""

    def seen(key, until):
        is_new = key not in memory
        memory.setdefault(key, until)
        return is_new

    try:
        delivery.verify(body or delivery.vector, seen=seen, **more)
    except WebhookRefused as refused:
        if refused.reason is not Refusal.REPLAYED:
            raise
        return False
    return True


def test_a_delivery_is_taken_once(delivery):
    """The second time it is refused for that reason, and 200 is what to answer."""
    assert delivery.verify(seen=lambda key, until: True)
    with pytest.raises(WebhookRefused, match="came before") as refused:
        delivery.verify(seen=lambda key, until: False)
    assert (refused.value.reason, refused.value.http_status) == (Refusal.REPLAYED, 200)


def test_without_it_nothing_is_remembered(delivery):
    """Then it is taken twice."""
    assert delivery.verify() == delivery.verify()


@pytest.mark.parametrize(
    ("fields", "is_first"),
    [
        # Didit's documents say both, that a repetition keeps its event_id and that it does not.
        ({"event_id": "another"}, False),
        ({"timestamp": 1783000007}, False),
        ({"event_id": "another", "timestamp": 1783000007}, True),
        ({"event_id": "another", "status": "Approved"}, True),
        ({"event_id": "another", "session_id": "another"}, True),
        # One session, one second, two kinds of event: none may be lost.
        ({"event_id": "another", "webhook_type": "data.updated"}, True),
        ({"event_id": "another", "session_id": None}, True),
    ],
    ids=str,
)
def test_what_counts_as_the_same(delivery, memory, fields, is_first):
    """The same event_id, or the same session, status, type and second."""
    assert taken(delivery, memory)
    assert taken(delivery, memory, delivery.body(**fields)) is is_first


@pytest.mark.parametrize("fields", [{"event_id": None}, {"session_id": None}])
def test_one_of_the_two_is_enough(delivery, memory, fields):
    """Test deliveries have no event_id, events about users no session."""
    assert taken(delivery, memory, delivery.body(**fields))
    assert not taken(delivery, memory, delivery.body(**fields))


def test_with_neither_the_whole_body_counts(delivery, memory):
    """Else two of one second would be the same."""
    neither = {"event_id": None, "session_id": None}
    assert taken(delivery, memory, delivery.body(**neither))
    assert not taken(delivery, memory, delivery.body(**neither))
    assert taken(delivery, memory, delivery.body(**neither, vendor_data="another"))


def test_what_is_refused_is_not_asked_about(delivery, memory):
    """A stranger who knows an event_id cannot make us pass over the real one."""
    for wrong in (
        {"secrets": "wrong"},
        {"now": delivery.now + dt.timedelta(hours=1)},
        {"body": delivery.body(decision=[])},
    ):
        with pytest.raises(WebhookRefused):
            taken(delivery, memory, **wrong)
    assert memory == {}
    assert taken(delivery, memory)


def test_the_event_names_what_was_asked_for(delivery, memory):
    """So that a handler that failed can forget it: Didit's next try is taken then."""
    assert taken(delivery, memory)
    for key in delivery.verify().replay_keys:
        del memory[key]
    assert memory == {}
    assert taken(delivery, memory)


def test_what_it_raises_goes_on(delivery):
    """A store that is broken takes nothing and passes over nothing."""

    def broken(key, until):
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        delivery.verify(seen=broken)


@pytest.mark.parametrize("answer", [None, 1, 0, "new"])
def test_its_answer_is_true_or_false(delivery, answer):
    """Whoever forgot to return something would pass over every delivery."""
    with pytest.raises(InvalidRequest, match="seen must return True or False"):
        delivery.verify(seen=lambda key, until: answer)


@pytest.mark.parametrize("tolerance_s", [0, 300, 86_400])
def test_remembered_for_longer_than_the_window(delivery, memory, tolerance_s):
    """A day longer than anybody could send the same bytes again, wherever `now` stood in it."""
    for away in (-tolerance_s, 0, tolerance_s):
        memory.clear()
        now = dt.datetime.fromtimestamp(delivery.sent + away, dt.UTC)
        assert taken(delivery, memory, now=now, tolerance_s=tolerance_s)
        last = dt.datetime.fromtimestamp(delivery.sent + tolerance_s, dt.UTC)
        for until in memory.values():
            assert until - last >= dt.timedelta(days=1)
            assert until - now == dt.timedelta(days=1, seconds=2 * tolerance_s)


def test_the_keys_say_nothing(delivery, memory):
    """Digests: no id, no status, no picture's address."""
    assert taken(delivery, memory)
    assert len(memory) == 2
    for key in memory:
        assert len(key) == 64
        assert set(key) <= set("0123456789abcdef")
