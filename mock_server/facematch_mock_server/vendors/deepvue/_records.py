"""What Deepvue remembers beyond keys and credit: tokens, and what a test set."""

from __future__ import annotations

from facematch_mock_server.state import Store
from facematch_mock_server.world import World

from ._made_up import MadeUp
from ._tokens import TokenBook


class DeepvueRecords:
    """The further state of one world, in memory only. Safe across threads.

    Args:
        store: Unused: tokens are never written down.
    """

    def __init__(self, store: Store) -> None:
        self.tokens = TokenBook()
        self.made_up = MadeUp()

    def written(self) -> None:
        """Nothing waits for that."""


def records_of(world: World) -> DeepvueRecords:
    """The records of a world that imitates Deepvue."""
    records: DeepvueRecords = world.records
    return records
