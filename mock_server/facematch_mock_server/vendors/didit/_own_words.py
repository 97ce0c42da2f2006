"""Didit's words for a status that a test asks for, as far as they are known."""

from __future__ import annotations

import math
from collections.abc import Callable

import attrs

from facematch_mock_server._messages import Request, Response
from facematch_mock_server._rates import Window
from facematch_mock_server.claims import Told
from facematch_mock_server.world import World

from . import _access
from ._visit import Door, Route


@attrs.frozen
class Asked:
    """What an answer is asked for.

    Attributes:
        world, request, told: What it is answered with.
        route: Whom the request is for; None for a picture endpoint, and for no endpoint.
    """

    world: World
    request: Request
    told: Told
    route: Route | None


def in_own_words(status: int, asked: Asked) -> Response | None:
    """An answer of that status as Didit words it there; None where the words are not known."""
    route = asked.route
    if route is not None and status in route.own:
        return asked.told.answer(route.own[status], _details(asked, route.own[status]))
    if route is not None and route.door is Door.OPEN and status in (401, 403):
        # Whoever asks there shows no key.
        return None
    words = _WORDS.get(status)
    return None if words is None else words(asked)


def _details(asked: Asked, key: str) -> dict[str, str] | None:
    words = _DETAILS.get(key)
    return None if words is None else {"detail": asked.told[words]}


def _unauthorized(asked: Asked) -> Response:
    # In an edition that knows no 401 the words of another one serve.
    told = asked.told
    return attrs.evolve(told.answer("auth.wrong", {"detail": told["auth.words.401"]}), status=401)


def _forbidden(asked: Asked) -> Response:
    words = "auth.words.session" if _is_of_session(asked) else "auth.words.403"
    return _access.denied(asked.told, "auth.not_allowed", words=words)


def _missing(asked: Asked) -> Response:
    return asked.told.answer("session.unknown" if _is_of_session(asked) else "path.not_found")


def _other_method(asked: Asked) -> Response:
    methods = ("POST",) if asked.route is None else _access.methods_of(asked.route.methods)
    return _access.other_method(asked.told, asked.request, methods)


def _media(asked: Asked) -> Response:
    media = asked.request.header("content-type") or ""
    return asked.told.answer("media.refused", media=media)


def _throttled(asked: Asked) -> Response:
    told, scope, window = asked.told, _scope(asked), "rate.window_s"
    if scope == "register":
        window = "rate.register.window_s"
    wait: int = told[window]
    limit: int = told[f"rate.{scope}.limit"] or 0
    reset = math.ceil(asked.world.clock.timestamp() + wait)
    return _access.refused(told, scope, Window(True, limit, 0, reset, wait), window)


def _scope(asked: Asked) -> str:
    """The limit whose words these are."""
    route, told = asked.route, asked.told
    wanted = None if route is None else route.throttle or route.scope
    # Management views have words of their own, though nobody says how often they may be asked.
    if wanted is not None and (wanted == "management" or told.peek(f"rate.{wanted}.limit")):
        return wanted
    return _access.scope_of(asked.request) or "write"


def _is_of_session(asked: Asked) -> bool:
    return asked.route is not None and asked.route.door is Door.SESSION


#: The words of an answer whose claim leaves them to another one.
_DETAILS = {"login.wrong": "login.words", "bearer.wrong": "bearer.words"}

_WORDS: dict[int, Callable[[Asked], Response]] = {
    401: _unauthorized,
    403: _forbidden,
    404: _missing,
    405: _other_method,
    415: _media,
    429: _throttled,
}
