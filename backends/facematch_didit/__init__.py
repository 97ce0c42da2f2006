"""The backend `didit`: face match, passive liveness, face search and estimation of age of Didit.

Its answers mean what Didit's documents of three editions say (early 2026, July 2026, November
2026); which one the vendor speaks is not asked and need not be known.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._backend import DiditBackend
    from ._words import LIVENESS_SCALE, MATCH_SCALE, SEARCH_SCALE
    from .account import (
        ApiService,
        DestinationNotFound,
        DiditAccount,
        Node,
        SessionDecision,
        SessionKind,
        SessionNotFound,
        SessionStatus,
        SessionType,
    )
    from .webhooks import (
        MemoryReplayStore,
        Refusal,
        ReplayStore,
        SignatureVariant,
        SqlReplayStore,
        WebhookEvent,
        WebhookRefused,
        verify_webhook,
    )

__all__ = [
    "LIVENESS_SCALE",
    "MATCH_SCALE",
    "SEARCH_SCALE",
    "ApiService",
    "DestinationNotFound",
    "DiditAccount",
    "DiditBackend",
    "MemoryReplayStore",
    "Node",
    "Refusal",
    "ReplayStore",
    "SessionDecision",
    "SessionKind",
    "SessionNotFound",
    "SessionStatus",
    "SessionType",
    "SignatureVariant",
    "SqlReplayStore",
    "WebhookEvent",
    "WebhookRefused",
    "verify_webhook",
]

#: Where each public name lives. A name is imported when it is first used: a comparison needs no
#: account, and a webhook neither.
_HOMES = {
    name: module
    for module, names in {
        "_backend": "DiditBackend",
        "_words": "LIVENESS_SCALE MATCH_SCALE SEARCH_SCALE",
        "account": (
            "ApiService DestinationNotFound DiditAccount Node SessionDecision SessionKind "
            "SessionNotFound SessionStatus SessionType"
        ),
        "webhooks": (
            "MemoryReplayStore Refusal ReplayStore SignatureVariant SqlReplayStore WebhookEvent "
            "WebhookRefused verify_webhook"
        ),
    }.items()
    for name in names.split()
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
