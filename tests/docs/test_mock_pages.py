"""What the documentation says of the mock is what the mock says of itself.

``UPDATE_DOCS=1 pytest tests/docs`` writes the generated pages and tables.
"""

import os
import re
from pathlib import Path

import pytest
from kit.claims_page import claims_page

from facematch_azure import AzureBackend
from facematch_compreface import ComprefaceBackend
from facematch_core import FaceVerifier, Failover, OutcomeUnknown
from facematch_deepvue import DeepvueBackend
from facematch_didit import DiditBackend
from facematch_mock_server import Fault, MockServer, card_sheet, make_card
from facematch_mock_server.control import operations_of
from facematch_mock_server.faults import CARRIED_OUT, POSSIBLE, Kind, Stage
from facematch_mock_server.vendors import vendor_named, vendor_names
from facematch_rekognition import RekognitionBackend

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
    """What the control API does: methods, paths, and what is sent."""
    words = {"mailbox/{}": "ADDRESS", "ledger/{}": "OWNER", "claims/{}": "CLAIM"}
    had, found = {}, {}
    for name in vendor_names():
        for key, operation in operations_of(vendor_named(name)).items():
            had.setdefault(key, []).append(vendor_named(name).title)
            found.setdefault(key, operation)
    rows = [cells("Request", "", "Takes"), "|---|---|---|"]
    for key in sorted(found, key=lambda key: (key[1], key[0])):
        (method, path), operation = key, found[key]
        alone = f" {had[key][0]} only." if len(had[key]) == 1 else ""
        takes = {name for each in vendor_names() for name in takes_of(each, key)}
        needed = [f"**`{name[:-1]}`**" for name in sorted(takes) if name.endswith("!")]
        others = [f"`{name}`" for name in sorted(takes) if not name.endswith("!")]
        place = f"`{method} /__mock__/{path.replace('{}', words.get(path, 'NAME'))}`"
        rows.append(cells(place, operation.says + alone, ", ".join(needed + others)))
    return "\n".join(rows)


def takes_of(vendor, key):
    """The names of what an operation takes, for one vendor."""
    operation = operations_of(vendor_named(vendor)).get(key)
    return [] if operation is None else list(operation.takes)


def table_of_faults():
    """Which kinds of fault there are at which stage."""
    rows = [cells("Stage", "When it strikes", "Kinds", "Charged"), "|---|---|---|---|"]
    whether = {True: "yes", False: "no", None: "no, unless `executed` is true"}
    for stage, kinds in POSSIBLE.items():
        names = ", ".join(f"`{kind}`" for kind in sorted(kinds))
        charged = whether[CARRIED_OUT.get(stage)]
        if Kind.DELAY in kinds:
            charged += "; with `delay` yes, if the client waits"
        rows.append(cells(f"`{stage}`", AT[stage], names, charged))
    rows += ["", cells("Kind", "What the client gets"), "|---|---|"]
    rows += [cells(f"`{kind}`", GETS[kind]) for kind in Kind]
    return "\n".join(rows)


AT = {
    Stage.CONNECT: "a new connection, before a byte is read",
    Stage.MID_UPLOAD: "after the first part of the body",
    Stage.AFTER_UPLOAD: "after the whole request",
    Stage.MID_HEADERS: "within the head of the answer",
    Stage.MID_BODY: "within the body of the answer",
    Stage.ANSWER: "another whole answer comes instead",
}
GETS = {
    Kind.RESET: "the connection is reset (RST)",
    Kind.TRUNCATE: "the connection is closed (FIN) before the answer is complete",
    Kind.DRIBBLE: "the rest, one byte every `seconds`",
    Kind.DELAY: "everything, `seconds` late",
    Kind.GARBAGE: "bytes that are not HTTP",
    Kind.HTML: "an HTML page with `status`",
    Kind.WRONG_JSON: "JSON of another shape with `status`",
    Kind.JSON: "your own JSON, `body`, with `status`",
    Kind.STATUS: "`status`, with the vendor's own error body where it is known",
}


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


