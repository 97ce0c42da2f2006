"""A delivery of a stranger: refusals, its headers, its JSON, and whose signature fits. Pure.

What no writer of JSON produces is refused, because two readers could take it for two things.
"""

from __future__ import annotations

import enum
import hmac
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NoReturn, Protocol

from facematch_core import Secret, errors
from facematch_core.addresses import MOCK_HEADER
from facematch_core.errors import InvalidRequest
from facematch_core.nesting import MAX_DEPTH, TooDeep, load_json


class Refusal(enum.StrEnum):
    """Why a delivery is refused."""

    #: No signature came with it, or none with any text.
    MISSING_SIGNATURE = "missing_signature"
    #: Only X-Signature-Simple came with it, which does not cover the decision.
    SIMPLE_ONLY = "simple_only"
    #: No signature fits any of the secrets.
    WRONG_SIGNATURE = "wrong_signature"
    #: Only the other reading of the V2 signature fits: ``accept_prefixed_v2`` would accept it.
    PREFIXED_V2 = "prefixed_v2"
    #: Sent too long ago, or too far ahead of the clock.
    STALE = "stale"
    #: X-Timestamp says another second than the body.
    WRONG_TIMESTAMP = "wrong_timestamp"
    #: A header or the body is not what any sender of webhooks writes.
    MALFORMED = "malformed"
    #: The body has more bytes than were allowed.
    TOO_LARGE = "too_large"
    #: Signed with the secret, but in a shape that this version does not know: report it to us.
    UNREADABLE = "unreadable"
    #: Genuine, but it came before. No attack: answer 200 and do nothing.
    REPLAYED = "replayed"


#: What to answer. Didit sends again after 5xx and 404 and takes any other 4xx as final
#: (docs.didit.me, /integration/webhooks, November 2026), so nothing refused is sent again for it.
STATUSES: Mapping[Refusal, int] = MappingProxyType(
    dict.fromkeys(Refusal, 401)
    | {
        Refusal.MALFORMED: 400,
        Refusal.TOO_LARGE: 413,
        Refusal.UNREADABLE: 422,
        Refusal.REPLAYED: 200,
    }
)


class WebhookRefused(errors.WebhookRefused):
    """A delivery that must not be acted on. The message holds no secret and nothing of the body.

    Attributes:
        reason: Why; act on this.
        http_status: What to answer: 200 for one that came before, 400-499 for all others.
    """

    def __init__(self, message: str, *, reason: Refusal) -> None:
        super().__init__(message, http_status=STATUSES[reason])
        self.reason = reason


TIMESTAMP = "x-timestamp"
SIGNATURE = "x-signature"
SIGNATURE_V2 = "x-signature-v2"
SIGNATURE_SIMPLE = "x-signature-simple"
#: On deliveries that somebody asked for in Didit's console.
TEST = "x-didit-test-webhook"
MOCK = MOCK_HEADER.lower()

_USED_HEADERS = frozenset({TIMESTAMP, SIGNATURE, SIGNATURE_V2, SIGNATURE_SIMPLE, TEST, MOCK})


class Headers(Protocol):
    """Names and texts: any mapping, and what looks like one (werkzeug's `Headers`)."""

    def items(self) -> Iterable[tuple[str | bytes, object]]: ...


def read_headers(headers: Headers) -> dict[str, str]:
    """What is of use here, by names in lower case; those without any text are left out."""
    try:
        pairs = list(headers.items())
    except AttributeError:
        raise InvalidRequest(
            f"headers must be a mapping of names to texts, not {type(headers).__name__}; "
            "dict(scope['headers']) makes one of ASGI's."
        ) from None
    texts: dict[str, str] = {}
    for key, value in pairs:
        # ASGI gives Latin-1 bytes; WSGI and Django's ``request.META`` say ``HTTP_X_SIGNATURE``.
        name = key.decode("latin-1") if isinstance(key, bytes) else str(key)
        name = name.lower().replace("_", "-").removeprefix("http-")
        if name not in _USED_HEADERS:
            continue
        text = value.decode("latin-1") if isinstance(value, bytes) else value
        if not isinstance(text, str):
            sentence = f"The header {name} is {type(value).__name__}, not a text."
            raise WebhookRefused(sentence, reason=Refusal.MALFORMED)
        if texts.setdefault(name, text.strip()) != text.strip():
            sentence = f"The header {name} came twice, with two texts."
            raise WebhookRefused(sentence, reason=Refusal.MALFORMED)
    return {name: text for name, text in texts.items() if text}


#: More digits than the greatest float has. Python reads digits in quadratic time.
MAX_DIGITS = 400


