"""POST /v3/face-search/."""

from __future__ import annotations

from facematch_mock_server.claims._claim import row, table
from facematch_mock_server.claims._reply import Reply

from .sources import NOVEMBER, OPENAPI, OURS, SKILLS

_EARLY = ("search_style", ("early",))
_LATER = ("search_style", ("plain", "templates"))
_KEYS = (
    "session_id",
    "session_number",
    "similarity_percentage",
    "source",
    "vendor_data",
    "verification_date",
    "user_details",
    "match_image_url",
    "status",
    "is_blocklisted",
    "is_allowlisted",
    "api_service",
)
_BLOCKED = ("FACE_IN_BLOCKLIST", "POSSIBLE_FACE_IN_BLOCKLIST")
_NO_FACE = Reply(400, {"error": "No face detected in the image"})

_ASKING = (
    row(
        "search.type",
        "most_similar",
        "The most similar faces are searched unless told otherwise.",
        OPENAPI,
        turned="blocklisted_or_approved",
    ),
    row(
        "search.types",
        ("most_similar", "blocklisted_or_approved"),
        "There are two kinds of search.",
        OPENAPI,
        turned=("most_similar",),
    ),
    row(
        "search.narrow",
        "blocklisted_or_approved",
        "The narrower search tells faces on the block list and those of approved sessions only.",
        OPENAPI,
    ),
    row(
        "search.narrow_statuses",
        ("Approved",),
        "An approved session is one whose status is Approved now.",
        OPENAPI,
        turned=("Approved", "Declined"),
    ),
    row(
        "search.blocked_first",
        True,
        "In the narrower search those on the block list come first.",
        OPENAPI,
    ),
    row("search.no_face", _NO_FACE, "A picture without a face is 400.", OPENAPI),
    row(
        "search.undecodable",
        _NO_FACE,
        "Bytes that are no picture count as no face.",
        OURS,
        turned=Reply(400, {"error": "Invalid user image format."}),
    ),
)

_ANSWER = (
    row("search.answer", Reply(200), "A search that was made is 200.", OPENAPI),
    row("search.approved", "Approved", "The word for nobody on the block list.", OPENAPI),
    row("search.declined", "Declined", "The word for a hit on the block list.", OPENAPI),
    row(
        "search.declining",
        _BLOCKED,
        "Only a warning of the block list declines.",
        OPENAPI,
        turned=(),
    ),
    row(
        "search.review",
        "In Review",
        "A person may have to look; when is not told: here, if a card says so.",
        SKILLS,
        turned=None,
        when=("in_review", (True,)),
        name="named",
    ),
    row(
        "search.review",
        None,
        "A search is never In Review.",
        OPENAPI,
        turned="In Review",
        when=("in_review", (False,)),
        name="never",
    ),
    row("search.most", 5, "At most five matches are told.", OPENAPI, turned=1),
    row(
        "search.match_keys",
        _KEYS,
        "A match has twelve keys, all present.",
        OPENAPI,
        turned=_KEYS[:-1],
        when=("search_style", ("early", "plain")),
        name="twelve",
    ),
    row(
        "search.match_keys",
        (*_KEYS, "vendor_user_id", "biometric_template_id"),
        "A match has two keys more, for templates; the mock keeps none, so they are null.",
        NOVEMBER,
        turned=_KEYS,
        when=("search_style", ("templates",)),
        name="fourteen",
    ),
    row(
        "search.user_keys",
        ("full_name", "document_type", "document_number"),
        "The details of a person are full_name, document_type and document_number.",
        OPENAPI,
        turned=("name", "document_type", "document_number"),
        when=_LATER,
        name="full_name",
    ),
    row(
        "search.user_keys",
        ("name", "document_type", "document_number"),
        "The name in the details of a person is name.",
        SKILLS,
        turned=("full_name", "document_type", "document_number"),
        when=_EARLY,
        name="name",
    ),
    row(
        "search.date",
        "%Y-%m-%dT%H:%M:%SZ",
        "verification_date is in whole seconds, UTC, with Z.",
        OPENAPI,
        turned="%Y-%m-%d",
    ),
    row(
        "search.listed_source",
        "list_entry",
        "A face that is there for a list alone is a list_entry.",
        OPENAPI,
        turned="session",
    ),
    row(
        "search.path_unsaved",
        True,
        "In a search that is not saved match_image_url is a storage path, no address.",
        OPENAPI,
    ),
    row(
        "search.storage_path",
        "sessions/{session}/{name}.jpg",
        "What that path looks like.",
        OURS,
    ),
    row(
        "search.entity_keys",
        ("bbox", "confidence"),
        "A face has box and confidence.",
        OPENAPI,
        turned=("bbox", "confidence", "age"),
        when=_LATER,
        name="two",
    ),
    row(
        "search.entity_keys",
        ("bbox", "confidence", "age"),
        "A face has an age; that it stands beside the box is our reading.",
        SKILLS,
        turned=("bbox", "confidence"),
        when=_EARLY,
        name="three",
    ),
    row(
        "search.age_text",
        True,
        "The age is a text.",
        SKILLS,
        when=_EARLY,
    ),
)

_KEPT = (
    row(
        "search.service",
        "FACE_SEARCH",
        "The session of a search is of the service FACE_SEARCH.",
        OPENAPI,
    ),
    row(
        "search.pictures",
        {"reference_image": "user_image"},
        "user_image is kept as reference_image.",
        OURS,
        turned={},
    ),
    row(
        "search.sandbox",
        [120, 96, 420, 512],
        "A sandbox key gets a fixed Approved answer without matches; its numbers are not "
        "published.",
        OURS,
        turned=[121, 96, 420, 512],
    ),
)

CLAIMS = table("didit", *_ASKING, *_ANSWER, *_KEPT)
