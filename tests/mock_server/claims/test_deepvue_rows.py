"""Each row of the contract's tables about Deepvue rests on a claim, and each claim on a row."""

import pytest
from mock_contract import CONTRACTS, first_cells, ids_of
from mock_deepvue_rows import ROWS, SECTIONS, Why

from facematch_mock_server.claims import all_claims

CONTRACT = CONTRACTS / "deepvue.md"
COVERED = [row for row in ROWS if not isinstance(row[3], Why)]


@pytest.mark.parametrize("row", COVERED, ids=lambda row: " ".join(row[:3]))
def test_a_row_rests_on_claims(row):
    """Each word of a row names a claim that there is, no word names one twice."""
    for word, ids in ids_of("deepvue", row[3]).items():
        assert ids, f"no claim is called {word}"
        assert "*" not in word or len(ids) > 1, f"{word} is one claim: name it"


def test_no_row_stands_twice():
    """A row is told by its section, its first cell and what it says."""
    told = [row[:3] for row in ROWS]
    assert len(set(told)) == len(told)


def test_every_claim_stands_in_a_row():
    """No claim about Deepvue is without a place in the contract."""
    named = {one for row in COVERED for ids in ids_of("deepvue", row[3]).values() for one in ids}
    assert {claim.id for claim in all_claims("deepvue") if claim.vendor == "deepvue"} == named


@pytest.mark.skipif(not CONTRACT.exists(), reason="the written contract is not beside the checkout")
@pytest.mark.parametrize("section", SECTIONS)
def test_every_row_of_the_contract_is_named(section):
    """The tables of these sections have the rows of `ROWS`, in their order."""
    named = [cell for where, cell, *_ in ROWS if where == section and cell]
    assert named == first_cells(CONTRACT.read_text())[section]
