"""What the mock claims about Didit, by area, and the editions that the documents tell apart."""

from __future__ import annotations

from . import (
    access,
    accounts,
    age,
    billing,
    changing,
    credit,
    destinations,
    doors,
    fields,
    index,
    listing,
    lists,
    liveness,
    match,
    media,
    risks,
    search,
    sessions,
    shared,
    webhooks,
)
from .editions import DEFAULT_EDITION, EDITIONS, SETTINGS, SWITCHES

__all__ = ["CLAIMS", "DEFAULT_EDITION", "EDITIONS", "SETTINGS", "SWITCHES"]

CLAIMS = (
    *access.CLAIMS,
    *fields.CLAIMS,
    *shared.CLAIMS,
    *match.CLAIMS,
    *liveness.CLAIMS,
    *risks.CLAIMS,
    *credit.CLAIMS,
    *doors.CLAIMS,
    *sessions.CLAIMS,
    *media.CLAIMS,
    *listing.CLAIMS,
    *changing.CLAIMS,
    *index.CLAIMS,
    *search.CLAIMS,
    *age.CLAIMS,
    *lists.CLAIMS,
    *destinations.CLAIMS,
    *webhooks.CLAIMS,
    *billing.CLAIMS,
    *accounts.CLAIMS,
)
