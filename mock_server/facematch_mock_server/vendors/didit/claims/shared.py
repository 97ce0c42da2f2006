"""What the answers of the picture endpoints have in common, and what they leave behind."""

from __future__ import annotations

from facematch_mock_server.claims._claim import row, table

from .sources import LIVENESS_SKILL, MATCH_REFERENCE, MATCH_SKILL, OPENAPI, OURS

_ECHO = "echo_fields"
_CREATED = "created_at_style"
_KEYS = "warning_keys"
_RACE = "entity_race"
_FOUR = ("risk", "log_type", "short_description", "long_description")
_SIX = ("risk", "feature", "additional_data", "log_type", "short_description", "long_description")
_ENTITY = ("bbox", "confidence", "age", "gender")

_SHAPE = (
    row(
        "json.content_type",
        "application/json",
        "Answers are JSON and say so.",
        OPENAPI,
    ),
    row(
        "answer.echo",
        ("vendor_data", "metadata"),
        "vendor_data and metadata are echoed, null if they were not sent.",
        MATCH_REFERENCE,
        turned=(),
        when=(_ECHO, (True,)),
        name="sent",
    ),
    row(
        "answer.echo",
        (),
        "vendor_data and metadata are not echoed.",
        MATCH_SKILL,
        turned=("vendor_data", "metadata"),
        when=(_ECHO, (False,)),
        name="not_sent",
    ),
    row(
        "answer.created_at",
        "+00:00",
        "created_at is the time of the answer, UTC, with microseconds and +00:00.",
        MATCH_REFERENCE,
        turned="Z",
        when=(_CREATED, ("+00:00",)),
        name="offset",
    ),
    row(
        "answer.created_at",
        "Z",
        "created_at is the time of the answer, UTC, and ends in Z.",
        MATCH_SKILL,
        turned="+00:00",
        when=(_CREATED, ("Z",)),
        name="zulu",
    ),
    row(
        "warning.keys",
        _SIX,
        "A warning has six keys, all present.",
        OPENAPI,
        turned=_FOUR,
        when=(_KEYS, (6,)),
        name="six",
    ),
    row(
        "warning.keys",
        _FOUR,
        "A warning has four keys.",
        LIVENESS_SKILL,
        turned=_SIX,
        when=(_KEYS, (4,)),
        name="four",
    ),
    row(
        "warning.additional_data",
        None,
        "additional_data is null, where no other session is meant.",
        OPENAPI,
        turned={},
        when=(_KEYS, (6,)),
    ),
    row(
        "entity.keys",
        (*_ENTITY, "race"),
        "A face has box, confidence, age, gender and race.",
        OPENAPI,
        turned=_ENTITY,
        when=(_RACE, (True,)),
        name="five",
    ),
    row(
        "entity.keys",
        _ENTITY,
        "A face has box, confidence, age and gender.",
        MATCH_SKILL,
        turned=(*_ENTITY, "race"),
        when=(_RACE, (False,)),
        name="four",
    ),
    row(
        "entity.race",
        None,
        "race is always null.",
        OPENAPI,
        turned="unknown",
        when=(_RACE, (True,)),
    ),
    row(
        "entity.box",
        (0, 1, 2, 3),
        "A box is x_min, y_min, x_max, y_max in whole pixels of the processed picture.",
        OPENAPI,
        turned=(1, 0, 3, 2),
    ),
    row("entity.all", True, "Several faces are several entities.", OPENAPI),
    row(
        "entity.largest_first",
        True,
        "The largest face is told first; the order of faces is not documented.",
        OURS,
    ),
    row("angle.asked", True, "best_angle is 0 unless rotate_image helped.", OPENAPI, turned=False),
)

_KEPT = (
    row(
        "session.saved",
        True,
        "A saved call is a session, and its id is the request_id.",
        OPENAPI,
    ),
    row("session.unsaved", False, "A call that is not saved leaves no session.", OPENAPI),
    row("session.sandbox", False, "A sandbox call leaves no session.", OPENAPI),
    row(
        "session.kept",
        ("vendor_data", "metadata"),
        "vendor_data and metadata are kept with the session.",
        MATCH_REFERENCE,
        turned=(),
    ),
    row(
        "sandbox.echo",
        True,
        "A sandbox answer echoes vendor_data and metadata; whether Didit does is not documented.",
        OURS,
    ),
    row("save.default", True, "Calls are saved unless save_api_request says no.", OPENAPI),
    row("rotate.default", False, "Pictures are not turned unless rotate_image says so.", OPENAPI),
)

CLAIMS = table("didit", *_SHAPE, *_KEPT)
