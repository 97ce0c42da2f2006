"""Webhooks of Didit, received: is this delivery Didit's, and what does it say.

Free of any framework: bytes and headers go in, a `WebhookEvent` comes out, or `WebhookRefused`.

Sources: docs.didit.me, /integration/webhooks, November 2026, with Didit's demonstration program of
January 2026 and a delivery captured in May 2026, where that page is silent; all read on 2026-11-20.
That whole floats of any size are signed as integers: Didit's WordPress plugin, which signs as its
server does, read on 2026-11-25.
"""

from __future__ import annotations

import enum
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ParamSpec, Protocol, TypeAlias, TypeVar

import attrs

from facematch_core import (
    ConfigurationError,
    Environment,
    InvalidRequest,
    Secret,
    SystemClock,
    errors,
)
from facematch_core.backend import CALL_ID_KEY
from facematch_core.base.addresses import MOCK_HEADER
from facematch_core.base.nesting import load_json

from .words import (
    ENVIRONMENTS,
    read_object,
    read_text,
    read_webhook_secrets,
    read_whole_number,
    text_or_none,
)

__all__ = ["Refusal", "WebhookEvent", "WebhookRefused", "verify_webhook"]

P = ParamSpec("P")
T = TypeVar("T")


class Refusal(enum.StrEnum):
    """Why a delivery is refused."""

    #: No signature that covers the whole body fits any of the secrets, or none came.
    UNSIGNED = "unsigned"
    #: Sent too long ago, or too far ahead of the clock.
    STALE = "stale"
    #: Signed with the secret, but in a shape that this version does not know: report it to us.
    UNREADABLE = "unreadable"
    #: Genuine, but it came before. No attack: answer 200 and do nothing.
    REPLAYED = "replayed"


#: Didit sends again after 5xx and 404 and takes any other 4xx as final (docs.didit.me,
#: /integration/webhooks, November 2026), so nothing refused is sent again for it.
_STATUSES = dict.fromkeys(Refusal, 401) | {Refusal.UNREADABLE: 422, Refusal.REPLAYED: 200}


class WebhookRefused(errors.WebhookRefused):
    """A delivery that must not be acted on. The message holds no secret and nothing of the body.

    Attributes:
        reason: Why; act on this.
        http_status: What to answer: 200 for one that came before, 401 or 422 for all others.
    """

    def __init__(self, message: str, *, reason: Refusal) -> None:
        super().__init__(message, http_status=_STATUSES[reason])
        self.reason = reason


@attrs.frozen(kw_only=True)
class WebhookEvent:
    """One delivery that Didit signed. A hint: read the session then, for its word may be old.

    Attributes:
        type: What happened: ``status.updated``, ``data.updated`` and others.
        event_id: Didit's name for it, a UUID; None for test deliveries.
        session_id: The session that it is about; None for events about none.
        vendor_status: The status in Didit's word (``Approved``, ``In Review``); None for events
            without.
        timestamp: When it was sent, in UTC, to the second.
        environment: PRODUCTION or SANDBOX, by the event's own word; MOCK if the delivery came from
            a mock; None if it has no word, or one that is unknown.
        caller_ref: What the call carried; None if nothing was; not in `repr`.
        metadata: The same, our id of the call taken out; None, too, if it is no object, which
            other programs may write. Not in `repr`.
        call_id: Our id of the call, which a kept call carries beside the metadata; None if it
            was not made by this library, or not kept.
        raw: The whole body, decoded, whole numbers as integers. Not in `repr`: it has addresses
            under which anybody sees the pictures.
        is_test: Whether somebody asked for it in Didit's console. It is signed like any other, but
            its decision is made up: do not act on it.
    """

    type: str
    event_id: str | None
    session_id: str | None
    vendor_status: str | None
    timestamp: datetime
    environment: Environment | None
    caller_ref: str | None = attrs.field(repr=False)
    metadata: Mapping[str, Any] | None = attrs.field(hash=False, repr=False)
    call_id: str | None
    raw: Mapping[str, Any] = attrs.field(hash=False, repr=False)
    is_test: bool

    @property
    def replay_keys(self) -> tuple[str, ...]:
        """The keys that `seen` of `verify_webhook` was asked for: digests that say nothing.

        For a handler that could not act on the event: forget them, and answer 500, so that Didit's
        next try is taken.
        """
        keys = []
        if self.event_id is not None:
            keys.append(_digest("event", self.event_id))
        # Whether a repeated delivery keeps its event_id is documented in two ways, so this counts
        # as well. The type belongs to it: two kinds may be about one session in one second.
        if self.session_id is not None and self.vendor_status is not None:
            at = int(self.timestamp.timestamp())
            keys.append(_digest("session", self.type, self.session_id, self.vendor_status, at))
        elif self.event_id is None:
            keys.append(_digest("body", self.raw))
        return tuple(keys)


def _digest(*parts: Any) -> str:
    # ASCII: a text may hold half of a surrogate pair.
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


class Headers(Protocol):
    """Names and texts: any mapping, and what looks like one (werkzeug's `Headers`)."""

    def items(self) -> Iterable[tuple[str | bytes, object]]: ...


