"""Credit and webhook destinations, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ._printing import NOTHING, iso, table

if TYPE_CHECKING:
    from facematch_didit.account import Balance, WebhookDestination


def balance_lines(balance: Balance) -> Iterator[str]:
    """The credit, and whether it fills itself."""
    yield f"{balance.amount:f} USD"
    if balance.auto_refill:
        amounts = (balance.auto_refill_amount, balance.auto_refill_threshold)
        by, below = (NOTHING if amount is None else f"{amount:f} USD" for amount in amounts)
        yield f"  refilled by {by} below {below}"
    elif balance.auto_refill is not None:
        yield "  not refilled by itself: `facematch didit top-up` makes a payment page"


def balance_document(balance: Balance) -> dict[str, Any]:
    """Amounts as texts, as exact as they were told."""
    return {
        "amount": _exact(balance.amount),
        "currency": "USD",
        "auto_refill": balance.auto_refill,
        "auto_refill_amount": _exact(balance.auto_refill_amount),
        "auto_refill_threshold": _exact(balance.auto_refill_threshold),
    }


def _exact(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount:f}"


def shown_address(url: str) -> str:
    """An address of a destination without what may be a token: name, password, query, fragment."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", "" if parts.port is None else f":{parts.port}"
    except ValueError:
        return "(an address that cannot be read)"
    host = f"[{host}]" if ":" in host else host
    more = "?..." if parts.query or parts.fragment else ""
    return f"{parts.scheme}://{host}{port}{parts.path}{more}"


def show_destinations(found: list[WebhookDestination]) -> None:
    """A table."""
    rows = [
        (
            item.destination_id,
            _enabled(item.enabled),
            item.label,
            shown_address(item.url),
            *_what(item),
        )
        for item in found
    ]
    table(("id", "on", "label", "address", "events", "form"), rows, whole="id")


def _what(item: WebhookDestination) -> tuple[str, str | None]:
    return ", ".join(item.events), item.version


def _enabled(enabled: bool | None) -> str | None:
    return {True: "yes", False: "no"}.get(enabled) if enabled is not None else None


def destination_document(item: WebhookDestination) -> dict[str, Any]:
    """Without its secret."""
    return {
        "destination_id": item.destination_id,
        "label": item.label,
        "url": shown_address(item.url),
        "enabled": item.enabled,
        "version": item.version,
        "events": [*item.events],
        "created_at": iso(item.created_at),
        "updated_at": iso(item.updated_at),
    }
