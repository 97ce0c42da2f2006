"""POST /v3/age-estimation/."""

from __future__ import annotations

from facematch_mock_server.claims._claim import row, table
from facematch_mock_server.claims._reply import Reply

from .sources import OPENAPI, OURS, SKILLS

_DECISION = (
    row("age.answer", Reply(200), "An estimation that was made is 200.", OPENAPI),
    row(
        "age.block",
        "age_estimation",
        "The answer's part is age_estimation.",
        OPENAPI,
        turned="liveness",
        when=("age_key", ("age_estimation",)),
        name="own",
    ),
    row(
        "age.block",
        "liveness",
        "The answer's part is liveness.",
        SKILLS,
        turned="age_estimation",
        when=("age_key", ("liveness",)),
        name="liveness",
    ),
    row("age.approved", "Approved", "The word for a pass.", OPENAPI),
    row("age.declined", "Declined", "The word for a refusal.", OPENAPI),
    row("age.any_declines", True, "Any warning declines.", OPENAPI),
    row("age.minimum", 18, "The lowest age is 18 unless told otherwise.", OPENAPI, turned=99),
    row(
        "age.zero_is_off",
        True,
        "A lowest age of 0 switches the rule off; that an age that cannot be told passes then is "
        "our reading.",
        OPENAPI,
    ),
    row(
        "age.minimum.boundary",
        "inclusive",
        "Only an age strictly below the lowest is declined.",
        OPENAPI,
        turned="exclusive",
    ),
    row(
        "age.boundary",
        "exclusive",
        "A liveness score at or below the threshold is declined.",
        OPENAPI,
        turned="inclusive",
    ),
    row("age.null_score", 0, "A face without a score counts as 0.", OPENAPI, turned=100),
    row("age.no_face_alone", True, "Without a face NO_FACE_DETECTED stands alone.", OURS),
)

_ANSWER = (
    row(
        "age.score_type",
        "float",
        "The score is a number from 0 to 100 with a fraction.",
        OPENAPI,
        turned="integer",
    ),
    row("age.decimals", 2, "The score has two decimals, as in a liveness check.", OURS),
    row(
        "age.entity_keys",
        ("bbox", "confidence", "age", "gender"),
        "A face has box, confidence, age and gender, and no race.",
        OPENAPI,
        turned=("bbox", "confidence"),
    ),
    row(
        "age.faceless_entities",
        [],
        "A picture without a face has no entities.",
        OURS,
        turned=None,
    ),
    row(
        "age.faceless_angle",
        None,
        "The angle of a picture without a face is null: it may be null, nobody says when.",
        OURS,
        turned=0,
    ),
    row(
        "age.undecodable",
        Reply(400, {"error": "Invalid user image format."}),
        "Bytes that are no picture are 400, as in a liveness check.",
        OURS,
    ),
)

_KEPT = (
    row(
        "age.service",
        "AGE_ESTIMATION",
        "The session of an estimation is of the service AGE_ESTIMATION.",
        OPENAPI,
    ),
    row(
        "age.pictures",
        {"reference_image": "user_image"},
        "user_image is kept as reference_image, as in a liveness check.",
        OURS,
        turned={},
    ),
    row("age.sandbox_age", 30, "A sandbox key is told an age of 30.", OPENAPI),
    row(
        "age.sandbox",
        {"score": 97.0, "box": [120, 96, 420, 512]},
        "A sandbox key gets a fixed Approved answer; the other numbers are not published.",
        OURS,
        turned={"score": 98.0, "box": [120, 96, 420, 512]},
    ),
)

CLAIMS = table("didit", *_DECISION, *_ANSWER, *_KEPT)
