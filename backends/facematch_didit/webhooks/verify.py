"""`verify_webhook`: from a delivery to an event that Didit signed."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, ParamSpec, TypeVar

import attrs

from facematch_core import ConfigurationError, InvalidRequest, Secret, SystemClock

from . import delivery
from .delivery import (
    Headers,
    Refusal,
    SignatureVariant,
    WebhookRefused,
    find_signature,
    read_headers,
    read_object,
    signed_messages,
)
from .event import WebhookEvent, read_event

Secrets = Secret | str | Iterable[Secret | str]
#: Whether a delivery's key is new; it is remembered from then on, up to the moment that is given.
Seen = Callable[[str, datetime], bool]
P = ParamSpec("P")
T = TypeVar("T")

#: Deliveries have some thousand bytes. Whether V2 fits is known only after the JSON was read, which
#: takes up to 60 times its bytes of memory, whoever wrote it.
MAX_BYTES = 262_144

#: How long a delivery is remembered beyond the window in which a stranger could send it again;
#: ours. One that is sent again from the console has a new timestamp, so the window lets it in at
#: any time; whether an event_id is kept is documented in two ways, and where it is, this catches
#: it. An automatic retry is assumed to have the same bytes; no document says so.
REMEMBERED = timedelta(days=1)


def verify_webhook(
    body: bytes,
    headers: Headers,
    secrets: Secrets,
    now: datetime | None = None,
    *,
    tolerance_s: float = 300,
    seen: Seen | None = None,
    accept_prefixed_v2: bool = False,
    max_bytes: int = MAX_BYTES,
) -> WebhookEvent:
    """The event in a delivery, if Didit signed it, lately, and it did not come before.

    Takes the V2 signature or the raw one, whichever fits: each covers the whole body.
    X-Signature-Simple is never enough, because it does not cover the decision. Pure, but for
    `seen`, and for the system's clock if `now` is not given.

    Args:
        body: The bytes as they came, before anything decoded them.
        headers: Of the request; any mapping of names to texts, whatever their case.
        secrets: The destination's ``secret_shared_key``; several while it is being changed.
        now: Time of day, with its zone.
        tolerance_s: How far the timestamp may be from `now`, both ends included, 0-86400 seconds.
            Didit's guide says 300; its second retry comes about five minutes after the first try.
            With `seen` a wider window is safe: a delivery is remembered for longer than it.
        seen: Asked, once the signature fits and the time is right, whether the delivery is new:
            ``seen(key, until)`` is True the first time, and then False up to `until`, a moment with
            a zone; both in one step, for two copies may come at once. A `key` is 64 hex digits that
            say nothing of the delivery. One delivery has up to two, `WebhookEvent.replay_keys`:
            each is asked for until one is known. Without `seen` nothing is remembered, and a
            delivery that comes twice is taken twice.
        accept_prefixed_v2: Whether a V2 signature over the timestamp, a colon and the canonical
            JSON is enough too. Didit's skills repository had it so in early 2026; its guide and
            every delivery known to us sign the canonical JSON alone, and deliveries carry the raw
            signature beside it.
        max_bytes: Longest body that is looked at, at least 1; 256 KiB by default.

    Raises:
        WebhookRefused: it must not be acted on; `reason` says why, `http_status` what to answer.
        ConfigurationError: there is no secret, or an empty one.
        InvalidRequest: another argument is wrong.
        Exception: what `seen` raises, without a traceback; answer 500 and Didit tries again.
    """
    keys = _catch(_read_keys, secrets)
    # No frame of ours holds the text of a secret while strange code runs (headers, `seen`).
    del secrets
    outcome = (
        keys
        if isinstance(keys, BaseException)
        else _catch(
            _verify,
            body,
            headers,
            seen,
            secrets=keys,
            now=now,
            tolerance_s=tolerance_s,
            accept_prefixed_v2=accept_prefixed_v2,
            max_bytes=max_bytes,
        )
    )
    if isinstance(outcome, WebhookEvent):
        return outcome
    # The frame of a function that raises stays alive with the error.
    del body, headers, seen
    try:
        raise outcome
    finally:
        outcome.__context__ = None
        del outcome


def _verify(body: bytes, headers: Headers, seen: Seen | None, **arguments: Any) -> WebhookEvent:
    if not isinstance(body, bytes):
        raise InvalidRequest(
            f"body must be the bytes as they came, not {type(body).__name__}: what was decoded and "
            "encoded again has another signature."
        )
    settings = _Settings(**arguments)
    event = _read_delivery(body, headers, settings)
    if seen is None:
        return event
    until = settings.now + timedelta(seconds=2 * settings.tolerance_s) + REMEMBERED
    # In the same order, and none after a key that came before: of two deliveries at once, one is
    # the first.
    for key in event.replay_keys:
        is_new = seen(key, until)
        if not isinstance(is_new, bool):
            # Whoever forgot to return something would pass over every delivery.
            raise InvalidRequest(f"seen must return True or False, not {type(is_new).__name__}.")
        if not is_new:
            raise WebhookRefused("This delivery came before.", reason=Refusal.REPLAYED)
    return event


def _read_delivery(body: bytes, headers: Headers, settings: _Settings) -> WebhookEvent:
    """The event, as far as one delivery alone can tell; cheap tests of a stranger's come first."""
    if len(body) > settings.max_bytes:
        sentence = f"The body has {len(body)} bytes; at most {settings.max_bytes} are read."
        raise WebhookRefused(sentence, reason=Refusal.TOO_LARGE)
    texts = read_headers(headers)
    _check_signed(texts)
    timestamp = _read_timestamp(texts, settings)
    try:
        document = read_object(body)
    except ValueError as error:
        raise WebhookRefused(f"The body {error}.", reason=Refusal.MALFORMED) from None
    # The header is not signed, the body is: a fresh header must not make an old body fresh.
    number = document.get("timestamp")
    if isinstance(number, bool) or not isinstance(number, (int, float)):
        sentence = "The body has no timestamp that is a number."
        raise WebhookRefused(sentence, reason=Refusal.MALFORMED)
    if number != timestamp:
        sentence = "X-Timestamp and the body's timestamp differ."
        raise WebhookRefused(sentence, reason=Refusal.WRONG_TIMESTAMP)
    match = find_signature(texts, signed_messages(body, document, timestamp), settings.secrets)
    if match is None:
        raise WebhookRefused(
            f"No signature fits the body with any of {len(settings.secrets)} secrets: compare them "
            "with the destination's, and hand over the body as it came.",
            reason=Refusal.WRONG_SIGNATURE,
        )
    if match[0] is SignatureVariant.V2_PREFIXED and not settings.accept_prefixed_v2:
        raise WebhookRefused(
            "X-Signature-V2 signs the timestamp as well, as Didit's skills repository had it in "
            "early 2026, and no other signature fits: accept_prefixed_v2=True takes it.",
            reason=Refusal.PREFIXED_V2,
        )
    try:
        return read_event(
            document,
            signature=match[0],
            secret_index=match[1],
            is_test=texts.get(delivery.TEST, "").lower() == "true",
            is_mock=delivery.MOCK in texts,
        )
    except ValueError as error:
        raise WebhookRefused(
            f"The signature fits, but this version cannot read the delivery: {error}.",
            reason=Refusal.UNREADABLE,
        ) from None


