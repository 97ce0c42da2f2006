"""The claims as data, the page of the documentation, and one claim explained."""

import datetime as dt
import re

import pytest
from kit import mock_didit as didit
from kit.claims_page import claims_page

from facematch_mock_server.claims import Behaviours, Known, fill
from facematch_mock_server.vendors import all_claims, explain, vendor_named, vendor_names


def test_ids_are_unique():
    """And say whose behaviour it is, then what it decides."""
    ids = [claim.id for claim in all_claims()]
    assert len(set(ids)) == len(ids)
    for claim in all_claims():
        assert claim.vendor in {*vendor_names(), "mock"}
        assert claim.id.startswith(f"{claim.vendor}.{claim.key}")


def test_a_claim_has_a_source():
    """One sentence, how it is known, a document, and the day it was read."""
    for claim in all_claims():
        assert claim.statement.endswith("."), claim.id
        assert claim.origin.document
        assert dt.date.fromisoformat(claim.origin.read) >= dt.date(2026, 11, 20)
        ours = claim.origin.document.startswith("our choice")
        assert ours == (claim.origin.known is Known.OURS)


def test_what_belongs_to_no_vendor_is_ours():
    """The mock's own words are nobody's documents."""
    assert {c.origin.known for c in all_claims() if c.vendor == "mock"} == {Known.OURS}


def test_what_the_default_edition_has_no_claim_of():
    """What only an older or a newer one has, and the words that only a switch gives."""
    keys = {claim.key for claim in didit.new_world().claims.claims}
    assert {claim.key for claim in all_claims("didit")} - keys == {
        "auth.words.401",
        "liveness.quality_limits",
        "page.invalid",
        "delete.faces",
    }


@pytest.mark.parametrize("vendor", vendor_names())
def test_every_switch_of_an_edition_can_be_set_or_belongs_to_it(vendor):
    """A claim's condition is a switch of every edition, with a value that occurs."""
    kind = vendor_named(vendor)
    for claim in kind.claims:
        if claim.when is not None:
            switch, *values = claim.when
            known = {edition[switch] for edition in kind.editions.values()}
            assert set(values) <= known | set(kind.switches.get(switch, ())), claim.id


@pytest.mark.parametrize("vendor", vendor_names())
def test_each_behaviour_has_one_claim(vendor):
    """Two claims never decide the same, in each edition and with each switch."""
    kind = vendor_named(vendor)
    settled = [{"edition": edition} for edition in kind.editions]
    for switch, values in kind.switches.items():
        settled += [{"switches": {switch: value}} for value in values]
    for one in settled:
        keys = [claim.key for claim in didit.new_world(vendor=vendor, **one).claims.claims]
        assert len(set(keys)) == len(keys), one


def test_two_claims_on_one_behaviour_are_refused():
    """A table that contradicts itself is a mistake of ours."""
    claim = all_claims()[0]
    with pytest.raises(ValueError, match="two claims decide"):
        Behaviours([claim, claim], {})


def test_the_page_lists_every_claim():
    """Each with its source; a section for each area."""
    page = claims_page("didit")
    for claim in all_claims("didit"):
        assert f"| `{claim.id}` |" in page
    assert "## didit.match" in page
    assert re.search(r"\d+ documented", page)
    assert all(line.count(" | ") == 4 for line in page.splitlines() if line.startswith("| `"))


def test_one_claim_explained():
    """Statement, source, conditions and value."""
    text = explain("didit.match.boundary.exclusive")
    assert "Only a score strictly above the threshold is Approved." in text
    assert "Didit API reference, Face Match, June 2026, read 2026-11-20" in text
    assert "boundary = exclusive" in text
    assert "status 403" in explain("didit.credit.refused")


def test_what_is_not_there():
    """The message names what is."""
    with pytest.raises(LookupError, match=r"did you mean .*didit\.match\.boundary"):
        explain("didit.match.bondary")
    with pytest.raises(ValueError, match=r"known: .*didit"):
        all_claims("acme")


def test_words_are_filled_in_everywhere():
    """In texts at any depth, and nowhere else."""
    assert fill({"a": ["{x}", 1, None]}, {"x": "{y}"}) == {"a": ["{y}", 1, None]}
