"""The pages of the contract: reports of our own backends, mutants, rules, and what errors say.

``UPDATE_DOCS=1 pytest tests/docs`` writes the generated pages.
"""

import datetime as dt
import os
import re
from pathlib import Path

import attrs
import pytest
from mutants.sabotage import SABOTAGE
from mutants.table import MUTANTS

from facematch_core.cli.conformance import show_report
from facematch_core.testing import BackendContract, Status, conformance, rules
from facematch_core.testing.contract.money import EXPECTED
from facematch_core.testing.simulator import FAILURES, Situation

DOCS = Path(__file__).parents[2] / "docs"
REFERENCE = DOCS / "reference"

#: Our backends: the simulator that is installed beside each, and what is said of it.
OURS = {
    "didit": ("DiditSimulator", "The mock server of this distribution stands in for Didit."),
    "deepvue": ("DeepvueSimulator", "The mock server of this distribution stands in for Deepvue."),
    "local": (
        "LocalSimulator",
        "Nobody is behind it: the pictures decide what the engine on this machine says.",
    ),
}
KEPT = {Status.PASSED, Status.DOES_NOT_APPLY}
MASKED = {
    "version": None,
    "simulator_version": None,
    "core_version": "X.Y",
    "python_version": "3.N",
    "made_at": dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
}
REPORTS = """# Conformance of our own backends

What `facematch conformance` prints of the backends that come with facematch-core. [Run the
contract](../extend/run-the-contract.md#read-a-report) says how to read a report. Versions and the
date are left out here, so that this page changes only when what it says does.

This page is generated, and a test holds it to what the contract finds.
"""
MUTANTS_PAGE = """# Mutants of the conformance kit

The kit is tried on a reference backend, and on mutants of it, each with one fault. The rule that is
there for the fault must catch it: a rule that catches nobody would be there for show. The reference
itself conforms in each of its forms: in this process, over HTTP, in several requests, by a vendor's
library, and with a vendor that answers later. They live in `tests/mutants`, and a test runs each
mutant against its rule.

This page is generated from {number} mutants and {rules} rules.

## By rule

| Rule | What it asks | Whom it catches |
|---|---|---|
"""
SABOTAGE_TABLE = """
## By what was done to a plug-in

Somebody wrote a plug-in that conforms, and then put these {number} faults into it, one by one. Two
more are caught by no rule, for they harm nobody: a `Billing.ground` that is empty where nothing was
charged, and a `raw` that is empty.

| Fault | Caught by |
|---|---|
"""


def generated(page, text):
    """Hold a page to what it should say, or write it."""
    file = DOCS / page
    if os.environ.get("UPDATE_DOCS"):
        file.write_text(text)
    assert file.read_text() == text


def parts_of_page():
    """The page of reports: what stands before them, and each with its heading."""
    return re.split(r"(?<=\n)\n(?=## )", (DOCS / "evidence/conformance.md").read_text())


@pytest.mark.long
@pytest.mark.parametrize("name", OURS)
def test_report_on_its_page_is_generated(name, capsys, monkeypatch):
    """It is what the command prints. No rule is open: each is kept, or told why it cannot apply."""
    simulator, who = OURS[name]
    report = conformance(name)
    assert (report.simulator, report.simulator_distribution) == (simulator, "facematch-core")
    assert [line.number for line in report.rules] == [rule.number for rule in rules()]
    assert not [f"{line.number} {line.reasons}" for line in report.rules if line.status not in KEPT]
    assert all(line.reasons for line in report.of(Status.DOES_NOT_APPLY))
    assert not [one.name for one in report.capabilities if not one.proved]
    assert report.verdict.value == "conforms"
    monkeypatch.setenv("COLUMNS", "100")
    show_report(attrs.evolve(report, **MASKED))
    text = capsys.readouterr().out.replace(", 2026-01-01\n", ", YYYY-MM-DD\n")
    told = f"## {name}\n\n{who}\n\n```text\n{text}```\n"
    parts = parts_of_page()
    if os.environ.get("UPDATE_DOCS"):
        parts = [told if part.startswith(f"## {name}\n") else part for part in parts]
        (DOCS / "evidence/conformance.md").write_text("\n".join(parts))
    assert told in parts


def test_page_of_reports_has_them_all():
    """In their order, and nothing else. A new one is begun by its heading."""
    head, *reports = parts_of_page()
    assert head == REPORTS
    assert [report.partition("\n")[0] for report in reports] == [f"## {name}" for name in OURS]


def cell(text):
    """A text in a cell of a table."""
    return re.sub(r"([|<>*_])", r"\\\1", text)


def test_page_of_mutants_is_generated():
    """Each rule with those whom it catches."""
    page = MUTANTS_PAGE.format(number=len(MUTANTS), rules=len(rules()))
    for rule in rules():
        caught = [one for one in MUTANTS.values() if one.rule == rule.number]
        told = "<br>".join(f"`{one.name}`: {cell(one.fault)}" for one in caught)
        page += f"| {rule.number} | {cell(rule.title)} | {told} |\n"
    page += SABOTAGE_TABLE.format(number=len(SABOTAGE))
    for fault, names in SABOTAGE.items():
        told = ", ".join(f"{MUTANTS[name].rule} (`{name}`)" for name in names)
        page += f"| {fault} | {told} |\n"
    generated("evidence/mutants-of-the-kit.md", page)


#: What may be repeated.
REPEATED = {True: "yes", False: "no", None: "any"}


def words(values):
    """Several that may be, in a cell."""
    return " or ".join(values)


def test_table_of_errors_is_generated():
    """Each situation that fails, with what it must become."""
    table = "| Situation | Error | `charged` | `retryable` | Requests |\n|---|---|---|---|---|\n"
    for situation, wanted in EXPECTED.items():
        billed = words(f"`{one.name}`" for one in wanted.charged)
        if situation is Situation.UNREADABLE_200:
            billed += "; `NO` too of an operation that is not declared as billed"
        cells = (
            f"`{situation.name}`",
            words(f"`{error.__name__}`" for error in wanted.errors),
            billed,
            REPEATED[wanted.retryable],
            words(map(str, wanted.requests)),
        )
        table += f"| {' | '.join(cells)} |\n"
    marks = re.compile(r"(<!-- generated: errors -->\n).*?(<!-- end -->)", re.DOTALL)
    page = (REFERENCE / "testing.md").read_text()
    assert len(marks.findall(page)) == 1
    generated(
        "reference/testing.md", marks.sub(lambda mark: f"{mark[1]}\n{table}\n{mark[2]}", page)
    )


def test_every_failure_is_in_the_table():
    """None is left without an error."""
    assert set(EXPECTED) == set(FAILURES)


def test_every_theme_is_in_the_reference():
    """Nobody can keep a rule that is told nowhere."""
    page = (REFERENCE / "testing.md").read_text()
    for theme in BackendContract.__bases__[:-1]:
        assert f"::: {theme.__module__}.{theme.__name__}\n" in page