def _check_signed(texts: Mapping[str, str]) -> None:
    if delivery.SIGNATURE in texts or delivery.SIGNATURE_V2 in texts:
        return
    if delivery.SIGNATURE_SIMPLE in texts:
        raise WebhookRefused(
            "Only X-Signature-Simple came, which does not cover the decision: let X-Signature-V2 "
            "or X-Signature through.",
            reason=Refusal.SIMPLE_ONLY,
        )
    raise WebhookRefused(
        "Neither X-Signature-V2 nor X-Signature came.", reason=Refusal.MISSING_SIGNATURE
    )


def _read_timestamp(texts: Mapping[str, str], settings: _Settings) -> int:
    """The header's, in seconds since 1970, if it lies in the window."""
    text = texts.get(delivery.TIMESTAMP, "")
    if not re.fullmatch(r"[0-9]{1,12}", text):
        sentence = "X-Timestamp is missing or is no whole number of seconds."
        raise WebhookRefused(sentence, reason=Refusal.MALFORMED)
    ahead_s = int(text) - settings.now.timestamp()
    if abs(ahead_s) > settings.tolerance_s:
        order = "ahead of" if ahead_s > 0 else "before"
        sentence = (
            f"It was sent {abs(ahead_s):.0f} s {order} the clock here; "
            f"at most {settings.tolerance_s:g} s are accepted."
        )
        raise WebhookRefused(sentence, reason=Refusal.STALE)
    return int(text)


# What the receiver expects of a delivery, checked: faults here are its own, not a stranger's.


def _check_range(
    least: float, most: float
) -> Callable[[object, attrs.Attribute[float], object], None]:
    def check(_: object, attribute: attrs.Attribute[float], value: object) -> None:
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not is_number or not least <= float(value) <= most:  # type: ignore[arg-type]  # a number, by `is_number`
            raise InvalidRequest(f"{attribute.name} must be a number from {least:g} to {most:g}.")

    return check


def _check_now(value: datetime | None) -> datetime:
    now: object = SystemClock().now() if value is None else value
    if not (isinstance(now, datetime) and now.tzinfo):
        raise InvalidRequest("now must be a datetime with its zone: datetime.now(UTC).")
    return now


def _read_keys(secrets: Secrets) -> tuple[Secret, ...]:
    """At least one, none empty, each encodable as UTF-8."""
    each = [secrets] if isinstance(secrets, (str, Secret)) else secrets
    try:
        keys = tuple(Secret.of(secret) for secret in each)
    except TypeError:
        keys = ()
    if not keys or not all(key.reveal() for key in keys):
        raise ConfigurationError(
            "secrets must be the webhook destination's secret_shared_key, or several; without one "
            "no delivery can be distinguished from a stranger's."
        )
    if any("\ud800" <= letter <= "\udfff" for key in keys for letter in key.reveal()):
        raise ConfigurationError("A webhook secret must be text that UTF-8 can write.")
    return keys


@attrs.frozen(kw_only=True)
class _Settings:
    """The arguments of `verify_webhook` beside the delivery itself."""

    secrets: tuple[Secret, ...]
    now: datetime = attrs.field(converter=_check_now)
    tolerance_s: float = attrs.field(validator=_check_range(0, 86_400))
    accept_prefixed_v2: bool
    max_bytes: float = attrs.field(validator=_check_range(1, math.inf))


# Errors without their frames: reporters write down locals, here secrets and personal data.


def _catch(run: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T | BaseException:
    """What `run` returns or raises: the latter without a frame, for the caller to raise."""
    try:
        return run(*arguments, **named)
    except BaseException as error:  # noqa: BLE001 - raised again by the caller, whose frame holds nothing by then
        # Nor has what it was raised from, or while, any frames.
        ids: set[int] = set()
        chain: list[BaseException | None] = [error]
        while chain:
            link = chain.pop()
            if link is not None and id(link) not in ids:
                ids.add(id(link))
                link.__traceback__ = None
                chain += [link.__cause__, link.__context__]
        return error
