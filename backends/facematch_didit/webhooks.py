"""Webhooks of Didit: verify a delivery's signature and age, and read its event.

Independent of any web framework. Sources: docs.didit.me, /integration/webhooks, November 2026, with
Didit's demonstration program of January 2026 and a delivery captured in May 2026, where that page
is silent; all read on 2026-11-20. Whole floats of any size are signed as integers: Didit's
WordPress plugin, which signs as its server does, read on 2026-11-25.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs

from facematch_core import ConfigurationError, Environment, InvalidRequest, Secret, WebhookRefused
from facematch_core.backend import CALL_ID_KEY
from facematch_core.base.addresses import MOCK_HEADER
from facematch_core.base.clock import SystemClock
from facematch_core.base.nesting import load_json

from .words import (
    ENVIRONMENTS,
    read_object,
    read_text,
    read_webhook_secrets,
    read_whole_number,
    text_or_none,
)

#: Largest body of which the JSON is read before its signature fits; deliveries have a few KB. Ours.
MAX_BYTES = 262_144


@attrs.frozen(kw_only=True)
class WebhookEvent:
    """A delivery that Didit signed. It is a hint: read the session for its current state.

    Attributes:
        type: What happened: ``status.updated``, ``data.updated`` and others.
        event_id: Didit's UUID of the event; None for test deliveries. Keep it in a unique column:
            Didit may deliver an event more than once.
        session_id: The session; None for events that are not about one.
        vendor_status: Didit's word for its status: ``Approved``; None for events without.
        timestamp: When it was sent, in UTC, to the second.
        environment: MOCK if a mock sent it; else PRODUCTION or SANDBOX, by the event's own word;
            None if it has no word, or an unknown one.
        caller_ref: The `caller_ref` of the call; None if it had none; not in `repr`.
        call_id: Our id of the kept call that made the session; None if none of ours did.
        raw: The decoded body, whole floats as integers; not in `repr`, because it contains
            addresses that open the pictures.
        is_test: Whether it was sent from the console as a test. Its decision is made up.
    """

    type: str
    event_id: str | None
    session_id: str | None
    vendor_status: str | None
    timestamp: datetime
    environment: Environment | None
    caller_ref: str | None = attrs.field(repr=False)
    call_id: str | None
    raw: Mapping[str, Any] = attrs.field(hash=False, repr=False)
    is_test: bool


def verify_webhook(
    body: bytes,
    headers: Mapping[str, str],
    secrets: Secret | str | Iterable[Secret | str],
    now: datetime | None = None,
    *,
    tolerance_s: float = 300,
) -> WebhookEvent:
    """Verify a delivery's signature and age; return its event.

    Takes ``X-Signature``, over the bytes, or ``X-Signature-V2``, which still fits after a proxy
    wrote the JSON anew. ``X-Signature-Simple`` is not enough, because it does not cover the
    decision. The age is that of the body's timestamp: no signature covers ``X-Timestamp``.

    Args:
        body: The body as received, before it was decoded.
        headers: Headers of the request, in any case.
        secrets: The destination's ``secret_shared_key``; several while it is being rotated.
        now: Time of day, with its zone; None for the system's.
        tolerance_s: Largest distance of the timestamp from `now`, 0-86400 seconds. Didit documents
            300; its second retry comes about five minutes after the first attempt.

    Raises:
        WebhookRefused: do not act on it; answer its `http_status`: 401 if it is not signed or not
            recent, 422 if it is signed but unreadable. Didit sends neither again.
        ConfigurationError: a secret is missing or malformed.
        InvalidRequest: another argument is wrong; answer 500, and Didit sends it again.
    """
    keys, now = read_webhook_secrets(secrets), now or SystemClock().now()
    if not keys:
        raise ConfigurationError(
            "secrets must be the webhook destination's secret_shared_key, or several."
        )
    if not isinstance(body, bytes):
        raise InvalidRequest(f"body must be the bytes as received, not {type(body).__name__}.")
    if now.tzinfo is None or not 0 <= tolerance_s <= 86_400:
        raise InvalidRequest("now must have a zone, and tolerance_s be from 0 to 86400.")
    texts = {name.lower(): text for name, text in headers.items()}
    if not _is_signed(body, texts, keys):
        raise WebhookRefused(
            "No X-Signature or X-Signature-V2 fits the body with a secret that is set "
            f"({len(keys)}): compare with the destination's, and pass the body as received."
        )
    try:
        event = _read_event(_load(body), is_mock=MOCK_HEADER.lower() in texts)
    except ValueError as error:
        raise WebhookRefused(
            f"The signature fits, but the delivery cannot be read: {error}.", http_status=422
        ) from None
    distance = abs(event.timestamp - now)
    if distance > timedelta(seconds=tolerance_s):
        raise WebhookRefused(
            f"Its timestamp is {distance} from the clock here; at most {tolerance_s:g} s are "
            "accepted."
        )
    return event


def _is_signed(body: bytes, headers: Mapping[str, str], keys: Iterable[Secret]) -> bool:
    """Whether a signature over the whole body fits a secret: HMAC-SHA256 in lower-case hex.

    The key is the secret as UTF-8 text. Version 2 signs canonical JSON, as Didit's server, a Python
    program, writes it: whole floats as integers, keys in the order of their code points, ``,`` and
    ``:`` without spaces, letters beyond ASCII as UTF-8.
    """

    def fits(header: str, message: bytes) -> bool:
        given = headers.get(header, "").strip().encode(errors="replace")
        digests = [hmac.digest(key.reveal().encode(), message, "sha256").hex() for key in keys]
        return any(hmac.compare_digest(digest.encode(), given) for digest in digests)

    if fits("x-signature", body):
        return True
    if "x-signature-v2" not in headers or len(body) > MAX_BYTES:
        return False
    try:
        canonical = json.dumps(
            _load(body),
            sort_keys=True,
            separators=(",", ":"),
            ensure_ascii=False,
            allow_nan=False,
        )
        return fits("x-signature-v2", canonical.encode())
    except ValueError:
        return False


def _load(body: bytes) -> dict[str, Any]:
    """Return the JSON object in `body`, whole floats as integers; `ValueError` if it is not one."""

    def read_float(digits: str) -> int | float:
        number = float(digits)
        return int(number) if number.is_integer() else number

    def read_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        fields = dict(pairs)
        if len(fields) != len(pairs):
            # Two readers could take different values from a repeated key.
            raise ValueError
        return fields

    try:
        document = load_json(body.decode(), object_pairs_hook=read_pairs, parse_float=read_float)
    except ValueError:
        raise ValueError("the body is not JSON as a program writes it") from None
    return read_object(document, "the body")


def _read_event(document: dict[str, Any], *, is_mock: bool) -> WebhookEvent:
    metadata = document.get("metadata")
    # Other programs may write any JSON as metadata.
    entries = metadata if isinstance(metadata, dict) else {}
    call_id = entries.get(CALL_ID_KEY)
    word = text_or_none(document.get("environment"), "environment")
    seconds = read_whole_number(document.get("timestamp"), "timestamp")
    try:
        sent_at = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError):
        raise ValueError("timestamp is not a time") from None
    return WebhookEvent(
        type=read_text(document.get("webhook_type"), "webhook_type"),
        event_id=text_or_none(document.get("event_id"), "event_id"),
        session_id=text_or_none(document.get("session_id"), "session_id"),
        vendor_status=text_or_none(document.get("status"), "status"),
        timestamp=sent_at,
        environment=Environment.MOCK if is_mock else ENVIRONMENTS.get(word or ""),
        caller_ref=text_or_none(document.get("vendor_data"), "vendor_data"),
        call_id=call_id if isinstance(call_id, str) else None,
        raw=document,
        is_test=entries.get("test_webhook") is True,
    )
