"""What the documentation says of the mock is what the mock says of itself.

``UPDATE_DOCS=1 pytest tests/docs`` writes the generated pages and tables.
"""

import os
import re
from pathlib import Path

import pytest

from facematch_mock_server import _control_verbs, card_sheet
from facematch_mock_server.claims import claims_page
from facematch_mock_server.claims.didit import EDITIONS, SETTINGS, SWITCHES
from facematch_mock_server.faults import POSSIBLE

DOCS = Path(__file__).parents[2] / "docs"
REFERENCE = DOCS / "reference" / "mock.md"


def cells(*values):
    """A row of a table."""
    return "| " + " | ".join(values) + " |"


def verdict(told):
    """What a vendor says of a card, in one cell."""
    return ", ".join([told.status, *(f"`{risk}`" for risk in sorted(told.risks))])


def table_of_cards():
    """The ready cards and what each one gives."""
    rows = [cells("Card", "What it is", "Score with `p1`", "Face match with `p1`", "Liveness")]
    rows.append("|" + "---|" * 5)
    for card in card_sheet().values():
        score = "-" if card.score is None else f"{card.score:.2f}"
        told = verdict(card.didit_match), verdict(card.didit_liveness)
        rows.append(cells(f"`{card.name}`", card.says, score, *told))
    return "\n".join(rows)


def table_of_verbs():
    """Methods and paths of the control API."""
    named = {}
    for method, path in _control_verbs.VERBS:
        word = {"mailbox/{}": "ADDRESS", "ledger/{}": "OWNER"}.get(path, "CLAIM")
        named.setdefault(path.replace("{}", word), []).append(method)
    return [(f"/__mock__/{path}", methods) for path, methods in named.items()]


def table_of_faults():
    """Which kinds of fault there are at which stage."""
    rows = [cells("Stage", "Kinds"), "|---|---|"]
    for stage, kinds in POSSIBLE.items():
        rows.append(cells(f"`{stage}`", ", ".join(f"`{kind}`" for kind in sorted(kinds))))
    return "\n".join(rows)


def table_of_switches():
    """The switches and numbers that may be set, and what the editions set."""
    rows = [cells("Switch", "Values", *(f"`{edition}`" for edition in EDITIONS))]
    rows.append("|" + "---|" * (2 + len(EDITIONS)))
    for name, values in SWITCHES.items():
        chosen = (f"`{behaviours[name]!r}`" for behaviours in EDITIONS.values())
        rows.append(cells(f"`{name}`", ", ".join(f"`{value!r}`" for value in values), *chosen))
    kinds = {
        "count": "bytes, from 1 on",
        "limit": "requests in a minute, or None",
        "seconds": "seconds, from 1 on",
        "score": "0-100",
    }
    for name, (_, kind) in SETTINGS.items():
        rows.append(cells(f"`{name}`", kinds.get(kind, "USD"), *("" for _ in EDITIONS)))
    return "\n".join(rows)


@pytest.mark.parametrize(
    ("page", "name", "table"),
    [
        ("how-to/force-outcomes.md", "cards", table_of_cards),
        ("reference/mock.md", "faults", table_of_faults),
        ("reference/mock.md", "switches", table_of_switches),
    ],
)
def test_generated_tables(page, name, table):
    """A table between the two marks of its name is the generated one."""
    file = DOCS / page
    source = file.read_text()
    marks = re.compile(rf"(<!-- generated: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
    assert len(marks.findall(source)) == 1
    whole = marks.sub(lambda mark: f"{mark[1]}\n{table()}\n\n{mark[2]}", source)
    if os.environ.get("UPDATE_DOCS"):
        file.write_text(whole)
    assert whole == file.read_text()


def test_page_of_claims_is_generated():
    """reference/mock-claims.md is what `claims_page` gives."""
    file = DOCS / "reference" / "mock-claims.md"
    if os.environ.get("UPDATE_DOCS"):
        file.write_text(claims_page("didit"))
    assert file.read_text() == claims_page("didit")


def test_every_verb_of_the_control_api_is_told():
    """Each path of the control API has its row, with its methods."""
    told = dict(
        re.findall(r"^\| `(/__mock__/\S*)` \| ([A-Z, ]+) \|", REFERENCE.read_text(), re.MULTILINE)
    )
    assert told == {path: ", ".join(methods) for path, methods in table_of_verbs()}