#: What each vendor is asked with, besides the address of the mock.
ASKED = {
    "Didit": lambda key, **to: DiditBackend(api_key=key, **to),
    "CompreFace": lambda key, **to: ComprefaceBackend(api_key=key, **to),
    "Deepvue": lambda key, **to: DeepvueBackend(client_id="mock-client", client_secret=key, **to),
    "Azure": lambda key, **to: AzureBackend(api_key=key, **to),
    "Rekognition": lambda key, **to: RekognitionBackend(
        region="eu-west-1", access_key_id="mock-access-key", secret_access_key=key, **to
    ),
}
DOWN = {"kind": "json", "body": {"detail": "Down."}}
#: Faults after which each vendor's failover does the same; none is a mock that is stopped.
STRIKES = {
    "`status` 402, 429": [{"kind": "status", "status": status} for status in (402, 429)],
    "`status` 500, 503": [{"kind": "status", "status": status} for status in (500, 503)],
    '`json` 500, 503 with the body `{"detail": "Down."}`': [
        DOWN | {"status": status} for status in (500, 503)
    ],
    "`status` 502, 504": [{"kind": "status", "status": status} for status in (502, 504)],
    "`html` 500, 502, 503, 504": [
        {"kind": "html", "status": status} for status in (500, 502, 503, 504)
    ],
    "the connection breaks in mid-call": [
        {"stage": stage, "kind": kind}
        for stage in ("mid_upload", "after_upload", "mid_headers", "mid_body")
        for kind in ("reset", "truncate")
    ],
    # Last, because it stays.
    "none: nobody listens (`mock.stop()`)": [],
}


def after_faults(failover, mock, faults):
    """Whether the second member is asked after each of them, in a word."""
    words = set()
    for fault in faults or [None]:
        if fault is None:
            mock.stop()
        else:
            mock.control.add_fault(Fault(**{"stage": "answer"} | fault))
        try:
            words.add(failover.verify(make_card("p1"), make_card("p2")).route.answered_by)
        except OutcomeUnknown:
            words.add("nobody")
    (word,) = words
    return {"second": "goes on", "nobody": "stops"}[word]


def table_of_failover():
    """After which faults of each vendor a failover asks the next one."""
    found = {}
    with MockServer() as other:
        for vendor, backend in ASKED.items():
            mock = MockServer(vendor=vendor.lower()).start()
            first = FaceVerifier(backend(mock.live_key, base_url=mock.url))
            second = FaceVerifier(DiditBackend(api_key=other.live_key, base_url=other.url))
            with Failover({"first": first, "second": second}) as failover:
                # Deepvue logs in, which no fault is to strike.
                failover.verify(make_card("p1"), make_card("p2"))
                for strike, faults in STRIKES.items():
                    found[strike, vendor] = after_faults(failover, mock, faults)
    rows = [cells("Fault", *ASKED), "|" + "---|" * (1 + len(ASKED))]
    rows += [cells(strike, *(found[strike, vendor] for vendor in ASKED)) for strike in STRIKES]
    return "\n".join(rows)


@pytest.mark.parametrize(
    ("page", "name", "table"),
    [
        ("apps/test-offline.md", "cards", table_of_cards),
        ("reference/mock.md", "faults", table_of_faults),
        ("reference/mock.md", "failover", table_of_failover),
        ("reference/mock.md", "control", table_of_operations),
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
    file = DOCS / "evidence" / page
    if os.environ.get("UPDATE_DOCS"):
        file.write_text(claims_page(vendor))
    assert file.read_text() == claims_page(vendor)


def test_every_vendor_has_its_page():
    """The overview of the mock names each of them."""
    for name in vendor_names():
        assert f"| {vendor_named(name).title} |" in REFERENCE.read_text()


def test_every_switch_stands_on_the_page_of_contradictions():
    """Whoever looks for the other reading of Didit's documents finds the switch for it there."""
    page = (DOCS / "explanation" / "didit-documents.md").read_text()
    settings = {"media_ttl_s", "otp_lifetime_s", "size_limit_bytes"}
    switches = {*vendor_named("didit").switches, *settings}
    assert not [name for name in switches if f"`{name}`" not in page]
