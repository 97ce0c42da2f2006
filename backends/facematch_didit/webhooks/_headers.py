"""The headers of a delivery, in whatever form a framework hands them over. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from facematch_core.errors import InvalidRequest

from ._refused import Refusal, WebhookRefused

TIMESTAMP = "x-timestamp"
SIGNATURE = "x-signature"
SIGNATURE_V2 = "x-signature-v2"
SIGNATURE_SIMPLE = "x-signature-simple"
#: On deliveries that somebody asked for in Didit's console.
TEST = "x-didit-test-webhook"
#: As `facematch_core.http.MOCK_HEADER`, which would load a client that nobody needs here.
MOCK = "x-facematch-mock"

WANTED = frozenset({TIMESTAMP, SIGNATURE, SIGNATURE_V2, SIGNATURE_SIMPLE, TEST, MOCK})


class Headers(Protocol):
    """Names and texts: any mapping, and what looks like one (werkzeug's `Headers`)."""

    def items(self) -> Iterable[tuple[str | bytes, object]]: ...


def read_headers(headers: Headers) -> dict[str, str]:
    """What is of use here, by names in lower case; those without any text are left out.

    Names count without regard to case. ``HTTP_X_SIGNATURE`` is taken for ``X-Signature``, as WSGI
    and Django's ``request.META`` write it, and bytes for Latin-1, as ASGI does.

    Raises:
        InvalidRequest: `headers` is no mapping.
        WebhookRefused: a header has two texts, or none that is text.
    """
    try:
        pairs = list(headers.items())
    except AttributeError:
        raise InvalidRequest(
            f"headers must be a mapping of names to texts, not {type(headers).__name__}; "
            "dict(scope['headers']) makes one of ASGI's."
        ) from None
    found: dict[str, str] = {}
    for key, value in pairs:
        name = _name(key)
        if name not in WANTED:
            continue
        text = value.decode("latin-1") if isinstance(value, bytes) else value
        if not isinstance(text, str):
            sentence = f"The header {name} is {type(value).__name__}, not a text."
            raise WebhookRefused(sentence, reason=Refusal.MALFORMED)
        if found.setdefault(name, text.strip()) != text.strip():
            sentence = f"The header {name} came twice, with two texts."
            raise WebhookRefused(sentence, reason=Refusal.MALFORMED)
    return {name: text for name, text in found.items() if text}


def _name(key: str | bytes) -> str:
    text = key.decode("latin-1") if isinstance(key, bytes) else str(key)
    return text.lower().replace("_", "-").removeprefix("http-")
