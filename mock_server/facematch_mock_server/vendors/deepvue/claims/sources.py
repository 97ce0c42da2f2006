"""The documents that the claims about Deepvue cite: pages of docs.deepvue.ai by name and path."""

from __future__ import annotations

from facematch_mock_server.claims._claim import OURS, Known, Origin

__all__ = [
    "AUTHENTICATION",
    "AUTHORIZATION",
    "AUTHORIZE_FORM",
    "CLIENTS",
    "ERRORS",
    "FRAMEWORK",
    "LIVENESS_PAGE",
    "MATCH_V1",
    "MATCH_V2",
    "OURS",
    "RATE_LIMITS",
    "RESPONSE_FORMAT",
    "STATUS_ORDER",
    "WALLET_PAGE",
]


def _page(name: str, path: str) -> Origin:
    return Origin(Known.DOCUMENTED, f"Deepvue docs, {name}, {path}")


AUTHORIZATION = _page("Authorization", "/reference/auth/authorization")
AUTHENTICATION = _page("Authentication", "/authentication")
AUTHORIZE_FORM = _page("API keys, authentication", "/api-reference/api_keys/authentication")
MATCH_V1 = _page("Face Match v1", "/reference/forensics/face/face-match")
MATCH_V2 = _page("Face Match v2", "/reference/forensics/face/face-match-v2")
LIVENESS_PAGE = _page("Face Liveness Check", "/reference/forensics/face/face-liveness-check")
WALLET_PAGE = _page("Wallet balance", "/reference/utilities/wallet-balance")
RESPONSE_FORMAT = _page("Response format", "/response-format")
ERRORS = _page("Errors", "/errors")
RATE_LIMITS = _page("Rate limits", "/rate-limits")
STATUS_ORDER = Origin(
    Known.FRAMEWORK,
    "Deepvue docs, Errors, /errors: its sample texts, read in the order of its statuses",
)
CLIENTS = Origin(Known.OBSERVED, "Public client programs that call Deepvue, 2025 and 2026")
FRAMEWORK = Origin(Known.FRAMEWORK, "FastAPI, whose stock texts Deepvue's error bodies are")
