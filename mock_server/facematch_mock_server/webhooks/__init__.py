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
    Tally,
    Writer,
    is_near,
    is_public,
    is_sent,
    parsed,
)
from .outbox import Outbox, begun_again
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
    "Tally",
    "WebhookWorker",
    "Writer",
    "attempt",
    "begun_again",
    "is_near",
    "is_public",
    "is_sent",
    "parsed",
    "post",
]
