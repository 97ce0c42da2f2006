"""The pages of the contract; ``UPDATE_DOCS=1 pytest tests/docs`` writes the generated ones."""

import datetime as dt
import re

import attrs
import pytest
from kit.pages import DOCS, check_page, check_part
from mutants.table import MUTANTS

from facematch_core.cli.conformance import show_report
from facematch_core.testing import BackendContract, Status, conformance, rules
from facematch_core.testing.contract.money import EXPECTED
from facematch_core.testing.simulator import FAILURES, Situation

#: Our backends, and the simulators that are installed with them.
OURS = {
    name: f"{name.capitalize()}Simulator"
    for name in ("didit", "rekognition", "azure", "deepvue", "local")
}
MASKED = {
    "version": None,
    "simulator_version": None,
    "core_version": "X.Y",
    "python_version": "3.N",
    "made_at": dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
}
MUTANTS_PAGE = """# Mutants of the conformance kit

The kit is tried on a reference backend, and on mutants of it, each with one fault. The rule that is
there for the fault must catch it: a rule that catches nobody would be there for show. The reference
itself conforms in each of its forms: in this process, over HTTP, in several requests, by a vendor's
library, and with a vendor that answers later. They live in `tests/mutants`, and tests run each
against its rule: every assertion of the contract has a mutant that fails by it.

This page is generated from {number} mutants and {rules} rules.

## By rule

| Rule | What it asks | Whom it catches |
|---|---|---|
"""


@pytest.mark.long
@pytest.mark.parametrize("name", OURS)
def test_the_report_on_the_page_is_what_the_command_prints(name, capsys, monkeypatch):
    report = conformance(name)
    assert (report.simulator, report.simulator_distribution) == (OURS[name], "facematch-core")
    assert [line.number for line in report.rules] == [rule.number for rule in rules()]
    passes = {Status.PASSED, Status.DOES_NOT_APPLY}
    assert not [line.reasons for line in report.rules if line.status not in passes]
    assert all(line.reasons for line in report.of(Status.DOES_NOT_APPLY))
    assert not [capability.name for capability in report.capabilities if not capability.proved]
    assert report.verdict.value == "conforms"
    monkeypatch.setenv("COLUMNS", "100")
    show_report(attrs.evolve(report, **MASKED))
    text = capsys.readouterr().out.replace(", 2026-01-01\n", ", YYYY-MM-DD\n")
    check_part("evidence/conformance.md", name, f"```text\n{text}```")


def cell(text):
    """A text in a cell of a table."""
    return re.sub(r"([|<>*_])", r"\\\1", text)


def test_the_page_of_mutants_is_generated():
    page = MUTANTS_PAGE.format(number=len(MUTANTS), rules=len(rules()))
    for rule in sorted(rules(), key=lambda rule: rule.number):
        caught = [mutant for mutant in MUTANTS.values() if mutant.rule == rule.number]
        faults = "<br>".join(f"`{mutant.name}`: {cell(mutant.fault)}" for mutant in caught)
        page += f"| {rule.number} | {cell(rule.title)} | {faults} |\n"
    check_page("evidence/mutants-of-the-kit.md", page)


def test_the_table_of_errors_is_generated():
    assert set(EXPECTED) == set(FAILURES)
    repeated = {True: "yes", False: "no", None: "any"}
    table = "| Situation | Error | `charged` | `retryable` | Requests |\n|---|---|---|---|---|\n"
    for situation, expected in EXPECTED.items():
        billed = " or ".join(f"`{charged.name}`" for charged in expected.charged)
        if situation is Situation.UNREADABLE_200:
            billed += "; `NO` too of an operation that is not declared as billed"
        cells = (
            f"`{situation.name}`",
            " or ".join(f"`{error.__name__}`" for error in expected.errors),
            billed,
            repeated[expected.retryable],
            " or ".join(map(str, expected.requests)),
        )
        table += f"| {' | '.join(cells)} |\n"
    check_part("reference/testing.md", "errors", table.rstrip("\n"))


def test_every_theme_of_rules_is_in_the_reference():
    page = (DOCS / "reference" / "testing.md").read_text()
    for theme in BackendContract.__bases__[:-1]:
        assert f"::: {theme.__module__}.{theme.__name__}\n" in page
