"""POST /v1/authorize: how a token is asked for, and what it is."""

from __future__ import annotations

from facematch_mock_server.claims._claim import row, table
from facematch_mock_server.claims._reply import Reply

from .sources import AUTHORIZATION, AUTHORIZE_FORM, CLIENTS, OURS

_EXPIRY = "expiry"

CLAIMS = table(
    "deepvue",
    row("token.answer", Reply(200), "A known pair is given a token.", AUTHORIZATION),
    row(
        "token.multipart",
        True,
        "The pair is taken as multipart/form-data.",
        AUTHORIZATION,
    ),
    row(
        "token.urlencoded",
        True,
        "The pair is taken as application/x-www-form-urlencoded.",
        AUTHORIZE_FORM,
    ),
    row(
        "token.keys",
        ("access_token", "token_type", "expiry"),
        "The answer has access_token, token_type and expiry; there is no refresh token.",
        AUTHORIZATION,
        turned=("access_token",),
    ),
    row(
        "token.type",
        "bearer",
        "token_type is bearer.",
        AUTHORIZATION,
        when=("token_type", ("bearer",)),
        name="lower",
    ),
    row(
        "token.type",
        "Bearer",
        "token_type is Bearer.",
        CLIENTS,
        when=("token_type", ("Bearer",)),
        name="capital",
    ),
    row("token.life_s", 86_400, "A token is good for 24 hours.", AUTHORIZATION),
    row(
        "token.expiry",
        "iso",
        "expiry is a time in ISO 8601, UTC, in whole seconds with Z.",
        AUTHORIZATION,
        turned="24hrs",
        when=(_EXPIRY, ("iso",)),
        name="iso",
    ),
    row(
        "token.expiry",
        "24hrs",
        "expiry is the text 24hrs, however long the token is good.",
        CLIENTS,
        turned="iso",
        when=(_EXPIRY, ("24hrs",)),
        name="24hrs",
    ),
    row(
        "token.expiry",
        "digits",
        "expiry is a text of digits: seconds from now.",
        CLIENTS,
        turned="iso",
        when=(_EXPIRY, ("digits",)),
        name="digits",
    ),
    row(
        "token.expiry",
        "expires_in",
        "In place of expiry there is expires_in, a number of seconds.",
        CLIENTS,
        turned="iso",
        when=(_EXPIRY, ("expires_in",)),
        name="expires_in",
    ),
    row(
        "token.expiry",
        "missing",
        "There is no expiry; the token alone tells its end.",
        OURS,
        turned="iso",
        when=(_EXPIRY, ("missing",)),
        name="missing",
    ),
    row(
        "token.claims",
        ("sub", "exp"),
        "A token is a JWT (HS256) with the client id as sub and its end as exp, in seconds.",
        CLIENTS,
        turned=("exp",),
    ),
    row(
        "token.jti",
        True,
        "A token has a number as jti too, so that no two are the same.",
        OURS,
    ),
    row("token.many", True, "A new token leaves the ones before it good.", OURS),
)
