"""What the calls around a match answer, but for the decision of a session."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import attrs

from facematch_core import Secret

from ._words import SessionStatus


@attrs.frozen(kw_only=True)
class Registration:
    """An account that waits for the code in its owner's mailbox.

    Attributes:
        email: Where the code was sent; as Didit repeats it, else as it was asked for.
        message: Didit's sentence; None if it has none.
    """

    email: str
    message: str | None = None


@attrs.frozen(kw_only=True)
class Tokens:
    """What a person's login gives. The calls of this library need the key, not these.

    Attributes:
        access_token, refresh_token: Secrets.
        expires_in_s: Seconds that the access token holds from the answer on, at least 0; None if
            not told (Didit documents 86,400).
    """

    access_token: Secret
    refresh_token: Secret
    expires_in_s: float | None = None


@attrs.frozen(kw_only=True)
class VerifiedAccount:
    """An account that may be used.

    Attributes:
        api_key: The application's key: what a backend needs. Didit tells it here and in its
            console.
        tokens: Of the person who registered.
        organization_id, organization_name: Who pays; None if not told.
        application_id, application_name, client_id: Whose key it is; None if not told.
    """

    api_key: Secret
    tokens: Tokens
    organization_id: str | None = None
    organization_name: str | None = None
    application_id: str | None = None
    application_name: str | None = None
    client_id: str | None = None


@attrs.frozen(kw_only=True)
class Balance:
    """The credit of the whole organization, in US dollars, exactly as told.

    Attributes:
        amount: May be negative, as far as is known.
        auto_refill: Whether Didit tops it up by itself; None if not told.
        auto_refill_amount, auto_refill_threshold: By how much, and below what; None if not set.
    """

    amount: Decimal
    auto_refill: bool | None = None
    auto_refill_amount: Decimal | None = None
    auto_refill_threshold: Decimal | None = None


@attrs.frozen(kw_only=True)
class TopUp:
    """A payment page. The balance stays as it is until somebody has paid there.

    Attributes:
        checkout_id: The payment provider's id of it.
        page: Its address, for a person. Whoever has it can only pay, but sees for whom: so it is
            a secret, which no log shows.
    """

    checkout_id: str
    page: Secret


@attrs.frozen(kw_only=True)
class SessionRow:
    """A session as a list tells it: enough to find it again.

    Scores are not read from lists (Didit's own pages disagree about their scale), nor are names,
    documents and addresses of people; ask for the decision.

    Attributes:
        session_id, session_number: Its two names; the number is None if not told.
        kind: Didit's word, ``user`` or ``business``; None if not told.
        status, vendor_status: Where it stands, in our word and in Didit's.
        caller_ref: What the call sent as `caller_ref`; None if nothing; not in `repr`.
        features: What was done in it, as pairs of Didit's words for feature and status (None if
            not told).
        created_at: UTC; None if not told.
    """

    session_id: str
    session_number: int | None = None
    kind: str | None = None
    status: SessionStatus
    vendor_status: str
    caller_ref: str | None = attrs.field(default=None, repr=False)
    features: tuple[tuple[str, str | None], ...] = ()
    created_at: datetime | None = None


@attrs.frozen(kw_only=True)
class Review:
    """What a person, or a program, noted about a session.

    Attributes:
        user: Who; ``API Client`` if it was done with a key. None if not told; not in `repr`.
        new_status: Didit's word for the status that it was given; None if it stayed.
        comment: None if there is none; not in `repr`.
        created_at: UTC; None if not told.
    """

    user: str | None = attrs.field(default=None, repr=False)
    new_status: str | None = None
    comment: str | None = attrs.field(default=None, repr=False)
    created_at: datetime | None = None


@attrs.frozen(kw_only=True)
class Deleted:
    """A session that is gone from every read. There is no undo.

    Attributes:
        session_id: As asked for.
        session_number: None if not told.
        face_retention: What became of the face, in Didit's word; None if not told (before
            November 2026 nothing is).
    """

    session_id: str
    session_number: int | None = None
    face_retention: str | None = None


@attrs.frozen(kw_only=True)
class WebhookDestination:
    """Where Didit reports what happens.

    Attributes:
        destination_id: A UUID.
        label: Its name for people; None if not told.
        url: The address that is called; not in `repr`, because some carry a token.
        enabled: None if not told.
        version: Didit's word for the form of the body: ``v1``, ``v2`` or ``v3``; None if not told.
        events: What is reported.
        secret: What deliveries are signed with; None where Didit does not tell it (in a list).
        created_at, updated_at: UTC; None if not told.
        summary: Didit's numbers about deliveries; empty if not told.
    """

    destination_id: str
    label: str | None = None
    url: str = attrs.field(repr=False)
    enabled: bool | None = None
    version: str | None = None
    events: tuple[str, ...] = ()
    secret: Secret | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    summary: Mapping[str, Any] = attrs.field(factory=dict, repr=False, hash=False)
