"""POST /v3/face-match/."""

from __future__ import annotations

from facematch_mock_server.claims._claim import row, table
from facematch_mock_server.claims._reply import Reply

from .sources import MATCH_REFERENCE, MATCH_SKILL, OBSERVED_SKILLS, OPENAPI, OURS

_FLOAT = ("score_type", ("float",))
_INTEGER = ("score_type", ("integer",))

_DECISION = (
    row("match.answer", Reply(200), "A comparison that was made is 200.", MATCH_REFERENCE),
    row(
        "match.boundary",
        "exclusive",
        "Only a score strictly above the threshold is Approved.",
        MATCH_REFERENCE,
        turned="inclusive",
        when=("boundary", ("exclusive",)),
        name="exclusive",
    ),
    row(
        "match.boundary",
        "inclusive",
        "A score of the threshold or above is Approved.",
        MATCH_SKILL,
        turned="exclusive",
        when=("boundary", ("inclusive",)),
        name="inclusive",
    ),
    row("match.threshold", 30, "The threshold is 30 unless told otherwise.", MATCH_REFERENCE),
    row("match.approved", "Approved", "The word for a pass.", MATCH_REFERENCE),
    row("match.declined", "Declined", "The word for a refusal.", MATCH_REFERENCE),
    row(
        "match.review",
        None,
        "Standalone comparisons are never In Review.",
        OPENAPI,
        turned="In Review",
        when=("in_review", (False,)),
        name="never",
    ),
    row(
        "match.review",
        "In Review",
        "In Review is named without a trigger: only an outcome or a card gives it.",
        OURS,
        turned=None,
        when=("in_review", (True,)),
        name="asked",
    ),
)

_SCORE = (
    row(
        "match.no_pair",
        Reply(200),
        "Without a pair of faces the answer is 200, too, even for pictures of one pixel.",
        OBSERVED_SKILLS,
    ),
    row(
        "match.score_type",
        "float",
        "The score is a number from 0 to 100 with a fraction.",
        MATCH_REFERENCE,
        turned="integer",
        when=_FLOAT,
        name="float",
    ),
    row(
        "match.score_type",
        "integer",
        "The score is a whole number from 0 to 100.",
        MATCH_SKILL,
        turned="float",
        when=_INTEGER,
        name="integer",
    ),
    row("match.decimals_saved", 2, "A saved score has two decimals.", MATCH_REFERENCE, when=_FLOAT),
    row(
        "match.decimals_unsaved",
        None,
        "The score of a call that is not saved is not rounded.",
        OPENAPI,
        turned=2,
        when=_FLOAT,
    ),
    row(
        "match.compared",
        "shown",
        "The score is compared as it is shown, so that Approved and score agree.",
        OURS,
        turned="raw",
    ),
    row(
        "match.no_pair_saved",
        None,
        "Without a pair of faces the score of a saved call is null.",
        OPENAPI,
        turned=0,
        when=_FLOAT,
        name="july",
    ),
    row(
        "match.no_pair_unsaved",
        0,
        "Without a pair of faces the score of a call that is not saved is 0.",
        OPENAPI,
        turned=None,
        when=_FLOAT,
        name="july",
    ),
    row(
        "match.no_pair_saved",
        None,
        "Without a pair of faces the score is null; the value is not stated.",
        OURS,
        turned=0,
        when=_INTEGER,
        name="march",
    ),
    row(
        "match.no_pair_unsaved",
        None,
        "Without a pair of faces the score is null, saved or not; the value is not stated.",
        OURS,
        turned=0,
        when=_INTEGER,
        name="march",
    ),
)

_PICTURES = (
    row(
        "match.no_face_risk",
        "NO_REFERENCE_IMAGE",
        "No face in either picture is NO_REFERENCE_IMAGE.",
        OPENAPI,
        turned="NO_FACE_DETECTED",
        when=("no_face_risk", ("NO_REFERENCE_IMAGE",)),
        name="reference",
    ),
    row(
        "match.no_face_risk",
        "NO_FACE_DETECTED",
        "No face in one of the pictures or both is NO_FACE_DETECTED.",
        MATCH_SKILL,
        turned="NO_REFERENCE_IMAGE",
        when=("no_face_risk", ("NO_FACE_DETECTED",)),
        name="detected",
    ),
    row(
        "match.no_pair_alone",
        True,
        "Without a pair of faces LOW_FACE_MATCH_SIMILARITY is not told, too.",
        OPENAPI,
    ),
    row(
        "match.faceless_entities",
        [],
        "A picture without a face has no entities.",
        OURS,
        turned=None,
    ),
    row(
        "match.faceless_angle", 0, "The angle of a picture without a face is 0.", OURS, turned=None
    ),
    row(
        "match.undecodable",
        None,
        "Bytes that are no picture count as no face.",
        OURS,
        turned=Reply(400, {"error": "Invalid user image format."}),
        when=("undecodable", (200,)),
        name="no_face",
    ),
    row(
        "match.undecodable",
        Reply(400, {"error": "Invalid user image format."}),
        "Bytes that are no picture are 400, as in passive liveness (a switch: not documented).",
        OURS,
        turned=None,
        when=("undecodable", (400,)),
        name="refused",
    ),
    row(
        "match.undecodable_risk",
        "NO_REFERENCE_IMAGE",
        "Bytes that are no picture are NO_REFERENCE_IMAGE, where they count as no face.",
        OURS,
        turned="NO_FACE_DETECTED",
        when=("undecodable", (200,)),
    ),
    row(
        "match.service",
        "FACE_MATCH",
        "The session of a comparison is of the service FACE_MATCH.",
        OPENAPI,
    ),
    row(
        "match.pictures",
        {"source_image": "ref_image", "target_image": "user_image"},
        "ref_image is kept as source_image, user_image as target_image.",
        OPENAPI,
        turned={"source_image": "user_image", "target_image": "ref_image"},
    ),
    row(
        "match.sandbox",
        {"score": 95.0, "boxes": [[200, 140, 600, 680], [60, 70, 300, 390]]},
        "A sandbox key gets a fixed Approved answer; its numbers are not published.",
        OURS,
        turned={"score": 96.0, "boxes": [[200, 140, 600, 680], [60, 70, 300, 390]]},
    ),
)

CLAIMS = table("didit", *_DECISION, *_SCORE, *_PICTURES)
