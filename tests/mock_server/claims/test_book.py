"""The claims as data, their page, and the rows of the written contracts, which rest on them.

A line of `rows` has the section, the first cell, what the row says, and what it rests on: claims,
where an answer has a choice, and tests of behaviour. Claims are named without the vendor, with *
for all of a group; those of the mock itself with it.
"""

import datetime as dt
import fnmatch
from pathlib import Path

import pytest
from kit import mock_didit as didit

from facematch_mock_server.claims import Behaviours, Known
from facematch_mock_server.vendors import all_claims, explain, vendor_named, vendor_names


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
            values_of_editions = {edition[switch] for edition in kind.editions.values()}
            assert set(values) <= values_of_editions | set(kind.switches.get(switch, ())), claim.id


@pytest.mark.parametrize("vendor", vendor_names())
def test_no_two_claims_decide_the_same_in_any_edition_or_with_any_switch(vendor):
    kind = vendor_named(vendor)
    worlds = [{"edition": edition} for edition in kind.editions]
    for switch, values in kind.switches.items():
        worlds += [{"switches": {switch: value}} for value in values]
    for settings in worlds:
        keys = [claim.key for claim in didit.new_world(vendor=vendor, **settings).claims.claims]
        assert len(set(keys)) == len(keys), settings


def test_two_claims_on_one_behaviour_are_refused():
    claim = all_claims()[0]
    with pytest.raises(ValueError, match="two claims decide"):
        Behaviours([claim, claim], {})


def test_an_explanation_has_statement_source_condition_and_value():
    text = explain("didit.match.boundary.exclusive")
    assert "Only a score strictly above the threshold is Approved." in text
    assert "Didit API reference, Face Match, June 2026, read 2026-11-20" in text
    assert "boundary = exclusive" in text
    assert "status 403" in explain("didit.credit.refused")


def test_an_unknown_claim_or_vendor_names_those_that_there_are():
    with pytest.raises(LookupError, match=r"did you mean .*didit\.match\.boundary"):
        explain("didit.match.bondary")
    with pytest.raises(ValueError, match=r"known: .*didit"):
        all_claims("acme")


#: What a row says instead of claims where it has none; why follows.
NONE = "no claim: "
HERE = Path(__file__).parent
VENDORS = HERE.parent / "vendors"
IDS = frozenset(claim.id for claim in all_claims())
ROWS = {
    path.stem: [tuple(line.split("\t")) for line in path.read_text().splitlines()]
    for path in sorted((HERE / "rows").glob("*.tsv"))
}


def words_of(vendor):
    """The words that the rows rest on."""
    return [word for row in ROWS[vendor] if not row[3].startswith(NONE) for word in row[3].split()]


def ids_of(vendor, word):
    """The ids of claims that a word names."""
    return fnmatch.filter(IDS, word if word.startswith("mock.") else f"{vendor}.{word}")


@pytest.mark.parametrize("vendor", ROWS)
def test_each_word_of_a_row_names_a_claim_or_a_test(vendor):
    assert words_of(vendor)
    for word in words_of(vendor):
        path, is_test, name = word.partition("::")
        if is_test:
            assert f"def {name}(" in (VENDORS / path).read_text(), word
        else:
            assert len(ids_of(vendor, word)) > ("*" in word), f"{word} is no claim, or one alone"


@pytest.mark.parametrize("vendor", ROWS)
def test_no_row_is_there_twice_and_each_rests_on_something(vendor):
    keys = [row[:3] for row in ROWS[vendor]]
    assert len(set(keys)) == len(keys)
    assert all(row[3] for row in ROWS[vendor])


@pytest.mark.parametrize("vendor", ROWS)
def test_every_claim_is_in_a_row(vendor):
    named = {claim_id for word in words_of(vendor) for claim_id in ids_of(vendor, word)}
    assert {claim.id for claim in all_claims(vendor) if claim.vendor == vendor} <= named
