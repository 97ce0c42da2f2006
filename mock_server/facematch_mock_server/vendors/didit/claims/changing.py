"""Deleting a session, updating its status, and notes on it."""

from __future__ import annotations

from facematch_mock_server.claims._claim import row, table
from facematch_mock_server.claims._reply import Reply

from .sources import FRAMEWORK, OPENAPI, OPENAPI_DIGEST, OURS

_NO_BODY = ("delete_status", (204,))
_BODY = ("delete_status", (200,))
_OUTCOME = ("session_id", "session_number", "face_retention_outcome", "biometric_template_uuid")
_REVIEW = ("user", "new_status", "comment", "created_at")
_OPEN = ("Approved", "Declined", "In Review", "Kyc Expired", "Abandoned", "Resubmitted")

_DELETE = (
    row(
        "delete.answer",
        Reply(204, ""),
        "A deletion is 204 without a body.",
        OPENAPI,
        turned=Reply(202, ""),
        when=_NO_BODY,
        name="empty",
    ),
    row(
        "delete.answer",
        Reply(200),
        "A deletion is 200 with a body.",
        OPENAPI_DIGEST,
        when=_BODY,
        name="body",
    ),
    row(
        "delete.body_keys",
        _OUTCOME,
        "It says which session it was and what became of its faces.",
        OPENAPI_DIGEST,
        turned=_OUTCOME[:2],
        when=_BODY,
    ),
    row(
        "delete.faces",
        ("PASSIVE_LIVENESS", "AGE_ESTIMATION", "FACE_SEARCH"),
        "The faces of a session of these services are deleted; another has none.",
        OURS,
        turned=(),
        when=_BODY,
    ),
    row(
        "delete.retain",
        "ineligible_no_vendor_user",
        "Faces that are to be retained are not: there are no vendor users here.",
        OURS,
        when=_BODY,
    ),
    row(
        "delete.template",
        None,
        "No template is kept, so biometric_template_uuid is null.",
        OURS,
        turned="",
        when=_BODY,
    ),
    row(
        "delete.longest",
        3650,
        "face_retention_days is from 1 to 3650; the words for others are the framework's.",
        OPENAPI_DIGEST,
        turned=1,
        when=_BODY,
    ),
    row("delete.gone", True, "A deleted session vanishes from every read.", OPENAPI),
    row(
        "batch.answer",
        Reply(204, ""),
        "Deleting several sessions is 204 without a body, however many there were.",
        OPENAPI,
        turned=Reply(202, ""),
    ),
    row(
        "batch.unknown",
        "skipped",
        "Numbers that are not known are skipped.",
        OPENAPI,
        turned="stop",
    ),
    row("batch.all", True, "delete_all deletes every session of the organization.", OPENAPI),
    row(
        "batch.required",
        "This field is required unless delete_all is true.",
        "The words for no numbers at all.",
        OPENAPI,
    ),
    row("batch.empty", "This list may not be empty.", "The words for an empty list.", OPENAPI),
    row(
        "batch.numeric",
        "All session_numbers must be numeric.",
        "The words for a number that is none.",
        OPENAPI,
    ),
    row(
        "batch.own_only",
        True,
        "Only sessions of the key's organization are deleted, and none with a sandbox key.",
        OURS,
    ),
)

_UPDATE = (
    row("update.answer", Reply(200), "An update is 200 with the id of the session.", OPENAPI),
    row(
        "update.open",
        _OPEN,
        "Sessions in these states can be updated.",
        OPENAPI,
        turned=_OPEN[1:],
    ),
    row(
        "update.closed",
        Reply(
            400,
            {"detail": "Only sessions with status {open} can be updated. Current status: {status}"},
        ),
        "The words for a session in another state.",
        OPENAPI,
    ),
    row(
        "update.state_first",
        True,
        "The state is looked at before the body is checked.",
        OPENAPI,
    ),
    row(
        "update.targets",
        ("Approved", "Declined", "Resubmitted"),
        "A status can be updated to one of three.",
        OPENAPI,
        turned=("Approved", "Declined"),
    ),
    row(
        "update.target_words",
        "You can only update the status to 'Approved', 'Declined', or 'Resubmitted'.",
        "The words for another status that there is.",
        OPENAPI,
    ),
    row(
        "update.same",
        Reply(400, ["The new status is the same as the current status."]),
        "An update to the status that it has is 400 with a bare array: a repeat, say.",
        OPENAPI,
    ),
    row(
        "update.email_words",
        "Email address is required when send_email is true.",
        "The words for an email without an address.",
        OPENAPI,
    ),
    row(
        "update.bad_email",
        "Enter a valid email address.",
        "The words for no email address.",
        FRAMEWORK,
    ),
    row(
        "update.nothing",
        Reply(
            400,
            {
                "nodes_to_resubmit": "No features found that need resubmission. "
                "All features are already approved."
            },
        ),
        "A resubmission of approved features is refused with a text where others have an array.",
        OPENAPI,
    ),
    row(
        "update.named_nodes",
        True,
        "A feature that nodes_to_resubmit names is asked for again, whatever its status.",
        OURS,
    ),
    row(
        "update.resubmitted",
        "Resub Requested",
        "The status of a feature that is asked for again.",
        OURS,
    ),
    row("update.user", "API Client", "A change by a key is reviewed by API Client.", OPENAPI),
    row("update.reviewed", True, "An update appends a review.", OPENAPI),
)

_WORDS = (
    row("given.required", "This field is required.", "The words for a missing field.", OPENAPI),
    row(
        "given.choice",
        '"{value}" is not a valid choice.',
        "The words for what is no choice.",
        OPENAPI,
    ),
    row("given.null", "This field may not be null.", "The words for null.", FRAMEWORK),
    row("given.text", "Not a valid string.", "The words for no text.", FRAMEWORK),
    row(
        "given.longest",
        10_000,
        "A text has at most 10,000 characters: no source names a limit.",
        OURS,
        turned=7,
    ),
    row(
        "given.list",
        'Expected a list of items but got type "{kind}".',
        "The words for no array.",
        FRAMEWORK,
    ),
    row(
        "given.object",
        Reply(400, {"non_field_errors": ["Invalid data. Expected a dictionary, but got {kind}."]}),
        "The words for a body that is no object.",
        FRAMEWORK,
    ),
)

_REVIEWS = (
    row("review.listed", Reply(200), "The reviews of a session are 200, in pages.", OPENAPI),
    row("review.added", Reply(201), "A note that was written is 201.", OPENAPI),
    row(
        "review.keys",
        _REVIEW,
        "A review has user, new_status, comment and created_at.",
        OPENAPI,
        turned=_REVIEW[:3],
    ),
    row("review.user", "Unknown", "A note by a key is by Unknown.", OPENAPI),
    row(
        "review.only_a_note",
        True,
        "A note changes no status, whatever its new_status says.",
        OPENAPI,
    ),
    row(
        "review.most",
        100,
        "Of a session the newest 100 reviews are kept: no source names a limit.",
        OURS,
        turned=1,
    ),
    row("review.oldest_first", True, "The oldest review comes first.", OURS),
    row(
        "review.unknown",
        Reply(404, {"detail": "Session not found."}),
        "Reviews of a session that is not known are 404, after the key was asked.",
        OPENAPI,
    ),
    row(
        "review.own_only",
        True,
        "The session of another organization, and any for a sandbox key, is not known there.",
        OURS,
    ),
)

CLAIMS = table("didit", *_DELETE, *_UPDATE, *_WORDS, *_REVIEWS)
