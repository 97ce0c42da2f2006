"""A mock server that imitates the vendors: responses, thresholds, errors, sandboxes and billing.

from facematch_mock_server import MockServer

with MockServer() as mock:
    mock.url, mock.live_key            # configure any client, in any language, with these
    mock.control.set_outcome("match", score=12)

with MockServer(vendor=["didit", "deepvue"]) as mock:
    mock.of("deepvue").control.tokens.revoke()
"""

from typing import TYPE_CHECKING

from facematch_core.base.lazy import lazy_names

if TYPE_CHECKING:
    from .base.state import UNSET
    from .claims import Claim, Known, Origin
    from .control import Control, NewAccount
    from .recognition.cards import Card
    from .recognition.outcomes import SetOutcome
    from .recognition.reading import read_card
    from .recognition.ready import ReadyCard, card_sheet
    from .recognition.sheet import make_card
    from .server import MockAccount, MockServer, Served
    from .vendors.didit.records import Workflow
    from .vendors.tokens import IssuedToken, Tokens
    from .world.clock import VirtualClock
    from .world.faults import Fault, Kind, Stage
    from .world.journal import Entry, SentFile
    from .world.keys import Key, KeyKind
    from .world.money import Charge
    from .world.sessions import Hosted, Review, Session
    from .world.set_values import SetValue
    from .world.webhook_control import Webhooks
    from .world.webhooks import WebhookDelivery, WebhookLetter

__all__ = [
    "UNSET", "Card", "Charge", "Claim", "Control", "Entry", "Fault", "Hosted",
    "IssuedToken", "Key", "KeyKind", "Kind", "Known", "MockAccount", "MockServer",
    "NewAccount", "Origin", "ReadyCard", "Review", "SentFile", "Served", "Session", "SetOutcome",
    "SetValue", "Stage", "Tokens", "VirtualClock", "WebhookDelivery", "WebhookLetter", "Webhooks",
    "Workflow", "card_sheet", "make_card", "read_card",
]  # fmt: skip

#: The module of each public name, imported on first use: the pytest plug-in is in this package, so
#: a test run that does not use the mock must not import the rest.
__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "claims": "Claim Known Origin",
        "world.clock": "VirtualClock",
        "control": "Control NewAccount",
        "world.faults": "Fault Kind Stage",
        "world.journal": "Entry SentFile",
        "recognition.cards": "Card",
        "recognition.reading": "read_card",
        "recognition.ready": "ReadyCard card_sheet",
        "recognition.outcomes": "SetOutcome",
        "recognition.sheet": "make_card",
        "server": "MockAccount MockServer Served",
        "base.state": "UNSET",
        "world.keys": "Key KeyKind",
        "world.money": "Charge",
        "world.sessions": "Hosted Review Session",
        "world.set_values": "SetValue",
        "world.webhooks": "WebhookDelivery WebhookLetter",
        "world.webhook_control": "Webhooks",
        "vendors.didit.records": "Workflow",
        "vendors.tokens": "IssuedToken Tokens",
    },
)
