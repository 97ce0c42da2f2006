"""Claims about Deepvue: the documents, the settings, and one row for each claim."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from facematch_mock_server.claims import OURS, Known, Origin, Reply, fact, row, table

# The documents


def _page(name: str, path: str) -> Origin:
    return Origin(Known.DOCUMENTED, f"Deepvue docs, {name}, {path}")


AUTHORIZATION = _page("Authorization", "/reference/auth/authorization")
MATCH_V1 = _page("Face Match v1", "/reference/forensics/face/face-match")
LIVENESS_PAGE = _page("Face Liveness Check", "/reference/forensics/face/face-liveness-check")
WALLET_PAGE = _page("Wallet balance", "/reference/utilities/wallet-balance")
RESPONSE_FORMAT = _page("Response format", "/response-format")
ERRORS = _page("Errors", "/errors")
RATE_LIMITS = _page("Rate limits", "/rate-limits")
STATUS_ORDER = Origin(
    Known.FRAMEWORK,
    "Deepvue docs, Errors, /errors: its sample texts, read in the order of its statuses",
)
FRAMEWORK = Origin(Known.FRAMEWORK, "FastAPI, whose stock texts Deepvue's error bodies are")

# Settings

#: Numbers that may be set: the key of the claim that each sets, and the kind of number.
SETTINGS: Mapping[str, tuple[str, str]] = {
    "token_life_s": ("token.life_s", "seconds"),
    "price_match": ("credit.price.match", "amount"),
    "price_liveness": ("credit.price.liveness", "amount"),
}

#: Rate windows in seconds. Each counts separately, and any of them can refuse (Rate limits).
WINDOWS: Mapping[str, int] = {"second": 1, "minute": 60, "day": 86_400}

# One claim per line: key, value or response, source, and statement. Fixed facts are in the code,
# with their source.
# fmt: off
CLAIMS = table(
    "deepvue",
    row("auth.missing", Reply(401, {"detail": "Not authenticated"}), STATUS_ORDER, "A call without a token is 401; that this is asked first, then token, key, limit, body and wallet, is ours."),
    row("auth.token", Reply(403, {"detail": "Not a valid token"}), STATUS_ORDER, "A token that is wrong, over, or taken back is 403."),
    row("auth.key", Reply(401, {"detail": "Could not validate credentials"}), OURS, "A call without the client secret in x-api-key, or with that of another client than the token's, is 401; the words are documented."),
    row("auth.inactive", Reply(400, {"detail": "Inactive client_id"}), ERRORS, "A client that was switched off is 400; one past its last day as well."),
    row("auth.not_allowed", Reply(403, {"detail": "Forbidden"}), ERRORS, "A client that is known and not entitled to the call is 403; the words are ours."),
    row("auth.wallet", Reply(401, {"detail": "Incorrect client_id or client_secret"}), WALLET_PAGE, "The wallet is shown to x-api-key and client-id, without a token; a wrong pair is 401, in words of ours."),
    row("auth.pair", Reply(401, {"detail": "Invalid client_id or client_secret, access Denied"}), STATUS_ORDER, "A pair that authorize does not know is 401."),

    row("path.unknown", Reply(404, {"detail": "Not Found"}), FRAMEWORK, "A path that there is not is 404."),
    row("path.method", Reply(405, {"detail": "Method Not Allowed"}), FRAMEWORK, "Another method than the path's own is 405, before anybody asks who calls."),

    row("token.answer", Reply(200), AUTHORIZATION, "A known pair, in a form of either kind, is given a token; there is no refresh token."),
    fact("token.type", AUTHORIZATION, "token_type is bearer."),
    row("token.life_s", 86400, AUTHORIZATION, "A token is good for 24 hours."),
    fact("token.expiry", AUTHORIZATION, "expiry is a time in ISO 8601, UTC, in whole seconds with Z."),
    fact("token.many", OURS, "A new token leaves the ones before it good; it has an id as jti too, so that no two are the same."),

    *(
        row(f"rate.{window}.limit", None, OURS, f"There is no limit in a {window} until one is set: the clock of a test stands still. A plan of Deepvue's allows {least} to {most} (Rate limits).")
        for window, least, most in (("second", "1", "17"), ("minute", "30", "1,000"), ("day", "1,000", "50,000"))
    ),
    row("rate.refused", Reply(429, {"detail": "Rate limit exceeded. Please retry after some time."}), RATE_LIMITS, "A request over a limit of its key is 429; that windows slide, that a refused request counts in none, and that asking for the balance counts, is ours."),
    fact("rate.retry_after", RATE_LIMITS, "A 429 does not say when to come back: no header is documented."),

    row("body.refused", Reply(422), FRAMEWORK, "All parameters that are wrong are refused at once, with 422."),
    fact("body.validation", OURS, "A list of a 422 is as FastAPI made it with pydantic 1: no page shows one. A malformed form has no fields, so that each is named as missing."),
    row("body.format", "File type is not supported", OURS, "A file of another kind, by its extension in any case or by its first bytes, is 422; the words are not documented."),
    row("body.no_base64", "Invalid image", OURS, "The text of image is base64, bare or as a data URI; another is 422. Neither form nor words are documented."),

    fact("answer.code", RESPONSE_FORMAT, "code is the status of the answer."),
    fact("answer.words", OURS, 'The message of a comparison, and the transaction_id without dashes but in version 2; the pages have "string".'),

    row("match.answer", Reply(200), MATCH_V1, "A comparison that was made is 200."),
    row("match.from", 60.0, OURS, "match is true from a score of 60 up, compared before it is rounded."),
    row("match.equal_bytes", 98.0, OURS, "The same bytes twice match with 98, as in the sample of version 2."),
    fact("match.confidence", OURS, "confidence is the likeness of the faces, a whole number; what it means is not documented, and the sample of version 1 has null."),
    row("face.missing", Reply(422), OURS, "A picture without a face is 422 in an envelope; how Deepvue answers is not documented."),
    row("liveness.answer", Reply(200), LIVENESS_PAGE, "A liveness check that was made is 200."),
    row("liveness.from", 50.0, OURS, "is_live is true from a score of 50 up, never for an attack that is recognised, nor for a face without a score."),
    fact("liveness.score", LIVENESS_PAGE, "score is null, as the sample has it."),

    row("wallet.answer", Reply(200), WALLET_PAGE, "The balance is answered with 200, without an envelope."),
    row("credit.start", Decimal(100), OURS, "A world starts with USD 100."),
    row("credit.price.match", Decimal("0.03"), OURS, "A comparison that is answered 200, whatever it says, costs USD 0.03; no price is documented."),
    row("credit.price.liveness", Decimal("0.03"), OURS, "A liveness check that is answered 200, whatever it says, costs USD 0.03; no price is documented."),
    row("credit.refused", Reply(402, {"detail": "Payment Required"}), OURS, "A call that the balance does not cover is 402."),

    fact("error.shape", RESPONSE_FORMAT, "An error is an object with the one key detail."),
    row("error.400", Reply(400, {"detail": "Bad Request"}), ERRORS, "A malformed call is 400."),
    row("error.500", Reply(500, {"detail": "Internal Server Error"}), WALLET_PAGE, "A fault on the vendor's side is 500."),
    row("error.503", Reply(503, {"detail": "Source Unavailable"}), STATUS_ORDER, "A source that is down is 503."),
)
# fmt: on
