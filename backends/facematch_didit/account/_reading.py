"""Answers of the calls around a match, read: any decoded JSON gives a record or a `ValueError`.

Sources: Didit face-match skill page, early 2026 (registration); Didit OpenAPI, 2026-07-18 (the
rest); all read on 2026-11-20.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from facematch_core import Secret
from facematch_core.http import HttpReply
from facematch_didit._reading import (
    a_list,
    a_text,
    an_object,
    flag_or_none,
    number_or_none,
    text_or_none,
    time_or_none,
    whole_or_none,
)

from ._private import shown
from ._records import (
    Balance,
    Deleted,
    Registration,
    Review,
    SessionRow,
    Tokens,
    TopUp,
    VerifiedAccount,
    WebhookDestination,
)
from ._words import STATUSES, SessionStatus

_DECIMAL = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?")


def needed(body: dict[str, Any], name: str) -> Any:
    """What stands under `name`; `ValueError` if nothing does."""
    if name not in body:
        raise ValueError(f"{name} is missing")
    return body[name]


def text_in(body: dict[str, Any], name: str) -> str:
    """The text under `name`, not empty."""
    text = a_text(needed(body, name), name)
    if not text:
        raise ValueError(f"{name} is empty")
    return text


def status_of(word: str) -> SessionStatus:
    """Our word for Didit's."""
    return STATUSES.get(word, SessionStatus.OTHER)


def registration(body: Any, *, email: str) -> Registration:
    """The answer to a registration of `email`."""
    answer = an_object(body, "the body")
    return Registration(
        email=text_or_none(answer.get("email"), "email") or email,
        message=text_or_none(answer.get("message"), "message"),
    )


def tokens(body: Any) -> Tokens:
    """The answer to a login."""
    answer = an_object(body, "the body")
    expires_in_s = number_or_none(answer.get("expires_in"), "expires_in")
    if expires_in_s is not None and expires_in_s < 0:
        raise ValueError("expires_in is below 0")
    return Tokens(
        access_token=Secret(text_in(answer, "access_token"), origin="Didit"),
        refresh_token=Secret(text_in(answer, "refresh_token"), origin="Didit"),
        expires_in_s=expires_in_s,
    )


def verified(body: Any) -> VerifiedAccount:
    """The answer to a verification of an email address."""
    answer = an_object(body, "the body")
    application = an_object(needed(answer, "application"), "application")
    organization = an_object(answer.get("organization") or {}, "organization")
    return VerifiedAccount(
        api_key=Secret(text_in(application, "api_key"), origin="Didit"),
        tokens=tokens(answer),
        organization_id=text_or_none(organization.get("uuid"), "organization.uuid"),
        organization_name=text_or_none(organization.get("name"), "organization.name"),
        application_id=text_or_none(application.get("uuid"), "application.uuid"),
        application_name=text_or_none(application.get("name"), "application.name"),
        client_id=text_or_none(application.get("client_id"), "application.client_id"),
    )


def balance(body: Any) -> Balance:
    """The credit of an organization."""
    answer = an_object(body, "the body")
    refill = answer.get("auto_refill_enabled")
    return Balance(
        amount=_amount(needed(answer, "balance"), "balance"),
        auto_refill=flag_or_none(refill, "auto_refill_enabled"),
        auto_refill_amount=_amount_or_none(answer, "auto_refill_amount"),
        auto_refill_threshold=_amount_or_none(answer, "auto_refill_threshold"),
    )


def _amount(value: object, place: str) -> Decimal:
    # Documented as text. A JSON number is taken by the digits that it shows.
    text = str(value) if isinstance(value, (int, float)) and value is not True else value
    if value is False or not isinstance(text, str) or not _DECIMAL.fullmatch(text):
        raise ValueError(f"{place} is not an amount")
    return Decimal(text)


def _amount_or_none(answer: dict[str, Any], name: str) -> Decimal | None:
    value = answer.get(name)
    return None if value is None else _amount(value, name)


def top_up(body: Any) -> TopUp:
    """A payment page."""
    answer = an_object(body, "the body")
    return TopUp(
        checkout_id=text_in(answer, "checkout_session_id"),
        page=Secret(text_in(answer, "checkout_session_url"), origin="Didit"),
    )


def session_row(item: Any) -> SessionRow:
    """One session of a list."""
    row = an_object(item, "a session")
    word = text_in(row, "status")
    return SessionRow(
        session_id=text_in(row, "session_id"),
        session_number=whole_or_none(row.get("session_number"), "session_number"),
        kind=text_or_none(row.get("session_kind"), "session_kind"),
        status=status_of(word),
        vendor_status=word,
        caller_ref=text_or_none(row.get("vendor_data"), "vendor_data"),
        features=features(row.get("features")),
        created_at=time_or_none(row.get("created_at"), "created_at"),
    )


def features(value: object) -> tuple[tuple[str, str | None], ...]:
    """Pairs of feature and status; a decision tells the features alone, as texts."""
    found: list[tuple[str, str | None]] = []
    for item in [] if value is None else a_list(value, "features"):
        if isinstance(item, str):
            found.append((item, None))
            continue
        feature = an_object(item, "a feature")
        status = text_or_none(feature.get("status"), "status of a feature")
        found.append((text_in(feature, "feature"), status))
    return tuple(found)


def review(item: Any) -> Review:
    """One note about a session."""
    note = an_object(item, "a review")
    return Review(
        user=text_or_none(note.get("user"), "user"),
        new_status=text_or_none(note.get("new_status"), "new_status"),
        comment=text_or_none(note.get("comment"), "comment"),
        created_at=time_or_none(note.get("created_at"), "created_at"),
    )


def deleted(reply: HttpReply, *, session_id: str) -> Deleted:
    """What an answer to a deletion tells beyond its status, which alone says that it is done."""
    try:
        body = reply.json()
    except ValueError:
        body = None
    told = body if isinstance(body, dict) else {}
    number, outcome = told.get("session_number"), told.get("face_retention_outcome")
    return Deleted(
        session_id=session_id,
        session_number=number if type(number) is int else None,
        face_retention=outcome if isinstance(outcome, str) else None,
    )


def destination(item: Any) -> WebhookDestination:
    """One webhook destination."""
    told = an_object(item, "a destination")
    secret = text_or_none(told.get("secret_shared_key"), "secret_shared_key")
    events = a_list(told.get("subscribed_events") or [], "subscribed_events")
    return WebhookDestination(
        destination_id=text_in(told, "uuid"),
        label=text_or_none(told.get("label"), "label"),
        url=text_in(told, "url"),
        enabled=flag_or_none(told.get("enabled"), "enabled"),
        version=text_or_none(told.get("webhook_version"), "webhook_version"),
        events=tuple(a_text(event, "an event") for event in events),
        secret=Secret(secret, origin="Didit") if secret else None,
        created_at=time_or_none(told.get("created_at"), "created_at"),
        updated_at=time_or_none(told.get("updated_at"), "updated_at"),
        summary=shown(an_object(told.get("summary") or {}, "summary")),
    )
