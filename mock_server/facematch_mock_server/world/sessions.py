"""The records of sessions: saved calls and hosted sessions."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from facematch_mock_server.base.state import Collection

#: The maximum number of stored sessions.
MAX_SESSIONS = 10_000


@attrs.frozen(kw_only=True)
class Review:
    """A manual change of a session's status.

    Attributes:
        user: The author, as the vendor stores it.
        new_status: The vendor's name for the status.
        comment: The comment, or None.
        created_at: The time of the change, UTC.
    """

    user: str
    new_status: str
    comment: str | None
    created_at: dt.datetime


@attrs.frozen(kw_only=True)
class Hosted:
    """The attributes that only a hosted session has.

    Attributes:
        token: The secret in the URL of the session's page. Not in `repr`.
        kind: ``kyc`` (the face is compared with a document that the person shows) or ``biometric``
            (with an earlier reference).
        workflow, version: The session's workflow and its version, or None.
        callback: The URL to which the person is redirected, or None. Not in `repr`.
        language: The language of the page; None for the browser's.
        expires_at: The time of expiry, UTC.
        is_live: Whether the session was started with a live key.
        attempts: The number of attempts so far.
        scenario: The outcome requested in the sandbox; None to judge the pictures.
        reference: The SHA-256 of the picture to compare with, or None.
        details: What was sent at the start and answers show as it was sent, by its names. Not in
            `repr`.
        requested_name: The person's name in the request, as `hosted.read_name` returns it. Not in
            `repr`.
        document_fields: The values that a test has set for the person's document, by the mock's
            names; None for those of the card. Not in `repr`.
        card_fields: The values of the last card that the person showed as the document. Not in
            `repr`.
    """

    token: str = attrs.field(repr=False, metadata={"secret": True})
    kind: str = "biometric"
    workflow: str | None = None
    version: int | None = None
    callback: str | None = attrs.field(default=None, repr=False)
    language: str | None = None
    expires_at: dt.datetime
    is_live: bool = True
    attempts: int = 0
    scenario: str | None = None
    reference: str | None = None
    details: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    requested_name: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    document_fields: Mapping[str, str] | None = attrs.field(default=None, repr=False)
    card_fields: Mapping[str, str] = attrs.field(factory=dict, repr=False)


@attrs.frozen(kw_only=True)
class Session:
    """A saved call, or a hosted session.

    Attributes:
        id: The request id in the response.
        number: The session's number in the world, counted from 1.
        internal_id: A second id, shown in lists.
        service: The vendor's name for the service; None for a hosted session.
        status: The vendor's name for the status; updates change it.
        created_at: The time of the start, UTC.
        status_at: The time of the last change of the status, UTC; None before one.
        vendor_data, metadata: The values as sent; None if not sent.
        pictures: The SHA-256 of the pictures, by the vendor's names.
        result: The part of the response that the service returned; for a hosted session, one part
            for each feature that ran, by feature.
        reviews: The manual changes of the status, oldest first.
        hosted: The attributes of a hosted session; None for a saved call.
    """

    id: str
    number: int = 0
    internal_id: str = ""
    service: str | None = None
    status: str
    created_at: dt.datetime
    status_at: dt.datetime | None = None
    vendor_data: str | None = None
    metadata: Mapping[str, Any] | None = attrs.field(default=None, repr=False)
    pictures: Mapping[str, str | None] = attrs.field(factory=dict)
    result: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    reviews: tuple[Review, ...] = ()
    hosted: Hosted | None = None

    @property
    def metadata_or_empty(self) -> Mapping[str, Any]:
        """The metadata; empty if none was sent."""
        return {} if self.metadata is None else self.metadata


@attrs.frozen(kw_only=True)
class ActsOnOpen:
    """What the person does whenever the page of a session opens.

    Attributes:
        outcomes: What is done at the first attempt, at the second, and so on: the name of a card,
            or an action. The last one is repeated.
        document: The name of the document's card; None for the card of the face.
    """

    outcomes: tuple[str, ...]
    document: str | None = None

    def at_attempt(self, attempts: int) -> str:
        """Return the outcome after so many attempts."""
        return self.outcomes[min(attempts, len(self.outcomes) - 1)]


class SessionCollection(Collection[Session]):
    """The newest 10,000 sessions of one world, by id. Thread-safe."""

    def __init__(self) -> None:
        super().__init__(limit=MAX_SESSIONS)

    def find(self, key: str | uuid.UUID) -> Session | None:
        """Return the session with this id, which some vendors' clients return as a UUID."""
        return super().find(str(key))

    def change(self, key: str | uuid.UUID, change: Callable[[Session], Session]) -> Session | None:
        return super().change(str(key), change)

    def add(self, session_id: str, **fields: Any) -> Session:
        """Store a session with the next number; `fields` are fields of `Session`."""
        return self.append(Session, session_id, id=session_id, **fields)

    def replace(self, session: Session, changed: Session) -> Session | None:
        """Store `changed` if the stored session is still `session`; return the stored one.

        None if it was deleted.
        """
        return self.change(session.id, lambda stored: changed if stored is session else stored)
