"""Who is let in, in which order that is asked, and by which path and method."""

from __future__ import annotations

from facematch_mock_server.claims._claim import row, table
from facematch_mock_server.claims._reply import Reply

from .errors import error
from .sources import AUTHORIZATION, ERRORS, FRAMEWORK, MATCH_V1, OURS, STATUS_ORDER, WALLET_PAGE

_ORDER = (
    row("order.bearer", 10, "A missing token is told first.", OURS, turned=35),
    row("order.token", 20, "The token is asked before the key.", OURS, turned=35),
    row("order.key", 30, "The key is asked before the rate limit.", OURS, turned=45),
    row("order.rate", 40, "The rate limit is asked before the body is read.", OURS, turned=55),
    row("order.body", 50, "The body is read before the wallet is asked.", OURS, turned=65),
    row("order.credit", 60, "The wallet is asked before a picture is decoded.", OURS, turned=75),
    row("order.picture", 70, "Pictures are looked at last.", OURS, turned=58),
)

_TOKEN = (
    row("auth.scheme", "bearer", "A token is sent as Authorization: Bearer.", MATCH_V1),
    *error(
        "auth.missing",
        401,
        "Not authenticated",
        "A call without a token is 401.",
        ERRORS,
        words=STATUS_ORDER,
    ),
    row(
        "auth.token",
        Reply(403),
        "A token that is wrong, over, or taken back is 403.",
        STATUS_ORDER,
        when=("bad_token", (403,)),
        name="403",
    ),
    row(
        "auth.token",
        Reply(401),
        "A token that is wrong, over, or taken back is 401 (a switch: the pairing is not sure).",
        OURS,
        when=("bad_token", (401,)),
        name="401",
    ),
    row(
        "auth.token.text",
        "Not a valid token",
        'The words of that refusal are "Not a valid token".',
        STATUS_ORDER,
    ),
)

_KEY = (
    *error(
        "auth.key",
        401,
        "Could not validate credentials",
        "A call without the client secret in x-api-key, or with another's, is 401.",
        OURS,
        words=ERRORS,
    ),
    row(
        "auth.own_key",
        True,
        "The client secret must be that of the client whose token it is.",
        OURS,
    ),
    *error(
        "auth.inactive",
        400,
        "Inactive client_id",
        "A client that was switched off is 400; one past its last day as well.",
        ERRORS,
        words=ERRORS,
    ),
    *error(
        "auth.not_allowed",
        403,
        "Forbidden",
        "A client that is known and not entitled to the call is 403.",
        ERRORS,
        words=OURS,
    ),
    *error(
        "auth.wallet",
        401,
        "Incorrect client_id or client_secret",
        "The wallet is shown to x-api-key and client-id, without a token; a wrong pair is 401.",
        WALLET_PAGE,
        words=OURS,
    ),
    *error(
        "auth.pair",
        401,
        "Invalid client_id or client_secret, access Denied",
        "A pair that authorize does not know is 401.",
        AUTHORIZATION,
        words=STATUS_ORDER,
    ),
)

_PATHS = (
    *error(
        "path.unknown",
        404,
        "Not Found",
        "A path that there is not is 404.",
        FRAMEWORK,
        words=FRAMEWORK,
    ),
    *error(
        "path.method",
        405,
        "Method Not Allowed",
        "Another method than the path's own is 405, before anybody asks who calls.",
        FRAMEWORK,
        words=FRAMEWORK,
    ),
    row(
        "path.allow",
        "Allow",
        "A 405 names the method that is allowed.",
        FRAMEWORK,
        turned="X-Allow",
    ),
    row("json.content_type", "application/json", "Answers are JSON and say so.", MATCH_V1),
)

CLAIMS = table("deepvue", *_ORDER, *_TOKEN, *_KEY, *_PATHS)
