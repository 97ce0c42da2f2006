"""The endpoints that take JSON or nothing, by path."""

from __future__ import annotations

import re

import attrs

from . import (
    _billing,
    _blocklist,
    _decision,
    _deleting,
    _destinations,
    _legacy_webhook,
    _listing,
    _lists,
    _payment_page,
    _reviews,
    _status,
)
from ._visit import Route
from .accounts import _routes as _accounts

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

ROUTES: tuple[Route, ...] = (
    *_blocklist.ROUTES,
    *_lists.ROUTES,
    *_decision.ROUTES,
    *_listing.ROUTES,
    *_deleting.ROUTES,
    *_status.ROUTES,
    *_reviews.ROUTES,
    *_destinations.ROUTES,
    *_legacy_webhook.ROUTES,
    *_billing.ROUTES,
    *_payment_page.ROUTES,
    *_accounts.ROUTES,
)


@attrs.frozen
class Found:
    """The route of a path.

    Attributes:
        route: Whom it is for.
        words: What stands for the placeholders.
        is_uuid: Whether what must be a UUID is one.
    """

    route: Route
    words: tuple[str, ...]
    is_uuid: bool


def find(path: str) -> Found | None:
    """The route of `path`, or None."""
    for route in ROUTES:
        words = route.words(path)
        if words is not None:
            wanted = re.findall(r"\{(\w+)\}", route.pattern)
            pairs = zip(wanted, words, strict=True)
            return Found(route, words, all(_UUID.fullmatch(w) for n, w in pairs if n == "uuid"))
    return None