def read_object(body: bytes) -> dict[str, Any]:
    """The JSON object in `body`; a `ValueError` says why there is none, and quotes nothing."""
    try:
        document = load_json(
            body.decode(),
            object_pairs_hook=_check_keys,
            parse_int=_parse_integer,
            parse_float=_parse_float,
            parse_constant=_refuse_constant,
        )
    except _NoObject as problem:
        reason = str(problem)
    except UnicodeDecodeError:
        reason = "is not UTF-8"
    except TooDeep:
        reason = f"is nested more than {MAX_DEPTH} deep"
    except ValueError:
        reason = "is not JSON"
    else:
        if not isinstance(document, dict):
            reason = f"is a JSON {type(document).__name__}, not an object"
        else:
            return document
    # Outside of the except clauses: the exceptions of the decoders hold the body.
    raise ValueError(reason)


class _NoObject(ValueError):
    pass


def _check_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise _NoObject("has an object with the same key twice")
    return fields


def _parse_integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise _NoObject(f"has a number of more than {MAX_DIGITS} digits")
    return int(digits)


def _parse_float(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise _NoObject("has a number that is too large")
    return number


def _refuse_constant(_: str) -> NoReturn:
    raise _NoObject("has a number that is none")


# The canonical JSON that the V2 signature signs, as Didit's server, a Python program, writes it:
# whole floats as integers, keys in the order of their code points, ``,`` and ``:`` without spaces,
# everything beyond ASCII as UTF-8. A program in JavaScript writes some numbers otherwise (``1e-7``
# for ``1e-07``); where that matters the raw signature decides.
#
# A whole float beyond `MOST` stays as it is, ``1e+23``: writers do not agree on those, and one of
# six bytes would become an integer of 309 digits. Didit's own bodies have their integers written
# out already, and those are read as they stand.

#: The greatest power of ten that a float holds exactly.
MOST = 1e22


def fold(value: Any) -> Any:
    """A copy of a decoded JSON value in which every whole float up to `MOST` is an integer."""
    if isinstance(value, dict):
        return {key: fold(item) for key, item in value.items()}
    if isinstance(value, list):
        return [fold(item) for item in value]
    if isinstance(value, float) and abs(value) <= MOST and value.is_integer():
        return int(value)
    return value


def canonical(value: Any) -> bytes:
    """The canonical JSON; `ValueError` for half of a surrogate pair or a number not finite."""
    whole = fold(value)
    separators = (",", ":")
    return json.dumps(
        whole, sort_keys=True, separators=separators, ensure_ascii=False, allow_nan=False
    ).encode()


# Which signature fits which secret: HMAC-SHA256 in lower-case hex; the key is the destination's
# ``secret_shared_key`` as UTF-8 text.


class SignatureVariant(enum.StrEnum):
    """What was signed. Each of them covers the whole body."""

    #: X-Signature-V2: the canonical JSON of the body. Survives proxies that write JSON anew.
    V2 = "v2"
    #: X-Signature: the bytes of the body.
    RAW = "raw"
    #: X-Signature-V2 in the reading of Didit's skills repository, early 2026: the timestamp and a
    #: colon before the canonical JSON.
    V2_PREFIXED = "v2_prefixed"


#: In the order in which they are tried.
_HEADER_OF: Mapping[SignatureVariant, str] = MappingProxyType(
    {
        SignatureVariant.V2: SIGNATURE_V2,
        SignatureVariant.RAW: SIGNATURE,
        SignatureVariant.V2_PREFIXED: SIGNATURE_V2,
    }
)


def signed_messages(
    body: bytes, document: Mapping[str, Any], timestamp: int
) -> dict[SignatureVariant, bytes]:
    """What each variant signs; those that cannot sign this body are missing."""
    try:
        form = canonical(document)
    except ValueError:
        return {SignatureVariant.RAW: body}
    return {
        SignatureVariant.RAW: body,
        SignatureVariant.V2: form,
        SignatureVariant.V2_PREFIXED: b"%d:%s" % (timestamp, form),
    }


def signature(secret: str, message: bytes) -> str:
    """The signature of `message`: 64 hex digits."""
    return hmac.digest(secret.encode(), message, "sha256").hex()


def find_signature(
    headers: Mapping[str, str], signed: Mapping[SignatureVariant, bytes], secrets: Sequence[Secret]
) -> tuple[SignatureVariant, int] | None:
    """The first variant that fits, and the index of the secret that it fits; None if none does."""
    for variant, header in _HEADER_OF.items():
        if header not in headers or variant not in signed:
            continue
        text = headers[header].encode("utf-8", "surrogatepass")
        for index, secret in enumerate(secrets):
            expected = signature(secret.reveal(), signed[variant]).encode()
            if hmac.compare_digest(expected, text):
                return variant, index
    return None
