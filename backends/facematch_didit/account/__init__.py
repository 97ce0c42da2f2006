"""What surrounds a face match at Didit: registration, credit, sessions, webhook destinations.

::

    with DiditAccount(api_key=key) as account:
        print(account.balance().amount)
        for row in account.sessions(api_service=ApiService.FACE_MATCH):
            print(row.session_id, account.decision(row.session_id).results)
"""

from .account import DiditAccount
from .destinations import Destinations
from .line import DestinationNotFound, SessionNotFound
from .reading import session_decision
from .records import (
    ApiService,
    Balance,
    Deleted,
    Media,
    Node,
    Registration,
    Review,
    SessionDecision,
    SessionKind,
    SessionRow,
    SessionStatus,
    SessionType,
    Tokens,
    TopUp,
    VerifiedAccount,
    WebhookDestination,
)

__all__ = [
    "ApiService",
    "Balance",
    "Deleted",
    "DestinationNotFound",
    "Destinations",
    "DiditAccount",
    "Media",
    "Node",
    "Registration",
    "Review",
    "SessionDecision",
    "SessionKind",
    "SessionNotFound",
    "SessionRow",
    "SessionStatus",
    "SessionType",
    "Tokens",
    "TopUp",
    "VerifiedAccount",
    "WebhookDestination",
    "session_decision",
]
