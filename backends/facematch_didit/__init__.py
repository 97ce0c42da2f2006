"""The backend `didit`: face match and passive liveness of Didit, and its account.

Its answers mean what Didit's documents of three editions say (early 2026, July 2026, November
2026); which one the vendor speaks is not asked and need not be known.

The modules, each of which imports those before it: `words` (vocabulary, readers of JSON), `wire`
(calls about faces), `client` (calls of an account), `records` (what an account answers),
`arguments`, `destinations`, `account`, `reconcile`. `backend` needs `wire` alone, and `webhooks`
are beside them.
"""

from typing import TYPE_CHECKING

from facematch_core.lazy import lazy_names

if TYPE_CHECKING:
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
    from .backend import DiditBackend
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
    from .words import LIVENESS_SCALE, MATCH_SCALE

__all__ = [
    "LIVENESS_SCALE",
    "MATCH_SCALE",
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
__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "backend": "DiditBackend",
        "words": "LIVENESS_SCALE MATCH_SCALE",
        "account": (
            "ApiService DestinationNotFound DiditAccount Node SessionDecision SessionKind "
            "SessionNotFound SessionStatus SessionType"
        ),
        "webhooks": (
            "MemoryReplayStore Refusal ReplayStore SignatureVariant SqlReplayStore WebhookEvent "
            "WebhookRefused verify_webhook"
        ),
    },
)
