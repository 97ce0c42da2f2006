"""Didit's workflows, blocked users and session statuses."""

from __future__ import annotations

import uuid
from typing import Any

import attrs

from facematch_mock_server.base.state import Collection

APPROVED, DECLINED, IN_REVIEW = "Approved", "Declined", "In Review"
#: The statuses of a session (Didit OpenAPI, 2026-07-18).
STATUSES = (
    *("Not Started", "In Progress", "Awaiting User", IN_REVIEW, APPROVED, DECLINED),
    *("Resubmitted", "Expired", "Kyc Expired", "Abandoned"),
)
#: The maximum number of reviews stored per session; our choice.
KEPT_REVIEWS = 100

#: The maximum number of stored workflows, and of blocked users.
MOST_RECORDS = 10_000


class DiditRecords:
    """The workflows and blocked users of one world. Thread-safe."""

    def __init__(self) -> None:
        self.workflows: Collection[Workflow] = Collection(limit=MOST_RECORDS)
        #: The `vendor_data` of blocked users, who cannot start sessions.
        self.blocked: Collection[str] = Collection(limit=MOST_RECORDS)


def read_uuid(text: Any) -> str:
    """Return a UUID in canonical form. Raises ValueError for any other text."""
    try:
        return str(uuid.UUID(text))
    except (ValueError, AttributeError, TypeError):
        raise ValueError(f"an id must be a UUID, not {text!r:.40}") from None


def _choice(*words: str, **others: str) -> Any:
    return attrs.field(
        default=words[0],
        converter=lambda word: others.get(word, word),
        validator=attrs.validators.in_(words),
    )


@attrs.frozen(kw_only=True)
class Workflow:
    """A published workflow, which determines the steps of its sessions.

    Attributes:
        id: The workflow's UUID.
        kind: ``biometric`` (a face, compared with an earlier face), which is Didit's
            ``biometric_authentication``, or ``kyc`` (with a document).
        version: The version, counted from 1; each publication increments it.
        method: The liveness method: ``PASSIVE``, ``FLASHING`` or ``ACTIVE_3D``.
        callback: Redirect URL for sessions without their own, or None.
    """

    id: str = attrs.field(converter=read_uuid)
    kind: str = _choice("biometric", "kyc", biometric_authentication="biometric")
    version: int = attrs.field(default=1, validator=attrs.validators.ge(1))
    method: str = _choice("PASSIVE", "FLASHING", "ACTIVE_3D")
    callback: str | None = attrs.field(default=None, repr=False)
