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
    from ._keys import Key, KeyKind
    from ._ledger import Charge
    from ._mailbox import Mailbox
    from ._payments import Payments
    from ._sessions import Review, Session
    from .cards import Card, SheetCard, Verdict, card_sheet, make_card, read_card
    from .claims import Claim, Known, Origin
    from .clock import VirtualClock
    from .control import Control
    from .deciding import SetOutcome
    from .faults import Fault, Kind, Stage
    from .index import IndexedFace, Listing
    from .journal import Entry, SentFile
    from .outcomes import UNSET
    from .server import MockServer, Served
    from .vendors.deepvue._control import Answers, Tokens
    from .vendors.deepvue._made_up import SetAnswer
    from .vendors.deepvue._tokens import IssuedToken
    from .vendors.didit._checkouts import Checkout, CheckoutStatus, Plan
    from .vendors.didit.accounts._mails import Mail
    from .webhooks.control import WebhookDelivery, Webhooks

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
    "Answers": "vendors.deepvue._control",
    "UNSET": "outcomes",
    "Card": "cards",
    "Charge": "_ledger",
    "Checkout": "vendors.didit._checkouts",
    "CheckoutStatus": "vendors.didit._checkouts",
    "Claim": "claims",
    "Control": "control",
    "Entry": "journal",
    "Fault": "faults",
    "IndexedFace": "index",
    "IssuedToken": "vendors.deepvue._tokens",
    "Key": "_keys",
    "KeyKind": "_keys",
    "Kind": "faults",
    "Known": "claims",
    "Listing": "index",
    "Mail": "vendors.didit.accounts._mails",
    "Mailbox": "_mailbox",
    "MockServer": "server",
    "Origin": "claims",
    "Payments": "_payments",
    "Plan": "vendors.didit._checkouts",
    "Review": "_sessions",
    "SentFile": "journal",
    "Served": "server",
    "Session": "_sessions",
    "SetAnswer": "vendors.deepvue._made_up",
    "SetOutcome": "deciding",
    "SheetCard": "cards",
    "Stage": "faults",
    "Tokens": "vendors.deepvue._control",
    "Verdict": "cards",
    "VirtualClock": "clock",
    "WebhookDelivery": "webhooks.control",
    "Webhooks": "webhooks.control",
    "card_sheet": "cards",
    "make_card": "cards",
    "read_card": "cards",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
