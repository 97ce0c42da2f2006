"""POST /v3/passive-liveness/."""

from __future__ import annotations

from facematch_mock_server.claims._claim import row, table
from facematch_mock_server.claims._reply import Reply

from .sources import LIVENESS_SKILL, OPENAPI, OURS

_FLOAT = ("score_type", ("float",))
_INTEGER = ("score_type", ("integer",))
_QUALITY = ("quality_warnings", (True,))
_DATA = ("warning_keys", (6,))

_DECISION = (
    row("liveness.answer", Reply(200), "A check that was made is 200.", OPENAPI),
    row(
        "liveness.boundary",
        "exclusive",
        "A score at or below the threshold is declined.",
        OPENAPI,
        turned="inclusive",
        when=("boundary", ("exclusive",)),
        name="exclusive",
    ),
    row(
        "liveness.boundary",
        "inclusive",
        "Only a score below the threshold is declined.",
        LIVENESS_SKILL,
        turned="exclusive",
        when=("boundary", ("inclusive",)),
        name="inclusive",
    ),
    row(
        "liveness.threshold",
        30,
        "The threshold is 30 unless told otherwise.",
        OPENAPI,
        when=_FLOAT,
        name="july",
    ),
    row(
        "liveness.threshold",
        30,
        "The threshold is 30 unless told otherwise; no default is stated.",
        OURS,
        when=_INTEGER,
        name="march",
    ),
    row("liveness.approved", "Approved", "The word for a pass.", OPENAPI),
    row("liveness.declined", "Declined", "The word for a refusal.", OPENAPI),
    row(
        "liveness.declining",
        ("error",),
        "Declined means at least one warning of type error; other types never decline.",
        OPENAPI,
        turned=("error", "warning"),
    ),
    row("liveness.method", "PASSIVE", "The method is PASSIVE.", OPENAPI),
)

_SCORE = (
    row(
        "liveness.score_type",
        "float",
        "The score is a number from 0 to 100 with a fraction.",
        OPENAPI,
        turned="integer",
        when=_FLOAT,
        name="float",
    ),
    row(
        "liveness.score_type",
        "integer",
        "The score is a whole number from 0 to 100.",
        LIVENESS_SKILL,
        turned="float",
        when=_INTEGER,
        name="integer",
    ),
    row("liveness.decimals", 2, "The score has two decimals, saved or not.", OPENAPI, when=_FLOAT),
    row(
        "liveness.compared",
        "shown",
        "The score is compared as it is shown, so that status and score agree.",
        OURS,
        turned="raw",
    ),
    row(
        "liveness.null_score",
        "low",
        "A face without a score counts as 0, as in age estimation: LOW_LIVENESS_SCORE.",
        OURS,
        turned="passes",
    ),
)

_PICTURE = (
    row(
        "liveness.no_face_alone",
        True,
        "Without a face NO_FACE_DETECTED stands alone.",
        OPENAPI,
    ),
    row(
        "liveness.no_face_numbers",
        None,
        "Without a face score, quality and luminance are null.",
        LIVENESS_SKILL,
        turned=0,
    ),
    row(
        "liveness.faceless_entities",
        [],
        "A picture without a face has no entities.",
        OURS,
        turned=None,
    ),
    row(
        "liveness.faceless_angle",
        None,
        "The angle of a picture without a face is null: it may be null, nobody says when.",
        OURS,
        turned=0,
    ),
    row(
        "liveness.undecodable",
        Reply(400, {"error": "Invalid user image format."}),
        "Bytes that are no picture are 400.",
        OPENAPI,
    ),
    row(
        "liveness.measured",
        ("face_quality", "face_luminance"),
        "Quality and luminance of the face are told, from 0 to 100.",
        OPENAPI,
        turned=(),
    ),
    row(
        "liveness.blocklist_data",
        ("blocklisted_session_id", "blocklisted_session_number", "api_service"),
        "The additional data of a hit in the blocklist is the session that was blocklisted.",
        OPENAPI,
        turned=(),
        when=_DATA,
    ),
    row(
        "liveness.duplicate_data",
        ("duplicated_session_id", "duplicated_session_number", "api_service"),
        "The additional data of a duplicate is the other session.",
        OPENAPI,
        turned=(),
        when=_DATA,
    ),
    row(
        "liveness.known_from",
        ("00000000-0000-4000-8000-000000000001", 1, "PASSIVE_LIVENESS"),
        "The session of a hit that a test asks for is a fixed one, which cannot be read.",
        OURS,
        turned=("00000000-0000-4000-8000-000000000002", 2, "PASSIVE_LIVENESS"),
        when=_DATA,
    ),
    row("liveness.low_quality", 30, "A quality below 30 is low.", OURS, turned=0, when=_QUALITY),
    row("liveness.dark", 20, "A luminance below 20 is low.", OURS, turned=0, when=_QUALITY),
    row("liveness.bright", 80, "A luminance above 80 is high.", OURS, turned=100, when=_QUALITY),
    row(
        "liveness.quality_risks",
        False,
        "Quality and luminance are told and never warned of: that is for workflow sessions.",
        OPENAPI,
        when=("quality_warnings", (False,)),
        name="none",
    ),
    row(
        "liveness.quality_risks",
        True,
        "Low quality and low or high luminance are warned of in passive liveness.",
        LIVENESS_SKILL,
        when=_QUALITY,
        name="warned",
    ),
    row(
        "liveness.service",
        "PASSIVE_LIVENESS",
        "The session of a liveness check is of the service PASSIVE_LIVENESS.",
        OPENAPI,
    ),
    row(
        "liveness.pictures",
        {"reference_image": "user_image"},
        "user_image is kept as reference_image.",
        OPENAPI,
        turned={},
    ),
    row(
        "liveness.sandbox",
        {"score": 97.0, "quality": 85.0, "luminance": 50.0, "boxes": [[120, 96, 420, 512]]},
        "A sandbox key gets a fixed Approved answer; its numbers are not published.",
        OURS,
        turned={"score": 98.0, "quality": 85.0, "luminance": 50.0, "boxes": [[120, 96, 420, 512]]},
    ),
)

CLAIMS = table("didit", *_DECISION, *_SCORE, *_PICTURE)
