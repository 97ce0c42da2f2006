"""The table of claims about Deepvue, their sources, and the settings that change them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from facematch_mock_server.claims import (
    OURS,
    START_CREDIT,
    Origin,
    Reply,
    documented,
    inferred,
    row,
    table,
)

# The documents


def _page(name: str, path: str) -> Origin:
    return documented(f"Deepvue docs, {name}, {path}")


AUTHORIZATION = _page("Authorization", "/reference/auth/authorization")
MATCH_V1 = _page("Face Match v1", "/reference/forensics/face/face-match")
LIVENESS_PAGE = _page("Face Liveness Check", "/reference/forensics/face/face-liveness-check")
WALLET_PAGE = _page("Wallet balance", "/reference/utilities/wallet-balance")
ERRORS = _page("Errors", "/errors")
RATE_LIMITS = _page("Rate limits", "/rate-limits")
STATUS_ORDER = inferred(
    "Deepvue docs, Errors, /errors: its sample texts, assigned to its statuses in order",
)
FRAMEWORK = inferred("FastAPI; Deepvue's error bodies are its stock texts")

# Settings

#: Numeric settings by name: the key of the claim that the setting changes, and its number type.
SETTINGS: Mapping[str, tuple[str, str]] = {
    "token_life_s": ("token.life_s", "seconds"),
    "price_match": ("credit.price.match", "amount"),
    "price_liveness": ("credit.price.liveness", "amount"),
}

#: Rate limit windows in seconds. Each has its own count and can refuse a call (Rate limits).
WINDOWS: Mapping[str, int] = {"second": 1, "minute": 60, "day": 86_400}

# One claim per line: key, value or response, source, and statement. Facts that no setting changes
# are in the code, with their source.
# fmt: off
CLAIMS = table(
    "deepvue",
    row("auth.missing", Reply(401, {"detail": "Not authenticated"}), STATUS_ORDER, "A call without a token is refused with 401. The order of the checks (missing token, token, key, rate limit, body, wallet) is our choice."),
    row("auth.token", Reply(403, {"detail": "Not a valid token"}), STATUS_ORDER, "A wrong, expired or revoked token is refused with 403."),
    row("auth.key", Reply(401, {"detail": "Could not validate credentials"}), OURS, "A call without the client secret in x-api-key, or with the secret of a client other than the token's, is refused with 401; the message is documented."),
    row("auth.inactive", Reply(400, {"detail": "Inactive client_id"}), ERRORS, "A deactivated client is refused with 400, and so is a client past its last day."),
    row("auth.not_allowed", Reply(403, {"detail": "Forbidden"}), ERRORS, "A known client without permission for the call is refused with 403; the message is ours."),
    row("auth.wallet", Reply(401, {"detail": "Incorrect client_id or client_secret"}), WALLET_PAGE, "The wallet requires x-api-key and client-id but no token; a wrong pair is refused with 401, with a message of ours."),
    row("auth.pair", Reply(401, {"detail": "Invalid client_id or client_secret, access Denied"}), STATUS_ORDER, "authorize refuses an unknown pair with 401."),

    row("path.unknown", Reply(404, {"detail": "Not Found"}), FRAMEWORK, "An unknown path returns 404."),
    row("path.method", Reply(405, {"detail": "Method Not Allowed"}), FRAMEWORK, "An unsupported method returns 405, before any check of the caller."),

    row("token.answer", Reply(200), AUTHORIZATION, "A known pair, in either form encoding, gets a token; there is no refresh token."),
    row("token.life_s", 86400, AUTHORIZATION, "A token is valid for 24 hours."),

    *(
        row(f"rate.{window}.limit", None, OURS, f"There is no limit per {window} until a test sets one, because a test's clock is stopped. Deepvue's plans allow {least} to {most} (Rate limits).")
        for window, least, most in (("second", "1", "17"), ("minute", "30", "1,000"), ("day", "1,000", "50,000"))
    ),
    row("rate.refused", Reply(429, {"detail": "Rate limit exceeded. Please retry after some time."}), RATE_LIMITS, "A request above a limit of its key is refused with 429. That windows slide, that refused requests do not count, and that balance requests count, is our choice."),

    row("body.refused", Reply(422), FRAMEWORK, "All invalid parameters are reported together, with 422."),
    row("body.format", "File type is not supported", OURS, "A file of an unsupported type, judged by its extension (case-insensitive) or by its first bytes, is refused with 422; the message is not documented."),
    row("body.no_base64", "Invalid image", OURS, "image is base64, bare or as a data URI; any other text is refused with 422. Neither the format nor the message is documented."),


    row("match.answer", Reply(200), MATCH_V1, "A completed comparison returns 200."),
    row("match.from", 60.0, OURS, "match is true from a score of 60, compared before rounding."),
    row("face.missing", Reply(422), OURS, "A picture without a face returns 422 in an envelope; Deepvue's response is not documented."),
    row("liveness.answer", Reply(200), LIVENESS_PAGE, "A completed liveness check returns 200."),
    row("liveness.from", 50.0, OURS, "is_live is true from a score of 50, but never for a recognised attack or a face without a score."),

    row("wallet.answer", Reply(200), WALLET_PAGE, "The balance returns 200 without an envelope."),
    START_CREDIT,
    row("credit.price.match", Decimal("0.03"), OURS, "A comparison that returns 200 costs USD 0.03, for any verdict; no price is documented."),
    row("credit.price.liveness", Decimal("0.03"), OURS, "A liveness check that returns 200 costs USD 0.03, for any verdict; no price is documented."),
    row("credit.refused", Reply(402, {"detail": "Payment Required"}), OURS, "A call that costs more than the balance is refused with 402."),

    row("error.400", Reply(400, {"detail": "Bad Request"}), ERRORS, "A malformed call returns 400."),
    row("error.500", Reply(500, {"detail": "Internal Server Error"}), WALLET_PAGE, "An error on the vendor's side returns 500."),
    row("error.503", Reply(503, {"detail": "Source Unavailable"}), STATUS_ORDER, "An unavailable source returns 503."),
)
# fmt: on
