"""Didit's words for a status that a test asks for, as far as they are known."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable

import attrs

from facematch_mock_server._messages import Request, Response
from facematch_mock_server._rates import Window
from facematch_mock_server.claims import Told

from . import _access

Words = Callable[[Told, Request, dt.datetime], Response]


def _unauthorized(told: Told, _: Request, __: dt.datetime) -> Response:
    # In an edition that knows no 401 the words of another one serve.
    return attrs.evolve(told.answer("auth.wrong", {"detail": told["auth.words.401"]}), status=401)


def _throttled(told: Told, _: Request, now: dt.datetime) -> Response:
    wait: int = told["rate.window_s"]
    limit: int = told["rate.write.limit"] or 0
    window = Window(True, limit, 0, math.ceil(now.timestamp() + wait), wait)
    return _access.refused(told, "write", window)


OWN_WORDS: dict[int, Words] = {
    401: _unauthorized,
    403: lambda told, _, __: _access.denied(told, "auth.not_allowed"),
    404: lambda told, _, __: told.answer("path.not_found"),
    405: lambda told, request, _: _access.other_method(told, request, ("POST",)),
    415: lambda told, request, _: told.answer(
        "media.refused", media=request.header("content-type") or ""
    ),
    429: _throttled,
}
