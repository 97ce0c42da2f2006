import attrs
import pytest
from kit.pages import DOCS

from facematch_comparison import PairState, Requirements
from facematch_comparison.columns import SYNONYMS
from facematch_comparison.requirements import built_in


def words_of(page):
    return " ".join((DOCS / page).read_text().split())


#: What the page of explanation quotes of the pages of evidence.
QUOTED = {
    "comparison-coverage.md": (
        *("94.8 to 100 %", "93 to 100 %", "93.9 to 99.3 %", "15 to 49 % lower", "6.2 to 37 %"),
        *("2 to 2.6 %", "64.2 to 90.6 %"),
    ),
    "comparison-verdicts.md": (
        "15.6 to 25.2 %",
        "1.2 to 2.1 %",
        "95.2",
        "97.1 %",
        "1.1 %",
        "6,150",
        "0.8 %",
    ),
}


@pytest.mark.parametrize("page", QUOTED)
def test_quoted_figures_are_those_of_the_evidence(page):
    explanation, evidence = words_of("explanation/comparison.md"), words_of(f"evidence/{page}")
    for figure in QUOTED[page]:
        assert figure in explanation
        assert figure in evidence


def test_figures_of_costs_and_groups_are_those_of_their_table():
    explanation, rows = words_of("explanation/comparison.md"), []
    for line in (DOCS / "evidence" / "comparison-choice-coverage.md").read_text().splitlines():
        what, *_, share = line.strip("| ").split(" | ") if line.startswith("| ") else ("", "")
        rows += [(what, float(share.strip("%")))] if share.endswith("%") else []
    for names, words in (
        (("cost", "difference in cost"), "held the truth in {:g} to {:g} % of studies"),
        (("groups differ (false alarm)",), "it was said in {:g} to {:g} % of simulated studies"),
    ):
        shares = [share for what, share in rows if what in names]
        assert words.format(min(shares), max(shares)) in explanation


def test_the_reference_has_every_column_state_and_key():
    page = (DOCS / "reference" / "comparison.md").read_text()
    columns = page.partition("\n## Scores\n")[2].partition("\n## ")[0]
    assert not [name for name in SYNONYMS if f"`{name}`" not in columns]
    states = page.partition("\n## Run database\n")[2].partition("\n## ")[0]
    assert not [state for state in PairState if f"`{state}`" not in states]
    keys = {field.name for field in attrs.fields(Requirements)} - {"name"}
    assert not [key for key in keys if f"`{key}`" not in page]
    assert not [name for name in built_in() if f"`{name}`" not in page]
