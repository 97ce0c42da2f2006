"""The checks that need no body: rate limit, key, method and content type."""

from __future__ import annotations

from facematch_mock_server._keys import KeyKind
from facematch_mock_server._messages import Request, Response
from facematch_mock_server._rates import Window
from facematch_mock_server.claims import Told
from facematch_mock_server.forms import MULTIPART, URLENCODED, media_type

from ._call import Call

_SCOPES = {"GET": "get", "POST": "write", "PATCH": "write", "DELETE": "write"}


def rate(call: Call) -> Response | None:
    """The rate limit; counts the request."""
    told, scope = call.told, _SCOPES.get(call.request.method)
    if scope is None:
        return None
    window = call.world.rates.take(
        scope,
        _client(told, call.request),
        now=call.now.timestamp(),
        window_s=told.peek("rate.window_s"),
        count_refused=told.peek("rate.refused_count"),
    )
    if window is None:
        return None
    told.note(f"rate.{scope}.limit")
    if window.refused:
        return refused(told, scope, window)
    if told["rate.headers_on_success"]:
        call.headers = _headers(told, window)
    return None


def refused(told: Told, scope: str, window: Window) -> Response:
    """The 429 of a scope."""
    for key in ("rate.window_s", "rate.refused_count", "rate.by_key", "rate.by_forwarded"):
        told.note(key)
    wait = ((name, str(window.retry_after)) for name in told["rate.retry_after"])
    headers = (*_headers(told, window), *wait)
    return told.answer(f"rate.{scope}.refused", headers=headers, limit=window.limit)


def _headers(told: Told, window: Window) -> tuple[tuple[str, str], ...]:
    values = (window.limit, window.remaining, window.reset)
    return tuple((name, str(n)) for name, n in zip(told["rate.headers"], values, strict=False))


def _client(told: Told, request: Request) -> str:
    key = request.header("x-api-key")
    if key and told.peek("rate.by_key"):
        return f"key {key}"
    if told.peek("rate.by_forwarded"):
        forwarded = request.header("x-forwarded-for")
        if forwarded:
            return f"address {forwarded.partition(',')[0].strip()}"
    return f"address {request.peer}"


def access(call: Call) -> Response | None:
    """The key."""
    text = call.request.header("x-api-key")
    key = call.world.keys.find(text) if text else None
    if not text:
        fault = "auth.missing"
    elif key is None:
        fault = "auth.wrong"
    elif key.revoked:
        fault = "auth.revoked"
    elif key.expired(call.now):
        fault = "auth.expired"
    elif not key.allowed:
        fault = "auth.not_allowed"
    else:
        call.key, call.key_word = key, str(key.kind)
        return None
    call.key_word = "wrong" if text else "none"
    return denied(call.told, fault, call.headers)


def denied(told: Told, fault: str, headers: tuple[tuple[str, str], ...] = ()) -> Response:
    """The answer to a key that is refused for this reason."""
    words = told["auth.words.401" if told.peek(fault).status == 401 else "auth.words.403"]
    return told.answer(fault, {"detail": words}, headers)


def method(call: Call) -> Response | None:
    """The method and the content type."""
    told, request = call.told, call.request
    if request.method != "POST":
        return told.answer("method.refused", headers=call.headers, method=request.method)
    if is_readable(call):
        return None
    media = request.header("content-type") or ""
    return told.answer("media.refused", headers=call.headers, media=media)


def is_readable(call: Call) -> bool:
    """Whether the body is a form; without a body there is nothing that could be wrong."""
    told, request = call.told, call.request
    if not request.body:
        return bool(told["media.empty"])
    media = media_type(request.header("content-type") or "")
    if media == URLENCODED:
        return bool(told["media.urlencoded"])
    return media == MULTIPART


def is_live(call: Call) -> bool:
    """Whether the key is a live one."""
    return call.key is not None and call.key.kind is KeyKind.LIVE
