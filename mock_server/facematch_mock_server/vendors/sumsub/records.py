"""The levels of an account: which steps an applicant takes."""

from __future__ import annotations

import attrs

from facematch_mock_server.base.state import Collection
from facematch_mock_server.world.accounts import World
from facematch_mock_server.world.hosted import hosted_of
from facematch_mock_server.world.sessions import Session

from .claims import LIVENESS_METHODS, OTHER_METHODS


@attrs.frozen(kw_only=True)
class Level:
    """A level: the steps IDENTITY and SELFIE.

    Attributes:
        name: The name, whose case matters.
        video_required: The method of the selfie: ``passiveLiveness``, ``staticLiveness``,
            ``liveness``, ``enabled``, ``photoRequired`` or ``disabled``.
    """

    name: str
    video_required: str = attrs.field(
        default=LIVENESS_METHODS[0],
        validator=attrs.validators.in_((*LIVENESS_METHODS, *OTHER_METHODS)),
    )


class SumsubRecords:
    """The levels of one world. Thread-safe."""

    def __init__(self) -> None:
        self.levels: Collection[Level] = Collection(limit=10_000)


def level_of(world: World, session: Session) -> Level:
    """Return the level of an applicant, which may be one that was never published."""
    name = hosted_of(session).workflow or ""
    level: Level | None = world.records.levels.find(name)
    return level or Level(name=name)
