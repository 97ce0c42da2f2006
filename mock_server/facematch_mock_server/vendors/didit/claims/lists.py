"""The block list: its three early paths, and what is known of the lists that came after."""

from __future__ import annotations

from facematch_mock_server.claims._claim import row, table
from facematch_mock_server.claims._reply import Reply

from .sources import FRAMEWORK, NOVEMBER, OURS, SKILLS

_ROW = ("item_type", "session_id", "session_number", "created_at")
_ENTRY = (
    "uuid",
    "value",
    "display_label",
    "comment",
    "added_by",
    "reference_session_id",
    "reference_session_number",
    "reference_object_uuid",
    "metadata",
    "created_at",
)

_EARLY = (
    row(
        "blocklist.changed",
        Reply(200, {"message": "Successfully updated blocklist."}),
        "A change of the block list is 200; that every edition has these paths is ours.",
        SKILLS,
    ),
    row(
        "blocklist.unknown",
        Reply(404, {"detail": "Not found."}),
        "An unknown session is 404; 400 was accepted, too.",
        OURS,
    ),
    row(
        "blocklist.needs_face",
        True,
        "A session whose face is not in the index cannot be put on the list, nor taken off.",
        OURS,
    ),
    row(
        "blocklist.no_face",
        Reply(400, {"detail": "This session has no face in the index."}),
        "The words for that.",
        OURS,
    ),
    row(
        "blocklist.not_a_uuid",
        "Must be a valid UUID.",
        "The words for an id that is no UUID.",
        FRAMEWORK,
    ),
    row("blocklist.answer", Reply(200), "The block list is an array, or a page: an array.", SKILLS),
    row("blocklist.filters", True, "item_type tells the kinds of entries apart.", SKILLS),
    row("blocklist.keys", _ROW, "What an entry of it looks like.", OURS, turned=_ROW[:-1]),
)

_LATER = (
    row(
        "lists.there",
        True,
        "There are lists with entries.",
        NOVEMBER,
        when=("lists", (True,)),
        name="later",
    ),
    row(
        "lists.there",
        False,
        "There are no lists yet.",
        OURS,
        when=("lists", (False,)),
        name="not_yet",
    ),
    row(
        "lists.unknown",
        Reply(404, {"detail": "Not found."}),
        "An unknown list is 404. The mock has one of blocked and one of allowed faces, whose ids "
        "the control API tells.",
        OURS,
        when=("lists", (True,)),
    ),
    row(
        "lists.entries",
        Reply(200),
        "The entries come in pages like other lists.",
        OURS,
        when=("lists", (True,)),
    ),
    row(
        "lists.added",
        Reply(201),
        "A face that was uploaded is answered with its entry, 201.",
        OURS,
        when=("lists", (True,)),
    ),
    row(
        "lists.keys",
        _ENTRY,
        "An entry has ten keys.",
        NOVEMBER,
        turned=_ENTRY[:-1],
        when=("lists", (True,)),
    ),
    row(
        "lists.label",
        "Face",
        "The label of a face; what else is not known of an entry is null.",
        OURS,
        when=("lists", (True,)),
    ),
    row(
        "lists.largest",
        2 * 1024 * 1024,
        "A picture has at most 2 MB once decoded; counted as 2,097,152 bytes.",
        NOVEMBER,
        turned=10,
        when=("lists", (True,)),
    ),
    row(
        "lists.too_large",
        "File size should not exceed 2 MB",
        "The words for a larger one.",
        OURS,
        when=("lists", (True,)),
    ),
    row(
        "lists.bad_image",
        "Must be a base64-encoded image.",
        "The words for what is no base64.",
        OURS,
        when=("lists", (True,)),
    ),
)

CLAIMS = table("didit", *_EARLY, *_LATER)
