"""Backend `didit`: Didit's face match, passive liveness, hosted sessions and account.

The parser accepts the responses of all three editions of Didit's documentation (early 2026, July
2026, November 2026), so there is no setting for the edition.

Each module imports only modules listed before it: `words` (constants, readers of JSON values),
`wire` (requests, responses, verdicts, errors), `backend`, `webhooks`, `records` (the list of
sessions and their decisions), `reconcile`, `sessions` (hosted sessions), `account`.
"""

from typing import TYPE_CHECKING

from facematch_core.base.lazy import lazy_names

if TYPE_CHECKING:
    from .account import DiditAccount
    from .backend import DiditBackend, DiditOptions, DiditSessionOptions
    from .records import SessionDecision
    from .webhooks import WebhookEvent, verify_webhook
    from .words import LIVENESS_SCALE, MATCH_SCALE

__all__ = [
    "LIVENESS_SCALE",
    "MATCH_SCALE",
    "DiditAccount",
    "DiditBackend",
    "DiditOptions",
    "DiditSessionOptions",
    "SessionDecision",
    "WebhookEvent",
    "verify_webhook",
]

#: Public names by module. Imported lazily: a comparison needs neither account nor webhooks.
__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "backend": "DiditBackend DiditOptions DiditSessionOptions",
        "words": "LIVENESS_SCALE MATCH_SCALE",
        "records": "SessionDecision",
        "account": "DiditAccount",
        "webhooks": "WebhookEvent verify_webhook",
    },
)
