"""What stands before the endpoints that take JSON or nothing."""

from __future__ import annotations

from facematch_mock_server.claims._claim import row, table
from facematch_mock_server.claims._reply import Reply

from .sources import FRAMEWORK, OPENAPI, OURS

CLAIMS = table(
    "didit",
    row(
        "door.limit",
        10,
        "The rate limit is asked first: without a key it counts by address.",
        OPENAPI,
        turned=35,
    ),
    row(
        "door.session",
        20,
        "The session of a path is looked up before the key: unknown is 404 for everybody.",
        OPENAPI,
        turned=35,
    ),
    row("door.key", 30, "The key is asked before method and body.", OURS, turned=55),
    row("door.method", 50, "The method is asked after the key.", OURS, turned=25),
    row("door.body", 60, "The body is read after all that.", OURS, turned=25),
    row(
        "auth.words.session",
        "Authentication credentials were not provided or are invalid.",
        "A key refused with 403 before a decision, a deletion or an update of the status is "
        "answered in a sentence of its own.",
        OPENAPI,
    ),
    row(
        "auth.other_owner",
        Reply(403),
        "A session of another organization is 403.",
        OPENAPI,
    ),
    row(
        "auth.words.other_owner",
        "You do not have permission to perform this action.",
        "The words for a session of another organization.",
        OURS,
    ),
    row(
        "session.unknown",
        Reply(404, {"detail": "Not found."}),
        "A session that is not known is 404.",
        OPENAPI,
    ),
    row(
        "session.out_of_reach",
        Reply(404, {"detail": "Session not found."}),
        "A session that is known and not to be had is 404 in other words; that a sandbox key has "
        "no session of its live neighbour is ours.",
        OPENAPI,
    ),
    row(
        "json.refused",
        Reply(400, {"detail": "JSON parse error - {problem}"}),
        "A body that is no JSON is 400 with the parser's reason.",
        FRAMEWORK,
    ),
    row("json.empty", True, "A body without a byte is an empty object.", FRAMEWORK),
)
