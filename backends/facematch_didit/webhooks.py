"""Didit's webhooks: verify a delivery's signature and age, and parse its event.

Independent of any web framework. Sources: docs.didit.me, /integration/webhooks, November 2026; for
gaps in that page, Didit's demo program of January 2026 and a delivery captured in May 2026; all
read on 2026-11-20. Didit signs whole floats of any size as integers (source: Didit's WordPress
plugin, which signs like Didit's server, read on 2026-11-25).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs

from facematch_core import ConfigurationError, Environment, InvalidRequest, Secret, WebhookRefused
from facematch_core.backend import CALL_ID_KEY, read_or_none
from facematch_core.base.addresses import MOCK_HEADER
from facematch_core.base.deadline import SystemClock
from facematch_core.base.nesting import load_json
from facematch_core.base.signatures import Headers, as_headers, as_webhook_secrets, has_signature

from .words import (
    ENVIRONMENTS,
    read_object,
    read_text,
    read_whole_number,
    text_or_none,
)

#: The largest body to parse before its signature is verified (our choice).
MAX_BYTES = 262_144


@attrs.frozen(kw_only=True)
class WebhookEvent:
    """An event signed by Didit. Treat it as a hint, and read the session for its current state.

    `event_id`, `vendor_status`, `environment` and `caller_ref` are also None if Didit sends them in
    another form than documented, which `raw` shows: Didit would not repeat a refused delivery.

    Attributes:
        type: The event type, such as ``status.updated`` or ``data.updated``.
        event_id: Didit's UUID of the event; None for test deliveries. Store it in a unique column,
            because Didit may deliver an event more than once.
        session_id: The session's id; None for events that are not about a session.
        vendor_status: Didit's status of the session, such as ``Approved``; None if missing.
        timestamp: The time of sending, in UTC, to the second.
        environment: MOCK if a mock sent the event; else PRODUCTION or SANDBOX as stated in the
            event; None if missing or unknown.
        caller_ref: The `caller_ref` of the call; None if missing; not in `repr`.
        call_id: Our call id, if a call with `Retention.KEEP` created the session; else None.
        raw: The decoded body, with whole floats as integers. Not in `repr`, because it contains
            URLs of the pictures.
        is_test: Whether this is a test delivery from the console, with a sample decision.
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
    headers: Headers,
    secrets: Secret | str | Iterable[Secret | str],
    now: datetime | None = None,
    *,
    tolerance_s: float = 300,
) -> WebhookEvent:
    """Verify a delivery's signature and age; return its event.

    Accepts ``X-Signature``, which signs the bytes, or ``X-Signature-V2``, which stays valid if a
    proxy reformats the JSON. Ignores ``X-Signature-Simple``, which does not cover the decision. The
    age is computed from the body's timestamp, because no signature covers ``X-Timestamp``.

    Args:
        body: The body as received, before decoding.
        headers: The request's headers, with names in upper or lower case: a mapping of any
            framework, or pairs of names and values, as text or bytes.
        secrets: The destination's ``secret_shared_key``, or several during a rotation.
        now: The current time with time zone; None for the system clock.
        tolerance_s: The largest difference between the timestamp and `now`, 0-86400 seconds. Didit
            documents 300. Didit's second retry comes about five minutes after the first attempt.

    Raises:
        WebhookRefused: reject the delivery and respond with the error's `http_status`: 401 if it is
            not signed or not recent, 422 if it is signed but invalid. Didit retries neither.
        ConfigurationError: a secret is missing or malformed.
        InvalidRequest: another argument is invalid; respond with 500, so that Didit retries.
    """
    keys = as_webhook_secrets(secrets)
    now = now or SystemClock().now()
    if not keys:
        raise ConfigurationError(
            "`secrets` must be the webhook destination's secret_shared_key, or several."
        )
    if not isinstance(body, bytes):
        raise InvalidRequest(f"body must be the received bytes, not {type(body).__name__}.")
    if now.tzinfo is None or not 0 <= tolerance_s <= 86_400:
        raise InvalidRequest("`now` needs a time zone, and tolerance_s must be from 0 to 86400.")
    lower_headers = as_headers(headers)
    if not _is_signed(body, lower_headers, keys):
        if not {"x-signature", "x-signature-v2"} & set(lower_headers):
            raise WebhookRefused("The request has no X-Signature or X-Signature-V2 header.")
        raise WebhookRefused(
            f"The signature does not match the body (secrets tried: {len(keys)}). Check the "
            "secret, and pass the body as received."
        )
    try:
        event = _read_event(_load(body), is_mock=MOCK_HEADER.lower() in lower_headers)
    except ValueError as error:
        raise WebhookRefused(
            f"The signature is valid, but the delivery is not: {error}.", http_status=422
        ) from None
    distance = abs(event.timestamp - now)
    if distance > timedelta(seconds=tolerance_s):
        raise WebhookRefused(
            f"The delivery's timestamp differs by {distance} from this machine's clock; at most "
            f"{tolerance_s:g} s are accepted."
        )
    return event


def _is_signed(body: bytes, headers: Mapping[str, str], keys: Iterable[Secret]) -> bool:
    """Return whether a signature of the whole body is valid: HMAC-SHA256 in lower-case hex.

    The key is the secret as UTF-8 text. Version 2 signs canonical JSON as written by Didit's
    server, a Python program: whole floats as integers, keys sorted by code points, ``,`` and ``:``
    without spaces, non-ASCII characters as UTF-8.
    """
    if has_signature(body, headers.get("x-signature", ""), keys):
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
        return has_signature(canonical.encode(), headers["x-signature-v2"], keys)
    except ValueError:
        return False


def _load(body: bytes) -> dict[str, Any]:
    """Decode a JSON object, with whole floats as integers. Raises `ValueError` if invalid."""

    def read_float(digits: str) -> int | float:
        number = float(digits)
        return int(number) if number.is_integer() else number

    def read_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        fields = dict(pairs)
        if len(fields) != len(pairs):
            # Parsers could disagree on the value of a repeated key.
            raise ValueError
        return fields

    try:
        document = load_json(body.decode(), object_pairs_hook=read_pairs, parse_float=read_float)
    except ValueError:
        raise ValueError("the body is not JSON, or repeats a key") from None
    return read_object(document, "the body")


def _read_event(document: dict[str, Any], *, is_mock: bool) -> WebhookEvent:
    """Read the event of a signed delivery.

    Raises `ValueError` only for what names and dates the delivery, because Didit does not repeat a
    refused one; any other field of another form than documented is None.
    """
    metadata = document.get("metadata")
    # Other programs may store any JSON as metadata.
    entries = metadata if isinstance(metadata, dict) else {}
    call_id = entries.get(CALL_ID_KEY)
    details = {}
    for name in ("environment", "event_id", "status", "vendor_data"):
        details[name] = read_or_none(read_text, document.get(name), name)
    environment = ENVIRONMENTS.get(details["environment"] or "")
    if is_mock:
        environment = Environment.MOCK
    seconds = read_whole_number(document.get("timestamp"), "timestamp")
    try:
        sent_at = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError):
        raise ValueError("timestamp is not a time") from None
    return WebhookEvent(
        type=read_text(document.get("webhook_type"), "webhook_type"),
        event_id=details["event_id"],
        session_id=text_or_none(document.get("session_id"), "session_id"),
        vendor_status=details["status"],
        timestamp=sent_at,
        environment=environment,
        caller_ref=details["vendor_data"],
        call_id=call_id if isinstance(call_id, str) else None,
        raw=document,
        is_test=entries.get("test_webhook") is True,
    )
