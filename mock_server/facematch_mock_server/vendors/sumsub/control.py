"""Control of Sumsub's sessions."""

from __future__ import annotations

from facematch_mock_server.world.hosted import DocumentSessions
from facematch_mock_server.world.vendor import endpoint

from .records import Level, SumsubRecords


class SumsubSessionControl(DocumentSessions[SumsubRecords]):
    """Control of one world's applicants: levels, decisions, and acting as the person."""

    @endpoint("POST", "sessions/levels")
    def level(self, name: str, *, video_required: str = "passiveLiveness") -> Level:
        """Publish a level with the attributes of `Level`.

        Once a level is published, applicants at unpublished ones are refused. Raises ValueError for
        an unknown method.
        """
        level = Level(name=name, video_required=video_required)
        return self._records.levels.put(level.name, level)

    @endpoint("GET", "sessions/levels", result_key="levels")
    def levels(self) -> tuple[Level, ...]:
        """The published levels, in order."""
        return self._records.levels.all()
