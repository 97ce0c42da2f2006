import attrs
import pytest
from kit.pages import DOCS

from facematch_comparison import PairState, Requirements
from facematch_comparison.judging.requirements import built_in
from facematch_comparison.scores.columns import COLUMNS


def words_of(page):
    return " ".join((DOCS / page).read_text().split())


#: What the page of explanation quotes of the page of simulations.
QUOTED = (
    *("94.8 to 100 %", "93 to 100 %", "93.9 to 99.3 %", "15 to 49 % lower", "6.2 to 37 %"),
    *("2 to 2.6 %", "64.2 to 90.6 %", "15.6 to 25.2 %", "1.2 to 2.1 %", "95.2", "97.1 %", "1.1 %"),
    *("6,150", "3.6 to 5.6 %"),
)


@pytest.mark.parametrize("figure", QUOTED)
def test_quoted_figures_are_those_of_the_simulations(figure):
    assert figure in words_of("explanation/comparison.md")
    assert figure in words_of("maintain/simulations.md")


def test_the_reference_has_every_column_state_and_key():
    page = (DOCS / "reference" / "comparison.md").read_text()
    columns = page.partition("\n## Scores\n")[2].partition("\n## ")[0]
    assert not [name for name in COLUMNS if f"`{name}`" not in columns]
    states = page.partition("\n## Run database\n")[2].partition("\n## ")[0]
    assert not [state for state in PairState if f"`{state}`" not in states]
    keys = {field.name for field in attrs.fields(Requirements)} - {"name"}
    assert not [key for key in keys if f"`{key}`" not in page]
    assert not [name for name in built_in() if f"`{name}`" not in page]
