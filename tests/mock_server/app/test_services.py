"""What an app keeps: digests that are remembered, and windows of rate limits."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from facematch_mock_server.services import Digests, Rates

contents = st.binary(max_size=300) | st.integers(0, 299).map(lambda i: bytes([7]) * i + b"x" * 300)


@given(st.lists(contents, max_size=20), st.integers(0, 1000))
def test_every_digest_is_right_however_little_is_remembered(pictures, size):
    digests = Digests(size)
    for content in [*pictures, *pictures]:
        assert digests.of(content) == (hashlib.sha256(content).hexdigest(), content)
        assert digests.remembered_bytes <= size


def test_every_byte_is_compared_before_a_remembered_digest_counts():
    one, other = b"xa" + b"x" * 998, b"xb" + b"x" * 998
    digests = Digests()
    for content in (one, other, one, other):
        body = bytearray(b"--" + content + b"--")
        assert digests.of(body, 2, 1002) == (hashlib.sha256(content).hexdigest(), content)


WINDOWS = {"second": 1.0, "minute": 60.0}


@given(
    limits=st.fixed_dictionaries({name: st.none() | st.integers(0, 4) for name in WINDOWS}),
    waits=st.lists(st.sampled_from([0.0, 0.5, 1.0, 30.0, 61.0]), max_size=25),
)
def test_a_window_lets_through_what_it_has_room_for_and_counts_no_refusal(limits, waits):
    rates, now, passed = Rates(limits), 1e9, []
    for wait in waits:
        now += wait
        recent = {name: [at for at in passed if at > now - s] for name, s in WINDOWS.items()}
        full = [n for n in WINDOWS if limits[n] is not None and len(recent[n]) >= limits[n]]
        refused = rates.take_all(WINDOWS, "client", now=now)
        assert (refused is not None) == bool(full)
        if refused is None:
            passed.append(now)
        else:
            assert refused[0] == full[0]
            assert 1 <= refused[1].retry_after <= WINDOWS[full[0]]


def test_each_client_has_windows_of_its_own():
    rates = Rates({"second": 1, "minute": None})
    assert rates.take_all(WINDOWS, "a", now=0) is None
    assert rates.take_all(WINDOWS, "b", now=0) is None
    assert rates.take_all(WINDOWS, "a", now=0.6) is not None
    assert rates.take_all(WINDOWS, "a", now=1.2) is None
