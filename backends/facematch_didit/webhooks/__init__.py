"""Webhooks of Didit, received: is this delivery Didit's, and what does it say.

Free of any framework: bytes and headers go in, a `WebhookEvent` comes out, or `WebhookRefused`.

Sources: docs.didit.me, /integration/webhooks, November 2026, with Didit's demonstration program of
January 2026 and a delivery captured in May 2026, where that page is silent; the other reading of
the V2 signature: Didit skills repository, early 2026. All were read on 2026-11-20.
"""

from .delivery import Refusal, SignatureVariant, WebhookRefused
from .event import WebhookEvent
from .verify import verify_webhook

__all__ = ["Refusal", "SignatureVariant", "WebhookEvent", "WebhookRefused", "verify_webhook"]
