"""What surrounds a face match at Didit: registration, credit, sessions, webhook destinations.

::

    with DiditAccount(api_key=key) as account:
        print(account.balance().amount)
        for row in account.sessions(api_service=ApiService.FACE_MATCH):
            print(row.session_id, account.decision(row.session_id).results)
"""

from ._account import DiditAccount
from ._decision import session_decision
from ._destinations import Destinations
from ._errors import DestinationNotFound, SessionNotFound
from ._records import (
    Balance,
    Deleted,
    Registration,
    Review,
    SessionRow,
    Tokens,
    TopUp,
    VerifiedAccount,
    WebhookDestination,
)
from ._requests import Node
from ._session import Media, SessionDecision
from ._words import ApiService, SessionKind, SessionStatus, SessionType

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
