"""Everything breaks at once: the books agree, each call ends in time, no thread is too many."""

import pytest
from kit.money.storm import MOST, Storm


@pytest.mark.long
@pytest.mark.parametrize("seed", range(4))
def test_in_a_storm_no_more_is_charged_than_counted_and_every_call_ends_in_time(seed):
    storm = Storm(seed, 20)
    charges, counted = storm.run()
    assert storm.calls > 50
    assert all(charges[name] <= counted[name] for name in charges), (charges, counted)
    assert storm.open_calls() == []
    # What hangs in it hangs for good.
    assert storm.latest_s < 10
    # A verifier has eight, and so have names.
    verifiers = len(storm.verifiers) + 2
    assert storm.threads["facematch-call"] <= MOST["facematch-call"] * verifiers
    assert storm.threads["facematch-look-up"] <= MOST["facematch-look-up"]
