"""The claims as data."""

import pytest
from kit.mock_didit import new_engine

from facematch_mock_server.claims import Behaviours
from facematch_mock_server.vendors import all_claims, vendor_named, vendor_names


def test_ids_are_unique_and_begin_with_their_vendor_and_key():
    ids = [claim.id for claim in all_claims()]
    assert len(set(ids)) == len(ids)
    for claim in all_claims():
        assert claim.vendor in {*vendor_names(), "mock"}
        assert claim.id.startswith(f"{claim.vendor}.{claim.key}")


@pytest.mark.parametrize("vendor", vendor_names())
def test_no_two_claims_decide_the_same_with_any_switch(vendor):
    kind = vendor_named(vendor)
    worlds = [{}]
    for switch, values in kind.switches.items():
        worlds += [{switch: value} for value in values]
    for switches in worlds:
        keys = [
            claim.key for claim in new_engine(vendor=vendor, switches=switches).world.claims.claims
        ]
        assert len(set(keys)) == len(keys), switches


def test_two_claims_on_one_behaviour_are_refused():
    claim = all_claims()[0]
    with pytest.raises(ValueError, match="two claims decide"):
        Behaviours([claim, claim], {})
