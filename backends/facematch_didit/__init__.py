"""The backend `didit`: face match, passive liveness and sessions of Didit, and its account.

Its answers mean what Didit's documents of three editions say (early 2026, July 2026, November
2026); which one the vendor speaks is not asked and need not be known.

The modules, each of which imports those before it: `words` (vocabulary, readers of JSON), `wire`
(calls about faces), `backend`, `records` (what Didit keeps), `arguments`, `client` (reads what is
kept), `reconcile`, `account`. `webhooks` and `sessions` are beside them.
"""

from typing import TYPE_CHECKING

from facematch_core.base.lazy import lazy_names

if TYPE_CHECKING:
    from .account import DiditAccount, SessionDecision, SessionNotFound, SessionStatus
    from .backend import DiditBackend, DiditSessionOptions
    from .webhooks import Refusal, WebhookEvent, WebhookRefused, verify_webhook
    from .words import LIVENESS_SCALE, MATCH_SCALE

__all__ = [
    "LIVENESS_SCALE",
    "MATCH_SCALE",
    "DiditAccount",
    "DiditBackend",
    "DiditSessionOptions",
    "Refusal",
    "SessionDecision",
    "SessionNotFound",
    "SessionStatus",
    "WebhookEvent",
    "WebhookRefused",
    "verify_webhook",
]

#: Where each public name lives. A name is imported when it is first used: a comparison needs no
#: account, and a webhook neither.
__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "backend": "DiditBackend DiditSessionOptions",
        "words": "LIVENESS_SCALE MATCH_SCALE",
        "account": "DiditAccount SessionDecision SessionNotFound SessionStatus",
        "webhooks": "Refusal WebhookEvent WebhookRefused verify_webhook",
    },
)
