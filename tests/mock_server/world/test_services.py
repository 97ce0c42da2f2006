"""What an app keeps: windows of rate limits."""

from hypothesis import given
from hypothesis import strategies as st

from facematch_mock_server.world.services import Rates

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
        refused = rates.take(WINDOWS, "client", now=now)
        assert (refused is not None) == bool(full)
        if refused is None:
            passed.append(now)
        else:
            assert refused[0] == full[0]
            assert 1 <= refused[1].retry_after <= WINDOWS[full[0]]


def test_each_client_has_windows_of_its_own():
    rates = Rates({"second": 1, "minute": None})
    assert rates.take(WINDOWS, "a", now=0) is None
    assert rates.take(WINDOWS, "b", now=0) is None
    assert rates.take(WINDOWS, "a", now=0.6) is not None
    assert rates.take(WINDOWS, "a", now=1.2) is None
