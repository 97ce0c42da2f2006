"""Persona's webhooks: the signature, its age, and the inquiry that an event names.

Source: docs.withpersona.com, /webhooks-best-practices (2026-02-20), and the webhooks in Persona's
OpenAPI; read 2026-11-28.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import attrs

from facematch_core import Secret, WebhookRefused
from facematch_core.backend import nonempty_text, read_or_none
from facematch_core.backend.session_types import SessionHint, record_id_or_none
from facematch_core.http import has_signature

_HEADER = "persona-signature"
#: Ours: Persona documents no limit, nor whether a retry is signed with a new time. The fourth retry
#: comes 81 minutes after the first attempt.
_OLDEST = dt.timedelta(hours=2)


@attrs.frozen(kw_only=True)
class _Signature:
    """One signature of a delivery: ``t=1709686052,v1=...``.

    Attributes:
        time: The time of signing, in seconds since 1970, as written.
        digests: HMAC-SHA256 in hex of the time, a full stop and the body, by each version 1 key.
    """

    time: str
    digests: tuple[str, ...]


def _read_signatures(headers: Mapping[str, str]) -> list[_Signature]:
    """Return the signatures of a delivery: one, or several during a rotation of the secret."""
    signatures = []
    for text in headers.get(_HEADER, "").split():
        times = []
        digests = []
        for part in text.split(","):
            name, _, value = part.partition("=")
            if name == "t":
                times.append(value)
            elif name == "v1":
                digests.append(value)
        # Each time counts, so that the oldest one is checked; Persona sends one.
        signatures += [_Signature(time=time, digests=tuple(digests)) for time in times]
    return signatures


def is_signed(body: bytes, headers: Mapping[str, str], keys: tuple[Secret, ...]) -> bool:
    """Return whether one of the keys signed a delivery; header names are in lower case."""
    for signature in _read_signatures(headers):
        message = signature.time.encode(errors="replace") + b"." + body
        if any(has_signature(message, digest, keys) for digest in signature.digests):
            return True
    return False


def check_age(headers: Mapping[str, str], now: dt.datetime) -> None:
    """Raise `WebhookRefused` if a signed delivery was signed too long ago, or in the future.

    The oldest time counts, because a forger may have added another signature to an old delivery.
    """
    oldest = min(int(signature.time) for signature in _read_signatures(headers))
    distance = abs(now - dt.datetime.fromtimestamp(oldest, dt.UTC))
    if distance > _OLDEST:
        raise WebhookRefused(
            f"The delivery was signed at a time that differs by {distance} from this machine's "
            f"clock; at most {_OLDEST} are accepted."
        )


def read_hints(document: Any) -> tuple[SessionHint, ...]:
    """Return the inquiry that an event names; () for an event that is about something else.

    The event's names of fields depend on the webhook's own settings, but these names are the same
    in each inflection. Raises ValueError or TypeError if its type or the inquiry's id is no text.
    """
    event = document["data"]
    subject = event["attributes"]["payload"]["data"]
    record_id = None
    if nonempty_text(subject["type"]) == "inquiry":
        session_id = subject["id"]
        record_id = subject["attributes"].get("note")
    else:
        # A verification or a selfie, for example.
        owner = (subject.get("relationships") or {}).get("inquiry") or {}
        session_id = (owner.get("data") or {}).get("id")
        if session_id is None:
            return ()
    hint = SessionHint(
        record_id=record_id_or_none(record_id),
        session_id=nonempty_text(session_id),
        event_id=read_or_none(nonempty_text, event.get("id"), "data", "id"),
    )
    return (hint,)
