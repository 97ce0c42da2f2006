"""Who is let in, how often, by which method and path, and in which order that is asked."""

from __future__ import annotations

from facematch_mock_server.claims._claim import row, table
from facematch_mock_server.claims._reply import Reply

from .sources import (
    COMMUNITY_CLIENT,
    DJANGO,
    EARLY_LIMITS,
    FRAMEWORK,
    MATCH_SKILL,
    NOVEMBER,
    OPENAPI,
    OURS,
)

_NOT_FOUND = "<!doctype html>\n<html><body><h1>Not Found</h1></body></html>\n"

_ORDER = (
    row(
        "order.rate",
        10,
        "The rate limit is asked first: without a key it counts by address.",
        OPENAPI,
        turned=35,
    ),
    row(
        "order.access",
        20,
        "The key is asked before method, content type and fields.",
        OURS,
        turned=45,
    ),
    row("order.method", 30, "Method and content type are asked before fields.", OURS, turned=45),
    row(
        "order.fields",
        40,
        "Fields are checked before the sandbox short cut: bad input is refused there as live.",
        OPENAPI,
        turned=55,
    ),
    row(
        "order.sandbox",
        50,
        "A sandbox key is answered before credit is asked: it skips billing.",
        OPENAPI,
        turned=75,
    ),
    row(
        "order.credit",
        60,
        "Credit is asked after the fields.",
        OURS,
        turned=38,
        when=("credits_before_validation", (False,)),
        name="after_fields",
    ),
    row(
        "order.credit",
        38,
        "Credit is asked before the fields (a switch: the order is not documented).",
        OURS,
        turned=60,
        when=("credits_before_validation", (True,)),
        name="before_fields",
    ),
    row(
        "order.picture",
        70,
        "Lack of credit is refused before a picture is decoded.",
        OPENAPI,
        turned=58,
    ),
)

_KEYS = (
    row(
        "auth.words.403",
        "You do not have permission to perform this action.",
        "A key refused with 403 is answered in one sentence, whatever is wrong with it.",
        OPENAPI,
    ),
    row(
        "auth.words.401",
        "Invalid API Key.",
        "The words of a 401: a component of the OpenAPI that nothing uses; a guess.",
        OURS,
        when=("auth_errors", ("401", "scoped")),
    ),
    *(
        row(
            f"auth.{case}", Reply(status), statement, origin, when=("auth_errors", (era,)), name=era
        )
        for case, era, status, statement, origin in (
            ("missing", "403", 403, "A missing key is 403.", OPENAPI),
            ("missing", "401", 401, "A missing key is 401, as a bad one is.", OURS),
            ("missing", "scoped", 403, "A missing key is 403; a wrong one is 401.", NOVEMBER),
            ("wrong", "403", 403, "A wrong key is 403.", OPENAPI),
            ("wrong", "401", 401, "A wrong key is 401.", MATCH_SKILL),
            ("wrong", "scoped", 401, "A wrong key is 401.", NOVEMBER),
            ("revoked", "403", 403, "A revoked key is 403.", OPENAPI),
            ("revoked", "401", 401, "A revoked key is a bad key: 401.", MATCH_SKILL),
            ("revoked", "scoped", 401, "A revoked key is 401.", NOVEMBER),
            ("expired", "403", 403, "A key past its last day is as a revoked one: 403.", OURS),
            ("expired", "401", 401, "A key past its last day is as a revoked one: 401.", OURS),
            ("expired", "scoped", 401, "A key is 401 after its last day, UTC.", NOVEMBER),
        )
    ),
    row("auth.not_allowed", Reply(403), "A key without the right is 403.", OPENAPI),
)

_RATES = (
    row(
        "rate.write.limit",
        300,
        "POST, PATCH and DELETE together: 300 in a minute.",
        OPENAPI,
    ),
    row(
        "rate.get.limit",
        600,
        "GET: 600 in a minute.",
        OPENAPI,
        when=("get_limit", (600,)),
        name="600",
    ),
    row(
        "rate.get.limit",
        300,
        "GET: 300 in a minute.",
        EARLY_LIMITS,
        when=("get_limit", (300,)),
        name="300",
    ),
    row("rate.window_s", 60, "A limit is a sliding window of 60 seconds.", OPENAPI),
    row(
        "rate.write.refused",
        Reply(
            429,
            {
                "detail": "Write request rate limit exceeded. "
                "You can make up to {limit} requests per minute."
            },
        ),
        "The words of a refused write.",
        OPENAPI,
    ),
    row(
        "rate.get.refused",
        Reply(
            429,
            {
                "detail": "GET request rate limit exceeded. "
                "You can make up to {limit} requests per minute."
            },
        ),
        "The words of a refused GET.",
        OPENAPI,
    ),
    row(
        "rate.headers",
        ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"),
        "A 429 carries limit, remaining and the second of the reset.",
        OPENAPI,
        turned=(),
    ),
    row(
        "rate.retry_after",
        ("Retry-After",),
        "A 429 says in whole seconds, at least 1, when to come back.",
        OPENAPI,
        turned=(),
    ),
    row(
        "rate.headers_on_success",
        True,
        "Other answers carry the three X-RateLimit headers, too: advice to slow down implies it.",
        OURS,
    ),
    row("rate.by_key", True, "Each key has its own window.", OPENAPI),
    row(
        "rate.by_forwarded",
        True,
        "Without a key the first hop of X-Forwarded-For counts, else the address.",
        OPENAPI,
    ),
    row("rate.refused_count", False, "A refused request does not count against the limit.", OURS),
)

_PATHS = (
    row(
        "method.refused",
        Reply(405, {"detail": 'Method "{method}" not allowed.'}),
        "Another method than the endpoint's own is 405.",
        FRAMEWORK,
    ),
    row(
        "method.allow",
        "{methods}, OPTIONS",
        "A 405 names the methods that are allowed, OPTIONS always among them.",
        FRAMEWORK,
    ),
    row(
        "media.refused",
        Reply(415, {"detail": 'Unsupported media type "{media}" in request.'}),
        "A body that is no form is 415.",
        FRAMEWORK,
    ),
    row(
        "media.urlencoded",
        True,
        "A urlencoded form is read; it has no files.",
        FRAMEWORK,
    ),
    row(
        "media.empty",
        True,
        "Without a body the content type does not matter: the fields are missing.",
        FRAMEWORK,
    ),
    row(
        "path.unknown",
        Reply(404, _NOT_FOUND),
        "A path that the router does not know is 404 with a page of HTML; the page is ours.",
        DJANGO,
    ),
    row(
        "path.not_a_uuid",
        Reply(404, _NOT_FOUND.replace("\n<html>", '\n<html lang="en">')),
        "A session path without a UUID is 404 with a page of HTML; the page is ours.",
        OPENAPI,
    ),
    row(
        "path.not_found",
        Reply(404, {"detail": "Not found."}),
        "What does not exist is 404 in one sentence.",
        OPENAPI,
    ),
    row(
        "path.healthcheck",
        Reply(200, {"status": "ok"}),
        "The health check needs no key; its answer is not documented, but the client reads status.",
        COMMUNITY_CLIENT,
    ),
)

CLAIMS = table("didit", *_ORDER, *_KEYS, *_RATES, *_PATHS)
