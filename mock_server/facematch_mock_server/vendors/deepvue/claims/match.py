"""The verdict of a comparison. Nothing of how it comes about is documented."""

from __future__ import annotations

from facematch_mock_server.claims._claim import row, table
from facematch_mock_server.claims._reply import Reply

from .sources import MATCH_V1, MATCH_V2, OURS

_AS = "confidence_as"
_NO_FACE = "no_face"

CLAIMS = table(
    "deepvue",
    row(
        "match.data",
        ("match", "confidence"),
        "data has match and confidence.",
        MATCH_V1,
        turned=("match",),
    ),
    row("match.from", 60.0, "match is true from a score of 60 up.", OURS, turned=101.0),
    row(
        "match.compared",
        "raw",
        "The score is compared before it is rounded.",
        OURS,
        turned="shown",
    ),
    row(
        "match.equal_bytes",
        98.0,
        "The same bytes twice match with 98, as in the sample of version 2.",
        OURS,
        turned=97.0,
    ),
    row(
        "match.decimals",
        0,
        "confidence is a whole number, as in the sample; its scale is not documented.",
        MATCH_V2,
        turned=1,
    ),
    row(
        "match.confidence",
        "similarity",
        "confidence is the likeness of the faces (a switch: what it means is not documented).",
        OURS,
        turned="decision",
        when=(_AS, ("similarity",)),
        name="similarity",
    ),
    row(
        "match.confidence",
        "decision",
        "confidence is how sure the verdict is, also of a mismatch (a switch).",
        OURS,
        turned="similarity",
        when=(_AS, ("decision",)),
        name="decision",
    ),
    row(
        "match.confidence",
        "null",
        "confidence is null, as the sample of version 1 has it.",
        MATCH_V1,
        turned="similarity",
        when=(_AS, ("null",)),
        name="null",
    ),
    row(
        "face.missing",
        Reply(422),
        "A picture without a face is 422; how Deepvue answers is not documented.",
        OURS,
        when=(_NO_FACE, (422,)),
        name="422",
    ),
    row(
        "face.missing",
        Reply(200),
        "A picture without a face is 200 with data null (a switch: not documented).",
        OURS,
        when=(_NO_FACE, (200,)),
        name="200",
    ),
    row("face.text", "Face not detected", "The message where there is no face.", OURS),
    row("face.sub_code", "FACE_NOT_DETECTED", "The sub_code where there is no face.", OURS),
    row(
        "face.keys",
        ("transaction_id", "timestamp", "sub_code", "message"),
        "The 422 where there is no face has the keys of an envelope.",
        OURS,
        turned=("message",),
        when=(_NO_FACE, (422,)),
    ),
)