#: Whether a delivery's key is new; it is remembered from then on, up to the moment that is given.
Seen = Callable[[str, datetime], bool]

#: How long a delivery is remembered beyond the window in which a stranger could send it again;
#: ours. One that is sent again from the console has a new timestamp, so the window lets it in at
#: any time; whether an event_id is kept is documented in two ways, and where it is, this catches
#: it. An automatic retry is assumed to have the same bytes; no document says so.
REMEMBERED = timedelta(days=1)


def verify_webhook(
    body: bytes,
    headers: Headers,
    secrets: Secret | str | Iterable[Secret | str],
    now: datetime | None = None,
    *,
    tolerance_s: float = 300,
    seen: Seen | None = None,
) -> WebhookEvent:
    """The event in a delivery, if Didit signed it, lately, and it did not come before.

    Takes the raw signature or that of version 2, which survives whoever writes the JSON anew: each
    covers the whole body. X-Signature-Simple is never enough, because it does not cover the
    decision, nor is X-Timestamp believed, which no signature covers. Pure, but for `seen`, and for
    the system's clock if `now` is not given.

    Args:
        body: The bytes as they came, before anything decoded them.
        headers: Of the request; any mapping of names to texts, or to lists of texts, whatever
            their case.
        secrets: The destination's ``secret_shared_key``; several while it is being changed.
        now: Time of day, with its zone.
        tolerance_s: How far the body's timestamp may be from `now`, both ends included, 0-86400
            seconds. Didit's guide says 300; its second retry comes about five minutes after the
            first try. With `seen` a wider window is safe: a delivery is remembered for longer than
            it.
        seen: Asked, once the signature fits and the time is right, whether the delivery is new:
            ``seen(key, until)`` is True the first time, and then False up to `until`, a moment with
            a zone; both in one step, for two copies may come at once. A `key` is 64 hex digits that
            say nothing of the delivery. One delivery has up to two, `WebhookEvent.replay_keys`:
            each is asked for until one is known. Without `seen` nothing is remembered, and a
            delivery that comes twice is taken twice.

    Raises:
        WebhookRefused: it must not be acted on; `reason` says why, `http_status` what to answer.
        ConfigurationError: there is no secret, or one that is none.
        InvalidRequest: another argument is wrong; the delivery may be right, so answer 500.
        Exception: what `seen` raises, without a traceback; answer 500 and Didit tries again.
    """
    expected = _catch(_check_expected, secrets, now, tolerance_s)
    # No frame of ours holds the text of a secret while strange code runs (headers, `seen`).
    del secrets
    outcome = (
        expected
        if isinstance(expected, BaseException)
        else _catch(_verify, body, headers, expected, seen)
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


def _catch(run: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T | BaseException:
    """What `run` returns or raises, the latter without frames: reporters write down locals."""
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


#: The secrets, the time of day, and how far from it a delivery may be.
Expected: TypeAlias = tuple[tuple[Secret, ...], datetime, timedelta]


def _check_expected(secrets: Any, now: Any, tolerance_s: Any) -> Expected:
    keys = read_webhook_secrets(secrets)
    if not keys:
        raise ConfigurationError(
            "secrets must be the webhook destination's secret_shared_key, or several: without one "
            "no delivery can be distinguished from a stranger's."
        )
    now = SystemClock().now() if now is None else now
    if not (isinstance(now, datetime) and now.tzinfo):
        raise InvalidRequest("now must be a datetime with its zone: datetime.now(UTC).")
    is_number = isinstance(tolerance_s, (int, float)) and not isinstance(tolerance_s, bool)
    if not is_number or not 0 <= tolerance_s <= 86_400:
        raise InvalidRequest("tolerance_s must be a number from 0 to 86400.")
    return keys, now, timedelta(seconds=tolerance_s)


def _verify(body: bytes, headers: Headers, expected: Expected, seen: Seen | None) -> WebhookEvent:
    if not isinstance(body, bytes):
        raise InvalidRequest(
            f"body must be the bytes as they came, not {type(body).__name__}: what was decoded and "
            "encoded again has another signature."
        )
    keys, now, tolerance = expected
    texts = _read_headers(headers)
    if not _is_signed(body, texts, keys):
        raise WebhookRefused(
            "No X-Signature or X-Signature-V2 fits the body with a secret that is set "
            f"({len(keys)}): compare with the destination's, and hand over the body as it came. "
            "X-Signature-Simple is not enough: it does not cover the decision.",
            reason=Refusal.UNSIGNED,
        )
    try:
        event = _read_event(_read_object(body), is_mock=bool(texts[MOCK]))
    except ValueError as error:
        raise WebhookRefused(
            f"The signature fits, but this version cannot read the delivery: {error}.",
            reason=Refusal.UNREADABLE,
        ) from None
    ahead = event.timestamp - now
    if abs(ahead) > tolerance:
        raise WebhookRefused(
            f"It was sent {abs(ahead)} {'ahead of' if ahead > timedelta() else 'before'} the clock "
            f"here; at most {tolerance} are accepted.",
            reason=Refusal.STALE,
        )
    if seen is None:
        return event
    # In the same order, and none after a key that came before: of two deliveries at once, one is
    # the first.
    for key in event.replay_keys:
        is_new = seen(key, now + 2 * tolerance + REMEMBERED)
        if not isinstance(is_new, bool):
            # Whoever forgot to return something would pass over every delivery.
            raise InvalidRequest(f"seen must return True or False, not {type(is_new).__name__}.")
        if not is_new:
            raise WebhookRefused("This delivery came before.", reason=Refusal.REPLAYED)
    return event


SIGNATURE = "x-signature"
SIGNATURE_V2 = "x-signature-v2"
MOCK = MOCK_HEADER.lower()


def _read_headers(headers: Headers) -> dict[str, list[str]]:
    """The texts of each header that is of use here, by names in lower case."""
    try:
        pairs = list(headers.items())
    except AttributeError:
        raise InvalidRequest(
            f"headers must be a mapping of names to texts, not {type(headers).__name__}; "
            "dict(scope['headers']) makes one of ASGI's."
        ) from None
    texts: dict[str, list[str]] = {SIGNATURE: [], SIGNATURE_V2: [], MOCK: []}
    for key, value in pairs:
        # ASGI gives Latin-1 bytes; WSGI and Django's ``request.META`` say ``HTTP_X_SIGNATURE``.
        name = key.decode("latin-1") if isinstance(key, bytes) else str(key)
        name = name.lower().replace("_", "-").removeprefix("http-")
        if name not in texts or value is None:
            continue
        # API Gateway and load balancers of AWS give lists.
        for item in value if isinstance(value, (list, tuple)) else (value,):
            text = item.decode("latin-1") if isinstance(item, bytes) else item
            if not isinstance(text, str):
                sentence = f"The header {name} must be a text, not {type(item).__name__}."
                raise InvalidRequest(sentence)
            # Anything else is no signature, and spares reading what a stranger wrote.
            if name == MOCK or re.fullmatch("[0-9a-f]{64}", text.strip()):
                texts[name].append(text.strip())
    return texts


#: Deliveries have some thousand bytes. Whether version 2 fits is known only after the JSON was
#: read, which takes up to 60 times its bytes of memory, whoever wrote it.
MAX_BYTES = 262_144


def _is_signed(body: bytes, texts: Mapping[str, Sequence[str]], keys: Sequence[Secret]) -> bool:
    """Whether a signature over the whole body fits a secret: HMAC-SHA256 in lower-case hex.

    The key is the destination's ``secret_shared_key`` as UTF-8 text. Version 2 signs canonical
    JSON, as Didit's server, a Python program, writes it: whole floats as integers, keys in the
    order of their code points, ``,`` and ``:`` without spaces, everything beyond ASCII as UTF-8.
    """

    def fits(header: str, message: bytes) -> bool:
        hashes = [hmac.digest(key.reveal().encode(), message, "sha256").hex() for key in keys]
        return any(hmac.compare_digest(a, b) for a in hashes for b in texts[header])

    if texts[SIGNATURE] and fits(SIGNATURE, body):
        return True
    if not texts[SIGNATURE_V2] or len(body) > MAX_BYTES:
        return False
    # A program in JavaScript writes some numbers otherwise (``1e-7`` for ``1e-07``): there the raw
    # signature decides.
    separators = (",", ":")
    try:
        document = _read_object(body)
        form = json.dumps(
            document, sort_keys=True, separators=separators, ensure_ascii=False, allow_nan=False
        )
        return fits(SIGNATURE_V2, form.encode())
    except ValueError:
        return False


def _read_object(body: bytes) -> dict[str, Any]:
    """The JSON object in `body`; `ValueError` if no writer of JSON makes such a one."""
    room = MAX_BYTES

    def read_float(digits: str) -> int | float:
        nonlocal room
        number = float(digits)
        if not number.is_integer():
            return number
        # Six bytes become an integer of 309 digits, of more than three bits each.
        room -= int(number).bit_length() // 3
        if room < 0:
            raise ValueError
        return int(number)

    def read_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        fields = dict(pairs)
        if len(fields) != len(pairs):
            # Two readers could take it for two things.
            raise ValueError
        return fields

    try:
        document = load_json(body.decode(), object_pairs_hook=read_pairs, parse_float=read_float)
    except ValueError:
        raise ValueError("the body is no JSON that a program writes") from None
    return read_object(document, "the body")


def _read_event(document: dict[str, Any], *, is_mock: bool) -> WebhookEvent:
    metadata = document.get("metadata")
    entries = metadata if isinstance(metadata, dict) else {}
    call_id = entries.get(CALL_ID_KEY)
    word = text_or_none(document.get("environment"), "environment")
    try:
        seconds = read_whole_number(document.get("timestamp"), "timestamp")
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
        metadata={k: v for k, v in entries.items() if k != CALL_ID_KEY} or None,
        call_id=call_id if isinstance(call_id, str) else None,
        raw=document,
        is_test=entries.get("test_webhook") is True,
    )
