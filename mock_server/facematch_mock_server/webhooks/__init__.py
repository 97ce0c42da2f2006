"""Webhooks out: emitted by a request, queued, sent by a worker, recorded with each attempt.

What a delivery says and how it is signed is the vendor's: it hands in a `Writer`. When something is
tried again, and what counts as delivered, is in the vendor's claims (``webhook.*``).
"""

from .model import (
    Attempt,
    Delivery,
    DeliveryFault,
    Destination,
    SignedPayload,
    State,
    Writer,
    is_sent,
    parsed,
)
from .outbox import Outbox
from .sending import Answer, WebhookWorker, attempt, post

__all__ = [
    "Answer",
    "Attempt",
    "Delivery",
    "DeliveryFault",
    "Destination",
    "Outbox",
    "SignedPayload",
    "State",
    "WebhookWorker",
    "Writer",
    "attempt",
    "is_sent",
    "parsed",
    "post",
]
