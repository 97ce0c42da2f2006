"""The pages of the contract; ``UPDATE_DOCS=1 pytest tests/docs`` writes what is generated."""

from kit.pages import DOCS, check_part

from facematch_core.testing import BackendContract
from facematch_core.testing.contract.money import EXPECTED
from facematch_core.testing.simulator import FAILURES, Situation


def test_the_table_of_errors_is_generated():
    assert set(EXPECTED) == set(FAILURES)
    repeated = {True: "yes", False: "no", None: "any"}
    table = "| Situation | Error | `charged` | `retryable` |\n|---|---|---|---|\n"
    for situation, expected in EXPECTED.items():
        billed = " or ".join(f"`{charged.name}`" for charged in expected.charged)
        if situation is Situation.UNREADABLE_200:
            billed += "; `NO` too of an operation that is not declared as billed"
        cells = (
            f"`{situation.name}`",
            " or ".join(f"`{error.__name__}`" for error in expected.errors),
            billed,
            repeated[expected.retryable],
        )
        table += f"| {' | '.join(cells)} |\n"
    check_part("reference/rules.md", "errors", table.rstrip("\n"))


def test_every_theme_of_rules_is_in_the_reference():
    page = (DOCS / "reference" / "rules.md").read_text()
    for theme in BackendContract.__bases__[:-1]:
        assert f"::: {theme.__module__}.{theme.__name__}\n" in page
