"""Each row of a contract's tables rests on a claim or a test, and each claim on a row."""

from pathlib import Path

import pytest
from kit.mock_contract import CONTRACTS, first_cells, guards_of, ids_of

from facematch_mock_server.vendors import all_claims

#: What a row says instead of claims where it has none; why follows.
NONE = "no claim: "


def rows_of(vendor):
    """The rows of a contract: section, first cell, what the row says, and what it rests on.

    The first cell is empty for a sentence. A row rests on claims, where an answer has a choice, and
    on tests of behaviour. Claims are named without the vendor, with * for all of a group; those of
    the mock itself with it.
    """
    path = Path(__file__).parent / "rows" / f"{vendor}.tsv"
    return [tuple(line.split("\t")) for line in path.read_text().splitlines()]


ROWS = {vendor: rows_of(vendor) for vendor in ("deepvue", "didit")}
#: The sections whose tables are here row by row.
SECTIONS = {
    "deepvue": ("1", "4", "5", "6", "7"),
    "didit": ("3", "3.1", "3.2", "4", "5", "6", "8", "11", "12", "13", "14", "15", "16"),
}
COVERED = [
    (vendor, row) for vendor, rows in ROWS.items() for row in rows if not row[3].startswith(NONE)
]


@pytest.mark.parametrize(
    ("vendor", "row"), COVERED, ids=[" ".join((vendor, *row[:3])) for vendor, row in COVERED]
)
def test_what_a_row_rests_on(vendor, row):
    """Each word of a row names a claim or a test that there is, no word names one twice."""
    assert row[3]
    assert all(guards_of(row[3]).values())
    for word, ids in ids_of(vendor, row[3]).items():
        assert ids, f"no claim is called {word}"
        assert "*" not in word or len(ids) > 1, f"{word} is one claim: name it"


@pytest.mark.parametrize("vendor", ROWS)
def test_no_row_stands_twice(vendor):
    """A row is told by its section, its first cell and what it says."""
    told = [row[:3] for row in ROWS[vendor]]
    assert len(set(told)) == len(told)


@pytest.mark.parametrize("vendor", ROWS)
def test_every_claim_stands_in_a_row(vendor):
    """No claim about a vendor is without a place in the contract."""
    rows = [row for of, row in COVERED if of == vendor]
    named = {one for row in rows for ids in ids_of(vendor, row[3]).values() for one in ids}
    assert {claim.id for claim in all_claims(vendor) if claim.vendor == vendor} - named == set()


def test_rows_of_tables_are_read():
    """Headings and rules are left out, sections told apart, marks taken off."""
    text = (
        "# x\n\n## 1. One\n\n| a | b |\n|---|:-:|\n| `c`, **d** | 2 |\n| e | 3 |\n"
        "### 1.1 Two\ntext\n## 2. Three\n| a |\n|---|\n| f |\n\n### More\n| a |\n|---|\n| g |"
    )
    assert first_cells(text) == {"1": ["c, d", "e"], "1.1": [], "2": ["f", "g"]}


@pytest.mark.skipif(
    not CONTRACTS.exists(), reason="the written contracts are not beside the checkout"
)
@pytest.mark.parametrize(
    ("vendor", "section"),
    [(vendor, section) for vendor, sections in SECTIONS.items() for section in sections],
)
def test_every_row_of_the_contract_is_named(vendor, section):
    """The tables of these sections have the rows that are listed here, in their order."""
    named = [cell for where, cell, *_ in ROWS[vendor] if where == section and cell]
    assert named == first_cells((CONTRACTS / f"{vendor}.md").read_text())[section]
