"""A server that behaves like the vendors: their answers, thresholds, errors, sandboxes and bills.

from facematch_mock_server import MockServer

with MockServer() as mock:
    mock.url, mock.live_key            # give them to any client, in any language
    mock.control.set_outcome("match", score=12)

with MockServer(vendor=["didit", "deepvue"]) as mock:
    mock.of("deepvue").control.tokens.revoke()
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .claims import Claim, Known, Origin
    from .clock import VirtualClock
    from .control import Control
    from .faults import Fault, Kind, Stage
    from .journal import Entry, SentFile
    from .recognition.cards import Card, read_card
    from .recognition.index import IndexedFace, Listing
    from .recognition.outcomes import UNSET, SetOutcome
    from .recognition.sheet import SheetCard, Verdict, card_sheet, make_card
    from .server import MockServer, Served
    from .services import Charge, Key, KeyKind, Review, Session
    from .vendors.deepvue.tokens import Answers, IssuedToken, SetAnswer, Tokens
    from .vendors.didit.control import Mailbox, Payments, WebhookDelivery, Webhooks
    from .vendors.didit.records import Checkout, CheckoutStatus, Mail, Plan

__all__ = [
    "UNSET",
    "Answers",
    "Card",
    "Charge",
    "Checkout",
    "CheckoutStatus",
    "Claim",
    "Control",
    "Entry",
    "Fault",
    "IndexedFace",
    "IssuedToken",
    "Key",
    "KeyKind",
    "Kind",
    "Known",
    "Listing",
    "Mail",
    "Mailbox",
    "MockServer",
    "Origin",
    "Payments",
    "Plan",
    "Review",
    "SentFile",
    "Served",
    "Session",
    "SetAnswer",
    "SetOutcome",
    "SheetCard",
    "Stage",
    "Tokens",
    "Verdict",
    "VirtualClock",
    "WebhookDelivery",
    "Webhooks",
    "card_sheet",
    "make_card",
    "read_card",
]

#: Where each public name lives. It is imported when it is first used: the pytest plug-in lies in
#: this package, and a test run that does not use it pays for nothing.
_HOMES = {
    "Answers": "vendors.deepvue.tokens",
    "UNSET": "recognition.outcomes",
    "Card": "recognition.cards",
    "Charge": "services",
    "Checkout": "vendors.didit.records",
    "CheckoutStatus": "vendors.didit.records",
    "Claim": "claims",
    "Control": "control",
    "Entry": "journal",
    "Fault": "faults",
    "IndexedFace": "recognition.index",
    "IssuedToken": "vendors.deepvue.tokens",
    "Key": "services",
    "KeyKind": "services",
    "Kind": "faults",
    "Known": "claims",
    "Listing": "recognition.index",
    "Mail": "vendors.didit.records",
    "Mailbox": "vendors.didit.control",
    "MockServer": "server",
    "Origin": "claims",
    "Payments": "vendors.didit.control",
    "Plan": "vendors.didit.records",
    "Review": "services",
    "SentFile": "journal",
    "Served": "server",
    "Session": "services",
    "SetAnswer": "vendors.deepvue.tokens",
    "SetOutcome": "recognition.outcomes",
    "SheetCard": "recognition.sheet",
    "Stage": "faults",
    "Tokens": "vendors.deepvue.tokens",
    "Verdict": "recognition.sheet",
    "VirtualClock": "clock",
    "WebhookDelivery": "vendors.didit.control",
    "Webhooks": "vendors.didit.control",
    "card_sheet": "recognition.sheet",
    "make_card": "recognition.sheet",
    "read_card": "recognition.cards",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
