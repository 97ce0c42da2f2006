"""Worlds of the model: made quickly, in which some claims are false, and which know what they use.

A model is asked the same some thousand times over, so the table of behaviours is made once for
all worlds with the same false claims.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from facematch_mock_server._ground import Ground
from facematch_mock_server.claims import Behaviours, Told
from facematch_mock_server.clock import VirtualClock
from facematch_mock_server.outcomes import LivenessOutcome, MatchOutcome
from facematch_mock_server.protocols import Decider
from facematch_mock_server.vendors import Vendor
from facematch_mock_server.world import World, _Chosen

_START = dt.datetime(2026, 7, 2, 9, 15, 27, 104233, tzinfo=dt.UTC)


class _Watched(Told):
    """A record that also knows what was looked at and did not matter."""

    __slots__ = ("_looked",)

    def __init__(self, table: dict[str, tuple[Any, str]], looked: set[str]) -> None:
        super().__init__(table)
        self._looked = looked

    def peek(self, key: str) -> Any:
        """As a `Told`; the look is noted."""
        self._looked.add(key)
        return super().peek(key)


class Watching(Behaviours):
    """Behaviours that know which of them were looked at, also where they did not matter.

    Attributes:
        looked: Their keys, until somebody empties it.
    """

    looked: set[str]

    def __init__(self, *arguments: Any, **more: Any) -> None:
        self.looked = set()
        super().__init__(*arguments, **more)

    def told(self) -> Told:
        """A record that writes into `looked`, too."""
        return _Watched(self._table, self.looked)

    def __getitem__(self, key: str) -> Any:
        self.looked.add(key)
        return super().__getitem__(key)


class ModelWorld(World):
    """A world that always does the same, and writes nothing down.

    Args:
        kind: The vendor.
        edition: Whose behaviours these are.
        behaviours: They may be shared between worlds.
        decider: Decides what is seen in pictures.
    """

    def __init__(
        self, kind: Vendor, edition: str, behaviours: Behaviours, decider: Decider
    ) -> None:
        ground = Ground(
            decider,
            clock=VirtualClock(_START),
            seed=7,
            control=False,
            control_token=None,
            journal_size=1,
            digests=True,
            store=None,
            deliver_to=(),
        )
        chosen = _Chosen(edition=edition, switches={}, turned=frozenset(), behaviours=behaviours)
        self._stand_on(ground, kind, chosen, decider)

    def log(self, **fields: Any) -> None:
        """Nobody reads the journal of a model."""


class Scripted:
    """Decides what it is told to.

    Attributes:
        outcome: What the next call finds.
    """

    def __init__(self) -> None:
        self.outcome: Any = None

    def match(self, probe: bytes, reference: bytes, **_: Any) -> MatchOutcome:
        """What was told."""
        outcome: MatchOutcome = self.outcome
        return outcome

    def liveness(self, probe: bytes, **_: Any) -> LivenessOutcome:
        """What was told."""
        outcome: LivenessOutcome = self.outcome
        return outcome
