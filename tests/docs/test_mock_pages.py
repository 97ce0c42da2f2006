"""What the documentation says of the mock is what the mock says of itself.

``UPDATE_DOCS=1 pytest tests/docs`` writes the generated pages and tables.
"""

import os
import re
from pathlib import Path

import pytest

from facematch_mock_server import card_sheet
from facematch_mock_server.control import operations_of
from facematch_mock_server.faults import POSSIBLE
from facematch_mock_server.vendors import claims_page, vendor_named, vendor_names

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
    titles = ("Face match with `p1`", "Liveness", "Deepvue: `match` with `p1`", "`is_live`")
    rows = [cells("Card", "What it is", "Score with `p1`", *titles)]
    rows.append("|" + "---|" * 7)
    for card in card_sheet().values():
        score = "-" if card.score is None else f"{card.score:.2f}"
        told = [verdict(card.didit_match), verdict(card.didit_liveness)]
        told += [card.deepvue_match.status, card.deepvue_liveness.status]
        rows.append(cells(f"`{card.name}`", card.says, score, *told))
    return "\n".join(rows)


def table_of_operations():
    """Methods and paths of the control API."""
    named = {}
    vendors = map(vendor_named, vendor_names())
    every = {operation for vendor in vendors for operation in operations_of(vendor)}
    for method, path in sorted(every):
        word = {"mailbox/{}": "ADDRESS", "ledger/{}": "OWNER"}.get(path, "CLAIM")
        named.setdefault(path.replace("{}", word), []).append(method)
    return [(f"/__mock__/{path}", methods) for path, methods in named.items()]


def table_of_faults():
    """Which kinds of fault there are at which stage."""
    rows = [cells("Stage", "Kinds"), "|---|---|"]
    for stage, kinds in POSSIBLE.items():
        rows.append(cells(f"`{stage}`", ", ".join(f"`{kind}`" for kind in sorted(kinds))))
    return "\n".join(rows)


def table_of_switches(vendor):
    """The switches and numbers that may be set of a vendor, and what its editions set."""
    kind = vendor_named(vendor)
    rows = [cells("Switch", "Values", *(f"`{edition}`" for edition in kind.editions))]
    rows.append("|" + "---|" * (2 + len(kind.editions)))
    for name, values in kind.switches.items():
        chosen = (f"`{behaviours[name]!r}`" for behaviours in kind.editions.values())
        rows.append(cells(f"`{name}`", ", ".join(f"`{value!r}`" for value in values), *chosen))
    window = "the window" if vendor == "deepvue" else "a minute"
    kinds = {
        "count": "bytes, from 1 on",
        "limit": f"requests in {window}, or None",
        "seconds": "seconds, from 1 on",
        "score": "0-100",
    }
    for name, (_, number) in kind.settings.items():
        rows.append(cells(f"`{name}`", kinds.get(number, "USD"), *("" for _ in kind.editions)))
    return "\n".join(rows)


def table_of_policies():
    """The tags whose effect may be set, by operation."""
    by_operation = {}
    for tag, operation in vendor_named("didit").policies.items():
        by_operation.setdefault(operation, []).append(f"`{tag}`")
    rows = [cells("Operation", "Tags"), "|---|---|"]
    return "\n".join(
        rows + [cells(f"`{name}`", ", ".join(tags)) for name, tags in by_operation.items()]
    )


@pytest.mark.parametrize(
    ("page", "name", "table"),
    [
        ("how-to/force-outcomes.md", "cards", table_of_cards),
        ("reference/mock.md", "faults", table_of_faults),
        ("reference/mock.md", "policies", table_of_policies),
        ("reference/mock.md", "switches", lambda: table_of_switches("didit")),
        ("reference/mock.md", "switches of deepvue", lambda: table_of_switches("deepvue")),
        ("reference/mock.md", "switches of azure", lambda: table_of_switches("azure")),
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


@pytest.mark.parametrize(
    ("vendor", "page"),
    [
        ("didit", "mock-claims.md"),
        ("deepvue", "mock-claims-deepvue.md"),
        ("compreface", "mock-claims-compreface.md"),
        ("azure", "mock-claims-azure.md"),
        ("rekognition", "mock-claims-rekognition.md"),
    ],
)
def test_page_of_claims_is_generated(vendor, page):
    """The page of a vendor is what `claims_page` gives."""
    file = DOCS / "reference" / page
    if os.environ.get("UPDATE_DOCS"):
        file.write_text(claims_page(vendor))
    assert file.read_text() == claims_page(vendor)


def test_every_vendor_has_its_page():
    """The overview of the mock names each of them."""
    for name in vendor_names():
        assert f"| {vendor_named(name).title} |" in REFERENCE.read_text()


def test_every_operation_of_the_control_api_has_its_row():
    """Each path of the control API has its row, with its methods."""
    told = dict(
        re.findall(r"^\| `(/__mock__/\S*)` \| ([A-Z, ]+) \|", REFERENCE.read_text(), re.MULTILINE)
    )
    assert told == {path: ", ".join(methods) for path, methods in table_of_operations()}


def test_every_switch_stands_on_the_page_of_contradictions():
    """Whoever looks for the other reading of Didit's documents finds the switch for it there."""
    page = (DOCS / "explanation" / "didit-documents.md").read_text()
    settings = {"media_ttl_s", "otp_lifetime_s", "size_limit_bytes"}
    switches = {*vendor_named("didit").switches, *settings}
    assert not [name for name in switches if f"`{name}`" not in page]
