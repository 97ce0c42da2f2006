"""What Didit remembers beyond keys, credit and sessions."""

from __future__ import annotations

import uuid

from facematch_mock_server.index import FaceIndex, Listing
from facematch_mock_server.state import Store
from facematch_mock_server.webhooks._outbox import Outbox
from facematch_mock_server.world import World

from ._checkouts import Checkouts
from ._pictures import Pictures
from .accounts._book import Accounts
from .accounts._mails import Mails

#: What the ids of lists are derived from, so that they need not be kept.
_LISTS = uuid.UUID("6f7f2c4e-3b1a-4c5d-9e8f-0a1b2c3d4e5f")


class DiditRecords:
    """The further state of one world. Safe across threads.

    Args:
        store: Where changes are written down.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.outbox = Outbox(store)
        self.pictures = Pictures()
        self.faces = FaceIndex(store)
        self.checkouts = Checkouts(store)
        self.accounts = Accounts(store)
        self.mails = Mails()

    def list_id(self, owner: str, listing: Listing) -> str:
        """The id of one of the two lists of faces of an owner."""
        return str(uuid.uuid5(_LISTS, f"{owner}/{listing}"))

    def written(self) -> None:
        """What this thread changed is written down now."""
        self.outbox.release()

    def dropped(self) -> None:
        """What this thread changed is not written down, and is not announced to anybody."""
        self.outbox.drop()


def records_of(world: World) -> DiditRecords:
    """The records of a world that imitates Didit."""
    records: DiditRecords = world.records
    return records
