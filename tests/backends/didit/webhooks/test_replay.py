"""What came before is not taken again: the rules, and the memory of one process."""

import datetime as dt
from concurrent.futures import ThreadPoolExecutor

import pytest

from facematch_core import InvalidRequest
from facematch_didit.webhooks import MemoryReplayStore, Refusal, WebhookRefused

HOUR = dt.timedelta(hours=1)


@pytest.fixture
def store():
    """A memory."""
    return MemoryReplayStore()


def taken(delivery, store, body=None, **more):
    """Whether a delivery was taken, or passed over as one that came before."""
    try:
        delivery.verify(body or delivery.vector, seen=store, **more)
    except WebhookRefused as refused:
        if refused.reason is not Refusal.REPLAYED:
            raise
        return False
    return True


def test_a_delivery_is_taken_once(delivery, store):
    """The second time it is refused for that reason, and 200 is what to answer."""
    assert taken(delivery, store)
    with pytest.raises(WebhookRefused, match="came before") as refused:
        delivery.verify(seen=store)
    assert (refused.value.reason, refused.value.http_status) == (Refusal.REPLAYED, 200)


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
def test_what_counts_as_the_same(delivery, store, fields, is_first):
    """The same event_id, or the same session, status, type and second."""
    assert taken(delivery, store)
    assert taken(delivery, store, delivery.body(**fields)) is is_first


@pytest.mark.parametrize("fields", [{"event_id": None}, {"session_id": None}])
def test_one_of_the_two_is_enough(delivery, store, fields):
    """Test deliveries have no event_id, events about users no session."""
    assert taken(delivery, store, delivery.body(**fields))
    assert not taken(delivery, store, delivery.body(**fields))


def test_with_neither_the_whole_body_counts(delivery, store):
    """Else two of one second would be the same."""
    neither = {"event_id": None, "session_id": None}
    assert taken(delivery, store, delivery.body(**neither))
    assert not taken(delivery, store, delivery.body(**neither))
    assert taken(delivery, store, delivery.body(**neither, vendor_data="another"))


def test_what_is_refused_is_not_remembered(delivery, store):
    """A stranger who knows an event_id cannot make us pass over the real one."""
    with pytest.raises(WebhookRefused):
        delivery.verify(secrets="wrong", seen=store)
    with pytest.raises(WebhookRefused):
        delivery.verify(delivery.body(decision=[]), seen=store)
    assert len(store) == 0
    assert taken(delivery, store)


def test_a_handler_can_take_it_back(delivery, store):
    """After a failure of its own, so that Didit's next try is taken."""
    event = delivery.verify(seen=store)
    event.forget(store)
    assert len(store) == 0
    assert taken(delivery, store)


def test_a_store_that_breaks_halfway_remembers_nothing(delivery, store):
    """Its error goes on to the handler; Didit's next try is taken."""

    class Broken(MemoryReplayStore):
        def first_seen(self, key, until, now):
            if len(self):
                raise OSError("disk full")
            return super().first_seen(key, until, now)

    broken = Broken()
    with pytest.raises(OSError, match="disk full"):
        delivery.verify(seen=broken)
    assert len(broken) == 0


def test_remembered_for_longer_than_the_window(delivery, store):
    """Up to a day later, whatever the window: somebody may send it again by hand."""
    assert taken(delivery, store)
    for days, is_first in ((1, False), (2, True)):
        later = delivery.body(timestamp=delivery.sent + days * 86_400)
        now = delivery.now + dt.timedelta(days=days)
        assert taken(delivery, store, later, now=now) is is_first


@pytest.mark.parametrize("tolerance_s", [0, 300, 86_400])
@pytest.mark.parametrize("year", [1970, 2020, 2090])
def test_the_clock_of_a_test(delivery, store, tolerance_s, year):
    """Wherever `now` stands, a delivery is taken once as long as the window lets it in."""
    sent = int(dt.datetime(year, 3, 1, tzinfo=dt.UTC).timestamp())
    body = delivery.body(timestamp=sent)
    firsts = [
        taken(
            delivery,
            store,
            body,
            now=dt.datetime.fromtimestamp(sent + away, dt.UTC),
            tolerance_s=tolerance_s,
        )
        for away in (-tolerance_s, 0, tolerance_s)
    ]
    assert firsts == [True, False, False]


def test_keys_expire(delivery, store):
    """At their last moment they are remembered, a moment later not; asking prolongs nothing."""
    now, until = delivery.now, delivery.now + HOUR
    assert store.first_seen("a", until, now)
    assert not store.first_seen("a", until + HOUR, until)
    assert store.first_seen("a", until + HOUR, until + dt.timedelta(microseconds=1))


def test_expired_keys_make_room(delivery, store):
    """Without waiting for the bound."""
    for number in range(10):
        store.first_seen(str(number), delivery.now + HOUR, delivery.now)
    store.first_seen("new", delivery.now + 3 * HOUR, delivery.now + 2 * HOUR)
    assert len(store) == 1


def test_bounded(delivery):
    """The oldest key goes first, and never the newest."""
    store = MemoryReplayStore(max_keys=3)
    until = delivery.now + HOUR
    for key in "abcd":
        assert store.first_seen(key, until, delivery.now)
    assert len(store) == 3
    assert not store.first_seen("d", until, delivery.now)
    assert store.first_seen("a", until, delivery.now)


@pytest.mark.parametrize("max_keys", [1, 0, -5, True, 2.5, "9"])
def test_a_bound_is_a_number(max_keys):
    """Less than one delivery's keys would remember nothing."""
    with pytest.raises(InvalidRequest):
        MemoryReplayStore(max_keys=max_keys)


def test_of_many_threads_one_is_first(delivery, store):
    """However many handlers get one delivery at once, one acts on it."""
    with ThreadPoolExecutor(8) as pool:
        for second in range(30):
            body = delivery.body(timestamp=delivery.sent + second)
            body = body.replace(b"0d6f5b1e", b"%08d" % second)
            firsts = pool.map(lambda _, body=body: taken(delivery, store, body), range(8))
            assert sum(firsts) == 1
