"""What a search for a face answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import attrs

from ._enums import SearchDecision, SearchMode
from ._results import Result, aware
from ._scores import Score


@attrs.frozen(kw_only=True)
class FoundFace:
    """One face that the vendor keeps and that is like the probe's.

    What the vendor tells of the person (a name, a document), and the address of the picture, are
    not here: read the session if you may.

    Attributes:
        score: How alike, 0-100, on the scale of this backend's searches; None if not told.
        session_id, session_number: The vendor's record the face belongs to; None if to none.
        source: Where the vendor has it from, in its own word; None if not told.
        caller_ref: The reference that its record was made with; None if none. Not in `repr`.
        at: When it was verified, UTC; None if not told.
        vendor_status: The status of its record, in the vendor's word; None if not told.
        is_blocklisted, is_allowlisted: Whether it is on such a list; None if not told.
    """

    score: Score | None = None
    session_id: str | None = None
    session_number: int | None = None
    source: str | None = None
    caller_ref: str | None = attrs.field(default=None, repr=False)
    at: datetime | None = attrs.field(default=None, validator=aware)
    vendor_status: str | None = None
    is_blocklisted: bool | None = None
    is_allowlisted: bool | None = None


def _found(items: Iterable[FoundFace]) -> tuple[FoundFace, ...]:
    return tuple(items)


@attrs.frozen(kw_only=True)
class SearchResult(Result):
    """One search for a face among those that the vendor keeps.

    `score` is the highest similarity among `matches`. It is on a scale of its own: that somebody
    was found says nothing of what a comparison of the two pictures would say.

    Attributes:
        decision: The verdict; `INCONCLUSIVE` when no face could be looked for.
        mode: Which faces were searched.
        matches: The faces that were found, in the vendor's order. Vendors tell only the first few
            (Didit: 5).
    """

    decision: SearchDecision
    mode: SearchMode = SearchMode.MOST_SIMILAR
    matches: tuple[FoundFace, ...] = attrs.field(default=(), converter=_found)

    @property
    def is_clear(self) -> bool:
        """True only for `SearchDecision.CLEAR`: nobody like it was found."""
        return self.decision is SearchDecision.CLEAR

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> SearchResult:
        """Read what `to_dict` wrote; `InvalidRequest` if it is something else."""
        from ._json import from_dict

        return from_dict(cls, document)
