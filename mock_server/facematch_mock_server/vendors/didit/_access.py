"""The checks that need no body: rate limit, key, method and content type."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Protocol

from facematch_mock_server._keys import Key, KeyKind
from facematch_mock_server._messages import Headers, Request, Response
from facematch_mock_server._rates import Window
from facematch_mock_server.claims import Told
from facematch_mock_server.forms import MULTIPART, URLENCODED, media_type
from facematch_mock_server.world import World

from ._call import Call

_SCOPES = {"GET": "get", "POST": "write", "PATCH": "write", "DELETE": "write"}


class Asking(Protocol):
    """Whoever wants in: a `Call`, or a `Visit`; see there."""

    world: World
    request: Request
    told: Told
    now: dt.datetime
    headers: Headers
    key: Key | None
    key_word: str


def rate(
    call: Asking,
    scope: str | None = None,
    *,
    window: str = "rate.window_s",
    by_address: bool = False,
) -> Response | None:
    """The rate limit; counts the request.

    Args:
        scope: Which one; None for that of the method.
        window: The behaviour with its length.
        by_address: Whether it counts by address, whatever key is shown.
    """
    told, scope = call.told, scope or scope_of(call.request)
    if scope is None:
        return None
    place = call.world.rates.take(
        scope,
        _client(told, call.request, by_key=not by_address),
        now=call.now.timestamp(),
        window_s=told.peek(window),
        count_refused=told.peek("rate.refused_count"),
    )
    if place is None:
        return None
    told.note(f"rate.{scope}.limit")
    if place.refused:
        return refused(told, scope, place, window)
    if told["rate.headers_on_success"]:
        call.headers = _headers(told, place)
    return None


def refused(told: Told, scope: str, place: Window, window: str = "rate.window_s") -> Response:
    """The 429 of a scope."""
    for key in (window, "rate.refused_count", "rate.by_key", "rate.by_forwarded"):
        told.note(key)
    wait = ((name, str(place.retry_after)) for name in told["rate.retry_after"])
    headers = (*_headers(told, place), *wait)
    return told.answer(
        f"rate.{scope}.refused", headers=headers, limit=place.limit, wait=place.retry_after
    )


def _headers(told: Told, window: Window) -> tuple[tuple[str, str], ...]:
    values = (window.limit, window.remaining, window.reset)
    return tuple((name, str(n)) for name, n in zip(told["rate.headers"], values, strict=False))


def scope_of(request: Request) -> str | None:
    """The scope that counts requests of this method; None for a method that none counts."""
    return _SCOPES.get(request.method)


def _client(told: Told, request: Request, *, by_key: bool) -> str:
    key = request.header("x-api-key")
    if key and by_key and told.peek("rate.by_key"):
        return f"key {key}"
    if told.peek("rate.by_forwarded"):
        forwarded = request.header("x-forwarded-for")
        if forwarded:
            return f"address {forwarded.partition(',')[0].strip()}"
    return f"address {request.peer}"


def access(call: Asking, words: str = "auth.words.403") -> Response | None:
    """The key.

    Args:
        words: The behaviour with the words of a 403.
    """
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
    return denied(call.told, fault, call.headers, words)


def denied(
    told: Told, fault: str, headers: Headers = (), words: str = "auth.words.403"
) -> Response:
    """The answer to a key that is refused for this reason."""
    said = told["auth.words.401" if told.peek(fault).status == 401 else words]
    return told.answer(fault, {"detail": said}, headers)


def methods_of(methods: Iterable[str]) -> list[str]:
    """The methods of an endpoint as a 405 names them: whoever answers GET answers HEAD."""
    return [name for one in methods for name in ((one, "HEAD") if one == "GET" else (one,))]


def other_method(
    told: Told, request: Request, allowed: Iterable[str], headers: Headers = ()
) -> Response:
    """The answer to a method that an endpoint does not have."""
    allow = ("Allow", told["method.allow"].format(methods=", ".join(allowed)))
    return told.answer("method.refused", headers=(allow, *headers), method=request.method)


def method(call: Call) -> Response | None:
    """The method and the content type."""
    told, request = call.told, call.request
    if request.method != "POST":
        return other_method(told, request, ("POST",), call.headers)
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


def is_live(call: Asking) -> bool:
    """Whether the key is a live one."""
    return call.key is not None and call.key.kind is KeyKind.LIVE
