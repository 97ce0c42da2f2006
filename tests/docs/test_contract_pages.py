"""The pages of the contract: cards of our own backends, saboteurs, rules, and what errors say.

``UPDATE_DOCS=1 pytest tests/docs`` writes the generated pages.
"""

import datetime as dt
import os
import re
from pathlib import Path

import attrs

from facematch_core.cli._conformance_text import show_card
from facematch_core.testing import BackendContract, conformance, rules
from facematch_core.testing._contract._money import EXPECTED
from facematch_core.testing._saboteurs import SABOTEURS
from facematch_core.testing._situations import FAILURES

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"

#: Our backends, and what is said of each.
OURS = {
    "didit": "Didit is played by the mock server of this distribution.",
    "deepvue": "Deepvue is played by the mock server of this distribution.",
    "local": "Nobody is behind it: the pictures decide what the engine on this machine says.",
}
MASKED = {
    "version": None,
    "double_version": None,
    "core_version": "X.Y",
    "python_version": "3.N",
    "made_at": dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
}
CARDS = """# Cards of our own backends

What `facematch conformance` prints of the three backends that come with facematch-core. [Run the
contract](../how-to/run-the-contract.md#read-a-card) says how to read a card. Versions and the date
are left out here, so that this page changes only when what it says does.

This page is generated, and a test holds it to what the contract finds.
"""
SABOTEURS_PAGE = """# Saboteurs

Backends that are wrong in one way each. They ship with the contract, and
`facematch conformance --self-test` tries the rules on them: each must be caught by the rule that
names its fault, and the backends that are right in everything must keep every rule. A rule that
catches nobody would be there for show.

This page is generated from {number} saboteurs and {rules} rules.
"""


def generated(page, text):
    """Hold a page to what it should say, or write it."""
    file = REFERENCE / page
    if os.environ.get("UPDATE_DOCS"):
        file.write_text(text)
    assert file.read_text() == text


def test_page_of_cards_is_generated(capsys, monkeypatch):
    """It shows what the command prints."""
    cards = {name: conformance(name) for name in OURS}
    assert {card.verdict.value for card in cards.values()} == {"conforms"}
    monkeypatch.setenv("COLUMNS", "100")
    page = CARDS
    for name, card in cards.items():
        show_card(attrs.evolve(card, **MASKED))
        text = capsys.readouterr().out.replace(", 2026-01-01\n", ", YYYY-MM-DD\n")
        page += f"\n## {name}\n\n{OURS[name]}\n\n```text\n{text}```\n"
    generated("cards.md", page)


def cell(text):
    """A text in a cell of a table."""
    return re.sub(r"([|<>*_])", r"\\\1", text)


def test_page_of_saboteurs_is_generated():
    """Each rule with those whom it catches."""
    page = SABOTEURS_PAGE.format(number=len(SABOTEURS), rules=len(rules()))
    page += "\n| Rule | What it asks | Whom it catches |\n|---|---|---|\n"
    for rule in rules():
        caught = [one for one in SABOTEURS.values() if one.rule == rule.number]
        told = "<br>".join(f"`{one.name}`: {cell(one.fault)}" for one in caught)
        page += f"| {rule.number} | {cell(rule.title)} | {told} |\n"
    generated("saboteurs.md", page)


#: What may be repeated.
REPEATED = {True: "yes", False: "no", None: "any"}


def words(values):
    """Several that may be, in a cell."""
    return " or ".join(values)


def test_table_of_errors_is_generated():
    """Each situation that fails, with what it must become."""
    table = "| Situation | Error | `billed` | `retryable` | Requests |\n|---|---|---|---|---|\n"
    for situation, wanted in EXPECTED.items():
        billed = words(f"`{one.name}`" for one in wanted.billed)
        if wanted.billed_free:
            free = words(f"`{one.name}`" for one in wanted.billed_free)
            billed += f"; {free} too of an operation that is not declared as billed"
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
    generated("testing.md", marks.sub(lambda mark: f"{mark[1]}\n{table}\n{mark[2]}", page))


def test_every_failure_is_in_the_table():
    """None is left without an error."""
    assert set(EXPECTED) == set(FAILURES)


def test_every_theme_is_in_the_reference():
    """Nobody can keep a rule that is told nowhere."""
    page = (REFERENCE / "testing.md").read_text()
    for theme in BackendContract.__bases__:
        assert f"::: {theme.__module__}.{theme.__name__}\n" in page
