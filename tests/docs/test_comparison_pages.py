import re

import attrs
from kit.pages import DOCS

from facematch_comparison import PairState, Requirements
from facematch_comparison.columns import SYNONYMS
from facematch_comparison.requirements import built_in


def rows(page, heading=""):
    """Cells of the tables below a heading of a page."""
    text = (DOCS / "evidence" / page).read_text()
    text = text.partition(f"## {heading}\n")[2].partition("\n## ")[0] if heading else text
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    return [cells for cells in lines if re.search(r"\d", "".join(cells))]


def span(values):
    """The lowest and the highest per cent, as the page writes them."""
    numbers = sorted(float(value.strip("%")) for value in values)
    return f"{numbers[0]:g} to {numbers[-1]:g} %"


def share(cell):
    """The share of a cell with an interval behind it."""
    return cell.partition(" (")[0]


def test_quoted_figures_are_those_of_the_tables():
    page = " ".join((DOCS / "explanation" / "comparison.md").read_text().split())
    fixed = rows("comparison-coverage.md", "Rates at a given threshold")
    chosen = rows("comparison-coverage.md", "Thresholds that each study chose")
    same = [row for row in chosen if row[4] == "the same"]
    others = [row for row in chosen if row[4] == "others"]
    equal = [
        row
        for row in rows("comparison-coverage.md", "Differences of two systems")
        if len(set(row[4].split(" and "))) == 1
    ]
    heavy = rows("comparison-coverage.md", "A few people who bring most false matches")
    choice = rows("comparison-choice-coverage.md")
    money = [row for row in choice if re.search("^(cost|difference in cost)", row[0])]
    alike = [row for row in choice if row[0] == "groups differ (false alarm)"]
    below = rows("comparison-verdicts.md", "Fewer false matches than five: nothing is compared")
    *_, studies, real, _, dearer = rows("comparison-verdicts.md", "Five and more")[-1]
    wolves = rows("comparison-verdicts.md", "A few people who look like many")
    at_fmr = [
        row
        for row in rows("comparison-verdicts.md", "The rates of one system")
        if row[0].replace(",", "").isdigit() and row[6] != "-"
    ]
    tails = [row for row in wolves if row[3].isdigit()]
    saved = [100 * (1 - float(a[8]) / float(b[8])) for a, b in zip(same, others, strict=True)]
    for words in (
        f"with {len(fixed)} kinds of people and pairs",
        f"held the truth in {span(row[6] for row in fixed)} of cases",
        f"a gate decides by in {span(row[7] for row in fixed)}, where",
        f"the bound held in {span(row[5] for row in same)} of studies",
        f"it was {min(saved):.0f} to {max(saved):.0f} % lower than after a split",
        f"between equal vendors in {span(row[7] for row in equal)} of simulated",
        f"not there in {span(row[6] for row in equal)} of studies",
        f"in {span(share(row[5]) for row in below if row[2] == '0')} of studies. From five",
        f"it was {share(real).strip('%')} % of {studies.strip('| ')}, and",
        f"was named in {share(dearer).strip('%')} %.",
        f"like many others, it is {span(share(row[8]) for row in tails)} (",
        f"in simulations {span([cell for row in heavy for cell in row[5:7]])} of the time",
        f"held the truth in {span(share(row[6]) for row in at_fmr)} of studies (",
        f"held the truth in {span(row[3] for row in money if 'again' not in row[0])} of studies",
        f"it was said in {span(row[3] for row in alike)} of simulated studies",
    ):
        assert words in page


def test_the_reference_has_every_column_state_and_key():
    page = (DOCS / "reference" / "comparison.md").read_text()
    columns = page.partition("\n## Scores\n")[2].partition("\n## ")[0]
    assert not [name for name in SYNONYMS if f"`{name}`" not in columns]
    states = page.partition("\n## Run database\n")[2].partition("\n## ")[0]
    assert not [state for state in PairState if f"`{state}`" not in states]
    keys = {field.name for field in attrs.fields(Requirements)} - {"name"}
    assert not [key for key in keys if f"`{key}`" not in page]
    assert not [name for name in built_in() if f"`{name}`" not in page]
