"""What came before is not taken again: the rules, and the memory of one process."""

import datetime as dt
from concurrent.futures import ThreadPoolExecutor

import pytest

from facematch_core import InvalidRequest
from facematch_didit.webhooks import MemoryReplayStore, Refusal, WebhookRefused

HOUR = dt.timedelta(hours=1)


class Clock:
    """Stands still until it is moved."""

    def __init__(self, now):
        self.time = now

    def now(self):
        return self.time

    def monotonic(self):
        return self.time.timestamp()

    def sleep(self, seconds):
        self.time += dt.timedelta(seconds=seconds)


@pytest.fixture
def clock(delivery):
    """At the time of the deliveries."""
    return Clock(delivery.now)


@pytest.fixture
def store(clock):
    """A memory on that clock."""
    return MemoryReplayStore(clock=clock)


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
        def first_seen(self, key, until):
            if len(self):
                raise OSError("disk full")
            return super().first_seen(key, until)

    broken = Broken()
    with pytest.raises(OSError, match="disk full"):
        delivery.verify(seen=broken)
    assert len(broken) == 0


def test_remembered_for_longer_than_the_window(delivery, store, clock):
    """Up to a day later, whatever the window: Didit repeats with the same event_id."""
    assert taken(delivery, store)
    clock.sleep(86_400)
    later = delivery.body(timestamp=delivery.sent + 86_400)
    assert not taken(delivery, store, later, now=clock.now())
    clock.sleep(86_400)
    later = delivery.body(timestamp=delivery.sent + 2 * 86_400)
    assert taken(delivery, store, later, now=clock.now())


def test_keys_expire(store, clock):
    """At their last moment they are remembered, a moment later not; asking prolongs nothing."""
    assert store.first_seen("a", clock.now() + HOUR)
    clock.time += HOUR
    assert not store.first_seen("a", clock.now() + HOUR)
    clock.time += dt.timedelta(microseconds=1)
    assert store.first_seen("a", clock.now() + HOUR)


def test_expired_keys_make_room(store, clock):
    """Without waiting for the bound."""
    for number in range(10):
        store.first_seen(str(number), clock.now() + HOUR)
    clock.time += 2 * HOUR
    store.first_seen("new", clock.now() + HOUR)
    assert len(store) == 1


def test_bounded(clock):
    """The oldest key goes first, and never the newest."""
    store = MemoryReplayStore(max_keys=3, clock=clock)
    for key in "abcd":
        assert store.first_seen(key, clock.now() + HOUR)
    assert len(store) == 3
    assert not store.first_seen("d", clock.now() + HOUR)
    assert store.first_seen("a", clock.now() + HOUR)


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
