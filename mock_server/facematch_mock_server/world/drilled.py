"""The facts of a vendor by which an application is judged: statuses and documented limits.

Only what a vendor's own pages say is judged, so a value that they do not state is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

import attrs


@attrs.frozen(kw_only=True)
class DrillFacts:
    """The facts of a vendor by which an application is judged.

    Attributes:
        approved: The statuses of a session that mean yes; none of a vendor without sessions.
        declined: The statuses that mean a final no.
        revised_to: The status of a yes that a person at the vendor takes back; None if the vendor's
            pages do not say that this happens.
        review: The status of a session that a person at the vendor has to decide; None if the
            vendor's pages know none.
        compares_faces: Whether a session compares the face with a document or a reference.
        sends_creation: Whether a webhook tells of a new session.
        max_age_s: The age in seconds from which a receiver must refuse a signed delivery; None if
            the vendor documents none.
        repeats_after_4xx: Whether the vendor repeats a delivery that was answered with a 4xx.
        webhook_variable: The environment variable with the secret of webhooks, as in our backends.
        all_events: Whether a receiver gets every kind of event, and not only the usual ones.
        key_signs_webhooks: Whether the secret of webhooks is that of the API key.
        settings: Makes the settings of our backend from the mock's client id and key, for a
            session with a document; none if the vendor sends no webhooks.
    """

    approved: AbstractSet[str] = frozenset()
    declined: AbstractSet[str] = frozenset()
    revised_to: str | None = None
    review: str | None = None
    compares_faces: bool = True
    sends_creation: bool = False
    max_age_s: int | None = None
    repeats_after_4xx: bool = True
    webhook_variable: str | None = None
    all_events: bool = False
    key_signs_webhooks: bool = False
    settings: Callable[[str | None, str], Mapping[str, Any]] = lambda *_: {}

    @property
    def yes(self) -> str:
        """The one status that means yes."""
        (status,) = self.approved
        return status

    @property
    def no(self) -> str:
        """The one status that means a final no."""
        (status,) = self.declined
        return status
