"""The backend `didit`: face match, passive liveness and sessions of Didit, and its account.

Answers are read as Didit's documents of three editions describe them (early 2026, July 2026,
November 2026), so no setting names the edition.

The modules, each importing from those before it: `words` (vocabulary, readers of JSON), `wire`
(forms, answers, verdicts, errors), `backend`, `webhooks`, `records` (the list of sessions and their
decisions), `reconcile`, `sessions` (hosted sessions), `account`.
"""

from typing import TYPE_CHECKING

from facematch_core.base.lazy import lazy_names

if TYPE_CHECKING:
    from .account import DiditAccount
    from .backend import DiditBackend, DiditSessionOptions
    from .records import SessionDecision
    from .webhooks import WebhookEvent, verify_webhook
    from .words import LIVENESS_SCALE, MATCH_SCALE

__all__ = [
    "LIVENESS_SCALE",
    "MATCH_SCALE",
    "DiditAccount",
    "DiditBackend",
    "DiditSessionOptions",
    "SessionDecision",
    "WebhookEvent",
    "verify_webhook",
]

#: Module of each public name, imported on first use: a comparison needs no account or webhook.
__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "backend": "DiditBackend DiditSessionOptions",
        "words": "LIVENESS_SCALE MATCH_SCALE",
        "records": "SessionDecision",
        "account": "DiditAccount",
        "webhooks": "WebhookEvent verify_webhook",
    },
)
