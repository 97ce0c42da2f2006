"""The claims as data."""

import datetime as dt

import pytest
from kit.mock_didit import new_world

from facematch_mock_server.claims import Behaviours, Known
from facematch_mock_server.vendors import all_claims, vendor_named, vendor_names


def test_ids_are_unique_and_begin_with_their_vendor_and_key():
    ids = [claim.id for claim in all_claims()]
    assert len(set(ids)) == len(ids)
    for claim in all_claims():
        assert claim.vendor in {*vendor_names(), "mock"}
        assert claim.id.startswith(f"{claim.vendor}.{claim.key}")


def test_a_claim_is_a_sentence_with_a_source_and_the_day_it_was_read():
    for claim in all_claims():
        assert claim.statement.endswith("."), claim.id
        assert claim.origin.document
        assert dt.date.fromisoformat(claim.origin.read) >= dt.date(2026, 11, 20)
        ours = claim.origin.document.startswith("our choice")
        assert ours == (claim.origin.known is Known.OURS)


@pytest.mark.parametrize("vendor", vendor_names())
def test_the_condition_of_a_claim_is_a_value_of_a_switch(vendor):
    kind = vendor_named(vendor)
    for claim in kind.claims:
        if claim.when is not None:
            switch, *values = claim.when
            assert set(values) <= set(kind.switches[switch]), claim.id


@pytest.mark.parametrize("vendor", vendor_names())
def test_no_two_claims_decide_the_same_with_any_switch(vendor):
    kind = vendor_named(vendor)
    worlds = [{}]
    for switch, values in kind.switches.items():
        worlds += [{switch: value} for value in values]
    for switches in worlds:
        keys = [claim.key for claim in new_world(vendor=vendor, switches=switches).claims.claims]
        assert len(set(keys)) == len(keys), switches


def test_two_claims_on_one_behaviour_are_refused():
    claim = all_claims()[0]
    with pytest.raises(ValueError, match="two claims decide"):
        Behaviours([claim, claim], {})


def test_an_unknown_vendor_has_no_claims():
    with pytest.raises(ValueError, match=r"known: .*didit"):
        all_claims("acme")
