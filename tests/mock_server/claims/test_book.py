"""The claims as data."""

import pytest

from facematch_mock_server.claims import Behaviours
from facematch_mock_server.vendors import all_claims, vendor_names


def test_ids_are_unique_and_begin_with_their_vendor_and_key():
    ids = [claim.id for claim in all_claims()]
    assert len(set(ids)) == len(ids)
    for claim in all_claims():
        assert claim.vendor in {*vendor_names(), "mock"}
        assert claim.id.startswith(f"{claim.vendor}.{claim.key}")


def test_two_claims_on_one_behaviour_are_refused():
    claim = all_claims()[0]
    with pytest.raises(ValueError, match="two claims decide"):
        Behaviours([claim, claim], {})
