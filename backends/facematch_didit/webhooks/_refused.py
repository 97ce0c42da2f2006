"""`WebhookRefused`: a delivery that must not be acted on, and why."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from facematch_core.errors import FaceMatchError


class Refusal(enum.StrEnum):
    """Why a delivery is refused."""

    #: No signature came with it, or none with any text.
    MISSING_SIGNATURE = "missing_signature"
    #: Only X-Signature-Simple came with it, which does not cover the decision.
    SIMPLE_ONLY = "simple_only"
    #: No signature fits any of the secrets.
    WRONG_SIGNATURE = "wrong_signature"
    #: Only the other reading of the V2 signature fits: ``accept_prefixed_v2`` would accept it.
    PREFIXED_V2 = "prefixed_v2"
    #: Sent too long ago, or too far ahead of the clock.
    STALE = "stale"
    #: X-Timestamp says another second than the body.
    WRONG_TIMESTAMP = "wrong_timestamp"
    #: A header or the body is not what any sender of webhooks writes.
    MALFORMED = "malformed"
    #: The body has more bytes than were allowed.
    TOO_LARGE = "too_large"
    #: Signed with the secret, but in a shape that this version does not know: report it to us.
    UNREADABLE = "unreadable"
    #: Genuine, but it came before. No attack: answer 200 and do nothing.
    REPLAYED = "replayed"


#: What to answer. Didit sends again after 5xx and 404 and takes any other 4xx as final
#: (docs.didit.me, /integration/webhooks, November 2026), so nothing refused is sent again for it.
STATUSES: Mapping[Refusal, int] = MappingProxyType(
    {
        Refusal.MISSING_SIGNATURE: 401,
        Refusal.SIMPLE_ONLY: 401,
        Refusal.WRONG_SIGNATURE: 401,
        Refusal.PREFIXED_V2: 401,
        Refusal.STALE: 401,
        Refusal.WRONG_TIMESTAMP: 401,
        Refusal.MALFORMED: 400,
        Refusal.TOO_LARGE: 413,
        Refusal.UNREADABLE: 422,
        Refusal.REPLAYED: 200,
    }
)


class WebhookRefused(FaceMatchError, ValueError):
    """A delivery that must not be acted on. The message holds no secret and nothing of the body.

    Attributes:
        reason: Why; act on this.
        http_status: What to answer: 200 for one that came before, 400-499 for all others.
    """

    carried: ClassVar[tuple[str, ...]] = ("reason",)

    def __init__(self, message: str, *, reason: Refusal) -> None:
        super().__init__(message)
        self.reason = reason

    @property
    def http_status(self) -> int:
        return STATUSES[self.reason]
