"""What belongs to no vendor: the words of the mock itself. All of it is ours."""

from __future__ import annotations

from ._claim import OURS, row, table
from ._reply import Reply


def _said(status: int, sentence: str) -> Reply:
    # A name of our own, so that no client takes it for a vendor's words.
    return Reply(status, {"mock": sentence})


CLAIMS = table(
    "mock",
    row(
        "elsewhere",
        _said(404, "Nothing is served at {path}. {hint}"),
        "A path that no vendor knows is answered with the known path that it resembles.",
        OURS,
    ),
    row(
        "later",
        _said(404, "{vendor} has {path}, but this mock does not imitate it."),
        "An endpoint that the vendor has and the mock does not imitate says so.",
        OURS,
    ),
    row(
        "limit.body",
        Reply(413, "<html><body><h1>413 Request Entity Too Large</h1></body></html>\n"),
        "A body above 16 MiB is refused with a page of HTML; proxy limits are not documented.",
        OURS,
    ),
    row(
        "limit.control",
        _said(413, "A change is described in at most 1 MiB."),
        "A change through the control API is described in at most 1 MiB.",
        OURS,
    ),
    row(
        "fault.html",
        Reply(502, "<html><body><h1>{status}</h1><p>A gateway's page.</p></body></html>\n"),
        "A page of HTML, when a test asks for one, is that of some gateway.",
        OURS,
    ),
    row(
        "fault.wrong_json",
        Reply(200, {"unexpected": ["shape", 1, None]}),
        "JSON of another shape, when a test asks for it, has nothing of the vendor's.",
        OURS,
    ),
    row(
        "fault.own",
        Reply(200),
        "A JSON body that a test gives is the test's own; it says nothing of the vendor.",
        OURS,
        turned=Reply(200, {"turned": True}),
    ),
    row(
        "fault.server",
        Reply(500, "<html><body><h1>Server Error ({status})</h1></body></html>\n"),
        "A status from 500 on is a page of HTML; its body is not documented.",
        OURS,
    ),
    row(
        "fault.other",
        _said(400, "A test asked for the status {status}; the vendor's words are not known."),
        "A status for which the vendor's words are not known is answered in ours.",
        OURS,
    ),
)
